"""Predictions from the ledger of a gateway: the score of every decision, while it is being written and afterwards."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from temper.core.served import ANSWERED, FAILED, OVERLOAD, TOOK
from temper.core.serving import Source
from temper.core.watch import REFUSED, Watch
from temper.monitoring.arrived import Arrived, Counted
from temper.store.ledger import record as lines
from temper.store.ledger.record import COUNTS, Counts, Decided, Record, counts, decision
from temper.store.ledger.tree import leaf
from temper.store.ledger.verify import logs, records, size

_ROWS = 100_000
"""Rows of a part: they are counted and let go."""


def arrived(watch: Watch, since: float) -> Iterator[Arrived]:
    """The scores of all logs below the feed, as a column alone: of what a model was given, a ledger has a commitment.

    The rows that are kept for people are those the guard found strange, so they would always be unlike the reference.
    """
    for log in logs(Path(watch.feed)):
        yield from _of_log(log, watch.window, since)


def _of_log(log: Path, width: float, since: float) -> Iterator[Arrived]:
    part = _Part(window=0.0)
    for _, data in records(log, first(log, since - width)):
        record = lines.decode(data)
        if record.kind not in ("decision", COUNTS):
            continue
        window = record.wall / 1e9 // width
        if window != part.window or len(part.at) >= _ROWS:
            yield part.whole()
            part = _Part(window=window)
        if record.kind == COUNTS:
            part.count(record, data)
        else:
            part.add(record, data, decision(record))
    yield part.whole()


def first(log: Path, at: float) -> int:
    """The first record from this time on. A window earlier than needed, so that a clock set back by less than half of
    one loses nothing.
    """

    def wall(seq: int) -> float:
        with closing(records(log, seq)) as found:  # type: ignore[type-var]
            return lines.decode(next(found)[1]).wall / 1e9

    return bisect_left(range(size(log)), at, key=wall)


@dataclass(slots=True, kw_only=True, eq=False)
class _Part:
    """Decisions of one window. Where the model did not answer, its score is missing; what was refused before it, so
    that nobody scored it, is no prediction.
    """

    window: float
    at: list[float] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    instead: int = 0
    counted: list[Counted] = field(default_factory=list)

    def add(self, record: Record, data: bytes, body: Decided) -> None:
        if not body.scores:
            self.refused += body.rows
            return
        primary = body.source == Source.PRIMARY.value
        own = number(data)
        self.at += [record.wall / 1e9] * len(body.scores)
        self.ids += [own ^ row for row in range(len(body.scores))]
        self.scores += body.scores if primary else [np.nan] * len(body.scores)
        self.instead += 0 if primary else len(body.scores)
        version = f"{body.model} {body.digest[:12]}".strip() if primary else ""
        self.answered += [self.versions.setdefault(version, len(self.versions))] * len(body.scores)

    def count(self, record: Record, data: bytes) -> None:
        """How requests were answered, also those that are in no decision."""
        self.counted.append(Counted(number=number(data), at=record.wall / 1e9, events=events_of(counts(record))))

    def whole(self) -> Arrived:
        told = (
            (self.refused, "rows were refused before the model saw them, and are no predictions"),
            (self.instead, "rows were answered by something other than the model, and have no score of it"),
        )
        return Arrived(
            x=np.array(self.scores)[:, None],
            ids=np.array(self.ids, dtype=np.int64),
            at=np.array(self.at),
            clients=None,
            troubles=(),
            notes=tuple(f"{many:,} {what}" for many, what in told if many),
            answered=np.array(self.answered, dtype=np.int64),
            versions=tuple(self.versions),
            counted=tuple(self.counted),
        )


def events_of(counted: Counts) -> dict[str, int]:
    """What a monitor counts of a minute of a gateway; how it served only where it was asked for scores, so that records
    which do not tell are no zeros.

    >>> events_of(Counts(statuses={"200": 7, "401": 2, "503": 1}, took={"0.01": 7}, failed=1))
    {'refused': 2, 'answered': 7, 'failed': 1, 'overload': 0, 'took 0.01': 7}
    """
    found = {REFUSED: counted.statuses.get("401", 0)}
    if counted.took or counted.failed:
        found |= {ANSWERED: sum(counted.took.values()), FAILED: counted.failed, OVERLOAD: counted.overload}
    return found | {f"{TOOK}{end}": many for end, many in counted.took.items()}


def number(data: bytes) -> int:
    """What a record is known by, in copies of its ledger too."""
    return int.from_bytes(leaf(data)[:8], "big") >> 1
