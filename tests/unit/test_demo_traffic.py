"""The fraud demo's traffic: its mix, its times, and how answers are counted."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.errors import TemperError
from temper.core.schema import Column, Schema
from temper.demos import serving
from temper.demos.traffic import FRAUD, HONEST, ODD, Tally, Traffic, spoilt
from temper.store.control import Control

POOLS = {"honest": np.zeros((9, 2)), "fraud": np.ones((9, 2)), "odd": np.full((9, 2), 7.0)}
SCHEMA = Schema(
    columns=(
        Column(name="amount", low=0.0, high=5_000.0),
        Column(name="visits", type="integer", low=0, high=90),
        Column(name="distance", low=0.0, high=1_500.0),
        Column(name="channel", type="category", categories=("chip", "online")),
        Column(name="free"),
    )
)


@given(st.integers(0, 2**31), st.integers(0, 10_000))
def test_a_second_is_the_same_again_and_lies_within_itself(seed: int, number: int) -> None:
    due, rows, kinds = Traffic(**POOLS, seed=seed).second(number)
    again = Traffic(**POOLS, seed=seed).second(number)
    assert all(np.array_equal(one, other) for one, other in zip((due, rows, kinds), again, strict=True))
    assert (np.diff(due) >= 0).all()
    assert ((due >= 0) & (due < 1)).all()
    assert np.array_equal(rows[:, 0], np.array([0.0, 1.0, 7.0])[kinds])


def test_the_mix_is_what_was_asked_for() -> None:
    mix = Traffic(**POOLS, rate=50.0, frauds=0.03, burst=6, every=45)
    kinds = [mix.second(number)[2] for number in range(900)]
    n = {kind: sum(int((one == kind).sum()) for one in kinds) for kind in (HONEST, FRAUD, ODD)}
    usual = n[HONEST] + n[FRAUD]
    assert abs(usual - 45_000) < 5 * np.sqrt(45_000)  # a Poisson count
    assert abs(n[FRAUD] - 0.03 * usual) < 5 * np.sqrt(0.03 * usual)
    assert n[ODD] == 6 * 900 // 45
    assert [at for at, one in enumerate(kinds[:100]) if (one == ODD).any()] == [44, 89]


def test_another_seed_is_other_traffic() -> None:
    one, other = (Traffic(**POOLS, seed=seed).second(3)[0] for seed in (0, 1))
    assert len(one) != len(other) or not np.allclose(one, other)


def test_spoilt_rows_are_far_out_and_still_allowed() -> None:
    rows = np.array([[20.0, 3.0, 4.0, 1.0, 9.0]] * 50)
    found = spoilt(SCHEMA, rows, np.random.default_rng(0))
    assert (found != rows).sum(axis=1).tolist() == [3] * 50  # every bounded number there is
    assert np.array_equal(found[0], [5_000.0, 90.0, 1_500.0, 1.0, 9.0])
    assert np.array_equal(rows[:, 0], np.full(50, 20.0))


def test_answers_are_counted_by_decision_and_source() -> None:
    tally = Tally(positive="fraud")
    answer = {"results": [{"decision": "allow", "label": "fraud"}, {"decision": "review"}], "source": "rules"}
    assert tally.read(json.dumps(answer).encode()) == 1
    assert tally.read(b'{"error":"too busy, ask again"}') == 0
    tally.played(np.array([200, 503, 0]), np.array([0.1, 0.3]))
    assert dict(tally.decisions) == {"allow": 1, "review": 1}
    assert (dict(tally.sources), tally.flagged) == ({"rules": 1}, 1)
    assert (tally.sent, tally.unanswered, dict(tally.statuses)) == (3, 1, {503: 1})
    assert tally.tails()[0] == pytest.approx(0.2)


def test_no_answers_have_no_latency() -> None:
    assert np.isnan(Tally().tails()).all()


def test_a_port_in_use_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TemperError, match=f"port {port} is in use"):
            serving.serve(tmp_path / "demo", 1e9, port=port)
    assert not (tmp_path / "demo").exists()


def test_passwords_are_told_once_and_old_keys_end(tmp_path: Path) -> None:
    control = Control.open(str(tmp_path))
    (first, stolen), people = serving.let_in(control, 1e9)
    (second, _), again = serving.let_in(control, 1e9)
    assert [(name, role) for name, role, _ in people] == [("ana", "analyst"), ("paul", "approver"), ("ada", "admin")]
    assert all(control.people.check(name, password, 2e9) for name, _, password in people)
    assert [password for _, _, password in again] == ["", "", ""]
    keys = control.keys.snapshot()
    assert keys.find(first, 2e9) is keys.find(stolen, 2e9) is None
    assert keys.find(second, 2e9) is not None
    control.close()
