"""Laws of defences: what comes back can do no less, what went in is as before, and it can be done again."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.testing.law import LawBroken, only_reads, require, same
from temper.testing.scenes import schema, table, training
from temper.testing.toys import Trainable


def law_gives_at_least_the_same_access(defence: type[Any]) -> None:
    """A hardened target can be attacked, measured and hardened again in every way the old one could."""
    target = _target()
    hardened = _apply(defence, target)
    lost = target.access & ~hardened.access
    require(not lost, f"takes away {lost.words()}")
    require(hardened.kind is target.kind and hardened.classes == target.classes, "gives another kind of model")


def law_leaves_the_target_alone(defence: type[Any]) -> None:
    """The target passed in answers and is as before."""
    target, x = _target(), table(30)
    before = target.scores(x), replace(target)
    hardened = _apply(defence, target)
    require(same(target.scores(x), before[0]) and target == before[1], "changes the target it was given")
    require(hardened is not target, "gives back the very target it was given")


def law_leaves_the_data_alone(defence: type[Any]) -> None:
    """The training rows are as before."""
    with only_reads(defence.__name__):
        _apply(defence, _target())


def law_same_seed_same_model(defence: type[Any]) -> None:
    """Hardening again with the same seed gives the same model."""
    x = table(30)
    one, two = (_apply(defence, _target()).scores(x) for _ in range(2))
    require(same(one, two), "gives another model when run again with the same seed")


def law_answers_are_finite(defence: type[Any]) -> None:
    """The hardened model answers every row, and still tells the classes apart better than a coin."""
    data = training()
    scores = _apply(defence, _target()).scores(data.x)
    require(scores.shape == (len(data), 2) and np.isfinite(scores).all(), "gives a model that does not answer")
    right = float(((scores[:, 1] >= 0.5) == data.y).mean())
    floor = max(float(data.y.mean()), 1.0 - float(data.y.mean()))
    require(
        right > floor,
        f"gives a model that is right on {right:.0%} of rows where always the same is right on {floor:.0%}",
    )


def law_a_target_that_cannot_be_refitted_is_refused(defence: type[Any]) -> None:
    """A model nobody can fit again is a reason to skip, not a crash, and never a silent nothing."""
    target = replace(_target(), access=Access.LABELS | Access.SCORES)
    x = table(30)
    try:
        hardened = _apply(defence, target)
    except Unsupported:
        return
    except Exception as crash:
        raise LawBroken(f"crashes on a target that cannot be refitted: {type(crash).__name__}: {crash}") from crash
    moved = not same(hardened.scores(x), target.scores(x))
    require(moved, "says it hardened a target that cannot be refitted, and did nothing")


def _target() -> Trainable:
    return Trainable.fitted(training())


def _apply(defence: type[Any], target: Target) -> Target:
    known = {field.name for field in fields(defence)}
    handed = {"schema": schema(), "inner": _found, "goal": "misclassify"}
    made = defence(**{name: value for name, value in handed.items() if name in known})
    hardened: Target = made.apply(target, training(), Draws(0, "testing.defence"))
    return hardened


def _found(target: Target, data: Data) -> Data:
    """The inner attack the engine would hand in: rows of class 1 whose amount was lowered, truth kept."""
    rows = np.flatnonzero(data.y == 1)
    x = data.x[rows].copy()
    x[:, 0] -= 4.0
    return Data(x=schema().project(x, data.x[rows]), y=data.y[rows].copy(), ids=data.ids[rows].copy())


LAWS = (
    law_gives_at_least_the_same_access,
    law_leaves_the_target_alone,
    law_leaves_the_data_alone,
    law_same_seed_same_model,
    law_answers_are_finite,
    law_a_target_that_cannot_be_refitted_is_refused,
)
