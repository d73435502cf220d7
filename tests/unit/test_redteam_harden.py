"""The guard is chosen by what it stops and costs, and judged on attacks that had no part in the choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from temper.api import assistants
from temper.config.policy import load_policy
from temper.core.assistant import Assistant
from temper.core.errors import TemperError
from temper.demos.assistant.bank import bank, write
from temper.demos.assistant.weakness import STURDY, Weakness
from temper.engine.redteam.effort import EFFORTS, Effort
from temper.engine.redteam.harden import halves

TINY = Effort(attempts=40, trials=2, confirmations=6, minimal=6, twins=8, tasks=1)
READY = Weakness(obeys={"user": 2.0, "tool": 2.0})


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EFFORTS, "tiny", TINY)


def ready(weakness: Weakness = READY) -> Assistant:
    return replace(bank(weakness), policy=load_policy("assistant"))


def hardened(folder: Path, stages: tuple[str, ...]) -> Any:
    assistant = ready()
    run = assistants.redteam(assistant, "tiny", ["injection.templates"], store=folder)
    return assistants.harden(assistant, run, stages=stages, store=folder)


@pytest.mark.slow
def test_a_stage_that_stops_attacks_is_taken_and_attacked_anew(tmp_path: Path) -> None:
    better = hardened(tmp_path, ("rules", "secrets"))
    assert "rules" in better.taken
    chosen = better.results[-1].chosen
    success = chosen.effect("injection.known.success_rate")
    assert success.high < 0
    assert chosen.effect("tasks").after == 1.0
    assert better.after.record.id == "0002"
    assert better.before.record.id == "0001"
    kept = better.after.record.hardening
    assert (kept.before, kept.taken) == ("0001", (chosen.defence,))


def test_a_guard_that_stops_nothing_is_left(tmp_path: Path) -> None:
    better = hardened(tmp_path, ("secrets",))
    assert better.taken == ()
    assert better.assistant.guard == ()
    assert better.results[-1].trials[-1].outcome.startswith("left: ")


def test_a_stage_that_the_assistant_has_keeps_its_options(tmp_path: Path) -> None:
    own = (("limits", {"characters": 40_000}),)
    assistant = replace(ready(), guard=own)
    run = assistants.redteam(assistant, "tiny", ["injection.templates"], store=tmp_path)
    better = assistants.harden(assistant, run, stages=("limits", "secrets"), store=tmp_path)
    guards = {trial.defence: trial.guard for trial in better.results[-1].trials}
    assert guards["limits alone"] == own
    assert guards["all stages"] == (*own, ("secrets", {}))


def test_nothing_found_is_nothing_to_harden_against(tmp_path: Path) -> None:
    assistant = ready(STURDY)
    run = assistants.redteam(assistant, "tiny", ["injection.templates"], store=tmp_path)
    with pytest.raises(TemperError, match="no attack that worked"):
        assistants.harden(assistant, run, store=tmp_path)


def test_the_two_halves_share_no_wrapper() -> None:
    chooses, judges = halves(["a", "b", "c", "d", "a"])
    assert not set(chooses) & set(judges)
    assert {*chooses, *judges} == {"a", "b", "c", "d"}


@pytest.mark.slow
def test_the_guard_that_was_taken_is_read_again(tmp_path: Path) -> None:
    assistant = assistants.load_assistant(write(tmp_path / "bank"))
    run = assistants.redteam(assistant, "tiny", ["injection.templates"], store=tmp_path)
    better = assistants.harden(assistant, run, stages=("rules", "canary"), store=tmp_path)
    saved = assistants.save_hardened(better, tmp_path / "hardened")
    again = assistants.load_assistant(saved)
    assert tuple(name for name, _ in again.guard) == better.taken
    assert [service.tool.name for service in again.services] == [service.tool.name for service in assistant.services]
    assert assistants.guard_of(again).stages
