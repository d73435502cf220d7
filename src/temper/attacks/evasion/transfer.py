"""Attack a copy that was taught by labels, and put what fools it to the model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from temper.attacks.evasion._nearest import plain
from temper.attacks.evasion._student import Student, fitted
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.kernels.loss import margin
from temper.kernels.search import random_point, reachable, repair
from temper.kernels.slope import Aim, climb
from temper.kernels.step import steepest


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Teach a small network the labels of the attacker's own rows and of random admissible points, fool it where asking
    is free, and put the result to the model; its answers teach the next of the `rounds` copies.

    Misleads when the copy is poor (few queries, many classes, large images): the model is then asked about points that
    were made for another one, and its holding says little.
    Source: Papernot et al., "Practical black-box attacks against machine learning", 2017; Dong et al., "Boosting
    adversarial attacks with momentum", 2018.

    >>> Transfer(rounds=3).hidden
    32
    """

    needs: ClassVar[Access] = Access.LABELS
    mode: ClassVar[str] = "first"
    rounds: int = 5
    probes: int = 20
    tries: int = 8
    steps: int = 20
    hidden: int = 32
    lessons: int = 300

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """`probes` labels per row over all rounds, then `tries` points that fool the copy per row and round."""
        if scene.kind is ScoreKind.VALUE:
            fix = "use evasion.random_search"
            raise Unsupported("evasion.transfer copies labels, and the target gives a value", fix=fix)
        on, rng = _Ground.of(scene), replace(rng, like=None)  # the copy lives in NumPy
        left, asked = int(oracle.left.max(initial=0)), 0
        each = max(left // self.rounds, 1)
        probes = min(max(self.probes // self.rounds, 1), each // 2)
        for turn in range(min(self.rounds, left)):
            for at in range(asked, asked + probes):
                rows = on.open(oracle)
                on.ask(oracle, on.probe(rows, rng.child("probe"), at), rows)
            asked += probes
            self._round(oracle, on, rng, turn, min(self.tries, each - probes))
        oracle.done(np.arange(len(scene.x)))

    def _round(self, oracle: OracleLike, on: _Ground, rng: Draws, turn: int, tries: int) -> None:
        """A fresh copy, and per open row `tries` points that fool it."""
        rows = on.open(oracle)
        if not len(rows) or tries < 1:
            return
        copy = on.student(rng.child("copy").generator(turn), self.hidden, self.lessons)
        many, draw = np.tile(rows, tries), np.repeat(np.arange(tries), len(rows))
        search = self._search if on.scene.schema.columns else self._slide
        x = search(copy, on, many, rng.child(f"fool {turn}"), draw)
        for at in range(tries):
            chosen = (draw == at) & np.isin(many, oracle.active)
            on.ask(oracle, x[chosen], many[chosen])

    def _search(self, copy: Student, on: _Ground, rows: Array, rng: Draws, draw: Array) -> Array:
        """Columns taken over from random admissible points as long as that lowers the copy's margin."""
        count = 2 * self.steps
        x = random_point(on.scene, rows, rng, draw * count, on.low, on.high)
        lead = on.lead(copy, x, rows)
        for step in range(1, count):
            other = random_point(on.scene, rows, rng, draw * count + step, on.low, on.high)
            mix = rng.child("mix").uniform(rows, draw * count + step, (x.shape[1] + 1,))
            taken = mix[:, 1:] < mix[:, :1]
            mixed = repair(np.where(taken, other, x), on.scene.x[rows], on.scene, mix[:, 1:])
            now = on.lead(copy, mixed, rows)
            better = now < lead
            x[better], lead[better] = mixed[better], now[better]
        return x

    def _slide(self, copy: Student, on: _Ground, rows: Array, rng: Draws, draw: Array) -> Array:
        """Momentum steps along the copy's slope from a random point (MI-FGSM)."""
        x0, budget = on.scene.x[rows], on.scene.budget
        x = random_point(on.scene, rows, rng, draw, on.low, on.high)
        reach, norm = (on.high[rows] - on.low[rows]) / 2, "linf"
        if budget.radius is not None and budget.norm in ("l1", "l2"):
            reach, norm = np.full(x.shape, budget.radius), budget.norm
        momentum = np.zeros_like(x)
        for _ in range(self.steps):
            pull = on.pull(copy, x, rows)
            size = np.abs(pull).reshape((len(rows), -1)).sum(axis=1).reshape((-1,) + (1,) * (x.ndim - 1))
            momentum = momentum + pull / np.where(size > 0, size, 1.0)
            x = x + 2.5 / self.steps * reach * steepest(momentum, norm)
            x = repair(x, x0, on.scene, np.ones_like(x))
        return x


@dataclass(slots=True)
class _Ground:
    """The scene in NumPy, the reach of every value, the attacker's own rows, and the lessons so far."""

    scene: Scene
    given: Array
    order: Array
    low: Array
    high: Array
    own: Array | None
    x: list[Array] = field(default_factory=list)
    y: list[Array] = field(default_factory=list)

    @classmethod
    def of(cls, scene: Scene) -> _Ground:
        """What is known before anything is asked: the rows under attack with their truth."""
        order = np.argsort(np.asarray(scene.ids), kind="stable")  # a copy does not depend on the order of the rows
        given, own = scene.x, None if scene.reference is None else np.asarray(plain(scene.reference.x), dtype=float)
        scene = replace(scene, x=np.asarray(plain(given), dtype=float), y=np.asarray(plain(scene.y)))
        low, high = reachable(scene.schema, scene.x, scene.budget, own)
        ground = cls(scene, given, order, low, high, own)
        ground.x.append(ground.flat(scene.x[order]))
        ground.y.append(scene.y[order])
        return ground

    def open(self, oracle: OracleLike) -> Array:
        """The open rows, in the order of their ids."""
        found: Array = self.order[np.isin(self.order, oracle.active)]
        return found

    def ask(self, oracle: OracleLike, x: Array, rows: Array) -> None:
        """One query per candidate; what is answered is learnt."""
        if len(rows):
            labels = plain(oracle.labels(_as(x, self.given), rows))
            self.x.append(self.flat(x[labels >= 0]))
            self.y.append(labels[labels >= 0])

    def probe(self, rows: Array, rng: Draws, at: int) -> Array:
        """The attacker's own rows first, each once, then random admissible points."""
        x = random_point(self.scene, rows, rng, at, self.low, self.high)
        if self.own is not None:
            place = at * len(self.order) + np.arange(len(rows))
            known = place < len(self.own)
            x[known] = self.own[place[known]]
        return x

    def student(self, numbers: np.random.Generator, hidden: int, steps: int) -> Student:
        """A copy of what has been answered."""
        return fitted(np.concatenate(self.x), np.concatenate(self.y), self.scene.classes, hidden, steps, numbers)

    def lead(self, copy: Student, x: Array, rows: Array) -> Array:
        """How far the copy is from the goal."""
        return margin(copy.logits(self.flat(x)), self.scene.y[rows], ScoreKind.LOGITS, None, self.scene.goal)

    def pull(self, copy: Student, x: Array, rows: Array) -> Array:
        """The slope of the copy's loss."""
        flat = self.flat(x)
        aim = Aim(kind=ScoreKind.LOGITS, goal=self.scene.goal)
        return copy.slope(flat, climb("ce", copy.logits(flat), self.scene.y[rows], aim)[1]).reshape(x.shape)

    def flat(self, x: Array) -> Array:
        """One line per row."""
        return x.reshape((len(x), int(np.prod(x.shape[1:]))))


def _as(x: Array, given: Array) -> Array:
    """In the namespace, precision and place of the rows under attack."""
    if isinstance(given, np.ndarray):
        return x.astype(given.dtype)
    import torch

    return torch.as_tensor(x, dtype=given.dtype, device=given.device)


PLUGIN = Transfer
