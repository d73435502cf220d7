"""Show a finding again on the model as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.breach import AGAIN, PROMISE
from temper.core.errors import RunStopped, TemperError
from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.core.system import Protected
from temper.engine.campaign.again import retaken
from temper.engine.fuzz.kept import shown_again
from temper.engine.memory import recall
from temper.engine.plan import ROOMS, Plan, decisions, plan
from temper.engine.run_task import conclude, execute
from temper.engine.task import Part, Task
from temper.report.campaign import far
from temper.store.database import Store

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a replay found, in words, and whether the weakness is still there."""

    text: str
    still_there: bool


def replay(system: Protected, store: Store, name: str) -> Replay:
    """Ask the model as it is now about the kept adversarial rows, then attack it afresh with the same plan."""
    finding, run = store.finding(name)
    if finding.plugin == "fuzz":
        return _fuzzed(system, store, finding)
    if finding.plugin == "campaign":
        return _campaigned(system, store, finding, run)
    record = store.run(run)
    kept, still = _kept(system, store, finding)
    planned = plan(system, record.suite, [_planned(finding)], record.seed)
    tasks = [task for task in planned.tasks if _matches(task, finding)]
    if not tasks:
        raise TemperError(f"{finding.plugin} no longer applies to this system", fix="see `temper threats`")
    again = _again(planned, tasks, finding, sure=still > 0)
    lines = [f"{finding.id}: {finding.title}", *kept]
    lines += [f"  now: {again.title}", *(f"  {example}" for example in again.examples[:3])] if again else []
    there = again is not None or still > 0
    lines.append("STILL THERE" if there else "FIXED: the same attack from scratch no longer shows it")
    if there and finding.defences:
        lines.append(f"next: temper harden --for {finding.id}")
    return Replay(text="\n".join(lines), still_there=there)


def _fuzzed(system: Protected, store: Store, finding: Finding) -> Replay:
    """The kept cases of a fuzzed defect, asked of the model as it is now."""
    part = recall(store, finding.task) if finding.task else None
    seen = shown_again(system, [] if part is None else part.evidence.get("fuzz_cases", ()), finding)
    if seen is None:
        raise RunStopped(f"the cases of {finding.id} are no longer kept", fix="run temper fuzz again")
    lines = [f"{finding.id}: {finding.title}", f"  {finding.detail}", f"  now: {seen or 'the law holds'}"]
    lines.append("STILL THERE" if seen else "FIXED: the same cases no longer break the law")
    return Replay(text="\n".join(lines), still_there=bool(seen))


def _campaigned(system: Protected, store: Store, finding: Finding, run: str) -> Replay:
    """The rows that got through, asked of the model as it is now; what was taken is taken again."""
    if finding.metric != "passed":
        return _retaken(system, store, finding, run)
    asked = _asked(system, store, finding)
    if asked is None or not len(asked[0]):
        gone = "kept" if asked is None else "in the data"
        raise RunStopped(f"the rows of {finding.id} are no longer {gone}", fix="run temper redteam again")
    y, found, _ = asked
    still = int(((found != y) & (found >= 0)).sum())  # those that pass unchanged now pass all the more
    kept = [f"  kept rows that the model still lets through: {still} of {len(y)}"]
    said = "STILL THERE" if still else "FIXED as far as these rows go: temper redteam wages the campaign anew"
    return Replay(text="\n".join([f"{finding.id}: {finding.title}", *kept, said]), still_there=still > 0)


def _retaken(system: Protected, store: Store, finding: Finding, run: str) -> Replay:
    """A copy of the model, or who was in the training data, by the same attackers as the guarded model is now."""
    found = retaken(system, store, finding, run)
    if found.why and not found.still:
        raise RunStopped(f"{finding.id} could not be taken again: {found.why}", fix="repair that, then again")
    then, now = found.then, found.now
    lines = [f"{finding.id}: {finding.title}", f"  {then.words}"]
    lines += [f"  then: {far(then)}, {then.queries:,} queries", f"  now: {far(now)}, {now.queries:,} queries"]
    if found.still:
        reaches = "" if now.value >= now.goal else " as far as can be told: the interval reaches what was sought"
        lines.append(f"STILL THERE{reaches}")
    else:
        lines.append("FIXED: the same attackers, with the same seeds, no longer come that far")
    return Replay(text="\n".join(lines), still_there=found.still)


def _planned(finding: Finding) -> str:
    """The plugin as the plan names it: figures of checks go by their name without the room."""
    return f"validation.{finding.plugin}" if finding.plugin in ROOMS["validation"].names() else finding.plugin


def _matches(task: Task, finding: Finding) -> bool:
    full = task.plugin if task.room == "attacks" else f"{task.room}.{task.plugin}"
    return full == _planned(finding) and (task.scenario == finding.scenario or not task.plugin.startswith("evasion."))


def _again(planned: Plan, tasks: list[Task], finding: Finding, sure: bool) -> Finding | None:
    """The weakness as it shows now, or None. An attack that could not run shows nothing, least of all a repair: then
    `RunStopped`, unless it is already `sure` that the weakness is there.
    """
    parts = [execute(task, planned.world) for task in tasks]
    measured, found = conclude(tasks[0], parts, planned.world)
    same = [other for other in found if alike(finding, other)]
    doubt = "" if same or sure else _doubt(parts, measured)
    if doubt:
        raise RunStopped(f"{finding.plugin} could not show whether it is fixed: {doubt}", fix="repair that, then again")
    return same[0] if same else None


def alike(finding: Finding, other: Finding) -> bool:
    """Whether another finding is of the same weakness: one broken promise, or incident, is not another."""
    promised = finding.title.startswith((PROMISE, AGAIN))
    return other.metric == finding.metric and (not promised or other.title == finding.title)


def _doubt(parts: Sequence[Part], measured: Sequence[Measurement]) -> str:
    """Why silence is no answer: a part that did not run, rows the model failed on, a failed power check."""
    for part in parts:
        if part.status is not Status.OK:
            return part.reason
        lost = np.asarray(part.evidence.get("verdicts", ())) == "error"
        if lost.any():
            return f"{lost.sum()} rows could not be attacked: {np.asarray(part.evidence['reasons'])[lost][0]}"
    return next((m.reason for m in measured if m.status is not Status.OK), "")


def _kept(system: Protected, store: Store, finding: Finding) -> tuple[list[str], int]:
    """How many of the adversarial rows that were kept still turn a right decision into a wrong one, and in words."""
    asked = _asked(system, store, finding)
    if asked is None:
        return [], 0
    y, found, clean = asked
    if not len(y):
        return ["  the rows that were kept are no longer in the data"], 0
    still = int(((clean == y) & (found != y) & (found >= 0)).sum())
    return [f"  kept adversarial rows that still change sides: {still} of {len(y)}"], still


def _asked(system: Protected, store: Store, finding: Finding) -> tuple[Rows, Rows, Rows] | None:
    """Of the adversarial rows that were kept and are in the data: the truths, and what the model decides now of them
    and of the rows unchanged. None where none were kept.
    """
    part = recall(store, finding.task) if finding.task else None
    broken = None if part is None or "x_adv" not in part.evidence else part.evidence["verdicts"] == "broken"
    if part is None or broken is None or not broken.any():
        return None
    rows, at = part.evidence["x_adv"][broken], system.data.positions(part.evidence["ids"][broken])
    rows, at = rows[at >= 0], at[at >= 0]
    if not len(rows):
        nothing = np.array([], dtype=int)
        return nothing, nothing, nothing
    return np.asarray(system.data.y)[at], decisions(system, rows), decisions(system, system.data.x[at])
