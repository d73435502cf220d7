"""Fast fingers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.text import word_spans
from temper.stress.text._text import characters, hit, rewritten

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEAR = {
    key: "".join(
        other
        for down, line in enumerate(_KEYS)
        for right, other in enumerate(line)
        if other != key and abs(down - i) <= 1 and abs(right - j) <= 1
    )
    for i, keys in enumerate(_KEYS)
    for j, key in enumerate(keys)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Typo:
    """Typing errors, one per word: a neighbouring key, two letters swapped, one lost, one doubled.

    Severity 1-5: 5, 10, 20, 30, 45 % of the words of three letters and more. Neighbours are those of a QWERTY keyboard;
    letters of other scripts are swapped, lost and doubled only.
    Misleads where people type on a telephone that corrects them: its errors are whole words.
    Source: Belinkov & Bisk, "Synthetic and natural noise both break neural machine translation", 2018.

    >>> Typo().apply(np.array(["hello there again"], object), 5, Draws(0, "typo")).shape
    (1,)
    """

    levels: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.45)

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of the texts as typed in haste."""
        return rewritten(x, severity, self.levels, rng, _changed)


def _changed(text: str, share: float, numbers: np.random.Generator) -> str:
    spans = word_spans(text)
    struck = hit(numbers, len(spans), share)
    chance = numbers.random((len(spans), 3))
    pieces, last = [], 0
    for (start, end), strike, draw in zip(spans, struck, chance, strict=True):
        word = text[start:end]
        pieces += [text[last:start], _mistyped(word, draw) if strike else word]
        last = end
    return "".join([*pieces, text[last:]])


def _mistyped(word: str, chance: Array) -> str:
    """The word with one error; words of one or two letters are typed well."""
    letters = characters(word)
    if len(letters) < 3:
        return word
    at = int(chance[0] * (len(letters) - 1))
    kind = int(chance[1] * 4)
    near = _NEAR.get(letters[at].lower(), "")
    if kind == 0 and near:
        key = near[int(chance[2] * len(near))]
        letters[at] = key.upper() if letters[at].isupper() else key
    elif kind == 1:
        del letters[at]
    elif kind == 2:
        letters.insert(at, letters[at])
    else:
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)


PLUGIN = Typo
