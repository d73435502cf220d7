"""One assessment: plan -> tasks -> executor -> measurements -> policy -> verdict, findings -> record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from temper.core.deadline import TooLate, within
from temper.core.defence import Tried
from temper.core.docstring import misleads
from temper.core.errors import ContractError, RunStopped
from temper.core.event import Event, Listener, silent
from temper.core.evidence import Present, Triggers
from temper.core.finding import Finding
from temper.core.incident import Incident
from temper.core.measure import Measurement, Status
from temper.core.requirement import Judgement
from temper.core.risk import Register
from temper.core.run import Record
from temper.core.system import Protected
from temper.core.threat import Scenario
from temper.engine.corruptions import means
from temper.engine.executors import Executor
from temper.engine.identity import answers, digest_of, library_versions, subject, task_key
from temper.engine.layers.stopped import stakes_with
from temper.engine.memory import recall, remember
from temper.engine.monitored import monitored
from temper.engine.plan import LOAD, Plan
from temper.engine.risk import risk_of
from temper.engine.rooms import load
from temper.engine.run_task import conclude, execute
from temper.engine.task import Part, Task, clock
from temper.engine.together import Group, group, together
from temper.store.attacks import attacks_digest
from temper.store.database import Store
from temper.targets.contract import check, refuse_unfit
from temper.threats.model import threat_model
from temper.validation.gate import judge, overall

_PATIENCE = 60.0
_PROBE = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """What `assess` needs besides the system: the plan, where to keep results, who runs tasks, who listens."""

    plan: Plan
    store: Store
    executor: Executor
    run: str
    now: datetime
    engine: str = "serial"
    listener: Listener = silent
    fresh: bool = False
    author: str = ""
    incidents: tuple[Incident, ...] = ()
    hardening: Tried | None = None


@dataclass(slots=True, kw_only=True)
class _Progress:
    """Parts by task, filled as they come; what a stop leaves behind is still a run."""

    parts: dict[Task, Part] = field(default_factory=dict)
    keys: dict[Task, str] = field(default_factory=dict)
    reused: int = 0
    stopped: bool = False


def vet(system: Protected) -> None:
    """Refuse a broken model up front, in one sentence; a model that hangs is given up after a minute."""
    refuse_unfit(system.data.x, system.schema)
    x = system.data.x[:_PROBE]
    try:
        within(_PATIENCE, lambda: check(system.target, x, system.schema))
    except TooLate:
        raise ContractError(
            f"the model did not answer {len(x)} rows within {_PATIENCE:g} s", fix="check the model, or its `timeout`"
        ) from None


def assess(job: Job) -> Record:
    """Run the plan and judge it. Ctrl-C ends it early: what is done is a run of state "stopped"."""
    started = clock()
    progress = _Progress()
    salt = "" if job.plan.world.target.digest else job.run
    progress.keys = {task: _key(task, job, salt) for task in job.plan.tasks}
    total = len(job.plan.tasks)
    job.listener(Event(kind="planned", total=total, message=f"{total} tasks"))
    try:
        _reuse(job, progress)
        _run(job, progress)
    except KeyboardInterrupt:
        progress.stopped = True
        job.listener(Event(kind="stopped", done=len(progress.parts), total=total))
    record = _record(job, progress, clock() - started)
    record = replace(record, risk=_risk(job, record))
    job.store.save_run(record)
    job.listener(Event(kind="judged", done=len(progress.parts), total=total, message=record.verdict.value))
    return record


def _key(task: Task, job: Job, salt: str) -> str:
    """What a service answers depends on more than a key can hold: its load is never answered from the store."""
    return task_key(task, job.plan.key + (job.run if task.room == LOAD else salt))


def _reuse(job: Job, progress: _Progress) -> None:
    """Answer from the store what was measured before under the very same key."""
    if job.fresh:
        return
    for task, key in progress.keys.items():
        part = recall(job.store, key)
        if part is not None:
            progress.parts[task] = part
            progress.reused += 1
            _tell(job, "reused", task, progress, part)


def _run(job: Job, progress: _Progress) -> None:
    waiting = [task for task in job.plan.tasks if task not in progress.parts]
    if not waiting:
        return

    def started(task: Task) -> None:
        _tell(job, "started", task, progress)

    def ended(task: Task, part: Part) -> None:
        progress.parts[task] = part
        remember(job.store, progress.keys[task], task, part)
        _tell(job, "failed" if part.status is Status.ERROR else "finished", task, progress, part)

    shared = [task for task in waiting if task.room != LOAD]
    for task, part in job.executor.run(shared, job.plan.world, started) if shared else ():
        ended(task, part)
    for task in waiting:
        if task.room == LOAD:  # alone: a generator beside busy workers is late, and grades nothing
            started(task)
            ended(task, execute(task, job.plan.world))


def _tell(job: Job, kind: str, task: Task, progress: _Progress, part: Part | None = None) -> None:
    job.listener(
        Event(
            kind=kind,
            task=task.name,
            room=task.family,
            done=len(progress.parts),
            total=len(job.plan.tasks),
            share=len(progress.parts) / max(len(job.plan.tasks), 1),
            message=part.reason if part else "",
            seconds=part.seconds if part else 0.0,
        )
    )


def _record(job: Job, progress: _Progress, seconds: float) -> Record:
    plan, system = job.plan, job.plan.world.system
    measurements, findings, alarms = _conclude(job, progress)
    judgements = (*alarms, *judge(system.policy, measurements, job.now.date(), skipped=plan.absent))
    state = "stopped" if progress.stopped else "finished"
    if progress.stopped and not progress.parts:
        raise RunStopped("the run was stopped before anything was measured", fix="start it again")
    return Record(
        id=job.run,
        system=system.name,
        suite=plan.suite,
        seed=plan.world.seed,
        started=job.now.isoformat(timespec="seconds"),
        seconds=seconds,
        state=state,
        verdict=overall(judgements),
        judgements=judgements,
        measurements=measurements,
        findings=findings,
        scenarios=tuple(_line(scenario) for scenario in plan.scenarios),
        skipped=plan.skipped,
        facts=(
            *plan.facts,
            *((("apart from temper.yaml", system.apart),) if system.apart else ()),
            ("answered from the store", f"{progress.reused} of {len(plan.tasks)} tasks"),
        ),
        digests=(*_digests(plan), *(() if progress.stopped else monitored(system))),
        tasks=tuple(progress.keys.values()),
        engine=job.engine,
        source=system.source,
        simulated=system.simulated,
        misleads=_misleads(plan),
        threats=threat_model(system),
        author=job.author,
        hardening=job.hardening,
    )


def _risk(job: Job, record: Record) -> Register | None:
    """The register after this run, with campaigns of this model by other seeds; where it measured only a part, with
    what runs before it know of the rest.
    """
    plan, system = job.plan, job.plan.world.system
    if record.state != "finished":
        return None
    part = any(name in plan.absent for scenario in plan.scenarios for name in scenario.threat.plugins)
    kept = [one for one in reversed(job.store.outlines(system=system.name)) if one.run != record.id]
    before = [job.store.run(one.run) for one in kept if part or one.model == system.target.digest]
    present = Present(now=job.now.timestamp(), model=system.target.digest, attacks=attacks_digest())
    stakes = stakes_with(system, job.store)
    return risk_of(system, [*before, record], present, Triggers(), job.incidents, only=plan.scenarios, stakes=stakes)


def _misleads(plan: Plan) -> tuple[tuple[str, str], ...]:
    """When the figures of each plugin mislead, in its own words, under the name that its figures carry."""
    found = {}
    for task in plan.tasks:
        if task.room == LOAD:
            found[LOAD] = load.MISLEADS
            continue
        found[task.figures] = misleads(plan.world.room(task.room).get(task.plugin))
    return tuple((name, words) for name, words in sorted(found.items()) if words)


def _line(scenario: Scenario) -> str:
    who = f", {scenario.actor.name}" if scenario.actor.name != "nobody" else ""
    return f"[{scenario.rating}] {scenario.threat.title}{who}: {scenario.threat.harm}"


def _conclude(
    job: Job, progress: _Progress
) -> tuple[tuple[Measurement, ...], tuple[Finding, ...], tuple[Judgement, ...]]:
    """Merge shards plugin by plugin, then what attacks and certificates say together; a task that never ran counts as
    UNTRIED, not as nothing.
    """
    plan = job.plan
    absent = Part(status=Status.UNTRIED, reason="the run was stopped before this part")
    groups: list[Group] = []
    findings: list[Finding] = []
    for first, tasks in _groups(plan.tasks).items():
        parts = [progress.parts.get(task, absent) for task in tasks]
        measured, found = conclude(first, parts, plan.world)
        groups.append(group(first, parts, measured))
        key = _evidence(job, [progress.keys[task] for task in tasks], first, parts)
        findings += [replace(finding, task=key, scenario=first.scenario) for finding in found]
    own, joint, alarms = together(groups, plan.world)
    order = {"critical": 0, "high": 1, "medium": 2, "low": 3}
    return (
        (*own, *joint, *means(own)),
        tuple(sorted(findings, key=lambda finding: order.get(finding.severity, 9))),
        alarms,
    )


def _evidence(job: Job, keys: Sequence[str], task: Task, parts: Sequence[Part]) -> str:
    """Where the rows behind a finding are kept: the task itself, or its shards together under a key of their own."""
    found = [part.evidence for part in parts if "x_adv" in part.evidence]
    if len(keys) == 1 or not found:
        return keys[0]
    key = digest_of("shards", *keys)
    names = set.intersection(*(set(evidence) for evidence in found)) - {"twin"}
    merged = {name: np.concatenate([evidence[name] for evidence in found]) for name in names}
    remember(job.store, key, task, Part(evidence=merged))
    return key


def _groups(tasks: Sequence[Task]) -> Mapping[Task, list[Task]]:
    """Shards of one plugin under one budget belong together."""
    groups: dict[Task, list[Task]] = {}
    for task in tasks:
        groups.setdefault(replace(task, start=0, stop=0), []).append(task)
    return {members[0]: members for members in groups.values()}


def _digests(plan: Plan) -> tuple[tuple[str, str], ...]:
    return (
        *subject(plan.world.system),
        ("assessment", plan.key),
        *answers(plan.world.system),
        *library_versions().items(),
    )
