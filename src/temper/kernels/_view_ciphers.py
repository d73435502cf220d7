"""Pieces of a text whose letters were changed or moved: every substitution at once, as sums over pairs of letters."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np

from temper.kernels._view_runs import decoded, odd_words
from temper.kernels.codecs.ciphers import shifted
from temper.kernels.codecs.table import codec
from temper.kernels.english import frequent, letters_of, pairs, reading

Vector = np.ndarray[Any, Any]

_LEAST, _MOVED_LEAST, _MOVED_READS, _PROSE = 0.35, 0.1, 0.3, 0.9
"""How much more like English, in nats a pair, a piece has to read before it counts as undone; and what is prose."""
_COMMON = 0.2
"""The share of frequent words in prose, in whatever order they stand."""
_LEAST_LETTERS, _LINE, _PIECE, _TRIED, _LOOK = 12, 30, 4_000, 2, 160
"""Letters of a piece worth a try, of one that cannot be chance, its longest, how many pieces of one text are tried for
moved letters, and how far a code is looked for under a cipher."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SUBSTITUTIONS: tuple[tuple[str, str], ...] = (
    *(("rot13" if by == 13 else f"caesar {26 - by}", shifted(_LETTERS, by)) for by in range(1, 26)),
    ("atbash", _LETTERS[::-1]),
    ("affine", codec("affine").decode(_LETTERS) or _LETTERS),
)
_MOVED = ("reversed", "each_word_reversed", "rail_fence", "pairs_swapped", "interleaved", "rot47", "vigenere")
_CUT = re.compile(r"(\n+|[\"“”]\s?|:\s)")


def deciphered(text: str) -> tuple[str, str] | None:
    """(ciphers, the text with the pieces that read better under them put right), None where no piece does."""
    pieces = _CUT.split(text)
    better = {at: found for at in range(0, len(pieces), 2) if (found := _backwards(pieces[at]))}
    unread = [
        at for at in range(0, len(pieces), 2) if len(pieces[at]) >= _LEAST_LETTERS and frequent(pieces[at]) < _COMMON
    ]
    tried = _better([pieces[at] for at in unread]) if unread else []
    better |= {at: found for at, found in zip(unread, tried, strict=True) if found[0]}
    if not better:
        return None
    read = (better[at][1] if at in better else piece for at, piece in enumerate(pieces))
    return "+".join(sorted({name for name, _ in better.values()})), "".join(read)


def _backwards(piece: str) -> tuple[str, str] | None:
    """A sentence whose last word begins it: the only one that is written large."""
    before, _, last = piece.strip().rpartition(" ")
    if not (last[:1].isupper() and last[1:].islower() and before.islower() and before.count(" ") >= 3):
        return None
    return "words_reversed", codec("words_reversed").decode(piece) or piece


def _better(pieces: list[str]) -> list[tuple[str, str]]:
    """For each piece (cipher, what it says) where that reads clearly more like English, else ("", the piece)."""
    found = [("", piece) for piece in pieces]
    letters = [letters_of(piece) for piece in pieces]
    counts = np.array([len(own) if len(piece) <= _PIECE else 0 for own, piece in zip(letters, pieces, strict=True)])
    values = _all_readings(letters)
    now, best, most = values[:, 0], values[:, 1:].argmax(axis=1), values[:, 1:].max(axis=1)
    unread = (counts >= _LEAST_LETTERS) & (now <= _PROSE)
    changed = unread & (most > np.maximum(0.0, now + _LEAST + 2.0 / np.maximum(counts, 1)))
    for at in np.flatnonzero(changed):
        name, alphabet = _SUBSTITUTIONS[best[at]]
        if _says(inner := _substituted(pieces[at], alphabet)):
            found[at] = name, inner
    for at in sorted(np.flatnonzero(unread & ~changed), key=lambda at: -counts[at])[:_TRIED]:
        found[at] = _moved(pieces[at], float(now[at]), int(counts[at]))
    if not any(name for name, _ in found):
        longest = max(range(len(pieces)), key=lambda place: len(pieces[place]))
        found[longest] = _over_a_code(pieces[longest])
    return found


def _moved(piece: str, now: float, letters: int) -> tuple[str, str]:
    tried = [(name, codec(name).decode(piece) or piece) for name in _MOVED]
    value, name, inner = max((reading(letters_of(inner)), name, inner) for name, inner in tried)
    better = value > max(_MOVED_READS, now + _MOVED_LEAST + 2.0 / letters)
    return (name, inner) if better and _says(inner) else ("", piece)


def _says(text: str) -> bool:
    """Whether enough was undone to tell it from chance: a line of letters, or fewer with frequent words among them."""
    letters = len(letters_of(text))
    return letters >= _LINE or (letters >= _LEAST_LETTERS and frequent(text) > 0.0)


def _over_a_code(piece: str) -> tuple[str, str]:
    """A cipher of something that is no language itself, but a code that can be read once the cipher is undone."""
    if not _no_language(piece) or len(piece) > _PIECE or next(decoded(piece[:_LOOK]), None):
        return "", piece
    for name, alphabet in _SUBSTITUTIONS:
        if next(decoded(_substituted(piece[:_LOOK], alphabet)), None):
            return name, _substituted(piece, alphabet)
    for name in _MOVED:
        inner = codec(name).decode(piece) or piece
        if next(decoded(inner[:_LOOK]), None):
            return name, inner
    return "", piece


def _substituted(piece: str, alphabet: str) -> str:
    return piece.translate(str.maketrans(_LETTERS + _LETTERS.upper(), alphabet + alphabet.upper()))


def _no_language(piece: str) -> bool:
    """Whether most of it stands in odd long words, or is digits and marks."""
    signs, letters = sum(map(str.isalnum, piece)), sum(map(str.isalpha, piece))
    if len(piece) < _LEAST_LETTERS or 2 * signs < len(piece):
        return False
    return 2 * letters < len(piece) or 2 * sum(map(len, odd_words(piece))) > len(piece)


def _all_readings(letters: list[Vector]) -> Vector:
    """(pieces, 1 + substitutions): how each piece reads as it stands and under each substitution."""
    sums = np.zeros((len(letters), 1 + len(_SUBSTITUTIONS)))
    long = [at for at, own in enumerate(letters) if len(own) >= 2]
    if long:
        steps = [letters[at][:-1] * 26 + letters[at][1:] for at in long]
        starts = np.cumsum([0, *(len(step) for step in steps[:-1])])
        lengths = np.array([len(step) for step in steps])
        sums[long] = np.add.reduceat(_table()[np.concatenate(steps)], starts, axis=0) / lengths[:, None]
    return sums


@cache
def _table() -> Vector:
    """(676, 1 + substitutions): what each pair of letters counts under each alphabet, the plain one first."""
    alphabets = np.array(
        [[ord(sign) - 97 for sign in alphabet] for alphabet in (_LETTERS, *(a for _, a in _SUBSTITUTIONS))]
    )
    return np.ascontiguousarray(pairs()[alphabets[:, :, None], alphabets[:, None, :]].reshape(len(alphabets), 676).T)
