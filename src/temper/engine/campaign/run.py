"""Campaigns from a temper.yaml to a record: waged by several seeds, beside a twin without a guard, judged, kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from temper.config.serving import Serving
from temper.core.alert import Alerting
from temper.core.campaign import Attacker, Campaign, Technique
from temper.core.docstring import misleads
from temper.core.errors import ConfigError, RunStopped, StoreError
from temper.core.event import Event, Listener, silent
from temper.core.requirement import Verdict
from temper.core.run import Record, Skipped
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.waged import Means, Waged
from temper.core.watch import Watch
from temper.engine.campaign import purple
from temper.engine.campaign.door import Door, Once, Told
from temper.engine.campaign.figures import Fought, asked_of, came, figures
from temper.engine.campaign.findings import findings
from temper.engine.campaign.ground import Ground
from temper.engine.campaign.inside import Inside
from temper.engine.campaign.kept import keep
from temper.engine.campaign.learning import Lessons
from temper.engine.campaign.manned import Manned
from temper.engine.campaign.outside import Outside, Place
from temper.engine.campaign.staged import TECHNIQUES, Staged, ground, seeds, staged, techniques, unreachable
from temper.engine.campaign.wage import Course, wage
from temper.engine.campaign.words import attacker, rules, standing, target
from temper.engine.identity import answers, digest_of, subject
from temper.engine.risk import risk_after
from temper.store.database import Store
from temper.store.journal import Frames
from temper.targets.served import Served, served
from temper.threats.model import threat_model
from temper.threats.register import refuse_strangers
from temper.threats.taxonomies import taxonomies
from temper.validation.gate import judge, overall

WAGED = {"quick": 1, "standard": 3, "deep": 10}
"""How many campaigns, each by a seed and with rows of its own, a suite wages inside; a gateway meets one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """What `temper redteam` needs besides the system. Without a `place` the guard of `serving` is built around the
    model in this process.
    """

    system: Protected
    campaign: Campaign
    now: datetime
    store: Store | None = None
    run: str = ""
    serving: Serving | None = None
    place: Place | None = None
    suite: str = "standard"
    seed: int = 0
    listener: Listener = silent
    author: str = ""
    fresh: bool = False
    purple: bool = False
    watch: Watch | None = None
    alerting: Alerting | None = None
    wall: Callable[[], float] = time.time


def redteam(job: Job) -> Record:
    """Wage the campaigns and judge them. What is stopped is kept, and goes on by `--resume` without asking twice."""
    if job.suite not in WAGED:
        raise ConfigError(f"there is no suite {job.suite!r}", fix=f"use one of {', '.join(WAGED)}")
    refuse_strangers(job.system.stakes)
    chosen, skipped = techniques(job.campaign)
    store = _store(job)
    if not chosen:
        raise ConfigError("no technique serves these objectives", fix="see `temper list techniques`")
    model = served(job.system.target, job.system.data.x, job.system.threshold)
    for line in job.campaign.assumed:
        job.listener(Event(kind="note", message=f"assumed, since campaign: does not say: {line}"))
    started = _started(job)
    store.save_run(_blank(job, started))
    fought: list[Fought] = []
    stopped = ""
    try:
        with Frames(_journal(job), Told) as journal:
            for number, seed in enumerate(seeds(job.seed, 1 if job.place else WAGED[job.suite]), 1):
                fought.append(_fought(job, chosen, model, journal, number, seed))
                stopped = stopped or _unfinished(fought[-1])
                if stopped:
                    break
    except KeyboardInterrupt:
        stopped = "it was stopped by hand"
    if not fought:
        raise RunStopped(f"nothing was tried: {stopped}", fix="start it again with --resume")
    record = _record(job, fought, model, started, skipped, chosen, stopped)
    store.save_run(record)
    job.listener(Event(kind="judged", message=record.verdict.value))
    return record


def plan_of(job: Job) -> str:
    """What would be done, in words; nothing is asked."""
    chosen, skipped = techniques(job.campaign)
    lines = [
        f"target: {target(job)}",
        *(f"objective: {one.words}" for one in job.campaign.objectives),
        f"attacker: {attacker(job)}",
        f"rules: {rules(job)}",
        f"techniques: {', '.join(chosen) or 'none'}",
        *(f"left out: {one.name}, {one.why}" for one in skipped),
        *(f"assumed: {line}" for line in job.campaign.assumed),
        f"{1 if job.place else WAGED[job.suite]} campaigns of at most {job.campaign.attacker.queries:,} queries each",
    ]
    return "\n".join(lines)


def _unfinished(one: Fought) -> str:
    return one.course.ended if one.course.stopped else ""


def _fought(
    job: Job, chosen: dict[str, Technique], model: Served, journal: Frames[Told], number: int, seed: int
) -> Fought:
    """One campaign, its twins without a guard and without people, and what the other side made of it."""
    dealt, side = staged(job.system, job.campaign, seed), _side(job, model, seed) if job.purple else None
    plain = _door(job, journal)
    door = plain if side is None else side.manned(plain)
    field, course = ground(job.system, job.campaign, dealt, door, seed), Course()
    defended, unanswered = None, None
    try:
        wage(field, chosen, Draws(seed, "campaign"), course, job.listener)
        if side is not None and isinstance(door, Manned):
            if door.simulated or not course.stopped:  # behind a hard stop nothing is set on a gateway that runs
                door.finish()
            if job.place is None and not course.stopped:
                unanswered = _twin(job, chosen, _door(job, journal), seed, job.campaign)
            course.turns[:] = purple.attributed(course.turns, door)
            defended = side.defended(door, field, unanswered and unanswered[0], lambda: _inside(job, journal))
            course.gaps = purple.gaps(course.turns, defended)
    finally:
        door.close()
        told = f"{door.asked:,} rows asked, {door.reused:,} answered from {journal.path.name}"
        job.listener(Event(kind="note", message=f"campaign {number}: {told}; {course.ended}"))
    course.learnt = tuple(plain.lessons.told) if isinstance(plain, Inside) else ()
    if job.purple and job.place is not None:
        course.gaps += ("what the gateway's own stages saw stands in its ledger and was not asked here",)
    bare = None if course.stopped else _bare(job, chosen, journal, seed)
    twins = [() if twin is None else came(*twin, dealt, job.system, model) for twin in (bare, unanswered)]
    found = came(field, course, dealt, job.system, model)
    one = Fought(seed=seed, ground=field, course=course, dealt=dealt, came=found, defended=defended)
    return replace(one, bare=twins[0], unanswered=twins[1])


def _bare(job: Job, chosen: dict[str, Technique], journal: Frames[Told], seed: int) -> tuple[Ground, Course] | None:
    """The weak twin: the same attackers and seed, and nothing but the model of temper.yaml before them."""
    if not job.system.target.digest:
        return None
    door = Inside(system=job.system, once=Once(journal=journal, scope=_scope(job)))  # it learns whatever it is told
    campaign = replace(job.campaign, rules=replace(job.campaign.rules, successes=0, loss=0.0))
    return _twin(job, chosen, door, seed, campaign)


def _twin(job: Job, chosen: dict[str, Technique], door: Door, seed: int, campaign: Campaign) -> tuple[Ground, Course]:
    """The same attackers and seed before another door."""
    field, course = ground(job.system, campaign, staged(job.system, job.campaign, seed), door, seed), Course()
    try:
        wage(field, chosen, Draws(seed, "campaign"), course)
    finally:
        door.close()
    return field, course


def _inside(job: Job, journal: Frames[Told]) -> Inside:
    once, lessons = Once(journal=journal, scope=_scope(job)), Lessons(how=job.campaign.learning)
    return Inside(system=job.system, serving=job.serving or Serving(), once=once, lessons=lessons)


def _door(job: Job, journal: Frames[Told]) -> Door:
    if job.place is None:
        return _inside(job, journal)
    once = Once(journal=journal, scope=_scope(job))
    return Outside(system=job.system, place=job.place, rules=job.campaign.rules, once=once)


def _side(job: Job, model: Served, seed: int) -> purple.Side:
    return purple.Side(
        system=job.system,
        model=model,
        campaign=job.campaign,
        serving=job.serving or Serving(),
        watch=job.watch or purple.usual(),
        alerting=job.alerting or Alerting(receivers=()),
        seed=seed,
        run=job.run,
        wall=job.wall,
    )


def _scope(job: Job) -> str:
    """What the answers depend on besides the question."""
    if job.place is not None:
        return digest_of("gateway", job.place.url, job.run)
    return digest_of(job.system.target.digest or f"run {job.run}", job.run if job.fresh else "")


def _journal(job: Job) -> Path:
    """Scores of a model with a digest serve every run; answers of a gateway, whose state nobody sees, this run only."""
    digest = "" if job.place is not None else job.system.target.digest
    return _store(job).path.parent / "answers" / (f"{digest[:16]}.rows" if digest else f"run-{job.run}.rows")


def _store(job: Job) -> Store:
    if job.store is None:
        raise StoreError("a campaign is kept somewhere", fix="give a store")
    return job.store


def _started(job: Job) -> str:
    known = _store(job).outlines(1, run=job.run)
    return known[0].started if known else job.now.isoformat(timespec="seconds")


def _blank(job: Job, started: str) -> Record:
    return Record(
        id=job.run,
        system=job.system.name,
        suite=job.suite,
        seed=job.seed,
        started=started,
        seconds=0.0,
        state="stopped",
        verdict=Verdict.INCONCLUSIVE,
        digests=(*subject(job.system), *_guard(job.system), *answers(job.system)),
        source=job.system.source,
        simulated=job.system.simulated,
        author=job.author,
    )


def _record(
    job: Job,
    fought: Sequence[Fought],
    model: Served,
    started: str,
    skipped: tuple[Skipped, ...],
    chosen: dict[str, Technique],
    stopped: str,
) -> Record:
    """It holds no times of this process, so that a run which was killed and went on ends in the same bytes."""
    measured = figures(fought, job.campaign.objectives) + (purple.figures(fought) if job.purple else ())
    judgements = judge(asked_of(job.system.policy), measured, job.now.date(), skipped=("*",))
    key = digest_of("campaign", job.run, job.seed)
    keep(_store(job), key, fought, job.seed)
    broken = findings(fought, job.system, model, key)
    tags = {tag for one in broken for tag in one.references} | {t for one in chosen.values() for t in one.references}
    found = replace(
        _blank(job, started),
        state="stopped" if stopped else "finished",
        verdict=overall(judgements),
        judgements=judgements,
        measurements=measured,
        findings=broken,
        skipped=(*skipped, *_tripped(fought)),
        facts=_facts(job, fought, stopped),
        tasks=(key,),
        misleads=tuple((f"technique.{name}", misleads(TECHNIQUES.get(name))) for name in chosen),
        titles=_titles(tags),
        threats=threat_model(job.system),
        campaign=waged(job, fought, chosen),
    )
    return found if stopped else replace(found, risk=risk_after(job.system, _store(job), found))


def _guard(system: Protected) -> tuple[tuple[str, str], ...]:
    """The guard that is written beside the model, as evidence speaks of it and of no other."""
    return (("guard", system.stakes.guard),) if system.stakes.guard else ()


def waged(job: Job, fought: Sequence[Fought], chosen: dict[str, Technique]) -> Waged:
    """The campaign that came farthest, as it is shown."""
    worst = max(fought, key=lambda one: [max(each.share for each in one.came), -one.ground.queries])
    objectives = tuple(
        replace(
            each,
            bare=worst.bare[at].value if worst.bare else None,
            unanswered=worst.unanswered[at].value if worst.unanswered else None,
            unanswered_queries=worst.unanswered[at].queries if worst.unanswered else 0,
        )
        for at, each in enumerate(worst.came)
    )
    return Waged(
        attacker=attacker(job, worst.dealt),
        rules=rules(job),
        target=target(job),
        objectives=objectives,
        turns=tuple(worst.course.turns),
        queries=worst.ground.queries,
        cost=worst.ground.paid,
        seconds=worst.ground.clock,
        ended=worst.course.ended,
        assumed=job.campaign.assumed,
        untried=unreachable([turn.technique for turn in worst.course.turns], chosen, list(worst.ground.kept)),
        waged=len(fought),
        reached=sum(all(each.reached for each in one.came) for one in fought),
        purple=job.purple,
        gaps=worst.course.gaps,
        means=_means(job.campaign.attacker, worst.dealt),
        guarded=job.place is not None or bool(standing(job.serving)),
        defended=worst.defended,
    )


def _means(one: Attacker, dealt: Staged) -> Means:
    change, money = (None if math.isinf(end) else end for end in (one.change, one.money))
    return Means(knowledge=one.knowledge, queries=one.queries, wanted=len(dealt.wanted), change=change, money=money)


def _tripped(fought: Sequence[Fought]) -> tuple[Skipped, ...]:
    """Techniques that failed in any of the campaigns."""
    failed = {name: why for one in fought for name, why in one.course.failed.items()}
    return tuple(Skipped(name=f"technique.{name}", why=f"it failed: {why}") for name, why in failed.items())


def _facts(job: Job, fought: Sequence[Fought], stopped: str) -> tuple[tuple[str, str], ...]:
    asked = sum(one.ground.queries for one in fought)
    facts = [
        ("campaigns", f"{len(fought)}, each by a seed and with rows of its own; {asked:,} rows asked in all"),
        ("target", target(job)),
        ("attacker", attacker(job, fought[0].dealt)),
        ("rules", rules(job)),
    ]
    learnt = [f"campaign {at}, {line}" for at, one in enumerate(fought, start=1) for line in one.course.learnt]
    facts += [("lessons", "; ".join(learnt))] if learnt else []
    return (*facts, *((("ended early", stopped),) if stopped else ()))


def _titles(tags: set[str]) -> tuple[tuple[str, str], ...]:
    known = {f"{key}:{id}": words for key, table in taxonomies().items() for id, words in table.titles.items()}
    return tuple((tag, known[tag]) for tag in sorted(tags) if tag in known)
