"""Training rows that carry a stamp and somebody else's label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.measure import Better, Measurement
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.planted import Planted, scan
from temper.kernels.rate import wilson
from temper.validation._measured import not_applicable

NAME = "planted_rows"
_FEWEST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedRows:
    """Search the training table for a backdoor: a small box of columns in which one label is far too common, and whose
    rows look, in every other column, like the class they were taken from.

    `accused_share` is the share of training rows in such boxes, each of which passed both tests on rows that did not
    choose it, at `level`. The model is not asked. Misleads where no label is wrong (clean-label triggers), where
    stamps are wide or few (below a hundred rows), where labels are flipped without a stamp, and where the rows that
    were stamped were picked to look like the class they were moved to: it is blind to all of these.
    Source: Friedman & Fisher, "Bump hunting in high-dimensional data", 1999 (the search); what triggers on tables look
    like: Pleiter et al., "Tabdoor: backdoor vulnerabilities in transformer-based neural networks for tabular data",
    2023.

    >>> PlantedRows().level
    0.01
    """

    whole_train: ClassVar[bool] = True
    level: float = 0.01
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...] | Accused:
        """`accused_share`, with the boxes in words and the rows in them."""
        if scene.train is None or not scene.schema.columns or np.ndim(scene.train.x) != 2:
            return not_applicable(NAME, "it reads a training table with a schema, and here is none")
        if scene.kind is ScoreKind.VALUE:
            return not_applicable(NAME, "it reads labels, and this model predicts a value")
        if len(scene.train) < _FEWEST:
            return not_applicable(NAME, f"it takes {_FEWEST:,} training rows, and here are {len(scene.train):,}")
        train = scene.train
        drawn = Draws(self.seed, NAME, ids=np.asarray(train.ids)).uniform(np.arange(len(train)), 0)
        found, accused = scan(
            np.asarray(train.x, dtype=np.float64),
            np.asarray(train.y),
            scene.schema.categorical,
            drawn < 0.5,
            level=self.level,
            progress=scene.progress,
        )
        told = (_share(found, accused, scene.schema, self.level),)
        return Accused(measurements=told, ids=np.asarray(train.ids)[accused])


def _share(found: Sequence[Planted], accused: Any, schema: Schema, level: float) -> Measurement:
    count, n = int(accused.sum()), len(accused)
    low, high = wilson(count, n)
    return Measurement(
        plugin=NAME,
        metric="accused_share",
        value=count / n,
        low=low if found else 0.0,
        high=high,
        n=n,
        count=count,
        better=Better.LOWER,
        unit="share of training rows",
        method=f"boxes chosen on half of the rows, tested on the other at {level:g}; Wilson over training rows",
        baseline=(("tables without a stamp: chance that any row is accused", level),),
        caveats=tuple(_told(one, schema) for one in found) or (_BLIND,),
    )


_BLIND = "blind to clean-label and wide triggers, to stamps on fewer than about a hundred rows, and to flips alone"


def _told(one: Planted, schema: Schema) -> str:
    """The box as a person reads it, with what speaks against it."""
    sides = ", ".join(_side(schema, at, *ends) for at, ends in sorted(one.box.items()))
    return (
        f"{sides}: {one.rows:,} tested rows of label {one.label} and {one.others} of others, where {one.expected:.0f} "
        f"of others were expected; elsewhere they look {one.likeness:.0%} like the others (p {one.p:.1g})"
    )


def _side(schema: Schema, at: int, low: float, high: float) -> str:
    column = schema.columns[at]
    first, last = (column.show(np.nan if np.isinf(end) else end) for end in (low, high))
    return f"{column.name} = {first}" if low == high else f"{column.name} {first} to {last}"


PLUGIN = PlantedRows
