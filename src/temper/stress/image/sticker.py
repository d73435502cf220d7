"""Stickers on the sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress.image._picture import painted, tinted

_COLOURS = ((0.05, 0.05, 0.05), (0.95, 0.95, 0.95), (0.95, 0.85, 0.1), (0.85, 0.1, 0.1), (0.1, 0.3, 0.8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sticker:
    """Small squares in a plain colour, stuck on the middle of every picture where the sign is.

    Severity 1-5 (number, side as a share of the picture's): (1, 0.12), (2, 0.12), (3, 0.14), (4, 0.16), (5, 0.18).
    Misleads as a bound: they lie where chance puts them. What an attacker does with a sticker is `evasion.patch`.
    Source: Eykholt et al., "Robust physical-world attacks on deep learning visual classification", 2018 (stickers on
    signs); severities are Temper's own.

    >>> x = Sticker().apply(np.full((1, 3, 32, 32), 0.5), 1, Draws(0, "sticker"))
    >>> int((x != 0.5).any(axis=1).sum())
    16
    """

    levels: tuple[tuple[int, float], ...] = ((1, 0.12), (2, 0.12), (3, 0.14), (4, 0.16), (5, 0.18))
    schema: Schema | None = None

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the pictures with stickers on them."""

        def paint(unit: Array, rows: Array, setting: tuple[int, float]) -> Array:
            count, share = setting
            high, wide = unit.shape[2:]
            side = max(1, round(share * min(high, wide)))
            row, column = np.mgrid[:high, :wide]
            out = unit.copy()
            for turn in range(count):
                chance = rng.uniform(rows, turn, (3, 1, 1))
                top, left = (np.round((0.2 + 0.6 * chance[:, i]) * (edge - side)) for i, edge in ((0, high), (1, wide)))
                on = (row >= top) & (row < top + side) & (column >= left) & (column < left + side)
                which = (chance[:, 2] * len(_COLOURS)).astype(np.int64)[:, 0, 0]
                colour = np.stack([tinted(np.float32(1.0), _COLOURS[i], unit.shape[1])[0] for i in which])
                out = np.where(on[:, None], colour, out)
            return out

        return painted(x, self.schema, severity, self.levels, self.levels, paint)


PLUGIN = Sticker
