"""Exchanges from the ledger of an assistant's gateway: how many there were, and in how many its guard objected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from temper.core.watch import ATTEMPTS, Watch
from temper.monitoring.arrived import Arrived, Counted
from temper.monitoring.from_ledger import first, number
from temper.store.ledger import record as lines
from temper.store.ledger.exchange import EXCHANGE, Exchanged, exchanged
from temper.store.ledger.verify import logs, records

_ROWS = 100_000
"""Exchanges of a part: they are counted and let go."""
LET = "ALLOW"


def arrived(watch: Watch, since: float) -> Iterator[Arrived]:
    """The exchanges of all logs below the feed as rows without columns: of what was said, a ledger has a commitment."""
    for log in logs(Path(watch.feed)):
        found: list[tuple[int, float, bool]] = []
        for _, data in records(log, first(log, since - watch.window)):
            record = lines.decode(data)
            if record.kind == EXCHANGE:
                found.append((number(data), record.wall / 1e9, attempt(exchanged(record), watch.attempts)))
            if len(found) >= _ROWS:
                yield _part(found, watch.window)
                found = []
        yield _part(found, watch.window)


def attempt(body: Exchanged, stages: tuple[str, ...]) -> bool:
    """Whether one of these stages of the guard objected, to the question or to an answer: it was revised, held back or
    blocked. Of two of a kind the second is called `rules 2`.

    >>> from temper.store.ledger.exchange import Ruled
    >>> about = {"request": "r", "client": "c", "model": "m", "digest": "d", "policy": "p", "level": "BLOCK"}
    >>> found = [Exchanged(**about, rulings=(Ruled(name, "BLOCK"),)) for name in ("rules 2", "limits")]
    >>> [attempt(one, ("rules", "linear")) for one in found]
    [True, False]
    """
    ruled = (*body.rulings, *(one for answer in body.answers for one in answer.rulings))
    return any(one.level != LET and one.stage.partition(" ")[0] in stages for one in ruled)


def _part(found: list[tuple[int, float, bool]], width: float) -> Arrived:
    """A window in which nobody tried anything says so: its attempts are zero, not unknown."""
    windows = {at // width: (one, at) for one, at, _ in found}
    counted = [Counted(number=one, at=at, events={ATTEMPTS: 0}) for one, at in windows.values()]
    counted += [Counted(number=one, at=at, events={ATTEMPTS: 1}) for one, at, tried in found if tried]
    return Arrived(
        x=np.zeros((len(found), 0)),
        ids=np.array([one for one, _, _ in found], dtype=np.int64),
        at=np.array([at for _, at, _ in found]),
        clients=None,
        troubles=(),
        notes=(),
        counted=tuple(counted),
    )
