"""Rows of one part of a feed as counts of windows: made wherever the part is read, and merged in one place, exactly.

Parts are merged in the order of the feed, and a row whose id another part had before is left out, so that it makes no
difference who counted what, or when it was ready.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.core.watch import Version, Watch
from temper.kernels.cells import single
from temper.monitoring.arrived import Arrived, Counted
from temper.monitoring.feed import parts
from temper.monitoring.following import Rows
from temper.monitoring.reference import Reference, Window

Array = np.ndarray[Any, Any]
Spread = Callable[[Callable[[Path], "Piece"], Iterable[Path]], Iterable["Piece"]]
"""Like `map`: the pieces of these files in their order, wherever they are counted."""
_NO_IDS = np.zeros(0, dtype=np.int64)


@dataclass(slots=True, kw_only=True, eq=False)
class Held:
    """A window that is being filled: its counts so far, the ids that are in it, and its rows where a stream `follows`
    them; `twice` rows had an id that was in it before.
    """

    reference: Reference
    follows: bool = False
    counts: Window | None = None
    ids: Array = field(default_factory=lambda: _NO_IDS)
    twice: int = 0
    stream: list[Rows] = field(default_factory=list)
    troubles: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    answered: dict[str, tuple[int, float]] = field(default_factory=dict)
    counted: dict[int, Counted] = field(default_factory=dict)

    def add(self, part: Arrived, rows: Array) -> None:
        """Those of these rows that are not in it yet."""
        x, ids = part.x[rows], part.ids[rows]
        _, first = np.unique(ids, return_index=True)
        fresh = np.sort(first[~np.isin(ids[first], self.ids)])
        clients = None if part.clients is None else part.clients[rows][fresh]
        x, new, at = x[fresh], ids[fresh], part.at[rows][fresh]
        window = Window.of(self.reference, x, new, at, clients)
        self.merge(
            Held(
                reference=self.reference,
                counts=window,
                ids=new,
                twice=len(ids) - len(new),
                stream=[Rows(x=single(x), ids=new, at=at)] if self.follows else [],
                troubles=dict.fromkeys(part.troubles),
                notes=dict.fromkeys(part.notes),
                answered={} if part.answered is None else _answered(part.versions, part.answered[rows][fresh], at),
            )
        )

    def merge(self, other: Held) -> None:
        """Another part of this window, which has none of its ids."""
        if other.counts is not None:
            # What another process counted was beside a copy of the same reference.
            counts = replace(other.counts, reference=self.reference)
            self.counts = counts if self.counts is None else self.counts + counts
        self.ids = np.concatenate([self.ids, other.ids])
        self.twice += other.twice
        self.stream += other.stream
        self.troubles |= other.troubles
        self.notes |= other.notes
        self.counted |= other.counted
        for name, (many, began) in other.answered.items():
            rows, since = self.answered.get(name, (0, math.inf))
            self.answered[name] = rows + many, min(since, began)

    def count(self, one: Counted) -> None:
        """What happened besides rows, once however many copies say so."""
        self.counted[one.number] = one

    @property
    def events(self) -> dict[str, int]:
        """How often each thing happened, of those that were counted."""
        together: Counter[str] = Counter()
        for one in self.counted.values():
            together.update(one.events)
        return dict(together)

    @property
    def whole(self) -> Window:
        """All of its rows as counts."""
        empty = np.zeros((0, len(self.reference.cells)))
        return self.counts or Window.of(self.reference, empty, _NO_IDS)

    @property
    def versions(self) -> tuple[Version, ...]:
        """The versions of the model that answered, in order of time."""
        found = [Version(name=name, rows=n, since=at) for name, (n, at) in self.answered.items() if name]
        return tuple(sorted(found, key=lambda one: (one.since, one.name)))


@dataclass(slots=True, kw_only=True, eq=False)
class Piece:
    """A file or another part of a feed: how many `rows` it has of each window, and those windows that count now,
    `held`. A file says which it is, as it was before it was read (`stat`); `parts` are its rows, where somebody needs
    them.
    """

    rows: dict[float, int]
    held: dict[float, Held]
    parts: list[Arrived] = field(default_factory=list)
    path: Path = Path()
    stat: os.stat_result | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counting:
    """How parts are counted: windows that are over by `now` and not `known`. `follows`: a stream needs their rows;
    `keeps`: so does somebody else, who gets them whole.
    """

    watch: Watch
    schema: Schema
    reference: Reference
    known: frozenset[float]
    now: float
    follows: bool = False
    keeps: bool = True

    def file(self, path: Path) -> Piece:
        """The piece of a file, wherever this runs."""
        stat = path.stat()  # before it is read: what is written meanwhile makes it another file
        piece = Piece(rows={}, held={}, path=path, stat=stat)
        for part in parts(path, self.watch, self.schema):
            more = self.part(part)
            for start, many in more.rows.items():
                piece.rows[start] = piece.rows.get(start, 0) + many
            self.merge(piece.held, more)
            piece.parts += more.parts if self.keeps else []
        return piece

    def part(self, part: Arrived) -> Piece:
        """The piece of rows that are here."""
        piece, starts = Piece(rows={}, held={}, parts=[part]), self.starts(part)
        for start in np.unique(starts).tolist():
            rows = starts == start
            piece.rows[start] = int(rows.sum())
            if start not in self.known and start + self.watch.window + self.watch.grace <= self.now:
                piece.held[start] = self.empty()
                piece.held[start].add(part, rows)
        for one in part.counted:
            start = one.at // self.watch.window * self.watch.window
            if start not in self.known and start + self.watch.window + self.watch.grace <= self.now:
                piece.held.setdefault(start, self.empty()).count(one)
        return piece

    def starts(self, part: Arrived) -> Array:
        """The window of each row."""
        return np.asarray(np.floor(part.at / self.watch.window) * self.watch.window)

    def empty(self) -> Held:
        """A window without rows."""
        return Held(reference=self.reference, follows=self.follows)

    def merge(self, into: dict[float, Held], piece: Piece) -> None:
        """Put a piece in; where another had some of its ids before, its rows are looked at one by one once more."""
        for start, more in piece.held.items():
            whole = into.setdefault(start, self.empty())
            if not np.isin(more.ids, whole.ids).any():
                whole.merge(more)
                continue
            for part in piece.parts or parts(piece.path, self.watch, self.schema):
                whole.add(part, self.starts(part) == start)
            whole.counted |= more.counted


def _answered(versions: tuple[str, ...], answered: Array, at: Array) -> dict[str, tuple[int, float]]:
    """Of each version how many rows it answered, and when the first of them came."""
    places = np.unique(answered).tolist()
    return {versions[place]: (int((answered == place).sum()), float(at[answered == place].min())) for place in places}
