"""The greedy walk over words that the text attacks share: rank them once, then change the most telling ones in turn.

All documents go together: one call ranks the words of every document, then each step is one call for one word of each.
Source: the search of DeepWordBug (Gao et al., 2018) and TextFooler (Jin et al., 2020), in lock-step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.seed import Draws
from temper.core.text import MASK, Span, TextSchema, short_distance
from temper.kernels.loss import margin
from temper.kernels.text import STOP_WORDS, Priced, as_array, words_in

_ROWS, _CHARACTERS = 60_000, 20_000_000  # of one call: texts are long, so their length counts too
Candidate = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How to walk: what to put in a word's place given `width` random numbers, how often, and which words to spare."""

    propose: Callable[[str, np.ndarray[Any, Any]], list[Priced]]
    width: int
    passes: int
    spare_stop_words: bool

    def run(self, oracle: OracleLike, scene: Scene, schema: TextSchema, rng: Draws) -> None:
        """Rank, change, and undo again what was not needed."""
        on = _Ground(oracle=oracle, scene=scene, rng=rng, walk=self)
        level = margin(oracle.clean, scene.y, scene.kind, scene.threshold, scene.goal)
        documents = [_opened(on, schema, int(row), float(level[row])) for row in oracle.active]
        documents = [document for document in documents if document.words]
        _rank(on, documents)
        for turn in range(self.passes):
            _pass(on, documents, turn)
        _undo(on, documents)
        oracle.done(np.arange(len(scene.x)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ground:
    """What stays the same during one walk."""

    oracle: OracleLike
    scene: Scene
    rng: Draws
    walk: Walk


@dataclass(slots=True, kw_only=True, eq=False)
class _Document:
    """One text being changed: its words that may change, what each has cost, and how far it is from success."""

    row: int
    text: str
    spans: list[Span]
    words: list[str]
    now: list[str]
    edits: list[int]
    counts: list[int]
    level: float
    most_edits: float
    most_words: float
    order: list[int] = field(default_factory=list)
    at: int = 0

    def with_word(self, place: int, new: str) -> str:
        """The text with one word replaced."""
        start, end = self.spans[place]
        return self.text[:start] + new + self.text[end:]

    def fits(self, place: int, edits: int, words: int) -> bool:
        """Whether the text stays within its limits when this word costs that much."""
        spent = sum(self.edits) - self.edits[place] + edits
        return spent <= self.most_edits and sum(self.counts) - self.counts[place] + words <= self.most_words

    def take(self, place: int, new: str, level: float) -> None:
        """Replace the word for good."""
        start, end = self.spans[place]
        self.text, self.level = self.with_word(place, new), level
        longer = len(new) - (end - start)
        self.spans[place] = (start, start + len(new))
        if longer:
            later = self.spans[place + 1 :]
            self.spans[place + 1 :] = [(a + longer, b + longer) for a, b in later]
        self.edits[place], self.counts[place] = self.price(place, new)
        self.now[place] = new

    def price(self, place: int, new: str) -> tuple[int, int]:
        """Edits and changed words of putting `new` where the clean text had its own word."""
        if new == self.words[place]:
            return 0, 0
        return short_distance(new, self.words[place]), words_in(new)


def _opened(on: _Ground, schema: TextSchema, row: int, level: float) -> _Document:
    """A clean text with its words and its limits."""
    text, budget = on.scene.x[row], on.scene.budget
    spans = [(a, b) for a, b in schema.slots(text) if not on.walk.spare_stop_words or text[a:b] not in STOP_WORDS]
    radius = np.inf if budget.radius is None else budget.radius
    cost = np.inf if budget.cost is None else budget.cost
    words = [text[a:b] for a, b in spans]
    return _Document(
        row=row,
        text=text,
        spans=spans,
        words=words,
        now=list(words),
        edits=[0] * len(words),
        counts=[0] * len(words),
        level=level,
        most_edits=cost if budget.norm == "words" else min(radius, cost),
        most_words=min(schema.words_free(text), radius if budget.norm == "words" else np.inf),
    )


def _rank(on: _Ground, documents: list[_Document]) -> None:
    """Order the words by how near success comes without them; at most half of the queries left go into that."""
    left = on.oracle.left
    probed = []
    for document in documents:
        count = len(document.words)
        numbers = on.rng.child("order").uniform([document.row], 0, (count,))[0]
        document.order = np.argsort(numbers, kind="stable").tolist()
        probed.append(sorted(document.order[: min(count, int(left[document.row] // 2))]))
    questions = (
        [(document.row, document.with_word(place, MASK))]
        for document, places in zip(documents, probed, strict=True)
        for place in places
    )
    levels, start = _judged(on, questions), 0
    for document, places in zip(documents, probed, strict=True):
        found = levels[start : start + len(places)]
        start += len(places)
        first = [places[at] for at in np.argsort(found, kind="stable")]
        document.order = first + [place for place in document.order if place not in set(places)]


def _pass(on: _Ground, documents: list[_Document], turn: int) -> None:
    """Every word of every document once, in order; the best change of each is kept where it brings success nearer."""
    rng = on.rng.child("edits")
    numbers: dict[int, Array] = {}
    for document in documents:
        document.at = 0
        numbers[document.row] = rng.uniform([document.row], turn, (len(document.words), on.walk.width))[0]
    while True:
        open_documents = _still(on, documents)
        steps = [(document, *_next(on.walk, document, numbers[document.row])) for document in open_documents]
        steps = [step for step in steps if step[2]]
        if not steps:
            return
        levels, start = _judged(on, ([(d.row, d.with_word(place, new)) for new in news] for d, place, news in steps)), 0
        for document, place, news in steps:
            found = levels[start : start + len(news)]
            start += len(news)
            best = int(found.argmin())
            if found[best] < document.level:
                document.take(place, news[best], float(found[best]))


def _next(walk: Walk, document: _Document, numbers: Array) -> tuple[int, list[str]]:
    """The next word that has a change within the limits, and its changes, the cheapest first; none at the end."""
    while document.at < len(document.order):
        place = document.order[document.at]
        document.at += 1
        news = [new for new, price in _changes(walk, document, place, numbers[place]) if document.fits(place, *price)]
        if news:
            return place, news
    return -1, []


def _changes(walk: Walk, document: _Document, place: int, numbers: Array) -> list[tuple[str, tuple[int, int]]]:
    """What may stand in the word's place, with its price: changes of it as it is now, and of the clean word anew."""
    clean, now = document.words[place], document.now[place]
    fresh = [(new, (edits, words_in(new))) for new, edits in walk.propose(clean, numbers)]
    if now == clean:
        return fresh
    onward = {new: document.price(place, new) for new, _ in walk.propose(now, numbers)}
    return [(new, price) for new, price in (onward | dict(fresh)).items() if new != now]


def _still(on: _Ground, documents: list[_Document]) -> list[_Document]:
    """Documents that have budget left and are not broken yet."""
    active = set(on.oracle.active.tolist())
    broken = on.oracle.broken
    return [document for document in documents if document.row in active and not broken[document.row]]


def _undo(on: _Ground, documents: list[_Document]) -> None:
    """Where the nearest success is wanted: put single words back for as long as the text stays broken."""
    while True:
        points, distances = on.oracle.best
        active = set(on.oracle.active.tolist())
        rest = [d for d in documents if d.row in active and np.isfinite(distances[d.row]) and points[d.row] == d.text]
        trials = [(d, [place for place, new in enumerate(d.now) if new != d.words[place]]) for d in rest]
        trials = [(d, places) for d, places in trials if len(places) > 1]
        if not trials:
            return
        _judged(on, ([(d.row, d.with_word(p, d.words[p])) for p in places] for d, places in trials))
        nearer = on.oracle.best[0]
        for document, places in trials:
            for place in places:
                if document.with_word(place, document.words[place]) == nearer[document.row]:
                    document.take(place, document.words[place], document.level)
                    break
            else:
                documents = [other for other in documents if other is not document]


def _judged(on: _Ground, groups: Iterable[list[Candidate]]) -> Array:
    """How far each candidate still is from success (infinite where it was not answered); a group is asked in one."""
    found = [np.empty(0)]
    for candidates in _calls(groups):
        rows = np.array([row for row, _ in candidates], dtype=np.int64)
        scores = on.oracle.scores(as_array([text for _, text in candidates]), rows)
        scene = on.scene
        levels = margin(scores, scene.y[rows], scene.kind, scene.threshold, scene.goal)
        found.append(np.where(np.isnan(levels), np.inf, levels))
    return np.concatenate(found)


def _calls(groups: Iterable[list[Candidate]]) -> Iterator[list[Candidate]]:
    """Groups put together to calls of bounded size."""
    waiting: list[list[Candidate]] = []
    rows = characters = 0
    for group in groups:
        waiting.append(group)
        rows += len(group)
        characters += sum(len(text) for _, text in group)
        if rows >= _ROWS or characters >= _CHARACTERS:
            yield list(chain.from_iterable(waiting))
            waiting, rows, characters = [], 0, 0
    if rows:
        yield list(chain.from_iterable(waiting))
