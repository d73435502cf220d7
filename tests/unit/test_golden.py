"""Known rows: every kind of silently wrong model is caught in time, and a healthy one never."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from temper.core.errors import ConfigError
from temper.guard.serving.breaker import Breaker, State
from temper.guard.serving.golden import Golden, Probes

Model = Callable[[np.ndarray], np.ndarray]


def smooth(rows: np.ndarray) -> np.ndarray:
    """SIMULATED: a model of many different scores."""
    return 1 / (1 + np.exp(3 - rows[:, 0] - 0.5 * rows[:, 1]))


def leaves(rows: np.ndarray) -> np.ndarray:
    """SIMULATED: a small tree; 99.5 % of rows end in one leaf."""
    high = rows[:, 0] > 2.6
    return np.where(high, np.where(rows[:, 1] > 0, 0.9, 0.6), 0.02)


def sample(many: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(many, 2))


def golden(model: Model, **more: float) -> Golden:
    rows = sample(5_000)
    return Golden(probes=Probes.choose(rows, model(rows)), **more)


def shuffled(scores: np.ndarray) -> np.ndarray:
    return np.roll(scores, 1)


WRONG: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "NaN": lambda s: np.where(np.arange(len(s)) == 1, np.nan, s),
    "infinite": lambda s: np.where(np.arange(len(s)) == 0, np.inf, s),
    "constant": lambda s: np.full(len(s), 0.02),
    "shifted": lambda s: s + 0.01,
    "shuffled": shuffled,
    "two change places": lambda s: s[[1, 0, *range(2, len(s))]],
    "upside down": lambda s: 1 - s,
    "a row too few": lambda s: s[:-1],
    "a column": lambda s: s[:, None],
    "another version": lambda s: s**1.1,
}


@pytest.mark.parametrize("model", [smooth, leaves])
@pytest.mark.parametrize("wrong", WRONG)
def test_every_kind_of_wrong_model_opens_the_breaker_within_two_periods(model: Model, wrong: str) -> None:
    watch, breaker, broken_at, now = golden(model, period=5.0), Breaker(), 42.0, 0.0
    while breaker.state is State.CLOSED:
        now += 0.1
        if watch.due(now):
            scores = model(watch.probes.rows)
            watch.check(WRONG[wrong](scores) if now >= broken_at else scores, breaker, now)
        assert now < broken_at + 2 * 5.0
    assert now >= broken_at
    assert breaker.allow(now) is None


@pytest.mark.parametrize("model", [smooth, leaves])
def test_a_constant_score_is_found_within_200_answers(model: Model) -> None:
    for seed in range(20):
        watch, breaker = golden(model, period=1e9), Breaker()
        watch.check(model(watch.probes.rows), breaker, 0.0)
        rows = sample(3_000 + 200, seed)
        scores = model(rows)
        scores[3_000:] = 0.02
        for at, score in enumerate(scores):
            watch.watch(score[None])
            if watch.due(1.0):
                known = model(watch.probes.rows)
                watch.check(np.full(len(known), 0.02) if at >= 3_000 else known, breaker, 1.0)
            if breaker.state is State.OPEN:
                break
        assert 3_000 <= at < 3_200


@pytest.mark.parametrize("model", [smooth, leaves])
def test_a_healthy_model_never_trips_it_in_a_million_answers(model: Model) -> None:
    """SIMULATED: float32 answers with rounding noise, some clients repeat one row."""
    rng, watch, breaker, now = np.random.default_rng(5), golden(model), Breaker(), 0.0
    for turn in range(1_000):
        rows = sample(1_000, turn)
        if turn % 10 == 0:
            rows[:] = rows[0]
        watch.watch(model(rows[:500]))
        now += 0.5
        if watch.due(now):
            known = model(watch.probes.rows).astype(np.float32)
            assert watch.check(known + rng.normal(scale=1e-6, size=len(known)), breaker, now) == ""
        watch.watch(model(rows[500:]))
    assert (watch.failed, breaker.state, list(breaker.history)) == (0, State.CLOSED, [])


def test_the_breaker_stays_open_while_the_model_is_wrong_and_tries_again_when_it_is_right() -> None:
    watch, breaker = golden(smooth, period=5.0), Breaker()
    good = smooth(watch.probes.rows)
    for now in (0.0, 5.0, 10.0, 15.0):
        assert watch.due(now)
        assert watch.check(good + 0.2, breaker, now) == "the scores of all known rows are off by +0.2"
        assert breaker.allow(now + 4.9) is None
    watch.check(good, breaker, 20.0)
    assert breaker.allow(20.0) is not None
    assert breaker.state is State.HALF_OPEN


def test_no_answer_is_no_wrong_answer() -> None:
    watch, breaker = golden(smooth), Breaker()
    assert watch.check(None, breaker, 0.0) == ""
    assert breaker.state is State.CLOSED
    assert not watch.due(4.9)
    assert watch.due(5.0)


def test_an_operator_who_forces_the_breaker_is_not_overruled() -> None:
    watch, breaker = golden(smooth), Breaker()
    breaker.force_closed(0.0)
    assert watch.check(smooth(watch.probes.rows) + 1, breaker, 1.0)
    assert breaker.state is State.FORCED_CLOSED


def test_false_suspicions_become_rarer_and_never_too_rare() -> None:
    watch, breaker, asked = golden(leaves, period=1e9), Breaker(), []
    watch.check(leaves(watch.probes.rows), breaker, 0.0)
    for at in range(1_000):
        watch.watch(np.array([0.02]))
        if watch.due(1.0):
            asked.append(at + 1)
            watch.check(leaves(watch.probes.rows), breaker, 1.0)
    assert asked == [50, 150, 350, 550, 750, 950]


def test_rows_are_chosen_with_scores_apart() -> None:
    rows = sample(5_000)
    for model in (smooth, leaves):
        probes = Probes.choose(rows, model(rows))
        assert np.diff(np.sort(probes.expected)).min() > 4e-4
        assert probes.expected.min() == model(rows).min()
        assert len(probes.expected) == (8 if model is smooth else 3)


def test_rows_that_would_show_nothing_are_refused() -> None:
    rows = sample(10)
    for scores in (np.full(10, 0.5), np.full(10, 0.5) + np.arange(10) * 1e-6):
        with pytest.raises(ConfigError, match="show nothing"):
            Probes.choose(rows, scores)
    with pytest.raises(ConfigError, match="finite"):
        Probes(rows=rows[:2], expected=np.array([0.1, np.nan]))
