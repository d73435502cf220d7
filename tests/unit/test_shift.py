"""Shifting mixtures and times: closed forms against brute force, planted shifts found, steady models left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.config.build import build_system
from temper.config.rows import moments
from temper.core.attack import Scene
from temper.core.errors import ConfigError
from temper.core.measure import Measurement, Status
from temper.core.schema import Column, Schema
from temper.kernels.mixture import mixed, most_frequent, within_chi_square
from temper.kernels.trend import ahead, armitage
from temper.validation.periods import Periods
from temper.validation.subpopulation import Subpopulation
from unit.test_weak_slice import Known, world


def find(measured: tuple[Measurement, ...], metric: str, where: str = "all") -> Measurement:
    return next(m for m in measured if m.metric == metric and m.slice == where)


# -- mixtures -------------------------------------------------------------------------------------------------------

groups = st.lists(st.tuples(st.floats(0.01, 1), st.floats(0, 1)), min_size=1, max_size=6)


@given(groups, st.floats(1, 50))
def test_no_mixture_within_the_bound_is_worse(found: list[tuple[float, float]], times: float) -> None:
    p, r = np.array(found).T
    p = p / p.sum()
    q = most_frequent(p, r, times)
    assert q.sum() == pytest.approx(1)
    assert (q <= p * times + 1e-9).all()
    assert (q >= 0).all()
    tried = np.random.default_rng(0).dirichlet(np.ones(len(p)), 300)
    allowed = tried[(tried <= p * times).all(axis=1)]
    assert not len(allowed) or (allowed @ r).max() <= q @ r + 1e-9


@given(groups, st.floats(0, 20))
def test_no_mixture_within_the_chi_square_ball_is_worse(found: list[tuple[float, float]], radius: float) -> None:
    p, r = np.array(found).T
    p = p / p.sum()
    q = within_chi_square(p, r, radius)
    assert q.sum() == pytest.approx(1)
    assert (q >= 0).all()
    assert ((q - p) ** 2 / p).sum() <= radius + 1e-6
    tried = np.random.default_rng(0).dirichlet(np.ones(len(p)), 300)
    allowed = tried[((tried - p) ** 2 / p).sum(axis=1) <= radius]
    assert not len(allowed) or (allowed @ r).max() <= q @ r + 1e-6


def test_a_small_ball_raises_the_mean_by_its_radius_in_deviations() -> None:
    p, r = np.array([0.2, 0.3, 0.5]), np.array([0.1, 0.4, 0.2])
    spread = np.sqrt(p @ (r - p @ r) ** 2)
    assert within_chi_square(p, r, 0.01) @ r == pytest.approx(p @ r + 0.1 * spread)


def test_an_interval_of_a_mixture_covers_it() -> None:
    rng, q, rates, rows = np.random.default_rng(0), np.array([0.7, 0.3]), np.array([0.3, 0.05]), np.array([60, 200])
    held = 0
    for _ in range(400):
        _, low, high = mixed(q, rng.binomial(rows, rates), rows)
        held += low <= q @ rates <= high
    assert held >= 370


def test_a_weak_segment_that_grows_is_seen_and_alarms_are_not() -> None:
    found = Subpopulation().measure(world(0, weak=0.5)[0])
    misses, alarms = find(found, "misses"), find(found, "alarms")
    assert misses.low is not None
    assert misses.low > dict(misses.baseline)["as the rows are mixed now"] + 0.05
    assert "amount" in misses.caveats[0]
    assert misses.curve is not None
    values = [point.value for point in misses.curve.points]
    assert values == sorted(values), "a wider bound is never better"
    assert alarms.low is not None
    assert alarms.low < 0.15


def test_a_model_that_is_alike_everywhere_stays_as_it_is() -> None:
    for seed in range(5):
        misses = find(Subpopulation().measure(world(seed)[0]), "misses")
        assert misses.low is not None
        assert misses.low < 0.12, "a mixture of equal groups changes nothing"


def test_declared_groups_are_shifted_too() -> None:
    scene, _ = world(0, weak=0.5)
    found = Subpopulation().measure(
        Scene(x=scene.x, y=scene.y, ids=scene.ids, schema=scene.schema, target=scene.target, sensitive=("channel",))
    )
    assert find(found, "misses_chi2", "column:channel").value is not None


# -- periods --------------------------------------------------------------------------------------------------------


def test_a_line_is_tested_at_its_nominal_rate_and_found_where_it_is() -> None:
    rng, rows = np.random.default_rng(1), np.full(6, 200)
    steady = [armitage(rng.binomial(rows, 0.1), rows).p < 0.05 for _ in range(400)]
    assert 5 <= sum(steady) <= 36
    rising = [armitage(rng.binomial(rows, np.linspace(0.05, 0.2, 6)), rows) for _ in range(100)]
    assert sum(line.p < 0.05 and line.low <= 0.03 <= line.high for line in rising) >= 88


def test_the_next_period_falls_into_its_interval() -> None:
    rng, rates, rows = np.random.default_rng(2), np.linspace(0.05, 0.2, 7), np.full(7, 300)
    held = 0
    for _ in range(300):
        events = rng.binomial(rows, rates)
        _, low, high = ahead(events[:6], rows[:6])
        held += low <= events[6] / 300 <= high
    assert held >= 275


def timed(seed: int, rise: float, when: Any = None) -> Scene:
    """Six months of rows, wrongly judged more often from month to month; stored in no order of time."""
    rng = np.random.default_rng(seed)
    n = 3_000
    month = rng.integers(0, 6, n)
    y = rng.integers(0, 2, n)
    wrong = rng.random(n) < 0.1 + rise * month / 5
    x = np.column_stack([rng.normal(size=n), np.arange(n)])
    return Scene(
        x=x, y=y, ids=np.arange(n), schema=Schema(columns=(Column(name="a"), Column(name="number"))), threshold=0.5,
        target=Known(np.where(wrong, 1 - y, y)), time=month.astype(float) if when is None else when[month],
    )  # fmt: skip


def test_a_model_that_ages_is_caught_with_its_periods() -> None:
    months = np.array([f"2026-0{m}-01" for m in range(1, 7)], dtype="datetime64[s]")
    found = Periods().measure(timed(0, 0.2, months))
    rise, trend, then = (find(found, f"misses_{name}") for name in ("rise", "trend", "next"))
    assert rise.low is not None
    assert rise.low > 0.05
    assert rise.value == pytest.approx(0.2, abs=0.06)
    assert "2026-06-01" in rise.caveats[0]
    assert rise.caveats[0].endswith("2026-01-01 to 2026-01-01")
    assert rise.curve is not None
    assert len(rise.curve.points) == 6
    assert trend.low is not None
    assert trend.high is not None
    assert trend.low <= 0.04 <= trend.high
    assert then.value == pytest.approx(0.34, abs=0.07)
    assert "EXTRAPOLATION" in then.method


def test_a_steady_model_is_not_accused_of_ageing() -> None:
    rises = [find(Periods().measure(timed(seed, 0.0)), "misses_rise") for seed in range(20)]
    assert sum((m.low or 0) > 0 for m in rises) <= 3


def test_without_times_or_rows_there_is_no_figure() -> None:
    assert [m.status for m in Periods().measure(world(0, 100)[0])] == [Status.UNTRIED]
    few = timed(0, 0.0)
    short = Scene(
        x=few.x[:30], y=few.y[:30], ids=few.ids[:30], schema=few.schema, target=few.target, time=few.time[:30]
    )
    assert all(m.status is Status.INCONCLUSIVE for m in Periods().measure(short))


def test_a_time_column_is_read_and_is_no_feature() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": np.arange(40.0), "when": [f"2026-01-{1 + i % 28:02d}" for i in range(40)]})
    frame["y"] = np.arange(40) % 2
    system = build_system(lambda x: np.column_stack([x[:, 0] * 0, x[:, 0] * 0 + 1]), frame, time="when", classes=2)
    assert system.schema.names == ("a",)
    assert system.data.time is not None
    assert system.data.take([3]).time[0] == np.datetime64("2026-01-04")
    with pytest.raises(ConfigError, match="no column 'hour'"):
        build_system(lambda x: x, frame.drop(columns="when"), time="hour", classes=2)
    with pytest.raises(ConfigError, match="no time, first 'soon' in row 1"):
        moments(pd.Series(["2026-01-01", "soon"]), "when")
    assert moments(pd.Series(["2026-01-01T12:00:00+02:00"]), "when")[0] == np.datetime64("2026-01-01T10:00:00")
