"""Two red team runs attempt by attempt: a guard's effect, another version, and what cannot be paired."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from temper.core.chat import Reply, Request
from temper.core.comparison import compare
from temper.core.run import Record
from temper.demos.assistant.bank import bank
from temper.demos.assistant.mind import Mind
from temper.demos.assistant.weakness import FEEBLE, STURDY, Weakness
from temper.engine.redteam.cases import cases
from temper.engine.redteam.effort import EFFORTS, Effort
from temper.engine.redteam.kept import Tried, attempts, was_fresh
from temper.engine.redteam.pairs import Paired, Pairs, pairs
from temper.engine.redteam.run import Job, redteam
from temper.report.pairs import show_pairs
from temper.store.codec import dump
from temper.store.database import Store
from temper.targets.chat.function import ChatFunction

TINY = Effort(attempts=39, trials=2, confirmations=6, minimal=5, twins=12, tasks=2)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EFFORTS, "tiny", TINY)


def run(store: Store, weakness: Weakness, version: str, guard: tuple[str, ...] = (), **more: Any) -> Record:
    target = ChatFunction(call=Mind(weakness=weakness).answer, version=version, tools=True)
    assistant = replace(bank(target=target), guard=tuple((name, {}) for name in guard))
    settings = {"suite": "tiny", "only": ("injection.templates", "injection.genetic"), "run": store.next_run_id()}
    return redteam(Job(assistant=assistant, store=store, now=datetime(2026, 1, 2, tzinfo=UTC), **(settings | more)))


def found(store: Store, before: Record, after: Record) -> Pairs:
    compared = pairs(store, before, after)
    assert compared is not None
    return compared


def figure(compared: Pairs, name: str) -> Paired:
    return next(one for one in compared.figures if one.name == name and one.slice == "all")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path)


@pytest.mark.slow
def test_a_guard_is_judged_on_the_same_attempts_beside_work_and_twins(store: Store) -> None:
    before = run(store, FEEBLE, "1")
    after = run(store, FEEBLE, "1", guard=("rules", "canary", "permissions"))
    compared = found(store, before, after)
    success = figure(compared, "injection.templates.success_rate")
    assert (success.prompts, success.n, success.change) == (39, 78, "better")
    assert success.high < 0
    measured = [next(m for m in run_.measurements if m.name == success.name) for run_ in (before, after)]
    assert [success.before, success.after] == pytest.approx([m.value for m in measured])
    names = [one.name for one in compared.figures[:5]]
    assert names == [
        "injection.templates.success_rate",
        "assistant.tasks.served",
        "assistant.under_attack.served",
        "assistant.twins.blocked",
        "assistant.twins.false_alarms",
    ]
    assert figure(compared, "assistant.twins.blocked").prompts == 12


def test_the_same_run_twice_differs_in_nothing(store: Store) -> None:
    compared = found(store, run(store, FEEBLE, "1"), run(store, FEEBLE, "1"))
    assert {one.difference for one in compared.figures} == {0.0}
    assert {one.change for one in compared.figures} == {"no clear change"}
    assert compared.alone == ()


def test_a_weaker_version_is_worse_and_what_a_search_tried_alone_is_named(store: Store) -> None:
    compared = found(store, run(store, STURDY, "1"), run(store, FEEBLE, "2"))
    assert figure(compared, "injection.templates.success_rate").change == "worse"
    (genetic,) = compared.alone
    assert genetic.by == "injection.genetic"
    assert genetic.before == genetic.after > 0
    assert genetic.named
    pairs_of_it = figure(compared, "injection.genetic.success_rate")
    assert pairs_of_it.prompts + genetic.before == TINY.attempts


@pytest.mark.slow
def test_other_seeds_and_runs_that_kept_nothing_are_told(store: Store) -> None:
    before, after = run(store, FEEBLE, "1"), run(store, FEEBLE, "1", seed=1)
    assert any("seeds 0 and 1" in note for note in found(store, before, after).notes)
    assert pairs(store, before, replace(after, tasks=("0" * 32,))) is None
    assert pairs(store, before, replace(after, tasks=())) is None


def test_trials_nobody_could_judge_are_left_out_of_both(store: Store) -> None:
    before = run(store, FEEBLE, "1")
    kept = attempts(store, before.tasks[0])
    broken = [replace(one, hits="-" + one.hits[1:]) if one.hits else one for one in kept]

    store.save_task("other", "redteam", {"worked": [], "tried": [dump(one) for one in broken]})
    compared = found(store, before, replace(before, tasks=("other",)))
    assert figure(compared, "injection.templates.success_rate").n == 39
    assert any("could not be judged" in note for note in compared.notes)


def test_what_was_tried_is_the_same_key_in_every_run_and_counts_every_trial(store: Store) -> None:
    kept = attempts(store, run(store, FEEBLE, "1").tasks[0])
    templates = [one for one in kept if one.by == "injection.templates"]
    assert len({one.key for one in templates}) == len(templates) == TINY.attempts
    assert {len(one.hits) for one in templates} == {TINY.trials}
    assert next(one for one in kept if one.by == "task").served == "11"
    assert all(isinstance(one, Tried) for one in kept)


@pytest.mark.slow
def test_the_terminal_shows_the_pairs_first(store: Store) -> None:
    before, after = run(store, FEEBLE, "1"), run(store, FEEBLE, "1", guard=("rules",))
    page = StringIO()
    console = Console(file=page, width=110, color_system=None)
    show_pairs(before, after, found(store, before, after), compare(before, after), console)
    text = page.getvalue()
    assert "guard: none → rules" in text
    assert text.index("attacks that succeed") < text.index("harmless twins stopped") < text.index("not paired")


def test_what_belongs_to_a_fresh_run_is_answered_from_that_run(store: Store) -> None:
    """Whoever asked everything anew does not want older answers of the same version in tests made from the run."""
    asked: list[Request] = []
    mind = Mind(weakness=FEEBLE)

    def call(request: Request) -> Reply:
        asked.append(request)
        return mind.answer(request)

    assistant = bank(target=ChatFunction(call=call, version="1", tools=True))
    job = Job(
        assistant=assistant, suite="tiny", only=("injection.templates",), store=store, run="0001",
        now=datetime(2026, 1, 2, tzinfo=UTC), fresh=True,
    )  # fmt: skip
    record = redteam(job)
    assert was_fresh(store, record)
    once = len(asked)
    assert cases(assistant, store, record)
    assert len(asked) == once
    again = redteam(replace(job, run="0002", fresh=False))
    assert not was_fresh(store, again)
    assert len(asked) == 2 * once
