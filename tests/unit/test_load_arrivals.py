"""Requests are due when the plan says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from temper.core.errors import TemperError
from temper.traffic.arrivals import Phase, constant, due, ramp, recorded, spike, steps


@pytest.mark.parametrize("phases", [constant(50, 4), ramp(0, 100, 4), ramp(100, 0, 4), steps([20, 80, 50], 6)])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_every_part_holds_what_its_rate_says(phases: tuple[Phase, ...], seed: int | None) -> None:
    found = due(phases, None if seed is None else np.random.default_rng(seed))
    assert (np.diff(found) >= 0).all()
    start, expected = 0.0, 0.0
    for phase in phases:
        half = Phase(seconds=phase.seconds / 2, start=phase.start, end=(phase.start + phase.end) / 2)
        for part in (half.many, phase.many - half.many):
            inside = ((found >= start) & (found < start + phase.seconds / 2)).sum()
            assert abs(inside - part) <= (1 if seed is None else 4 * np.sqrt(part) + 1)
            start, expected = start + phase.seconds / 2, expected + part
    assert abs(len(found) - expected) <= (1 if seed is None else 4 * np.sqrt(expected))


def test_a_spike_is_in_the_middle() -> None:
    found = due(spike(10, 5, 10))
    assert [((found >= at) & (found < at + 2)).sum() for at in (0, 2, 4, 6, 8)] == [20, 20, 100, 20, 20]


def test_a_recording_is_played_from_its_first_time(tmp_path: Path) -> None:
    path = tmp_path / "times"
    path.write_text("103.5\n101\n\n102.0\n")
    assert recorded(path).tolist() == [0.0, 1.0, 2.5]
    assert recorded(path, speed=2).tolist() == [0.0, 0.5, 1.25]


@pytest.mark.parametrize(("text", "told"), [("", "holds no time"), ("1\nx\n", ":2: 'x'"), ("nan\n", ":1: 'nan'")])
def test_a_recording_that_is_none_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "times"
    path.write_text(text)
    with pytest.raises(TemperError, match=told):
        recorded(path)
