"""Success against the number of tries: golden values, planted laws recovered, no forecast where no law holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.errors import TemperError
from temper.kernels.clustered import hit_at_k
from temper.kernels.power_law import LEAST_TRIES, STRETCH, hit_curve, power_law

K = np.arange(1, 65)


def test_the_exact_law_is_found() -> None:
    fit = power_law(np.tile(np.exp(-2.5 * K**-0.4), (10, 1)), [128, 256])
    assert (fit.scale, fit.exponent) == pytest.approx((2.5, 0.4), abs=1e-9)
    assert not fit.refuted
    for n, rate, low, high in fit.points:
        assert rate == pytest.approx(math.exp(-2.5 * n**-0.4), abs=1e-9)
        assert low <= rate <= high


@given(st.integers(1, 40), st.data())
def test_a_curve_is_the_unbiased_chance_of_a_hit(n: int, data: st.DataObject) -> None:
    hits, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    curve = hit_curve(hits, n)
    assert curve[k - 1] == pytest.approx(hit_at_k([hits], [n], k)[0], abs=1e-9)
    assert (np.diff(curve) >= -1e-12).all()


def goals(kind: str, clusters: int, tries: int, seed: int) -> tuple[np.ndarray, float]:
    """Curves of simulated goals, and the true rate after four times the tries."""
    rng = np.random.default_rng(seed)
    if kind == "law":  # rates drawn from a beta law: misses fall as a power of the tries
        rates, more = rng.beta(0.4, 4.0, clusters), STRETCH * tries
        lost = math.lgamma(4 + more) + math.lgamma(4.4) - math.lgamma(4.4 + more) - math.lgamma(4)
        truth = 1 - math.exp(lost)
    else:  # half of the goals are beyond reach
        rates, truth = 0.1 * (rng.random(clusters) < 0.5), 0.5
    return np.array([hit_curve(hits, tries) for hits in rng.binomial(tries, rates)]), truth


def test_a_planted_law_is_forecast_four_times_as_far() -> None:
    held = told = 0
    for seed in range(60):
        curves, truth = goals("law", 14, 64, seed)
        fit = power_law(curves, [STRETCH * 64])
        told += not fit.refuted
        held += any(low <= truth <= high for _, _, low, high in fit.points)
    assert told >= 48
    assert held / told >= 0.85


def test_a_rate_that_levels_off_is_not_forecast() -> None:
    fits = [power_law(goals("half", 60, 40, seed)[0], [160]) for seed in range(30)]
    assert sum(bool(fit.refuted) for fit in fits) >= 24
    assert all(not fit.points for fit in fits if fit.refuted)
    assert "refuted" in next(fit.refuted for fit in fits if fit.refuted)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_where_nothing_grows_nothing_is_forecast(rate: float) -> None:
    fit = power_law(np.full((14, 64), rate), [128])
    assert fit.points == ()
    assert "no growth" in fit.refuted


def test_too_little_says_so_and_too_far_is_refused() -> None:
    few = power_law(np.exp(-(K[: LEAST_TRIES - 1] ** -0.5))[None, :].repeat(9, axis=0), [30])
    assert "too few" in few.refuted
    with pytest.raises(TemperError, match="beyond 4 times"):
        power_law(np.ones((9, 64)), [257])
    with pytest.raises(TemperError, match="5 hits in 4 tries"):
        hit_curve(5, 4)
