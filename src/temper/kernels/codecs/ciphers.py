"""Letters moved or changed by a rule that takes no key, or tries every key it could have."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from string import ascii_lowercase, ascii_uppercase

from temper.kernels.codecs.codec import Codec, attempt, plain

_SHIFT, _KEY = 3, "lemon"
_PRINTED = "".join(map(chr, range(33, 127)))


def shifted(text: str, by: int) -> str:
    """Every letter `by` places on in the alphabet.

    >>> shifted("Zoo", 1)
    'App'
    """
    return text.translate(_shift(by % 26))


@cache
def _shift(by: int) -> dict[int, int]:
    return _table(lambda letters: letters[by:] + letters[:by])


def _table(turn: Callable[[str], str]) -> dict[int, int]:
    both = ascii_lowercase + ascii_uppercase
    return str.maketrans(both, turn(ascii_lowercase) + turn(ascii_uppercase))


def _atbash(text: str) -> str:
    return text.translate(_table(lambda letters: letters[::-1]))


def _rot47(text: str) -> str:
    return text.translate(str.maketrans(_PRINTED, _PRINTED[47:] + _PRINTED[:47]))


def _affine(text: str, times: int, plus: int) -> str:
    return text.translate(_table(lambda letters: "".join(letters[(times * at + plus) % 26] for at in range(26))))


def _vigenere(text: str, sign: int) -> str:
    places = [at for at, letter in enumerate(text) if letter.isascii() and letter.isalpha()]
    found = list(text)
    for at, key in enumerate(_KEY):
        mine = places[at :: len(_KEY)]
        moved = shifted("".join(text[place] for place in mine), sign * ascii_lowercase.index(key))
        for place, letter in zip(mine, moved, strict=True):
            found[place] = letter
    return "".join(found)


def _rails(length: int) -> list[int]:
    """The order in which a rail fence of three rails takes the letters."""
    return [*range(0, length, 4), *range(1, length, 2), *range(2, length, 4)]


def _fenced(text: str) -> str:
    return "".join(text[at] for at in _rails(len(text)))


def _unfenced(text: str) -> str:
    found = [""] * len(text)
    for sign, at in zip(text, _rails(len(text)), strict=True):
        found[at] = sign
    return "".join(found)


def _words_reversed(text: str) -> str:
    return " ".join(text.split(" ")[::-1])


def _each_word_reversed(text: str) -> str:
    return " ".join(word[::-1] for word in text.split(" "))


def _pairs_swapped(text: str) -> str:
    return "".join(text[at : at + 2][::-1] for at in range(0, len(text), 2))


def _interleaved(text: str) -> str:
    """The even places, then the odd ones."""
    return text[::2] + text[1::2]


def _uninterleaved(text: str) -> str:
    half = (len(text) + 1) // 2
    found = [""] * len(text)
    found[::2], found[1::2] = text[:half], text[half:]
    return "".join(found)


def _code(name: str, encode: Callable[[str], str], decode: Callable[[str], str]) -> Codec:
    return Codec(name=name, encode=plain(encode), decode=attempt(decode))


CODECS = (
    _code("rot13", lambda text: shifted(text, 13), lambda text: shifted(text, 13)),
    _code("caesar", lambda text: shifted(text, _SHIFT), lambda text: shifted(text, -_SHIFT)),
    _code("rot47", _rot47, _rot47),
    _code("atbash", _atbash, _atbash),
    _code("affine", lambda text: _affine(text, 5, 8), lambda text: _affine(text, 21, -168)),
    _code("vigenere", lambda text: _vigenere(text, 1), lambda text: _vigenere(text, -1)),
    _code("rail_fence", _fenced, _unfenced),
    _code("reversed", lambda text: text[::-1], lambda text: text[::-1]),
    _code("words_reversed", _words_reversed, _words_reversed),
    _code("each_word_reversed", _each_word_reversed, _each_word_reversed),
    _code("pairs_swapped", _pairs_swapped, _pairs_swapped),
    _code("interleaved", _interleaved, _uninterleaved),
)
