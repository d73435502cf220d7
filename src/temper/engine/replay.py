"""Show a finding again on the model as it is now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.errors import TemperError
from temper.core.finding import Finding
from temper.core.system import Protected
from temper.engine.memory import recall
from temper.engine.plan import Plan, decisions, plan
from temper.engine.run_task import conclude, execute
from temper.engine.task import Task
from temper.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a replay found, in words, and whether the weakness is still there."""

    text: str
    still_there: bool


def replay(system: Protected, store: Store, name: str) -> Replay:
    """Ask the model as it is now about the kept adversarial rows, then attack it afresh with the same plan."""
    finding, run = store.finding(name)
    record = store.run(run)
    lines = [f"{finding.id}: {finding.title}", *_kept(system, store, finding)]
    planned = plan(system, record.suite, [finding.plugin], record.seed)
    tasks = [task for task in planned.tasks if _matches(task, finding)]
    if not tasks:
        raise TemperError(f"{finding.plugin} no longer applies to this system", fix="see `temper threats`")
    again = _again(planned, tasks, finding)
    lines += [f"  now: {again.title}", *(f"  {example}" for example in again.examples[:3])] if again else []
    lines.append("STILL THERE" if again else "FIXED: the same attack from scratch no longer shows it")
    if again and finding.defences:
        lines.append(f"next: temper harden --for {finding.id}")
    return Replay(text="\n".join(lines), still_there=again is not None)


def _matches(task: Task, finding: Finding) -> bool:
    full = task.plugin if task.room == "attacks" else f"{task.room}.{task.plugin}"
    return full == finding.plugin and (task.scenario == finding.scenario or not task.plugin.startswith("evasion."))


def _again(planned: Plan, tasks: list[Task], finding: Finding) -> Finding | None:
    parts = [execute(task, planned.world) for task in tasks]
    _, found = conclude(tasks[0], parts, planned.world)
    same = [other for other in found if other.metric == finding.metric]
    return same[0] if same else None


def _kept(system: Protected, store: Store, finding: Finding) -> list[str]:
    """How many of the adversarial rows that were kept still change sides."""
    part = recall(store, finding.task) if finding.task else None
    if part is None or "x_adv" not in part.evidence:
        return []
    broken = part.evidence["verdicts"] == "broken"
    rows = part.evidence["x_adv"][broken]
    if not len(rows):
        return []
    at = np.searchsorted(system.data.ids, part.evidence["ids"][broken])
    still = int((decisions(system, rows) != np.asarray(system.data.y)[at]).sum())
    return [f"  kept adversarial rows that still change sides: {still} of {len(rows)}"]
