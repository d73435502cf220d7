"""Training labels that models which never saw them contradict, beyond what held-out labels are."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.core.target import Recipe, ScoreKind
from temper.kernels.confident import contradicted, dealt, out_of_fold, thresholds
from temper.kernels.rate import wilson
from temper.kernels.several import holm
from temper.validation._measured import missing, not_applicable, probabilities

NAME = "label_errors"
_FEWEST, _SHOWN = 20, 3
_BLIND = (
    "blind to labels that are wrong in the held-out rows as well, to flips a model learns (many, in one corner) and "
    "to backdoors; a held-out table of another time or place can differ by nature"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelErrors:
    """The share of training rows whose label is likely wrong: confident learning, less what it says of held-out rows.

    Every row is answered by one of `folds` models that did not see it: fits of the model's own family, or gradient
    boosting where that cannot be fitted again. Ambiguous rows are contradicted in every table, so the held-out rows,
    whose labels somebody answers for, are asked of the same models and `excess_share` is the difference. Misleads where
    the held-out rows are of another time or place, and where they are poisoned too; blind to flips that a model learns,
    and to backdoors. How often redrawn labels are contradicted is no null: the model has learnt the noise.
    Source: Northcutt, Jiang & Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021 (by
    cleanlab); the interval is Donner & Zou, "Closed-form confidence intervals for functions of the normal mean and
    standard deviation", 2012 (MOVER), on Wilson's.

    >>> LabelErrors().folds
    3
    """

    bare_fits: ClassVar[bool] = True
    folds: int = 3
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`excess_share` of all training rows, and of those that carry each label."""
        train = scene.train
        if train is None or scene.kind is ScoreKind.VALUE or not len(train):
            return not_applicable(NAME, "it reads labelled training rows, and here are none")
        y, held = np.asarray(train.y), np.asarray(scene.y)
        few = [label for label in range(scene.classes) if min(np.sum(y == label), np.sum(held == label)) < _FEWEST]
        if few:
            reason = f"it takes {_FEWEST} training and held-out rows of every class, and class {few[0]} has fewer"
            return (missing(NAME, "excess_share", Status.INCONCLUSIVE, reason, n=len(y), better=Better.LOWER),)
        p, q, how = self._answers(scene, train)
        limits = thresholds(y, p)
        said = [contradicted(*part, limits) >= 0 for part in ((y, p), (held, q))]
        return _told(_counts(y, said[0], held, said[1]), how)

    def _answers(self, scene: Scene, train: Data) -> tuple[Any, Any, str]:
        """Probabilities of the training rows out of fold, of the held-out rows by one of the same models each."""
        rng, recipe = Draws(self.seed, NAME, ids=np.asarray(train.ids)), Recipe(seed=self.seed)
        fold = dealt(np.asarray(train.y), rng.uniform(np.arange(len(train)), 0), self.folds)
        turn = Draws(self.seed, f"{NAME}/held", ids=np.asarray(scene.ids)).integers(
            np.arange(len(scene.x)), 0, self.folds
        )
        targets, how = _fitted(scene, [train.take(np.flatnonzero(fold != at)) for at in range(self.folds)], recipe)
        kind = getattr(targets[0], "kind", ScoreKind.PROBABILITIES)
        mine = probabilities(out_of_fold(targets, train.x, fold), kind)
        return mine, probabilities(out_of_fold(targets, np.asarray(scene.x), turn), kind), how


def _fitted(scene: Scene, parts: list[Data], recipe: Recipe) -> tuple[list[Any], str]:
    """Models of the target's family, or gradient boosting of a table in their place, and which it was."""
    if scene.fit is not None and scene.kind is not ScoreKind.MARGIN:
        with suppress(Unsupported):
            return list(scene.fit(parts, recipe)), "models of the same family"
    if np.ndim(parts[0].x) != 2:
        raise Unsupported("it needs probabilities of fresh models, and this one cannot be fitted again")
    return [_Boosted.fitted(part, recipe) for part in parts], "gradient boosting in the model's place"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Boosted:
    model: Any

    @staticmethod
    def fitted(data: Data, recipe: Recipe) -> _Boosted:
        from sklearn.ensemble import HistGradientBoostingClassifier

        return _Boosted(model=HistGradientBoostingClassifier(random_state=recipe.seed).fit(data.x, data.y))

    def scores(self, x: Any) -> Any:
        return self.model.predict_proba(x)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Class:
    """Of the rows that carry one label: how many are contradicted, in training (a of n) and held out (b of m)."""

    label: int
    a: int
    n: int
    b: int
    m: int

    @property
    def difference(self) -> float:
        return self.a / self.n - self.b / self.m

    @property
    def p(self) -> float:
        """Fisher's exact test that training rows are contradicted no more often, one-sided."""
        from scipy.stats import hypergeom

        return float(hypergeom.sf(self.a - 1, self.n + self.m, self.a + self.b, self.n))


def _counts(y: Any, said: Any, held: Any, usual: Any) -> list[_Class]:
    def count(label: int) -> _Class:
        mine, theirs = y == label, held == label
        return _Class(
            label=label,
            a=int(said[mine].sum()),
            n=int(mine.sum()),
            b=int(usual[theirs].sum()),
            m=int(theirs.sum()),
        )

    return [count(int(label)) for label in np.unique(y)]


def _told(classes: list[_Class], how: str) -> tuple[Measurement, ...]:
    chance = holm([one.p for one in classes])
    notes = [
        f"label {one.label}: {one.a:,} of {one.n:,} contradicted, {one.n * one.b / one.m:.0f} expected "
        f"(p {p:.2g}, Holm over {len(classes)} classes)"
        for one, p in zip(classes, chance, strict=True)
    ]
    surest = sorted(range(len(classes)), key=lambda at: chance[at])[:_SHOWN]
    whole = _share(classes, "all", how, (*(notes[at] for at in surest), _BLIND))
    each = [_share([one], f"label {one.label}", how, (note,)) for one, note in zip(classes, notes, strict=True)]
    return whole, *each


def _share(classes: list[_Class], of: str, how: str, caveats: tuple[str, ...]) -> Measurement:
    """The excess over these classes, each weighed by its training rows, with Wilson's limits recovered."""
    n = sum(one.n for one in classes)
    value = sum(one.n / n * one.difference for one in classes)
    below = above = usual = 0.0
    for one in classes:
        (low, high), (floor, ceiling) = wilson(one.a, one.n), wilson(one.b, one.m)
        mine, theirs, weight = one.a / one.n, one.b / one.m, (one.n / n) ** 2
        below += weight * ((mine - low) ** 2 + (ceiling - theirs) ** 2)
        above += weight * ((high - mine) ** 2 + (theirs - floor) ** 2)
        usual += one.n / n * theirs
    return Measurement(
        plugin=NAME,
        metric="excess_share",
        value=value,
        low=value - math.sqrt(below),
        high=value + math.sqrt(above),
        n=n,
        better=Better.LOWER,
        slice=of,
        unit="share of training rows",
        method=f"confident learning on answers of {how} that did not see the row; MOVER on Wilson",
        baseline=(("contradicted", sum(one.a for one in classes) / n), ("held-out rows contradicted", usual)),
        caveats=caveats,
    )


PLUGIN = LabelErrors
