"""A rate behind an imperfect judge: golden values, limits in closed form, and what the interval must hold."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.errors import TemperError
from temper.kernels.clustered import clustered_rate
from temper.kernels.rogan_gladen import Known, corrected_rate

PERFECT = Known(found=10**7, hits=10**7, cleared=10**7, misses=10**7)


def known(se: float, sp: float, n: int = 10**7) -> Known:
    return Known(found=round(se * n), hits=n, cleared=round(sp * n), misses=n)


def lang_reiczigel(count: int, n: int, judge: Known) -> tuple[float, float]:
    """The interval of the paper in closed form: equations 6, 7, 16 and 17."""
    z = NormalDist().inv_cdf(0.975)
    n_se, n_sp, n_p = judge.hits + 2, judge.misses + 2, n + z * z
    se, sp, p = (judge.found + 1) / n_se, (judge.cleared + 1) / n_sp, (count + z * z / 2) / n_p
    truth = (p + sp - 1) / (se + sp - 1)
    v_se, v_sp = se * (1 - se) / n_se, sp * (1 - sp) / n_sp
    middle = truth + 2 * z * z * (truth * v_se - (1 - truth) * v_sp)
    half = z * math.sqrt(p * (1 - p) / n_p + truth**2 * v_se + (1 - truth) ** 2 * v_sp) / (se + sp - 1)
    return max(0.0, middle - half), min(1.0, middle + half)


def test_twenty_of_a_hundred_and_twenty_by_a_known_test_as_published() -> None:
    # RSurveillance's manual: tp(20, 120, .9, .99) is .17603 with Clopper-Pearson's ends .1066051 and .2647191.
    value, low, high = corrected_rate([1] * 20 + [0] * 100, [1] * 120, known(0.9, 0.99), use="gate")
    assert value == pytest.approx(0.17603, abs=5e-6)
    assert (low, high) == pytest.approx((0.1066051, 0.2647191), abs=2e-3)


@pytest.mark.parametrize(
    ("count", "n", "judge"),
    [
        (30, 100, Known(found=90, hits=100, cleared=95, misses=100)),
        (60, 200, Known(found=48, hits=60, cleared=54, misses=60)),
        (150, 300, Known(found=85, hits=100, cleared=85, misses=100)),
    ],
)
def test_it_is_near_the_closed_form_where_that_is_good(count: int, n: int, judge: Known) -> None:
    _, low, high = corrected_rate([1] * count + [0] * (n - count), [1] * n, judge)
    assert (low, high) == pytest.approx(lang_reiczigel(count, n, judge), abs=0.025)


def test_a_judge_that_never_errs_leaves_the_rate_as_it_is() -> None:
    hits, trials = [0, 1, 3, 0, 2, 3, 0, 0, 1, 0] * 3, [3] * 30
    for use in ("show", "gate"):
        assert corrected_rate(hits, trials, PERFECT, use=use) == pytest.approx(  # type: ignore[arg-type]
            clustered_rate(hits, trials, use=use),
            abs=4e-3,  # type: ignore[arg-type]
        )


def test_a_judge_whose_word_may_say_nothing_decides_nothing() -> None:
    always = Known(found=60, hits=60, cleared=0, misses=60)
    never = Known(found=0, hits=60, cleared=60, misses=60)
    few = Known(found=3, hits=3, cleared=3, misses=3)
    none = Known(found=0, hits=0, cleared=0, misses=0)
    for judge in (always, never, few, none, Known(found=33, hits=60, cleared=33, misses=60)):
        value, low, high = corrected_rate([5] * 10, [10] * 10, judge)
        assert math.isnan(value)
        assert (low, high) == (0.0, 1.0)
    assert none.least_youden() == -1.0


def test_a_lenient_judge_is_corrected_down_and_a_strict_one_up() -> None:
    hits, trials = [3, 0, 1, 2, 0, 0, 1, 3, 0, 0] * 6, [3] * 60
    seen = clustered_rate(hits, trials)[0]
    assert (
        corrected_rate(hits, trials, known(1.0, 0.8, 200))[0]
        < seen
        < corrected_rate(hits, trials, known(0.6, 1.0, 200))[0]
    )


def test_what_a_judge_makes_up_is_no_hit() -> None:
    value, low, _ = corrected_rate([0, 0, 0, 1] * 25, [1] * 100, known(0.95, 0.75, 100))
    assert (value, low) == (0.0, 0.0)


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(TemperError, match="more than there is"):
        Known(found=4, hits=3, cleared=0, misses=0)


def test_the_same_numbers_give_the_same_interval() -> None:
    assert corrected_rate([1, 0, 2], [3, 3, 3], known(0.9, 0.9, 50)) == corrected_rate(
        [1, 0, 2], [3, 3, 3], known(0.9, 0.9, 50)
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(25, 60), st.integers(25, 60))
def test_the_interval_holds_its_value_and_the_gate_is_no_narrower(hits: list[int], found: int, cleared: int) -> None:
    judge = Known(found=found, hits=60, cleared=cleared, misses=60)
    trials = [3] * len(hits)
    value, low, high = corrected_rate(hits, trials, judge)
    assert 0 <= low <= high <= 1
    if not math.isnan(value):
        assert low <= value <= high
        _, least, most = corrected_rate(hits, trials, judge, use="gate")
        assert least <= low + 5e-3
        assert most >= high - 5e-3


@pytest.mark.slow
@pytest.mark.parametrize(("se", "sp", "labelled"), [(0.95, 0.9, 60), (0.8, 0.85, 100)])
def test_planted_rates_are_recovered(se: float, sp: float, labelled: int) -> None:
    """Coverage over 120 simulated judges, prompts that differ and three trials each; see `bench.injection.judge`."""
    rng, held, decided = np.random.default_rng(5), 0, 0
    for _ in range(120):
        truth = rng.uniform(0.02, 0.6)
        chances = rng.beta(2 * truth, 2 * (1 - truth), size=40)
        real = rng.binomial(3, chances)
        said = rng.binomial(real, se) + rng.binomial(3 - real, 1 - sp)
        judge = Known(
            found=rng.binomial(labelled, se), hits=labelled, cleared=rng.binomial(labelled, sp), misses=labelled
        )
        value, low, high = corrected_rate(said.tolist(), [3] * 40, judge)
        decided += not math.isnan(value)
        held += low <= truth <= high
    assert decided == 120
    assert held / 120 >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 120)
