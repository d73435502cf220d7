"""Campaigns against an assistant, from a temper.yaml to a record: by several seeds, beside a twin without its guard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from temper.core.abuse import Ploy
from temper.core.assistant import Assistant
from temper.core.campaign import Campaign
from temper.core.docstring import misleads
from temper.core.errors import ConfigError, RunStopped, StoreError
from temper.core.event import Event, Listener, silent
from temper.core.requirement import Verdict
from temper.core.room import Room
from temper.core.run import Record, Skipped
from temper.core.seed import Draws
from temper.core.waged import Came, Waged
from temper.engine.abuse.conversations import Conversations
from temper.engine.abuse.figures import Fought, came, deeds, figures, findings, worked
from temper.engine.abuse.ground import Ground
from temper.engine.abuse.hands import may_type, scope
from temper.engine.campaign.figures import asked_of
from temper.engine.campaign.staged import unreachable
from temper.engine.campaign.wage import Course, wage
from temper.engine.identity import answers, digest_of, subject
from temper.engine.redteam.answers import Answers
from temper.engine.redteam.run import journal_of, scope_of
from temper.store.codec import dump
from temper.store.database import Store
from temper.store.journal import Journal
from temper.threats.model import threat_model
from temper.threats.taxonomies import taxonomies
from temper.validation.gate import judge, overall

PLOYS = Room("temper.attacks.abuse")
WAGED = {"quick": 10, "standard": 30, "deep": 100}
REMOTE = {"quick": 1, "standard": 3, "deep": 10}
"""How many campaigns, each by a seed of its own, a suite wages: in this process, and where each question costs."""
KIND = "campaign against an assistant"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """What `temper redteam --campaign` needs besides the assistant."""

    assistant: Assistant
    campaign: Campaign
    now: datetime
    store: Store | None = None
    run: str = ""
    suite: str = "standard"
    seed: int = 0
    listener: Listener = silent
    author: str = ""
    fresh: bool = False

    @property
    def campaigns(self) -> int:
        """How many are waged."""
        table = REMOTE if _line(self.assistant) is not None else WAGED
        if self.suite not in table:
            raise ConfigError(f"there is no suite {self.suite!r}", fix=f"use one of {', '.join(table)}")
        return table[self.suite]


def redteam(job: Job) -> Record:
    """Wage the campaigns and judge them. What is stopped is kept, and goes on by `--resume` without asking twice."""
    refuse_out_of_scope(job.assistant, job.campaign)
    many, (chosen, skipped) = job.campaigns, ploys(job.campaign)
    for line in job.campaign.assumed:
        job.listener(Event(kind="note", message=f"assumed, since campaign: does not say: {line}"))
    started = _started(job)
    _store(job).save_run(_blank(job, started))
    fought: list[Fought] = []
    try:
        stopped = _waged(job, chosen, fought, many)
    except KeyboardInterrupt:
        stopped = "it was stopped by hand"
    if not fought:
        raise RunStopped(f"nothing was tried: {stopped}", fix="start it again with --resume")
    record = _record(job, fought, started, skipped, chosen, stopped)
    _store(job).save_run(record)
    job.listener(Event(kind="judged", message=record.verdict.value))
    return record


def refuse_out_of_scope(assistant: Assistant, campaign: Campaign) -> None:
    """Before a byte is sent."""
    line = _line(assistant)
    host = urlsplit(line.url).hostname or "" if line is not None else ""
    if host and host not in campaign.rules.hosts:
        named = ", ".join(campaign.rules.hosts) or "none"
        raise ConfigError(f"{host} is out of scope: rules.hosts names {named}", fix=f"hosts: [{host}] if you may")


def ploys(campaign: Campaign) -> tuple[dict[str, Ploy], tuple[Skipped, ...]]:
    """What can be played for these objectives, and what cannot, with the reason."""
    for name in campaign.only:
        PLOYS.get(name)
    wanted = [name for name in PLOYS.names() if not campaign.only or name in campaign.only]
    built = {name: PLOYS.build(name, dict(campaign.options.get(name, {}))) for name in wanted}
    goals = {one.aim for one in campaign.objectives}
    serving = {name: one for name, one in built.items() if goals & set(one.aims)}
    if not serving:
        raise ConfigError("no technique serves these objectives", fix="see `temper list attacks`")
    why = "it serves none of the objectives"
    return serving, tuple(Skipped(name=f"abuse.{name}", why=why) for name in built if name not in serving)


def plan_of(job: Job) -> str:
    """What would be done, in words; nothing is asked."""
    refuse_out_of_scope(job.assistant, job.campaign)
    chosen, skipped = ploys(job.campaign)
    lines = [
        f"target: {_target(job)}{' (SIMULATED)' * job.assistant.simulated}",
        *(f"objective: {one.words}" for one in job.campaign.objectives),
        f"attacker: {_attacker(job)}",
        f"ways in: {', '.join(dict.fromkeys(task for _, task in scope(job.assistant, job.campaign))) or 'none'}",
        f"rules: {_rules(job)}",
        f"techniques: {', '.join(chosen)}",
        *(f"left out: {one.name}, {one.why}" for one in skipped),
        *(f"assumed: {line}" for line in job.campaign.assumed),
        f"{job.campaigns} campaigns of at most {job.campaign.attacker.queries:,} questions each"
        + (", and as many without the guard" if job.assistant.guard else ""),
    ]
    return "\n".join(lines)


def _waged(job: Job, chosen: dict[str, Ploy], fought: list[Fought], many: int) -> str:
    """All campaigns; why they ended before their time, "" where they did not."""
    assistant = job.assistant
    with Journal(journal_of(assistant, _store(job), job.run)) as journal, asyncio.Runner() as runner:
        kept = Answers(target=assistant.target, journal=journal, scope=scope_of(assistant, job.run, job.fresh))
        try:
            for number in range(many):
                fought.append(_fought(job, chosen, Conversations(answers=kept, runner=runner), number))
                if fought[-1].halted:
                    return fought[-1].halted
        finally:
            told = f"{kept.asked:,} questions asked, {kept.reused:,} answered from {journal.path.name}"
            job.listener(Event(kind="note", message=told))
            with suppress(OSError):
                runner.run(assistant.target.close())
    return ""


def _fought(job: Job, chosen: dict[str, Ploy], conversations: Conversations, number: int) -> Fought:
    """One campaign, and its twin without the guard."""
    seed = job.seed + 1_000 * number
    field, course = waged(job.assistant, job.campaign, chosen, conversations, seed)
    reached: tuple[Came, ...] = came(field, course)
    effects = f"{len(field.got)} effect" + "s" * (len(field.got) != 1)
    note = f"campaign {number + 1} of {job.campaigns}: {effects} in {field.queries:,} questions; {course.ended}"
    job.listener(Event(kind="note", message=note))
    bare: tuple[Came, ...] = ()
    halted = course.ended if course.stopped else ""
    if job.assistant.guard and not halted:
        rules = replace(job.campaign.rules, successes=0, loss=0.0)
        alone = replace(conversations, bare=True)
        twin, how = waged(job.assistant, replace(job.campaign, rules=rules), chosen, alone, seed)
        bare, halted = came(twin, how), f"{how.ended}, in the twin without its guard" if how.stopped else ""
    return Fought(seed=seed, ground=field, course=course, came=reached, bare=bare, halted=halted)


def waged(
    assistant: Assistant,
    campaign: Campaign,
    chosen: dict[str, Ploy],
    conversations: Conversations,
    seed: int,
) -> tuple[Ground, Course]:
    """One campaign by one seed: its field at the end, and its course."""
    real = time.time if _line(assistant) is not None else None
    field = Ground(campaign=campaign, assistant=assistant, conversations=conversations, seed=seed, real=real)
    course = Course()
    wage(field, chosen, Draws(seed, "campaign"), course)
    return field, course


def _store(job: Job) -> Store:
    if job.store is None:
        raise StoreError("a campaign is kept somewhere", fix="give a store")
    return job.store


def _line(assistant: Assistant) -> Any:
    """The line to a target that is somewhere else; None of one in this process."""
    return getattr(assistant.target, "line", None)


def _started(job: Job) -> str:
    known = _store(job).outlines(1, run=job.run)
    return known[0].started if known else job.now.isoformat(timespec="seconds")


def _blank(job: Job, started: str) -> Record:
    return Record(
        id=job.run,
        system=job.assistant.name,
        suite=job.suite,
        seed=job.seed,
        started=started,
        seconds=0.0,
        state="stopped",
        verdict=Verdict.INCONCLUSIVE,
        facts=(("kind", KIND),),
        digests=(*subject(job.assistant), *answers(job.assistant)),
        source=job.assistant.source,
        simulated=job.assistant.simulated,
        author=job.author,
    )


def _record(
    job: Job,
    fought: Sequence[Fought],
    started: str,
    skipped: tuple[Skipped, ...],
    chosen: dict[str, Ploy],
    stopped: str,
) -> Record:
    """It holds no times of this process, so that a run which was killed and went on ends in the same bytes."""
    measured = figures(fought, job.campaign.objectives)
    judgements = judge(asked_of(job.assistant.policy), measured, job.now.date(), skipped=("*",))
    key = digest_of("abuse", job.run, job.seed)
    broken = findings(job.assistant, fought, key)
    plain = [dump(one) for one in worked(fought)]
    _store(job).save_task(key, "redteam", {"worked": plain, "tried": [], "fresh": job.fresh})
    tags = {tag for one in broken for tag in one.references} | {t for one in chosen.values() for t in one.references}
    return replace(
        _blank(job, started),
        state="stopped" if stopped else "finished",
        verdict=overall(judgements),
        judgements=judgements,
        measurements=measured,
        findings=broken,
        skipped=(*skipped, *_tripped(fought)),
        facts=_facts(job, fought, stopped),
        tasks=(key,),
        misleads=tuple((f"abuse.{name}", misleads(PLOYS.get(name))) for name in chosen),
        titles=_titles(tags),
        threats=threat_model(job.assistant),
        campaign=_told(job, fought, chosen),
    )


def _told(job: Job, fought: Sequence[Fought], chosen: dict[str, Ploy]) -> Waged:
    """The campaign that came farthest, as it is shown."""
    worst = max(fought, key=lambda one: [max(each.share for each in one.came), -one.ground.queries])
    objectives = tuple(
        replace(each, bare=worst.bare[at].value if worst.bare else None) for at, each in enumerate(worst.came)
    )
    return Waged(
        attacker=_attacker(job),
        rules=_rules(job),
        target=_target(job),
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
        asked="conversations",
        guarded=bool(job.assistant.guard),
        deeds=deeds(worst),
    )


def _tripped(fought: Sequence[Fought]) -> tuple[Skipped, ...]:
    failed = {name: why for one in fought for name, why in one.course.failed.items()}
    return tuple(Skipped(name=f"abuse.{name}", why=f"it failed: {why}") for name, why in failed.items())


def _attacker(job: Job) -> str:
    """The attackers in words."""
    one = job.campaign.attacker
    channels = ", ".join(name for name in one.channels if name != "user") or "nothing"
    money = "" if one.money == float("inf") else f" of {one.money:,g}"
    price = f", {one.price:g} for each text they place{money}" if one.price else ""
    own = f", {len(one.accounts)} account" + "s" * (len(one.accounts) != 1) + " of their own"
    return (
        f"write to {channels}{price}{own if may_type(job.campaign) else ', no account'}; {one.queries:,} questions, "
        f"one every {one.pace / 60:g} min, patience for {one.patience:g} d"
    )


def _rules(job: Job) -> str:
    rules = job.campaign.rules
    said = [
        *(f"{name} {', '.join(of)}" for name, of in _named(job).items() if of),
        f"{rules.hours[0]:g} to {rules.hours[1]:g} h UTC" if rules.hours != (0.0, 24.0) else "",
        f"stop after {rules.successes:,} effects" if rules.successes else "",
        f"stop at a loss of {rules.loss:,.0f}" if rules.loss else "",
        f"{rules.queries:,} questions at most" if rules.queries else "",
        f"stop when {rules.errors:.0%} of conversations fail",
        f"kill switch {Path(rules.kill).name}" if rules.kill else "",
    ]
    return "; ".join(one for one in said if one)


def _named(job: Job) -> dict[str, tuple[str, ...]]:
    rules = job.campaign.rules
    return {"hosts": rules.hosts, "tools": rules.tools, "channels": rules.channels, "documents": rules.documents}


def _target(job: Job) -> str:
    line = _line(job.assistant)
    where = f"the assistant at {line.url}" if line is not None else "the assistant in this process, in its sandbox"
    layers = ", ".join(name for name, _ in job.assistant.guard)
    return f"{where}, behind {layers}" if layers else f"{where}, without a guard"


def _facts(job: Job, fought: Sequence[Fought], stopped: str) -> tuple[tuple[str, str], ...]:
    asked = sum(one.ground.queries for one in fought)
    tokens = sum(one.ground.usage.read + one.ground.usage.written for one in fought)
    estimated = " (estimated by length)" if any(one.ground.usage.estimated for one in fought) else ""
    facts = [
        ("kind", KIND),
        ("campaigns", f"{len(fought)}, each by a seed of its own; {asked:,} questions asked in all"),
        ("tokens", f"{tokens:,}{estimated}, the twins without a guard aside"),
        ("target", _target(job)),
        ("attacker", _attacker(job)),
        ("rules", _rules(job)),
    ]
    return (*facts, *((("ended early", stopped),) if stopped else ()))


def _titles(tags: set[str]) -> tuple[tuple[str, str], ...]:
    known = {f"{key}:{id}": words for key, table in taxonomies().items() for id, words in table.titles.items()}
    return tuple((tag, known[tag]) for tag in sorted(tags) if tag in known)
