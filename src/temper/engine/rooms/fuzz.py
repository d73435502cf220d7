"""Fuzzing of the model in a run: defects by law, a finding for each, and its cases kept to be replayed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.finding import Finding
from temper.core.measure import Better, Measurement, Status
from temper.engine.fuzz.kept import about, detail
from temper.engine.fuzz.run import EFFORTS, model
from temper.engine.task import SUITES, Part, Task, World, clock
from temper.fuzz import _drawn
from temper.fuzz._campaign import Effort
from temper.fuzz._oracle import MEANING
from temper.fuzz._search import Defect, Searched

NAME = "fuzz"


def run(task: Task, world: World) -> Part:
    """The defects of the model under one search; a model that cannot be sent to a process of its own is UNTRIED."""
    start = clock()
    plugin = world.room(NAME).build(task.plugin, dict(task.options))
    effort = _effort(world)
    draws = effort.draws if plugin.draws is None else plugin.draws
    plugin = replace(plugin, cases=plugin.cases or effort.cases, draws=draws)
    x = world.system.data.x[world.held_out]
    with model(world.system, strict=plugin.strict, deadline=plugin.deadline) as subject:
        found: Searched = plugin.search(subject, world.system.schema, x, world.rng(task))
    if not found.tried["in_range"]:
        said = found.defects[0].said if found.defects else found.stopped
        return Part(status=Status.ERROR, reason=f"the model answered none of the recorded rows: {said}")
    how = {"strict": plugin.strict, "deadline": plugin.deadline}
    kept = [json.dumps(how | one.plain()) for one in found.defects]
    return Part(
        measurements=tuple(_measurements(found, plugin, world)),
        findings=tuple(map(_finding, found.defects)),
        evidence={"fuzz_cases": np.array(kept)} if kept else {},
        seconds=clock() - start,
        queries=found.asked,
    )


def _effort(world: World) -> Effort:
    name = next((name for name, sizes in SUITES.items() if sizes == world.sizes), "standard")
    return EFFORTS[name]


def _measurements(found: Searched, plugin: Any, world: World) -> list[Measurement]:
    """The number of defects over all laws, and of each law that was tried."""
    tried = {law: n for law, n in found.tried.items() if n}
    most = max(tried.values())
    laws = [_count(len(found.defects), most, "all", found, plugin, world)]
    for law, n in tried.items():
        count = sum(one.law == law for one in found.defects)
        laws.append(_count(count, n, f"law:{law}", found, plugin, world))
    return laws


def _count(count: int, n: int, of: str, found: Searched, plugin: Any, world: World) -> Measurement:
    caveats = [] if count else [f"no defect in {n:,} cases: at most {3 / n:.2g} of such cases show one (3/n, 95 %)"]
    caveats += [f"stopped early: {found.stopped}"] if found.stopped else []
    caveats += [f"{found.left_out:,} cases like one that hung or killed the model left out"] * bool(found.left_out)
    if not plugin.draws:
        caveats += ["edges of the schema alone: the quick suite draws no other values"]
    elif not _drawn.installed():
        caveats += [_drawn.MISSING]
    method = "distinct causes; edges of the schema, mixtures, batches, repeats, callers at once"
    return Measurement(
        plugin=NAME,
        metric="defects",
        value=float(count),
        low=float(count),
        high=float(count),
        n=n,
        unit="defects",
        better=Better.LOWER,
        slice=of,
        method=method + ("; invalid input must be refused" if plugin.strict else ""),
        caveats=tuple(caveats),
        counts="cases",
        simulated=world.system.simulated,
    )


def _finding(defect: Defect) -> Finding:
    return Finding(
        id=about(defect),
        title=f"Breaks the law that it {_law(defect.law)}",
        plugin=NAME,
        metric="defects",
        severity=defect.severity,
        detail=detail(defect),
    )


def _law(law: str) -> str:
    told = {"in_range": "gives finite scores within their range", "refuses": "refuses what is outside of the schema",
            "accepts": "accepts every valid row", "spelling": "answers a row the same however it is written",
            "repeats": "gives the same row the same answer", "alone": "answers a row alone as in a batch",
            "own_answer": "gives every caller the answer to the caller's own row"}  # fmt: skip
    return told.get(law, MEANING[law].partition(":")[0])
