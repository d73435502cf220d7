"""What the defences that grow their own trees share: the attacker's budget, and the target made."""

from __future__ import annotations

from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import ScoreKind, Target
from temper.hardening._refit import columns_of, trainable
from temper.kernels.robust_trees import Growth, grown
from temper.targets.flat import Flat

_COST = 2.0


def attacker(budget: Budget | None, norm: str, radius: float | None, share: float) -> tuple[str, float]:
    """(norm, radius) to grow against: as set, else the system's ball, else a small cost; times `share`."""
    if radius is not None:
        return norm, share * radius
    if budget is not None and budget.radius is not None:
        return budget.norm, share * budget.radius
    return "cost", share * _COST


def grow(target: Target, data: Data, schema: Schema | None, growth: Growth, rng: Draws, defence: str) -> Target:
    """Trees in the place of the target, with scores of the same kind."""
    trainable(target, defence)
    if target.classes != 2 or target.kind not in (ScoreKind.PROBABILITIES, ScoreKind.MARGIN):
        raise Unsupported(
            f"{defence} grows trees of two classes, and this target has {target.classes} of {target.kind.value}",
            fix="use augment or subspaces, which fit the model's own kind",
        )
    if schema is None or schema.columns or data.x.ndim != 2:
        schema = columns_of(schema, data, defence)
    margin = target.kind is ScoreKind.MARGIN
    ensemble = grown(data.x, data.y, schema, growth, rng.generator(), margin=margin)
    return Flat(ensemble=ensemble, kind=target.kind, growth=growth, schema=schema)
