"""A guarded table model attacked from outside: what its layers say is what its gateway says, and what that comes to."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

import temper
from temper.api import open_store
from temper.config.reading import read
from temper.config.serving import serving_of
from temper.core.errors import TemperError
from temper.core.requirement import Verdict
from temper.core.risk import Stopping
from temper.core.serving import Scoring
from temper.core.stage import Level
from temper.engine.layers.honest import honest
from temper.engine.layers.panel import Panel
from temper.engine.layers.run import EFFORTS, Order, _attackers, honest_rows
from temper.engine.layers.stopped import latest, stakes_with
from temper.engine.layers.told import Told
from temper.gateway.tables.version import Kept, decider
from tests.small_gateway import models  # noqa: F401

GUARD = """guard:
  open: true
  extraction: shadow
  anomaly: {answer: review}
  decide: {review: [0.45, 0.55]}
"""
YAML = """system: {name: small}
model: {path: model.json, kind: probabilities, threshold: 0.5}
data: {test: test.csv, train: test.csv, target: y, positive: "1"}
actors: [{name: somebody, knowledge: black-box, queries: 20, cost: 1.5, writes: [input]}]
schema:
  columns:
    a: {type: number, low: -9, high: 9, attacker: costly}
    b: {type: number, low: -9, high: 9, attacker: costly}
    c: {type: number, low: -9, high: 9}
"""


@pytest.fixture(scope="module")
def home(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    folder = tmp_path_factory.mktemp("layers")
    for name in ("model.json", "test.csv"):
        (folder / name).write_bytes((models / name).read_bytes())
    (folder / "temper.yaml").write_text(YAML + GUARD)
    return folder


@pytest.fixture(scope="module")
def system(home: Path):
    return temper.load(home / "temper.yaml")


@pytest.fixture(scope="module")
def panel(system) -> Panel:
    return _panel(system)


@pytest.fixture(scope="module", autouse=True)
def small_efforts() -> Iterator[None]:
    """Few rows: what is measured is how it is done."""
    usual = EFFORTS["quick"]
    EFFORTS["quick"] = (16, 60)
    yield
    EFFORTS["quick"] = usual


@pytest.fixture(scope="module")
def found(system):
    return temper.weigh(system, "quick", attacks=["evasion.coordinate"], worth="c")


def _panel(system, guard: str = GUARD, as_if=()) -> Panel:
    path = Path(system.source)
    serving = serving_of(read(path), path.parent)
    if guard != GUARD:
        other = path.with_name("other.yaml")
        other.write_text(YAML + guard)
        serving = serving_of(read(other), path.parent)
    return Panel.of(system, serving, as_if)


def test_layers_that_count_are_those_that_act(panel, system):
    assert panel.names == ("schema", "anomaly", "output", "decide", "model")
    assert "extraction" in _panel(system, as_if=["extraction"]).names
    with pytest.raises(TemperError, match="no layer"):
        _panel(system, as_if=["wishes"])


def test_what_the_layers_say_is_what_the_gateway_decides(panel, system):
    """The same rows through the pipeline that serves: blocked, asked and let through alike."""
    pipeline, _ = decider(system, panel.serving, Kept())
    rows = np.array(system.data.x[:40])
    rows[:6, 2] = 8.5
    heard = panel.session("somebody").ask(rows)
    model = panel.names.index("model")

    async def levels() -> list[Level]:
        told = []
        for row in rows:
            at = time.monotonic()
            scoring = Scoring(rows=row[None], client="c", request="r", at=at, deadline=at + 60.0)
            told.append((await pipeline.answer(scoring)).levels[0])
        return told

    others = np.delete(heard.levels, model, axis=1)
    assert others.max(axis=1).tolist() == [int(one) for one in asyncio.run(levels())]
    assert {int(one) for one in others.max(axis=1)} >= {0, 2}
    assert ((heard.levels[:, model] > 0) == (heard.scores >= 0.5)).all()


def test_a_layer_that_crashes_stops_the_request_and_is_counted(panel, system, monkeypatch):
    broken = _panel(system)
    stage = type(broken.session("x").stages["anomaly"])
    usual = stage.check

    def check(self, scoring):
        if (scoring.rows[:, 0] > 1.0).any():
            raise RuntimeError("it trips")
        return usual(self, scoring)

    monkeypatch.setattr(stage, "check", check)
    rows = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.1, 0.0, 0.0]])
    heard = broken.session("x").ask(rows)
    at = broken.names.index("anomaly")
    assert heard.levels[:, at].tolist() == [0, Level.BLOCK, 0]
    assert broken.crashed["anomaly"] == 1


def test_a_model_that_fails_on_a_row_lets_nobody_through(panel, system):
    def score(rows):
        if np.isnan(rows).any() or len(rows) > 1:
            raise ValueError("no")
        return np.zeros(len(rows))

    failing = replace(panel, model=replace(panel.model, score=score))
    heard = failing.session("x").ask(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, np.nan]]))
    assert heard.stops[:, failing.names.index("model")].tolist() == [False, True]
    assert failing.crashed["model"] == 1


def test_the_door_and_the_quota(system):
    panel = _panel(system, GUARD + "  quota: {per_second: 0.5, burst: 1, per_day: 4}\n")
    rows = np.tile(system.data.x[:1], (7, 1))
    rows[1, 0], rows[2, 0] = 12.0, np.nan
    heard = panel.session("x").ask(rows)
    assert heard.stops[:, panel.names.index("schema")].tolist() == [False, True, True, False, False, False, False]
    assert heard.stops[:, panel.names.index("quota")].sum() == 0  # who is told to wait for a day waits for it
    hurried = _panel(system, GUARD + "  quota: {per_second: 0.000001, burst: 2}\n").session("x").ask(rows)
    assert hurried.stops[:, 1].tolist() == [False, False, True, True, True, True, True]


def test_what_a_client_is_told(panel, system):
    rows = np.array(system.data.x[:60])
    rows[:5, 2] = 8.5
    told = Told(inner=system.target, session=panel.session("x")).scores(rows)[:, 1]
    heard = panel.session("y").ask(rows)
    assert ((told >= 0.5) == heard.stops.any(axis=1)).all()
    quiet = ~heard.stops.any(axis=1)
    assert np.allclose(told[quiet], heard.scores[quiet])
    shut = replace(system, exposure=replace(system.exposure, returns="label"))
    blind = Told(inner=system.target, session=replace(panel, system=shut).session("x")).scores(rows)[:, 1]
    assert set(blind.tolist()) <= {0.0, 1.0}
    assert ((blind == 1.0) == heard.stops.any(axis=1)).all()
    without = Told(inner=system.target, session=panel.session("x", ["anomaly"])).scores(rows)[:, 1]
    assert ((without == 1.0) == heard.stops[:, panel.names.index("anomaly")]).all()


def test_attempts_made_once_and_anew(panel):
    attackers = _attackers(panel, Order(suite="quick", attacks=("evasion.coordinate",)))
    once, whole = attackers.fixed(), frozenset(panel.names)
    assert not once.adaptive
    assert once.layers == panel.names
    assert len(once.worth) == 16
    queries = attackers.queries
    anew = attackers.known(whole)
    budget = attackers.scene.budget.queries * 16
    assert queries <= budget
    assert attackers.queries - queries <= budget + 16
    assert anew.adaptive
    assert anew.passed(whole).sum() >= once.passed(whole).sum()
    spent = attackers.queries
    assert attackers.known(whole - {"schema", "output"}) is anew
    assert attackers.queries == spent


def test_clients_are_remembered_where_a_layer_does(system):
    panel = _panel(system, as_if=["extraction"])
    attackers = _attackers(panel, Order(suite="quick"))
    assert len(list(attackers._sessions(panel.names))) == 4
    assert len(list(attackers._sessions({"model"}))) == 1


def test_honest_requests(panel):
    rows = honest_rows(panel, Order(suite="quick"))
    found = honest(panel, rows, first=7)
    assert found.honest.all()
    assert found.actor.min() == 7
    assert len(np.unique(found.actor)) == 2
    assert found.asks is not None
    assert not (found.stops & found.asks).any()


def test_the_whole(found, system):
    depth = found.depth
    assert depth.known is not None
    assert depth.known.value >= depth.fixed.value
    assert depth.residual.value <= depth.bare.value + 1e-9 <= 1.0
    assert sum(one.known.part.value for one in depth.layers) == pytest.approx(1 - depth.known.value)
    assert depth.honest == 60
    assert depth.attempts == 16
    assert depth.actors == 4
    assert depth.unit == "c"
    assert depth.guard == system.stakes.guard
    assert depth.model == system.target.digest
    assert any("shadow" in one for one in depth.notes)
    assert {"layer", "attacker", "figure", "value"} <= set(found.to_frame().columns)
    assert "defence in depth" in found.view().title
    assert found.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)


def test_nothing_is_measured_twice_and_a_change_of_the_guard_measures_anew(found, system):
    told = []
    again = temper.weigh(
        system, "quick", attacks=["evasion.coordinate"], worth="c", listener=lambda e: told.append(e.message)
    )
    assert again.depth == found.depth
    assert any("answered from the store" in one for one in told)


def test_the_register_takes_in_what_was_stopped_of_this_guard_and_no_other(found, system):
    store = open_store(None, system)
    depth = replace(found.depth, stopped=3, tried=4)
    assert latest(system, store) == found.depth
    store.save_task("another", "layers", {"format": "temper.depth/1", **_plain(replace(depth, at=depth.at + 1.0))})
    stakes = stakes_with(system, store)
    assert {(one.stopped, one.tried, one.guard) for one in stakes.stopping} == {(3, 4, system.stakes.guard)}
    named = {one.threat for one in stakes.stopping}
    assert "evasion-scores" in named
    assert not {"evasion-trees", "evasion-gradients"} & named
    store.save_task("no guard", "layers", {"format": "temper.depth/1", **_plain(replace(depth, guard=""))})
    bare = replace(system, stakes=replace(system.stakes, guard=""))
    assert stakes_with(bare, store).stopping == ()
    changed = replace(system, stakes=replace(system.stakes, guard="0" * 64))
    assert stakes_with(changed, store).stopping == ()
    mine = Stopping(
        threat="evasion-*",
        stopped=1,
        tried=9,
        measured=stakes.stopping[0].measured,
        guard=system.stakes.guard[:12],
        how="by hand",
    )
    written = replace(system, stakes=replace(system.stakes, stopping=(mine,)))
    assert stakes_with(written, store).stopping == (mine,)


def _plain(depth):
    from temper.store.codec import dump

    return dump(depth)


def test_the_command_says_it_and_ends_with_the_verdict(home, found):
    from temper.cli import app

    line = [
        "layers",
        "-c",
        str(home / "temper.yaml"),
        "--suite",
        "quick",
        "--attack",
        "evasion.coordinate",
        "--worth",
        "c",
    ]
    page = home / "page.html"
    said = CliRunner().invoke(app, [*line, "--out", str(page)], env={"COLUMNS": "80"})
    assert said.exit_code == found.verdict.code, said.output
    assert "What would have to fail at once" in said.output
    assert "anomaly" in said.output
    assert max(map(len, said.output.splitlines())) <= 81 + len(str(page))
    text = page.read_text()
    assert "<script" not in text
    assert "Where traffic ends" in text
    assert text.count("<svg") >= 6


def test_a_hostile_name_acts_nowhere(found):
    from temper.report.depth import document, render, show

    hostile = replace(found.depth, system="<script>alert(1)</script>\x1b[31m", notes=("<img src=x onerror=alert(1)>",))
    page, screen = render(hostile), Console(file=io.StringIO(), width=80)
    assert "<script" not in page
    assert "<img" not in page
    show(hostile, screen)
    assert "\x1b[31m" not in screen.file.getvalue()
    assert json.loads(document(hostile))["system"] == hostile.system


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"worth": "nothing"}, "no column"),
        ({"attacks": ["evasion.nothing"]}, "nothing"),
        ({"as_if": ["wishes"]}, "no layer"),
    ],
)
def test_what_cannot_be_measured_says_why(system, change, said):
    with pytest.raises(TemperError, match=said):
        temper.weigh(system, "quick", fresh=True, **change)


def test_a_system_without_a_file_or_with_three_classes_is_refused(system):
    with pytest.raises(TemperError, match=r"temper\.yaml"):
        temper.weigh(replace(system, source=""), "quick")
    assert yaml.safe_load(GUARD)["guard"]["extraction"] == "shadow"
