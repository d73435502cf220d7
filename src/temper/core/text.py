"""The domain of texts: what of a text may change, by how much, and how far two texts are apart."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import SchemaError, TemperError
from temper.core.schema import Change, Schema

TEXT_NORMS = ("edits", "words")
MASK = "[UNK]"
"""Stands for a word left out when words are ranked; a text that holds it is a question and never counts."""

HOMOGLYPHS = {
    **dict(zip("acdehijlmnopqrsuvwxyz", "асԁеһіјⅼⅿոорԛгѕսνԝхуᴢ", strict=True)),
    **dict(zip("ABCEHIJKMOPSTXYZ", "АВСЕНІЈКМОРЅТХΥΖ", strict=True)),
}
"""Latin letters and the character of another script that looks the same."""
ZERO_WIDTH = "\u200b\u200c\u200d\u2060"
"""Characters without any width: a text that holds them looks the same."""

_AHEAD = 32
Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class TextSchema(Schema):
    """Texts of any language, of which an attacker may change everything but what is protected.

    `protected` is a pattern, or the words themselves: they stay as they are, in their order. `max_share` of the words
    may change. `similarity` takes two lists of texts and gives one number each, which must reach `least_similarity`.
    `homoglyphs` and `zero_width` say whether look-alikes and invisible characters may come in.

    >>> TextSchema(protected=r"\\d+").admits(np.array(["pay 9"], object), np.array(["pay 5"], object))
    array([False])
    """

    protected: str | tuple[str, ...] = ()
    max_share: float = 1.0
    similarity: Callable[[list[str], list[str]], Sequence[float]] | None = None
    least_similarity: float = 0.0
    homoglyphs: bool = True
    zero_width: bool = True

    def __post_init__(self) -> None:
        if self.columns or self.relations:
            raise SchemaError("a text has no columns and no relations", fix="use Schema for a table")
        if not 0.0 <= self.max_share <= 1.0:
            raise SchemaError(f"max_share is {self.max_share!r}", fix="give a share of the words between 0 and 1")
        try:
            _ = self._kept
        except re.error as error:
            raise SchemaError(f"protected is no pattern: {error}", fix="give a regular expression or words") from None

    # -- what attacks use -------------------------------------------------------------------------------------------

    def slots(self, text: str) -> list[Span]:
        """Where the words lie that may change."""
        spans = word_spans(text)
        closed = [match.span() for match in self._kept.finditer(text) if match.group()] if self._kept else []
        if not closed:
            return spans
        return [(start, end) for start, end in spans if not any(a < end and start < b for a, b in closed)]

    # -- what the oracle uses ---------------------------------------------------------------------------------------

    def admits(self, x: Array, x0: Array) -> np.ndarray[Any, Any]:
        """Which candidates lie in the domain of their clean texts."""
        ok = np.array([not self._fault(text, clean) for text, clean in zip(x, x0, strict=True)], dtype=bool)
        if self.similarity is not None and ok.any():
            near = np.asarray(self.similarity(x[ok].tolist(), x0[ok].tolist()), dtype=float)
            if near.shape != (int(ok.sum()),):
                raise SchemaError(
                    f"similarity gave {near.shape} for {int(ok.sum())} pairs", fix="return one number per pair of texts"
                )
            ok[ok] = near >= self.least_similarity
        return ok

    def reason(self, x: Array, x0: Array) -> str:
        """Why the first refused text is refused, or ""."""
        refused = np.flatnonzero(~self.admits(x, x0))
        if not len(refused):
            return ""
        row = int(refused[0])
        return f"row {row}: {self._fault(x[row], x0[row]) or 'not similar enough'}"

    def distance(self, x: Array, x0: Array, norm: str) -> Array:
        """Per text the edits (characters put in, taken out or replaced) or the words changed."""
        if norm not in (*TEXT_NORMS, "cost"):
            raise TemperError(
                f"texts are not measured in {norm}", fix='use norm="edits" (characters) or norm="words" in the budget'
            )
        far = words_changed if norm == "words" else edit_distance
        return np.array([far(text, clean) for text, clean in zip(x, x0, strict=True)], dtype=float)

    def cost(self, x: Array, x0: Array) -> Array:
        """The price of a change: one per edit."""
        return self.distance(x, x0, "edits")

    def moves(self, x: Array, x0: Array) -> Array:
        """Edits per text, as a single column."""
        return self.distance(x, x0, "edits")[:, None]

    def project(self, x: Array, x0: Array) -> Array:
        """The clean text where a candidate is not admitted: a text has no nearest repair."""
        return np.where(self.admits(x, x0), x, x0)

    def settle(self, x: Array, x0: Array) -> Array:
        """The same as `project`."""
        return self.project(x, x0)

    def bounds(self, x0: Array) -> tuple[Array, Array]:
        """Not offered: a text has no lower and upper end."""
        raise TemperError("a text has no bounds", fix="use an attack that works on texts, such as evasion.word_bug")

    def decode(self, x: Array, x0: Array) -> list[Change]:
        """The changed words from one clean text to its adversarial text, invisible and foreign characters escaped."""
        before, after = units(str(x0)), units(str(x))
        changes = []
        for what, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if what != "equal":
                old, new = "".join(before[a:b]), "".join(after[c:d])
                place = f"word {a + 1}" if b - a < 2 else f"words {a + 1}-{b}"
                price = float(edit_distance(new, old))
                changes.append(Change(column=place, before=shown(old), after=shown(new), cost=price))
        return changes

    # -- inside -----------------------------------------------------------------------------------------------------

    @cached_property
    def _kept(self) -> re.Pattern[str] | None:
        if not self.protected:
            return None
        if isinstance(self.protected, str):
            return re.compile(self.protected)
        return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, self.protected)) + r")(?!\w)", re.IGNORECASE)

    def _fault(self, text: str, clean: str) -> str:
        """What is wrong with a candidate, or ""."""
        if text == clean:
            return ""
        if text.count(MASK) > clean.count(MASK):
            return "holds the mark of a word left out"
        if self._kept and self._kept.findall(text) != self._kept.findall(clean):
            return "a protected part changed"
        if not self.zero_width and _more(text, clean, _INVISIBLE):
            return "holds invisible characters"
        if not self.homoglyphs and _more(text, clean, _FOREIGN):
            return "holds look-alike characters"
        if self.max_share < 1.0 and words_changed(text, clean) > self.words_free(clean):
            return f"more than {self.max_share:.0%} of the words changed"
        return ""

    def words_free(self, clean: str) -> float:
        """How many words of a text may change."""
        return np.inf if self.max_share >= 1.0 else float(np.floor(self.max_share * len(word_spans(clean)) + 1e-9))


_INVISIBLE = frozenset(ZERO_WIDTH)
_FOREIGN = frozenset(HOMOGLYPHS.values())


def _more(text: str, clean: str, of: frozenset[str]) -> bool:
    """Whether some character of `of` occurs more often than in the clean text."""
    return any(text.count(char) > clean.count(char) for char in of.intersection(text))


def as_texts(x: Any) -> np.ndarray[Any, Any] | None:
    """Texts as an object array (n,) of str, None where `x` holds no text at all; a mixture is refused."""
    if isinstance(x, str):
        raise TemperError("a single text came where a list of texts is expected", fix="put it in a list: [text]")
    kind = getattr(getattr(x, "dtype", None), "kind", "O")
    if kind not in "OUT" or not hasattr(x, "__len__") or getattr(x, "ndim", 1) != 1:
        return None
    items = list(x)
    strange = next((at for at, item in enumerate(items) if not isinstance(item, str)), None)
    if strange is not None:
        if not any(isinstance(item, str) for item in items):
            return None
        raise TemperError(
            f"row {strange} is a {type(items[strange]).__name__} among texts",
            fix="give one str per row, '' where empty",
        )
    texts: np.ndarray[Any, Any] = np.empty(len(items), dtype=object)
    texts[:] = [str(item) for item in items]
    return texts if items else None


def word_spans(text: str) -> list[Span]:
    """Where the words of a text lie; apostrophes, hyphens and combining marks inside a word belong to it.

    >>> word_spans("don't, ok")
    [(0, 5), (7, 9)]
    """
    return [match.span() for match in _word().finditer(text)]


def units(text: str) -> list[str]:
    """The text cut before every word: joined again it is the same text.

    >>> units("Hi, you!")
    ['Hi, ', 'you!']
    """
    starts = [start for start, _ in word_spans(text)]
    edges = sorted({0, *starts, len(text)})
    return [text[a:b] for a, b in pairwise(edges)]


def shown(text: str) -> str:
    """The text with what a reader could not see escaped.

    >>> shown("frее" + chr(0x200b))
    'fr\\\\u0435\\\\u0435\\\\u200b'
    """
    hidden = (char in _FOREIGN or unicodedata.category(char) in ("Cf", "Cc", "Cs", "Co") for char in text)
    return "".join(ascii(char)[1:-1] if hide else char for char, hide in zip(text, hidden, strict=True))


def words_changed(text: str, clean: str) -> int:
    """Words changed, put in or taken out; what follows a word up to the next one belongs to it."""
    return edit_distance(units(text), units(clean))


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein distance of two texts, or of two lists of words.

    In time of the length plus the squared distance: texts a few edits apart cost little, however long they are.
    Source: Landau, Myers & Schmidt, "Incremental string comparison", 1998 (furthest-reaching diagonals).

    >>> edit_distance("kitten", "sitting")
    3
    """
    if a == b:
        return 0
    goal, end = len(b) - len(a), len(a)
    # reach[k]: how far along `a` diagonal k (place in b minus place in a) gets with the edits spent so far.
    reach = {0: _slide(a, b, 0, 0)}
    edits = 0
    while reach.get(goal, -1) < end:
        edits += 1
        further = {}
        for k in range(-edits, edits + 1):
            i = max(reach.get(k, -2) + 1, reach.get(k - 1, -2), reach.get(k + 1, -2) + 1)
            i = min(i, end, len(b) - k)
            if i >= 0 and i + k >= 0:
                further[k] = _slide(a, b, i, k)
        reach = further
    return edits


def _slide(a: Sequence[str], b: Sequence[str], i: int, k: int) -> int:
    """The end of the run of equal characters from place `i` of `a` along diagonal `k`."""
    j, stop = i + k, min(len(a), len(b) - k)
    while i + _AHEAD <= stop and a[i : i + _AHEAD] == b[j : j + _AHEAD]:
        i, j = i + _AHEAD, j + _AHEAD
    while i < stop and a[i] == b[j]:
        i, j = i + 1, j + 1
    return i


short_distance = lru_cache(maxsize=65_536)(edit_distance)
"""`edit_distance` of single words, remembered: attacks price the same pairs again and again."""


@cache
def _word() -> re.Pattern[str]:
    """Letters and digits, with marks, apostrophes, hyphens and invisible characters in between."""
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    return re.compile(rf"\w(?:[\w'’*@{ZERO_WIDTH}{marks}-]*[\w{ZERO_WIDTH}{marks}])?")
