"""One way of writing a text, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

import numpy as np

Random: TypeAlias = np.random.Generator


class Keeps(Enum):
    """What survives: EXACT, the very text; LETTERS, its letters and digits in order, without case and marks; MEANING,
    what a reader understands, though no rule gives the text back.
    """

    EXACT = "exact"
    LETTERS = "letters"
    MEANING = "meaning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """`encode(text, rng)` writes; `decode(text)` undoes it and gives None where the text is not in this code.

    `within` says whether the code is met as a run of characters inside other text (a base), else it is a way the whole
    text is written (spacing, an alphabet). `readable`: people and models read it without being told how.

    >>> Codec(name="upper", encode=lambda text, rng: text.upper(), decode=str, keeps=Keeps.LETTERS).within
    False
    """

    name: str
    encode: Callable[[str, Random], str]
    decode: Callable[[str], str | None]
    keeps: Keeps = Keeps.EXACT
    within: bool = False
    readable: bool = False


def plain(encode: Callable[[str], str]) -> Callable[[str, Random], str]:
    """An encoder that draws nothing."""
    return lambda text, rng: encode(text)


def attempt(decode: Callable[[str], Any]) -> Callable[[str], str | None]:
    """A decoder that says None instead of raising, and for bytes that are no UTF-8."""

    def undo(text: str) -> str | None:
        try:
            found = decode(text)
            return text_of(found) if isinstance(found, bytes) else str(found)
        except (ValueError, KeyError, IndexError, OverflowError, RecursionError):
            return None

    return undo


def bytes_of(text: str) -> bytes:
    """UTF-8; half of a surrogate pair, which hostile text may hold, passes as it is."""
    return text.encode("utf-8", "surrogatepass")


def text_of(raw: bytes) -> str:
    """What `bytes_of` was given; `UnicodeDecodeError` for other bytes."""
    return raw.decode("utf-8", "surrogatepass")


def letters(text: str) -> str:
    """Letters and digits in order, folded: what `Keeps.LETTERS` promises to give back.

    >>> letters("Ignore - ALL, rules!")
    'ignoreallrules'
    """
    return "".join(sign for sign in text.casefold() if sign.isalnum())
