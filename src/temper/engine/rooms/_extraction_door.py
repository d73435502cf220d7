"""The thief's door to an endpoint that may stop, fail on some rows, or change while it is asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.errors import RunStopped
from temper.core.target import ScoreKind, Target
from temper.targets._array import to_numpy

Rows = np.ndarray[Any, Any]

_AT_ONCE, _AGAIN = 256, 20
_FAILURES, _SHARE = 20, 0.1
_RELATIVE, _ABSOLUTE = 1e-3, 1e-4  # as far as a sound model's answer may depend on the rows beside it


class Door:
    """Charges every row, in pieces, and goes on where an answer fails: NaN, as beyond the budget.

    `spent` counts the rows paid for, those it failed on and those asked again included; `stopped` says why nothing is
    answered any more, "" while it is.
    """

    def __init__(self, target: Target, queries: int) -> None:
        self._target, self._left = target, queries
        self._width = 1 if target.kind in (ScoreKind.MARGIN, ScoreKind.VALUE) else max(target.classes, 1)
        self._x: list[Rows] = []
        self._said: list[Rows] = []
        self.spent, self.failed, self.stopped = 0, 0, ""

    def scores(self, x: Any) -> Rows:
        """Scores (n, k); NaN beyond the budget, where the target failed, and after it stopped."""
        x = np.array(x)  # a copy: whoever asks may go on with the same array
        pieces = [self._piece(x[at : at + _AT_ONCE]) for at in range(0, len(x), _AT_ONCE)]
        said = np.concatenate(pieces) if pieces else np.empty((0, self._width))
        self._x.append(x)
        self._said.append(said)
        return said

    def changed(self) -> str:
        """Asks a few of the answered rows again, evenly from first to last; says so where the answers are others."""
        if self._target.stochastic or self.stopped or not self._x:
            return ""
        x, said = np.concatenate(self._x), np.concatenate(self._said)
        answered = np.flatnonzero(~np.isnan(said).any(axis=1))
        rows = answered[np.unique(np.linspace(0, len(answered) - 1, min(_AGAIN, len(answered))).astype(int))]
        now = heard(self._target, x[rows])
        self.spent += len(rows)
        other = ~np.isclose(now, said[rows], rtol=_RELATIVE, atol=_ABSOLUTE).all(axis=1)
        if not other.any():
            return ""
        last = int(rows[np.flatnonzero(other)[-1]]) + 1
        return (
            f"the model changed while it was asked: {other.sum()} of {len(rows)} rows asked again have other answers, "
            f"the last of them was query {last:,}"
        )

    def _piece(self, x: Rows) -> Rows:
        paid = 0 if self.stopped else min(len(x), self._left)
        said = self._paid(x[:paid])
        return np.concatenate([said, np.full((len(x) - paid, self._width), np.nan)])

    def _paid(self, x: Rows) -> Rows:
        """Scores of rows there is budget for; where the target fails, halve until the failing rows stand alone."""
        lost = np.full((len(x), self._width), np.nan)
        if self.stopped or not len(x):
            return lost
        try:
            said = to_numpy(self._target.scores(x)).astype(float)
        except RunStopped as stop:
            self.stopped = stop.message
            return lost
        except (Exception, SystemExit) as crash:  # a model may raise anything: the other rows are asked without
            if len(x) > 1:
                half = len(x) // 2
                return np.concatenate([self._paid(x[:half]), self._paid(x[half:])])
            said = lost
            self._fail(f"{type(crash).__name__}: {crash}"[:200])
        self._left, self.spent = self._left - len(x), self.spent + len(x)
        return np.where(np.isfinite(said).all(axis=1, keepdims=True), said, np.nan)

    def _fail(self, reason: str) -> None:
        self.failed += 1
        if self.failed >= _FAILURES and self.failed > _SHARE * self.spent:
            self.stopped = f"it failed on {self.failed} rows, the last time with {reason}"


def heard(target: Target, x: Any) -> Rows:
    """What the target says (n, k) to whoever is not charged; NaN where it fails or no longer answers."""
    return Door(target, len(x)).scores(x)
