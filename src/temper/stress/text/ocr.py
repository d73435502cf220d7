"""A scan that was read by a machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.stress.text._text import characters, hit, rewritten

_TAKEN = {
    **{"0": "O", "O": "0", "o": "0", "1": "l", "l": "1", "I": "l", "i": "1", "5": "S", "S": "5", "s": "5", "8": "B"},
    **{"B": "8", "6": "b", "b": "6", "9": "g", "g": "9", "q": "g", "2": "Z", "Z": "2", "z": "2", "e": "c", "c": "e"},
    **{
        "h": "b",
        "n": "ri",
        "u": "ii",
        "m": "rn",
        "d": "cl",
        "w": "vv",
        "t": "f",
        "f": "t",
        "v": "y",
        ".": ",",
        ",": ".",
    },
    **{"rn": "m", "cl": "d", "vv": "w", "ii": "u", "ri": "n"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ocr:
    """Characters taken for others that look alike in print: o for 0, rn for m, l for 1.

    Severity 1-5: 3, 6, 12, 20, 30 % of the places where there is something to confuse, one place after the other.
    Misleads about layout: lines are never joined, split or lost here.
    Source: Rychalska et al., "Models in the wild: on corruption robustness of neural NLP systems", 2019.

    >>> Ocr(levels=(1.0,) * 5).apply(np.array(["10 modem"], object), 5, Draws(0, "ocr")).tolist()
    ['lO rn0clcrn']
    """

    levels: tuple[float, ...] = (0.03, 0.06, 0.12, 0.2, 0.3)

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the texts as a scanner reads them."""
        return rewritten(x, severity, self.levels, rng, _changed)


def _changed(text: str, share: float, numbers: np.random.Generator) -> str:
    pieces = characters(text)
    struck = hit(numbers, len(pieces), share)
    found, at = [], 0
    while at < len(pieces):
        two, one = "".join(pieces[at : at + 2]), pieces[at]
        step = 2 if struck[at] and two in _TAKEN and two != one else 1
        found.append(_TAKEN.get(two if step == 2 else one, one) if struck[at] else one)
        at += step
    return "".join(found)


PLUGIN = Ocr
