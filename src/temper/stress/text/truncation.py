"""A field that is too short."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.stress.text._text import characters, rewritten


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncation:
    """The end of every text cut off, between two characters.

    Severity 1-5: 90, 75, 60, 40, 20 % of the characters stay, at least one. Misleads where only long texts are cut:
    here short ones lose their share too.
    Source: Schelter, Rukat & Biessmann, "JENGA: a framework to study the impact of data errors on the predictions of
    machine learning models", 2021.

    >>> Truncation().apply(np.array(["0123456789"], object), 3, Draws(0, "cut")).tolist()
    ['012345']
    """

    levels: tuple[float, ...] = (0.9, 0.75, 0.6, 0.4, 0.2)

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the texts, cut; nothing about it is random."""
        return rewritten(x, severity, self.levels, rng, _changed)


def _changed(text: str, share: float, numbers: np.random.Generator) -> str:
    pieces = characters(text)
    return "".join(pieces[: max(1, int(share * len(pieces)))])


PLUGIN = Truncation
