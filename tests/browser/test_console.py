"""The console in a real browser: cases decided by keyboard, without script, by two at once, late, and under attack."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from browser.console import marks, served, tab
from temper.core.review import State
from unit.test_web_cases import HOSTILE
from unit.web_desk import PASSWORD, World

pytestmark = marks


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[World, str]]:
    with served(tmp_path) as found:
        yield found


def fill(page: Any, verdict: str = "Block", reason: str = "three accounts, one device") -> None:
    page.get_by_label(verdict).check()
    page.get_by_label("Reason").fill(reason)


def test_a_case_is_found_claimed_and_decided_without_a_mouse(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    first, second = world.case(priority=2), world.case(priority=1)
    page = browser.new_context(base_url=at).new_page()
    page.clock.install()
    page.goto("/")
    page.locator("#name:focus").wait_for()
    keys = page.keyboard
    keys.type("ana")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    page.wait_for_url("**/queue")
    for key in "jjk":
        keys.press(key)
    assert page.evaluate("document.activeElement.textContent") == f"#{first}"
    keys.press("j")
    keys.press("c")
    page.wait_for_url(f"**/cases/{second}")
    keys.press("2")
    keys.press("Tab")
    keys.type("j c u 1 ? are letters here")
    keys.press("Tab")
    keys.press("Enter")
    assert page.get_by_text("goes out in").is_visible()
    keys.press("u")
    assert not page.get_by_text("goes out in").is_visible()
    assert page.evaluate("document.activeElement.textContent") == "Decide"
    page.clock.fast_forward(20_000)
    assert world.control.reviews.get(second).state is State.CLAIMED, "what is undone is never sent"
    keys.press("Enter")
    page.clock.fast_forward(10_500)
    page.wait_for_url("**/queue?said=decided")
    case = world.control.reviews.get(second)
    assert (case.state, case.outcome, case.decisions[0].reason) == (State.CLOSED, "block", "j c u 1 ? are letters here")


def test_the_keys_are_told_and_stand_back_for_a_dialog(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    world.case()
    page = tab(browser, world, at, "ana")
    page.goto("/queue")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    assert page.url.endswith("/queue")


def test_claim_and_decide_work_without_script(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    number = world.case()
    page = tab(browser, world, at, "ana", java_script_enabled=False)
    page.goto("/queue")
    page.get_by_role("button", name="Claim the next case").click()
    fill(page)
    page.get_by_role("button", name="Decide").click()
    assert page.get_by_text("Your decision is recorded.").is_visible()
    assert world.control.reviews.get(number).outcome == "block"


def test_two_who_want_one_case_get_one_case_and_one_clear_page(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    number = world.case()
    pages = [tab(browser, world, at, name) for name in ("ana", "ben")]
    for page in pages:
        page.goto("/queue")
    for page in pages:
        page.get_by_role("button", name="Claim case").click()
    assert pages[0].get_by_text("You hold this case").is_visible()
    assert pages[1].get_by_role("heading", name="Something has changed meanwhile").is_visible()
    assert pages[1].get_by_text("held by ana").first.is_visible()
    pages[1].get_by_role("link", name="See the case as it is now").click()
    pages[1].wait_for_url(f"**/cases/{number}")
    assert pages[1].get_by_role("button", name="Decide").count() == 0


def test_a_claim_that_ends_is_said_in_the_open_tab_and_decides_nothing(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    number = world.case()
    page = tab(browser, world, at, "ana")
    page.clock.install()
    page.goto(f"/cases/{number}")
    page.locator("main .head [data-claim]").click()
    assert page.get_by_text("You hold this case").is_visible()
    page.clock.fast_forward(301_000)
    world.clock.now += 301
    assert page.get_by_text("Your claim has ended.").is_visible()
    fill(page, reason="written too late")
    page.get_by_role("button", name="Decide").click()
    page.get_by_role("button", name="Send it now").click()
    assert page.get_by_role("heading", name="Something has changed meanwhile").is_visible()
    assert page.get_by_text("written too late").is_visible(), "nobody writes a reason twice"
    assert world.control.reviews.get(number).outcome is None


def test_going_back_and_sending_again_decides_once(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    number = world.case(eyes=2)
    page = tab(browser, world, at, "ana", java_script_enabled=False)
    page.goto(f"/cases/{number}")
    page.locator("main .head [data-claim]").click()
    fill(page)
    page.get_by_role("button", name="Decide").dblclick()
    page.wait_for_url("**/queue?said=decided")
    page.go_back()
    if page.get_by_role("button", name="Decide").count():
        fill(page)
        page.get_by_role("button", name="Decide").click()
    case = world.control.reviews.get(number, "ana")
    assert (len(case.decisions), case.state) == (1, State.SECOND)


def test_a_line_that_breaks_loses_nothing(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    number = world.case()
    page = tab(browser, world, at, "ana")
    page.goto(f"/cases/{number}")
    page.locator("main .head [data-claim]").click()
    fill(page)
    page.context.set_offline(True)
    page.get_by_role("button", name="Decide").click()
    page.get_by_role("button", name="Send it now").click()
    page.context.set_offline(False)
    assert world.control.reviews.get(number).state is State.CLAIMED
    page.goto(f"/cases/{number}")
    fill(page)
    page.get_by_role("button", name="Decide").click()
    page.get_by_role("button", name="Send it now").click()
    page.wait_for_url("**/queue?said=decided")
    assert world.control.reviews.get(number).state is State.CLOSED


def test_the_dashboard_counts_on_by_itself(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    page = tab(browser, world, at, "vera")
    page.clock.install()
    page.goto("/dashboard")
    assert page.locator(".tiles .state-open .many").inner_text() == "0"
    world.case()
    page.clock.fast_forward(5_500)
    page.get_by_role("link", name="#1").wait_for()
    assert page.locator(".tiles .state-open .many").inner_text() == "1"


def test_an_operator_stops_the_model_only_with_the_word(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    page = tab(browser, world, at, "ada")
    for word, on in (("yes", None), ("stop", True)):
        page.goto("/operations")
        page.locator("#kill-reason").fill("wrong scores since noon")
        page.get_by_label("Type STOP to confirm").fill(word)
        page.get_by_role("button", name="Stop the model").click()
        record = world.control.records.current("kill")
        assert (record and record.value) is on


def test_no_text_of_a_client_runs(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    page = tab(browser, world, at, "ana")
    acted: list[str] = []
    page.on("dialog", lambda dialog: (acted.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda line: acted.append(line.text) if line.type == "error" else None)
    page.on("request", lambda asked: acted.append(asked.url) if not asked.url.startswith((at, "data:")) else None)
    for text in HOSTILE:
        payload = {
            "rows": [{text: text}],
            "score": text,
            **dict.fromkeys(("source", "client", "request", "model", "policy"), text),
            "reasons": [text, {"stage": text, "reason": text}],
            "reference": {text: {"values": [text + "x"], "typical": text}},
        }
        number = world.case(payload=payload, request=text[:200] if text.isprintable() else "plain")
        for where in (f"/cases/{number}", "/queue", "/dashboard"):
            page.goto(where)
            assert page.evaluate("[...document.querySelectorAll('img, main script, main [onload]')].length") == 0
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert acted == []


def test_a_script_that_gets_into_a_page_does_not_run(browser: Any, place: tuple[World, str]) -> None:
    """The policy is the second wall: even markup planted past the templates does nothing."""
    world, at = place
    page = tab(browser, world, at, "ana")
    page.route("**/queue", lambda route: route.fulfill(response=(got := route.fetch()), body=_planted(got.text())))
    page.goto("/queue")
    assert page.locator("#planted").count() == 1
    assert page.evaluate("[window.ran, window.ran_too]") == [None, None]


def test_temper_console_shows_the_store_that_temper_yaml_names(browser: Any, tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.case(request="from a gateway")
    (tmp_path / "temper.yaml").write_text("guard:\n  control: control.db\n", encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["-c", str(tmp_path / "temper.yaml"), "--port", str(port), "--no-worker"]
    command = [sys.executable, "-m", "temper", "console", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            page = browser.new_page()
            for _ in range(100):
                with suppress(Exception):  # until it listens
                    page.goto(f"http://127.0.0.1:{port}/")
                    break
                time.sleep(0.1)
            page.get_by_label("Name").fill("ana")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            page.get_by_role("link", name="Queue").click()
            page.get_by_role("link", name="#1").click()
            assert page.get_by_text("from a gateway").is_visible()
        finally:
            running.send_signal(signal.SIGINT)
            told = running.communicate(timeout=20)[1]
    assert "Traceback" not in told
    assert PASSWORD not in told


def _planted(page: str) -> str:
    bad = '<script>window.ran = 1</script><i id="planted"></i><img src="data:x" onerror="window.ran_too = 1">'
    return page.replace("</main>", f"{bad}</main>")
