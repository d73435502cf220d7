"""Leakage and data quality: rows seen before, columns that are the answer, times that overlap, broken rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.measure import Status
from temper.core.schema import Column, Schema
from temper.core.target import ScoreKind
from temper.kernels.equal_rows import numbered, times
from temper.validation.duplicates import Duplicates
from temper.validation.schema_violations import SchemaViolations
from temper.validation.target_leakage import TargetLeakage
from temper.validation.time_leakage import TimeLeakage
from unit.test_validation import FEW, Toy, find, scene


def knows(x: Any) -> Any:
    """A logistic model of the first column."""
    p = 1 / (1 + np.exp(-x[:, 0]))
    return np.column_stack([1 - p, p])


def table(n: int, seed: int = 0, d: int = 4) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, (rng.random(n) < 1 / (1 + np.exp(-x[:, 0]))).astype(int)


def split(n: int = 600, copied: int = 0, coarse: bool = False, wrong: int = 0) -> Scene:
    """Held-out rows, of which the first `copied` are training rows too; `wrong` of them carry another label."""
    (x, y), (more, labels) = table(n), table(2 * n, 1)
    if coarse:
        x, more = np.round(x[:, :2]), np.round(more[:, :2])
    x[:copied], y[:copied] = more[:copied], labels[:copied]
    y[:wrong] = 1 - y[:wrong]
    return scene(Toy(knows), x, y, train=Data(x=more, y=labels))


def test_rows_of_any_form_are_equal_when_their_values_are() -> None:
    texts = np.array(["a", "b\x00", "a"], dtype=object)
    assert numbered(texts)[0].tolist() == [0, 1, 0]
    pictures = np.zeros((3, 1, 2, 2), dtype=np.float32)
    pictures[1] += 0.5
    assert numbered(pictures, pictures[:1])[1].tolist() == [numbered(pictures)[0][0]]
    assert times(*numbered(np.array([[np.nan, -0.0]]), np.array([[np.nan, 0.0]]))).tolist() == [1]


def test_training_rows_that_contradict_each_other_are_counted() -> None:
    (x, y), (more, labels) = table(300), table(300, 1)
    more[50:100], labels[50:100] = more[:50], 1 - labels[:50]
    more[150:200], labels[150:200] = more[100:150], labels[100:150]
    measured = Duplicates().measure(scene(Toy(knows), x, y, train=Data(x=more, y=labels)))
    assert find(measured, "contradicted_train").count == 100
    assert find(measured, "contradicted").count == 0


def test_copied_rows_are_counted_and_told() -> None:
    measured = Duplicates().measure(split(copied=60, wrong=20))
    assert find(measured, "across_splits").count == 60
    assert find(measured, "contradicted").count == 20
    assert (find(measured, "excess").low or 0.0) > 0.05
    assert find(measured, "within").count == 0


@pytest.mark.parametrize("coarse", [False, True])
def test_rows_that_are_equal_by_chance_are_not_accused(coarse: bool) -> None:
    measured = Duplicates().measure(split(coarse=coarse))
    assert (find(measured, "across_splits").value or 0.0) == pytest.approx(0.99 * coarse, abs=0.02)
    assert (find(measured, "excess").low or 0.0) <= 0.01


def test_a_column_that_is_the_answer_is_named() -> None:
    x, y = table(1200)
    x[:, 2] = y + 0.01 * x[:, 2]
    found = find(TargetLeakage(replicates=FEW).measure(scene(Toy(knows), x, y)), "alone_auc")
    assert (found.low or 0.0) > 0.98
    assert found.caveats[0] == "c2"
    gap = np.where(y == 1, np.nan, table(1200)[0][:, 3])  # empty where the answer is yes
    x, y = table(1200)
    x[:, 3] = np.where(y == 1, np.nan, x[:, 3])
    assert np.isnan(gap).sum() == y.sum()
    told = find(TargetLeakage(replicates=FEW).measure(scene(Toy(knows), x, y)), "alone_auc")
    assert told.caveats[0] == "c3"
    assert told.value == pytest.approx(1.0)


def test_an_honest_column_is_not_accused_and_stands_beside_the_model() -> None:
    x, y = table(1200)
    found = find(TargetLeakage(replicates=FEW).measure(scene(Toy(knows), x, y)), "alone_auc")
    assert found.caveats[0] == "c0"
    assert (found.low or 1.0) < 0.8
    assert found.value == pytest.approx(dict(found.baseline)["the model"], abs=0.05)
    noise = np.random.default_rng(5).integers(0, 2, 1200)
    none = find(TargetLeakage(replicates=FEW).measure(scene(Toy(knows), x, noise)), "alone_auc")
    assert (none.low or 1.0) < 0.5 < (none.high or 0.0)


def test_values_have_a_leaking_column_too() -> None:
    x, _ = table(800)
    target = Toy(lambda x: x[:, :1], ScoreKind.VALUE, 1)
    found = find(TargetLeakage(replicates=FEW).measure(scene(target, x, 3 * x[:, 1])), "alone_r2")
    assert found.caveats[0] == "c1"
    assert (found.low or 0.0) > 0.95


def timed(first: float) -> Scene:
    """Training rows of moments 0 to 1, held-out rows from `first` on, a moment long."""
    x, y = table(400)
    train = Data(x=x, y=y, time=np.linspace(0, 1, 400))
    return scene(Toy(knows), x, y, time=np.linspace(first, first + 1, 400), train=train)


def test_a_random_split_is_told_and_one_by_time_is_not() -> None:
    mixed = TimeLeakage(replicates=FEW).measure(timed(0.0))
    assert find(mixed, "later_pairs").value == pytest.approx(0.5, abs=1e-9)
    assert (find(mixed, "later_pairs").low or 0.0) > 0.4
    assert find(mixed, "overlapped").value == 1.0
    apart = TimeLeakage(replicates=FEW).measure(timed(1.001))
    assert (find(apart, "later_pairs").high, find(apart, "overlapped").count) == (0.0, 0)


COLUMNS = (
    Column(name="amount", low=0, high=100),
    Column(name="count", type="integer", low=0, high=9),
    Column(name="kind", type="category", categories=("a", "b"), missing=True),
)


def test_every_way_to_break_the_schema_is_counted_and_named() -> None:
    x = np.tile([50.0, 3.0, 1.0], (100, 1))
    x[:6, 0] = (-1, 101, np.nan, 50, 50, 50)
    x[3, 1] = 2.5
    x[4, 2], x[5, 2] = 2.0, np.nan  # an unknown code, and a gap that is allowed
    made = scene(Toy(knows), x, np.zeros(100, dtype=int), COLUMNS)
    assert find(SchemaViolations().measure(made), "rows").count == 5
    tied = Schema(columns=COLUMNS, relations=("count <= amount",))
    x[50:60, 0] = 1.0
    made = Scene(x=x, y=made.y, ids=made.ids, schema=tied, target=made.target)
    found = find(SchemaViolations().measure(made), "rows")
    assert found.count == 15
    assert found.caveats[0] == "count <= amount: 11 rows"


def test_rows_that_keep_the_schema_are_not_accused() -> None:
    x = np.tile([50.0, 3.0, 1.0], (100, 1))
    made = scene(Toy(knows), x, np.zeros(100, dtype=int), COLUMNS, train=Data(x=x - 60, y=np.zeros(100)))
    measured = SchemaViolations().measure(made)
    assert find(measured, "rows").count == 0
    assert find(measured, "rows", "training").count == 100


def test_checks_of_tables_say_so_of_anything_else() -> None:
    pictures = np.zeros((50, 1, 4, 4))
    made = Scene(x=pictures, y=np.zeros(50), ids=np.arange(50), schema=Schema.box(0, 1))
    for check in (TargetLeakage(), SchemaViolations(), TimeLeakage(), Duplicates()):
        assert check.measure(made)[0].status is Status.UNTRIED
