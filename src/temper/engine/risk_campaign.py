"""What campaigns against a guarded table model know of each scenario, for its risk register."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from temper.core.campaign import Aim
from temper.core.evidence import CAMPAIGN
from temper.core.measure import Measurement, Status
from temper.core.risk import Trials
from temper.core.target import Access
from temper.core.threat import Actor, Scenario
from temper.core.waged import Came, Means, Waged
from temper.engine.risk_sources import Source
from temper.report._figure import number, percent

CAMPAIGNS = "campaigns"
_SOUGHT = (
    (Aim.MOVE, "evasion", "evasion-"),
    (Aim.STEAL, "extraction", "extraction-"),
    (Aim.LEARN, "inversion", "membership"),
)
"""By aim, the attacks that seek the same, and how the ids of their threats begin."""
_KNOWLEDGE = ("black-box", "grey-box", "white-box")


def waged(scenario: Scenario, sources: Sequence[Source]) -> list[Trials]:
    """What campaigns came to that sought what this scenario's actor seeks. Campaigns of one seed draw the same numbers:
    of those that failed the latest counts.
    """
    found, failed = [], set[tuple[int, str]]()
    for source in sources:
        for key, one in _tried(scenario, source):
            if key not in failed or one.successes:
                found.append(one)
            failed |= {key} if one.failures else set()
    return found


def _tried(scenario: Scenario, source: Source) -> Iterator[tuple[tuple[int, str], Trials]]:
    sought = next((one for one in _SOUGHT if _seeks(scenario, *one[1:])), None)
    told, record = source.record.campaign, source.record
    if sought is None or told is None or told.means is None or scenario.actor.knowledge not in _KNOWLEDGE:
        return
    metric = "passed" if sought[0] is Aim.MOVE else "reached"
    for one in record.measurements:
        if (one.plugin, one.metric) == (CAMPAIGN, metric) and one.slice.partition(" ")[0] == sought[0].value:
            yield (record.seed, one.slice), _of(one, scenario.actor, sought[1], source, told, told.means)


def _seeks(scenario: Scenario, family: str, begins: str) -> bool:
    """Whether it is sought through answers alone: a campaign has no trees and no gradients."""
    threat = scenario.threat
    through = bool(threat.access) and not threat.access & ~(Access.LABELS | Access.SCORES)
    tried = any(name.startswith(f"{family}.") for name in threat.plugins)
    return through and tried and threat.id.startswith(begins)


def _of(one: Measurement, actor: Actor, family: str, source: Source, told: Waged, means: Means) -> Trials:
    """One figure as trials. Successes count where the actor has all that the attackers had, failures where they had all
    that he has, and had shown their power; what was cut short, or may not count, nobody knows.
    """
    rows, beyond = one.metric == "passed", _stronger(means, actor, one.metric == "passed")
    doubt = _weaker(means, actor, rows) or _powerless(one, source)
    doubt = doubt or ("" if source.record.state == "finished" else "it was stopped")
    missed = 0.0 if doubt else float(one.n - one.undecided - (one.count or 0))
    hits = 0.0 if beyond else float(one.count or 0)
    return Trials(
        plugin=f"{CAMPAIGN} ({_came(one, told).words})",
        run=source.record.id,
        age=source.age,
        successes=hits,
        failures=missed,
        unknown=one.n - hits - missed,
        counts="rows" if rows else CAMPAIGNS,
        doubt=doubt or ("" if missed else beyond),
        stale=source.stale.get(family, ""),
        guarded=told.guarded,
        note="; ".join([*_notes(one, source, told, means), *([beyond] if beyond and missed else [])]),
    )


def _each(means: Means, rows: bool) -> tuple[float, ...]:
    """What attackers have by the measure of an actor: knowledge, and where rows are moved queries and cost for each."""
    known = float(_KNOWLEDGE.index(means.knowledge))
    if not rows:
        return (known,)
    wanted = max(means.wanted, 1)
    change, money = (math.inf if end is None else end for end in (means.change, means.money))
    return known, means.queries / wanted, min(change, money / wanted)


def _has(actor: Actor, rows: bool) -> tuple[float, ...]:
    known = float(_KNOWLEDGE.index(actor.knowledge))
    return (known, float(actor.queries), math.inf if actor.cost is None else actor.cost) if rows else (known,)


_NAMES = ("knowledge", "queries a row", "to spend on a row")


def _weaker(means: Means, actor: Actor, rows: bool) -> str:
    """Why failures prove nothing: the attackers had less than the actor."""
    pairs = zip(_NAMES, _each(means, rows), _has(actor, rows), strict=False)
    less = [_less(name, mine, his, means, actor) for name, mine, his in pairs if mine < his]
    return f"its attackers had less than {actor.name}: {', '.join(less)}" if less else ""


def _stronger(means: Means, actor: Actor, rows: bool) -> str:
    """Why successes prove nothing: knowledge or a change that the actor does not have. More questions are no other
    attack, since what one of them finds may be found at once.
    """
    mine, his = _each(means, rows), _has(actor, rows)
    more = [at for at in range(len(mine)) if at != 1 and mine[at] > his[at]]
    less = [_less(_NAMES[at], mine[at], his[at], means, actor) for at in more]
    return f"its attackers had more than {actor.name}: {', '.join(less)}" if less else ""


def _less(name: str, mine: float, his: float, means: Means, actor: Actor) -> str:
    if name == "knowledge":
        return f"{means.knowledge}, not {actor.knowledge}"
    said = ("without end" if math.isinf(one) else number(one) for one in (mine, his))
    return "{} {}, not {}".format(name, *said)


def _powerless(one: Measurement, source: Source) -> str:
    """The same attackers do not reach what they seek with the model alone before them either."""
    same = (CAMPAIGN, "reached", one.slice)
    reached = (m for m in source.record.measurements if (m.plugin, m.metric, m.slice) == same)
    return next((m.reason for m in reached if m.status is Status.INCONCLUSIVE), "")


def _came(one: Measurement, told: Waged) -> Came:
    """The objective that a figure is of."""
    aim, _, number_ = one.slice.partition(" ")
    return [each for each in told.objectives if each.aim == aim][int(number_ or 1) - 1]


def _notes(one: Measurement, source: Source, told: Waged, means: Means) -> Iterator[str]:
    """What a reader wants beside the count: its interval, money, what it took, and whether anybody saw it."""
    if one.value is not None and one.low is not None and one.high is not None:
        yield f"{percent(round(one.value, 3))}, {percent(round(one.low, 3))} to {percent(round(one.high, 3))}"
    mine = {m.metric: m for m in source.record.measurements if m.plugin == CAMPAIGN and m.slice in (one.slice, "all")}
    money = mine.get("residual")
    if money is not None and None not in (money.value, money.low, money.high):
        value, low, high = (number(round(end, 2)) for end in (money.value, money.low, money.high) if end is not None)
        yield f"{value} of {money.unit} ({low} to {high})"
    took = f"{told.queries:,} queries and {number(round(told.cost, 2))} for changes"
    yield f"{means.knowledge}, {took} in the one that came farthest"
    seen = mine.get("detected")
    yield (
        f"seen in {seen.count} of {seen.n} turns" if seen is not None else "nobody looked whether it is seen (--purple)"
    )
