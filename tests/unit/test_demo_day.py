"""The demo's day: what is planted when, what the caller writes down, and what an alarm has to say to be right."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from temper.core.errors import TemperError
from temper.core.incident import Phase, Severity, Symptom
from temper.core.watch import Kind, Seen, Watched
from temper.demos import fraud
from temper.demos.day.caller import FEED, LABELS, Answers, Caller, answers
from temper.demos.day.desk import Desk
from temper.demos.day.payments import POOL, Payments, kept_out
from temper.demos.day.plan import HOUR, Chapter, Hour, Told, day, told
from temper.demos.day.ready import begins
from temper.demos.day.regression import missed
from temper.demos.day.told import Done, Screen, courses, table
from temper.monitoring.coded import coded
from temper.store.control import Control

SCHEMA = fraud.schema()
TENURE, CHANNEL = SCHEMA.names.index("tenure_months"), SCHEMA.names.index("channel")


def pool(rows: int = 400) -> Payments:
    rng = np.random.default_rng(0)
    x = np.zeros((rows, len(SCHEMA.names)))
    x[:, 0] = np.round(rng.gamma(2.0, 20.0, rows), 2)
    x[:, TENURE] = rng.integers(0, 600, rows)
    x[:, CHANNEL] = rng.integers(0, 4, rows)
    return Payments(schema=SCHEMA, x=x, y=(rng.random(rows) < 0.1).astype(int), moved=np.full((3, x.shape[1]), 7.0))


def hour(chapter: Chapter, strength: float = 0.0, payments: int = 100, number: int = 5) -> Hour:
    return Hour(number=number, chapter=chapter, payments=payments, strength=strength)


def window(number: int, kind: Kind | None = None, seen: Seen = Seen.PASS) -> Watched:
    seen = Seen.FAIL if kind else seen
    start = HOUR * number
    return Watched(start=start, ends=start + HOUR, rows=9, seen=seen, tests=1, needed=1, kind=kind)


def said(kinds: dict[Chapter, Kind]) -> dict[Chapter, Told]:
    """What is told of a day in which all hours of these chapters have an alarm of this kind."""
    hours = day(100)
    return {one.chapter: one for one in told(hours, [window(h.number, kinds.get(h.chapter)) for h in hours])}


RIGHT = {Chapter.DRIFT: Kind.NATURAL, Chapter.CAMPAIGN: Kind.ATTACK, Chapter.FAILURE: Kind.PIPELINE}


def test_a_day_has_twenty_four_hours_and_begins_and_ends_quietly() -> None:
    hours = day(300)
    assert [one.number for one in hours] == list(range(24))
    assert {one.payments for one in hours} == {300}
    assert hours[0].chapter is hours[-1].chapter is Chapter.QUIET
    assert {one.chapter for one in hours} == set(Chapter)


def test_alarms_with_their_causes_are_right() -> None:
    found = said(RIGHT)
    assert all(one.right for one in found.values())
    assert (found[Chapter.CAMPAIGN].detected, found[Chapter.QUIET].detected) == (1, None)


@pytest.mark.parametrize("chapter", [Chapter.DRIFT, Chapter.CAMPAIGN, Chapter.FAILURE])
def test_no_alarm_and_another_cause_are_wrong(chapter: Chapter) -> None:
    silent = {one: kind for one, kind in RIGHT.items() if one is not chapter}
    assert [one for one, found in said(silent).items() if not found.right] == [chapter]
    assert [one for one, found in said({**RIGHT, chapter: Kind.UNKNOWN}).items() if not found.right] == [chapter]


@pytest.mark.parametrize("other", [window(0, Kind.ATTACK), window(0, seen=Seen.INCONCLUSIVE)])
def test_a_quiet_hour_has_to_pass(other: Watched) -> None:
    hours = day(100)
    windows = [other, *(window(one.number, RIGHT.get(one.chapter)) for one in hours[1:])]
    assert [one.chapter for one in told(hours, windows) if not one.right] == [Chapter.QUIET]


def test_one_hour_of_another_kind_makes_a_chapter_wrong() -> None:
    hours = day(100)
    windows = [window(one.number, RIGHT.get(one.chapter)) for one in hours]
    windows[7] = replace(windows[7], kind=Kind.ATTACK)
    found = next(one for one in told(hours, windows) if one.chapter is Chapter.DRIFT)
    assert (found.right, found.kinds) == (False, {"natural": 3, "attack-like": 1})


def test_an_hour_is_the_same_again_has_no_row_twice_and_lies_within_itself() -> None:
    one, again = (pool().hour(hour(Chapter.QUIET)) for _ in range(2))
    assert np.array_equal(one.x, again.x)
    assert np.array_equal(one.at, again.at)
    assert len(set(one.accounts)) == len(one) == 100
    assert (np.diff(one.at) >= 0).all()
    assert ((one.at >= 5 * HOUR) & (one.at < 6 * HOUR)).all()
    assert not one.planted.any()


def test_a_campaign_has_its_share_and_every_one_of_it_is_fraud() -> None:
    found = pool().hour(hour(Chapter.CAMPAIGN, 0.12))
    assert found.planted.sum() == 12
    assert (found.x[found.planted] == 7.0).all()
    assert (found.x[~found.planted] != 7.0).any(axis=1).all()
    assert (found.y[found.planted] == 1).all()
    assert all(name.startswith("b05") for name in found.accounts[found.planted])


def test_other_customers_are_newer_and_buy_online() -> None:
    usual, other = (pool(2_000).hour(hour(chapter, 3.0, 400)) for chapter in (Chapter.QUIET, Chapter.DRIFT))
    online = SCHEMA.columns[CHANNEL].categories.index("online")
    assert other.x[:, TENURE].mean() < 0.7 * usual.x[:, TENURE].mean()
    assert (other.x[:, CHANNEL] == online).mean() > 1.3 * (usual.x[:, CHANNEL] == online).mean()


def test_what_is_kept_out_is_in_nobody_elses_rows(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(1_000)}).to_parquet(tmp_path / "test.parquet")
    kept_out(tmp_path, seed=0)
    test, pooled = (pd.read_parquet(tmp_path / name)["a"] for name in ("test.parquet", POOL))
    assert sorted([*test, *pooled]) == list(range(1_000))
    assert 400 < len(test) < 600


def _answers(scores: list[float], labels: list[str]) -> Answers:
    documents = [
        {"results": [{"decision": "allow", "label": label, "score": score}], "source": "primary"}
        for score, label in zip(scores, labels, strict=True)
    ]
    return answers(documents)


def _caller(folder: Path) -> Caller:
    return Caller(schema=SCHEMA, host="127.0.0.1", port=1, key="k", folder=folder, begins=1_700_006_400.0)


def test_the_log_is_what_the_monitor_reads(tmp_path: Path) -> None:
    batch = pool().hour(hour(Chapter.QUIET))
    found = _answers([0.5] * 60, ["1"] * 60) + answers([{}] * 40)
    _caller(tmp_path).write(5, batch, found, known=(5, batch))
    frame = pd.read_parquet(tmp_path / FEED / "05.parquet")
    x, troubles, notes = coded(frame, SCHEMA)
    assert np.array_equal(x, batch.x)
    assert (troubles, notes) == ((), ())
    assert frame["score"].isna().sum() == 40
    assert frame["at"].between(1_700_006_400.0 + 5 * HOUR, 1_700_006_400.0 + 6 * HOUR).all()
    labels = pd.read_parquet(tmp_path / LABELS / "05.parquet")
    assert labels["request"].tolist() == frame["request"].tolist()
    assert labels["is_fraud"].tolist() == batch.y.tolist()
    assert not list(tmp_path.rglob("*.part"))


def test_what_was_missed_is_known_by_labels_alone(tmp_path: Path) -> None:
    batch = replace(pool().hour(hour(Chapter.QUIET, payments=4)), y=np.array([1, 1, 0, 1]))
    caller, found = _caller(tmp_path), _answers([0.2, 0.05, 0.2, 0.9], ["1", "0", "1", "1"])
    caller.write(5, batch, found)
    with pytest.raises(TemperError, match="no label has come yet"):
        missed(tmp_path, [5], 0.1, 0.5)
    caller.write(6, batch, found, known=(5, batch))
    assert missed(tmp_path, [5, 6], 0.1, 0.5)["request"].tolist() == ["05-00000"]


@pytest.mark.parametrize("clock", ["09:30", "00:01", "23:59"])
def test_the_model_fails_in_the_hour_on_the_wall_and_what_was_before_lies_behind_it(clock: str) -> None:
    now = datetime.fromisoformat(f"2026-05-04 {clock}+00:00").timestamp()
    hours = day(1)
    start = begins(hours, now)
    assert start % HOUR == 0
    lies = {one.number: start + HOUR * one.number for one in hours}
    fails = [at for at, one in enumerate(hours) if one.chapter is Chapter.FAILURE]
    assert lies[fails[0]] <= now + 180 < lies[fails[1]]
    assert all(lies[one.number] + HOUR <= now + 180 for one in hours[: fails[0]])


def test_how_incidents_went_is_told_from_their_timelines(tmp_path: Path) -> None:
    from rich.console import Console

    control, now = Control.open(str(tmp_path / "control.db")), datetime(2026, 5, 4, 9, tzinfo=UTC).timestamp()
    about = {"source": "monitor.x.attack", "severity": Severity.MAJOR, "playbook": "evasion", "title": "an [attack]"}
    seen = Symptom(at=now, start=now - HOUR, since=now - HOUR, text="crowds", **about)
    control.incidents.follow("f", [seen], now, "temper monitor", now)
    control.incidents.reach(1, Phase.CONTAINED, "the playbook worked", "ana", now + 6)
    desk = Desk(
        config=tmp_path / "temper.yaml", url="", control=control, feed="f", threshold=0.5, asked=bool, say=print
    )
    desk.close(control.incidents.get(1), "the windows pass again", lambda: now + 4 * HOUR)
    out = io.StringIO()
    Console(file=out, width=100).print(courses(control.incidents.page(timelines=True)))
    control.close()
    (line,) = [line for line in out.getvalue().splitlines() if "[attack]" in line]
    assert line.split()[0] == "09:00"
    assert re.search(r"1 h 0 min +6 s +4 h 0 min", line)
    assert all(len(line) <= 100 for line in out.getvalue().splitlines())


def test_the_table_says_what_is_wrong_and_fits_a_terminal() -> None:
    from rich.console import Console

    out = io.StringIO()
    screen = Screen(console=Console(file=out, width=100))
    screen.hour(replace(window(5, Kind.ATTACK), why=("x" * 300,)))
    done = {Chapter.CAMPAIGN: Done(contained=1.5, recovered=4, words="the playbook evasion " * 5)}
    screen.console.print(table(said({**RIGHT, Chapter.DRIFT: Kind.UNKNOWN}).values(), done))
    text = out.getvalue()
    assert all(len(line) <= 100 for line in text.splitlines())
    assert text.count("WRONG") == 1
    assert "natural" in text
    assert "in 1.5 s" in text
