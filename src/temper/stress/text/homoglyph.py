"""Letters of another alphabet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.text import HOMOGLYPHS
from temper.stress.text._text import characters, hit, rewritten


@dataclass(frozen=True, slots=True, kw_only=True)
class Homoglyph:
    """Latin letters replaced by those of another alphabet that look the same, as after copying from a document.

    Severity 1-5: 2, 5, 10, 20, 40 % of the letters that have a look-alike. A letter with a mark keeps its own.
    Misleads where texts are normalised against look-alikes before the model sees them.
    Source: Unicode Technical Standard 39, "Unicode security mechanisms" (confusables).

    >>> Homoglyph().apply(np.array(["ace" * 40], object), 5, Draws(0, "glyph"))[0].isascii()
    False
    """

    levels: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.4)

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the texts that looks the same."""
        return rewritten(x, severity, self.levels, rng, _changed)


def _changed(text: str, share: float, numbers: np.random.Generator) -> str:
    letters = characters(text)
    struck = hit(numbers, len(letters), share)
    return "".join(HOMOGLYPHS.get(one, one) if strike else one for one, strike in zip(letters, struck, strict=True))


PLUGIN = Homoglyph
