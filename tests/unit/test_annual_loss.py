"""Annual loss: closed forms, the worked figures of the recipe, and laws of evidence, each with a culprit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from temper.core.seed import Draws
from temper.kernels.annual_loss import annual, at_least, beta, exceedance, pert, posterior, swings

ENDS = np.array([0.025, 0.975])
Update = Callable[..., tuple[float, float]]


def mean(pair: tuple[float, float]) -> float:
    return pair[0] / (pair[0] + pair[1])


@pytest.mark.parametrize(
    ("k", "n", "middle", "low", "high", "median", "p90"),
    [
        (0, 0, 0.500, None, None, 41_000, 122_000),
        (37, 200, 0.191, 0.140, 0.248, 17_300, 43_000),
        (6, 200, 0.039, 0.017, 0.070, 3_400, 9_000),
    ],
)
def test_the_worked_figures(
    k: int, n: int, middle: float, low: float | None, high: float | None, median: float, p90: float
) -> None:
    pair = posterior((2, 2), k, n - k)
    assert round(mean(pair), 3) == middle
    if low is not None:
        assert np.round(beta(*pair, ENDS), 3).tolist() == pytest.approx([low, high], abs=5e-4)
    losses = annual(pert(20, 60, 200), beta(*pair), pert(200, 900, 5000), Draws(0, "risk/worked"), 40_000)
    assert np.median(losses) == pytest.approx(median, rel=0.03)
    assert np.quantile(losses, 0.9) == pytest.approx(p90, rel=0.03)


def test_closed_forms() -> None:
    assert pert(20, 60, 200).mean() == pytest.approx((20 + 4 * 60 + 200) / 6, rel=1e-3)
    assert pert(7, 7, 7).tolist() == [7.0] * len(pert(7, 7, 7))
    assert beta(1, 1, ENDS) == pytest.approx(ENDS)
    assert at_least(1, 2.0, np.array(0.5)) == pytest.approx(np.log(2) / 2)
    ones = np.ones(500)
    assert annual(2 * ones, 0.5 * ones, 10 * ones, Draws(0, "risk/constant"), 50).tolist() == [10.0] * 50


def test_losses_are_a_product_of_independent_factors() -> None:
    factors = pert(20, 60, 200), beta(39, 165), pert(200, 900, 5000)
    losses = annual(*factors, Draws(3, "risk/product"), 40_000)
    expected = np.prod([table.mean() for table in factors])
    spread = losses.std() / np.sqrt(len(losses))
    assert abs(losses.mean() - expected) < 4 * spread


def test_a_sum_of_terms_is_swung_one_input_at_a_time() -> None:
    still = np.full(3, 5.0)
    found = swings([[np.array([1.0, 2.0, 3.0]), still], [still, still]], (0.0, 1.0))
    assert found == [[(-5.0, 5.0), (0.0, 0.0)], [(0.0, 0.0), (0.0, 0.0)]]


def test_exceedance_falls_from_one_to_zero() -> None:
    losses = np.arange(10.0)
    share = exceedance(losses, np.array([-1.0, 4.0, 9.0]))
    assert share.tolist() == [1.0, 0.5, 0.0]


priors = st.tuples(st.floats(0.2, 4), st.floats(0.2, 4))
counts = st.integers(0, 400)


def law_success_never_lowers(update: Update, prior: tuple[float, float], s: int, f: int, u: int, w: float) -> None:
    assert mean(update(prior, s + 1, f, u, w)) >= mean(update(prior, s, f, u, w)) - 1e-12
    if u:
        assert mean(update(prior, s + 1, f, u - 1, w)) >= mean(update(prior, s, f, u, w)) - 1e-12


def law_failures_with_power_lower(update: Update, prior: tuple[float, float], s: int, f: int, u: int, w: float) -> None:
    assert mean(update(prior, s, f + 1, u, w)) < mean(update(prior, s, f, u, w))
    if u:
        assert mean(update(prior, s, f + 1, u - 1, w)) < mean(update(prior, s, f, u, w))


def law_the_unknown_leaves_the_prior(
    update: Update, prior: tuple[float, float], s: int, f: int, u: int, w: float
) -> None:
    assert update(prior, 0, 0, u, w) == pytest.approx(prior, rel=1e-9)


def law_no_weight_is_the_prior(update: Update, prior: tuple[float, float], s: int, f: int, u: int, w: float) -> None:
    assert update(prior, s, f, u, 0.0) == prior


def law_a_distribution(update: Update, prior: tuple[float, float], s: int, f: int, u: int, w: float) -> None:
    a, b = update(prior, s, f, u, w)
    assert a > 0
    assert b > 0


LAWS = (
    law_success_never_lowers,
    law_failures_with_power_lower,
    law_the_unknown_leaves_the_prior,
    law_no_weight_is_the_prior,
    law_a_distribution,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@given(prior=priors, s=counts, f=counts, u=counts, w=st.floats(0.05, 1))
def test_laws(law: Callable[..., None], prior: tuple[float, float], s: int, f: int, u: int, w: float) -> None:
    law(posterior, prior, s, f, u, w)


def takes_the_unknown_for_safe(
    prior: tuple[float, float], s: float, f: float, u: float = 0.0, w: float = 1.0
) -> tuple[float, float]:
    return posterior(prior, s, f + u, 0.0, w)


def drops_the_unknown(
    prior: tuple[float, float], s: float, f: float, u: float = 0.0, w: float = 1.0
) -> tuple[float, float]:
    """Broken rows alone: one success of one, where thirty-nine were never finished."""
    return posterior(prior, s, f, 0.0, w) if f else posterior(prior, 0, s, 0.0, w)


def counts_twice(prior: tuple[float, float], s: float, f: float, u: float = 0.0, w: float = 1.0) -> tuple[float, float]:
    return posterior(prior, s, f, u, 1.0)


def ignores_failures(
    prior: tuple[float, float], s: float, f: float, u: float = 0.0, w: float = 1.0
) -> tuple[float, float]:
    return posterior(prior, s, 0, u, w)


def turned(prior: tuple[float, float], s: float, f: float, u: float = 0.0, w: float = 1.0) -> tuple[float, float]:
    return prior[0] - s, prior[1] - f


BITES = {
    law_success_never_lowers: drops_the_unknown,
    law_failures_with_power_lower: ignores_failures,
    law_the_unknown_leaves_the_prior: takes_the_unknown_for_safe,
    law_no_weight_is_the_prior: counts_twice,
    law_a_distribution: turned,
}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_every_law_bites(law: Callable[..., None]) -> None:
    with pytest.raises(AssertionError):
        law(BITES[law], (2.0, 2.0), 5, 0, 5, 0.5)


@given(events=st.integers(0, 40), years=st.floats(0.25, 1))
def test_more_sightings_never_lower_the_rate(events: int, years: float) -> None:
    assume(events < 40)
    p = np.array([0.05, 0.5, 0.95])
    assert (at_least(events + 1, years, p) >= at_least(events, years, p)).all()
