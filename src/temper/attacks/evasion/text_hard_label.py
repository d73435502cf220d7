"""Texts under decisions alone: change many words until the decision falls, then put back what it does not need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from temper.attacks.evasion.word_bug import USUAL
from temper.core.attack import OracleLike, Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.core.text import TextSchema
from temper.kernels.decision import Rows, decided
from temper.kernels.text import allowed_kinds, as_array, cut_words, need_texts, variants

_SHARES = (1.0, 0.5, 0.25, 0.75)
_RATE, _DOUBT, _GROWTH = 0.5, 1.0, 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class TextHardLabel:
    """Misspell random words until the decision falls, put words back in halves for as long as it stays down, and start
    again from the words that told most; every question of a text teaches which of its words those are.

    Misleads with few queries: some 100 a text are needed before the words that matter are known. Where no number of
    misspelt words moves the decision it has nothing to start from, and HELD says nothing about other words.
    Source: Maheshwary et al., "Generating natural language attacks in a hard label black box setting", 2021 (a random
    start, then shrunk); Yu et al., "TextHacker", 2022 (words weighed by the answers so far). Putting back in halves is
    Zeller & Hildebrandt's delta debugging, 2002; weights by logistic regression are our own.

    >>> TextHardLabel(restarts=3)
    TextHardLabel(restarts=3)
    """

    needs: ClassVar[Access] = Access.LABELS
    texts: ClassVar[bool] = True
    restarts: int = 100

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One question per open text and step, all texts together."""
        schema = need_texts(scene, "text_hard_label")
        kinds = allowed_kinds(USUAL, schema)
        documents = {int(row): _Document.of(scene, schema, int(row)) for row in oracle.active}
        step = 0
        while True:
            rows = [int(row) for row in oracle.active if documents[row].goes_on(self.restarts)]
            if not rows:
                break
            width = max(len(documents[row].places) for row in rows)
            numbers = rng.uniform(rows, step, (width, 1 + 2 * len(kinds)))
            masks = [documents[row].ask(drawn, kinds) for row, drawn in zip(rows, numbers, strict=True)]
            x = as_array([documents[row].text(mask) for row, mask in zip(rows, masks, strict=True)])
            told = decided(oracle, scene, x, np.array(rows, dtype=np.int64))
            for row, mask, hit in zip(rows, masks, told, strict=True):
                documents[row].learn(mask, bool(hit > 0))
            step += 1
        oracle.done(np.arange(len(scene.x)))


@dataclass(slots=True, kw_only=True, eq=False)
class _Document:
    """One text: its words, what stands in their place when changed, which are changed, and what each has told.

    `down` is the set of changed words under which the decision fell (None before), `size` how many of them are put back
    at once, `needed` those that could not be put back alone.
    """

    pieces: list[str]
    places: list[int]
    room: int
    news: list[str]
    weight: Rows
    bias: float = 0.0
    down: Rows | None = None
    size: int = 1
    needed: Rows = field(default_factory=lambda: np.zeros(0, dtype=bool))
    tries: int = 0
    turn: int = 0

    @classmethod
    def of(cls, scene: Scene, schema: TextSchema, row: int) -> _Document:
        """The clean text and how many words may change in it."""
        text, budget = scene.x[row], scene.budget
        pieces, places = cut_words(text, schema)
        ends = [schema.words_free(text), float(len(places))]
        ends += [end for end in (budget.radius, budget.cost) if end is not None]
        clean = [pieces[place] for place in places]
        return cls(pieces=pieces, places=places, room=int(min(ends)), news=clean, weight=np.zeros(len(places)))

    def goes_on(self, restarts: int) -> bool:
        """Whether there is a word to change and a start left."""
        return self.room >= 1 and self.turn < restarts

    def text(self, mask: Rows) -> str:
        """The text with these words changed."""
        pieces = list(self.pieces)
        for at in np.flatnonzero(mask):
            pieces[self.places[at]] = self.news[at]
        return "".join(pieces)

    def ask(self, numbers: Rows, kinds: tuple[str, ...]) -> Rows:
        """The next words to change: a new start, or what fell before with some words put back."""
        numbers = numbers[: len(self.places)]
        if self.down is not None:
            return self._back(self.down, numbers[:, 0])
        if not self.tries:
            self._rewrite(numbers[:, 1:], kinds)
        n = len(self.places)
        count = self.room * _GROWTH**self.tries if self.turn else n * _SHARES[self.tries % len(_SHARES)]
        score = self.weight + _DOUBT * numbers[:, 0]
        mask = np.zeros(n, dtype=bool)
        mask[np.argsort(-score, kind="stable")[: max(int(count), 1)]] = True
        return mask

    def learn(self, mask: Rows, hit: bool) -> None:
        """One step of logistic regression of the decision on the changed words, and on to the next question."""
        miss = float(hit - 1.0 / (1.0 + np.exp(-(self.bias + self.weight @ mask))))
        self.weight[mask] += _RATE * miss
        self.bias += _RATE * miss
        if self.down is None:
            self._started(mask, hit)
        else:
            self._shrunk(self.down, mask, hit)

    def _started(self, mask: Rows, hit: bool) -> None:
        self.tries += 1
        if hit:
            self.down, self.needed = mask, np.zeros(len(mask), dtype=bool)
            self.size = max(int(mask.sum()) // 2, 1)
        elif (mask.all() and self.turn) or self.tries >= 4 * len(_SHARES):
            self.turn, self.tries = self.turn + 1, 0

    def _shrunk(self, down: Rows, mask: Rows, hit: bool) -> None:
        """Where the decision came back, half as many words are put back next; a single one is needed."""
        if hit:
            self.down = down = mask
        elif self.size == 1:
            self.needed |= down & ~mask
        self.size = max(min(self.size if hit else self.size // 2, int((down & ~self.needed).sum())), 1)
        if not (down & ~self.needed).any():
            # From here on only fewer words are news.
            self.room = min(self.room, int(down.sum()) - 1)
            self.down, self.turn, self.tries = None, self.turn + 1, 0

    def _back(self, down: Rows, numbers: Rows) -> Rows:
        """The words that tell least are put back first."""
        free = np.flatnonzero(down & ~self.needed)
        order = free[np.argsort(self.weight[free] + _DOUBT * numbers[free], kind="stable")]
        mask = down.copy()
        mask[order[: self.size]] = False
        return mask

    def _rewrite(self, numbers: Rows, kinds: tuple[str, ...]) -> None:
        """Another edit of every word, one of the cheapest."""
        for at, place in enumerate(self.places):
            found = variants(self.pieces[place], kinds, numbers[at])
            cheap = [new for new, price in found if price == found[0][1]]
            self.news[at] = cheap[int(numbers[at, 0] * len(cheap))] if cheap else self.pieces[place]


PLUGIN = TextHardLabel
