"""What the public functions for assistants refuse, and what a service gets that a run does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from temper import api
from temper.api import assistants
from temper.core.errors import TemperError
from temper.demos.assistant.bank import bank, write
from temper.targets.chat.limits import Limits
from temper.targets.chat.line import Line
from temper.targets.chat.openai import OpenAI


@pytest.mark.parametrize(
    "text", ["shop", "shop=short", "=a-long-random-key-of-its-own", "a=0123456789abcdef,a=fedcba9876543210"]
)
def test_keys_that_cannot_be_read_are_told_without_the_key(text: str) -> None:
    with pytest.raises(TemperError, match="name=key") as told:
        assistants.keys_of(text)
    assert "0123456789abcdef" not in str(told.value)
    assert "a-long-random-key" not in str(told.value)


def test_keys_are_read() -> None:
    assert assistants.keys_of("") == {}
    assert assistants.keys_of("a=0123456789abcdef, b=fedcba9876543210") == {
        "a": "0123456789abcdef",
        "b": "fedcba9876543210",
    }


def test_a_service_has_no_cap_on_its_requests_and_keeps_the_others() -> None:
    line = Line(url="http://127.0.0.1:9/v1", limits=Limits(max_requests=5, max_tokens=7))
    target = assistants.without_end(bank(target=OpenAI(line=line, model="m")))
    assert target.line.limits.max_requests > 10**12  # type: ignore[attr-defined]
    assert target.line.spent.limits.max_tokens == 7  # type: ignore[attr-defined]


def test_a_guard_that_is_not_there_is_not_served() -> None:
    with pytest.raises(TemperError, match="no guard"):
        assistants.guard_of(bank())
    assert assistants.guard_of(replace(bank(), guard=(("rules", {}),))).stages[0][0] == "rules"


def test_an_assistant_is_no_model(tmp_path: Path) -> None:
    path = write(tmp_path / "bank")
    assert assistants.is_assistant(path)
    with pytest.raises(TemperError, match="describes an assistant"):
        api.load(path)


def test_files_of_a_stage_are_found_beside_temper_yaml(tmp_path: Path) -> None:
    path = write(tmp_path / "bank")
    (path.parent / "own.yaml").write_text("rules: []\n", encoding="utf-8")
    path.write_text(
        path.read_text(encoding="utf-8") + "guard:\n  - rules: {rules: [own.yaml]}\n  - canary\n", encoding="utf-8"
    )
    own = str(path.parent / "own.yaml")
    assert assistants.load_assistant(path).guard == (("rules", {"rules": (own,)}), ("canary", {}))


def test_results_of_another_tool_are_figures_that_nobody_judged(tmp_path: Path) -> None:
    head = {"entry_type": "start_run setup", "_config.version": "0.17.1"}
    lines = [head] + [
        {
            "entry_type": "attempt", "uuid": str(at), "seq": at, "status": 2, "probe_classname": "dan.Dan",
            "prompt": "p", "detector_results": {"dan.DAN": [float(at == 0)]},
        }
        for at in range(4)
    ]  # fmt: skip
    path = tmp_path / "x.report.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    run = assistants.results(path)
    assert run.record.judgements == ()
    assert run.measurements
    assert run.report(tmp_path / "x.html").is_file()
