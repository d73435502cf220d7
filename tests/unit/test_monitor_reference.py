"""The reference of monitoring: made where rows are assessed, known by its digest, and signed where that is asked."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import temper
from temper.config.monitor import watch_of
from temper.config.reading import parse
from temper.config.system import load_system
from temper.core.errors import ConfigError, TemperError
from temper.engine.monitored import monitored
from temper.monitoring import kept
from temper.monitoring.assessed import FILE
from temper.monitoring.making import monitor_of
from temper.store.control import Control
from temper.targets.signature import new_key, sign

YAML = """model: {callable: "score.py:score", kind: probabilities, version: "1"}
data: {test: test.csv, target: y}
schema: {columns: {a: {type: number}}}
"""
MONITOR = "monitor: {feed: test.csv, time: t, score: p%s}\n"
SIGNED = ", manifest: .temper/reference.npz.manifest.json, public_key: ops.pub"


@pytest.fixture
def config(tmp_path):
    a = np.random.default_rng(0).normal(size=2_000)
    pd.DataFrame({"a": a, "y": (a > 0).astype(int)}).to_csv(tmp_path / "test.csv", index=False)
    body = "p = 1 / (1 + np.exp(-x[:, 0]))\n    return np.column_stack([1 - p, p])"
    (tmp_path / "score.py").write_text(f"import numpy as np\ndef score(x):\n    {body}\n")
    path = tmp_path / "temper.yaml"
    path.write_text(YAML + MONITOR % "")
    return path


@pytest.fixture
def windows(tmp_path):
    control = Control.open(str(tmp_path / "control.db"))
    yield control.windows
    control.close()


def test_an_assessment_keeps_what_windows_are_compared_with(config, windows):
    ((name, digest),) = monitored(load_system(config))
    assert (name, len(digest)) == ("monitoring reference", 64)
    place = config.parent / FILE
    changed = place.stat().st_mtime_ns
    said = []
    assert monitor_of(config, windows, said.append).digest == digest == kept.read(place)[1]
    assert (said, place.stat().st_mtime_ns) == ([], changed), "it is there already"


def test_the_record_of_an_assessment_names_it(config):
    system = temper.load(config)
    record = temper.assess(system, suite="quick", only=["validation.calibration"], engine="serial").record
    assert dict(record.digests)["monitoring reference"] == kept.read(config.parent / FILE)[1]


def test_a_system_that_was_hardened_just_now_is_not_what_is_served(config):
    assert monitored(replace(load_system(config), defend=lambda data, recipe: None)) == ()
    assert not (config.parent / FILE).exists()


def test_nothing_is_kept_where_nothing_is_watched(config):
    config.write_text(YAML)
    assert monitored(load_system(config)) == ()
    assert not (config.parent / FILE).exists()


def test_a_reference_that_cannot_be_made_is_told_in_the_record(config, monkeypatch):
    system = load_system(config)
    monkeypatch.setattr(
        "temper.monitoring.assessed.scores_of", lambda system: (_ for _ in ()).throw(TemperError("no scores"))
    )
    assert monitored(system) == (("monitoring reference", "none: no scores"),)


def test_a_signed_reference_is_the_one_that_was_signed_or_nothing_is_judged(config, windows):
    monitored(load_system(config))
    key, _ = new_key(config.parent / "ops")
    sign(config.parent / FILE, key)
    config.write_text(YAML + MONITOR % SIGNED)
    digest = monitor_of(config, windows, print).digest
    assert digest == kept.read(config.parent / FILE)[1]
    frame = pd.read_csv(config.parent / "test.csv")
    frame.assign(a=frame.a + 1.0).to_csv(config.parent / "test.csv", index=False)
    assert monitor_of(config, windows, print).digest == digest, "other rows do not make another"
    monitored(load_system(config))
    with pytest.raises(TemperError, match="reference"):
        monitor_of(config, windows, print)


def test_a_signed_reference_of_other_columns_is_refused(config, windows):
    monitored(load_system(config))
    key, _ = new_key(config.parent / "ops")
    sign(config.parent / FILE, key)
    config.write_text(YAML + (MONITOR % SIGNED).replace(", score: p", ""))
    with pytest.raises(ConfigError, match="the reference is of a, score, and the feed of a"):
        monitor_of(config, windows, print)


def test_half_a_signature_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="needs manifest and public_key"):
        watch_of(parse("monitor: {feed: f, time: at, manifest: m}", "temper.yaml"), tmp_path)
