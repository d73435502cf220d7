"""Runs of a small system as a store keeps them: one that failed, the model it was mended to, one that was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from temper.core.finding import Example, Finding
from temper.core.measure import Better, Measurement, Status
from temper.core.requirement import Judgement, Requirement, Verdict
from temper.core.run import Record, Skipped
from temper.core.schema import Change
from temper.store.database import Store
from temper.web.assessed import Assessed
from unit.web_desk import World

HOP = Finding(
    id="F-7c1e22",
    title="Hop: 62 of 100 correctly judged rows change sides within 200 queries a row",
    plugin="evasion.hop",
    metric="success_rate",
    severity="high",
    scenario="A customer who tries again",
    examples=(
        Example(
            sample=7,
            changes=(
                Change(column="amount", before="231.00", after="214.50", cost=1.0),
                Change(column="per_day", before="33.00", after="30.64", cost=0.0, derived=True),
            ),
            score_before=0.97,
            score_after=0.08,
            queries=38,
            cost=1.0,
        ),
    ),
    defences=("adversarial_trees",),
    task="k1",
)
LEAK = replace(
    HOP,
    id="F-11aa00",
    title="<i>Members</i> are told apart",
    plugin="inversion.scores",
    metric="advantage",
    severity="low",
    examples=(),
)
RULE = Requirement(id="evasion", metric="evasion.hop.success_rate", at_most=0.2, reason="refunds", severity="high")


def figure(plugin: str, metric: str, value: float, **more: Any) -> Measurement:
    ends = {"low": max(0.0, value - 0.1), "high": min(1.0, value + 0.1)}
    given = {"n": 100, "better": Better.LOWER, "baseline": (("random", 0.02),), "unit": "share"} | ends | more
    return Measurement(plugin=plugin, metric=metric, value=value, **given)


def record(name: str, day: int, rate: float, model: str, *findings: Finding, **more: Any) -> Record:
    verdict = Verdict.FAIL if rate > 0.3 else Verdict.PASS
    hop = figure("evasion.hop", "success_rate", rate, count=round(100 * rate))
    failed = figure("stress.missing", "loss", 0.1, status=Status.ERROR, reason="the model crashed")
    given = {
        "system": "card-fraud",
        "suite": "quick",
        "seed": 0,
        "started": f"2027-01-{day:02}T08:00:00+00:00",
        "seconds": 75.0,
        "state": "finished",
        "verdict": verdict,
        "judgements": (
            Judgement(
                requirement=RULE,
                verdict=verdict,
                measured=hop.name,
                value=rate,
                low=hop.low,
                high=hop.high,
                n=100,
                explanation="measured",
            ),
        ),
        "measurements": (hop, figure("inversion.scores", "advantage", 0.02), figure("fairness", "gap", 0.05), failed),
        "findings": findings,
        "scenarios": ("[high] A customer who tries again", "[low] A supplier of rows"),
        "skipped": (Skipped(name="extraction.copycat", why="the model gives labels only"),),
        "digests": (("model", model), ("held-out data", "d1"), ("attacks", "old")),
    }
    return Record(id=name, **given | more)


RUNS = (
    record("0001", 1, 0.62, "aaaa1111", HOP, LEAK),
    record("0002", 2, 0.1, "bbbb2222", LEAK),
    record("0003", 3, 0.1, "bbbb2222", state="stopped", suite="deep"),
)


@contextmanager
def assessed(folder: Path, runs: tuple[Record, ...] = RUNS) -> Iterator[World]:
    """A console over these runs."""
    config = folder / "temper.yaml"
    config.write_text("system: {name: card-fraud}\n", encoding="utf-8")
    store = Store.open(folder)
    for one in runs:
        store.save_run(one)
    world = World.at(folder, assessed=Assessed.of(config))
    try:
        yield world
    finally:
        world.close()
