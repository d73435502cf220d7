"""A copy of a network, fitted to answers about rows moved along the copy's own slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks._queries import open_schema
from temper.attacks.extraction._answers import Copies, Copy, answered, ask, checkpoints, held, student
from temper.attacks.extraction._several import lines
from temper.core.attack import Scene
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.agreement import on_line

Vector = np.ndarray[Any, Any]

_SURE = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Jacobian:
    """Asks about the rows it holds, fits a network, moves every row by the sign of the network's slope for the answer
    it got, asks about the moved rows, and so on: each turn doubles the rows.

    For networks on numbers and pictures; `step` is the share of a column's spread that a row moves, back and forth from
    turn to turn. Categories stay. Misleads as a bound on tables, where made-up rows do as well or better.
    Source: Papernot et al., "Practical black-box attacks against machine learning", 2017 (Jacobian-based dataset
    augmentation).

    >>> Jacobian(step=0.2).seeds
    100
    """

    needs: ClassVar[Access] = Access.LABELS
    queries: int = 1_000
    seeds: int = 100
    step: float = 1.0
    bare: bool = False

    def __post_init__(self) -> None:
        if self.queries < 1 or self.seeds < 2 or not self.step > 0:
            raise TemperError(
                f"jacobian asks {self.queries} queries from {self.seeds} rows in steps of {self.step:g}",
                fix="use one query, two rows and a step above zero at least",
            )

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Copies:
        """Copies at every checkpoint, each fitted to all answers so far."""
        known = held(scene, made_up=False)
        known = known[rng.generator(0).permutation(len(known))]
        spread = np.std(np.nan_to_num(known), axis=0)
        asked, sent, turn = known[: min(self.seeds, self.queries)], 0, 0
        x, answers = known[:0], None
        while len(asked):
            given = ask(oracle, scene, asked, bare=self.bare)
            sent, good = sent + len(asked), answered(given)
            x = np.concatenate([x, asked[good]])
            answers = given[good] if answers is None else np.concatenate([answers, given[good]])
            if not good.any():
                break
            scene.progress(0.5 * sent / self.queries)
            turn += 1
            size = self.step if turn % 2 else -self.step
            asked = self._moved(scene, x, answers, size * spread, rng, turn)[: self.queries - sent]
        if answers is None or not len(answers):
            raise Unsupported("not a single row was answered")
        return Copies(steps=self._copies(scene, x, answers, rng), x=x, answers=answers)

    def _copies(self, scene: Scene, x: Vector, answers: Vector, rng: Draws) -> tuple[tuple[int, Copy], ...]:
        counts = [n for n in checkpoints(self.queries) if n < len(x)] + [len(x)]
        return tuple(
            (n, student(scene, x[:n], answers[:n], bare=self.bare, seed=rng.integer(1_000 + n))) for n in counts
        )

    def _moved(self, scene: Scene, x: Vector, answers: Vector, by: Vector, rng: Draws, turn: int) -> Vector:
        """Every row so far, in another order, one step along its slope, inside the domain."""
        slope = _slopes(x.reshape((len(x), -1)), answers, scene, rng.integer(2_000 + turn)).reshape(x.shape)
        shift, order = by * np.sign(slope), rng.generator(turn).permutation(len(x))
        if not scene.schema.columns:
            return np.asarray(np.clip(x + shift, scene.schema.low, scene.schema.high))[order]
        whole = np.array([column.type == "integer" for column in scene.schema.columns])
        fixed = np.array([c.type not in ("number", "integer") or bool(c.group) for c in scene.schema.columns])
        shift = np.where(whole, np.round(shift), shift)
        made = x + np.where(fixed | np.isnan(x), 0.0, shift)
        return np.asarray(open_schema(scene.schema).project(made, x))[order]


def _slopes(x: Vector, answers: Vector, scene: Scene, seed: int) -> Vector:
    """How a network fitted to the answers rises in every column (n, d) towards the answer of each row."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    seen = np.maximum((~np.isnan(x)).sum(axis=0), 1)
    filled = np.where(np.isnan(x), np.nansum(x, axis=0) / seen, x)
    middle, scale = filled.mean(axis=0), filled.std(axis=0) + 1e-9
    z, wanted = (filled - middle) / scale, _wanted(answers, scene)
    net = MLPRegressor(hidden_layer_sizes=(64,), learning_rate_init=3e-3, max_iter=60, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the direction is what matters
        net.fit(z, wanted)
    into, out = net.coefs_
    awake = (z @ into + net.intercepts_[0]) > 0
    towards = out[:, wanted.argmax(axis=1)].T
    return np.asarray(((awake * towards) @ into.T) / scale)


def _wanted(answers: Vector, scene: Scene) -> Vector:
    """Centred logits (n, k) of the answers."""
    if answers.ndim == 2:
        return np.clip(lines(answers), -_SURE, None)
    line = np.clip(on_line(answers, scene.kind), -_SURE, _SURE)
    return np.column_stack([-line, line])


PLUGIN = Jacobian
