"""Words without much sense after an order, changed one by one as long as that helps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from temper.attacks.injection._budget import within
from temper.attacks.injection._catalogue import suffix_words
from temper.attacks.injection._draw import drawn, one_of
from temper.attacks.injection._ladder import height
from temper.core.injection import Goal, Ground, Injection, Play, Shown
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(slots=True)
class _Line:
    """The search for one goal: the best so far, how high it came, and for how long nothing has helped."""

    goal: Goal
    best: Injection | None = None
    words: list[str] = field(default_factory=list)
    height: float = -1.0
    stale: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSearch:
    """A suffix of `length` words per goal; each step changes a run of them and keeps what comes at least as high. After
    `patience` steps without a gain the dress is drawn anew and the suffix stays.

    Misleads where the answer says nothing of how near it was: without scores it climbs the rungs of refused, passed
    and obeyed only.
    Source: Andriushchenko et al., "Jailbreaking leading safety-aligned LLMs with simple adaptive attacks", 2024.

    >>> RandomSearch(length=4)
    RandomSearch(length=4, patience=4)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = False
    length: int = 8
    patience: int = 4

    def run(self, ground: Ground, rng: Draws) -> Play:
        """One candidate per goal and step."""
        return within(self._search(ground, rng.generator()), ground.attempts)

    def _search(self, ground: Ground, gen: np.random.Generator) -> Play:
        suffixes = [[one_of(suffix_words(), gen) for _ in range(self.length)] for _ in ground.goals]
        lines = [_Line(goal=goal, words=words) for goal, words in zip(ground.goals, suffixes, strict=True)]
        while lines:
            for shown in (yield tuple(self._next(ground, line, gen) for line in lines)):
                self._learn(next(line for line in lines if line.goal.id == shown.injection.goal), shown)

    def _next(self, ground: Ground, line: _Line, gen: np.random.Generator) -> Injection:
        if line.best is None or line.stale >= self.patience:
            line.best, line.height, line.stale = None, -1.0, 0
            return replace(drawn(ground, line.goal, gen, coded=0.0), suffix=" ".join(line.words))
        words = line.best.suffix.split(" ")
        start = int(gen.integers(len(words)))
        for place in range(start, min(start + 1 + int(gen.integers(3)), len(words))):
            words[place] = one_of(suffix_words(), gen)
        return replace(line.best, suffix=" ".join(words))

    def _learn(self, line: _Line, shown: Shown) -> None:
        """Ties move on: a plateau is walked, not stared at."""
        reached = height(shown)
        line.stale = 0 if reached > line.height else line.stale + 1
        if reached >= line.height:
            line.best, line.height = shown.injection, reached
            line.words = shown.injection.suffix.split(" ")


PLUGIN = RandomSearch
