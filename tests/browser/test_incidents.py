"""Incidents in a real browser: read by everybody, changed by an approver, on a phone too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.console import marks, served, tab
from temper.core.incident import Severity
from unit.web_desk import NOW, World

pytestmark = marks
PICTURES = os.environ.get("TEMPER_PICTURES", "")
"""A folder for pictures of what was seen, to be looked at; none are made without it."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[World, str]]:
    with served(tmp_path) as found:
        yield found


def seen(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


def breaker(world: World) -> int:
    """An incident that a gateway has opened, with a run of its playbook in it."""
    store, runs = world.control.incidents, world.control.runs
    text = "20 of 20 calls failed"
    number = store.signal("breaker", "The breaker is open", Severity.MAJOR, text, "gateway node-0", NOW, "model-down")
    runs.tell("5f5c9da2", "begin", "The model does not answer", "sam", NOW + 70, number)
    runs.tell("5f5c9da2", "step", "the breaker is set to open", "sam", NOW + 75, number, step="leave the model alone")
    store.passed("breaker", "over after 190 s", "gateway node-0", NOW + 190)
    world.clock.now = NOW + 240
    return number


def test_an_approver_finds_writes_and_closes_an_incident(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    number = breaker(world)
    page = tab(browser, world, at, "pia")
    page.goto("/dashboard")
    page.get_by_role("link", name=f"#{number} The breaker is open").click()
    page.wait_for_url(f"**/incidents/{number}")
    assert page.get_by_text("temper respond run model-down --incident 1").is_visible()
    page.get_by_label("What you saw, did or decided").fill("the disk of the model's machine was full")
    page.get_by_role("button", name="Add it").click()
    page.get_by_text("Your line is in the timeline.").wait_for()
    page.get_by_label("Critical").check()
    page.get_by_label("Lead, who decides").fill("pia")
    page.get_by_role("button", name="Set it").click()
    page.get_by_text("pia is lead").wait_for()
    seen(page, "incident")
    page.get_by_label("What ended it").fill("room was made, the breaker has closed")
    page.get_by_role("button", name="Close the incident").click()
    page.get_by_text("closed after 4 min").wait_for()
    assert page.get_by_role("button", name="Close the incident").count() == 0
    with page.expect_download() as got:
        page.get_by_role("link", name="Report").click()
    text = Path(got.value.path()).read_text(encoding="utf-8")
    assert "The breaker is open" in text
    assert "room was made" in text
    assert got.value.suggested_filename == "incident-1.html"


def test_an_incident_is_opened_by_keyboard_and_listed(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    breaker(world)
    page = tab(browser, world, at, "pia")
    page.goto("/incidents")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "#1"
    page.get_by_label("What is wrong").focus()
    page.keyboard.type("Scores look wrong since nine")
    page.get_by_label("What was seen").focus()
    page.keyboard.type("three clients called")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/incidents/2")
    page.goto("/incidents")
    assert page.locator("tbody tr").count() == 2
    seen(page, "incidents")


def test_a_viewer_reads_and_has_nothing_to_press_and_a_phone_is_wide_enough(
    browser: Any, place: tuple[World, str]
) -> None:
    world, at = place
    number = breaker(world)
    page = tab(browser, world, at, "vera", viewport={"width": 390, "height": 844})
    for path in ("/incidents", f"/incidents/{number}"):
        page.goto(path)
        assert page.locator("main form").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.get_by_text("does leave the model alone").is_visible()
    seen(page, "incident-phone")
