"""What became of every request of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.traffic.chat import Talk, joined

Array = np.ndarray[Any, Any]
LATE = 0.1
"""A run whose own lateness at p99 is over this share of the time limit says nothing about the server."""
SHED = (429, 503)
"""What a server answers that turns a request away on purpose."""
_AT_ONCE = 0.001


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """What became of every request, in the order in which they were due: when it was due, taken up by the generator,
    sent and answered (NaN where it was not), in seconds from the start, and its status (0 where the line broke or
    nothing came in time). `marks` is what the reader made of each answer's body, 0 without one. `refused` counts
    connections that could not be opened, `cpu` the seconds of processor that the generators took. Of a chat, `talk` is
    what was heard, answered is what began its whole answer then, and `marks` are of answers that are none.
    """

    due: Array
    taken: Array
    sent: Array
    done: Array
    status: Array
    marks: Array
    refused: int = 0
    cpu: float = 0.0
    talk: Talk | None = None

    @property
    def response(self) -> Array:
        """Seconds from when a request was due to its answer, of those that were answered."""
        found: Array = (self.done - self.due)[self.status > 0]
        return found

    @property
    def service(self) -> Array:
        """Seconds from when a request was sent to its answer: what a closed loop would have called its latency."""
        found: Array = (self.done - self.sent)[self.status > 0]
        return found

    @property
    def lateness(self) -> Array:
        """Seconds by which the generator itself was late with each request. What a request then waits for a free
        connection is the server's doing, and no part of it.
        """
        found: Array = (self.taken - self.due)[np.isfinite(self.taken)]
        return found

    @property
    def held(self) -> float:
        """The share of requests that found no free connection. Where it is much, the server was never asked as much as
        was due: its clients queued where it could not see them.
        """
        return float((~(self.sent - self.taken <= _AT_ONCE)).mean()) if len(self.due) else 0.0

    @property
    def unsent(self) -> int:
        """Requests that were due and never left: no connection was free in time."""
        return int((~np.isfinite(self.sent)).sum())

    @property
    def shed(self) -> Array:
        """Which requests the server turned away on purpose."""
        found: Array = np.isin(self.status, SHED)
        return found

    def good(self, limit: float) -> Array:
        """Which requests were answered well (200) within `limit` seconds of when they were due."""
        found: Array = (self.status == 200) & (self.done - self.due <= limit)
        return found

    def trusted(self, limit: float) -> bool:
        """Whether the generator kept its own times well enough to judge a server by this limit."""
        late = self.lateness
        return bool(len(late)) and float(np.quantile(late, 0.99)) <= LATE * limit

    def take(self, rows: Array) -> Played:
        """These requests alone; connections and processor seconds are left with the whole."""
        talk = self.talk.take(rows) if self.talk is not None else None
        return Played(**{name: getattr(self, name)[rows] for name in _ARRAYS}, talk=talk)


_ARRAYS = ("due", "taken", "sent", "done", "status", "marks")


def merged(parts: Sequence[Played]) -> Played:
    """The runs of several generators at once, as one."""
    order = np.argsort(np.concatenate([part.due for part in parts]), kind="stable")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in _ARRAYS}
    talks = [part.talk for part in parts if part.talk is not None]
    talk = joined(talks, order) if talks else None
    return Played(**arrays, refused=sum(part.refused for part in parts), cpu=sum(part.cpu for part in parts), talk=talk)
