"""Edits of words: the keyboard, look-alikes, invisible characters, case and spacing; random texts within a budget."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.text import HOMOGLYPHS, ZERO_WIDTH, TextSchema, units

Rows = np.ndarray[Any, Any]
Priced = tuple[str, int]
"""A word put in another's place, and the edits that takes."""

_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_MOST = 64  # edits of one random text
_STOP_WORDS = (
    "a about above after again against ain all am an and any are aren as at be because been before being below "
    "between both but by can couldn d did didn do does doesn doing don down during each few for from further had hadn "
    "has hasn have haven having he her here hers herself him himself his how i if in into is isn it its itself just "
    "ll m ma me mightn more most mustn my myself needn no nor not now o of off on once only or other our ours "
    "ourselves out over own re s same shan she should shouldn so some such t than that the their theirs them "
    "themselves then there these they this those through to too under until up ve very was wasn we were weren what "
    "when where which while who whom why will with won wouldn y you your yours yourself yourselves"
)
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""English words that carry little: attacks may leave them alone."""


def _neighbours() -> dict[str, str]:
    """The keys beside each key of an English keyboard, in the same row and the rows above and below."""
    beside: dict[str, str] = {}
    for r, row in enumerate(_ROWS):
        for c, key in enumerate(row):
            near = [row[c - 1 : c], row[c + 1 : c + 2]]
            near += [_ROWS[r - 1][c : c + 2]] if r else []
            near += [_ROWS[r + 1][max(c - 1, 0) : c + 1]] if r + 1 < len(_ROWS) else []
            beside[key] = "".join(near)
    return beside


KEYBOARD = _neighbours()


def edited(word: str, kind: str, place: float, pick: float) -> str:
    """The word after one edit of this kind at a place and with a choice in [0, 1); itself where it has no room for it.

    >>> edited("free", "swap", 0.0, 0.0), edited("free", "homoglyph", 0.9, 0.0) == "free"
    ('rfee', False)
    """
    return _EDITS[kind](word, place, pick) if word else word


def variants(word: str, kinds: tuple[str, ...], numbers: Rows) -> list[Priced]:
    """One edit of each kind, the cheapest first, what changes nothing left out; `numbers` are two per kind."""
    found: dict[str, int] = {}
    values = numbers.tolist()
    for at, kind in enumerate(kinds):
        new = edited(word, kind, values[2 * at], values[2 * at + 1])
        found.setdefault(new, 2 if kind == "swap" else 1)
    found.pop(word, None)
    return sorted(found.items(), key=lambda one: one[1])


def allowed_kinds(kinds: tuple[str, ...], schema: TextSchema) -> tuple[str, ...]:
    """The kinds of edits a schema lets in."""
    closed = {"homoglyph": not schema.homoglyphs, "zero_width": not schema.zero_width}
    return tuple(kind for kind in kinds if not closed.get(kind))


def in_case_of(new: str, old: str) -> str:
    """The new word written like the old one: all capitals, or a capital first.

    >>> in_case_of("gratis", "FREE"), in_case_of("gratis", "Free")
    ('GRATIS', 'Gratis')
    """
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


def need_texts(scene: Scene, name: str) -> TextSchema:
    """The schema of texts; what has columns or pixels is declined."""
    if not isinstance(scene.schema, TextSchema):
        raise Unsupported(f"{name} changes words, and these rows are numbers", fix="use evasion.random_search")
    return scene.schema


def as_array(texts: list[str]) -> np.ndarray[Any, Any]:
    """Texts as an object array (n,)."""
    made = np.empty(len(texts), dtype=object)
    made[:] = texts
    return made


def random_texts(scene: Scene, schema: TextSchema, rows: Rows, rng: Draws, step: Any) -> np.ndarray[Any, Any]:
    """A random text per row: single-character edits of random words, as many as a random share of the budget holds."""
    kinds = allowed_kinds(RANDOM_KINDS, schema)
    numbers = rng.uniform(rows, step, (1 + 4 * _MOST,))
    limit = min(_limit(scene), float(_MOST))
    cut: dict[int, tuple[list[str], list[int]]] = {}
    made = []
    for row, drawn in zip(np.asarray(rows).tolist(), numbers, strict=True):
        if row not in cut:
            cut[row] = cut_words(scene.x[row], schema)
        made.append(_scrambled(*cut[row], limit, kinds, drawn, by_word=scene.budget.norm == "words"))
    return as_array(made)


def _limit(scene: Scene) -> float:
    ends = [end for end in (scene.budget.radius, scene.budget.cost) if end is not None]
    return min(ends, default=np.inf)


def cut_words(text: str, schema: TextSchema) -> tuple[list[str], list[int]]:
    """The text as gap, word, gap, ..., with the places of the words that may change."""
    pieces, at = [], 0
    slots = schema.slots(text)
    for start, end in slots:
        pieces += [text[at:start], text[start:end]]
        at = end
    return [*pieces, text[at:]], list(range(1, 2 * len(slots), 2))


def _scrambled(
    pieces: list[str], places: list[int], limit: float, kinds: tuple[str, ...], drawn: Rows, by_word: bool
) -> str:
    """The text after random edits; with `by_word` no word is taken twice."""
    if not places or limit < 1:
        return "".join(pieces)
    pieces, values = list(pieces), drawn.tolist()
    room = 1 + int(values[0] * min(limit, len(places) if by_word else limit))
    for at in range(1, len(values), 4):
        which, kind, place, pick = values[at : at + 4]
        spot = places[int(which * len(places))]
        name = kinds[int(kind * len(kinds))]
        price = 1 if by_word or name != "swap" else 2
        if price > room:
            break
        room -= price
        pieces[spot] = edited(pieces[spot], name, place, pick)
        if by_word:
            places = [other for other in places if other != spot]
            if not places:
                break
    return "".join(pieces)


def words_in(text: str) -> int:
    """How many words a piece of text counts as, one at least."""
    return max(len(units(text)), 1)


def _swap(word: str, place: float, pick: float) -> str:
    at = int(place * (len(word) - 1))
    return word[:at] + word[at : at + 2][::-1] + word[at + 2 :]


def _delete(word: str, place: float, pick: float) -> str:
    at = int(place * len(word))
    return word[:at] + word[at + 1 :] if len(word) > 1 else word


def _insert(word: str, place: float, pick: float) -> str:
    at = int(place * (len(word) + 1))
    return word[:at] + string.ascii_letters[int(pick * 52)] + word[at:]


def _substitute(word: str, place: float, pick: float) -> str:
    at = int(place * len(word))
    return word[:at] + string.ascii_letters[int(pick * 52)] + word[at + 1 :]


def _keyboard(word: str, place: float, pick: float) -> str:
    places = [at for at, char in enumerate(word) if char.lower() in KEYBOARD]
    if not places:
        return word
    at = places[int(place * len(places))]
    near = KEYBOARD[word[at].lower()]
    key = near[int(pick * len(near))]
    return word[:at] + (key.upper() if word[at].isupper() else key) + word[at + 1 :]


def _homoglyph(word: str, place: float, pick: float) -> str:
    places = [at for at, char in enumerate(word) if char in HOMOGLYPHS]
    if not places:
        return word
    at = places[int(place * len(places))]
    return word[:at] + HOMOGLYPHS[word[at]] + word[at + 1 :]


def _zero_width(word: str, place: float, pick: float) -> str:
    at = 1 + int(place * max(len(word) - 1, 1))
    return word[:at] + ZERO_WIDTH[int(pick * len(ZERO_WIDTH))] + word[at:]


_EDITS: dict[str, Callable[[str, float, float], str]] = {
    "keyboard": _keyboard,
    "substitute": _substitute,
    "delete": _delete,
    "insert": _insert,
    "swap": _swap,
    "homoglyph": _homoglyph,
    "zero_width": _zero_width,
}
KINDS = tuple(_EDITS)
RANDOM_KINDS = KINDS
