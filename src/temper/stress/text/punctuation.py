"""Spaces and stops in the wrong place."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.stress.text._text import characters, hit, rewritten


@dataclass(frozen=True, slots=True, kw_only=True)
class Punctuation:
    """Spaces lost, doubled or turned into tabs and line ends; punctuation lost or doubled.

    Severity 1-5: 5, 10, 20, 35, 50 % of the spaces and punctuation marks.
    Misleads for scripts that write without spaces: there is little to strike.
    Source: Ribeiro et al., "Beyond accuracy: behavioral testing of NLP models with CheckList", 2020.

    >>> Punctuation(levels=(1.0,) * 5).apply(np.array(["a, b, c"], object), 5, Draws(0, "stops"))[0] != "a, b, c"
    True
    """

    levels: tuple[float, ...] = (0.05, 0.1, 0.2, 0.35, 0.5)

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the texts with other spaces and stops."""
        return rewritten(x, severity, self.levels, rng, _changed)


def _changed(text: str, share: float, numbers: np.random.Generator) -> str:
    pieces = characters(text)
    struck, ways = hit(numbers, len(pieces), share), numbers.random(len(pieces))
    return "".join(
        _misplaced(one, way) if strike else one for one, strike, way in zip(pieces, struck, ways, strict=True)
    )


def _misplaced(char: str, way: float) -> str:
    if char.isspace():
        return ("", char * 2, char * 3, "\t", "\n", "\u00a0")[int(way * 6)]
    if unicodedata.category(char[0]).startswith("P") and len(char) == 1:
        return ("", char * 2, char * 3, f" {char}", f"{char} ")[int(way * 5)]
    return char


PLUGIN = Punctuation
