"""Text that a person does not see: tag characters, zero-width bits, variation selectors, marks on every letter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from temper.kernels.codecs.codec import Codec, Keeps, Random, attempt, bytes_of, plain

_COVER = "Good morning."
_ZERO, _ONE = "\u200b", "\u200c"
_MARKS = [chr(point) for point in range(0x0300, 0x0330)]

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""Characters that show nothing, and those that turn the order of others round."""
FOREIGN = re.compile("[^\x00-\x7f]+")
"""Where a large class of characters is worth looking for: this one range is found ten times as fast."""


def bare(text: str) -> str:
    """Without characters that show nothing and without marks on letters.

    >>> bare("ig\\u200bno\\u0301re")
    'ignore'
    """
    seen = unicodedata.normalize("NFD", INVISIBLE.sub("", text))
    return unicodedata.normalize("NFC", FOREIGN.sub(lambda found: _marks().sub("", found[0]), seen))


@cache
def _marks() -> re.Pattern[str]:
    """Every mark that is put on the letter before it; a class of characters is faster than a table of them."""
    return re.compile(
        "[" + "".join(sign for sign in map(chr, range(0x300, 0x1F000)) if unicodedata.combining(sign)) + "]"
    )


def _tags(text: str) -> str:
    return "".join(chr(0xE0000 + byte) for byte in bytes_of(text))


def _untagged(text: str) -> bytes:
    return _some(bytes(ord(sign) - 0xE0000 for sign in text if 0xE0000 <= ord(sign) < 0xE0100))


def _selectors(text: str) -> str:
    return "".join(chr(0xFE00 + byte) if byte < 16 else chr(0xE0100 + byte - 16) for byte in bytes_of(text))


def _unselected(text: str) -> bytes:
    points = [ord(sign) for sign in text]
    low = {point: point - 0xFE00 for point in points if 0xFE00 <= point < 0xFE10}
    high = {point: point - 0xE0100 + 16 for point in points if 0xE0100 <= point < 0xE01F0}
    both = low | high
    return _some(bytes(both[point] for point in points if point in both))


def _bits(text: str, zero: str, one: str) -> str:
    return "".join(one if bit == "1" else zero for byte in bytes_of(text) for bit in f"{byte:08b}")


def _unbits(text: str, zero: str, one: str) -> bytes:
    bits = "".join("1" if sign == one else "0" for sign in text if sign in (zero, one))
    return _some(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8)))


def _some(raw: bytes) -> bytes:
    if not raw:
        raise ValueError("nothing hidden")
    return raw


def _between(sign: str) -> Callable[[str], str]:
    return lambda text: sign.join(text)


def _turned(text: str) -> str:
    return f"\u202e{text[::-1]}\u202c"


def _unturned(text: str) -> str:
    return re.sub("\u202e([^\u202c]*)\u202c?", lambda m: m[1][::-1], text)


def _marked(text: str, rng: Random) -> str:
    found = []
    for sign in text:
        found.append(sign)
        if sign.isalpha():
            found += [_MARKS[at] for at in rng.integers(len(_MARKS), size=int(rng.integers(1, 4)))]
    return "".join(found)


CODECS = (
    Codec(name="tags", encode=plain(lambda text: _COVER + _tags(text)), decode=attempt(_untagged)),
    Codec(name="selectors", encode=plain(lambda text: _COVER + _selectors(text)), decode=attempt(_unselected)),
    Codec(
        name="zero_width_bits",
        encode=plain(lambda text: _COVER + _bits(text, _ZERO, _ONE)),
        decode=attempt(lambda text: _unbits(text, _ZERO, _ONE)),
    ),
    Codec(
        name="sneaky_bits",
        encode=plain(lambda text: _COVER + _bits(text, "\u2062", "\u2064")),
        decode=attempt(lambda text: _unbits(text, "\u2062", "\u2064")),
    ),
    *(
        Codec(name=name, encode=plain(_between(sign)), decode=bare, keeps=Keeps.LETTERS, readable=True)
        for name, sign in (("zero_width", "\u200b"), ("soft_hyphen", "\u00ad"), ("joiners", "\u2060"))
    ),
    Codec(name="right_to_left", encode=plain(_turned), decode=attempt(_unturned), readable=True),
    Codec(name="zalgo", encode=_marked, decode=bare, keeps=Keeps.LETTERS, readable=True),
)
