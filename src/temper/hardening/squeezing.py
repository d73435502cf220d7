"""Inputs made coarser before the model sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Target
from temper.targets.wrapped import squeezed


@dataclass(frozen=True, slots=True, kw_only=True)
class Squeezing:
    """Round numbers to steps of `width` scales, pictures to `levels` values (then a median of `median` pixels).

    Nothing is fitted again. Misleads as most input transformations do: it stops attacks that do not know of it. Every
    attack here does: gradients pass straight through the rounding, and trees are attacked with their cuts moved to it.
    Source: Xu, Evans & Qi, "Feature squeezing: detecting adversarial examples in deep neural networks", 2018; Athalye,
    Carlini & Wagner, "Obfuscated gradients give a false sense of security", 2018.

    >>> Squeezing(levels=4).median
    1
    """

    ladder: ClassVar[tuple[dict[str, Any], ...]] = (
        {"width": 0.1, "levels": 16},
        {"width": 1.0, "levels": 4, "median": 3},
    )
    width: float = 0.25
    levels: int = 8
    median: int = 1
    schema: Schema | None = None

    def __post_init__(self) -> None:
        if not self.width > 0 or self.levels < 2 or self.median < 1 or self.median % 2 == 0:
            raise TemperError(
                f"squeezing to steps of {self.width:g}, {self.levels} levels, a median of {self.median}: no rounding",
                fix="use a width above zero, two levels at least and an odd median",
            )

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same model behind the rounding; `Unsupported` where the inputs have nothing to round."""
        schema = self.schema
        if schema is None:
            raise Unsupported(
                "squeezing needs a schema that says what the inputs are, and there is none",
                fix="describe the inputs under `schema:`",
            )
        if schema.columns and not any(c.type == "number" and not c.group for c in schema.columns):
            raise Unsupported(
                "squeezing rounds columns of type number, and there is none",
                fix="use coarse or augment for such a table",
            )
        if not schema.columns and not np.isfinite(schema.high - schema.low):
            raise Unsupported("squeezing needs the ends of the box", fix="set box: [low, high] in the schema")
        if not schema.columns and self.median > 1 and data.x.ndim < 3:
            raise Unsupported("a median of pixels needs pictures (n, ..., height, width)", fix="set median to 1")
        return squeezed(target, schema, width=self.width, levels=self.levels, median=self.median)


PLUGIN = Squeezing
