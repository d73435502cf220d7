"""Shapes of columns that alarm: every row is in one bin, and what is kept is what was drawn."""

import numpy as np
import pytest

from temper.core.schema import Column, Mutability, Schema
from temper.core.watch import Alarm, Seen, Shape, Watch, Watched, Watching
from temper.monitoring.judged import judged
from temper.monitoring.reference import Reference, Window
from temper.monitoring.shapes import shapes
from temper.store.control import Control

SCHEMA = Schema(
    columns=(
        Column(name="amount", attacker=Mutability.FREE),
        Column(name="hour", type="integer"),
        Column(name="country", type="category", categories=("NL", "DE", "BE")),
    )
)
WATCH = Watch(feed="f", time="at", score="score")


def rows(n, seed=0, shift=0.0, country=(0.7, 0.2, 0.1)):
    rng = np.random.Generator(np.random.Philox(key=seed))
    score = rng.beta(1, 9, n)
    return np.column_stack(
        [rng.lognormal(3.0 + shift, 1.0, n), rng.integers(0, 24, n), rng.choice(3, n, p=country), score]
    )


def window(x, known=None):
    known = known or Reference.fit(rows(6_000), SCHEMA, ("score",), threshold=0.3)
    return Window.of(known, x, np.arange(len(x)))


def told(x):
    found = window(x)
    said = judged(found, WATCH, 0.0, 86_400.0)
    return said, {one.column: one for one in shapes(found, said, SCHEMA)}


def test_only_what_alarmed_is_drawn_and_every_row_once():
    x = rows(3_000, 1, shift=1.0, country=(0.2, 0.2, 0.6))
    x[:300, 0] = np.nan
    said, found = told(x)
    assert said.seen is Seen.FAIL
    assert set(found) == {alarm.column for alarm in said.alarms} - {""} == {"amount", "country"}
    amount, country = found["amount"], found["country"]
    assert len(amount.before) == len(amount.now) == len(amount.edges) + 1
    assert sum(amount.before) + amount.missing[0] == 6_000
    assert (sum(amount.now), amount.missing[1]) == (2_700, 300)
    assert list(amount.edges) == sorted(set(amount.edges))
    assert country.names == ("NL", "DE", "BE", "")
    assert country.now == (*(int((x[:, 2] == code).sum()) for code in range(3)), 0)


def test_bins_count_what_a_histogram_of_the_rows_counts():
    x = rows(3_000, 1, shift=1.0)
    shape = told(x)[1]["amount"]
    values = np.float32(x[:, 0])
    inside = np.histogram(values, np.float32(shape.edges))[0]
    # Edges are shown with six digits, so a value at one may lie on either side.
    assert np.abs(inside - np.array(shape.now[1:-1])).max() <= 2
    assert shape.now[-1] == pytest.approx((values > shape.edges[-1]).sum(), abs=2)


def test_values_that_never_were_and_wild_ones_are_beyond():
    x = rows(3_000, 1)
    x[:, 0] *= 1_000.0
    x[:500, 2] = 3.0
    found = told(x)[1]
    assert found["country"].now[-1] == 500
    assert found["amount"].now[-1] > 2_500


def test_scores_that_crowd_are_drawn_about_the_threshold():
    x = rows(6_000, 1)
    x[:200, 3] = 0.2995
    found = window(x)
    said = judged(found, WATCH, 0.0, 86_400.0)
    assert {alarm.comparison for alarm in said.alarms} == {"bunching", "persistent"}
    near, whole = shapes(found, said, SCHEMA)
    assert (near.part, whole.part) == (True, False)
    assert near.threshold == whole.threshold == pytest.approx(0.3)
    at = near.edges.index(0.3)
    assert near.now[at] > 2 * near.before[at], "the bin below the threshold"
    assert {one.comparison for one in said.signs} >= {"bunching", "movable"}


def test_a_window_without_an_alarm_draws_nothing_and_measures_signs_all_the_same():
    said, found = told(rows(3_000, 7))
    assert (said.seen, found) == (Seen.PASS, {})
    assert {one.comparison for one in said.signs} == {"bunching", "movable", "persistent"}


def test_shapes_are_kept_with_the_window_and_come_back_equal(place):
    control = Control.open(place)
    try:
        one = Watched(
            start=0.0,
            ends=10.0,
            rows=3,
            seen=Seen.FAIL,
            tests=2,
            needed=None,
            alarms=(Alarm(comparison="ks", column="a", value=0.5, p=1e-9),),
            signs=(Alarm(comparison="bunching", column="score", value=1.5, p=0.5),),
        )
        shape = Shape(column="a", edges=(0.5, 1.5), before=(0, 1, 2), now=(3, 0, 0), missing=(0, 1), threshold=1.0)
        assert control.windows.keep("f", "r", [one], 11.0, shapes={0.0: (shape,), 10.0: (shape,)}) == 1
        assert control.windows.keep("f", "r", [one], 12.0, shapes={0.0: ()}) == 0
        watching = Watching(feed="f", reference="r", width=10.0, judged=11.0)
        assert control.windows.watching() == [watching]
        assert control.windows.shapes(watching, 0.0) == (shape,)
        assert control.windows.shapes(watching, 10.0) == ()
        assert control.windows.latest("f", "r", 10.0, 5) == [one]
    finally:
        control.close()
