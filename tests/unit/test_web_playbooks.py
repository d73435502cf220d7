"""Playbooks in the incident room: tried first, run with a person's word at every step, and nobody else's."""

from __future__ import annotations

import html
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from temper.config.serving import Serving
from temper.core.alert import Alert, Receiver
from temper.core.incident import Severity
from temper.guard.serving.parts import PARTS
from temper.store.control.alerts import Found
from temper.web.responder import Responder
from unit.web_desk import NOW, Answer, Browser, World

ROOM = "/incidents/1"
BOOK = f"{ROOM}/playbooks/model-down"


class Gateway:
    """A gateway whose breaker stands as a test sets it."""

    def __init__(self) -> None:
        self.breaker = 1


@pytest.fixture
def gateway() -> Iterator[tuple[Gateway, str]]:
    found = Gateway()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"temper_breaker {found.breaker}\n".encode())

        def log_message(self, *_: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def world(place: str, gateway: tuple[Gateway, str]) -> Iterator[World]:
    responder = Responder(serving=Serving(control=place), parts=PARTS, gateway=gateway[1], wait=lambda seconds: None)
    with closing(World.at(place, responder=responder)) as found:
        text = "20 of 20 calls failed"
        found.control.incidents.signal(
            "breaker", "The breaker is open", Severity.MAJOR, text, "node-0", NOW, "model-down"
        )
        yield found


def tried(browser: Browser, book: str = BOOK, **settings: str) -> Answer:
    return browser.send(book, f"{book}/try", **settings)


def begun(browser: Browser) -> Answer:
    seen = tried(browser)
    return browser.send(BOOK, f"{BOOK}/run", at=seen.hidden("at"), seen=seen.hidden("seen"))


def until(browser: Browser, text: str) -> Answer:
    """The timeline, once it says this."""
    deadline = time.monotonic() + 30
    while text not in (found := browser.get(f"{ROOM}/timeline")).text:
        assert time.monotonic() < deadline, found.text
        time.sleep(0.01)
    return found


def answered(browser: Browser, text: str, word: str) -> None:
    """Answer the question that holds this text."""
    asked = until(browser, text)
    form = {name: asked.hidden(name) for name in ("csrf", "run", "turn")}
    assert browser.post(f"{ROOM}/answer", form | {"answer": word}).status == 303


def breaker(world: World) -> Any:
    record = world.control.records.current("breaker")
    return None if record is None else record.value


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(world: World) -> None:
    seen = tried(world.browser("pia"))
    assert seen.status == 200
    for text in ("its checks fit", "the breaker is set to open (asks first)", "Nothing was changed", "role admin"):
        assert text in html.unescape(seen.text)
    assert '/run"' not in seen.text
    assert breaker(world) is None
    assert len(world.control.incidents.get(1).timeline) == 1


def test_a_playbook_runs_with_a_persons_word_at_every_step_and_each_is_in_the_timeline(
    world: World, gateway: tuple[Gateway, str]
) -> None:
    ada = world.browser("ada")
    assert "The model does not answer" in ada.get(ROOM).text
    assert begun(ada).header("location") == f"{ROOM}?said=begun"
    assert "leave the model alone" in until(ada, "Do it?").text
    assert breaker(world) is None, "it waits for a word"
    answered(ada, "set to open. Do it?", "yes")
    answered(ada, "Is it done?", "yes")
    assert breaker(world) == "open"
    gateway[0].breaker = 0
    answered(ada, "set to automatic. Do it?", "yes")
    until(ada, ">worked<")
    assert breaker(world) == "automatic"
    told = [entry.text for entry in world.control.incidents.get(1).timeline if entry.kind.value == "playbook"]
    assert told[0].endswith("The model does not answer")
    assert told[-1].endswith("it worked")
    assert any("ada confirms it" in text for text in told)
    assert world.control.audit.verify() == []


def test_a_no_stops_it_and_what_was_done_is_taken_back(world: World) -> None:
    ada = world.browser("ada")
    begun(ada)
    answered(ada, "set to open. Do it?", "yes")
    answered(ada, "Is it done?", "no")
    answered(ada, "Undo what was done", "yes")
    until(ada, "did not work")
    assert breaker(world) == "automatic"


def test_what_was_not_seen_is_not_run(world: World) -> None:
    ada = world.browser("ada")
    seen = tried(ada)
    good = {"at": seen.hidden("at"), "seen": seen.hidden("seen")}
    for wrong in ({"seen": "0" * 64}, {"at": str(int(NOW) - 1)}, {"at": "x"}, {"seen": ""}):
        assert ada.send(BOOK, f"{BOOK}/run", **good | wrong).status == 422
    other = world.browser("ada")
    assert other.send(BOOK, f"{BOOK}/run", **good).status == 422, "another session has seen nothing"
    wrong_book = BOOK.replace("model-down", "control-down")
    assert ada.send(wrong_book, f"{wrong_book}/run", **good).status == 422
    world.clock.now += 16 * 60
    assert ada.send(BOOK, f"{BOOK}/run", **good).status == 409
    assert breaker(world) is None


def test_settings_are_those_that_were_tried(world: World) -> None:
    ada, book = world.browser("ada"), BOOK.replace("model-down", "stolen-key")
    assert tried(ada, book).status == 422, "somebody has to say which key"
    settings = {"set-key": "k1", "set-client": "<b>shop</b>"}
    seen = tried(ada, book, **settings)
    assert seen.status == 200
    assert "<b>shop" not in seen.text
    form = {"at": seen.hidden("at"), "seen": seen.hidden("seen")}
    assert ada.send(book, f"{book}/run", **form | settings | {"set-key": "k2"}).status == 422


def test_one_run_of_an_incident_goes_on_at_a_time_and_only_who_began_it_answers(world: World) -> None:
    ada = world.browser("ada")
    begun(ada)
    asked = until(ada, "Do it?")
    assert begun(ada).status == 409
    world.control.people.add("eve", world.control.people.get("ada").role, "another quiet sentence", "ada", NOW)
    eve = world.browser("eve")
    shown = eve.get(f"{ROOM}/timeline")
    assert "ada is asked" in shown.text
    form = {name: asked.hidden(name) for name in ("run", "turn")} | {"answer": "yes"}
    assert eve.send(ROOM, f"{ROOM}/answer", **form).status == 403
    assert ada.send(ROOM, f"{ROOM}/answer", **form | {"turn": "7"}).status == 409
    answered(ada, "Do it?", "no")
    until(ada, "did not work")
    assert begun(ada).status == 303, "another one may begin"
    answered(ada, "Do it?", "no")


@pytest.mark.parametrize("name", ["none", "..%2f..%2fetc%2fpasswd", "x.yaml", "%2Ftmp%2Fx.yaml"])
def test_no_file_but_those_that_come_with_temper_is_opened(world: World, name: str) -> None:
    assert world.browser("ada").get(f"{ROOM}/playbooks/{name}").status == 404


def test_of_a_closed_incident_nothing_is_run(world: World) -> None:
    ada = world.browser("ada")
    seen = tried(ada)
    world.control.incidents.close(1, "over", "pia", NOW)
    form = {"at": seen.hidden("at"), "seen": seen.hidden("seen")}
    assert ada.send(BOOK, f"{BOOK}/run", **form).status == 409
    assert "playbooks/" not in ada.get(ROOM).text


def test_a_console_without_a_guard_names_the_command_and_runs_nothing(tmp_path: Path) -> None:
    with closing(World.at(tmp_path)) as world:
        world.control.incidents.signal("breaker", "It", Severity.MAJOR, "x", "node-0", NOW, "model-down")
        page = world.browser("ada").get(ROOM).text
        assert "temper respond run model-down --incident 1" in page
        assert "playbooks/" not in page
        assert tried(world.browser("ada")).status == 409


def test_alerts_that_lasted_when_it_began_are_in_the_room(world: World) -> None:
    alerts = [
        Alert(key=key, severity=Severity.MINOR, title=title, text="x", starts=NOW + begins, ends=ends)
        for key, title, begins, ends in (
            ("f.drift", "lasts since yesterday", -80_000.0, None),
            ("f.broken", "over an hour before", -9_000.0, NOW - 3_600.0),
            ("f.absent", "over a day before", -99_000.0, NOW - 90_000.0),
            ("f.burn", "began later", 50.0, None),
            ("incident.7", "of another incident", -10.0, None),
        )
    ]
    to = (Receiver(name="log", kind="log"),)
    found = Found(feed="f", alerts=alerts, silenced=frozenset(), receivers=to, until=0.0)
    world.control.alerts.keep(found, NOW)
    page = world.browser("vera").get(ROOM).text
    shown = re.findall(r'href="/monitoring/alert\?[^"]+">([^<]+)<', page)
    assert shown == ["lasts since yesterday", "over an hour before"]
