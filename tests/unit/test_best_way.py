"""The best of several ways: chosen by what is expected of each, with an interval that honours the choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from temper.core.errors import TemperError
from temper.core.layers import Attempts
from temper.engine.layers.games import games, largest, share
from temper.engine.layers.weigh import weighed
from temper.kernels.best_way import best_way
from temper.kernels.clustered import bounded_mean
from temper.kernels.coalitions import upward

ways = st.lists(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=6), min_size=1, max_size=3)


def _rng(key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key))


def _random(seed: int, layers: int = 1, actors: int = 30, each: int = 2, rate: float = 0.5) -> Attempts:
    """Attempts that are a new roll of the dice each, so that nobody is better than anybody."""
    many = actors * each
    return Attempts(
        layers=tuple(f"layer {at}" for at in range(layers)),
        stops=_rng(seed).random((many, layers)) < rate,
        worth=np.ones(many),
        actor=np.repeat(np.arange(actors), each),
        honest=np.zeros(many, dtype=bool),
        exclusive=True,
    )


def test_of_yes_and_no_the_ends_are_those_of_clopper_and_pearson():
    few, many = [1.0] * 4 + [0.0] * 16, [1.0] * 10 + [0.0] * 10
    best, value, low, high = best_way([few, many])
    assert (best, value) == (1, 0.5)
    assert high == pytest.approx(beta.ppf(0.975, 11, 10), abs=1e-6), "looking at two ways costs nothing above"
    assert low == pytest.approx(beta.ppf(0.0125, 10, 11), abs=1e-6), "and half of the error below"


def test_a_way_that_is_the_better_one_for_certain_and_one_alone():
    assert best_way([[0.0] * 10, [1.0] * 10])[:2] == (1, 1.0)
    assert best_way([[0.2, 0.9, 0.4]])[1:] == bounded_mean([0.2, 0.9, 0.4], 0.95, "gate")


@given(ways, st.randoms(use_true_random=False))
@settings(max_examples=6, deadline=None)
def test_the_order_of_ways_and_of_who_goes_them_says_nothing(told, rng):
    shuffled = [rng.sample(one, len(one)) for one in rng.sample(told, len(told))]
    assert best_way(shuffled)[1:] == pytest.approx(best_way(told)[1:], abs=1e-7)


@given(ways, ways)
@settings(max_examples=6, deadline=None)
def test_one_more_way_never_lowers_what_can_be_reached(some, more):
    _, value, low, high = best_way(some)
    _, after, deeper, higher = best_way(some + more)
    assert low <= value <= high
    assert deeper <= after <= higher
    assert after >= value
    assert higher >= high


def test_where_two_ways_are_alike_the_interval_holds_and_the_larger_figure_errs_by_four_tenths_of_an_error():
    """Exactly, over all that six actors of each way can come to."""
    many, held, mean = 6, 0.0, 0.0
    for first in range(many + 1):
        for second in range(first + 1):
            _, value, low, high = best_way([np.arange(many) < one for one in (first, second)])
            chance = float(binom.pmf([first, second], many, 0.5).prod()) * (1 + (first != second))
            held, mean = held + chance * (low <= 0.5 <= high), mean + chance * value
    assert held >= 0.95
    assert mean - 0.5 == pytest.approx(0.4 * np.sqrt(2 * 0.25 / many), abs=0.01)


@pytest.mark.parametrize("none", [[], [[0.5], []]])
def test_ways_that_nobody_went_have_no_best(none):
    with pytest.raises(TemperError, match="gone by nobody"):
        best_way(none)


def test_luck_is_not_taken_for_skill_where_ways_exclude_each_other():
    """Half of all attempts get through, either way. Each attacker's better one of two draws would read as .69."""
    told: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(40):
        once, anew = _random(2 * seed), _random(2 * seed + 1)
        for exclusive, found in told.items():
            both, _ = games(replace(once, exclusive=exclusive), lambda standing, anew=anew: anew)
            found.append(float(both.stronger[:, -1].mean()))
    assert np.mean(told[True]) == pytest.approx(0.5, abs=0.06)
    assert np.mean(told[False]) > 0.6


def test_who_has_to_choose_is_never_below_either_way_and_sees_no_more_through_more_layers():
    once, anew = _random(1, layers=3), _random(2, layers=3, rate=0.4)
    both, _ = games(once, lambda standing: anew)
    assert both.known is not None
    means = both.known.mean(axis=0)
    assert both.residual(0.95).value == pytest.approx(means[-1])
    assert means[-1] == pytest.approx(max(both.fixed[:, -1].mean(), both.ways[1].mean()))
    assert (means >= both.fixed.mean(axis=0) - 1e-12).all()
    assert all(means[one] >= means[more] - 1e-12 for one in range(8) for more in range(8) if one & more == one)


def test_all_go_one_way_and_the_streams_show_who_went_it():
    weak, strong = _random(3, rate=0.9), _random(4, rate=0.1)
    for once, anew, taken in ((weak, strong, strong), (strong, weak, strong)):
        found = weighed(once, lambda standing, anew=anew: anew)
        (value,) = {1.0 - one.stopped[0] for one in found.flows if one.name.startswith("attacks by")}
        assert found.known is not None
        assert found.known.value == pytest.approx(1.0 - taken.stops.mean()) == pytest.approx(value)
        assert found.known.value >= found.fixed.value
        assert found.sets[-1].residual == found.known
        assert (found.stopped, found.tried) == (0, 0)


def test_the_interval_is_that_of_the_choice():
    both, _ = games(_random(5), lambda standing: _random(6))
    found, plain = both.residual(0.9), share(max(both.ways, key=np.mean), 0.9)
    assert found == largest(both.ways, 0.9)
    assert found.value == plain.value
    assert found.low < plain.low
    assert found.high >= plain.high


def test_a_set_is_chosen_for_all_together_or_by_each():
    passed = np.array([[1.0, 0.0, 0.4, 0.2], [1.0, 0.9, 0.2, 0.3]])
    assert upward(passed, np.arange(4))[:, 1].tolist() == [0.2, 0.9]
    assert upward(passed, np.arange(4), together=True)[:, 1].tolist() == [0.0, 0.9]
    assert upward(passed[:, [0, 3, 2, 1]], np.arange(4), together=True)[:, 1].tolist() == [0.0, 0.9]
