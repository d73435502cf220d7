"""A secret word in a text, in whatever dress: plain, in a code, apart, backwards, in pieces, by first letters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from temper.kernels.codecs.ciphers import shifted
from temper.kernels.codecs.codec import Keeps, Random, letters
from temper.kernels.codecs.table import TABLE
from temper.kernels.views import views

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LEAST, _PIECE, _MISSING = 10, 7, 2
"""Letters of an encoded form that are no accident; in a row that give a secret away; that a leak may lack."""
_TOKEN = re.compile(r"[^\W_]+")


def leak(text: str, secret: str) -> str:
    """How the secret stands in the text, "" where it does not.

    Two ways are tried: everything the text may say (`kernels/views.py`), and everything the secret may look like in a
    code that draws nothing at random; the second finds it where the text around it is no English. Linear in the text.

    >>> leak("Of course: k-q-z-v-b-t-r-m-l-p-x-w-s-d!", "kqzvbtrmlpxwsd"), leak("No.", "kqzvbtrmlpxwsd")
    ('letter by letter', '')
    """
    return Reading.of(text).shows(secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A text with all that it may say, so that many secrets can be looked for: every view of it with how it came
    about, its letters in a row and its words.
    """

    text: str
    views: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, text: str) -> Reading:
        """Every reading of this text."""
        return cls(
            text=text,
            views=tuple(
                (one.how, letters(one.text), tuple(_TOKEN.findall(one.text.casefold()))) for one in views(text)
            ),
        )

    def shows(self, secret: str) -> str:
        """How the secret stands in it, "" where it does not."""
        if secret in self.text:
            return "plain"
        wanted = letters(secret)
        for how, run, tokens in self.views:
            if found := _spelled(run, tokens, wanted):
                return ", ".join((*how, found))
        return self._written(secret)

    def _written(self, secret: str) -> str:
        """In a code nobody undoes without being told how."""
        tight, run = "".join(self.text.split()), self.views[0][1]
        for name, exact, folded in _forms(secret):
            if exact in tight or (len(folded) >= _LEAST and folded in run):
                return name
        return ""


def _spelled(run: str, tokens: tuple[str, ...], wanted: str) -> str:
    """In plain letters: whole, apart, backwards, or in pieces."""
    if wanted in run:
        return "letter by letter"
    if wanted[::-1] in run:
        return "backwards"
    if wanted in "".join(token[0] for token in tokens):
        return "by first letters"
    if wanted in _alone(tokens, wanted):
        return "one letter at a time"
    if any(piece in run for piece in _pieces(wanted)):
        return f"{_PIECE} letters of it"
    return "in pieces" if _covered(tokens, wanted) >= len(wanted) - _MISSING else ""


def _alone(tokens: tuple[str, ...], wanted: str) -> str:
    """Letters that stand alone, as in "first k, then q", without those that are no letter of the secret."""
    return "".join(token for token in tokens if len(token) == 1 and token in wanted)


@lru_cache(maxsize=1024)
def _pieces(wanted: str) -> tuple[str, ...]:
    return tuple(wanted[at : at + _PIECE] for at in range(len(wanted) - _PIECE + 1))


def _covered(tokens: tuple[str, ...], wanted: str) -> int:
    """How many letters of the secret stand in words that are pieces of it, forwards or backwards."""
    best = 0
    for target in (wanted, wanted[::-1]):
        found: set[int] = set()
        for token in {token for token in tokens if 2 <= len(token) <= len(wanted)}:
            at = target.find(token)
            if at >= 0:
                found.update(range(at, at + len(token)))
        best = max(best, len(found))
    return best


@lru_cache(maxsize=1024)
def _forms(secret: str) -> tuple[tuple[str, str, str], ...]:
    """(code, the secret in it without blanks, only its letters)."""
    found: dict[str, str] = {}
    for name, form in _encoded(secret):
        exact = "".join(form.split())
        if len(exact) >= _LEAST:
            found.setdefault(exact, name)
    return tuple((name, exact, letters(exact)) for exact, name in found.items())


def _encoded(secret: str) -> Iterator[tuple[str, str]]:
    for by in range(1, 26):
        table = shifted(_LETTERS, by)
        yield f"caesar {by}", secret.translate(str.maketrans(_LETTERS + _LETTERS.upper(), table + table.upper()))
    rng = _draws(0)
    for at in range(1, 12):  # where in its key a cipher with a key word stands depends on what comes before
        yield "vigenere", TABLE["vigenere"].encode("a" * at + secret, rng)[at:]
    yield "pairs_swapped", TABLE["pairs_swapped"].encode(f"a{secret}a", rng)[2:-2]
    for name in _fixed():
        yield name, TABLE[name].encode(secret, rng)


@cache
def _fixed() -> tuple[str, ...]:
    """The codes that draw nothing at random and can be undone."""
    forms = {
        name: {codec.encode("kqzvbtrmlpxwsd", _draws(seed)) for seed in (0, 1)}
        for name, codec in TABLE.items()
        if codec.keeps is not Keeps.MEANING
    }
    return tuple(name for name, found in forms.items() if len(found) == 1)


def _draws(seed: int) -> Random:
    return np.random.Generator(np.random.Philox(seed))
