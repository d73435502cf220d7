"""Whose rows hurt, or carry labels that others' rows do not let expect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.measure import Status
from temper.core.schema import Schema
from temper.core.target import Recipe, Target
from temper.kernels.left_out import beyond_random, surprises, unexpected
from temper.targets.sklearn import Sklearn
from temper.validation.suppliers import Suppliers

N, OF = 4_000, 5


def table(seed: int, n: int = N) -> Data:
    rng = np.random.Generator(np.random.Philox(key=seed))
    x = rng.normal(size=(n, 4))
    chance = 1.0 / (1.0 + np.exp(-2.0 * (x[:, 0] + x[:, 1] - 0.8)))
    supplier = np.array([f"partner {at}" for at in rng.integers(0, OF, n)])
    return Data(x=x, y=(rng.random(n) < chance).astype(np.int64), ids=np.arange(n), supplier=supplier)


def scene(train: Data | None, **more: Any) -> Scene:
    from sklearn.linear_model import LogisticRegression

    held, full = table(99), train or table(1)
    model = Sklearn(model=LogisticRegression().fit(full.x, full.y))

    def fit(subsets: Any, recipe: Recipe) -> list[Target]:
        return [model.refit(subset, recipe) for subset in subsets]

    settings: dict[str, Any] = {"fit": fit, "target": model, "threshold": 0.5} | more
    return Scene(x=held.x, y=held.y, ids=held.ids, schema=Schema(), train=train, **settings)


def spoilt(data: Data, share: float, source: int | None = None) -> Data:
    """The first partner gets a share of its labels (of one class) wrong."""
    rows = np.flatnonzero((data.supplier == "partner 0") & ((data.y == source) | (source is None)))
    rows = np.random.Generator(np.random.Philox(key=5)).choice(rows, int(share * len(rows)), replace=False)
    y = data.y.copy()
    y[rows] = 1 - y[rows]
    return replace(data, y=y)


@pytest.mark.parametrize(("share", "source"), [(0.2, None), (0.5, 1)])
def test_who_spoils_labels_is_named(share: float, source: int | None) -> None:
    whole, *each = Suppliers(replicates=200).measure(scene(spoilt(table(1), share, source)))
    assert whole.value == pytest.approx(1 / OF, abs=0.03)
    assert whole.low is not None
    assert whole.low > 0.1
    assert "'partner 0'" in whole.caveats[0]
    assert sum("partner" in note for note in whole.caveats) == 1
    assert {m.metric for m in each} == {"gain_without", "recall_gain_without"}
    assert len(each) == 2 * OF


def test_gross_harm_shows_in_held_out_rows() -> None:
    found = Suppliers(replicates=200).measure(scene(spoilt(table(1), 0.9)))
    gain = next(m for m in found if m.metric == "gain_without" and "partner 0" in m.slice)
    assert gain.low is not None
    assert gain.value is not None
    assert gain.low > 0.0
    assert dict(gain.baseline)["as many random rows left out"] < gain.value / 10


@pytest.mark.parametrize("seed", range(2, 6))
def test_like_suppliers_are_not_accused(seed: int) -> None:
    whole = Suppliers(replicates=200).measure(scene(table(seed)))[0]
    assert whole.value == whole.low == 0.0
    assert "blind" in whole.caveats[0]


def test_names_are_shortened_and_quoted_and_few_rows_not_asked() -> None:
    data = spoilt(table(1), 0.5)
    assert data.supplier is not None
    words = np.where(data.supplier == "partner 0", "\x1b[31m" + "x" * 300, data.supplier)
    words[:5] = "small"
    whole, *each = Suppliers(replicates=200).measure(scene(replace(data, supplier=words)))
    told = " ".join((*whole.caveats, *(m.slice for m in each)))
    assert "\x1b" not in told
    assert "x" * 50 not in told
    assert "1 suppliers with fewer rows were not asked" in told


def test_without_suppliers_it_does_not_apply() -> None:
    assert Suppliers().measure(scene(replace(table(1), supplier=None)))[0].status is Status.UNTRIED
    one = replace(table(1), supplier=np.full(N, "only"))
    assert Suppliers().measure(scene(one))[0].status is Status.INCONCLUSIVE
    with pytest.raises(TemperError, match="most from 2"):
        Suppliers(most=1)


def test_the_order_of_training_rows_does_not_matter() -> None:
    data = spoilt(table(1), 0.1)
    order = np.random.Generator(np.random.Philox(key=8)).permutation(N)
    one, two = (Suppliers(replicates=200).measure(scene(part)) for part in (data, data.take(order)))
    for a, b in zip(one, two, strict=True):
        assert a.slice == b.slice
        assert a.value == pytest.approx(b.value, abs=1e-4)


def test_surprise_is_standard_normal_when_the_model_is_right() -> None:
    rng = np.random.Generator(np.random.Philox(key=2))
    p = rng.dirichlet([1.0, 2.0, 1.0], 400)
    drawn = [surprises((rng.random(400)[:, None] > p.cumsum(axis=1)).sum(axis=1), p) for _ in range(600)]
    assert np.mean(drawn, axis=0) == pytest.approx(np.zeros(4), abs=0.15)
    assert np.std(drawn, axis=0) == pytest.approx(np.ones(4), abs=0.12)


def test_p_values_of_like_groups_are_uniform() -> None:
    rng = np.random.Generator(np.random.Philox(key=3))
    hurts: list[float] = []
    counts: list[float] = []
    labels: list[float] = []
    for _ in range(300):
        size = rng.integers(50, 500, 20).astype(float)
        gain = -0.001 * size + np.sqrt(size) * rng.normal(size=20)
        hurts.extend(beyond_random(gain[:6], size[:6], gain[6:], size[6:])[2])
        z = rng.normal(0.0, 1.5, size=(20, 3))
        z[:, 1] = -z[:, 0]
        both = unexpected(z[:6], z[6:])
        counts.extend(both[0])
        labels.extend(both[1])
    for found in (hurts, counts, labels):
        assert float(np.mean(np.array(found) < 0.05)) == pytest.approx(0.05, abs=0.02)
