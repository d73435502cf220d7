"""The list of planted weaknesses is well formed, and what is told of a case is counted as it was told."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import bench.planted
from bench.planted import ROOMS, cases
from bench.planted.__main__ import Answer, asked, main
from bench.planted._case import Case, Setting
from temper.core.errors import ContractError


def test_there_are_sixty_weaknesses_over_all_rooms_and_each_has_one_name() -> None:
    found = cases()
    assert len(found) >= 60
    assert {case.room for case in found} == set(ROOMS)
    assert max(Counter((case.room, case.name) for case in found).values()) == 1
    assert all(case.about for case in found)
    assert sum(case.held_out for case in found) >= len(found) / 3


def test_every_weakness_has_a_twin() -> None:
    """Both sides come from one function, which asks which side it is, or hands the question on."""
    folder = Path(bench.planted.__file__).parent
    for room in ROOMS:
        tree = ast.parse((folder / f"{room}.py").read_text(encoding="utf-8"))
        made = [one for one in tree.body if isinstance(one, ast.FunctionDef) and "setting" in _arguments(one)]
        for one in made:
            words = {node.attr for node in ast.walk(one) if isinstance(node, ast.Attribute)}
            calls = {node.id for node in ast.walk(one) if isinstance(node, ast.Name)}
            public = not one.name.startswith("_")
            assert not public or "weak" in words or calls & {other.name for other in made} - {one.name}, one.name


def _arguments(function: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in function.args.args}


def case(told: object) -> Case:
    return Case(room="guard", name="toy", about="a toy", told=told)  # type: ignore[arg-type]


def refuses(setting: Setting) -> list[str]:
    if setting.weak:
        raise ContractError("it changes its mind", fix="do not")
    return []


def breaks(setting: Setting) -> list[str]:
    raise ValueError("the bench is broken")


@pytest.mark.parametrize(
    ("told", "weak", "wrong"),
    [
        (lambda setting: ["finding"] * setting.weak, True, False),
        (lambda setting: ["finding"] * setting.weak, False, False),
        (lambda setting: [], True, True),
        (lambda setting: ["finding"], False, True),
        (refuses, True, False),
        (refuses, False, False),
        (breaks, True, True),
        (breaks, False, True),
    ],
)
def test_misses_false_findings_and_crashes_count_against_temper(told: object, weak: bool, wrong: bool) -> None:
    answer = asked(case(told), weak, 0)
    assert answer.wrong is wrong
    assert bool(answer.failed) is (told is breaks)


def test_what_was_asked_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[bool] = []

    def told(setting: Setting) -> list[str]:
        seen.append(setting.weak)
        return ["finding"] * setting.weak

    monkeypatch.setattr("bench.planted.__main__.cases", lambda: (case(told),))
    for _ in range(2):
        assert main(["--folder", str(tmp_path)]) == 0
    assert seen == [True, False]
    assert "1/1" in capsys.readouterr().out
    assert main(["--folder", str(tmp_path), "--seeds", "2"]) == 0
    assert seen == [True, False, True, False]


def test_an_answer_of_another_side_is_another_answer() -> None:
    one = {"room": "a", "name": "b", "seed": 0, "held_out": True, "told": (), "failed": "", "seconds": 0.0}
    assert Answer(weak=True, **one).key != Answer(weak=False, **one).key  # type: ignore[arg-type]
