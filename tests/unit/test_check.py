"""`temper check`: descriptions, policies and model files, without loading anything."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from temper.api.checks import check
from temper.core.errors import ConfigError

SYSTEM = "system: {name: x}\nmodel: {path: absent.ubj}\ndata: {test: absent.csv, target: y}\n"


def written(tmp_path: Path, text: str, name: str = "temper.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_description_is_sound_without_its_model_and_tables(tmp_path: Path) -> None:
    words, sound = check(written(tmp_path, SYSTEM))
    assert (words.rpartition(": ")[2], sound) == ("describes a system", True)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("systm: {}\n", "temper.yaml:4: unknown key 'systm'"),
        ("schema: {columns: {a: {type: nmber}}}\n", "temper.yaml:4: .*nmber"),
        ("policy:\n- {id: a, metric: evasion.x, at_mst: 1}\n", "temper.yaml:5: unknown key 'at_mst'"),
        ("actors:\n- {name: a, knowledge: everything}\n", "temper.yaml:5: .*everything"),
        ("controls:\n- nonsense\n", "nonsense"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, more: str, line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        check(written(tmp_path, SYSTEM + more))


def test_model_and_data_are_held_against_the_rules_too(tmp_path: Path) -> None:
    for wrong, line in ((SYSTEM.replace("path", "pth"), ":2: "), (SYSTEM.replace("test:", "tst:"), ":3: ")):
        with pytest.raises(ConfigError, match=line):
            check(written(tmp_path, wrong))


def test_a_policy_is_known_by_its_requirements(tmp_path: Path) -> None:
    policy = "name: p\nrequirements:\n- {id: a, metric: performance.auc, at_least: 0.8}\n"
    assert check(written(tmp_path, policy, "p.yaml"))[0].endswith("a policy of 1 requirement")


def test_a_model_file_is_scanned_and_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    words, sound = check(path)
    assert not sound
    assert "found: it names os.system" in words
    path.write_bytes(pickle.dumps([1.0, 2.0]))
    assert check(path)[1]
