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
    """Have rows like the wanted ones labelled genuine (a dispute withdrawn, a customer who confirms), wait until the
    model has been trained again, and submit the wanted rows as they are.

    `spread` is the share of labels spent on rows moved a little within what an attacker may move; the others are the
    wanted rows themselves. Misleads where labels of one account are few beside the training rows, or where people check
    them: then nothing changes, and the wait is all it cost.
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
    spread: float = 0.5
    days: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.spread <= 1.0 or not self.days > 0:
            raise TemperError(f"{self} cannot be meant", fix="spread is a share, days more than 0")

    def play(self, field: Field, rng: Draws) -> None:
        """Labels first; the wait only where some were taken, and then one attempt at every open row."""
        labels, rows = field.attacker.labels, field.open
        if not labels or not len(rows):
            return
        x = _like(field, rows, labels, self.spread, rng)
        taken = field.teach(x, np.zeros(len(x), dtype=np.int64))
        if not taken:
            field.say("no label is taken from this account")
            return
        field.wait(self.days * DAY)
        before = len(field.open)
        rows = rows[: field.left]
        sent(field, np.asarray(field.wanted.x, dtype=float)[rows], rows)
        field.say(f"{taken} labels were taken; {before - len(field.open)} of {len(rows)} rows pass unchanged since")


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
