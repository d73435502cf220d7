"""A text disturbed a little, as hasty typing disturbs it; places for tokens stay as they are."""

from __future__ import annotations

import re

import numpy as np

_PLACE = re.compile(r"(\{\w+\})")
_SCRAMBLE, _CAPITAL, _NOISE = 0.6, 0.6, 0.06


def augmented(text: str, strength: float, gen: np.random.Generator) -> str:
    """Inner letters of words swapped, letters' case changed, signs moved by one, each with a chance that grows with
    `strength` in [0, 1]; 0 leaves the text alone.

    >>> augmented("Pay {account} now", 0.0, np.random.Generator(np.random.Philox(1)))
    'Pay {account} now'
    """
    parts = _PLACE.split(text)
    return "".join(part if _PLACE.fullmatch(part) else _disturbed(part, strength, gen) for part in parts)


def _disturbed(text: str, strength: float, gen: np.random.Generator) -> str:
    words = [
        _scrambled(word, gen) if len(word) > 3 and gen.random() < _SCRAMBLE * strength**2 else word
        for word in text.split(" ")
    ]
    signs = list(" ".join(words))
    turned, moved = gen.random(len(signs)) < _CAPITAL * strength, gen.random(len(signs)) < _NOISE * strength**2
    return "".join(_sign(sign, *marks) for sign, *marks in zip(signs, turned, moved, strict=True))


def _scrambled(word: str, gen: np.random.Generator) -> str:
    inner = list(word[1:-1])
    return word[0] + "".join(inner[at] for at in gen.permutation(len(inner))) + word[-1]


def _sign(sign: str, turned: bool, moved: bool) -> str:
    if moved and " " < sign < "}":
        sign = chr(ord(sign) + 1)
    return sign.swapcase() if turned else sign
