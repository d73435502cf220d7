"""The bench of small campaigns: what is planted is what is caught, and nobody is counted who was not there."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.bank import campaigns
from bench.bank._ground import Ground, passing
from bench.bank._planted import KINDS, LAYERS, Planted, parts, planted, truth
from temper.core.layers import Attempts
from temper.demos.bank.world import Payments
from temper.demos.held_out_bank import HeldOutWorld

SMALL = Ground(
    name="small", make=HeldOutWorld, per_day=100, planted=100, days=2, options={"fraud": 0.2}
)  # two days, some eight fraudsters


def frauds(many: int) -> Payments:
    actor = np.arange(many)
    one = np.ones(many)
    return Payments(rows=one[:, None], fraud=one > 0, amount=one, account=actor, actor=actor, reported=one)


def test_what_planted_layers_catch_together_is_the_truth_of_their_set() -> None:
    layers, caught = planted(3, 0.05)
    day = frauds(60_000)
    stops = np.column_stack([layer(day, 0) for layer in layers.values()])
    for mask in (1, 6, 2**LAYERS - 1):
        inside = [at for at in range(LAYERS) if mask >> at & 1]
        assert stops[:, inside].any(axis=1).mean() == pytest.approx(truth(caught)[mask], abs=0.01)
    assert parts(caught).sum() == pytest.approx(truth(caught)[-1])


def test_planted_layers_have_an_order_with_gaps_and_other_seeds_another() -> None:
    orders = set()
    for seed in range(12):
        told = parts(planted(seed, 0.05)[1])
        assert np.diff(np.sort(told)).min() >= 0.05
        orders.add(tuple(np.argsort(told)))
    assert len(orders) > 4


def test_a_planted_layer_looks_at_who_it_is_and_nearly_never_at_honest_payments() -> None:
    layer = Planted(name="PLANTED", caught=(1.0, 0.0, 0.0), seed=1)
    day = frauds(9_000)
    stops = layer(day, 0)
    assert stops.mean() == pytest.approx(1 / KINDS, abs=0.02)
    assert np.array_equal(stops, layer(day, 1))  # of a kind that is always or never caught the day says nothing
    honest = Payments(
        **{name: getattr(day, name) for name in Payments.__slots__ if name != "fraud"}, fraud=day.fraud < 0
    )
    assert layer(honest, 0).mean() < 0.01


def test_everybody_counts_once_by_the_share_that_gets_through() -> None:
    tried = Attempts(
        layers=("one",),
        stops=np.array([[True], [False], [False], [False]]),
        worth=np.array([30.0, 10.0, 5.0, 99.0]),
        actor=np.array([0, 0, 1, 2]),
        honest=np.array([False, False, False, True]),
    )
    assert passing(tried, ["one"]) == (pytest.approx((0.25 + 1.0) / 2), 15.0)
    assert passing(tried, []) == (1.0, 45.0)


def test_a_campaign_before_planted_layers_is_told_with_its_truth_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "small-planted.jsonl"
    first = campaigns.played(SMALL, "planted-0.05", path, 2, time.monotonic() + 600.0)
    again = campaigns.played(SMALL, "planted-0.05", path, 3, time.monotonic() + 600.0)
    assert [one["truth"] for one in again[:2]] == [one["truth"] for one in first]
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(again) == 3
    assert all(0.0 <= one["low"] <= one["value"] <= one["high"] <= 1.0 for one in again)
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[0])["actors"] >= 4


def test_standing_layers_alone_are_what_fraudsters_hear_of() -> None:
    layers = {"all": lambda day, number: np.ones(len(day), dtype=bool), "none": lambda day, number: day.amount < 0}
    heard, not_heard = (SMALL.attempts(1, layers, standing, adaptive=True) for standing in (["all"], ["none"]))
    assert heard.stops[:, 0].all()
    assert not_heard.stops[:, 0].all()
    assert not np.array_equal(heard.worth, not_heard.worth)


def test_both_ways_of_a_campaign_are_told_apart_and_counted_as_the_simulator_does() -> None:
    ground = replace(SMALL)
    ground.__dict__["guard"] = {"dear": lambda day, number: day.amount > 300.0}
    told = campaigns.before_the_bank(ground, 2)
    for name, (through, dollars) in zip(("fixed", "anew"), told["counts"], strict=True):
        assert told[name]["value"] == pytest.approx(through)
        assert dollars > 0.0
    found = {name: one["value"] for name, one in told.items() if name != "counts"}
    assert found["best"] == max(found["fixed"], found["anew"])
    assert found["each"] >= found["fixed"]


def test_a_way_that_one_half_chose_is_told_by_the_other() -> None:
    once, same = np.array([0.9, 0.1, 0.9, 0.1]), np.array([0.5, 0.5, 0.5, 0.5])
    assert campaigns.crossed(once, same).tolist() == [0.5, 0.1, 0.5, 0.1]  # each half would have done better


def test_a_campaign_is_held_against_the_others_alone() -> None:
    means, errors = campaigns.of_others(np.array([[1.0], [2.0], [6.0]]))
    assert means[:, 0].tolist() == [4.0, 3.5, 1.5]
    assert errors[:, 0].tolist() == pytest.approx([2.0, 2.5, 0.5])
