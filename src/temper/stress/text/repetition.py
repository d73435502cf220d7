"""A stuck key, a message sent twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.text import units
from temper.stress.text._text import hit, rewritten


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """Words that stand there two to four times.

    Severity 1-5: 5, 10, 20, 30, 45 % of the words.
    Misleads where repeated messages are dropped before the model sees them.
    Source: Rychalska et al., "Models in the wild: on corruption robustness of neural NLP systems", 2019.

    >>> Repetition(levels=(1.0,) * 5).apply(np.array(["go"], object), 5, Draws(0, "again"))[0].replace("go", "").strip()
    ''
    """

    levels: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.45)

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the texts that repeats itself."""
        return rewritten(x, severity, self.levels, rng, _changed)


def _changed(text: str, share: float, numbers: np.random.Generator) -> str:
    pieces = units(text)
    struck = hit(numbers, len(pieces), share)
    more = 1 + (numbers.random(len(pieces)) * 3).astype(int)
    return "".join(
        f"{piece.rstrip()} " * count + piece if strike and piece.strip() else piece
        for piece, strike, count in zip(pieces, struck, more, strict=True)
    )


PLUGIN = Repetition
