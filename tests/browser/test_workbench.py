"""The workbench in a real browser: seen while somebody writes, readable wide and narrow, saved in a few clicks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.console import ailments, marks, served, tab
from browser.test_console_access import FAINT, NAMELESS, NONE, OUTLINE, SPILT
from temper.core.probe import Severity, Standing
from unit.bench_world import bench, draft, flagged
from unit.test_web_picturing import bench as pictures
from unit.test_web_talking import ATTACK, spoken
from unit.web_desk import NOW, World

pytestmark = marks
PICTURES = os.environ.get("TEMPER_PICTURES", "")
"""A folder for pictures of what was seen, to be looked at; none are made without it."""
PAGES = ("/workbench", "/probes", "/probes/1", "/probes/2", "/assumptions", "/coverage")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    with served(tmp_path_factory.mktemp("bench"), bench=bench()) as (world, at):
        probes = world.control.probes
        probes.assume("a", "payments", "people look at every payment above 1,000", "ana", NOW)
        probes.assume("b", "payments", "a large payment in small parts is seen as one", "ana", NOW)
        probes.save("k1", draft(amount="30"), "ana", NOW)
        probes.save("k2", draft(amount="9000", limit="100"), "ben", NOW)
        probes.rate(1, Severity.CRITICAL, "the whole amount leaves in parts", "ben", NOW)
        probes.rate(1, Severity.MAJOR, "money is lost", "ada", NOW)
        probes.challenge(1, Standing.FALLEN, "this one goes by", 1, "ben", NOW)
        yield world, at


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_can_be_read_named_and_fits(browser: Any, place: tuple[World, str], width: int, scheme: str) -> None:
    page = tab(browser, *place, "ada", viewport={"width": width, "height": 900}, color_scheme=scheme)
    looked_at(page, PAGES, width, scheme)


@pytest.mark.parametrize(("make", "width"), [(spoken, 390), (pictures, 1280)], ids=["prompt", "picture"])
def test_the_benches_of_prompts_and_pictures_too(browser: Any, tmp_path: Path, make: Any, width: int) -> None:
    with served(tmp_path, bench=make()) as here:
        page = tab(browser, *here, "ada", viewport={"width": width, "height": 900}, color_scheme="light")
        page.goto("/workbench")
        if page.get_by_label("What the user says").count():
            page.get_by_label("What the user says").fill(ATTACK)
            page.locator("#seen").get_by_text("the guard holds it back").wait_for()
            page.get_by_role("button", name="Look").click()
        else:
            page.get_by_label("Patch: pixels a side").fill("3")
            page.locator("#seen").get_by_text("the decision stays").wait_for()
            page.get_by_role("button", name="Look").click()
        looked_at(page, ("",), width, "light")


def looked_at(page: Any, pages: tuple[str, ...], width: int, scheme: str) -> None:
    """Every page, or the one that is open, can be read, named and fits."""
    for where in pages:
        if where:
            page.goto(where)
        if PICTURES:
            name = (
                where.strip("/").replace("/", "-").replace("?", "-") or page.locator("main .meta b").first.inner_text()
            )
            page.screenshot(path=f"{PICTURES}/{name}-{width}-{scheme}.png", full_page=True)
        assert page.evaluate(NAMELESS) == [], where
        assert page.evaluate(OUTLINE) == {"h1": 1, "mains": 1, "lang": "en", "twice": []} | dict.fromkeys(NONE, 0), (
            where
        )
        assert page.evaluate(FAINT) == [], where
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, where
        assert page.evaluate(SPILT) == [], where
        assert ailments(page) == [], where


def test_what_is_written_is_seen_at_once_and_saved(browser: Any, place: tuple[World, str]) -> None:
    page = tab(browser, *place, "tess")
    page.goto(f"/workbench?row={flagged()}")
    page.get_by_label("amount").fill("31")
    page.locator("#seen").get_by_text("turned, and nothing stops it").wait_for()
    page.get_by_label("Hypothesis").fill("a small amount passes")
    page.get_by_role("button", name="Save the probe").click()
    page.get_by_text("The probe is saved.").wait_for()
    assert "31.00" in page.locator("main").inner_text()


def test_without_script_five_clicks_lead_to_a_saved_probe(browser: Any, place: tuple[World, str]) -> None:
    page = tab(browser, *place, "tess", java_script_enabled=False)
    page.goto("/")
    page.get_by_role("link", name="Probes").first.click()
    page.get_by_role("link", name="Workbench").click()
    page.get_by_label("amount").fill("32")
    page.get_by_role("button", name="Look").click()
    page.get_by_label("Hypothesis").fill("without script")
    page.get_by_role("button", name="Save the probe").click()
    assert "32.00" in page.locator("main").inner_text()
