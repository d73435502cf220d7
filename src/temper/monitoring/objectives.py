"""What is promised of a gateway's answers, held against its minutes: as one look after the other reads them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from temper.core.alert import Burning
from temper.core.served import ANSWERED, LOOKED, MINUTE, Minute, Objective, Rate, Standing
from temper.core.watch import Seen
from temper.kernels.burn import burn
from temper.monitoring.counted import Piece
from temper.store.control.served import Served


@dataclass(slots=True, kw_only=True, eq=False)
class Heard:
    """What the parts of a feed say of minutes while they are read for something else; each record once."""

    counts: dict[float, Counter[str]] = field(default_factory=dict)
    _known: set[int] = field(default_factory=set, repr=False)

    def through(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The same pieces."""
        for piece in pieces:
            for one in (one for part in piece.parts for one in part.counted):
                if ANSWERED in one.events and one.number not in self._known:
                    self._known.add(one.number)
                    start = math.floor(one.at / MINUTE) * MINUTE
                    self.counts.setdefault(start, Counter()).update(one.events)
            yield piece


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Following:
    """Keeps the minutes of a feed for `objectives`."""

    objectives: tuple[Objective, ...]
    served: Served

    def follow(self, feed: str, heard: Heard, since: float) -> None:
        """Keep what was heard of a feed that was read from `since` on. Twice is the same as once."""
        known = {one.start: one.counts for one in self.served.minutes(feed)}
        found = {start: counts for start, counts in heard.counts.items() if start >= since}
        newest = max([*known, *found], default=0.0)
        first = newest - LOOKED - max(one.longest for one in self.objectives)
        new = [
            Minute(start=start, counts=dict(counts))
            for start, counts in sorted(found.items())
            if start >= first and counts != known.get(start)
        ]
        self.served.keep(feed, self.objectives, new, first)

    def standing(self, feed: str, now: float) -> list[Standing]:
        """Where they stand."""
        return standing_of(self.served, feed, now)


def standings(objectives: Sequence[Objective], minutes: Sequence[Minute], now: float) -> list[Standing]:
    """Where each objective stands now, by minutes that are over: no minute is no event, and never a PASS."""
    return [_standing(one, minutes, now) for one in objectives]


def standing_of(served: Served, feed: str, now: float) -> list[Standing]:
    """The same of what is kept of a feed."""
    objectives = served.objectives(feed)
    if not objectives:
        return []
    longest = max(one.longest for one in objectives)
    return standings(objectives, served.minutes(feed, now - longest - MINUTE), now)


def _standing(objective: Objective, minutes: Sequence[Minute], now: float) -> Standing:
    events = [(now - one.start, *objective.events(one.counts)) for one in minutes if one.start < now]
    rates = tuple(_rate(rule, events) for rule in objective.rules)
    asked, good = _within(events, objective.longest)
    return Standing(objective=objective, seen=_seen(rates), rates=rates, asked=asked, bad=asked - good)


def _rate(rule: Burning, events: Sequence[tuple[float, int, int]]) -> Rate:
    whiles = [_within(events, seconds) for seconds in (rule.long, rule.short)]
    long, short = (burn(good, asked, 1.0 - rule.budget) for asked, good in whiles)
    asked = whiles[1][0]
    burns = asked >= rule.least and min(long, short) >= rule.rate
    return Rate(rule=rule, long=long, short=short, asked=asked, burns=burns)


def _within(events: Sequence[tuple[float, int, int]], seconds: float) -> tuple[int, int]:
    """How many there were and how many good ones, in minutes that began in the last so many seconds."""
    found = [(asked, good) for age, asked, good in events if age <= seconds]
    return sum(asked for asked, _ in found), sum(good for _, good in found)


def _seen(rates: Sequence[Rate]) -> Seen:
    if any(one.burns for one in rates):
        return Seen.FAIL
    if not min(rates, key=lambda one: one.rule.short).asked:
        return Seen.NOTHING
    return Seen.INCONCLUSIVE if any(one.asked < one.rule.least for one in rates) else Seen.PASS
