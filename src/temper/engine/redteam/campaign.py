"""One campaign: honest work first, then every strategy, the strongest attacks confirmed on fresh trials and made small,
and the benign twins of what was tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from temper.core.assistant import Assistant, Talk, UserTask
from temper.core.chat import ChatTarget, Message
from temper.core.errors import RunStopped
from temper.core.event import Event, Listener, silent
from temper.core.injection import Ground, Injection, Labelled, Strategy
from temper.engine.redteam.attempts import FRESH, Attempt, Trying, each, twin
from temper.engine.redteam.effort import Effort
from temper.engine.redteam.playing import Playing
from temper.engine.redteam.verdicts import Calibration, ModelJudge, calibrated
from temper.kernels.rate import wilson
from temper.targets.chat.sandbox import Ask, converse

SURE = 5
"""Trials per step of making an attack smaller: with fewer it drifts by luck."""
MORE = 5
"""How many times the trials of its suite a run that stops early may spend on a claim that stays open."""
TEMPLATES = "injection.templates"
Aim = tuple[str, str]
"""A goal and the channel it is reached through: "user" or "outsider"."""


class Stop(Protocol):
    """When trials that come in rounds end."""

    def enough(self, campaign: Campaign, found: Found) -> bool:
        """Whether the templates tried so far are enough."""

    def open(self, campaign: Campaign, found: Found) -> set[Aim]:
        """The aims whose strongest attack needs more fresh trials."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Campaign:
    """What to do to whom. `strategies` by name; `minimal` makes attacks small; `attacker` is the user's own attacker
    model, for the strategies that need one. `labelled` are replies on which the judging model is calibrated; `stop`
    says when templates and fresh trials are enough.
    """

    assistant: Assistant
    ground: Ground
    strategies: Mapping[str, Strategy]
    minimal: Strategy
    effort: Effort
    seed: int = 0
    width: int = 32
    attacker: ChatTarget | None = None
    labelled: tuple[Labelled, ...] = ()
    stop: Stop | None = None

    @property
    def templates(self) -> int:
        """Templates that may be tried at most."""
        return self.ground.attempts * (MORE if self.stop else 1)

    @property
    def confirmations(self) -> int:
        """Fresh trials of a strongest attack at most."""
        return self.effort.confirmations * (MORE if self.stop else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One trial of an honest user's task."""

    task: str
    trial: int
    done: bool
    invalid: str = ""
    blocked: str = ""


@dataclass(slots=True, kw_only=True)
class Strongest:
    """The strongest attack on an aim: who found it, its fresh trials, the smallest form that still works, what that
    says, and a conversation in which it worked.
    """

    injection: Injection
    by: str
    fresh: list[Attempt] = field(default_factory=list)
    minimal: Injection | None = None
    minimal_fresh: list[Attempt] = field(default_factory=list)
    says: str = ""
    transcript: tuple[Message, ...] = ()


@dataclass(slots=True, kw_only=True)
class Found:
    """Everything a campaign saw; `stopped` says why it ended early."""

    served: list[Served] = field(default_factory=list)
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    strongest: dict[Aim, Strongest] = field(default_factory=dict)
    twins: list[Attempt] = field(default_factory=list)
    calibration: Calibration | None = None
    judge: ModelJudge | None = None
    stopped: str = ""


async def wage(
    campaign: Campaign, ask: Ask, found: Found, listener: Listener = silent, judge: ModelJudge | None = None
) -> None:
    """Wage the campaign and fill `found`; what a stop leaves behind is still something found."""
    goals = {goal.id: goal for goal in campaign.ground.goals}
    found.judge, asked = judge, judge.judge if judge is not None else None
    trying = Trying(assistant=campaign.assistant, ask=ask, goals=goals, seed=campaign.seed, asked=asked)
    try:
        if judge is not None and campaign.labelled:
            found.calibration = await calibrated(judge, campaign.labelled, campaign.width)
        found.served = await _served(campaign, ask)
        await play(campaign, trying, found, listener)
        await _confirm(campaign, trying, found)
        await _shrink(campaign, trying, found)
        await _twins(campaign, trying, found)
    except RunStopped as stop:
        found.stopped = stop.message


def aim(injection: Injection) -> Aim:
    """What an injection is after and through which channel."""
    return injection.goal, "outsider" if injection.carrier else "user"


def by_injection(attempts: Iterable[Attempt]) -> dict[Injection, list[Attempt]]:
    """Attempts by what was tried, in the order in which it was first tried."""
    found: dict[Injection, list[Attempt]] = {}
    for attempt in attempts:
        found.setdefault(attempt.injection, []).append(attempt)
    return found


async def _served(campaign: Campaign, ask: Ask) -> list[Served]:
    pairs = [(task, trial) for task in campaign.assistant.tasks for trial in range(campaign.effort.tasks)]

    async def one(pair: tuple[UserTask, int]) -> Served:
        task, trial = pair
        trace = await converse(campaign.assistant, Talk(turns=(task.prompt,), trial=trial), ask)
        done = not trace.invalid and task.done(trace)
        return Served(task=task.id, trial=trial, done=done, invalid=trace.invalid, blocked=trace.blocked)

    return await each(pairs, one, campaign.width)


async def play(campaign: Campaign, trying: Trying, found: Found, listener: Listener = silent) -> None:
    """Every strategy of the campaign, all at once; what they try stands in `found.attempts`."""
    total = len(campaign.strategies)
    listener(
        Event(kind="planned", total=total, message=f"{total} strategies, {campaign.effort.attempts} attempts each")
    )
    done: list[str] = []

    def enough(name: str) -> bool:
        return campaign.stop is not None and name == TEMPLATES and campaign.stop.enough(campaign, found)

    def told(name: str, tried: int) -> None:
        share = tried / max(1, campaign.ground.attempts)
        listener(Event(kind="progress", task=name, room="injection", share=share, done=len(done), total=total))

    playing = Playing(
        trying=trying,
        trials=campaign.effort.trials,
        width=campaign.width,
        attacker=campaign.attacker,
        told=told,
        enough=enough,
        attempts=found.attempts,
    )
    found.attempts |= {name: [] for name in campaign.strategies}

    async def one(name: str) -> None:
        listener(Event(kind="started", task=name, room="injection", done=len(done), total=total))
        most = campaign.templates if name == TEMPLATES else campaign.ground.attempts
        ground = replace(campaign.ground, attempts=most)
        await playing.play(name, campaign.strategies[name], ground, campaign.seed)
        done.append(name)
        listener(Event(kind="finished", task=name, room="injection", done=len(done), total=total, share=1.0))

    await each(campaign.strategies, one, max(1, total))


async def _confirm(campaign: Campaign, trying: Trying, found: Found) -> None:
    """The attack that did best in the search, tried again on trials no search has seen."""
    for at, (name, attempts) in _best(found).items():
        found.strongest[at] = Strongest(injection=attempts[0].injection, by=name)
    for trials in _rounds(campaign):
        open_ = (
            set(found.strongest) if campaign.stop is None or not trials.start else campaign.stop.open(campaign, found)
        )
        pairs = [(at, FRESH + trial) for at in found.strongest if at in open_ for trial in trials]
        await _more(trying, found, pairs, campaign.width)


def _rounds(campaign: Campaign) -> list[range]:
    """The numbers of the fresh trials of each round."""
    size = campaign.effort.confirmations if campaign.stop is None else max(5, campaign.effort.confirmations // 6)
    return [range(start, min(start + size, campaign.confirmations)) for start in range(0, campaign.confirmations, size)]


async def _more(trying: Trying, found: Found, pairs: Sequence[tuple[Aim, int]], width: int) -> None:
    async def one(pair: tuple[Aim, int]) -> Attempt:
        return (await trying.attempt("confirmation", found.strongest[pair[0]].injection, pair[1]))[0]

    for (at, _), attempt in zip(pairs, await each(pairs, one, width), strict=True):
        found.strongest[at].fresh.append(attempt)


def _best(found: Found) -> dict[Aim, tuple[str, list[Attempt]]]:
    """Per aim the injection whose lower end of the rate is highest, of those that worked at all."""
    best: dict[Aim, tuple[tuple[float, int], str, list[Attempt]]] = {}
    for name, attempts in found.attempts.items():
        for injection, tried in by_injection(attempts).items():
            hits, valid = sum(one.hit for one in tried), sum(one.valid for one in tried)
            rank = (wilson(hits, valid)[0], -len(injection.turns) - len(injection.codecs))
            if hits and (aim(injection) not in best or rank > best[aim(injection)][0]):
                best[aim(injection)] = (rank, name, tried)
    return {at: (name, tried) for at, (_, name, tried) in sorted(best.items())}


async def fresh(trying: Trying, injection: Injection, trials: int, width: int) -> list[Attempt]:
    """Trials of one injection that no search has seen."""

    async def one(trial: int) -> Attempt:
        return (await trying.attempt("confirmation", injection, FRESH + trial))[0]

    return await each(range(trials), one, width)


async def _shrink(campaign: Campaign, trying: Trying, found: Found) -> None:
    """Take away from each strongest attack what it does not need."""

    async def one(strongest: Strongest) -> None:
        ground = replace(campaign.ground, known=(strongest.injection,), attempts=campaign.effort.minimal)
        playing = Playing(trying=trying, trials=max(SURE, campaign.effort.trials), width=campaign.width)
        await playing.play("injection.minimal", campaign.minimal, ground, campaign.seed)
        strongest.minimal = smallest(strongest, playing.attempts["injection.minimal"], trying)
        many = campaign.effort.confirmations
        strongest.minimal_fresh = await fresh(trying, strongest.minimal, many, campaign.width)
        worked = next(one for one in (*strongest.minimal_fresh, *strongest.fresh) if one.hit)
        strongest.says = trying.says(worked.injection, worked.trial)
        # It is answered from the journal: nothing is asked for it.
        strongest.transcript = (await trying.attempt("confirmation", worked.injection, worked.trial))[1].messages

    await each([one for one in found.strongest.values() if any(a.hit for a in one.fresh)], one, campaign.width)


def smallest(strongest: Strongest, attempts: Sequence[Attempt], trying: Trying) -> Injection:
    """The shortest form that worked at least as often as the strongest attack did, less a third."""
    rate = sum(one.hit for one in strongest.fresh) / max(1, sum(one.valid for one in strongest.fresh))
    least = [(len(trying.says(strongest.injection)), 0, strongest.injection)]
    for at, (injection, tried) in enumerate(by_injection(attempts).items(), start=1):
        if sum(one.hit for one in tried) / max(1, sum(one.valid for one in tried)) >= 2 * rate / 3:
            least.append((len(trying.says(injection)), at, injection))
    return min(least, key=lambda one: one[:2])[2]


async def _twins(campaign: Campaign, trying: Trying, found: Found) -> None:
    """The twins of a sample of what was tried, spread evenly: of the templates, which are the same in every run, and
    where those are few of what searches tried too.
    """
    templates = by_injection(found.attempts.get(TEMPLATES, []))
    tried = list(dict.fromkeys(map(twin, templates)))
    if len(tried) < campaign.effort.twins:
        tried = list(dict.fromkeys([*tried, *map(twin, _all(found))]))[: campaign.effort.twins]
    step = max(1, len(tried) // max(1, campaign.effort.twins))

    async def one(injection: Injection) -> Attempt:
        return (await trying.attempt("twin", injection, FRESH))[0]

    found.twins = await each(tried[::step][: campaign.effort.twins], one, campaign.width)


def _all(found: Found) -> Iterable[Injection]:
    for attempts in found.attempts.values():
        yield from by_injection(attempts)
