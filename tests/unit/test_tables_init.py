"""A first guard says where each of its lines comes from, and makes nothing up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from small_gateway import folder, models, written
from temper.config.reading import read
from temper.config.serving import serving_of
from temper.config.system import load_system
from temper.core.errors import ConfigError
from temper.core.finding import Finding
from temper.core.measure import Measurement
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.gateway.tables.build import opened
from temper.gateway.tables.init import init
from temper.store.database import Store

__all__ = ["folder", "models"]


def _init(folder: Path) -> tuple[str, dict[str, tuple[str, dict[str, object]]]]:
    written(folder, guard="")
    path = folder / "temper.yaml"
    system = load_system(path)
    text = init(path, system.name, system.schema, system.exposure.returns)
    return text, {name: (mode.value, dict(given)) for name, mode, given in serving_of(read(path), folder).stages}


def _finding(plugin: str) -> Finding:
    return Finding(id=f"F-{plugin}", title="found", plugin=plugin, metric="rate", severity="high")


def test_where_nothing_was_assessed_it_says_so(folder: Path) -> None:
    text, stages = _init(folder)
    assert "Nothing was assessed" in text
    assert "Evasion was not assessed" in text
    assert stages == {"anomaly": ("shadow", {}), "extraction": ("shadow", {})}
    with pytest.raises(ConfigError, match="has a guard already"):
        init(folder / "temper.yaml", "small", load_system(folder / "temper.yaml").schema, "score")
    opened(folder / "temper.yaml").close()  # a gateway takes it


def test_findings_become_stages_with_their_reasons(folder: Path) -> None:
    copied = Measurement(plugin="extraction.copy", metric="agreement", value=0.9, n=100, queries=900)
    run = Record(
        id="0001",
        system="small",
        suite="quick",
        seed=0,
        started="2026-01-02T03:04",
        seconds=1.0,
        state="finished",
        verdict=Verdict.FAIL,
        findings=(_finding("evasion.noise"), _finding("extraction.copy")),
        measurements=(copied, replace(copied, queries=2_000)),
    )
    store = Store.open(folder)
    store.save_run(run)
    store.save_run(replace(run, id="0002", system="another", findings=()))
    text, stages = _init(folder)
    assert stages == {
        "anomaly": ("enforce", {"answer": "review"}),
        "extraction": ("enforce", {}),
        "quota": ("enforce", {"per_day": 450}),
    }
    assert "run 0001 of 2026-01-02" in text
    assert "evasion.noise changed decisions" in text
    assert "took 900 queries" in text
    assert "the label alone" in text
