"""A target with a fault in front of it, in this process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from temper.chaos.effect import Effect
from temper.chaos.injector import Injector
from temper.core.data import Array
from temper.core.target import ScoreKind
from temper.targets._wrapper import Alike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Faulty(Alike):
    """`inner` as long as the injector does nothing. Faults of the wire become what a client of a remote model sees:
    waiting, `ConnectionError` where the line breaks or the status is no success, `ValueError` where the answer cannot
    be read. One that hangs comes back when the fault is over.

    What an answer's fields say is no part of a target: a fault that changes only those does nothing here.
    """

    injector: Injector
    client: str = ""
    sleep: Callable[[float], None] = time.sleep

    def scores(self, x: Array) -> Array:
        """The inner target's, or what the fault makes of them."""
        effect = self.injector.meet(self.client)
        self._before(effect)
        scores = np.asarray(self.inner.scores(x))
        if effect.body is not None:
            raise ValueError(f"the answer is no JSON: {effect.body[:40]!r}")
        if effect.reset:
            raise ConnectionResetError("the line was reset in the middle of the answer")
        if effect.part < 1:
            raise ValueError("the answer ended too early")
        return self._answered(scores)

    def _before(self, effect: Effect) -> None:
        if effect.wait or effect.hang:
            self.sleep(self.injector.left if effect.hang else effect.wait)
        if effect.refuse:
            raise ConnectionRefusedError("nobody answers")
        if effect.status:
            raise ConnectionError(f"status {effect.status}")

    def _answered(self, scores: Array) -> Array:
        if self.kind is not ScoreKind.PROBABILITIES or scores.shape[1:] != (2,):
            return self.injector.answer(scores, self.client)
        second = self.injector.answer(scores[:, 1], self.client)
        if np.array_equal(second, scores[:, 1]):
            return scores
        first = np.where(np.isfinite(second), 1.0 - second, math.nan)
        return np.column_stack([first, second])
