"""One look at a feed: every window that is complete and of which nothing was said yet is judged and kept, once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temper.config.monitor import truth_of, watch_of
from temper.config.reading import read as read_config
from temper.config.system import load_system
from temper.core.errors import ConfigError, StoreError, Unsupported
from temper.core.outcome import Outcome, Truth
from temper.core.schema import Schema
from temper.core.system import Protected
from temper.core.target import Access, ScoreKind
from temper.core.watch import Feed, Seen, Watch, Watched
from temper.kernels.cbpe import Calibrator
from temper.monitoring import kept
from temper.monitoring.arrived import Arrived, of_frame
from temper.monitoring.done import Done
from temper.monitoring.feed import arrived
from temper.monitoring.judged import judged
from temper.monitoring.kinds import explained
from temper.monitoring.matured import Matured
from temper.monitoring.reference import Reference, Window
from temper.store.control.windows import Windows
from temper.targets.signature import verify

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]
FILE = Path(".temper") / "reference.npz"
_SILENT = 30
"""Windows after the last row in which a silent feed is told; a feed that ended long ago is no news."""


@dataclass(slots=True, kw_only=True, eq=False)
class Looked:
    """What one look found: the windows that are `new`, in order of time, and the `outcomes` of those whose labels have
    matured; `early` rows lie in windows that are not over,
    `late` ones in windows of which something was said before, and `twice` had an id that came before in their window.
    """

    new: list[Watched] = field(default_factory=list)
    early: int = 0
    late: int = 0
    twice: int = 0
    outcomes: list[Outcome] = field(default_factory=list)

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
    which files of the feed need not be read again.
    """

    watch: Watch
    schema: Schema
    reference: Reference
    digest: str
    windows: Windows
    matured: Matured | None = None
    done: Path | None = None

    def look(self, now: float) -> Looked:
        """Judge what is complete by now. Twice is the same as once, and so is going on after a kill."""
        # First, so that tables that cannot be read stop it before anything is kept and not told.
        outcomes = self.matured.look(now) if self.matured else []
        known, done = self._known(), Done.read(self.done, self.watch.window)
        since = max(known) + self.watch.window if known else 0.0
        looked = self._looked(arrived(self.watch, self.schema, since, frozenset(known), done), known, done.again, now)
        done.keep()
        looked.outcomes = outcomes
        return looked

    def take(self, frame: pd.DataFrame, now: float) -> Looked:
        """Judge windows that are over by now from rows you have: as `look` would, had they been in the feed.

        A frame holds whole windows. Rows of one that is not over are not remembered: give them again later.
        """
        return self._looked([of_frame(frame, self.watch, self.schema)], self._known(), {}, now)

    def _known(self) -> dict[float, int]:
        return self.windows.known(self.watch.feed, self.digest, self.watch.window)

    def _looked(
        self, parts: Iterable[Arrived], known: dict[float, int], unread: Mapping[float, int], now: float
    ) -> Looked:
        """`unread` fills while the parts come: rows by window that are in the feed and were not read."""
        looked, again, held = Looked(), dict.fromkeys(known, 0), dict[float, _Held]()
        for part in parts:
            starts = np.floor(part.at / self.watch.window) * self.watch.window
            for start in np.unique(starts).tolist():
                rows = starts == start
                if start in again:
                    again[start] += int(rows.sum())
                elif start + self.watch.window + self.watch.grace > now:
                    looked.early += int(rows.sum())
                else:
                    window = held.setdefault(start, _Held(reference=self.reference))
                    looked.twice += window.add(part, rows)
        looked.late = sum(max(0, many + unread.get(start, 0) - known[start]) for start, many in again.items())
        looked.new = list(self._judged(held, known, now))
        self.windows.keep(self.watch.feed, self.digest, looked.new, now)
        return looked

    def _judged(self, held: dict[float, _Held], known: dict[float, int], now: float) -> Iterator[Watched]:
        """Windows with rows, and those between and after them without: that nothing came is told, too."""
        starts = {*held, *(start for start, rows in known.items() if rows)}
        if not starts:
            return
        width = self.watch.window
        over = math.floor((now - self.watch.grace) / width) * width
        empty = Window.of(self.reference, np.zeros((0, len(self.reference.cells))), np.zeros(0, dtype=np.int64))
        told: dict[float, Watched] = {}
        for at in range(round((min(over, max(starts) + (_SILENT + 1) * width) - min(starts)) / width)):
            start, last = (min(starts) + turn * width for turn in (at, at - 1))
            if start not in known:
                held_rows = held.get(start, _Held(reference=self.reference))
                whole = held_rows.whole or empty
                before = told.get(last) or self.windows.one(self.watch.feed, self.digest, last, width)
                said = judged(whole, self.watch, start, start + width, held_rows.troubles, held_rows.notes, before)
                told[start] = explained(said, whole, self.schema, before)
                yield told[start]


@dataclass(slots=True, kw_only=True, eq=False)
class _Held:
    """A window that is being filled: its counts so far, and the ids that are in it."""

    reference: Reference
    whole: Window | None = None
    ids: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    troubles: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, part: Arrived, rows: Array) -> int:
        """Those of these rows that are not in it yet; how many were."""
        x, ids = part.x[rows], part.ids[rows]
        _, first = np.unique(ids, return_index=True)
        fresh = np.sort(first[~np.isin(ids[first], self.ids)])
        clients = None if part.clients is None else part.clients[rows][fresh]
        window = Window.of(self.reference, x[fresh], ids[fresh], part.at[rows][fresh], clients)
        self.whole = window if self.whole is None else self.whole + window
        self.ids = np.concatenate([self.ids, ids[fresh]])
        self.troubles |= dict.fromkeys(part.troubles)
        self.notes |= dict.fromkeys(part.notes)
        return len(ids) - len(fresh)


def monitor_of(
    config: Path,
    windows: Windows,
    say: Callable[[str], None],
    *,
    trust_pickle: bool = False,
    today: date | None = None,
) -> Monitor:
    """The monitor of this temper.yaml; its reference is made where there is none yet, or the rows behind it changed.
    `today` decides whether keys are still valid; without it one that ends is refused.

    Raises `ConfigError` where nothing says what is watched.
    """
    document, base = read_config(config), config.absolute().parent
    watch, truth = watch_of(document, base), truth_of(document, base)
    if watch is None:
        raise ConfigError(
            f"{config} does not say where predictions are", fix="add `monitor: {feed: predictions/, time: at}`"
        )
    path = base / FILE
    system = load_system(config, trust_pickle=trust_pickle, today=today)
    if watch.manifest:
        reference, digest = signed(path, watch, today or date.max)
    else:
        reference = reference_of(system, watch)
        digest = written(reference, path, say)
    return Monitor(
        watch=watch,
        schema=_watched(system, watch),
        reference=_fitting(reference, system, watch),
        digest=digest,
        windows=windows,
        matured=matured_of(system, watch, truth, digest, windows) if truth else None,
        done=path.with_name("feed.json"),
    )


def reference_of(system: Protected, watch: Watch) -> Reference:
    """The rows this system was assessed on, as counts; with the model's scores as their last column, if watched.

    Of two classes the score has a threshold.
    """
    schema, x = _watched(system, watch), np.zeros((len(system.data.ids), 0))
    if schema.columns:
        x = np.asarray(system.data.x, dtype=np.float64)
    if not watch.score:
        return Reference.fit(x, schema, (), system.data.ids)
    both = np.column_stack([x, scores_of(system)])
    return Reference.fit(both, schema, ("score",), system.data.ids, _threshold(system))


def _watched(system: Protected, watch: Watch) -> Schema:
    """The columns of rows of this feed: a ledger has none, beside the score."""
    if watch.kind is Feed.LEDGER:
        return Schema()
    if not system.schema.columns:
        raise Unsupported("windows are compared column by column, and this system has no columns", fix="watch a table")
    return system.schema


def matured_of(system: Protected, watch: Watch, truth: Truth, digest: str, windows: Windows) -> Matured:
    """What is promised of the labels of this system's rows; scores are calibrated by the rows of its assessment."""
    kind = system.target.kind
    if system.target.classes != 2 or kind not in (ScoreKind.PROBABILITIES, ScoreKind.MARGIN):
        raise Unsupported(
            "labels are watched of two classes, with probabilities or margins", fix="leave `monitor: labels:` out"
        )
    return Matured(
        truth=truth,
        watch=watch,
        schema=system.schema,
        classes=system.classes,
        edge=_threshold(system),
        policy=system.policy,
        cost=system.cost,
        calibrator=Calibrator.fit(scores_of(system), np.asarray(system.data.y)),
        digest=digest,
        windows=windows,
    )


def scores_of(system: Protected) -> Array:
    """The one number per row that a threshold is held against: of class 1 of two, else of the likeliest class."""
    if Access.SCORES not in system.target.access:
        raise Unsupported("this model gives no scores", fix="leave `monitor: score:` out")
    scores = np.asarray(system.target.scores(system.data.x))
    return scores[:, 1] if scores.shape[1] == 2 else scores.max(axis=1)


def _threshold(system: Protected) -> float:
    """The score from which on a row is flagged: the system's, else that of an even chance; NaN where there is none."""
    if system.target.classes != 2:
        return float("nan")
    usual = {ScoreKind.PROBABILITIES: 0.5, ScoreKind.MARGIN: 0.0}.get(system.target.kind, float("nan"))
    return usual if system.threshold is None else system.threshold


def signed(path: Path, watch: Watch, today: date) -> tuple[Reference, str]:
    """The reference in this file, once it is what was signed; it is not made again. Raises `TemperError` otherwise."""
    manifest = Path(watch.manifest)
    found = verify(manifest, watch.public_key, today)
    if path.resolve() not in {(manifest.parent / name).resolve() for name in found.files}:
        raise ConfigError(f"{manifest} does not speak of {path}", fix=f"`temper sign {path} --key NAME.key`")
    return kept.read(path)


def _fitting(reference: Reference, system: Protected, watch: Watch) -> Reference:
    wanted = (*_watched(system, watch).names, *(("score",) if watch.score else ()))
    if reference.names != wanted:
        raise ConfigError(
            f"the reference is of {', '.join(reference.names[:8])}, and the feed of {', '.join(wanted[:8])}",
            fix="make it again with `temper assess`, and sign it",
        )
    return reference


def written(reference: Reference, path: Path, say: Callable[[str], None]) -> str:
    """Keep a reference where it is not what is there already; its digest."""
    try:
        before = kept.read(path)[1] if path.exists() else ""
    except StoreError as damaged:
        before = ""
        say(f"{damaged.message}: it is made again")
    digest = kept.known_as(reference)
    if digest != before:
        kept.keep(reference, path)
        say(f"reference: {reference.tally.rows:,} rows, {len(reference.cells)} columns, {digest[:12]} ({path})")
    return digest
