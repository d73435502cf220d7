"""The monitor over a campaign's rows among honest ones: window after window, as the clock goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.watch import Watch, Watched
from temper.monitoring.assessed import reference_of, watched
from temper.monitoring.following import Followed
from temper.monitoring.following import Rows as Stream
from temper.monitoring.judged import judged
from temper.monitoring.kinds import explained
from temper.monitoring.making import following_of
from temper.monitoring.reference import Reference, Window
from temper.targets.served import Served

Rows = np.ndarray[Any, Any]
_HONEST, _FEWEST, _SHARE = 5_000, 200, 0.75
_STRANGERS = 1_000_000
"""Where the numbers of honest clients begin, each with one row."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sent:
    """Rows with when they came and whose they are: numbers of accounts, or of strangers."""

    x: Rows
    at: Rows
    clients: Rows

    def __add__(self, other: Sent) -> Sent:
        order = np.argsort(np.concatenate([self.at, other.at]), kind="stable")
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("x", "at", "clients"))
        x, at, clients = (np.concatenate(pair)[order] for pair in pairs)
        return Sent(x=x, at=at, clients=clients)


@dataclass(slots=True, kw_only=True, eq=False)
class Feed:
    """Windows of one feed in order of time, each beside the one before it, and its stream where one is followed."""

    reference: Reference
    system: Protected
    watch: Watch
    stream: Followed | None = None
    told: list[Watched] = field(default_factory=list)

    def judge(self, sent: Sent, start: float) -> Watched:
        """What `temper monitor` would say of this window."""
        before = self.told[-1] if self.told else None
        ids = np.arange(len(sent.x)) + int(start) * _STRANGERS
        window = Window.of(self.reference, sent.x, ids, sent.at, sent.clients if self.watch.client else None)
        found = judged(window, self.watch, start, start + self.watch.window, before=before)
        if self.stream is not None:
            found = self.stream.add(found, Stream(x=sent.x.astype(np.float32), ids=ids, at=sent.at))
        self.told.append(explained(found, window, watched(self.system, self.watch), before))
        return self.told[-1]


@dataclass(slots=True, kw_only=True, eq=False)
class Windows:
    """Two feeds of one while: the campaign's rows among honest ones, and the honest ones alone.

    Half of the held-out rows is the reference, of the other half three quarters (5,000 at most) are each window's
    honest traffic (SIMULATED). `several` is whether there are rows enough to say anything.
    """

    system: Protected
    model: Served
    watch: Watch
    seed: int = 0
    several: bool = field(init=False)
    start: float = field(default=0.0, init=False)
    mixed: Feed = field(init=False)
    alone: Feed = field(init=False)
    names: dict[str, int] = field(default_factory=dict, init=False)
    _honest: Rows = field(init=False, repr=False)
    _waiting: list[tuple[Rows, float, int]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        data = self.system.data
        order, half = Draws(self.seed, "campaign.purple").generator().permutation(len(data)), len(data) // 2
        self.several = half >= _FEWEST
        self._honest = np.asarray(data.x, dtype=np.float64)[order[half:]]
        if self.several:
            known = replace(self.system, data=data.take(order[:half]))
            reference = reference_of(known, self.watch)
            self.mixed, self.alone = (self._feed(known, reference) for _ in range(2))

    @property
    def ends(self) -> float:
        """When the window that is open is judged; never, where none can be."""
        return self.start + self.watch.window + self.watch.grace if self.several else np.inf

    @property
    def open(self) -> bool:
        """Whether rows of the campaign wait for their window to end."""
        return self.several and bool(self._waiting)

    def take(self, row: Rows, at: float, account: str) -> None:
        """A row that was answered."""
        self._waiting.append((row, at, self.names.setdefault(account, len(self.names))))

    def close(self) -> tuple[Watched, Watched, str]:
        """What the window that is over says, what it says without the campaign, and the account that stands out."""
        start, ends = self.start, self.start + self.watch.window
        here = [one for one in self._waiting if one[1] <= ends]
        self._waiting, self.start = self._waiting[len(here) :], ends
        quiet = self._quiet(start)
        alone = self.alone.judge(quiet, start)
        mixed = self.mixed.judge(quiet + self._sent(here) if here else quiet, start)
        return mixed, alone, self._loudest(here)

    def _feed(self, known: Protected, reference: Reference) -> Feed:
        followed = Followed(how=following_of(known, self.watch, ""), before=None) if self.watch.stream else None
        return Feed(reference=reference, system=self.system, watch=self.watch, stream=followed)

    def _quiet(self, start: float) -> Sent:
        rng = Draws(self.seed, "campaign.honest").generator(round(start / self.watch.window))
        many = min(int(_SHARE * len(self._honest)), _HONEST)
        taken = rng.permutation(len(self._honest))[:many]
        at = np.sort(start + self.watch.window * rng.random(many))
        return Sent(x=self._scored(self._honest[taken]), at=at, clients=_STRANGERS + taken)

    def _sent(self, here: list[tuple[Rows, float, int]]) -> Sent:
        x, at, clients = (np.array([one[place] for one in here]) for place in range(3))
        return Sent(x=self._scored(x), at=at, clients=clients)

    def _scored(self, x: Rows) -> Rows:
        """Rows as this feed has them."""
        columns = x if watched(self.system, self.watch).columns else x[:, :0]
        return np.column_stack([columns, self.model.score(np.ascontiguousarray(x))]) if self.watch.score else columns

    def _loudest(self, here: list[tuple[Rows, float, int]]) -> str:
        """The account with most rows, "" where none has two."""
        if not here:
            return ""
        number, many = Counter(one[2] for one in here).most_common(1)[0]
        return next(name for name, place in self.names.items() if place == number) if many > 1 else ""
