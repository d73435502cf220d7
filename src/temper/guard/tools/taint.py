"""Where a value in a call comes from: looked for in every text of the conversation, as it stands and under codes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from temper.guard.tools.names import amount, amounts, bare, code, codes, holds, parts, plain
from temper.guard.tools.trust import Piece, Trust
from temper.kernels.views import views

LONGEST_NAME, LONGEST_TEXT, DECODED, ALL_DECODED, SHINGLE = 2_000, 1_000_000, 20_000, 200_000, 5
"""Characters of a name and of a text that are looked at, of a text and of all texts that are decoded, and words of a
copied passage. What lies beyond is found nowhere, so that a longer text is never trusted more."""
_SHORTEST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How far the writer of a value is trusted, where it was found, the codes undone on the way, and the texts with
    which a tool was asked for the place.
    """

    trust: Trust = Trust.MADE
    where: str = "nowhere"
    how: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    def __str__(self) -> str:
        under = f" under {', '.join(self.how)}" if self.how else ""
        return "found nowhere" if self.where == "nowhere" else f"found in {self.where}{under}"


NOWHERE = Origin()


@dataclass(slots=True)
class _Text:
    """A piece with the forms in which it is searched, each made once."""

    piece: Piece
    text: str
    plain: str
    codes: frozenset[str]
    amounts: frozenset[float]

    @classmethod
    def of(cls, piece: Piece, text: str) -> _Text:
        if piece.whole:
            return cls(piece, text, bare(text), frozenset({code(text)} - {""}), amount(text))
        return cls(piece, text, plain(text), codes(text), amounts(text))

    def names(self, value: str) -> bool:
        """Whether it says this value: is it, where only the whole counts, and else has it as a word of its own."""
        number, name = amount(value), bare(value)
        if number:
            return bool(number & self.amounts)
        same = self.plain == name != "" if self.piece.whole else holds(self.plain, name)
        return same or (code(value) in self.codes)


@dataclass(slots=True)
class Traces:
    """All texts of a conversation, ready to be searched for the values of calls.

    >>> told = Piece(text="Pay 61.20 to NO93 8601 1117 947 please", trust=Trust.USER, where="the user")
    >>> traces = Traces.of([told])
    >>> [traces.origin(value).trust.name for value in ("NO9386011117947", "61.2", "NO9386011117948")]
    ['USER', 'USER', 'MADE']
    """

    texts: list[_Text]
    views: dict[int, list[tuple[_Text, tuple[str, ...]]]] = field(default_factory=dict)
    room: int = ALL_DECODED

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> Traces:
        """The texts of these pieces."""
        return cls([_Text.of(piece, piece.text[:LONGEST_TEXT]) for piece in pieces])

    def origin(self, value: str) -> Origin:
        """The most trusted place that names this value; found in none, the codes in every text are undone and searched.

        A value of several names (`a@x.example, b@y.example`) is as trusted as the least of them.
        """
        if len(value) > LONGEST_NAME:
            return NOWHERE
        if (whole := self._said(value)) and len(parts(value)) > 1:
            return max(whole, key=lambda one: one.trust)
        return min((self._one(part) for part in parts(value)), key=lambda one: one.trust, default=NOWHERE)

    def _one(self, name: str) -> Origin:
        return max(self._said(name) or self._under(name), key=lambda one: one.trust, default=NOWHERE)

    def _said(self, name: str) -> list[Origin]:
        return [_origin(text.piece) for text in self.texts if text.names(name)]

    def _under(self, name: str) -> list[Origin]:
        return [
            _origin(text.piece, how)
            for at in range(len(self.texts))
            for text, how in self._views(at)
            if text.names(name)
        ]

    def _views(self, at: int) -> list[tuple[_Text, tuple[str, ...]]]:
        if at not in self.views:
            above = self.texts[at]
            worth = not above.piece.whole and len(above.text) >= _SHORTEST and self.room > 0
            read = views(above.text[:DECODED])[1:] if worth else []
            self.room -= _SHORTEST + len(above.text[:DECODED]) if worth else 0
            self.views[at] = [(_Text.of(above.piece, view.text), view.how) for view in read]
        return self.views[at]

    def copied(self, passage: str) -> Origin:
        """The least trusted text a passage was copied from: five words in a row, or all of a shorter one.

        What a more trusted text says as well counts for that one. A paraphrase is found nowhere.
        """
        wanted = set(_shingles(passage[:LONGEST_TEXT]))
        if not wanted:
            return self.origin(passage)
        best: dict[tuple[str, ...], Piece] = {}
        for text in sorted((one for one in self.texts if not one.piece.whole), key=lambda one: one.piece.trust):
            best |= {shingle: text.piece for shingle in _shingles(text.text) if shingle in wanted}
        least = min(best.values(), key=lambda one: one.trust, default=None)
        return NOWHERE if least is None else _origin(least)


def _origin(piece: Piece, how: tuple[str, ...] = ()) -> Origin:
    return Origin(trust=piece.trust, where=piece.where, how=how, asked=piece.asked)


def _shingles(text: str) -> Iterator[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    yield from zip(*(words[at:] for at in range(SHINGLE)), strict=False)
