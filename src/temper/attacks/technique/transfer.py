"""Fool a copy, then the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.attacks.technique._asking import Lessons, sent
from temper.core.campaign import Aim, Field, Tactic
from temper.core.errors import TemperError
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Seek for every wanted row the change that a copy scores lowest, submit the most promising ones, and teach the
    copy what came of it before the next are chosen.

    A row that failed `tries` times is left to others. Misleads where the copy is poor and the answers are bare
    decisions: then it says more about the copy than about the model.
    Source: Papernot et al., "Practical black-box attacks against machine learning", 2017; answers fed back as in
    Suya et al., "Hybrid batch attacks: finding black-box adversarial examples with limited queries", 2020.

    >>> Transfer(tries=1).practice
    100
    """

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.MOVE,)
    needs: ClassVar[tuple[str, ...]] = ("copy", "threshold")
    gives: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0043.002", "atlas:AML.T0015")
    practice: int = 100
    rounds: int = 4
    tries: int = 6
    weight: int = 3
    refit: bool = True

    def __post_init__(self) -> None:
        if min(self.practice, self.rounds, self.tries, self.weight) < 1:
            raise TemperError(f"{self} cannot be meant", fix="practice, rounds, tries and weight are at least 1")

    def play(self, field: Field, rng: Draws) -> None:
        """Rounds of about equal size; where all open rows have been tried often enough the turn ends."""
        copy, edge, lessons = field.kept["copy"], float(field.kept["threshold"]), Lessons.of(field)
        tried = np.zeros(len(field.wanted), dtype=np.int64)
        size = max(1, field.left // self.rounds)
        while field.left:
            rows = field.open[tried[field.open] < self.tries]
            if not len(rows):
                return
            x, _ = field.evade(copy, rows, edge, self.practice)
            moved = np.flatnonzero((x != field.wanted.x[rows]).any(axis=1))
            first = moved[np.argsort(copy.scores(x[moved]), kind="stable")][:size]
            tried[np.delete(rows, moved)] += 1  # nothing to try
            if not len(first):
                continue
            reply = sent(field, x[first], rows[first])
            tried[rows[first]] += 1
            if not reply.answered.any():
                return
            if self.refit:
                lessons.learn(x[first], reply, edge, self.weight)
                copy = field.kept["copy"] = lessons.copy(field) or copy


PLUGIN = Transfer
