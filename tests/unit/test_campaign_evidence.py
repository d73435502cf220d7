"""What a campaign leaves: a register that knows it, requests to weigh layers by, copies that are stolen again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from temper import api
from temper.api import campaigns
from temper.api.layers import weigh
from temper.core.depth import Depth
from temper.core.errors import RunStopped, TemperError
from temper.core.measure import Status
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.core.stage import Level
from temper.engine.campaign import ground
from temper.engine.campaign.kept import Sent, sent
from temper.engine.layers.run import EFFORTS
from temper.engine.layers.stopped import latest
from temper.engine.layers.waged import attempts
from temper.report.json import render
from temper.report.terminal import show
from tests.small_gateway import PROFILE, models  # noqa: F401

OFF = "open: true, anomaly: off, extraction: off, output: off"
GUARD = f"{{{OFF}, quota: {{per_day: 120}}, decide: {{review: [0.45, 0.55]}}}}"
YAML = """system: {{name: small, simulated: true}}
model: {{path: model.json, kind: probabilities, threshold: 0.5}}
data: {{test: test.csv, train: test.csv, target: y, positive: "1"}}
exposure: {{public: true, returns: score}}
actors: [{{name: somebody, knowledge: black-box, queries: 20, cost: 3, writes: [input]}}]
schema:
  columns:
    a: {{type: number, low: -9, high: 9, attacker: costly}}
    b: {{type: number, low: -9, high: 9, attacker: costly}}
    c: {{type: number, low: -9, high: 9}}
guard: {guard}
campaign:
  objectives: {objectives}
  attacker: {{queries: {queries}, wanted: 8, held: 200, change: 3, accounts: [one, two]}}
  techniques: [direct, steal, member]
  slice: 100
"""
BOTH = "[{aim: move, goal: 8, amount: c}, {aim: steal, goal: 0.8}]"


@pytest.fixture(scope="module")
def home(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    folder = tmp_path_factory.mktemp("evidence")
    (folder / ".temper").mkdir()
    for name in ("model.json", "test.csv", PROFILE):
        (folder / name).write_bytes((models / name).read_bytes())
    return folder


@pytest.fixture(scope="module", autouse=True)
def lines() -> Iterator[None]:
    """Copies are lines: to fit real ones takes most of the time of a campaign."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ground, "fitted", lambda x, scores, *more: Line.of(x, scores))
        yield


@dataclass(frozen=True)
class Line:
    """A copy that is a line, cut off at 0 and 1."""

    weights: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, scores: np.ndarray) -> Line:
        return cls(np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), scores, rcond=None)[0])

    def scores(self, x: np.ndarray) -> np.ndarray:
        return np.clip(np.column_stack([x, np.ones(len(x))]) @ self.weights, 0.0, 1.0)


def written(home: Path, guard: str = GUARD, objectives: str = BOTH, queries: int = 300) -> Path:
    path = home / "temper.yaml"
    path.write_text(YAML.format(guard=guard, objectives=objectives, queries=queries), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def system(home: Path):
    return api.load(written(home))


@pytest.fixture(scope="module")
def record(system) -> Record:
    return campaigns.redteam(system, "quick").record


@pytest.fixture(scope="module")
def depth(system, record) -> Depth:
    usual = EFFORTS["quick"]
    EFFORTS["quick"] = (16, 60)
    try:
        return weigh(system, "quick", campaign=record.id).depth
    finally:
        EFFORTS["quick"] = usual


# -- the register ---------------------------------------------------------------------------------------------------


def test_the_report_of_a_campaign_has_the_register_with_its_run(record: Record) -> None:
    assert record.risk is not None
    evades = [one for one in record.risk.risks if one.scenario.startswith("evasion-fields")]
    assert f"run {record.id}" in evades[0].because[0]
    assert "behind the guard" in evades[0].because[0]
    steals = next(one for one in record.risk.risks if one.scenario.startswith("extraction-queries"))
    assert "1 of 1 campaigns" in steals.because[0]
    assert steals.chance.middle > steals.chance_before.middle
    assert f"run {record.id}" in json.dumps(json.loads(render(record))["record"]["risk"])


def test_what_an_attempt_brings_is_told_in_the_money_of_the_objective(record: Record) -> None:
    money = next(m for m in record.measurements if m.metric == "residual")
    passed = next(m for m in record.measurements if m.metric == "passed")
    assert money.unit == "c an attempt"
    assert 0 <= money.low <= money.value <= money.high
    assert money.n == passed.n == 8


def test_rows_that_nobody_gave_up_are_not_held(record: Record) -> None:
    """Everything sought was reached, so whatever had not passed by then is not known."""
    passed = next(m for m in record.measurements if m.metric == "passed")
    cut = record.campaign.ended == "everything that was sought is reached"
    assert passed.undecided == (passed.n - passed.count if cut else passed.undecided)


# -- its own attempts -----------------------------------------------------------------------------------------------


def test_every_request_is_kept(system, record: Record) -> None:
    kept = list(sent(api.open_store(None, system), record))
    assert len(kept) == 1
    assert len(kept[0].x) == record.campaign.queries
    assert (np.diff(kept[0].at) >= 0).all()
    assert kept[0].passed.sum() == sum(turn.passed for turn in record.campaign.turns)
    assert not (kept[0].passed & kept[0].stopped).any()
    assert set(kept[0].account) <= {0, 1}


def test_layers_are_weighed_by_what_a_campaign_sent(system, record: Record, depth: Depth) -> None:
    passed = next(m for m in record.measurements if m.metric == "passed")
    assert depth.campaign == record.id
    assert depth.actors == 1
    assert passed.count <= depth.attempts <= passed.n
    assert depth.fixed.high - depth.fixed.low > 0.5, "one actor tells little"
    assert depth.known is None
    agreed = depth.notes[0]
    assert f"{record.campaign.queries:,} of {record.campaign.queries:,} requests" in agreed, agreed
    assert latest(system, api.open_store(None, system)) is None, "the register has the campaign already"


@pytest.mark.parametrize("run", ["0009", ""])
def test_a_run_without_requests_is_refused(system, run: str) -> None:
    with pytest.raises(TemperError):
        weigh(system, "quick", campaign=run or _other(system))


def _other(system) -> str:
    store = api.open_store(None, system)
    run = store.next_run_id()
    store.save_run(replace(store.run("0001"), id=run, campaign=None, tasks=(), findings=()))
    return run


class Named:
    """As much of a panel as attempts are made of."""

    names = ("schema", "quota")


def test_the_best_attempt_at_each_row_counts() -> None:
    levels = np.array([[2, 3], [3, 0], [0, 0], [0, 3], [0, 0], [0, 0]], dtype=np.int8)
    one = Sent(
        x=np.arange(12.0).reshape(6, 2),
        account=np.zeros(6, dtype=int),
        at=np.arange(6.0),
        of=np.array([0, 0, 1, 1, 2, -1]),
        stopped=levels.any(axis=1),
        passed=np.array([False, False, True, False, False, False]),
        wanted=np.zeros((4, 2)),
    )
    found = attempts(Named(), [one], [levels], 1)  # type: ignore[arg-type]
    assert found.worth.tolist() == [3.0, 5.0]  # row 2 failed by itself, row 3 nobody tried
    assert found.stops.tolist() == [[True, False], [False, False]]
    assert not (found.asks.any() and Level.REVIEW not in levels)
    nothing = replace(one, of=np.full(6, -1))
    with pytest.raises(TemperError, match="nothing that a layer could have stopped"):
        attempts(Named(), [nothing], [levels], 1)  # type: ignore[arg-type]


# -- takings --------------------------------------------------------------------------------------------------------


def test_a_copy_is_stolen_again_by_the_same_seed(system, record: Record) -> None:
    finding = next(one for one in record.findings if "copy" in one.title)
    again = api.replay(system, finding.id)
    assert again.still_there
    then, now = (line.partition(": ")[2] for line in again.text.splitlines()[2:4])
    assert then == now
    assert "STILL THERE" in again.text


def test_a_guard_that_tells_a_thief_too_little_is_seen_to(home: Path, record: Record) -> None:
    finding = next(one for one in record.findings if "copy" in one.title)
    try:
        shut = api.load(written(home, f"{{{OFF}, quota: {{per_day: 1}}}}"))
        again = api.replay(shut, finding.id)
        assert not again.still_there
        assert "FIXED" in again.text
        other = api.load(written(home, objectives="[{aim: steal, goal: 0.9}]"))
        with pytest.raises(RunStopped, match="no longer seeks"):
            api.replay(other, finding.id)
    finally:
        written(home)


def test_who_was_in_the_training_data_is_asked_to_the_end(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")  # so that no sentence of a table is broken
    try:
        learn = api.load(written(home, objectives="[{aim: learn, goal: 0.3}]", queries=600))
        found = campaigns.redteam(learn, "quick").record
    finally:
        written(home)
    waged = found.campaign
    advantage = next(m for m in found.measurements if m.metric == "advantage")
    assert advantage.status is Status.OK
    assert advantage.low <= advantage.value <= advantage.high
    assert waged.objectives[0].low is not None
    assert found.verdict is not Verdict.PASS, "the rows it was fitted on are the ones it is tested on: nothing to tell"
    show(found)
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "tell who was in the training data",
        "too weak, or it gives nothing away",
        "temper assess --only inversion",
    ):
        assert words in shown
    assert "privacy" not in shown.partition("Nothing was measured about")[2].partition(".")[0]


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learnt 200 rows with drawn labels by heart; the rows it is tested on are others."""
    import xgboost

    folder, rng = tmp_path_factory.mktemp("leaking"), np.random.Generator(np.random.Philox(key=3))
    x, y = rng.normal(size=(400, 3)).astype(np.float32), rng.integers(0, 2, 400)
    settings = {"objective": "binary:logistic", "max_depth": 8, "min_child_weight": 0, "eta": 0.5, "lambda": 0}
    xgboost.train(settings, xgboost.DMatrix(x[:200], y[:200]), 30).save_model(folder / "model.json")
    for name, part in (("train", slice(200)), ("test", slice(200, 400))):
        lines = ["a,b,c,y", *(f"{a},{b},{c},{t}" for (a, b, c), t in zip(x[part].tolist(), y[part], strict=True))]
        (folder / f"{name}.csv").write_text("\n".join(lines))
    path = written(folder, objectives="[{aim: learn, goal: 0.3}]", queries=600)
    path.write_text(path.read_text(encoding="utf-8").replace("train: test.csv", "train: train.csv"), encoding="utf-8")
    return path


def test_a_model_that_knows_rows_by_heart_gives_them_away_twice(leaking: Path) -> None:
    system = api.load(leaking)
    found = campaigns.redteam(system, "quick").record
    came = found.campaign.objectives[0]
    assert came.reached
    assert came.low > 0.1
    assert found.verdict is Verdict.FAIL
    assert "rows to get past" not in found.campaign.attacker
    assert "trained on" in found.findings[0].title
    again = api.replay(system, found.findings[0].id)
    assert again.still_there
    assert f"{came.value:.1%}" in again.text.splitlines()[3]
