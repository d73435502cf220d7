"""A differentially private additive model in the model's place."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Array, Data
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.core.trees import TreeEnsemble
from temper.hardening._additive import Steps, Vector, additive, one_per_class, replaceable
from temper.hardening._private import asked_for_nothing_more, delta_of, extra, one_row_each, positive_budget
from temper.hardening._refit import columns_of
from temper.targets._recipe import class_numbers
from temper.targets.flat import Flat
from temper.targets.private import private

_STEPS = 60  # of a column; the library looks at 62 places
_FAR = 1_000.0  # scales from zero at which a column without a declared end is cut off


@dataclass(frozen=True, slots=True, kw_only=True)
class DpEbm:
    """Fit an explainable boosting machine with noise, so that one row more or less in training changes the model no
    more than `epsilon` and `delta` (None: a tenth of one over the rows) say: a proof against every membership attack.

    Ranges, scales and categories come from the schema and not from the rows, whose smallest and largest values are
    somebody's. A schema whose ranges `temper init` read off the rows gives those away: write your own. One effect per
    column, no interactions; kept as trees. More than two classes are each told from the rest and share the budget, so
    that many classes cost much quality. Misleads in three ways. The noise is drawn from the run's
    seed, so that a run can be repeated, and guards nothing against whoever knows the seed: `secret` takes it from the
    system, for the model that is released. What is chosen by looking at the rows (this epsilon among others, the
    threshold) stands outside the proof. And it speaks of one row: a person with ten rows has ten times the epsilon.
    Source: Nori et al., "Accuracy, interpretability, and differential privacy via explainable boosting", 2021.

    >>> DpEbm(epsilon=1.0).delta is None
    True
    """

    needs: ClassVar[Access] = Access.RETRAIN
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"epsilon": 8.0}, {"epsilon": 1.0})
    epsilon: float = 4.0
    delta: float | None = None
    secret: bool = False
    schema: Schema | None = None

    def __post_init__(self) -> None:
        positive_budget(self.epsilon, self.delta)

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The private model, with scores of the same kind."""
        replaceable(target, "dp_ebm", many=True)
        columns_of(self.schema, data, "dp_ebm")
        return _fitted(self, target.kind, target.classes, data, Recipe(seed=rng.integer()))


def _fitted(how: DpEbm, kind: ScoreKind, classes: int, data: Data, recipe: Recipe) -> Target:
    """The model of these rows within the budget: what one row changes in the models of several classes adds up.

    Source: sequential composition, Dwork & Roth, "The algorithmic foundations of differential privacy", 2014, 3.16.
    """
    asked_for_nothing_more(recipe, "dp_ebm")
    one_row_each(data, "dp_ebm")
    places = [_Places.of(column) for column in columns_of(how.schema, data, "dp_ebm").columns]
    delta = delta_of(how.delta, len(data))
    y = class_numbers(data, classes, "dp_ebm")
    coded = np.column_stack([place.codes(data.x[:, at]) for at, place in enumerate(places)])
    if classes == 2:
        part = replace(how, delta=delta)
        ensemble = _margin(part, places, coded, y, recipe.seed, kind)
    else:
        part, seeds = replace(how, epsilon=how.epsilon / classes, delta=delta / classes), Draws(recipe.seed, "dp_ebm")
        margins = [_margin(part, places, coded, y == at, seeds.integer(at), ScoreKind.MARGIN) for at in range(classes)]
        ensemble = one_per_class(margins, kind)
    flat = Flat(ensemble=ensemble, kind=kind, classes=classes)
    again = partial(_fitted, how, kind, classes)
    return private(flat, epsilon=how.epsilon, delta=delta, seeded=not how.secret, fit=again)


def _margin(how: DpEbm, places: list[_Places], coded: Vector, y: Vector, seed: int, kind: ScoreKind) -> TreeEnsemble:
    """The additive score of class 1 among these rows, for the whole of this budget."""
    with extra("interpret", "dp_ebm"):
        from interpret.privacy import DPExplainableBoostingClassifier
    model = DPExplainableBoostingClassifier(
        # Not "nominal": it shows a category as soon as one row has it (bench/inversion/audit.py).
        feature_types=["continuous"] * len(places),
        privacy_bounds=np.array([place.bounds for place in places]),
        epsilon=how.epsilon,
        delta=how.delta,
        random_state=None if how.secret else seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the seed is known; the target says so itself
        model.fit(coded, y)
    return additive(_effects(model, places), float(np.ravel(model.intercept_)[0]), kind)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Places:
    """The steps into which the schema alone divides a column: place k lies from `edges[k - 1]` up to `edges[k]`.

    A missing value has the place -1 where the schema expects one, else that of the lowest values.
    """

    edges: Vector
    missing: int

    @staticmethod
    def of(column: Column) -> _Places:
        """Whole numbers and categories one by one where they fit, else even steps; numbers in steps that are fine near
        zero and wide far off.
        """
        low, high = _ends(column)
        if column.type == "category" or (column.discrete and high - low < _STEPS):
            edges = np.linspace(low - 0.5, high + 0.5, int(min(high - low + 1, _STEPS)) + 1)
        else:
            scale = column.scale
            edges = np.sinh(np.linspace(np.arcsinh(low / scale), np.arcsinh(high / scale), _STEPS + 1)) * scale
        return _Places(edges=np.unique(edges[1:-1]), missing=-1 if column.missing else 0)

    @property
    def bounds(self) -> tuple[float, float]:
        """The range of the codes."""
        return self.missing - 0.5, len(self.edges) + 0.5

    def codes(self, values: Array) -> Vector:
        """The place (n,) of each value."""
        found = np.searchsorted(self.edges, values, side="right")
        return np.where(np.isnan(values), self.missing, found).astype(np.float64)


def _ends(column: Column) -> tuple[float, float]:
    """What the schema says of the range, cut off where it says nothing."""
    if column.type in ("category", "boolean"):
        return 0.0, max(len(column.categories) - 1.0, 1.0)
    far = _FAR * column.scale
    low = column.low if np.isfinite(column.low) else min(-far, column.high)
    high = column.high if np.isfinite(column.high) else max(far, column.low)
    return float(low), float(high)


def _effects(model: Any, places: list[_Places]) -> list[Steps]:
    """What the model adds at every place of every column, those it has no term for included."""
    found = [Steps(edges=place.edges, values=np.zeros(len(place.edges) + 1), missing=0.0) for place in places]
    for (at,), scores in zip(model.term_features_, model.term_scores_, strict=True):
        place, cuts = places[at], np.asarray(model.bins_[at][0])
        said = np.asarray(scores)[1 + np.searchsorted(cuts, np.arange(-1, len(place.edges) + 1), side="right")]
        found[at] = Steps(edges=place.edges, values=said[1:], missing=float(said[1 + place.missing]))
    return found


PLUGIN = DpEbm
