"""One look at a feed: every window that is complete and of which nothing was said yet is judged and kept, once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from temper.core.errors import Unsupported
from temper.core.outcome import Outcome
from temper.core.schema import Schema
from temper.core.served import Standing
from temper.core.watch import EXCHANGES, Feed, Seen, Shape, Watch, Watched
from temper.monitoring.arrived import of_frame
from temper.monitoring.counted import Counting, Held, Piece, Spread
from temper.monitoring.done import Done
from temper.monitoring.feed import arrived, files_of, parts
from temper.monitoring.following import Followed, Following, Rows
from temper.monitoring.judged import judged
from temper.monitoring.kinds import explained
from temper.monitoring.matured import Looking, Matured
from temper.monitoring.objectives import Following as Promised
from temper.monitoring.objectives import Heard
from temper.monitoring.reference import Reference
from temper.monitoring.shapes import shapes
from temper.store.control.windows import Overtaken, Windows

if TYPE_CHECKING:
    import pandas as pd

_AGAIN = 2
"""Windows of which something was said that a ledger and a database are read again for: their late rows are told."""
_EARLIER = 60
"""Windows before one that say how often what is no row happens."""
_SILENT = 30
"""Windows after the last row in which a silent feed is told; a feed that ended long ago is no news."""


@dataclass(slots=True, kw_only=True, eq=False)
class Looked:
    """What one look found: the windows that are `new`, in order of time, and the `outcomes` of those whose labels have
    matured; `standings` are where promises of a gateway's answers stand now; `shapes` are drawn of windows that
    alarmed, by their start; `early` rows lie in windows that are not over,
    `late` ones in windows of which something was said before, and `twice` had an id that came before in their window.
    """

    new: list[Watched] = field(default_factory=list)
    early: int = 0
    late: int = 0
    twice: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    shapes: dict[float, tuple[Shape, ...]] = field(default_factory=dict)
    standings: list[Standing] = field(default_factory=list)

    @property
    def told(self) -> str:
        """What there was to look at, in a line."""
        said = [
            f"{len(self.new)} windows were looked at" if self.new else "no window is over that was not looked at yet"
        ]
        said += [f"{self.early:,} rows are of windows that are not over"] if self.early else []
        said += [f"{self.late:,} rows came too late for theirs"] if self.late > 0 else []
        said += [f"{self.twice:,} came twice and count once"] if self.twice else []
        return "; ".join(said)

    def code(self, *, lenient: bool) -> int:
        """The exit code: 1 with an alarm, 3 where a window could not be judged, else 0."""
        seen = {one.seen for one in self.new} | {one.seen for one in self.outcomes}
        seen |= {one.seen for one in self.standings}
        if Seen.FAIL in seen:
            return 1
        return 3 if seen & {Seen.INCONCLUSIVE, Seen.NOTHING} and not lenient else 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Monitor:
    """A feed, what its windows are compared with, and where what is said of them is kept; `done` is the file that says
    which files of the feed need not be read again. Files are counted wherever `spread` says. `promised` keeps what a
    gateway answered from minute to minute. `system` and `model` are the name and the digest of the model of the
    temper.yaml.
    """

    watch: Watch
    schema: Schema
    reference: Reference
    digest: str
    windows: Windows
    matured: Matured | None = None
    following: Following | None = None
    promised: Promised | None = None
    done: Path | None = None
    spread: Spread = map
    system: str = ""
    model: str = ""

    def look(self, now: float) -> Looked:
        """Judge what is complete by now. Twice is the same as once, and so is going on after a kill."""
        try:
            return self._look(now)
        except Overtaken:
            return self._look(now)  # what the other look kept is known now

    def take(self, frame: pd.DataFrame, now: float) -> Looked:
        """Judge windows that are over by now from rows you have: as `look` would, had they been in the feed.

        A frame holds whole windows. Rows of one that is not over are not remembered: give them again later.
        """
        stream, known = self._stream(), self._known()
        counting = self._counting(known, now)
        looked, held = self._filled([counting.part(of_frame(frame, self.watch, self.schema))], counting, known, {})
        return self._kept(looked, held, known, stream, now)

    def check(self, file: Path) -> Looked:
        """Judge all rows of this file as one window, whenever they came; nothing of it is kept."""
        held, ends_of = Held(reference=self.reference), list[float]()
        for part in parts(file, self.watch, self.schema):
            held.add(part, np.ones(len(part.at), dtype=bool))
            ends_of += [float(part.at.min()), float(part.at.max())] if len(part.at) else []
        start, ends = min(ends_of, default=0.0), max(ends_of, default=0.0)
        said, drawn = self._said(start, ends, held, None, None)
        return Looked(new=[said], twice=held.twice, shapes={start: drawn})

    def _look(self, now: float) -> Looked:
        stream, known, done = self._stream(), self._known(), Done.read(self.done, self.watch.window)
        since = max(known) - (_AGAIN - 1) * self.watch.window if known else 0.0
        # First, so that labels that cannot be read stop it before anything is kept and not told.
        labels = self.matured.begin(known, now) if self.matured else None
        needed = labels.needed if labels else frozenset[float]()
        since = min([since, *needed])
        counting = self._counting(known, now, keeps=labels is not None)
        heard = Heard()
        pieces = heard.through(self._pieces(counting, since, frozenset(known) - needed, done))
        looked, held = self._filled(pieces, counting, known, done.again, labels)
        if labels:
            looked.outcomes = labels.outcomes(whole=not done.again and since <= 0.0)
        self._kept(looked, held, known, stream, now)
        if self.promised:
            self.promised.follow(self.watch.feed, heard, since)
            looked.standings = self.promised.standing(self.watch.feed, now)
        done.keep()
        return looked

    def _stream(self) -> Followed | None:
        """The stream as it stands. Asked before which windows are known: what another look adds later is noticed."""
        if self.following is None:
            return None
        options = self.following.options
        before = self.windows.stream(self.watch.feed, self.digest, self.watch.window, options)
        return Followed(how=self.following, before=before)

    def _known(self) -> dict[float, int]:
        return self.windows.known(self.watch.feed, self.digest, self.watch.window)

    def _counting(self, known: Mapping[float, int], now: float, *, keeps: bool = True) -> Counting:
        return Counting(
            watch=self.watch,
            schema=self.schema,
            reference=self.reference,
            known=frozenset(known),
            now=now,
            follows=self.following is not None,
            keeps=keeps,
        )

    def _pieces(self, counting: Counting, since: float, said: frozenset[float], done: Done) -> Iterator[Piece]:
        """The feed in its order, counted: files wherever `spread` says, everything else here."""
        if self.watch.kind is Feed.FILES:
            for piece in self.spread(counting.file, files_of(self.watch, said, done)):
                if piece.stat is not None:
                    done.add(piece.path, piece.stat, piece.rows)
                yield piece
        elif self.spread is not map:
            raise Unsupported("only files are counted by workers, and this feed is none", fix="leave --engine out")
        else:
            yield from map(counting.part, arrived(self.watch, self.schema, since))

    def _filled(
        self,
        pieces: Iterable[Piece],
        counting: Counting,
        known: dict[float, int],
        unread: Mapping[float, int],
        labels: Looking | None = None,
    ) -> tuple[Looked, dict[float, Held]]:
        """Windows that are over and of which nothing was said, with their rows; `unread` are rows by window that are in
        the feed and were not read.
        """
        looked, again, held = Looked(), dict.fromkeys(known, 0), dict[float, Held]()
        for piece in pieces:
            if labels:
                for part in piece.parts:
                    labels.add(part, counting.starts(part))
            for start, many in piece.rows.items():
                if start in again:
                    again[start] += many
                elif start not in piece.held:
                    looked.early += many
            counting.merge(held, piece)
        looked.twice = sum(one.twice for one in held.values())
        looked.late = sum(max(0, many + unread.get(start, 0) - known[start]) for start, many in again.items())
        return looked, held

    def _kept(
        self, looked: Looked, held: dict[float, Held], known: dict[float, int], stream: Followed | None, now: float
    ) -> Looked:
        """With what is said of these windows, kept in one transaction with where the stream stands after them."""
        looked.new = list(self._judged(held, known, stream, looked.shapes, now))
        moved = (stream.after, stream.before) if stream else (None, None)
        self.windows.keep(self.watch.feed, self.digest, looked.new, now, *moved, shapes=looked.shapes)
        return looked

    def _judged(
        self,
        held: dict[float, Held],
        known: dict[float, int],
        stream: Followed | None,
        drawn: dict[float, tuple[Shape, ...]],
        now: float,
    ) -> Iterator[Watched]:
        """Windows with rows, and those between and after them without: that nothing came is told, too. What alarms is
        `drawn` by the way.
        """
        starts = {*held, *(start for start, rows in known.items() if rows)}
        if not starts:
            return
        width = self.watch.window
        over = math.floor((now - self.watch.grace) / width) * width
        last = min(over, max(starts) + (_SILENT + 1) * width)
        latest = self.windows.latest(self.watch.feed, self.digest, width, _EARLIER)
        told = {one.start: one for one in latest}
        for at in range(round((last - min(starts)) / width)):
            start, earlier = (min(starts) + turn * width for turn in (at, at - 1))
            if start not in known:
                rows = held.pop(start, None) or Held(reference=self.reference)
                before = told.get(earlier) or self.windows.one(self.watch.feed, self.digest, earlier, width)
                events = _happened(told.values(), start)
                told[start], drawn[start] = self._said(start, start + width, rows, stream, before, events)
                yield told[start]

    def _said(
        self,
        start: float,
        ends: float,
        rows: Held,
        stream: Followed | None,
        before: Watched | None,
        happened: tuple[Mapping[str, int], ...] = (),
    ) -> tuple[Watched, tuple[Shape, ...]]:
        whole = rows.whole.counted(rows.events, happened)
        one = judged(whole, self.watch, start, ends, rows.troubles, rows.notes, before)
        if stream and rows.stream:
            one = stream.add(one, Rows.together(rows.stream))
        instead, _ = rows.answered.get("", (0, 0.0))
        one = replace(one, versions=rows.versions, instead=instead)
        told = explained(one, whole, self.schema, before)
        return told, shapes(whole, told, self.schema)


def _happened(windows: Iterable[Watched], start: float) -> tuple[Mapping[str, int], ...]:
    """What was counted in the latest windows before this time, but for what alarmed there: that promises nothing."""
    earlier = sorted((one for one in windows if one.events and one.start < start), key=lambda one: one.start)
    alarmed = {one.start: {alarm.comparison for alarm in one.alarms} for one in earlier}
    return tuple(
        {EXCHANGES: one.rows} | {name: n for name, n in one.events if name not in alarmed[one.start]}
        for one in earlier[-_EARLIER:]
    )
