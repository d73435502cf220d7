"""One look at a feed: every window that is complete and of which nothing was said yet is judged and kept, once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.core.outcome import Outcome
from temper.core.schema import Schema
from temper.core.watch import Seen, Shape, Version, Watch, Watched
from temper.kernels.cells import single
from temper.monitoring.arrived import Arrived, Counted, of_frame
from temper.monitoring.done import Done
from temper.monitoring.feed import arrived
from temper.monitoring.following import Followed, Following, Rows
from temper.monitoring.judged import judged
from temper.monitoring.kinds import explained
from temper.monitoring.matured import Looking, Matured
from temper.monitoring.reference import Reference, Window
from temper.monitoring.shapes import shapes
from temper.store.control.windows import Overtaken, Windows

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]
_NO_IDS = np.zeros(0, dtype=np.int64)
_AGAIN = 2
"""Windows of which something was said that a ledger and a database are read again for: their late rows are told."""
_EARLIER = 60
"""Windows before one that say how often what is no row happens."""
_SILENT = 30
"""Windows after the last row in which a silent feed is told; a feed that ended long ago is no news."""


@dataclass(slots=True, kw_only=True, eq=False)
class Looked:
    """What one look found: the windows that are `new`, in order of time, and the `outcomes` of those whose labels have
    matured; `shapes` are drawn of windows that alarmed, by their start; `early` rows lie in windows that are not over,
    `late` ones in windows of which something was said before, and `twice` had an id that came before in their window.
    """

    new: list[Watched] = field(default_factory=list)
    early: int = 0
    late: int = 0
    twice: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    shapes: dict[float, tuple[Shape, ...]] = field(default_factory=dict)

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
        if Seen.FAIL in seen:
            return 1
        return 3 if seen & {Seen.INCONCLUSIVE, Seen.NOTHING} and not lenient else 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Monitor:
    """A feed, what its windows are compared with, and where what is said of them is kept; `done` is the file that says
    which files of the feed need not be read again. `system` and `model` are the name and the digest of the model of the
    temper.yaml.
    """

    watch: Watch
    schema: Schema
    reference: Reference
    digest: str
    windows: Windows
    matured: Matured | None = None
    following: Following | None = None
    done: Path | None = None
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
        looked, held = self._filled([of_frame(frame, self.watch, self.schema)], known, {}, None, now)
        return self._kept(looked, held, known, stream, now)

    def _look(self, now: float) -> Looked:
        stream, known, done = self._stream(), self._known(), Done.read(self.done, self.watch.window)
        since = max(known) - (_AGAIN - 1) * self.watch.window if known else 0.0
        # First, so that labels that cannot be read stop it before anything is kept and not told.
        labels = self.matured.begin(known, now) if self.matured else None
        needed = labels.needed if labels else frozenset[float]()
        since = min([since, *needed])
        parts = arrived(self.watch, self.schema, since, frozenset(known) - needed, done)
        looked, held = self._filled(parts, known, done.again, labels, now)
        if labels:
            looked.outcomes = labels.outcomes(whole=not done.again and since <= 0.0)
        self._kept(looked, held, known, stream, now)
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

    def _filled(
        self,
        parts: Iterable[Arrived],
        known: dict[float, int],
        unread: Mapping[float, int],
        labels: Looking | None,
        now: float,
    ) -> tuple[Looked, dict[float, _Held]]:
        """Windows that are over and of which nothing was said, with their rows; `unread` fills while the parts come:
        rows by window that are in the feed and were not read.
        """
        looked, again, held = Looked(), dict.fromkeys(known, 0), dict[float, _Held]()
        for part in parts:
            starts = np.floor(part.at / self.watch.window) * self.watch.window
            if labels:
                labels.add(part, starts)
            for start in np.unique(starts).tolist():
                rows = starts == start
                if start in again:
                    again[start] += int(rows.sum())
                elif start + self.watch.window + self.watch.grace > now:
                    looked.early += int(rows.sum())
                else:
                    window = held.setdefault(start, _Held(reference=self.reference, follows=bool(self.following)))
                    looked.twice += window.add(part, rows)
            for one in part.counted:
                start = one.at // self.watch.window * self.watch.window
                if start not in again and start + self.watch.window + self.watch.grace <= now:
                    held.setdefault(start, _Held(reference=self.reference, follows=bool(self.following))).count(one)
        looked.late = sum(max(0, many + unread.get(start, 0) - known[start]) for start, many in again.items())
        return looked, held

    def _kept(
        self, looked: Looked, held: dict[float, _Held], known: dict[float, int], stream: Followed | None, now: float
    ) -> Looked:
        """With what is said of these windows, kept in one transaction with where the stream stands after them."""
        looked.new = list(self._judged(held, known, stream, looked.shapes, now))
        moved = (stream.after, stream.before) if stream else (None, None)
        self.windows.keep(self.watch.feed, self.digest, looked.new, now, *moved, shapes=looked.shapes)
        return looked

    def _judged(
        self,
        held: dict[float, _Held],
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
                rows = held.pop(start, None) or _Held(reference=self.reference)
                before = told.get(earlier) or self.windows.one(self.watch.feed, self.digest, earlier, width)
                events = _happened(told.values(), start)
                told[start], drawn[start] = self._said(start, rows, stream, before, events)
                yield told[start]

    def _said(
        self,
        start: float,
        rows: _Held,
        stream: Followed | None,
        before: Watched | None,
        happened: tuple[Mapping[str, int], ...],
    ) -> tuple[Watched, tuple[Shape, ...]]:
        whole = rows.whole or Window.of(self.reference, np.zeros((0, len(self.reference.cells))), _NO_IDS)
        whole = whole.counted(rows.events, happened)
        one = judged(whole, self.watch, start, start + self.watch.window, rows.troubles, rows.notes, before)
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
    return tuple({name: n for name, n in one.events if name not in alarmed[one.start]} for one in earlier[-_EARLIER:])


@dataclass(slots=True, kw_only=True, eq=False)
class _Held:
    """A window that is being filled: its counts so far, the ids that are in it, and its rows where a stream `follows`
    them.
    """

    reference: Reference
    follows: bool = False
    whole: Window | None = None
    ids: Array = field(default_factory=lambda: _NO_IDS)
    stream: list[Rows] = field(default_factory=list)
    troubles: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    answered: dict[str, tuple[int, float]] = field(default_factory=dict)
    counted: dict[int, Counted] = field(default_factory=dict)

    def add(self, part: Arrived, rows: Array) -> int:
        """Those of these rows that are not in it yet; how many were."""
        x, ids = part.x[rows], part.ids[rows]
        _, first = np.unique(ids, return_index=True)
        fresh = np.sort(first[~np.isin(ids[first], self.ids)])
        clients = None if part.clients is None else part.clients[rows][fresh]
        x, ids_, at = x[fresh], ids[fresh], part.at[rows][fresh]
        window = Window.of(self.reference, x, ids_, at, clients)
        if self.follows:
            self.stream.append(Rows(x=single(x), ids=ids_, at=at))
        self.whole = window if self.whole is None else self.whole + window
        self.ids = np.concatenate([self.ids, ids_])
        self.troubles |= dict.fromkeys(part.troubles)
        self.notes |= dict.fromkeys(part.notes)
        if part.answered is not None:
            self._answered(part.versions, part.answered[rows][fresh], at)
        return len(ids) - len(fresh)

    def _answered(self, versions: tuple[str, ...], answered: Array, at: Array) -> None:
        """Count the rows of each version, and keep when its first came."""
        for place in np.unique(answered).tolist():
            mine = answered == place
            rows, since = self.answered.get(versions[place], (0, math.inf))
            self.answered[versions[place]] = rows + int(mine.sum()), min(since, float(at[mine].min()))

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
    def versions(self) -> tuple[Version, ...]:
        """The versions of the model that answered, in order of time."""
        found = [Version(name=name, rows=n, since=at) for name, (n, at) in self.answered.items() if name]
        return tuple(sorted(found, key=lambda one: (one.since, one.name)))
