"""Incidents: opened once, added to and never changed, told by gateways, read and closed by people, reviewed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from control_store import opened, peopled
from small_gateway import asked, folder, gateway, models  # noqa: F401
from temper.cli import app
from temper.core.errors import StoreError, TemperError
from temper.core.incident import Kind, Severity
from temper.core.review import Conflict
from temper.gateway.tables.alarms import HUSH, QUIET, Alarms
from temper.gateway.tables.build import Gateway
from temper.report.incident import review
from temper.store.control import Control
from unit.test_web_cases import HOSTILE
from unit.web_desk import NOW, World


@pytest.fixture
def control(place: str) -> Iterator[Control]:
    control = peopled(place)
    yield control
    control.close()


def test_an_incident_is_opened_written_about_and_closed_for_good(control: Control) -> None:
    store = control.incidents
    number = store.open("Scores look wrong", "minor", "ann", 10.0, "three clients called")
    store.note(number, "model of yesterday", "bob", 20.0)
    store.rank(number, "critical", "pat", 30.0)
    store.rank(number, "critical", "pat", 31.0)
    store.assign(number, "lead", "pat", "pat", 32.0)
    store.assign(number, "lead", "ann", "pat", 33.0)
    store.close(number, "rolled back", "pat", 90.0)
    store.note(number, "the review is on Friday", "ann", 99.0)
    found = store.get(number)
    assert (found.severity, found.closed, found.parts) == (Severity.CRITICAL, 90.0, {"lead": "ann"})
    assert [one.kind.value for one in found.timeline] == [
        *("opened", "note", "severity", "part", "part", "closed", "note")
    ]
    for again in (
        lambda: store.close(number, "again", "pat", 91.0),
        lambda: store.rank(number, "minor", "pat", 91.0),
        lambda: store.assign(number, "lead", "bob", "pat", 91.0),
    ):
        with pytest.raises(Conflict, match="is closed"):
            again()
    assert store.counts() == (0, 1)
    assert control.audit.verify() == []


def test_of_one_source_one_is_open_and_a_new_one_after_it_was_closed(control: Control) -> None:
    def signal(text: str, at: float) -> int:
        return control.incidents.signal("breaker", "It is open", Severity.MAJOR, text, "node-0", at, "model-down")

    first = signal("20 of 20 calls failed", 1.0)
    assert signal("again", 2.0) == first
    control.incidents.passed("breaker", "over after 3 s", "node-0", 5.0)
    control.incidents.passed("golden", "over", "node-0", 5.0)
    found = control.incidents.get(first)
    assert [one.text for one in found.timeline] == ["20 of 20 calls failed", "again", "over after 3 s"]
    assert found.playbook == "model-down"
    assert found.closed is None, "people close it"
    control.incidents.close(first, "restarted", "pat", 9.0)
    assert signal("once more", 10.0) == first + 1
    assert [one.id for one in control.incidents.page()] == [first + 1, first]
    assert [one.id for one in control.incidents.page(open_only=True)] == [first + 1]


def test_gateways_that_see_it_at_once_open_one(place: str) -> None:
    peopled(place).close()
    controls = [opened(place) for _ in range(4)]
    start = threading.Barrier(4)

    def sees(control: Control) -> None:
        start.wait()
        for at in range(5):
            control.incidents.signal("ledger", "The disk", Severity.CRITICAL, f"full {at}", "node", float(at))

    threads = [threading.Thread(target=sees, args=(one,)) for one in controls]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    (only,) = controls[0].incidents.page()
    assert len(controls[0].incidents.get(only.id).timeline) == 20
    for one in controls:
        one.close()


def test_a_timeline_cannot_be_changed_past_the_store(control: Control) -> None:
    number = control.incidents.open("It", "minor", "ann", 1.0)
    control.incidents.close(number, "over", "ann", 2.0)
    for sql in (
        "UPDATE incident_entry SET text = 'other'",
        "DELETE FROM incident_entry",
        "UPDATE incident SET closed = NULL",
        "UPDATE incident SET title = 'other'",
        "DELETE FROM incident",
        "INSERT INTO incident_entry (seq, incident, at, who, kind, text, detail) "
        "VALUES (1, 1, 1, 'x', 'note', 'x', '{}')",
    ):
        with pytest.raises(StoreError), control._database.write() as tx:
            tx.all(sql)
    assert control.incidents.get(number).timeline[0].text == "It"


@pytest.mark.parametrize(
    ("title", "severity", "says"),
    [
        ("", "minor", "a title is one line"),
        ("a\nb", "minor", "a title is one line"),
        ("x" * 201, "minor", "over 200 characters"),
        ("a\x1b[31m", "minor", "unprintable"),
        ("a", "huge", "no severity"),
    ],
)
def test_what_is_no_incident_is_refused(control: Control, title: str, severity: str, says: str) -> None:
    with pytest.raises(TemperError, match=says):
        control.incidents.open(title, severity, "ann", 1.0)
    with pytest.raises(TemperError, match="there is no incident 7"):
        control.incidents.note(7, "x", "ann", 1.0)
    with pytest.raises(TemperError, match="nobody can be 'boss'"):
        control.incidents.assign(7, "boss", "ann", "ann", 1.0)
    assert control.incidents.counts() == (0, 0)


# -- what a gateway tells ---------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def alarms(gateway: Gateway, clock: Clock, **options: Any) -> Alarms:  # noqa: F811
    usual: dict[str, Any] = {
        "node": "gateway node-0",
        "control": gateway.control,
        "live": lambda: gateway.live,
        "journal": gateway.journal,
        "stopped": lambda: gateway.tending.because,
        "counted": gateway.counted,
        "lapsed": lambda: gateway.tending.lapsed,
        "wall": clock,
    }
    return Alarms(**usual | options)


def told(gateway: Gateway) -> list[tuple[str, list[str]]]:  # noqa: F811
    """(source, texts) of every incident, the oldest first."""
    found = [gateway.control.incidents.get(one.id) for one in reversed(gateway.control.incidents.page())]
    return [(one.source, [line.text for line in one.timeline]) for one in found]


def test_a_healthy_gateway_opens_nothing(gateway: Gateway) -> None:  # noqa: F811
    seen, clock = alarms(gateway, Clock()), Clock()
    for _ in range(10):
        asyncio.run(asked(gateway))
        seen.incidents()
        clock.now += 1.0
    assert told(gateway) == []


def test_a_breaker_that_flaps_all_day_is_one_incident_and_few_lines(gateway: Gateway) -> None:  # noqa: F811
    clock = Clock()
    seen, breaker = alarms(gateway, clock), gateway.live.pipeline.breaker
    for _ in range(3_600):
        breaker.trip(0.0, "20 of 20 calls failed")
        seen.incidents()
        clock.now += 1.0
        breaker.force_closed(0.0)
        breaker.automatic(0.0)
        seen.incidents()
        clock.now += 1.0
    ((source, lines),) = told(gateway)
    assert source == "breaker"
    assert lines[:2] == ["20 of 20 calls failed", "over after 1 s"]
    assert len(lines) <= 2 * (7_200 / HUSH + 1)


def test_an_operators_breaker_is_no_incident_and_a_kill_switch_is(gateway: Gateway) -> None:  # noqa: F811
    seen = alarms(gateway, Clock())
    gateway.live.pipeline.breaker.force_open(0.0)
    seen.incidents()
    assert told(gateway) == []
    gateway.control.records.put("kill", True, "ada", "it is wrong\n" + "x" * 1_900, 1.0)
    gateway.tending._records()
    seen.incidents()
    gateway.control.records.put("kill", False, "ada", "it is well", 2.0)
    gateway.tending._records()
    seen.incidents()
    ((source, (first, last)),) = told(gateway)
    assert (source, last) == ("kill", "over after 0 s")
    assert first.startswith("the model was stopped by ada: it is wrong xxx")
    assert len(first) <= 500, "a text that the store refused would hold up all behind it"


def test_known_rows_that_fail_are_one_incident_although_they_open_the_breaker(gateway: Gateway) -> None:  # noqa: F811
    seen, live = alarms(gateway, Clock()), gateway.live
    assert live.golden is not None
    right = live.golden.probes.expected
    live.golden.check(right + 0.3, live.pipeline.breaker, 0.0)
    seen.incidents()
    live.golden.check(right, live.pipeline.breaker, 20.0)
    live.pipeline.breaker.force_closed(0.0)
    seen.incidents()
    assert told(gateway) == [("golden", ["known rows had other scores, 1 times by now", "over after 0 s"])]


def test_a_ledger_that_takes_nothing_and_a_copier_are_told(gateway: Gateway) -> None:  # noqa: F811
    clock = Clock()
    seen = alarms(gateway, clock)
    gateway.journal.fault = StoreError("the disk is full", fix="free space")
    labels = (("stage", "extraction"), ("level", "ALLOW"), ("mode", "shadow"))
    gateway.counted.add("stage_decisions_total", labels)
    seen.incidents()
    gateway.journal.fault = None
    gateway.counted.add("stage_decisions_total", (labels[0], ("level", "REVIEW"), labels[2]), 3)
    seen.incidents()
    clock.now += QUIET - 1
    seen.incidents()
    clock.now += 2
    seen.incidents()
    assert told(gateway) == [
        ("ledger", ["the disk is full", "over after 0 s"]),
        ("extraction", ["the stage has spoken of 3 requests", f"over after {QUIET + 1:.0f} s"]),
    ]


def test_what_happens_while_the_store_is_down_is_told_with_its_time_when_it_is_back(
    gateway: Gateway,  # noqa: F811
) -> None:
    class Down:
        @property
        def incidents(self) -> Any:
            raise StoreError("the control store does not answer")

    clock = Clock()
    seen = alarms(gateway, clock, control=Down())
    gateway.live.pipeline.breaker.trip(0.0, "20 of 20 calls failed")
    with pytest.raises(StoreError):
        seen.incidents()
    clock.now += 50.0
    gateway.live.pipeline.breaker.force_closed(0.0)
    with pytest.raises(StoreError):
        seen.incidents()
    seen.control = gateway.control
    seen.incidents()
    assert told(gateway) == [("breaker", ["20 of 20 calls failed", "over after 50 s"])]
    assert gateway.control.incidents.get(1).timeline[0].at == 1_000.0
    assert gateway.control.incidents.get(1).closed is None


def test_a_gateway_that_runs_tells_by_itself(gateway: Gateway) -> None:  # noqa: F811
    async def run() -> None:
        gateway.tending.start()
        gateway.live.pipeline.breaker.trip(0.0, "by a test", 1e9)
        for _ in range(200):
            await asyncio.sleep(0.02)
            if gateway.control.incidents.counts() == (1, 1):
                break
        await gateway.tending.stop()

    asyncio.run(run())
    assert told(gateway)[0][1][0] == "by a test"
    assert gateway.tending.told["incidents"] == ""


# -- commands and the review ------------------------------------------------------------------------------------------


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_CONTROL", str(tmp_path / "control.db"))

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["incidents", *words])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    assert run("open", "Scores look wrong", "--severity", "critical", "--text", "called by shop") == "incident 1\n"
    run("note", "1", "looked at the ledger")
    run("set", "1", "--lead", "pat", "--severity", "major")
    assert run("list").split("\t")[:2] == ["1", "major"]
    shown = run("show", "1")
    assert "pat is lead" in shown
    assert "looked at the ledger" in shown
    run("close", "1", "--reason", "model rolled back")
    assert run("list") == ""
    assert run("list", "--all").startswith("1\tmajor")
    run("report", "1", "--to", str(tmp_path / "review.md"))
    text = (tmp_path / "review.md").read_text()
    assert text.startswith("# Incident 1: Scores look wrong\n")
    assert "## What is done about it" in text
    with pytest.raises(TemperError, match="nothing was said"):
        run("set", "1")
    with pytest.raises(TemperError, match="there is no incident 9"):
        run("show", "9")


def test_a_review_says_what_is_known_and_hostile_text_does_nothing_in_it(control: Control) -> None:
    number = control.incidents.open("a | [x](javascript:1) <img src=x> # *b*", "major", "ann", 0.0, HOSTILE[0])
    for at, text in enumerate(HOSTILE[1:3]):
        if text.isprintable():
            control.incidents.note(number, text, "ann", 30.0 + at)
    control.runs.tell("ab12", "begin", "A key", "sam", 60.0, number)
    control.runs.tell("ab12", "step", "the key is revoked", "sam", 61.0, number, step="end it")
    control.incidents.close(number, "over", "ann", 3_700.0)
    text = review(control.incidents.get(number), 4_000.0)
    head = text.splitlines()[0]
    assert head == r"# Incident 1: a \| \[x\]\(javascript:1\) \<img src=x\> \# \*b\*"
    assert "| playbook runs | `ab12` |" in text
    assert "| closed | 1970-01-01 01:01:40, after 1 h 1 min |" in text
    rows = [line for line in text.splitlines() if line.startswith("| 1970")]
    assert all(len(line.replace(r"\|", "").split("|")) == 6 for line in rows)
    assert "playbook: does end it: the key is revoked" in text


# -- the console ------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.at(tmp_path)
    yield world
    world.control.close()


def test_a_viewer_reads_and_an_approver_changes(world: World) -> None:
    number = world.control.incidents.signal("breaker", "It is open", Severity.MAJOR, "why", "node-0", NOW, "model-down")
    vera, pia = world.browser("vera"), world.browser("pia")
    page = vera.get(f"/incidents/{number}").text
    assert "temper respond run model-down --incident 1" in page
    assert "<textarea" not in page
    assert "It is open" in vera.get("/incidents").text
    assert "It is open" in vera.get("/dashboard").text
    path = f"/incidents/{number}"
    assert vera.send(path, f"{path}/note", text="x").status == 403
    assert pia.send(path, f"{path}/note", text="restarted it").header("location") == f"{path}?said=noted"
    assert pia.send(path, f"{path}/change", severity="critical", lead="pia", scribe="").status == 303
    assert pia.send(path, f"{path}/change", severity="critical", lead="pia", scribe="").status == 303
    found = world.control.incidents.get(number)
    assert [one.kind for one in found.timeline] == [Kind.OPENED, Kind.NOTE, Kind.SEVERITY, Kind.PART]
    assert pia.send(path, f"{path}/close", reason="it holds").status == 303
    assert pia.send(path, f"{path}/close", reason="again").status == 409
    assert "Close the incident" not in pia.get(path).text
    answer = vera.get(f"{path}/report")
    assert answer.header("content-disposition") == 'attachment; filename="incident-1.html"'
    assert "It is open" in answer.text
    assert "None is open." in vera.get("/dashboard").text


def test_an_approver_opens_one_and_what_is_wrong_with_it_is_said(world: World) -> None:
    pia = world.browser("pia")
    assert (
        pia.send("/incidents", "/incidents", title="Odd scores", severity="minor").header("location") == "/incidents/1"
    )
    assert pia.send("/incidents", "/incidents", title="Odd scores", severity="huge").status == 422
    assert pia.send("/incidents", "/incidents", title="", severity="minor").status == 422
    assert pia.get("/incidents/77").status == 404
    assert pia.get(f"/incidents/{10**30}").status == 404
    assert pia.get("/incidents?page=x").status == 200


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_does_not_act(world: World, text: str) -> None:
    clean = "".join(c for c in text if c.isprintable())[:200] or "x"
    number = world.control.incidents.open(clean, "minor", "ann", NOW, clean)
    world.control.incidents.note(number, clean, "<b>ann</b>", NOW)
    for path in ("/incidents", f"/incidents/{number}", "/dashboard"):
        page = world.browser("pia").get(path).text
        assert "<script>alert" not in page
        assert "<img src" not in page
        assert "<b>ann" not in page


def test_a_playbook_for_an_incident_is_in_its_timeline(world: World) -> None:
    number = world.control.incidents.open("It", "minor", "ann", NOW)
    world.control.runs.tell("ab12", "step", "the breaker is set to open", "sam", NOW + 5, number, step="stand in")
    with pytest.raises(TemperError, match="no incident 9"):
        world.control.runs.tell("ab12", "step", "x", "sam", NOW + 5, 9)
    page = world.browser("vera").get(f"/incidents/{number}").text
    assert "does stand in: the breaker is set to open" in page
    assert world.control.runs.read("ab12")[0]["incident"] == number
