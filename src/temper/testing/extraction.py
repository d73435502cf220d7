"""Laws of extraction attacks: they learn from metered answers to rows of their own making, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Array, Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.targets.oracle import Meter
from temper.testing.law import LawBroken, only_reads, require, same, sealed
from temper.testing.scenes import trained_scene
from temper.testing.toys import Linear, Trainable

_FEW, _QUERIES = 60, 120  # most copies here make a second round only where it matters
_BUDGETS = (0, 1, 2, 17)


class _Watched(Meter):
    """A meter that keeps what was asked."""

    def __init__(self, target: Target, queries: int) -> None:
        super().__init__(target, queries)
        self.asked: list[Array] = []

    def scores(self, x: Array) -> Array:
        """The metered scores, noted."""
        self.asked.append(np.array(x))
        return super().scores(x)


class _Trap:
    """Stands where the target or its training rows could be reached without the meter."""

    def __getattr__(self, name: str) -> Any:
        raise LawBroken(f"reaches for {name} without paying")


def law_same_seed_same_copy(attack: type[Any]) -> None:
    """A stolen copy can be made again: the same questions and an equal payload."""
    (one, first), (two, second) = (_run(attack, _QUERIES, seed=3) for _ in range(2))
    require(same(first, second), "asks other rows when run again with the same seed")
    require(same(one, two), "makes another copy of the same answers")


def law_other_seed_other_questions(attack: type[Any]) -> None:
    """The seed reaches the numbers."""
    (_, first), (_, second) = (_run(attack, _FEW, seed=seed) for seed in (3, 4))
    require(not same(first, second), "asks the same rows with another seed")


def law_leaves_inputs_alone(attack: type[Any]) -> None:
    """The rows the attacker holds are as before."""
    with only_reads(attack.__name__):
        _run(attack, _FEW)


def law_pays_for_every_answer(attack: type[Any]) -> None:
    """It reaches the model through the meter only, never the target, the training rows or a refit in the scene."""
    scene = _scene(attack)
    trap: Any = _Trap()
    attack().run(_meter(scene, _QUERIES), replace(scene, target=trap, train=trap, fit=trap), _draws(0))


def law_ends_cleanly_at_small_budgets(attack: type[Any]) -> None:
    """Few answers make a poor copy, and no answer at all is a plain refusal."""
    for queries in _BUDGETS:
        meter = _meter(_scene(attack), queries)
        try:
            attack().run(meter, _scene(attack), _draws(0))
        except Unsupported:
            continue
        except (TemperError, ValueError, IndexError) as error:
            raise LawBroken(f"fails at {queries} queries: {error}") from error
        require(queries > 0, "makes a copy without a single answer")
        require(meter.spent <= queries, f"spends {meter.spent} of {queries} queries")


def law_asks_finite_rows_of_the_right_shape(attack: type[Any]) -> None:
    """What it asks is a table like the one it knows; a gap only where the column may have one."""
    scene = _scene(attack)
    _, asked = _run(attack, _QUERIES)
    may_miss = np.array([column.missing for column in scene.schema.columns])
    for x in asked:
        require(
            x.shape[1:] == scene.x.shape[1:], f"asks rows of shape {x.shape[1:]}, the table has {scene.x.shape[1:]}"
        )
        require(np.isfinite(x[:, ~may_miss]).all(), "asks a gap where the column has none")


def law_learns_nothing_from_truths_it_does_not_know(attack: type[Any]) -> None:
    """The rows the attacker holds come without their truth: other truths change nothing."""
    asked = []
    for truth in (0, 1):
        scene = _scene(attack)
        held = _held(scene)
        hidden = Data(x=held.x, y=sealed(np.full(len(held), truth)), ids=held.ids)
        meter = _meter(scene, _FEW)
        attack().run(meter, replace(scene, reference=hidden, y=sealed(np.full(len(scene.y), truth))), _draws(0))
        asked.append(meter.asked)
    require(same(asked[0], asked[1]), "asks other rows when the truths it should not know are others")


def law_declares_what_it_needs(attack: type[Any]) -> None:
    """`needs` says whether labels are enough."""
    needs = getattr(attack, "needs", Access.NONE)
    require(needs & (Access.LABELS | Access.SCORES), "does not declare that it reads labels or scores")


class _Leaves(Linear):
    """A tree of five leaves with an answer each, for attacks that decline a line."""

    def scores(self, x: Array) -> Array:
        """Probabilities (n, 2) of the leaf."""
        x = np.nan_to_num(np.asarray(x, dtype=float))
        low = np.where(x[:, 0] < 40.0, 0.1, 0.3)
        high = np.where(x[:, 3] < 2.0, np.where(x[:, 10] < 50.0, 0.6, 0.7), 0.9)
        p = np.where(x[:, 2] < 9.0, low, high)
        return np.stack([1.0 - p, p], axis=1)


def _scene(attack: type[Any]) -> Scene:
    """Rows and a victim: a line, or a tree where the attack declines a line."""
    leaves = _Leaves(weights=(0.0,) * 11, access=Access.LABELS | Access.SCORES)
    asked: Any = attack
    return trained_scene(40) if _takes_a_line(asked) else trained_scene(40, target=leaves)


@cache
def _takes_a_line(attack: type[Any]) -> bool:
    scene = trained_scene(40)
    try:
        attack().run(_meter(scene, _QUERIES), scene, _draws(0))
    except Unsupported:
        return False
    except Exception:  # a law will say what is wrong
        return True
    return True


def _held(scene: Scene) -> Data:
    if scene.reference is None:
        raise LawBroken("the scene holds no reference rows")
    return scene.reference


def _meter(scene: Scene, queries: int) -> _Watched:
    return _Watched(scene.target or Trainable.fitted(_held(scene)), queries)


def _draws(seed: int) -> Draws:
    return Draws(seed, "testing.extraction")


def _run(attack: type[Any], queries: int, seed: int = 0) -> tuple[Any, list[Array]]:
    scene = _scene(attack)
    meter = _meter(scene, queries)
    return attack().run(meter, scene, _draws(seed)), meter.asked


LAWS = (
    law_same_seed_same_copy,
    law_other_seed_other_questions,
    law_leaves_inputs_alone,
    law_pays_for_every_answer,
    law_ends_cleanly_at_small_budgets,
    law_asks_finite_rows_of_the_right_shape,
    law_learns_nothing_from_truths_it_does_not_know,
    law_declares_what_it_needs,
)
