"""What a machine makes of a probe: a cheaper change through every stage, the region around it, other models, a test."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from temper.config.serving import Serving
from temper.core.errors import TemperError
from temper.core.probe import Hand, Probe
from temper.engine import probing
from temper.engine.probing import handed
from temper.guard.serving.bench import Bench
from unit.bench_world import bench, draft, scores


def saved(**settings: str) -> Probe:
    return Probe(id=3, key="k", author="ana", made=1.0, draft=draft(**settings))


def told(hand: Hand, one: Probe | None = None, on: Bench | None = None, **models: Bench):
    return handed(on or bench(), one or saved(amount="30", channel="chip"), hand, lambda: models)


def other(shift: float) -> Bench:
    """A model that calls everything honest up to a larger amount, or fraud from a smaller one on."""
    system = bench().system
    call = lambda rows: scores(np.asarray(rows, dtype=float) + np.array([shift, 0.0, 0.0, 0.0]))  # noqa: E731
    return Bench.of(replace(system, target=replace(system.target, call=call)), Serving(stages=(), profile="/nowhere"))


def test_the_least_change_stays_outside_of_what_a_stage_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below 0.5 the decision turns, but down to 0.45 a person looks: the least change is below that."""
    monkeypatch.setattr(probing, "QUERIES", 300)
    one = saved(amount="30", channel="chip")
    found = told(Hand.MINIMAL, one)
    row = np.array(found.row)
    after, cost = (
        scores(row[None])[0, 1],
        bench().system.schema.cost(row[None], np.array(one.draft.subject.base)[None])[0],
    )
    assert found.there
    assert after < 0.45
    assert after > 0.3, "far nearer to the boundary than what was tried"
    assert cost < one.draft.look.cost
    assert "SMALLER" in found.text
    assert told(Hand.MINIMAL, one) == found, "the same numbers every time"


def test_a_region_is_as_large_as_it_is() -> None:
    deep, edge = told(Hand.NEIGHBOURS), told(Hand.NEIGHBOURS, saved(amount="850", channel="chip"))
    assert "MORE THAN HALF do the same within 1" in deep.text
    assert edge.text != deep.text
    assert "200 of 200" in deep.text


def test_it_transfers_to_a_model_that_decides_alike_and_not_to_a_stricter_one() -> None:
    text = told(Hand.TRANSFER, near=other(20.0), strict=other(1_200.0)).text
    assert "IT TRANSFERS to 1 of 2" in text
    with pytest.raises(TemperError, match="no other model"):
        told(Hand.TRANSFER)


def test_it_becomes_a_case_that_is_asked_again(tmp_path: Path) -> None:
    system = replace(bench().system, source=str(tmp_path / "temper.yaml"))
    found = told(Hand.TEST, on=replace(bench(), system=system))
    folder = tmp_path / "regressions" / "probe-3"
    kept = json.loads((folder / "cases.json").read_text())
    assert kept["incident"] == "probe 3"
    assert kept["cases"][0]["expected"] == 1
    assert "test_it_does_not_happen_again" in (folder / "test_probe_3.py").read_text()
    assert "regressions/probe-3/cases.json" in found.text


def test_what_shows_nothing_is_refused_and_what_is_mended_is_gone() -> None:
    for one in (saved(), saved(amount="9000")):
        with pytest.raises(TemperError, match="turned no decision"):
            told(Hand.MINIMAL, one)
    found = told(Hand.MINIMAL, on=other(2_000.0))
    assert not found.there
    assert "GONE" in found.text
