"""Rows that got through in a campaign, asked again: what cannot be asked is not repaired."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from temper.core.errors import RunStopped
from temper.engine import replay

FINDING = SimpleNamespace(id="F-1", title="rows passed", metric="passed", task="key")


def _system(there: bool) -> SimpleNamespace:
    positions = np.array([0, 1, 2] if there else [-1, -1, -1])
    data = SimpleNamespace(x=np.zeros((3, 1)), y=np.ones(3, dtype=int), positions=lambda ids: positions[: len(ids)])
    return SimpleNamespace(data=data)


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch):
    """Three kept rows, and what the model decides now, the same of all."""
    rows = {"x_adv": np.ones((3, 1)), "ids": np.arange(3), "verdicts": np.array(["broken"] * 3)}
    monkeypatch.setattr(replay, "recall", lambda store, key: SimpleNamespace(evidence=rows))

    def to(decision: int) -> None:
        monkeypatch.setattr(replay, "decisions", lambda system, rows: np.full(len(rows), decision))

    return to


def test_rows_that_are_gone_are_not_repaired(decided):
    decided(1)
    with pytest.raises(RunStopped, match="no longer in the data"):
        replay._campaigned(_system(there=False), None, FINDING, "0001")
    assert not replay._campaigned(_system(there=True), None, FINDING, "0001").still_there


def test_rows_that_pass_unchanged_now_are_not_repaired(decided):
    decided(0)
    found = replay._campaigned(_system(there=True), None, FINDING, "0001")
    assert found.still_there
    assert "still lets through: 3 of 3" in found.text
