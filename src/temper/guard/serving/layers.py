"""The layers of a guard, each asked about one row by itself: nobody's trail, quota or record hears of it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.probe import Told
from temper.core.serving import Mode, Scoring
from temper.core.stage import Decision, Level
from temper.guard.serving import parts
from temper.guard.serving.assembled import TableGuard
from temper.guard.serving.pipeline import Layer, grey, said

Array = np.ndarray[Any, Any]
_ALONE = "it judges what a client asks again and again, not a row"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layers:
    """Those that judge rows, `before` and `after` the model has; what judges a client is only named."""

    guard: TableGuard
    before: tuple[Layer, ...]
    after: tuple[Layer, ...]

    @staticmethod
    def of(guard: TableGuard) -> Layers:
        """The layers that are not off."""
        names = (parts.before(guard.serving), parts.after(guard.serving))
        before, after = (guard.layers(some, guard.stage) for some in names)
        return Layers(guard=guard, before=before, after=after)

    def told(self, row: Array, scores: Array) -> Iterator[Told]:
        """What each says of the row with this score, whatever those before it said."""
        at = time.monotonic()
        asked = Scoring(rows=row[None], client="", request="", at=at, deadline=math.inf)
        for name in parts.EACH:
            if self.guard.mode(name) is not Mode.OFF:
                yield Told(stage=name, mode="aside", level="ALLOW", reason=_ALONE)
        for name, mode, stage in self.before:
            yield _told(name, mode, said(stage, asked))
        asked.scores = scores
        for name, mode, stage in self.after:
            yield _told(name, mode, said(stage, asked))
        if self.guard.review is not None:
            undecided = Decision(level=Level.REVIEW, reason="the score is undecided")
            found = undecided if any(grey(asked, self.guard.review)) else Decision(level=Level.ALLOW)
            yield _told("decide", self.guard.mode("decide"), found)


def _told(name: str, mode: Mode, found: Decision) -> Told:
    return Told(stage=name, mode=mode.value, level=found.level.name, reason=found.reason)
