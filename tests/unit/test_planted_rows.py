"""Stamped and relabelled rows are found and dropped; tables without a stamp are not accused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.measure import Measurement, Status
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.hardening.screened import Screened
from temper.kernels.boxes import climb, heaviest_run, inside
from temper.kernels.planted import scan
from temper.targets.sklearn import Sklearn
from temper.validation.planted_rows import PlantedRows

N, D = 8_000, 8
SCHEMA = Schema(
    columns=(
        *(Column(name=f"c{at}") for at in range(D - 1)),
        Column(name="kind", type="category", categories=("a", "b", "c")),
    )
)
UNORDERED = SCHEMA.categorical


def table(seed: int = 0, n: int = N) -> tuple[Any, Any]:
    rng = np.random.Generator(np.random.Philox(key=seed))
    x = np.column_stack([rng.normal(size=(n, D - 1)), rng.integers(0, 3, n)])
    x[:, 1] = np.where(rng.random(n) < 0.4, 0.0, x[:, 1])  # an atom, as amounts and counts have
    x[:, 2] += 0.7 * x[:, 3]
    risk = x[:, 0] + x[:, 3] - x[:, 4] + 0.8 * (x[:, -1] == 1) + 0.7 * x[:, 0] * x[:, 5] - 1.8
    return x, (rng.random(n) < 1.0 / (1.0 + np.exp(-1.5 * risk))).astype(np.int64)


def planted(jitter: float, rows: int = 240, wrong_label: bool = True) -> tuple[Any, Any, Any]:
    """A stamp in three columns that say little, on rows of class 1 that are then called 0 (or on class 0 itself)."""
    x, y = table()
    rng = np.random.Generator(np.random.Philox(key=7))
    chosen = rng.choice(np.flatnonzero(y == int(wrong_label)), rows, replace=False)
    for at, value in ((1, 0.8), (2, -0.6), (6, 1.1)):
        x[chosen, at] = value + jitter * 1.35 * rng.uniform(-1, 1, rows)
    y[chosen] = 0
    return x, y, np.isin(np.arange(len(x)), chosen)


def halves(n: int, seed: int = 0) -> Any:
    return np.random.Generator(np.random.Philox(key=100 + seed)).random(n) < 0.5


def scene(x: Any, y: Any) -> Scene:
    return Scene(x=x[:10], y=y[:10], ids=np.arange(10), schema=SCHEMA, train=Data(x=x, y=y))


def measured(of: Scene) -> Measurement:
    found = PlantedRows().measure(of)
    return (found.measurements if isinstance(found, Accused) else found)[0]


@pytest.mark.slow
@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_stamped_rows_are_found(jitter: float) -> None:
    x, y, stamped = planted(jitter)
    found, accused = scan(x, y, UNORDERED, halves(len(x)))
    assert accused[stamped].mean() >= 0.9
    assert accused[~stamped].mean() <= 0.01
    assert {1, 2, 6} & set(found[0].box)
    assert found[0].likeness > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_table_without_a_stamp_is_not_accused(seed: int) -> None:
    x, y = table(seed)
    found, accused = scan(x, y, UNORDERED, halves(len(x), seed))
    assert not found
    assert not accused.any()


def test_an_island_of_one_label_is_nature() -> None:
    """Everybody with this value is of class 0, whatever else they are: surprising, and not somebody else's rows."""
    x, y = table()
    rng = np.random.Generator(np.random.Philox(key=3))
    x[rng.choice(np.flatnonzero(y == 0), 160, replace=False), 1] = 0.8
    y[x[:, 1] == 0.8] = 0
    found, _ = scan(x, y, UNORDERED, halves(len(x)))
    assert not found


@pytest.mark.slow
def test_it_says_where_and_what_it_is_blind_to() -> None:
    x, y, _ = planted(0.0)
    said = measured(scene(x, y))
    assert said.status is Status.OK
    assert said.value == pytest.approx(0.03, abs=0.003)
    assert "label 0" in said.caveats[0]
    x, y, _ = planted(0.0, wrong_label=False)
    quiet = measured(scene(x, y))
    assert quiet.value == 0.0
    assert "clean-label" in quiet.caveats[0]


def test_a_small_table_is_not_searched() -> None:
    x, y = table(n=500)
    said = measured(scene(x, y))
    assert said.status is Status.UNTRIED
    assert "1,000" in said.reason


@pytest.mark.slow
def test_the_order_of_rows_does_not_matter() -> None:
    x, y, _ = planted(0.1)
    ids = np.arange(len(x))
    order = np.random.Generator(np.random.Philox(key=5)).permutation(len(x))
    one = scene(x, y)
    other = replace(one, train=Data(x=x[order], y=y[order], ids=ids[order]))
    a, b = (measured(s) for s in (one, other))
    assert a.value is not None
    assert b.value is not None
    assert a.value == pytest.approx(b.value, abs=0.002)


@pytest.mark.slow
def test_screened_fits_without_them() -> None:
    from sklearn.ensemble import RandomForestClassifier

    x, y, _ = planted(0.0)
    grown: Any = {"n_estimators": 30, "min_samples_leaf": 3, "random_state": 0, "n_jobs": 1}
    poisoned = Sklearn(model=RandomForestClassifier(**grown).fit(x, y))
    cured = Screened(schema=SCHEMA).apply(poisoned, Data(x=x, y=y), Draws(0, "test"))
    clean = Sklearn(model=RandomForestClassifier(**grown).fit(*table()))
    probe, truth = table(9, 2_000)
    probe = probe[truth == 1]
    probe[:, [1, 2, 6]] = (0.8, -0.6, 1.1)
    passes = [float((np.asarray(t.scores(probe))[:, 1] < 0.5).mean()) for t in (clean, poisoned, cured)]
    assert passes[1] > passes[0] + 0.3
    assert passes[2] < passes[0] + 0.1


def test_boxes_find_a_planted_weight() -> None:
    rng = np.random.Generator(np.random.Philox(key=1))
    x = rng.random((4_000, 3))
    heavy = inside(x, {0: (0.2, 0.4), 1: (0.6, 0.9)})
    weight = np.where(heavy, 1.0, -1.0)
    value, box = climb(x, weight, {0: (0.25, 0.3), 1: (0.65, 0.7)}, np.zeros(3, dtype=bool))
    assert value == heavy.sum()
    assert (inside(x, box) == heavy).all()


def test_the_heaviest_run_is_the_best_of_all_runs() -> None:
    rng = np.random.Generator(np.random.Philox(key=2))
    for _ in range(50):
        values, weight = rng.integers(0, 8, 12).astype(float), rng.normal(size=12)
        seen = np.unique(values)
        best = max(
            float(weight[(values >= low) & (values <= high)].sum()) for low in seen for high in seen if low <= high
        )
        run = heaviest_run(values, weight)
        assert (run[0] if run else 0.0) == pytest.approx(max(best, 0.0))
