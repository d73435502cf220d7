"""Everything a run tried, played again from its journal: prompts with their trials, for the reports of other tools."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from temper.core.assistant import Assistant
from temper.core.chat import Reply, Request
from temper.core.docstring import paragraphs
from temper.core.errors import TemperError
from temper.core.injection import Injection
from temper.core.measure import Measurement
from temper.core.room import Room
from temper.core.run import Record
from temper.core.target import Access
from temper.engine.redteam.answers import Answers
from temper.engine.redteam.attempts import Attempt, Trying
from temper.engine.redteam.campaign import Found, by_injection, play
from temper.engine.redteam.judged import without_judged
from temper.engine.redteam.kept import was_fresh
from temper.engine.redteam.rates import rate
from temper.engine.redteam.run import ATTACKS, campaign_of, guarded, journal_of, scope_of
from temper.engine.redteam.verdicts import judging
from temper.report.garak import About, Prompt
from temper.store.database import Store
from temper.store.journal import Journal

_MODULES = {True: "latentinjection", False: "promptinject"}


def tried(assistant: Assistant, store: Store, record: Record) -> tuple[tuple[Prompt, ...], About]:
    """The prompts of a run's strategies, and what they are; nobody is asked anything.

    Strategies with an attacker model are left out: what that said is in no journal; and goals that a model judges: no
    other tool has that judge. Raises `TemperError` where the run was not finished, or where what is played again is not
    what the run saw, because temper.yaml or the journal changed.
    """
    if record.state != "finished":
        raise TemperError(f"run {record.id} was not finished", fix="finish it with temper redteam --resume")
    names = tuple(name for name in _strategies(record) if not getattr(ATTACKS.get(name), "needs_attacker", False))
    campaign, _ = campaign_of(assistant, record.suite, names, record.seed, None, stop="stopping" in dict(record.facts))
    goals = {goal.id: goal for goal in campaign.ground.goals}
    found = Found()
    path = journal_of(assistant, store, record.id)
    if not path.is_file():
        raise TemperError(f"the answers of run {record.id} are no longer in {path}", fix="run temper redteam again")
    anew = was_fresh(store, record)
    judge = judging(assistant, store, record.id, campaign.width, anew, kept_only=True)
    with Journal(path) as journal, judge as asked:
        target = _Silent(digest=assistant.target.digest)
        answers = Answers(target=target, journal=journal, scope=scope_of(assistant, record.id, anew))
        trying = Trying(
            assistant=assistant,
            ask=guarded(assistant, answers).ask,
            goals=goals,
            seed=campaign.seed,
            asked=asked.judge if asked is not None else None,
        )
        asyncio.run(play(campaign, trying, found))
    found = without_judged(campaign, found)
    _same(record, found, path)
    prompts = tuple(
        _prompt(trying, name, injection, attempts)
        for name in names
        for injection, attempts in by_injection(found.attempts[name]).items()
    )
    return prompts, _about(record, prompts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silent:
    """Stands for a model that is not asked: what the journal does not hold cannot be judged."""

    digest: str
    name: str = "the journal"
    access: Access = Access.CHAT | Access.TOOLS

    async def ask(self, request: Request) -> Reply:
        return Reply(invalid="the journal does not hold it")

    async def close(self) -> None:
        pass


def _strategies(record: Record) -> tuple[str, ...]:
    """Those whose tries the run has counted."""
    return tuple(name for name in ATTACKS.names() if _counted(record, name) is not None)


def _counted(record: Record, name: str) -> Measurement | None:
    of = (one for one in record.measurements if (one.plugin, one.metric) == (name, "success_rate"))
    return next((one for one in of if one.slice == "all"), None)


def _same(record: Record, found: Found, path: Path) -> None:
    """Whether what was played again is what the run saw, by the goals that need no model to judge."""
    for name, attempts in found.attempts.items():
        if not attempts:
            continue
        then, now = _counted(record, name), rate(name, "success_rate", attempts, lambda one: one.hit)
        if then is None or (then.value, then.n) != (now.value, now.n):
            words = f"run {record.id} saw otherwise: temper.yaml has changed since, or {path} is not whole"
            raise TemperError(words, fix="red team it again, and export that run")


def _prompt(trying: Trying, name: str, injection: Injection, attempts: list[Attempt]) -> Prompt:
    goal = trying.goals[injection.goal]
    kind = _class(name.partition(".")[2])
    return Prompt(
        probe=f"{_MODULES[bool(injection.carrier)]}.Temper{kind}",
        detector=f"temper.{_class(goal.oracle)}",
        goal=goal.title,
        says=tuple(trying.says(injection, one.trial) for one in attempts),
        said=tuple(one.last if one.valid else None for one in attempts),
        scores=tuple(float(one.hit) if one.valid else None for one in attempts),
        notes={
            "strategy": name,
            "goal": injection.goal,
            "wrapper": injection.wrapper,
            "carrier": injection.carrier,
            "position": injection.position,
            "codecs": " ".join(injection.codecs),
            "tags": " ".join(goal.tags),
            "oracle": goal.oracle,
        },
    )


def _class(name: str) -> str:
    """A name as the name of a class.

    >>> _class("best_of_n")
    'BestOfN'
    """
    return "".join(part.capitalize() for part in name.split("_"))


def _about(record: Record, prompts: tuple[Prompt, ...]) -> About:
    """What each probe and detector does, in the words of its strategy or judge."""
    words, judges = dict[str, str](), Room("temper.judges")
    for one in prompts:
        words.setdefault(one.probe, paragraphs(ATTACKS.get(one.notes["strategy"]).__doc__ or "")[0])
        words.setdefault(one.detector, paragraphs(judges.get(f"told.{one.notes['oracle']}").__doc__ or "")[0])
    return About(
        system=record.system,
        run=record.id,
        started=record.started,
        seed=record.seed,
        simulated=record.simulated,
        words=words,
    )
