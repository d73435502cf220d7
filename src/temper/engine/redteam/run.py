"""A red team's run: strategies chosen, answers kept, the campaign waged, judged by the policy, and recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from temper.attacks.injection._built import ground
from temper.core.assistant import Assistant
from temper.core.chat import ChatTarget
from temper.core.defence import Tried
from temper.core.docstring import misleads
from temper.core.errors import ConfigError, RunStopped
from temper.core.event import Event, Listener, silent
from temper.core.incident import Incident
from temper.core.injection import Strategy
from temper.core.outline import moment
from temper.core.requirement import Verdict
from temper.core.room import Room
from temper.core.run import Record, Skipped
from temper.engine.identity import answers, digest_of, subject
from temper.engine.redteam.answers import Answers
from temper.engine.redteam.campaign import TEMPLATES, Campaign, Found, by_injection, wage
from temper.engine.redteam.crossing import crosses
from temper.engine.redteam.effort import EFFORTS, Effort
from temper.engine.redteam.estimate import estimate
from temper.engine.redteam.figures import figures
from temper.engine.redteam.findings import findings
from temper.engine.redteam.kept import keep
from temper.engine.redteam.stopping import ByPolicy
from temper.engine.redteam.verdicts import ModelJudge, closed, judging, known_replies, stated_goals
from temper.judges.told._asked import VERSION
from temper.store.database import Store
from temper.store.journal import Journal
from temper.threats.assistants import KIND
from temper.threats.model import threat_model
from temper.threats.register import refuse_strangers
from temper.threats.taxonomies import taxonomies
from temper.validation.gate import judge, overall

ATTACKS = Room("temper.attacks")
MINIMAL = "injection.minimal"
_WIDTH = 32
_KEY = b"red team"
"""Canaries of a guard under attack follow from it, so that a run can be repeated; no guard that serves has it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """What `redteam` needs besides the assistant: how much, which strategies, where to keep what, who listens."""

    assistant: Assistant
    suite: str
    store: Store
    run: str
    now: datetime
    only: tuple[str, ...] = ()
    seed: int = 0
    attacker: ChatTarget | None = None
    listener: Listener = silent
    fresh: bool = False
    stop: bool = False
    author: str = ""
    incidents: tuple[Incident, ...] = ()
    hardening: Tried | None = None


def redteam(job: Job) -> Record:
    """Wage the campaign and judge it. Ctrl-C or a spent cap ends it early; `--resume` goes on from the journal."""
    refuse_strangers(job.assistant.stakes, KIND)
    campaign, skipped = campaign_of(job.assistant, job.suite, job.only, job.seed, job.attacker, job.stop)
    job.listener(Event(kind="note", message=str(estimate(campaign))))
    started = _started(job)
    blank = _record(job, campaign, Found(stopped="it was killed"), started, skipped)
    job.store.save_run(replace(blank, judgements=(), measurements=(), verdict=Verdict.INCONCLUSIVE))
    found = Found()
    try:
        judge = judging(job.assistant, job.store, job.run, campaign.width, job.fresh)
        with Journal(journal_of(job.assistant, job.store, job.run)) as journal, judge as asked:
            asyncio.run(_waged(job, campaign, journal, found, asked))
    except KeyboardInterrupt:
        found.stopped = "it was stopped by hand"
    if found.stopped and not any(found.attempts.values()):
        raise RunStopped(f"nothing was tried: {found.stopped}", fix="see `assistant:` in temper.yaml")
    record = _with_risk(job, _record(job, campaign, found, started, skipped))
    keep(job.store, record.tasks[0], found, job.fresh)
    job.store.save_run(record)
    job.listener(Event(kind="judged", message=record.verdict.value))
    return record


def campaign_of(
    assistant: Assistant,
    suite: str,
    only: tuple[str, ...],
    seed: int,
    attacker: ChatTarget | None,
    stop: bool = False,
) -> tuple[Campaign, tuple[Skipped, ...]]:
    """The campaign of a suite and what is left out of it, with the reason."""
    if suite not in EFFORTS:
        raise ConfigError(f"there is no suite {suite!r}", fix=f"use one of {', '.join(EFFORTS)}")
    effort = EFFORTS[suite]
    strategies, skipped = chosen(only, attacker is not None)
    on = ground(assistant, effort.attempts)
    if stop and TEMPLATES in strategies:
        # Whole rounds over the goals, so that no stop favours those that come first.
        goals, at_once = max(1, len(on.goals)), width(assistant.target)
        strategies[TEMPLATES] = ATTACKS.build(TEMPLATES, {"batch": goals * max(1, at_once // goals)})
    campaign = Campaign(
        assistant=assistant,
        ground=on,
        strategies=strategies,
        minimal=ATTACKS.build(MINIMAL),
        effort=effort,
        seed=seed,
        width=width(assistant.target),
        attacker=attacker,
        labelled=known_replies(assistant, on.goals) if stated_goals(on.goals) else (),
        stop=ByPolicy(policy=assistant.policy) if stop else None,
    )
    return campaign, skipped


def chosen(only: Sequence[str], attacker: bool) -> tuple[dict[str, Strategy], tuple[Skipped, ...]]:
    """The strategies to play: all, or those of `only`; those that need an attacker model only where there is one."""
    names = [name for name in ATTACKS.names() if name.startswith("injection.") and name != MINIMAL]
    unknown = [name for name in only if name not in names and name != "injection"]
    if unknown:
        raise ConfigError(f"there is no strategy {unknown[0]!r}", fix=f"use some of {', '.join(names)}")
    wanted = [name for name in names if not only or "injection" in only or name in only]
    lacking = [name for name in wanted if getattr(ATTACKS.get(name), "needs_attacker", False) and not attacker]
    why = "it needs an attacker model of yours: set attacker: in temper.yaml"
    skipped = tuple(Skipped(name=name, why=why) for name in lacking)
    return {name: ATTACKS.build(name) for name in wanted if name not in lacking}, skipped


def width(target: ChatTarget) -> int:
    """Conversations at once: as many as the endpoint's limit lets through."""
    line = getattr(target, "line", None)
    return _WIDTH if line is None else int(line.limits.in_flight)


def guarded(assistant: Assistant, target: ChatTarget) -> ChatTarget:
    """The target behind the guard that the assistant's temper.yaml sets before it, if it sets one."""
    if not assistant.guard:
        return target
    from temper.guard.guarded import Guarded
    from temper.guard.pipeline import build

    return Guarded(target=target, guard=build(assistant.guard, trusted=assistant.trusted, key=_KEY))


async def _waged(job: Job, campaign: Campaign, journal: Journal, found: Found, judge: ModelJudge | None) -> None:
    target = job.assistant.target
    scope = scope_of(job.assistant, job.run, job.fresh)
    answers = Answers(target=target, journal=journal, scope=scope, width=campaign.width)
    try:
        await wage(campaign, guarded(job.assistant, answers).ask, found, job.listener, judge)
    finally:
        kept = f"{answers.asked:,} questions asked, {answers.reused:,} answered from {journal.path.name}"
        job.listener(Event(kind="note", message=kept))
        await closed(job.assistant)
        if job.attacker is not None:
            with suppress(OSError):
                await job.attacker.close()


def scope_of(assistant: Assistant, run: str, fresh: bool = False) -> str:
    """What the answers of a run depend on besides the question."""
    return digest_of(assistant.target.digest or f"run {run}", run if fresh else "")


def journal_of(assistant: Assistant, store: Store, run: str) -> Path:
    """Answers of a target that can be named serve every run; those of one that cannot, this run only."""
    digest = assistant.target.digest
    return store.path.parent / "answers" / (f"{digest[:16]}.journal" if digest else f"run-{run}.journal")


def _started(job: Job) -> str:
    """When the run began: a run that goes on keeps its own."""
    known = job.store.outlines(1, run=job.run)
    return known[0].started if known else job.now.isoformat(timespec="seconds")


def _record(job: Job, campaign: Campaign, found: Found, started: str, skipped: tuple[Skipped, ...]) -> Record:
    """The record. It holds no times, so that a run which was killed and went on ends in the same bytes."""
    measured = figures(campaign, found)
    judgements = judge(job.assistant.policy, measured, job.now.date())
    key = digest_of("redteam", job.run, job.seed)
    broken = findings(campaign, found, key)
    return Record(
        id=job.run,
        system=job.assistant.name,
        suite=job.suite,
        seed=job.seed,
        started=started,
        seconds=0.0,
        state="stopped" if found.stopped else "finished",
        verdict=overall(judgements),
        judgements=judgements,
        measurements=measured,
        findings=broken,
        skipped=skipped,
        facts=_facts(campaign, found),
        digests=(*subject(job.assistant), *answers(job.assistant)),
        tasks=(key,),
        source=job.assistant.source,
        simulated=job.assistant.simulated,
        misleads=_misleads(campaign.strategies),
        crosses=crosses(campaign, found),
        titles=_titles({tag for one in broken for tag in one.references}),
        threats=threat_model(job.assistant),
        author=job.author,
        hardening=job.hardening,
    )


def _with_risk(job: Job, record: Record) -> Record:
    """The record with the register as it stands after this run alone."""
    from temper.engine.risk_assistant import risk_of_assistant

    if record.state != "finished":
        return record
    return replace(record, risk=risk_of_assistant(job.assistant, [record], moment(record.started), job.incidents))


def _titles(tags: set[str]) -> tuple[tuple[str, str], ...]:
    """What the ids are called; a user's own goal may carry ids that are in no table."""
    tables = taxonomies()
    known = {f"{key}:{id}": words for key, table in tables.items() for id, words in table.titles.items()}
    return tuple((tag, known[tag]) for tag in sorted(tags) if tag in known)


def _facts(campaign: Campaign, found: Found) -> tuple[tuple[str, str], ...]:
    attempts = [one for tried in found.attempts.values() for one in tried] + found.twins
    attempts += [a for one in found.strongest.values() for a in (*one.fresh, *one.minimal_fresh)]
    requests, tokens = sum(a.requests for a in attempts), sum(a.usage.read + a.usage.written for a in attempts)
    estimated = " (estimated by length)" if any(a.usage.estimated for a in attempts) else ""
    facts = [
        ("conversations", f"{len(attempts) + len(found.served):,}"),
        ("requests", f"{requests:,} in attacks and twins, repeats included"),
        ("tokens", f"{tokens:,}{estimated}"),
        ("guard", ", ".join(name for name, _ in campaign.assistant.guard) or "none"),
        ("effort", _effort(campaign.effort)),
        *_of_judge(found),
        *([("stopping", _stopping(campaign, found))] if campaign.stop else []),
    ]
    return (*facts, ("ended early", found.stopped)) if found.stopped else tuple(facts)


def _of_judge(found: Found) -> list[tuple[str, str]]:
    judge = found.judge
    if judge is None or not judge.verdicts:
        return []
    tokens = f"{judge.usage.read + judge.usage.written:,} tokens"
    return [("judging model", f"{judge.verdicts:,} verdicts, repeats included, {tokens}; question version {VERSION}")]


def _effort(effort: Effort) -> str:
    return (
        f"{effort.attempts} injections per strategy, {effort.trials} trials of each; {effort.confirmations} fresh "
        f"trials of the strongest per goal; {effort.twins} twins; {effort.tasks} trials per user task"
    )


def _stopping(campaign: Campaign, found: Found) -> str:
    trials = [len(one.fresh) for one in found.strongest.values()] or [0]
    templates = len(by_injection(found.attempts.get(TEMPLATES, [])))
    return (
        f"in rounds until the policy's claims were decided: {templates:,} of up to {campaign.templates:,} templates, "
        f"{min(trials)} to {max(trials)} of up to {campaign.confirmations:,} fresh trials of each strongest attack; "
        "figures of attacks hold whenever one stops"
    )


def _misleads(strategies: Mapping[str, Strategy]) -> tuple[tuple[str, str], ...]:
    words = {name: misleads(ATTACKS.get(name)) for name in strategies}
    return tuple((name, said) for name, said in sorted(words.items()) if said)
