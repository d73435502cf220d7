"""Texts, one by one, in whole characters: a letter with its marks, a joined emoji, a flag."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.text import as_texts
from temper.stress._choice import Level, level

Change = Callable[[str, Level, np.random.Generator], str]
_JOINER = "\u200d"
_TRAILING = {"\u200d", "\ufe0e", "\ufe0f", "\u20e3"}


def rewritten(x: Array, severity: int, levels: Sequence[Level], rng: Draws, change: Change[Level]) -> Array:
    """A copy of texts (n,) after `change(text, level, numbers of its own)`; none of them becomes empty.

    A text of which a change would leave nothing but space stays as it was.
    """
    setting = level(levels, severity)
    texts = _refuse_others(x)
    out = np.empty(len(texts), dtype=object)
    for at, numbers in enumerate(rng.each(np.arange(len(texts)), 0)):
        changed = change(texts[at], setting, numbers) if texts[at] else ""
        out[at] = changed if changed.strip() else texts[at]
    return out


def characters(text: str) -> list[str]:
    """The text in pieces that a reader takes for one character: joined again they are the text.

    >>> [len(piece) for piece in characters("e" + chr(0x301) + "x")]
    [2, 1]
    """
    pieces: list[str] = []
    for char in text:
        if pieces and (_hangs(char) or pieces[-1].endswith(_JOINER) or _completes_flag(pieces[-1], char)):
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


def hit(numbers: np.random.Generator, count: int, share: float) -> Array:
    """Which of `count` things are struck: more of the same ones at a higher share."""
    return numbers.random(count) < share


def _hangs(char: str) -> bool:
    """Whether the character belongs to the one before it: marks, joiners, variants, skin tones."""
    return char in _TRAILING or unicodedata.category(char) in ("Mn", "Mc", "Me") or 0x1F3FB <= ord(char) <= 0x1F3FF


def _completes_flag(piece: str, char: str) -> bool:
    """Whether two regional letters make a flag."""
    return len(piece) == 1 and all(0x1F1E6 <= ord(letter) <= 0x1F1FF for letter in (piece, char))


def _refuse_others(x: Array) -> Array:
    array = np.asarray(x)
    if array.ndim == 1 and len(array) == 0:
        return array
    try:
        texts = as_texts(array)
    except TemperError as error:
        raise Unsupported(error.message, fix=error.fix) from error
    if texts is None:
        raise Unsupported(f"this stressor works on texts (n,), and the input is {array.dtype} of shape {array.shape}")
    return texts
