"""Hardening goal by goal: evasion first, then what else was found, each on top of what was taken before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from temper.core.defence import Effect, Tried
from temper.core.errors import TemperError, Unsupported
from temper.core.event import Event, Listener, silent
from temper.core.finding import Finding
from temper.core.requirement import Judgement, Verdict
from temper.core.run import Record, Skipped
from temper.core.system import Protected
from temper.core.target import Target
from temper.engine.effect import rates
from temper.engine.harden import ANY, Hardened, gated
from temper.engine.harden import harden as against_evasion
from temper.engine.harden_goal import DATA, GOALS, Guard, besiege, goal_of, harden_goal
from temper.engine.plan import Plan, plan
from temper.engine.reattack import Reattack, deciding
from temper.engine.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to harden against: the `finding`, or everything that the run found; `defences` limits what is tried."""

    finding: Finding | None = None
    defences: tuple[str, ...] | None = None


def harden_all(system: Protected, record: Record, wanted: Wanted, listener: Listener = silent) -> tuple[Hardened, ...]:
    """One `Hardened` per goal, in the order they were tried; the last one carries the system.

    Raises `TemperError` when the plan has nothing that could be hardened against.
    """
    goals = _goals(record, wanted)
    planned = plan(
        system, record.suite, [f"validation.{goal}" if goal in DATA else goal for goal in goals], record.seed
    )
    done: list[Hardened] = []
    guard: Guard | None = None
    if "evasion" in goals and any(task.family == "evasion" for task in planned.tasks):
        first, reattack = _evasion(planned, record, wanted, listener)
        done.append(first)
        guard = _guard(reattack, first) if first.chosen else None
    for goal in (goal for goal in GOALS if goal in goals):
        for task in _found(goal, planned, record, wanted):
            done.append(_goal(goal, task, planned, wanted, done[-1] if done else None, guard, listener))
    if not done:
        raise TemperError("nothing in this system's plan can be hardened against", fix="see `temper threats`")
    return tuple(done)


def hardening_of(before: str, results: Sequence[Hardened]) -> Tried:
    """What these results of a hardening of the run `before` say, as the run after it keeps it."""
    trials = [trial for result in results for trial in result.trials]
    return Tried(
        before=before,
        taken=tuple(result.chosen.defence for result in results if result.chosen is not None),
        effects=tuple(effect for trial in trials for effect in trial.effects),
        outcomes=tuple((trial.defence, trial.outcome) for trial in trials),
        left=tuple((one.name, one.why) for result in results for one in result.skipped),
        notes=tuple(dict.fromkeys(note for result in results for note in result.notes)),
    )


def _goals(record: Record, wanted: Wanted) -> list[str]:
    """The finding's kind of attack; else evasion, and every other kind of which something was found that the policy
    does not accept. A figure that meets its requirement is not bought down further with clean quality.
    """
    if wanted.finding is not None:
        kind = wanted.finding.plugin.partition(".")[0]
        return [kind if kind in GOALS else "evasion"]
    found = {finding.plugin.partition(".")[0] for finding in record.findings if finding.defences}
    return ["evasion", *(g for g in GOALS if g in found and wanted.defences is None and not _accepted(g, record))]


def _accepted(goal: str, record: Record) -> bool:
    """Whether the policy asks something of this kind of attack and every answer is a pass, waived, or undecided with a
    figure within its limit: more rows decide that, not a defence.
    """
    asked = [j for j in record.judgements if j.requirement.metric.startswith(f"{goal}.")]
    return bool(asked) and all(j.verdict in (Verdict.PASS, Verdict.WAIVED) or _within(j) for j in asked)


def _within(judgement: Judgement) -> bool:
    """Undecided, with a figure that meets its requirement as far as it is known."""
    rule, value = judgement.requirement, judgement.value
    if judgement.verdict is not Verdict.INCONCLUSIVE or value is None:
        return False
    return value <= rule.limit if rule.at_most is not None else value >= rule.limit


def _evasion(planned: Plan, record: Record, wanted: Wanted, listener: Listener) -> tuple[Hardened, Reattack]:
    attacks = deciding(planned.tasks, wanted.finding.plugin if wanted.finding is not None else "")
    listener(Event(kind="note", message="choosing the attacks that decide"))
    reattack = Reattack(world=planned.world, tasks=attacks).decisive()
    tried = against_evasion(
        planned.world.system,
        evaluate=reattack,
        defences=planned.against(attacks) if wanted.defences is None else wanted.defences,
        inner=reattack.inner,
        confirm=reattack.elsewhere(),
        seed=record.seed,
        listener=listener,
    )
    return tried, reattack


def _guard(reattack: Reattack, first: Hardened) -> Guard:
    """How many rows evade a further hardened model, against the one that was hardened against evasion alone."""
    was = first.chosen.evaluation if first.chosen else None
    if was is None:
        raise TemperError("what was taken against evasion was not evaluated")

    def evading(target: Target, threshold: float | None) -> Effect:
        after = reattack(target, threshold)
        names = gated(reattack.world.system.policy, tuple(after.broken))
        union = np.logical_or.reduce([np.asarray(after.broken[name], dtype=bool) for name in names])
        return rates("", ANY, was.broken["evasion.any"], union, "lower")

    return evading


def _goal(
    goal: str,
    task: Task,
    planned: Plan,
    wanted: Wanted,
    before: Hardened | None,
    guard: Guard | None,
    listener: Listener,
) -> Hardened:
    """The defences against one threat of a goal, on top of what was taken before."""
    world = planned.world
    if before is not None:
        world = replace(world, system=before.system)
    names = planned.against([task]) if wanted.defences is None else wanted.defences
    listener(Event(kind="note", message=f"against {goal}: {task.plugin}"))
    try:
        return harden_goal(besiege(world, [task]), names, guard=guard, listener=listener)
    except Unsupported as reason:
        return Hardened(
            system=world.system,
            was=world.target,
            trials=(),
            chosen=None,
            skipped=(Skipped(name=goal, why=reason.message),),
            goal=goal,
        )


def _found(goal: str, planned: Plan, record: Record, wanted: Wanted) -> list[Task]:
    """The tasks that decide, one per threat: the finding's, or the worst of each threat that breaks a requirement, or
    the worst of the goal where none does.
    """
    tasks = {task.plugin: task for task in planned.tasks if goal_of(task) == goal}
    if wanted.finding is not None:
        return [tasks[wanted.finding.plugin]] if wanted.finding.plugin in tasks else list(tasks.values())[:1]
    order = ("critical", "high", "medium", "low")
    broken = [j.requirement.metric.rpartition(".")[0] for j in record.judgements if j.verdict is Verdict.FAIL]

    def breaks(finding: Finding) -> bool:
        return any(fnmatchcase(finding.plugin, of) for of in broken)

    found = [finding for finding in record.findings if finding.defences and finding.plugin in tasks]
    found.sort(key=lambda finding: (not breaks(finding), order.index(finding.severity)))
    worst = {tasks[f.plugin].scenario.partition("@")[0]: f for f in reversed(found)}
    kept = [finding for finding in found if finding in worst.values() and (breaks(finding) or finding is found[0])]
    return [tasks[finding.plugin] for finding in kept]
