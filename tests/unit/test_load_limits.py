"""The search finds limits that are known: of one queue with one server, by Lindley's recursion and no clock."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from temper.core.load import Limit, Trial
from temper.traffic.arrivals import constant, due
from temper.traffic.knee import Search
from temper.traffic.memory import Memory, growth
from temper.traffic.overload import phases, recovery
from temper.traffic.played import Played
from temper.traffic.scaling import scaling
from temper.traffic.trial import Late, timeline, weighed

LIMIT = Limit(seconds=0.2)


def _queue(times: np.ndarray, service: float, room: float = np.inf, late: float = 0.0) -> Played:
    """First come, first served; who would wait longer than `room` is turned away."""
    done, status, until = np.full(len(times), np.nan), np.full(len(times), 200), 0.0
    for at, when in enumerate(times):
        if until - when > room:
            done[at], status[at] = when, 503
        else:
            until = max(until, when) + service
            done[at] = until
    taken = times + late
    return Played(
        due=times, taken=taken, sent=taken, done=done + late, status=status, marks=np.zeros(len(times), dtype=int)
    )


def _asked(service: float, seconds: float = 5.0, seed: int = 0):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    return lambda rate: weighed(_queue(due(constant(rate, seconds), rng), service), seconds, LIMIT)


@pytest.mark.parametrize("capacity", [40.0, 200.0, 900.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_knee_of_a_queue_is_near_its_capacity(capacity: float, seed: int) -> None:
    search = Search(ask=_asked(1 / capacity, max(5.0, 1_000 / capacity), seed), limit=LIMIT, first=100.0, most=5_000.0)
    found = search.knee()
    assert found.low <= found.value <= (found.high or 0)
    assert len(found.searches) == 3
    # In services; in a queue of fixed work P(wait > w) falls as exp(-2 w (1 - r) / r).
    waits = LIMIT.seconds * capacity - 1
    assert found.value == pytest.approx(capacity * waits / (waits + np.log(100) / 2), rel=0.12)
    assert len(search.trials) < 40


def test_a_limit_that_nothing_reaches_is_said_to_lie_beyond() -> None:
    found = Search(ask=_asked(1e-6, 0.5), limit=LIMIT, first=100.0, most=1_000.0).knee()
    assert (found.value, found.high) == (1_000.0, None)


def test_a_service_that_never_holds_has_no_knee() -> None:
    found = Search(ask=_asked(0.3, 4.0), limit=LIMIT, first=64.0, most=1_000.0).knee()
    assert (found.value, found.high, found.searches) == (0.0, 1.0, ())


def test_one_unlucky_run_does_not_decide_the_knee() -> None:
    ask, many = _asked(1 / 200), iter(range(1_000))

    def unlucky(rate: float) -> Trial:
        return weighed(_queue(due(constant(50.0, 2.0)), 0.5), 2.0, LIMIT) if next(many) == 1 else ask(rate)

    assert Search(ask=unlucky, limit=LIMIT, first=100.0, most=5_000.0).knee().value == pytest.approx(200, rel=0.1)


def test_a_run_counts_everybody_who_asked() -> None:
    played = _queue(due(constant(400.0, 5.0)), 1 / 200, room=0.1)
    found = weighed(played, 5.0, LIMIT)
    assert found.good + found.late + found.shed + found.failed == found.requests == 2_000
    assert found.goodput == pytest.approx(200, rel=0.05)
    assert not found.holds(LIMIT)
    assert sum(one.shed for one in timeline(played, 5.0, LIMIT)) * 0.25 == found.shed


def test_a_queue_that_still_fills_does_not_hold() -> None:
    wide = Limit(seconds=2.0)
    filling = weighed(_queue(due(constant(220.0, 3.0)), 1 / 200), 3.0, wide)
    assert filling.p99 is not None
    assert filling.p99 < wide.seconds
    assert filling.grown == pytest.approx(30, abs=2)
    assert not filling.holds(wide)
    assert weighed(_queue(due(constant(195.0, 3.0)), 1 / 200), 3.0, wide).holds(wide)


def test_what_was_never_answered_is_slower_than_everything() -> None:
    played = _queue(due(constant(100.0, 1.0)), 0.001)
    played.status[:2], played.done[:2] = 0, np.nan
    found = weighed(played, 1.0, LIMIT)
    assert (found.p99, found.failed, found.p50 is not None) == (None, 2, True)


def test_a_generator_that_was_late_grades_nobody() -> None:
    with pytest.raises(Late, match=r"late at 100 requests a second \(p99 30\.0 ms, allowed are 20\.0 ms\)"):
        weighed(_queue(due(constant(100.0, 1.0)), 0.001, late=0.03), 1.0, LIMIT)


@pytest.mark.parametrize("times", [2.0, 4.0])
def test_a_queue_recovers_when_arithmetic_says_so(times: float) -> None:
    # `length` seconds at `times` the capacity leave a queue of (times - 1) * length seconds, worked off at half speed.
    plan = phases(200.0, 2.0, 20.0, times)
    found = recovery(_queue(due(plan), 1 / 200), plan, LIMIT)
    backlog = (times - 1) * 2.0
    assert found.seconds == pytest.approx((backlog - LIMIT.seconds) / 0.5, abs=0.25)


def test_a_service_that_sheds_is_back_at_once_and_one_that_does_not_may_never_be() -> None:
    plan = phases(200.0, 2.0, 8.0, 4.0)
    assert recovery(_queue(due(plan), 1 / 200, room=0.1), plan, LIMIT).seconds == pytest.approx(0.0, abs=0.3)
    assert recovery(_queue(due(plan), 1 / 200), plan, LIMIT).seconds is None


def test_the_law_of_scaling_is_found_again() -> None:
    def trial(work: float) -> Trial:
        many = 100 * work / (1 + 0.05 * (work - 1) + 0.001 * work * (work - 1))
        usual = dict.fromkeys(("late", "shed", "failed", "unsent"), 0)
        times = dict.fromkeys(("p50", "p99", "p99_low", "p99_high", "service_p99"), 0.01)
        mine = {"rate": many, "seconds": 1.0, "requests": 9, "good": many, "mean": work / many}
        return Trial(**usual, **times, **mine, held=0.0, lateness=0.0, cpu=0.0)  # type: ignore[arg-type]

    found = scaling([trial(work) for work in (1, 2, 4, 8, 16, 32, 64)])
    assert found is not None
    assert (found.alone, found.queueing, found.crosstalk) == pytest.approx((100, 0.05, 0.001), rel=0.02)
    assert found.peak == pytest.approx(trial(np.sqrt(0.95 / 0.001)).rate, rel=0.02)
    assert scaling([trial(1), trial(2)]) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_leak_is_seen_and_noise_is_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = 1e8 + 1e5 * rng.normal(size=240)
    grown = growth([(0.5 * at, int(one + 1e4 * at)) for at, one in enumerate(noise)])
    assert grown is not None
    assert grown.sure
    assert grown.low <= 3600 * 2e4 <= grown.high
    still = growth([(0.5 * at, int(one)) for at, one in enumerate(noise)])
    assert still is not None
    assert not still.sure
    assert growth([(0.0, 1)] * 20) is None


def test_memory_is_that_of_the_whole_service() -> None:
    words = [sys.executable, "-c", "x = b'x' * 60_000_000; print(flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with Memory(os.getpid()) as found, Memory(child.pid) as alone:
            time.sleep(1.3)
        assert found.samples[-1][1] > alone.samples[-1][1] > 60_000_000
        child.communicate(b"\n")
