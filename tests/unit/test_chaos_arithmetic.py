"""What drills cost, against values worked out by hand on traces made by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from temper.chaos.alert import ABSENT, Alert, alerts, compression
from temper.chaos.arithmetic import (
    Buckets,
    Budget,
    Share,
    Trace,
    availability,
    budget,
    over_drills,
    time_to_fallback,
    time_to_recover,
)
from temper.core.seed import Draws
from temper.kernels.burn import burn


def steady(seconds: float, away: tuple[float, float], other: float | None = None) -> Trace:
    """100 requests a second, one every 10 ms. Between the ends of `away` none is good before `other`, when somebody
    stands in; all are full outside of it.
    """
    due = np.arange(round(100 * seconds)) / 100
    gone = (due >= away[0] - 1e-9) & (due < away[1] - 1e-9)
    helped = gone & (due >= other - 1e-9) if other is not None else np.zeros(len(due), dtype=bool)
    return Trace(due=due, good=~gone | helped, full=~gone)


GONE = steady(20.0, (5.0, 8.0))
HELPED = steady(20.0, (5.0, 8.0), other=5.3)


def test_requests_belong_to_the_bucket_in_which_they_were_due() -> None:
    buckets = Buckets.of(GONE.due, GONE.good)
    assert len(buckets.asked) == 200
    assert set(buckets.asked) == {10}
    assert buckets.good[49] == 10
    assert set(buckets.good[50:80]) == {0}
    assert buckets.good[80] == 10
    none = Buckets.of(np.empty(0), np.empty(0, dtype=bool))
    assert len(none.asked) == 0


def test_availability_is_counted_twice() -> None:
    # 300 of 2,000 due while it was away; with a fallback from 0.3 s on, 30 of them.
    assert availability(GONE.good) == Share(count=1_700, n=2_000)
    assert availability(HELPED.good) == Share(count=1_970, n=2_000)
    assert availability(HELPED.full) == Share(count=1_700, n=2_000)
    assert availability(HELPED.good).value == 0.985
    # Exact interval at 0 of n: 1 - 0.025^(1/n).
    assert Share(count=0, n=10).interval == pytest.approx((0.0, 1 - 0.025**0.1), rel=1e-12)
    assert Share(count=10, n=10).interval == pytest.approx((0.025**0.1, 1.0), rel=1e-12)


def test_what_may_be_there_unseen() -> None:
    assert Share(count=600, n=600).unseen == 0.005
    assert Share(count=2, n=2).unseen == 1.0
    assert Share(count=0, n=0).unseen == 1.0
    # One bad of one: nothing is excluded. One bad of two: 1 - upper solves (1 - p)^2 + 2 p (1 - p) = 0.05.
    assert Share(count=0, n=1).unseen == 1.0
    assert Share(count=1, n=2).unseen == pytest.approx(math.sqrt(0.95), rel=1e-12)


def test_time_to_the_fallback() -> None:
    assert time_to_fallback(HELPED, 5.0) == pytest.approx(0.3, abs=1e-12)
    assert time_to_fallback(GONE, 5.0) == pytest.approx(3.0, abs=1e-12)
    assert time_to_fallback(GONE, 9.0) == 0.0, "nothing was bad after that"
    assert time_to_fallback(steady(6.0, (5.0, 9.0)), 5.0) is None


def test_time_to_recover_is_that_of_the_first_bucket_that_holds() -> None:
    full, good = (Buckets.of(HELPED.due, one) for one in (HELPED.full, HELPED.good))
    assert time_to_recover(full, 5.0, 0.99) == 3.0
    assert time_to_recover(good, 5.0, 0.99) == 0.3
    assert time_to_recover(good, 9.0, 0.99) == 0.0
    assert time_to_recover(good, 5.04, 0.99) == pytest.approx(0.26)
    # 5 s must follow: of 20 s, an outage up to 15.0 can be seen to end, one up to 15.1 cannot.
    for until, found in ((15.0, 10.0), (15.1, None)):
        trace = steady(20.0, (5.0, until))
        assert time_to_recover(Buckets.of(trace.due, trace.full), 5.0, 0.99) == found


def test_a_recovery_that_does_not_hold_is_none() -> None:
    trace = steady(20.0, (5.0, 8.0))
    # Back at 8.0, and 6 of the 500 requests of 9.0 to 9.06 fail: 98.8 % over any window that holds them all.
    again = (trace.due >= 9.0 - 1e-9) & (trace.due < 9.06 - 1e-9)
    buckets = Buckets.of(trace.due, trace.good & ~again)
    assert time_to_recover(buckets, 5.0, 0.99) == pytest.approx(4.1), "from 9.1 on, behind them"
    assert time_to_recover(buckets, 5.0, 0.98) == 3.0


def test_the_budget() -> None:
    assert budget(GONE.good, 0.99) == Budget(allowed=20.0, bad=300)
    assert budget(GONE.good, 0.99).spent == 15.0
    assert budget(HELPED.good, 0.99).spent == 1.5
    assert Budget(allowed=0.0, bad=0).spent == 0.0
    assert Budget(allowed=0.0, bad=1).spent == math.inf


@pytest.mark.parametrize(
    ("good", "asked", "slo"), [(98, 100, "0.99"), (0, 7, "0.9"), (3, 8, "0.75"), (999, 1_000, "0.999")]
)
def test_burn_is_the_ratio_of_rates(good: int, asked: int, slo: str) -> None:
    exact = (1 - Fraction(good, asked)) / (1 - Fraction(slo))
    assert burn(good, asked, float(slo)) == pytest.approx(float(exact), abs=1e-9)
    assert burn(0, 0, 0.99) == 0.0


def test_alerts_speak_when_both_windows_burn() -> None:
    # 21.6 s stand for 6 h: one hour is 3.6 s, 5 minutes 0.3 s, half an hour 1.8 s.
    trace = steady(21.6, (5.0, 8.0))
    factor = compression(21.6)
    found = alerts(Buckets.of(trace.due, trace.good), 0.99, factor)
    # page: 14.4 % of the last 3.6 s (of 360 requests 51.84) must be bad: after 52 of them, in the bucket that ends at
    # 5.6. Slower page: 6 % of all since the start (it reaches back further): 30 of 530 are 5.7 %, 40 of 540 are 7.4 %.
    # Ticket: 1 % of all, over the 21.6 s as over the 259.2 s: 10 of 510 are 2.0 %.
    assert found == (
        Alert(rule="ticket", at=5.1),
        Alert(rule="page, slower", at=5.4),
        Alert(rule="page", at=5.6),
    )
    assert alerts(Buckets.of(trace.due, np.ones(len(trace.due), dtype=bool)), 0.99, factor) == ()


def test_few_requests_raise_no_alert_and_silence_does() -> None:
    rare = np.array([0.0, 4.0, 8.0, 12.0])
    assert alerts(Buckets.of(rare, np.zeros(4, dtype=bool)), 0.99, compression(21.6)) == (), "4 requests in all"
    # 10 a bucket up to 10.0, then nothing but one at 14.05: 141 buckets of 7.1 on average, so 2 of them hold ten, and
    # the window of 0.3 s is longer.
    due = np.concatenate([np.arange(1_000) / 100, [14.05]])
    found = alerts(Buckets.of(due, np.ones(len(due), dtype=bool)), 0.99, compression(21.6))
    assert found == (Alert(rule=ABSENT, at=10.3),)
    # One a bucket (0.716 on average): ten of them take 14 buckets.
    thin = np.concatenate([np.arange(100) / 10, [14.05]])
    found = alerts(Buckets.of(thin, np.ones(len(thin), dtype=bool)), 0.99, compression(21.6))
    assert found == (Alert(rule=ABSENT, at=11.4),)


def test_several_drills_have_a_mean_with_an_interval_and_a_worst() -> None:
    found = over_drills([1.0, 2.0, 3.0, 6.0], Draws(0, "drills"))
    assert (found.value, found.worst, found.n) == (3.0, 6.0, 4)
    assert 1.0 <= found.low < 3.0 < found.high <= 6.0
    # Two drills: each resample is (a, a), (a, b), (b, a) or (b, b), so the interval is from a to b.
    two = over_drills([1.0, 2.0], Draws(0, "drills"))
    assert (two.low, two.high) == (1.0, 2.0)
    assert math.isnan(over_drills([1.0], Draws(0, "drills")).low)
