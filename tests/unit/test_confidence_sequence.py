"""Ends of a mean that hold at every look, whatever the numbers are and however often one looks."""

import pickle

import numpy as np
import pytest
from scipy.special import bdtrc, hyp2f1
from scipy.stats import beta

from temper.core.detector import from_arrays, to_arrays
from temper.core.errors import ContractError
from temper.kernels.clustered import anytime_mean
from temper.kernels.confidence_sequence import Evidence
from temper.kernels.sequential import anytime_lower

RUNS, LOOKS = 60, (1, 2, 5, 10, 20, 40, 80, 160, 320, 640)
DRAWN = {
    "rare": (lambda rng, n: (rng.random(n) < 0.02).astype(float), 0.02),
    "even": (lambda rng, n: (rng.random(n) < 0.5).astype(float), 0.5),
    "spread": (lambda rng, n: rng.beta(0.5, 3.0, n), 0.5 / 3.5),
    "two amounts": (lambda rng, n: rng.choice([0.0, 0.013, 0.77], n, p=[0.9, 0.08, 0.02]), 0.08 * 0.013 + 0.02 * 0.77),
}


@pytest.mark.parametrize("name", DRAWN)
def test_the_mean_is_missed_at_any_look_no_more_often_than_said(name):
    draw, mean = DRAWN[name]
    rng, missed = np.random.default_rng(7), 0
    for _ in range(RUNS):
        x = draw(rng, max(LOOKS))
        ends = [Evidence.of(x[:n]).ends(0.8) for n in LOOKS]
        missed += any(not low <= mean <= high for low, high in ends)
    assert bdtrc(missed - 1, RUNS, 0.2) > 1e-6 if missed else True


def test_an_interval_for_one_look_fails_that_test():
    rng, missed = np.random.default_rng(7), 0
    for _ in range(RUNS):
        n = np.array(LOOKS)
        hits = np.cumsum(rng.random(max(LOOKS)) < 0.5)[n - 1]
        low, high = beta.ppf(0.1, hits, n - hits + 1), beta.ppf(0.9, hits + 1, n - hits)
        missed += bool(((np.nan_to_num(low) > 0.5) | (np.nan_to_num(high, nan=1.0) < 0.5)).any())
    assert bdtrc(missed - 1, RUNS, 0.2) < 1e-6


def test_a_mean_that_moves_below_a_limit_is_not_said_to_be_above_it():
    rng, said = np.random.default_rng(3), 0
    at = np.arange(max(LOOKS))
    for _ in range(RUNS):
        x = (rng.random(len(at)) < 0.3 - 0.29 * (np.sin(at / 60.0) > 0.0)).astype(float)
        said += any(Evidence.of(x[:n]).ends(0.6)[0] > 0.3 for n in LOOKS)
    assert bdtrc(said - 1, RUNS, 0.2) > 1e-6 if said else True


@pytest.mark.parametrize("n", [10, 100, 300])
def test_without_an_event_the_upper_end_is_that_of_the_closed_form(n):
    # Bets with the weights of Jeffreys' prior on n noughts make 2F1(-n, 1/2; 1; -m / (1 - m)) against a mean of m.
    high = Evidence.rate(0, n).ends(0.95)[1]
    assert hyp2f1(-n, 0.5, 1.0, -high / (1.0 - high)) == pytest.approx(1.0 / 0.025, rel=1e-4)


@pytest.mark.parametrize(("hits", "n"), [(20, 1_000), (500, 1_000), (9_000, 10_000)])
def test_rates_lie_close_to_those_of_jeffreys_mixture_of_all_rates(hits, n):
    # It bets on both sides at once, here each side has half of the error.
    low, high = Evidence.rate(hits, n).ends(0.95)
    mixed = float(anytime_lower(hits, n, 0.05)), 1.0 - float(anytime_lower(n - hits, n, 0.05))
    assert (low, high) == pytest.approx(mixed, abs=0.12 * (mixed[1] - mixed[0]))


def test_counting_at_places_only_widens_the_ends_and_keeps_the_mean():
    x = np.random.default_rng(0).beta(0.4, 2.0, 3_000)
    seen = Evidence.of(x)
    _, low, high = anytime_mean(x, np.ones(len(x)), 0.95)
    assert seen.n == 3_000
    assert seen.mean == pytest.approx(x.mean(), abs=1e-7)
    assert seen.ends()[0] <= low + 1e-7
    assert seen.ends()[1] >= high - 1e-7
    assert seen.ends() == pytest.approx((low, high), abs=0.02 * (high - low))


def test_evidence_adds_up_exactly_in_any_order():
    x = np.random.default_rng(1).random(500)
    parts = [Evidence.of(one) for one in np.split(x, [3, 3, 200])]
    whole = Evidence.of(x[::-1])
    for order in ((0, 1, 2, 3), (3, 0, 2, 1)):
        assert np.array_equal(sum((parts[at] for at in order), Evidence()).counts, whole.counts)


def test_evidence_that_was_stored_goes_on_where_it_stopped():
    x = np.split((np.random.default_rng(2).random(600) < 0.1).astype(float), 6)
    whole = stopped = Evidence()
    for part in x:
        whole += Evidence.of(part)
        stopped = from_arrays(Evidence, pickle.loads(pickle.dumps(to_arrays(stopped)))) + Evidence.of(part)
    assert np.array_equal(whole.counts, stopped.counts)
    assert whole.ends() == stopped.ends()


def test_nothing_is_known_without_numbers_and_other_numbers_are_refused():
    assert Evidence().ends() == (0.0, 1.0)
    assert np.isnan(Evidence().mean)
    for wrong in ([1.1], [-0.1], [np.nan]):
        with pytest.raises(ContractError, match="from 0 to 1"):
            Evidence.of(wrong)
