"""Wrong labels in a training table are counted beside held-out ones, and dropped before a fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Status
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.hardening.cleaned import Cleaned
from temper.kernels.confident import contradicted, dealt
from temper.targets.sklearn import Sklearn
from temper.validation.label_errors import LabelErrors

N = 4_000


def table(seed: int, n: int = N) -> Data:
    """A third of class 1, clear in most rows and ambiguous in the others."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    x = rng.normal(size=(n, 5))
    chance = 1.0 / (1.0 + np.exp(-3.0 * (x[:, 0] + x[:, 1] - 0.9)))
    return Data(x=x, y=(rng.random(n) < chance).astype(np.int64), ids=np.arange(n) + seed * 100_000)


def flipped(data: Data, share: float, source: int | None = None) -> tuple[Data, Any]:
    rng = np.random.Generator(np.random.Philox(key=9))
    pool = np.arange(len(data)) if source is None else np.flatnonzero(data.y == source)
    rows = rng.choice(pool, int(share * len(data)), replace=False)
    y = data.y.copy()
    y[rows] = 1 - y[rows]
    return replace(data, y=y), np.isin(np.arange(len(data)), rows)


def boosted(data: Data) -> Target:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return Sklearn(model=HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(data.x, data.y))


def scene(train: Data, **more: Any) -> Scene:
    model, held = boosted(train), table(2)

    def fit(subsets: Any, recipe: Recipe) -> list[Target]:
        return [model.refit(subset, recipe) for subset in subsets]

    settings: dict[str, Any] = {"fit": fit, "target": model, "threshold": 0.5} | more
    return Scene(x=held.x, y=held.y, ids=held.ids, schema=Schema(), train=train, **settings)


@pytest.mark.parametrize(("share", "source"), [(0.02, None), (0.03, 1)])
def test_wrong_labels_are_counted(share: float, source: int | None) -> None:
    found = LabelErrors().measure(scene(flipped(table(1), share, source)[0]))
    whole = found[0]
    assert whole.low is not None
    assert whole.low > 0.0
    assert whole.high is not None
    assert share / 2 < whole.high
    by_label = {m.slice: m for m in found[1:]}
    wrong = by_label["label 0"]  # flips out of class 1 carry the label 0
    assert wrong.low is not None
    if source == 1:
        assert wrong.low > 0.0


@pytest.mark.parametrize("seed", range(3, 7))
def test_a_clean_table_is_not_accused(seed: int) -> None:
    whole = LabelErrors().measure(scene(table(seed)))[0]
    assert whole.low is not None
    assert whole.low <= 0.0
    assert dict(whole.baseline)["contradicted"] > 0.02  # ambiguous rows are contradicted all the same


def test_held_out_rows_with_the_same_errors_hide_them() -> None:
    poisoned = scene(flipped(table(1), 0.03)[0])
    held = flipped(Data(x=poisoned.x, y=poisoned.y, ids=poisoned.ids), 0.03)[0]
    whole = LabelErrors().measure(replace(poisoned, y=held.y))[0]
    assert whole.low is not None
    assert whole.low <= 0.0
    assert "blind" in whole.caveats[-1]


def test_another_model_stands_in_and_says_so() -> None:
    def refuses(subsets: Any, recipe: Recipe) -> list[Target]:
        raise Unsupported("no")

    found = LabelErrors().measure(scene(flipped(table(1), 0.03)[0], fit=refuses))[0]
    assert "in the model's place" in found.method
    assert found.low is not None
    assert found.low > 0.0
    texts = np.array(["a", "b"] * 50, dtype=object)
    said = scene(table(1), fit=refuses)
    with pytest.raises(Unsupported, match="cannot be fitted again"):
        LabelErrors().measure(replace(said, train=Data(x=texts, y=np.array([0, 1] * 50))))


def test_few_rows_of_a_class_decide_nothing() -> None:
    rare = table(1)
    few = rare.take(np.flatnonzero((rare.y == 0) | (np.cumsum(rare.y == 1) < 5)))
    said = LabelErrors().measure(scene(few))[0]
    assert said.status is Status.INCONCLUSIVE
    assert "class 1" in said.reason


def test_folds_hold_every_class_alike() -> None:
    y = np.array([0] * 30 + [1] * 7)
    fold = dealt(y, np.random.Generator(np.random.Philox(key=1)).random(37), 3)
    assert np.bincount(fold[y == 0]).tolist() == [10, 10, 10]
    assert sorted(np.bincount(fold[y == 1]).tolist()) == [2, 2, 3]


def test_contradicted_is_the_definition() -> None:
    """Northcutt et al. 2021, equation 1, written out."""
    rng = np.random.Generator(np.random.Philox(key=4))
    p = rng.dirichlet([1.0, 1.0, 1.0], 200)
    y = rng.integers(0, 3, 200)
    limits = np.array([p[y == label, label].mean() for label in range(3)])
    for row, label, said in zip(p, y, contradicted(y, p, limits), strict=True):
        sure = [at for at in range(3) if row[at] >= limits[at]]
        best = max(sure, key=lambda at: row[at]) if sure else -1
        assert said == (best if best != label else -1)


class Listed:
    """A target that keeps what it is fitted on."""

    name, access, kind, classes, stochastic, digest = (
        "listed",
        Access.SCORES | Access.RETRAIN,
        ScoreKind.PROBABILITIES,
        2,
        False,
        "",
    )

    def __init__(self, inner: Target, fitted: list[Data]) -> None:
        self.inner, self.fitted = inner, fitted

    def scores(self, x: Any) -> Any:
        return self.inner.scores(x)

    def refit(self, data: Data, recipe: Recipe) -> Any:
        self.fitted.append(data)
        return Listed(self.inner.refit(data, recipe), self.fitted)


def test_cleaned_drops_hidden_rows_of_the_rarer_class_and_none_of_it() -> None:
    train, wrong = flipped(table(1), 0.04, 1)
    seen: list[Data] = []
    Cleaned().apply(Listed(boosted(train), seen), train, Draws(0, "test"))  # type: ignore[arg-type]
    kept = np.isin(train.ids, seen[-1].ids)
    assert kept[train.y == 1].all()
    assert kept[wrong].mean() < 0.5
    assert kept[~wrong].mean() > 0.93


def test_cleaned_refuses_what_it_cannot_read() -> None:
    train = table(1)
    one = train.take(np.flatnonzero(train.y == 0))
    with pytest.raises(Unsupported, match="every class"):
        Cleaned().apply(boosted(train), one, Draws(0, "test"))
    with pytest.raises(TemperError, match="two folds"):
        Cleaned(folds=1)
