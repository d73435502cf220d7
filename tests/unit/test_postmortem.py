"""The report after an incident: what it says is in the timeline, in every form, and hostile text does nothing in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from control_store import peopled
from temper.cli import app
from temper.core.errors import TemperError
from temper.core.incident import Incident, Severity, Symptom
from temper.report import postmortem
from temper.report._incident import missing, runs, times
from temper.report.incident import review
from temper.store.codec import unwrap, wrap
from temper.store.control import Control
from unit.test_web_cases import HOSTILE

HOUR = 3_600.0
KEPT = ".temper/evidence/incident-1-ab12 sha256:" + "0f" * 32
OPEN = [
    "it is not closed",
    "nobody leads it",
    *(f"nobody has stated that it is {phase}" for phase in ("contained", "eradicated", "recovered")),
    "why it happened is not written down",
    "no evidence was kept",
    "there is no regression test of it",
]


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    control = peopled(tmp_path / "control.db")
    yield control
    control.close()


def campaign(control: Control) -> Incident:
    """A campaign that was seen a day late, contained within the hour and over after five."""
    store = control.incidents
    seen = Symptom(
        source="monitor.feed.attack", at=24 * HOUR, start=0.0, since=0.0, title="predictions: looks like an attack",
        severity=Severity.MAJOR, playbook="evasion", text="window 1970-01-01 (2,300 rows): attack-like, score: crowded",
    )  # fmt: skip
    (number,) = store.follow("predictions", [seen], 24 * HOUR, "temper monitor", 24.5 * HOUR)
    store.assign(number, "lead", "ada", "ada", 24.6 * HOUR)
    control.runs.tell("ab12", "begin", "Somebody is finding what gets through", "ada", 24.7 * HOUR, number)
    control.runs.tell("ab12", "done", "it is kept", "ada", 24.8 * HOUR, number, step="keep the evidence", evidence=KEPT)
    control.runs.tell("ab12", "end", "it worked", "ada", 25.0 * HOUR, number)
    store.reach(number, "contained", "shop-7 is kept apart", "ada", 25.0 * HOUR)
    store.note(number, "two columns are trusted that clients fill in", "bob", 26.0 * HOUR, remark="cause")
    store.note(number, "tell the auditor", "bob", 26.1 * HOUR, remark="todo")
    return store.get(number)


def ended(control: Control) -> Incident:
    campaign(control)
    store = control.incidents
    store.note(1, "told her", "bob", 27.0 * HOUR, settles=store.get(1).todos[0].seq)
    store.tested(
        1, "3 cases, all fail on the old model", "regressions/incident-1/cases.json sha256:ab", "ada", 28 * HOUR
    )
    store.reach(1, "recovered", "the hardened model is live", "ada", 29.5 * HOUR)
    store.close(1, "the campaign has ended", "ada", 30 * HOUR)
    return store.get(1)


def test_times_are_measured_and_what_has_not_come_is_not_yet(control: Control) -> None:
    assert [took for _, took, _ in times(campaign(control))] == ["1 d 0 h", "30 min 0 s", "not yet"]
    (one,) = runs(control.incidents.get(1))
    assert (one.run, one.title, one.ended) == ("ab12", "Somebody is finding what gets through", "it worked")


def test_what_is_open_shrinks_to_nothing(control: Control) -> None:
    number = control.incidents.open("It", "minor", "ann", 1.0)
    assert list(missing(control.incidents.get(number))) == OPEN
    control.incidents.close(number, "it was nothing", "ann", 2.0)
    assert "nobody led it" in list(missing(control.incidents.get(number)))


def test_a_todo_is_open_until_it_is_settled(control: Control) -> None:
    found = campaign(control)
    assert [one for one in missing(found) if "todo" in one] == [f"tell the auditor (todo {found.todos[0].seq})"]
    with pytest.raises(TemperError, match="has no todo 1"):
        control.incidents.note(1, "done", "bob", 27.0 * HOUR, settles=1)
    with pytest.raises(TemperError, match="a note is no 'blame'"):
        control.incidents.note(1, "x", "bob", 27.0 * HOUR, remark="blame")


def test_a_whole_incident_has_nothing_open_and_every_form_says_the_same(control: Control) -> None:
    found = ended(control)
    assert list(missing(found)) == []
    page, text, told = (
        postmortem.render(found, 0.0),
        review(found, 0.0),
        json.loads(postmortem.document(found, 0.0, wrap("temper.incident", found))),
    )
    for said in ("1 d 0 h", "30 min 0 s", "5 h 0 min", "two columns are trusted", "0f0f0f0f", "cases.json", "ab12"):
        assert said in page
        assert said in text.replace("\\", "")
    assert told["seconds"] == {"detect": 24.5 * HOUR, "contain": 0.5 * HOUR, "recover": 5 * HOUR}
    assert (told["evidence"], told["open"]) == ([KEPT], [])
    kept = {name: told[name] for name in told if name not in ("at", "course", "seconds", "runs", "tests", "open")}
    kept.pop("evidence")
    assert unwrap("temper.incident", Incident, kept) == found


def test_hostile_text_does_nothing_in_the_page(control: Control) -> None:
    number = control.incidents.open("<script>alert(1)</script> & {{ 7*7 }}", "major", "ann", 0.0)
    for at, text in enumerate(HOSTILE):
        try:
            control.incidents.note(number, text, "ann", 1.0 + at, remark=("cause", "todo", "")[at % 3])
        except TemperError:
            continue
    page = postmortem.render(control.incidents.get(number), 99.0)
    assert not re.search(r"<(?:script|img|iframe)|<[a-z]+[^>]*\s(?:href|src|on\w+)=", page)
    assert "{{ 7*7 }}" in page
    assert "http" not in re.sub(r"http://www\.w3\.org/\d+/\w+", "", page).replace("http-equiv", "")


def test_the_command_writes_what_the_ending_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "one" / "control.db"
    monkeypatch.setenv("TEMPER_CONTROL", str(place))
    place.parent.mkdir()
    control = peopled(place)
    campaign(control)
    control.close()

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["incidents", *words])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    for ending, begins in ((".html", "<!DOCTYPE html>"), (".md", "# Incident 1"), (".json", "{")):
        run("report", "1", "--to", str(tmp_path / f"r{ending}"))
        assert (tmp_path / f"r{ending}").read_text().startswith(begins)
    with pytest.raises(TemperError, match=r"ends in '\.pdf'"):
        run("report", "1", "--to", str(tmp_path / "r.pdf"))
    run("reached", "1", "recovered", "the hardened model is live")
    run("note", "1", "ask the vendor", "--as", "todo")
    shown = run("show", "1")
    assert "time to contain 30 min 0 s" in shown
    assert "open: ask the vendor" in shown
    assert "next: temper respond run evasion --incident 1 --dry-run" in shown
    assert run("list").split("\t")[4:7][:2] == ["1 d 0 h", "30 min 0 s"]
