"""Labels told by the attacker, so that the next model lets their kind pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.attacks.technique._asking import sent
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.campaign import DAY, Aim, Field, Tactic
from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.kernels.search import random_point, reachable


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonFeedback:
    """Send rows like some of the wanted ones, have them labelled genuine (a dispute withdrawn, a customer who
    confirms), wait until the model has been trained again, and submit the wanted rows as they are.

    `copies` labels go to each row, to those first that are stopped least surely: boosted trees often learn a row from
    one label, so that more for the same row win less than other rows do. `spread` is the share of labels spent on rows
    moved a little within what an attacker may move; the others are the wanted rows themselves. Misleads where labels of
    one account are few beside the training rows, or where people check them: then nothing changes, and the wait is all
    it cost.
    Source: Biggio & Roli, "Wild patterns: ten years after the rise of adversarial machine learning", 2018; feedback as
    the way in: Jagielski et al., "Subpopulation data poisoning attacks", 2021.

    >>> PoisonFeedback(spread=0.0).days
    1.0
    """

    tactic: ClassVar[Tactic] = Tactic.STAGING
    aims: ClassVar[tuple[Aim, ...]] = (Aim.MOVE,)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0020", "atlas:AML.T0019")
    copies: int = 1
    spread: float = 0.5
    days: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.spread <= 1.0 or not self.days > 0 or self.copies < 1:
            raise TemperError(f"{self} cannot be meant", fix="spread is a share, copies and days more than 0")

    def play(self, field: Field, rng: Draws) -> None:
        """Requests first, then their labels; the wait only where some were taken, and then an attempt at every row."""
        labels, rows = min(field.labels, field.left // 2), field.open
        if not labels or not len(rows):
            return
        first = self._first(field, rows, labels)
        x = _like(field, first, labels, self.spread, rng)
        told = np.flatnonzero(sent(field, x).answered)
        taken = field.teach(x[told], np.zeros(len(told), dtype=np.int64)) if len(told) else 0
        if not taken:
            field.say("no label is taken from this account")
            return
        field.wait(self.days * DAY)
        before = len(field.open)
        rows = np.concatenate([first, np.setdiff1d(rows, first)])[: field.left]
        sent(field, np.asarray(field.wanted.x, dtype=float)[rows], rows)
        field.say(f"{taken} labels were taken; {before - len(field.open)} of {len(rows)} rows pass unchanged since")

    def _first(self, field: Field, rows: Array, labels: int) -> Array:
        """As many rows as there are labels for, by the lowest scores that were told of them."""
        known = {row.tobytes(): score for row, score in zip(*field.heard, strict=True)}
        wanted = np.asarray(field.wanted.x, dtype=float)
        scores = np.array([known.get(wanted[row].tobytes(), np.inf) for row in rows])
        return rows[np.argsort(scores, kind="stable")][: max(1, labels // self.copies)]


def _like(field: Field, rows: Array, count: int, spread: float, rng: Draws) -> Array:
    """`count` rows like the wanted ones in turn, a share of them moved."""
    most = min(field.attacker.change, field.money)
    budget = Budget(norm="cost", cost=None if np.isinf(most) else max(most, 0.0))
    wanted = np.asarray(field.wanted.x, dtype=float)
    scene = Scene(x=wanted, y=np.ones(len(wanted)), ids=np.arange(len(wanted)), schema=field.schema, budget=budget)
    low, high = reachable(field.schema, wanted, budget)
    many, turn = rows[np.arange(count) % len(rows)], np.arange(count) // len(rows)
    moved = random_point(scene, many, rng, turn, low, high)
    alike = rng.child("alike").uniform(many, turn) >= spread
    return np.where(alike[:, None], wanted[many], moved)


PLUGIN = PoisonFeedback
