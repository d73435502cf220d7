"""Rows unlike the training rows are refused, which counts as flagged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import ScoreKind, Target
from temper.hardening._refit import columns_of
from temper.targets.wrapped import Refusing, Region, margin_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Put a detector beside a binary model: rows farther from the training rows than all but `refused` of them count as
    class 1.

    The distance is Mahalanobis over the numbers, tails compressed; about `refused` of the clean rows become alerts.
    Misleads when it is tried with attacks that do not see it: here its answer is part of the score that is attacked.
    Source: Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
    2018; Carlini & Wagner, "Adversarial examples are not easily detected", 2017.

    >>> Detector(refused=0.02).refused
    0.02
    """

    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"refused": 0.003}, {"refused": 0.03})
    refused: float = 0.01
    schema: Schema | None = None

    def __post_init__(self) -> None:
        if not 0 < self.refused < 0.5:
            raise TemperError(f"a detector that refuses a share of {self.refused:g}", fix="choose a number in (0, 0.5)")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same model beside the detector; `Unsupported` for more than two classes: they have no refusal."""
        if target.classes != 2 or target.kind is ScoreKind.VALUE:
            raise Unsupported(
                "a refused row counts as class 1, which only a binary model has",
                fix="use smoothing, or training against attacks, for several classes",
            )
        schema = columns_of(self.schema, data, "a detector")
        if not any(c.type in ("number", "integer") and not c.group for c in schema.columns):
            raise Unsupported(
                "a detector measures numbers, and the table has none", fix="use augment or anchored for such a table"
            )
        top = float(np.max(margin_of(np.asarray(target.scores(data.x)), target.kind)))
        return Refusing(inner=target, region=Region.fitted(data.x, schema, self.refused), top=top + 1.0)


PLUGIN = Detector
