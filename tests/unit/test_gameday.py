"""A game day: drills one after the other, and a report that says the worst first."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from temper.cli import drill as command
from temper.core.errors import ConfigError, TemperError
from temper.core.gameday import SERIES, GameDay, Rehearsal
from temper.core.requirement import Verdict
from temper.engine.drill import gameday
from temper.engine.drill.catalogue import DRILLS
from temper.engine.drill.terms import Load
from temper.report import gameday as report
from unit.test_drill_outcome import OTHER, facts, mark, outcome, played

RUN = played()
AWAY = (RUN.due >= 5.0) & (RUN.due < 10.0)
LOST = played(status=np.where(AWAY, 0, 200), done=np.where(AWAY, np.nan, RUN.done))
HELPED = played(marks=np.where(AWAY, OTHER, RUN.marks))
WRONG = played(marks=np.where(AWAY, mark(0.9), RUN.marks))


def drilled(_: Path, drill: Any, load: Load, told: Any, by: str) -> Any:
    """In place of processes and load: what came of each kind of drill."""
    if drill.name == "disk-full":
        raise TemperError("a process of the drill ended: <script>alert(1)</script>")
    if drill.name == "hang":
        raise KeyboardInterrupt
    run = {"errors": LOST, "shifted": WRONG}.get(drill.name, HELPED)
    return outcome(run, facts(drill=drill, words=f"x: {drill.words}", load=load))


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    class System:
        name = "card-fraud"

    monkeypatch.setattr(gameday, "load_system", lambda path: System)


def day(*names: str) -> GameDay:
    return gameday.game_day(
        Path("temper.yaml"), gameday.everything(Load(rate=100.0), names), lambda line: None, drilled=drilled
    )


def test_the_worst_comes_first_and_makes_the_day() -> None:
    found = day("latency", "errors", "shifted", "disk-full", "reset")
    assert [one.name for one in found.ordered] == ["errors", "shifted", "disk-full", "latency", "reset"]
    assert found.verdict is Verdict.FAIL
    assert day("latency", "reset").verdict is Verdict.PASS
    assert day("latency", "disk-full").verdict is Verdict.ERROR
    assert day("nan", "hang", "reset").verdict is Verdict.INCONCLUSIVE, "cut short"
    assert len(day("nan", "hang", "reset").rehearsals) == 1, "what was done is kept"
    assert GameDay(system="x", started=0.0, slo=0.9, rehearsals=()).verdict is Verdict.INCONCLUSIVE


def test_a_day_that_a_scheduler_ends_has_its_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[str] = []

    def ended(_: Path, drill: Any, load: Load, told: Any, by: str) -> Any:
        done.append(drill.name)
        if len(done) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10.0)
        return outcome(HELPED, facts(drill=drill, words=f"x: {drill.words}", load=load))

    before, whole = signal.getsignal(signal.SIGTERM), gameday.game_day
    monkeypatch.setattr(gameday, "game_day", lambda *given: whole(*given, drilled=ended))
    words = ["all", "--only", "nan,latency,reset", "--config", str(tmp_path / "temper.yaml"), "--out", str(tmp_path)]
    try:
        found = CliRunner().invoke(command.app, words)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (found.exit_code, done) == (3, ["nan", "latency"])
    (page,) = tmp_path.glob("*.html")
    assert "The day was stopped before its last drill" in page.read_text()


def test_times_over_all_drills_have_an_interval() -> None:
    spreads = {one.name: one for one in day("latency", "errors", "reset").spreads}
    recover = spreads["time to recover"]
    assert (recover.n, recover.worst) == (3, 5.0)
    assert recover.mean == pytest.approx(5.0 / 3)
    assert recover.low is not None
    assert recover.low < recover.mean < recover.high <= 5.0  # type: ignore[operator]
    assert day("latency").spreads[0].low is None, "of one drill nothing is known"


def test_the_page_says_it_all_and_nothing_in_it_acts() -> None:
    found = day("latency", "errors", "shifted", "disk-full")
    page = report.render(found)
    assert "<script" not in page
    assert "Not every drill passed" in page
    assert page.index("<b>errors</b>") < page.index("<b>shifted</b>") < page.index("<b>latency</b>")
    assert page.count("<svg") == 3, "one that could not be run has no picture"
    assert "Wrong scores were given out as right in shifted." in page
    assert "75.00%" in page
    hostile = Rehearsal(name="<b>x</b>", fault='"onload=x', verdict=Verdict.ERROR, reasons=("<img src=x>\x1b[0m",))
    page = report.render(GameDay(system="<i>y</i>", started=0.0, slo=0.9, rehearsals=(hostile,)))
    assert "<img" not in page
    assert "<i>y" not in page


def test_the_json_has_every_count() -> None:
    told = json.loads(report.document(day("errors", "disk-full")))
    errors, full = told["rehearsals"]
    assert told["verdict"] == errors["verdict"] == "fail"
    assert set(errors["slots"]) == set(SERIES)
    assert sum(errors["slots"]["bad"]) == 500
    assert sum(map(sum, errors["slots"].values())) == 2_000
    assert full["verdict"] == "error"
    assert told["format"] == 1


def test_the_report_is_two_files_named_by_the_hour(tmp_path: Path) -> None:
    page, data = gameday.written(GameDay(system="x", started=0.0, slo=0.9, rehearsals=()), tmp_path / "new")
    assert page.name == "1970-01-01T000000Z.html"
    assert json.loads(data.read_text(encoding="utf-8"))["verdict"] == "inconclusive"


def test_a_plan_names_drills_and_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "drills.yaml"
    path.write_text(
        "drills:\n  - name: primary-down\n    rate: 500\n  - {name: latency, options: {ms: 300}, share: 0.5, seed: 3}\n"
    )
    (down, load), (latency, half) = gameday.planned(path, Load(seconds=10.0))
    assert (down, load) == (DRILLS["primary-down"], Load(rate=500.0, seconds=10.0))
    assert latency.options["ms"] == 300
    assert (half.share, half.seed, half.rate) == (0.5, 3, 200.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drills: []", "lists no drills"),
        ("drills:\n  - name: latancy", r"drills.yaml:2: there is no drill 'latancy'"),
        ("drills:\n  - name: nan\n    rates: 5", r"drills.yaml:3: unknown key 'rates'"),
        ("drills:\n  - name: nan\n    rate: -5", r"drills.yaml:2: -5.0 requests a second"),
        ("drills:\n  - name: latency\n    options: {millis: 5}", r"drills.yaml:2: wire.latency has no option 'millis'"),
        ("drills:\n  - rate: 5", r"name is missing"),
    ],
)
def test_mistakes_in_a_plan_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "drills.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        gameday.planned(path, Load())


def test_everything_is_every_drill() -> None:
    assert [drill.name for drill, _ in gameday.everything(Load())] == list(DRILLS)
