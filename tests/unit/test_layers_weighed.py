"""Layers weighed: closed forms, intervals, correlated failures, what must fail at once, the smallest set that holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.depth import Limits
from temper.core.errors import TemperError
from temper.core.layers import Attempts
from temper.core.requirement import Verdict
from temper.engine.layers.games import games
from temper.engine.layers.weigh import Terms, weighed
from temper.kernels.clustered import bounded_mean
from temper.kernels.coalitions import along, dealt, figures_of, front, least, orders, sampled, shapley_of, upward
from temper.kernels.few_actors import over_actors
from temper.kernels.joint_misses import joint_misses


def _rng(key: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key))


def _planted(rates, actors=40, each=5, key=0, honest=200):
    """Layers that stop attempts independently at these rates, and honest requests that none of them minds."""
    n = actors * each
    stops = _rng(key).random((n, len(rates))) < np.array(rates)
    quiet = np.zeros((honest, len(rates)), dtype=bool)
    return Attempts(
        layers=tuple(f"layer {at}" for at in range(len(rates))),
        stops=np.concatenate([stops, quiet]),
        worth=np.ones(n + honest),
        actor=np.concatenate([np.repeat(np.arange(actors), each), actors + np.arange(honest)]),
        honest=np.arange(n + honest) >= n,
    )


tables = (
    st.integers(1, 5)
    .flatmap(lambda layers: st.lists(st.floats(0, 1, width=32), min_size=2**layers, max_size=2**layers))
    .map(lambda values: np.array([0.0, *values[1:]]))
)


@given(tables)
@settings(max_examples=25, deadline=None)
def test_shapley_values_add_up_to_the_worth_of_all(worth):
    assert (worth @ shapley_of(len(worth).bit_length() - 1)).sum() == pytest.approx(worth[-1])


@given(tables, st.data())
@settings(max_examples=25, deadline=None)
def test_shapley_values_are_additive_symmetric_and_leave_a_dummy_its_own(worth, data):
    many = len(worth).bit_length() - 1
    other = np.array(data.draw(st.permutations(list(worth))))
    assert np.allclose((worth + other) @ shapley_of(many), worth @ shapley_of(many) + other @ shapley_of(many))
    order = data.draw(st.permutations(range(many)))
    sets = np.array([sum(1 << order[bit] for bit in range(many) if one >> bit & 1) for one in range(2**many)])
    renamed = np.empty_like(worth)
    renamed[sets] = worth
    assert np.allclose((renamed @ shapley_of(many))[list(order)], worth @ shapley_of(many))
    with_dummy = np.concatenate([worth, worth + 0.5])  # one more layer, which adds a half to every set
    assert (with_dummy @ shapley_of(many + 1))[-1] == pytest.approx(0.5)


def test_the_airport_game_by_its_closed_form():
    """Runways of length 1, 2 and 3: each third user pays for the part that it needs (Littlechild and Owen, 1973)."""
    length = np.array([max((at + 1 for at in range(3) if one >> at & 1), default=0) for one in range(8)])
    assert (length @ shapley_of(3)).tolist() == pytest.approx([1 / 3, 1 / 3 + 1 / 2, 1 / 3 + 1 / 2 + 1])


def test_the_coverage_game_by_its_closed_form():
    rng = _rng(3)
    stops, worth, actor = rng.random((60, 5)) < 0.4, rng.random(60), rng.integers(0, 6, 60)
    attempts = Attempts(layers=tuple("abcde"), stops=stops, worth=worth, actor=actor, honest=np.zeros(60, dtype=bool))
    table = 1.0 - games(attempts, None)[0].fixed
    by_hand = [
        (worth * stops[:, [0, 3]].any(axis=1))[actor == one].sum() / worth[actor == one].sum() for one in range(6)
    ]
    assert table[:, 0b01001] == pytest.approx(np.array(by_hand))
    parts = [(worth[:, None] * dealt(stops))[actor == one].sum(0) / worth[actor == one].sum() for one in range(6)]
    assert np.allclose(table @ shapley_of(5), np.array(parts))


def test_alone_and_at_the_margin():
    worth = np.array([0, 0.5, 0.4, 0.7])
    assert (worth @ figures_of(2)).tolist() == pytest.approx([0.5, 0.4, 0.3, 0.2, 0.4, 0.3])


def test_sampled_orders_agree_with_every_order_within_their_errors():
    rng = _rng(1)
    worth = np.concatenate([[0.0], np.sort(rng.random(2**6 - 1))])
    found, error = sampled(np.stack([worth, worth]), np.arange(64), orders(6, rng, 200))
    exact = worth @ shapley_of(6)
    assert found[0].sum() == pytest.approx(worth[-1])
    assert (found[0] == found[1]).all()
    assert (np.abs(found[0] - exact) <= 4 * error + 1e-9).all()
    assert error.max() < 0.1


def test_every_order_and_its_reverse_is_the_exact_value():
    worth = np.array([0.0, 0.3, 0.1, 0.7, 0.2, 0.9, 0.4, 1.0])
    all_orders = np.array([[0, 1, 2], [2, 1, 0], [0, 2, 1], [1, 2, 0], [1, 0, 2], [2, 0, 1]])
    found, _ = sampled(worth[None], np.arange(8), all_orders)
    assert found[0] == pytest.approx(worth @ shapley_of(3))
    assert along(all_orders)[1].tolist() == [0, 4, 6, 7]
    with pytest.raises(TemperError, match="no standard error"):
        sampled(worth[None], np.arange(8), all_orders[:2])


def test_what_passes_more_layers_passes_fewer():
    passed = _rng(2).random((4, 8))
    some = np.array([0, 1, 3, 5, 7])
    closed, part = upward(passed, np.arange(8)), upward(passed[:, some], some)
    for one in range(8):
        for more in range(8):
            assert one & more != one or (closed[:, one] >= passed[:, more]).all()
    assert (part[:, 1] == passed[:, [1, 3, 5, 7]].max(axis=1)).all()
    assert (part <= closed[:, some]).all()


def test_the_least_sets_and_the_front():
    assert least(np.array([0b110, 0b010, 0b101, 0b111])) == [0b010, 0b101]
    assert front(np.array([[1, 3], [2, 2], [2, 3], [3, 1], [1, 3]])).tolist() == [True, True, False, True, False]


def test_an_interval_over_actors_is_the_exact_one_and_those_of_all_together_are_wider():
    values = _rng(5).random((12, 4)) ** 2
    low, high = over_actors(values, (0.0, 1.0), _rng(0), replicates=6_000)
    for at in range(4):
        _, exact_low, exact_high = bounded_mean(values[:, at], 0.95, "gate")
        assert (low[at], high[at]) == pytest.approx((exact_low, exact_high), abs=0.02)
    wide_low, wide_high = over_actors(values, (0.0, 1.0), _rng(0), simultaneous=True, replicates=6_000)
    assert (wide_low <= low).all()
    assert (wide_high >= high).all()
    assert (wide_high - wide_low > high - low).any()


def test_nothing_that_gets_through_has_an_upper_bound_above_nothing():
    found = weighed(_planted([1.0, 1.0], actors=10))
    assert found.fixed.value == 0.0
    assert 0.2 < found.fixed.high < 0.35
    assert found.verdict is Verdict.INCONCLUSIVE


def test_layers_in_the_order_that_was_planted_and_what_all_leave():
    found = weighed(_planted([0.2, 0.8, 0.5]))
    assert sorted(found.layers, key=lambda one: -one.fixed.part.value)[0].name == "layer 1"
    assert sum(one.fixed.part.value for one in found.layers) == pytest.approx(1 - found.fixed.value)
    assert found.fixed.low < 0.8 * 0.2 * 0.5 < found.fixed.high
    assert all(one.fixed.margin.value <= one.fixed.part.value <= one.fixed.alone.value for one in found.layers)
    assert found.known is None
    assert (found.stopped, found.tried) == (0, 0)


def test_layers_that_share_a_cause_are_named_and_independent_ones_are_not():
    attempts = _planted([0.5, 0.5, 0.5])
    stops = attempts.stops.copy()
    stops[:200, 2] = stops[:200, 0] ^ (_rng(9).random(200) < 0.1)
    found = weighed(
        Attempts(
            layers=attempts.layers, stops=stops, worth=attempts.worth, actor=attempts.actor, honest=attempts.honest
        )
    )
    named = [one for one in found.pairs if one.found]
    assert [(one.first, one.second) for one in named] == [("layer 0", "layer 2")]
    assert named[0].seen > 1.5 * named[0].by_chance


def test_what_actors_have_in_common_is_no_evidence_however_many_attempts_each_makes():
    """Six actors with a thousand attempts each, all alike: chance shows as much, whatever the attempts are many."""
    blind = np.repeat(np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [0, 1]], dtype=bool), 1_000, axis=0)
    (found,) = joint_misses(blind, np.repeat(np.arange(6), 1_000), _rng())
    assert found.p > 0.2
    assert not found.found


def test_what_would_have_to_fail_at_once_and_the_smallest_set():
    """Two layers that each stop all, and one that stops nothing: both have to fail; either will do."""
    found = weighed(_planted([1.0, 1.0, 0.0], actors=80), terms=Terms(limits=Limits(residual=0.1)))
    assert [(one.layers, one.verdict) for one in found.failing] == [(("layer 0", "layer 1"), Verdict.FAIL)]
    assert found.chosen is not None
    assert found.chosen.verdict is Verdict.PASS
    assert len(found.chosen.layers) == 1
    assert found.verdict is Verdict.PASS
    assert [one.layers for one in found.sets if one.front] == [("layer 0",)]  # free of cost, so it beats none at all


def test_a_limit_within_the_interval_is_not_decided_and_one_that_is_broken_needs_no_failure():
    few = weighed(_planted([0.95], actors=12), terms=Terms(limits=Limits(residual=0.1)))
    assert few.verdict is Verdict.INCONCLUSIVE
    assert few.chosen is not None
    assert few.chosen.verdict is Verdict.INCONCLUSIVE
    weak = weighed(_planted([0.3], actors=60), terms=Terms(limits=Limits(residual=0.1)))
    assert weak.verdict is Verdict.FAIL
    assert weak.failing[0].layers == ()


def test_who_knows_the_layers_is_never_weaker_and_may_send_what_others_found():
    once = _planted([0.5, 0.5])

    def against(standing):
        weaker = once.of(~once.honest)
        return Attempts(
            layers=once.layers,
            stops=np.ones_like(weaker.stops),
            worth=weaker.worth,
            actor=weaker.actor,
            honest=weaker.honest,
        )

    found = weighed(once, against)
    assert found.known == found.fixed

    def cunning(standing):
        mine = once.of(~once.honest)
        stops = mine.stops & (_rng(4).random(mine.stops.shape) < 0.5)
        return Attempts(
            layers=once.layers, stops=stops, worth=mine.worth, actor=mine.actor, honest=mine.honest, adaptive=True
        )

    better = weighed(once, cunning)
    assert better.known is not None
    assert better.known.value > found.fixed.value
    assert all(one.known is not None for one in better.layers)
    assert sum(one.known.part.value for one in better.layers if one.known) == pytest.approx(1 - better.known.value)


def test_people_are_asked_before_the_model_decides_and_honest_requests_wait():
    stops = np.array([[True, True], [False, True], [False, False], [False, True]])
    asks = np.array([[True, False], [False, False], [True, False], [False, False]])
    one = Attempts(
        layers=("grey", "model"), stops=stops, asks=asks, worth=np.ones(4), actor=np.arange(4), honest=np.arange(4) > 1
    )
    first, asked = one.met(one.layers)
    assert first.tolist() == [0, 1, 0, 1]
    assert asked.tolist() == [True, False, True, False]
    found = weighed(one)
    assert (found.refused.value, found.asked.value) == (0.5, 0.5)
    assert found.flows[0].asked == (0.5, 0.0)
    assert found.flows[0].stopped == (0.0, 0.5)
    assert found.unattended.value == 0.0  # the model stops what people are asked about


def test_nothing_to_weigh_and_too_many_layers_say_so():
    with pytest.raises(TemperError, match="no attempt would have harmed"):
        weighed(_planted([0.5], actors=1).of(np.zeros(205, dtype=bool)))
    with pytest.raises(TemperError, match="too many to name"):
        weighed(_planted([0.5] * 63, actors=2))
