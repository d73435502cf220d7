"""A guarded table model attacked from outside: what its layers say is what its gateway says, and what that comes to."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Iterator
from contextlib import closing
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
from temper.core.finding import Finding
from temper.core.measure import Status
from temper.core.requirement import Verdict
from temper.core.risk import Stopping
from temper.core.run import Record
from temper.core.serving import Scoring
from temper.core.stage import Level
from temper.engine.layers.client import Client, layers_of
from temper.engine.layers.desk import agreement_of, desk_of
from temper.engine.layers.honest import honest
from temper.engine.layers.panel import Panel
from temper.engine.layers.run import EFFORTS, Order, _attackers, honest_rows
from temper.engine.layers.stopped import latest, stakes_with
from temper.engine.layers.told import Told
from temper.engine.memory import remember
from temper.engine.task import Part, Task
from temper.gateway.tables.version import Kept, decider
from temper.report.depth import show
from temper.store.control import Control
from temper.store.control.agreement import Share as Counted
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
    attackers = _attackers(panel, Order(suite="quick", attacks=("evasion.coordinate",)), None)
    once, whole = attackers.fixed(), frozenset(layers_of(panel))
    assert not once.adaptive
    assert once.layers == (*panel.names[:-1], "people", "model")
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
    attackers = _attackers(panel, Order(suite="quick"), None)
    assert len(list(attackers._clients(attackers.actor, panel.names))) == 4
    assert len(list(attackers._clients(attackers.actor, {"model"}))) == 1


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


def test_an_attacker_of_several_accounts_asks_each_layer_as_several_clients(system):
    panel = _panel(system, GUARD + "  quota: {per_second: 0.000001, burst: 2}\n")
    rows = np.tile(system.data.x[:1], (7, 1))
    at = panel.names.index("quota")
    one, three = (Client(panel=panel, name="x", accounts=many) for many in (1, 3))
    assert one.ask(rows).stops[:, at].sum() == 5
    assert three.ask(rows[:4]).stops[:, at].sum() == 0
    assert three.ask(rows).stops[:, at].sum() == 5  # the turn goes on where it stopped, and six were free in all
    assert three.asked == 11
    assert "quota" in three.objected


def test_what_is_handed_on_goes_on_where_nobody_looks(panel, system):
    rows = np.array(system.data.x[:40])
    rows[:6, 2] = 8.5
    asked = Client(panel=panel, name="x").ask(rows).levels == Level.REVIEW
    assert asked.any()
    alone = Client(panel=panel, name="x", standing=set(panel.names))
    assert not (alone.ask(rows).levels == Level.REVIEW).any()
    assert "people" not in alone.objected


def test_people_are_measured_where_enough_cases_were_planted(system, tmp_path):
    serving = replace(_panel(system).serving, control=str(tmp_path / "control.db"))
    with closing(Control.open(serving.control)):
        pass
    some = agreement_of(serving, print)
    assert some is not None
    assert desk_of(serving, some, 0.1).said == ("assumed", "assumed", "assumed")
    many = replace(some, missed=Counted(count=6, n=30, low=0.1, high=0.4))
    desk = desk_of(serving, many, 0.1)
    assert (desk.misses.value, desk.misses.n, desk.said[0]) == (0.2, 30, "measured")


def test_accounts_and_rows_of_a_run_stand_beside(home, system):
    guard = "guard: {open: true, quota: {per_second: 0.00001, burst: 3}, anomaly: off, output: off, extraction: off, "
    guard += "decide: {review: [0.45, 0.55]}}\n"
    other = home / "quota.yaml"
    other.write_text(YAML + guard)
    mine = temper.load(other)
    store = open_store(None, mine)
    run = store.next_run_id()
    at = np.flatnonzero(mine.data.y == 1)[:6]
    rows = np.array(mine.data.x[at])
    rows[:, 0] -= 9.0
    verdicts = np.array(["broken"] * 5 + ["held"])
    evidence = {"x_adv": rows, "ids": mine.data.ids[at], "verdicts": verdicts}
    remember(store, "key", Task(room="attacks", plugin="campaign"), Part(evidence=evidence, status=Status.OK))
    shown = Finding(id="abc", title="t", plugin="evasion.square", metric="m", severity="high", task="key")
    store.save_run(_record(run, mine.name, shown))
    found = temper.weigh(mine, "quick", attacks=["evasion.coordinate"], accounts=[4, 1], run=run, refusal_costs=1.0)
    assert [one.accounts for one in found.depth.spread] == [1, 4]
    assert found.depth.spread[0].through.value <= found.depth.spread[1].through.value
    assert found.depth.spread[1].through == found.depth.residual
    (sent,) = found.depth.replayed
    assert (sent.plugin, sent.finding, sent.n) == ("evasion.square", "abc", 5)
    assert len(sent.objects) == len(found.depth.layers)
    screen = Console(file=io.StringIO(), width=100)
    show(found.depth, screen)
    assert f"Rows of run {run}" in screen.file.getvalue()
    assert "Accounts of an attacker" in screen.file.getvalue()
    store.save_run(_record(other_run := store.next_run_id(), "another", shown))
    with pytest.raises(TemperError, match="is of another"):
        temper.weigh(mine, "quick", run=other_run)
    with pytest.raises(TemperError, match="without an account"):
        temper.weigh(mine, "quick", accounts=[0])


def _record(run, system, finding):
    return Record(
        id=run,
        system=system,
        suite="quick",
        seed=0,
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
        state="finished",
        verdict=Verdict.FAIL,
        findings=(finding,),
        tasks=("key",),
    )


def test_a_worker_weighs_layers_that_were_ordered_and_says_where_they_are_kept(
    home: Path, system, monkeypatch: pytest.MonkeyPatch
) -> None:
    from temper.api import job
    from temper.core.depth import Limits
    from temper.core.job import Order as Ordered
    from temper.store.depths import depth_of, depths

    monkeypatch.setenv(job.CONTROL, str(home / "control.db"))
    limits, lines = Limits(residual=0.9, refused=0.9), io.StringIO()
    order = Ordered(key="k", why="w", config=str(home / "temper.yaml"), suite="quick", depth=limits)
    code, found = job.perform(order, lines)
    kept = depth_of(open_store(None, system), found["depth"])
    assert kept is not None
    assert (kept.limits, kept.verdict.value, kept.verdict.code) == (limits, found["verdict"], code)
    assert "get through all" in found["text"].splitlines()[0]
    assert next(depths(open_store(None, system)))[0] == found["depth"]
    assert job.perform(order, lines)[1] == found, "answered from the store"
