"""The ball a net is trained against: where a row may go, and how it moves there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.budget import Budget
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.schema import Schema

_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ball:
    """Per row of a batch `x` the ends `lower` and `upper` (box, direction, radius); `scale` is the unit of distance.

    `scale` is one number, or one per column.
    """

    x: Any
    lower: Any
    upper: Any
    scale: Any
    norm: str
    radius: float

    def start(self, numbers: Any) -> Any:
        """A random point per row: uniform in linf, in a uniform direction at a uniform distance in l2."""
        import torch

        if self.norm == "linf":
            drawn = torch.rand(self.x.shape, generator=numbers, device=self.x.device, dtype=self.x.dtype)
            return self.lower + (self.upper - self.lower) * drawn
        way = torch.randn(self.x.shape, generator=numbers, device=self.x.device, dtype=self.x.dtype)
        far = torch.rand(len(way), generator=numbers, device=self.x.device, dtype=self.x.dtype)
        return self.inside(self.x + _unit(way) * _wide(far, way) * self.radius * self.scale)

    def stepped(self, point: Any, slope: Any, size: float) -> Any:
        """The point moved by `size` along the steepest way of the norm, and brought back inside."""
        if self.norm == "linf":
            return self.inside(point + slope.sign() * (size * self.scale))
        return self.inside(point + _unit(slope * self.scale) * (size * self.scale))

    def inside(self, point: Any) -> Any:
        """The point shrunk into the ball (l2) and clipped to the ends."""
        import torch

        if self.norm == "l2":
            gap = (point - self.x) / self.scale
            length = gap.reshape(len(gap), -1).norm(dim=1)
            point = self.x + gap * _wide((self.radius / length.clamp(min=_TINY)).clamp(max=1.0), gap) * self.scale
        return torch.clamp(point, self.lower, self.upper)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """Makes the balls of batches, from a schema and a budget.

    In tables only numbers and counts move, each on its own: relations and derived columns are not kept in training.
    """

    schema: Schema
    norm: str
    radius: float

    def around(self, x: Any, rows: Array) -> Ball:
        """The ball of every row of the tensor `x`; `rows` are the same rows as the user gave them."""
        import torch

        if not self.schema.columns:
            reach = self.radius if self.norm == "linf" else np.inf
            lower = torch.clamp(x - reach, min=self.schema.low)
            upper = torch.clamp(x + reach, max=self.schema.high)
            return Ball(x=x, lower=lower, upper=upper, scale=1.0, norm=self.norm, radius=self.radius)
        scales = self.schema.scales
        low, high = self.schema.bounds(rows)
        fixed = np.array([c.type in ("category", "boolean") or bool(c.group) for c in self.schema.columns])
        low, high = (np.where(fixed, rows, side) for side in (low, high))
        if self.norm == "linf":
            low, high = np.maximum(low, rows - self.radius * scales), np.minimum(high, rows + self.radius * scales)
        lower, upper, scale = (torch.as_tensor(part, dtype=x.dtype, device=x.device) for part in (low, high, scales))
        return Ball(x=x, lower=lower, upper=upper, scale=scale, norm=self.norm, radius=self.radius)


def field_of(schema: Schema | None, budget: Budget | None, share: float, defence: str) -> Field:
    """The field of `share` of the budget's radius; `Unsupported` without a schema, a radius or a fitting norm."""
    if schema is None:
        raise Unsupported(
            f"{defence} needs a schema that says what an attacker can change, and there is none",
            fix="describe the inputs under `schema:`",
        )
    if budget is None or budget.radius is None:
        raise Unsupported(
            f"{defence} trains against a ball and no radius is known", fix="give an actor a norm and a radius"
        )
    if budget.norm not in ("linf", "l2"):
        raise Unsupported(f"{defence} has no training step in {budget.norm}", fix="use norm linf or l2")
    if not share * budget.radius > 0:
        raise Unsupported(f"{defence} in a ball of radius 0 trains against nothing", fix="give a radius above zero")
    return Field(schema=schema, norm=budget.norm, radius=share * budget.radius)


def _unit(values: Any) -> Any:
    length = values.reshape(len(values), -1).norm(dim=1)
    return values / _wide(length.clamp(min=_TINY), values)


def _wide(values: Any, like: Any) -> Any:
    return values.reshape((-1,) + (1,) * (like.ndim - 1))
