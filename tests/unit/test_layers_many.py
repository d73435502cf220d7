"""More than ten layers: parts from sampled orders, what fails at once, the smallest set, and what is said of it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from temper.core.depth import Limits
from temper.core.layers import Attempts
from temper.core.requirement import Verdict
from temper.engine.layers import games as layered
from temper.engine.layers.games import games, sampling
from temper.engine.layers.smallest import fewer_and_fewer
from temper.engine.layers.weigh import Terms, weighed
from temper.kernels.coalitions import dealt, orders, sampled, shapley_of
from temper.report.depth import render, show
from temper.report.depth_sankey import _gates


def _rng(key: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key))


def _attempts(stops, actors, honest=0):
    n = len(stops)
    return Attempts(
        layers=tuple(f"layer {at}" for at in range(stops.shape[1])),
        stops=np.concatenate([stops, np.zeros((honest, stops.shape[1]), dtype=bool)]),
        worth=np.ones(n + honest),
        actor=np.concatenate([np.arange(n) % actors, actors + np.arange(honest)]),
        honest=np.arange(n + honest) >= n,
    )


@pytest.fixture(scope="module")
def many():
    """Sixteen layers, two of which stop everything, each of one half of the actors; others stop little."""
    stops = _rng(1).random((60, 16)) < 0.01
    first = np.arange(60) % 30 // 2 % 2 == 0
    stops[:, 5], stops[:, 12] = first, ~first
    attempts = _attempts(stops, 30, honest=40)
    asked = []

    def against(standing):
        asked.append(standing)
        return attempts.of(~attempts.honest)

    usual, layered.SETS = layered.SETS, 200
    terms = Terms(limits=Limits(residual=0.25, refused=0.2))
    found = weighed(attempts, against, terms)
    layered.SETS = usual
    return attempts, found, asked


def test_parts_lie_within_their_errors_of_the_closed_form_and_add_up(many):
    attempts, found, _ = many
    stops = attempts.stops[~attempts.honest]
    truth = dealt(stops).mean(axis=0)
    parts = np.array([one.known.part.value for one in found.layers])
    assert found.orders == 20
    assert 0 < found.error < 0.05
    assert np.abs(parts - truth).max() <= 3 * found.error
    assert parts.sum() == pytest.approx(1 - found.residual.value)
    alone, margin = ([getattr(one.fixed, name).value for one in found.layers] for name in ("alone", "margin"))
    assert alone == pytest.approx(stops.mean(axis=0))
    others = stops.sum(axis=1, keepdims=True) - stops
    assert margin == pytest.approx((stops & (others == 0)).mean(axis=0))
    assert found.layers[5].known.part.low < truth[5] < found.layers[5].known.part.high


def test_each_set_is_asked_about_once_and_not_every_one(many):
    _, found, asked = many
    assert len(asked) == len(set(asked)) == len(found.sets) - 1
    assert len(found.sets) < 800


def test_what_fails_at_once_and_the_smallest_set_among_many(many):
    _, found, _ = many
    named = {one.layers: one.verdict for one in found.failing}
    assert set(named) == {("layer 5",), ("layer 12",)}
    assert named["layer 5",] is Verdict.FAIL
    assert found.chosen.layers == ("layer 5", "layer 12")
    assert found.chosen.verdict is Verdict.PASS


def test_layers_of_which_three_have_to_fail_are_found_beyond_pairs():
    stops = np.zeros((40, 12), dtype=bool)
    stops[:, [2, 6, 9]] = True
    found = weighed(_attempts(stops, 40), terms=Terms(limits=Limits(residual=0.15)))
    assert [one.layers for one in found.failing] == [("layer 2", "layer 6", "layer 9")]


def test_reverses_make_the_error_smaller_and_what_is_told_is_of_its_size():
    stops = _rng(3).random((40, 8)) < np.linspace(0.1, 0.7, 8)
    attempts = _attempts(stops, 20)
    every = games(attempts, None)[0]
    exact = ((1.0 - every.fixed) @ shapley_of(8)).mean(axis=0)
    off, said = [], []
    for key in range(20):
        some = orders(8, _rng(key), 20)
        values, error = sampled(1.0 - every.fixed, every.sets, some)
        off.append(values.mean(axis=0) - exact)
        said.append(error)
    ratio = np.sqrt(np.mean(np.square(off), axis=0)) / np.mean(said, axis=0)
    assert 0.6 < ratio.mean() < 1.4
    assert sampling(10, _rng()) is None


def test_two_are_given_for_one_where_taking_away_goes_astray():
    """Layer 3 seems the one to miss least; without it no other can go, and with it layer 2 alone has to stay."""
    passed = {0b1111: 0.0, 0b0111: 0.0, 0b1011: 0.05, 0b1101: 0.06, 0b1110: 0.06, 0b1100: 0.0}
    found = list(fewer_and_fewer(lambda mask: passed.get(mask, 1.0), 0b1111, lambda mask: (), 0.1))
    assert found == [0b1111, 0b0111, 0b1100]
    assert list(fewer_and_fewer(lambda mask: 0.5, 0b11, lambda mask: (), 0.1)) == [0b11]


def test_the_output_says_what_was_sampled(many):
    _, found, _ = many
    screen = Console(file=io.StringIO(), width=100)
    show(found, screen)
    told = " ".join(screen.file.getvalue().split())
    assert "20 random orders of the 16 layers" in told
    assert "a smaller one is not excluded" in told
    page = render(found)
    assert "20 random orders" in page
    assert "Layers at which least leaves are one" in page


def test_what_leaves_at_gates_that_have_no_room_leaves_with_the_others(many):
    _, found, _ = many
    flow = found.flows[0]
    gates = _gates(found, flow)
    assert len(gates) == 12
    assert gates[-1][0] == "others"
    assert sum(one[1] + one[2] for one in gates) == pytest.approx(1.0 - flow.through)
