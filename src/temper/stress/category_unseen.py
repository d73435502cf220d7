"""Codes that were never seen in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import features, level, only, table
from temper.stress._strike import fill, follow, strikes


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryUnseen:
    """A category takes a value that did not exist in training: a new merchant type, a new browser, a typing error.

    Severity 1-5 hits 1, 5, 10, 25, 50 % of the values of each category and one-hot group. The model sees what a
    pipeline with a fixed list of categories makes of it: a missing value (`code="missing"`, the way pandas categories
    and ordinal encoders behave), or all zeros in a one-hot group. `code="beyond"` sends the first unlisted code
    instead, as a pipeline does whose list grows by itself; models with native categories often refuse that.
    Misleads for a pipeline that refuses such rows before they reach the model: then this measures what nobody serves.
    Source: Breck et al., "Data validation for machine learning", 2019 (values outside a feature's domain).

    >>> from temper.core.schema import Column
    >>> schema = Schema(columns=(Column(name="colour", type="category", categories=("red", "green")),))
    >>> stressor = CategoryUnseen(schema=schema, code="beyond", shares=(1, 1, 1, 1, 1))
    >>> stressor.apply(np.array([[0.0], [1.0]]), 1, Draws(0, "category_unseen")).ravel()
    array([2., 2.])
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.25, 0.5)
    code: str = "missing"
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def __post_init__(self) -> None:
        if self.code not in ("missing", "beyond"):
            raise TemperError(f"code {self.code!r} is unknown", fix="use missing or beyond")

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with unseen codes; `Unsupported` where there is no category."""
        out, share = table(x), level(self.shares, severity)
        found = features(self.schema, out, self.columns)
        coded = [feature for feature in found if feature.hot or feature.column.type == "category"]
        for feature, rows in strikes(rng, len(out), only(found, coded, "category column"), share):
            unseen = float(len(feature.column.categories)) if self.code == "beyond" else np.nan
            fill(out, rows, feature, 0.0 if feature.hot else unseen)
        return follow(self.schema, out, x)


PLUGIN = CategoryUnseen
