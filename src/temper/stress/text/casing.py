"""Shouting and whispering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.text import units
from temper.stress.text._text import hit, rewritten


@dataclass(frozen=True, slots=True, kw_only=True)
class Casing:
    """Words in capitals, in small letters, or in both by turns.

    Severity 1-5: 10, 25, 50, 75, 100 % of the words, each in a way of its own.
    Misleads for scripts without capitals, which it leaves as they are.
    Source: Ribeiro et al., "Beyond accuracy: behavioral testing of NLP models with CheckList", 2020.

    >>> Casing().apply(np.array(["one two three"], object), 5, Draws(0, "case"))[0].lower()
    'one two three'
    """

    levels: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 1.0)

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the texts in other cases."""
        return rewritten(x, severity, self.levels, rng, _changed)


def _changed(text: str, share: float, numbers: np.random.Generator) -> str:
    pieces = units(text)
    struck = hit(numbers, len(pieces), share)
    ways = (numbers.random(len(pieces)) * 3).astype(int)
    return "".join(
        _cased(piece, way) if strike else piece for piece, strike, way in zip(pieces, struck, ways, strict=True)
    )


def _cased(word: str, way: int) -> str:
    if way < 2:
        small = word.islower() if way else not word.isupper()
        return word.upper() if small else word.lower()
    return "".join(char.upper() if at % 2 else char.lower() for at, char in enumerate(word))


PLUGIN = Casing
