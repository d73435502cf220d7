"""The systems of a portfolio, or of a store, as they stood a moment ago. Looking at hundreds takes a while, so that is
done beside the pages: who opens one sees the last look, and never waits for a disk.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, Thread

from temper.config.portfolio import load_portfolio
from temper.core.errors import TemperError
from temper.core.evidence import Present, Triggers
from temper.core.fleet import Entry, Refused, Situation
from temper.core.outline import Outline
from temper.monitoring.evidence import evidence, lasting
from temper.monitoring.fleet.kept import fleet
from temper.monitoring.fleet.look import look
from temper.monitoring.fleet.stands import Known, Window, situation
from temper.store.attacks import attacks_digest
from temper.store.control import Control
from temper.store.control.outcomes import Wanted
from temper.store.fleet import read
from temper.web.assessed import Assessed

FRESH, REST = 30.0, 4.0
"""Seconds after which whoever opens the page has another look made; as a multiple of what the last one took, if that is
more: a console that is read all day looks for a fifth of its time at most.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look: when, what there was, and why there was no more."""

    at: float = 0.0
    name: str = ""
    situations: tuple[Situation, ...] = ()
    refused: tuple[Refused, ...] = ()
    trouble: str = ""


@dataclass(slots=True)
class Board:
    """The last look at the systems of a portfolio file; without one at those of the console's own store, and at what
    its `control` store says of their feeds.
    """

    assessed: Assessed
    portfolio: Path | None = None
    control: Control | None = None
    _seen: Seen = field(default_factory=Seen)
    _took: float = 0.0
    _looking: Lock = field(default_factory=Lock)

    @property
    def many(self) -> bool:
        """Whether there may be more than one system: there is a portfolio, or a store that machines share."""
        return self.portfolio is not None or bool(self.assessed.store.url)

    def seen(self, now: float) -> Seen:
        """The last look. The first one is waited for; a later one is made beside, once it is old."""
        if not self._seen.at:
            with self._looking:
                if not self._seen.at:
                    self._look(now)
        elif now - self._seen.at > max(FRESH, REST * self._took) and self._looking.acquire(blocking=False):
            Thread(target=self._beside, args=(now,), daemon=True).start()
        return self._seen

    def _beside(self, now: float) -> None:
        try:
            self._look(now)
        finally:
            self._looking.release()

    def _look(self, now: float) -> None:
        """What cannot be read is said, and what was seen before stays."""
        begun = time.monotonic()
        try:
            self._seen = self._of_portfolio(self.portfolio, now) if self.portfolio else self._of_store(now)
        except TemperError as error:
            self._seen = replace(self._seen, at=now, trouble=error.message)
        self._took = time.monotonic() - begun

    def _of_portfolio(self, path: Path, now: float) -> Seen:
        found = load_portfolio(path)
        store = self.assessed.store if self.assessed.store.url else None
        stand = fleet(path, found.entries, read(path).latest, now, store)
        return Seen(at=now, name=found.name, situations=tuple(stand), refused=found.refused)

    def _of_store(self, now: float) -> Seen:
        latest = self.assessed.store.latest()
        windows = self._windows(latest, now)
        found = [self._listed(one, windows.get(one.reference), now) for one in latest]
        return Seen(at=now, situations=tuple(found))

    def _windows(self, latest: Sequence[Outline], now: float) -> dict[str, Window]:
        """By the reference of a run, the newest window that was compared with it; of twins, which have the same one,
        nobody can say whose rows they were.
        """
        if self.control is None:
            return {}
        many = Counter(one.reference for one in latest)
        fed = [one for one in self.control.windows.watching() if one.reference and many[one.reference] == 1]
        seen = self.control.windows.since([Wanted(one.feed, one.reference, one.width, now) for one in fed])
        found = sorted((each[-1][1].ends, at) for at, each in enumerate(seen) if each)
        return {fed[at].reference: Window.of(seen[at][-1][1]) for _, at in found}

    def _listed(self, newest: Outline, window: Window | None, now: float) -> Situation:
        """A system that nothing but the store knows; of the console's own there is more to see."""
        mine = newest.system == self.assessed.system
        entry = Entry(name=newest.system, config=str(self.assessed.config) if mine else "", where="")
        store = self.assessed.store
        if mine:
            return situation(entry, look(entry, now, store=store), now)
        parts = evidence(store.measured(newest.system, newest.model), newest.model)
        present = Present(now=now, model=newest.model, attacks=attacks_digest())
        rules = Triggers(age=entry.tier.age)
        known = Known(
            system=newest.system,
            newest=newest,
            evidence=parts,
            lasting=tuple(lasting(parts, present, rules)),
            rules=rules,
            window=window,
        )
        return situation(entry, known, now)
