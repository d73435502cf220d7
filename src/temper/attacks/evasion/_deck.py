"""Random numbers of many coming steps, dealt one step at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.seed import Draws

Rows = np.ndarray[Any, Any]
_HELD, _AHEAD = 2**18, 64


@dataclass(slots=True, kw_only=True, eq=False)
class Deck:
    """The uniform numbers that `rng.uniform(rows, 3 * step + part, (width,))` gives, on the host, drawn ahead: a search
    of thousands of small steps would spend as long on drawing as on asking.

    >>> rng, rows = Draws(0, "evasion.square"), np.array([2, 5])
    >>> deck = Deck(rng=rng, part=1, width=2)
    >>> _ = deck.deal(np.arange(9), 3)
    >>> bool((deck.deal(rows, 4) == rng.uniform(rows, 13, (2,))).all())
    True
    """

    rng: Draws
    part: int
    width: int
    _rows: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _first: int = 0
    _drawn: Rows = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def deal(self, rows: Rows, step: int) -> Rows:
        """Numbers (len(rows), width) of this step; `rows` rise."""
        at = np.searchsorted(self._rows, rows)
        ahead = self._drawn.shape[1]
        held = 0 <= step - self._first < ahead and at[-1:].max(initial=0) < len(self._rows)
        if not held or not np.array_equal(self._rows[at], rows):
            self._draw(rows, step)
            at = np.arange(len(rows))
        dealt: Rows = self._drawn[at, step - self._first]
        return dealt

    def _draw(self, rows: Rows, step: int) -> None:
        ahead = int(np.clip(_HELD // max(len(rows) * self.width, 1), 1, _AHEAD))
        steps = np.tile(3 * (step + np.arange(ahead)) + self.part, len(rows))
        drawn = self.rng.uniform(np.repeat(rows, ahead), steps, (self.width,))
        self._rows, self._first = rows.copy(), step
        self._drawn = drawn.reshape((len(rows), ahead, self.width))
