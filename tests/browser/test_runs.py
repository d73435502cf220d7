"""The loop, runs, findings and jobs in a real browser: to the adversarial row, without script, wide and narrow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from browser.console import ailments, marks, served, tab
from browser.test_console_access import FAINT, NAMELESS, NONE, OUTLINE, SPILT
from temper.core.job import Order
from temper.store.database import Store
from temper.web.assessed import Assessed
from temper.web.risk import ready
from unit.kept_runs import RUNS
from unit.kept_threats import ACCEPTED, MODELLED, YAML
from unit.web_desk import NOW, World

pytestmark = marks
PICTURES = os.environ.get("TEMPER_PICTURES", "")
"""A folder for pictures of what was seen, to be looked at; none are made without it."""
PAGES = (
    "/",
    "/threats",
    "/risk",
    "/hardening",
    "/runs",
    "/runs/0001",
    "/runs/0001/figures",
    "/runs/0001/findings/F-7c1e22",
    "/runs/0002/compare",
    "/jobs",
    "/jobs/1",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "temper.yaml").write_text(YAML + ACCEPTED)
    store = Store.open(folder)
    for one in (*RUNS, *MODELLED):
        store.save_run(one)
    ready(what := Assessed.of(folder / "temper.yaml"))
    with served(folder, assessed=what) as (world, at):
        world.control.jobs.put(Order(key="k", why="stress: natural since 2027-01-10", config="c"), "monitor", NOW)
        yield world, at


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_can_be_read_named_and_fits(browser: Any, place: tuple[World, str], width: int, scheme: str) -> None:
    page = tab(browser, *place, "ada", viewport={"width": width, "height": 900}, color_scheme=scheme)
    for where in PAGES:
        page.goto(where)
        if PICTURES:
            name = where.strip("/").replace("/", "-") or "overview"
            page.screenshot(path=f"{PICTURES}/{name}-{width}-{scheme}.png", full_page=True)
        assert page.evaluate(NAMELESS) == [], where
        assert page.evaluate(OUTLINE) == {"h1": 1, "mains": 1, "lang": "en", "twice": []} | dict.fromkeys(NONE, 0), (
            where
        )
        assert page.evaluate(FAINT) == [], where
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, where
        assert page.evaluate(SPILT) == [], where
        assert ailments(page) == [], where


@pytest.mark.parametrize("way", [["Threats"], ["risk"], ["Hardening", "0102"]])
def test_five_clicks_at_most_lead_from_the_overview_to_the_adversarial_row(
    browser: Any, place: tuple[World, str], way: list[str]
) -> None:
    page = tab(browser, *place, "vera", java_script_enabled=False)
    page.goto("/")
    for name in (*way, "Hop: 62 of 100"):
        page.locator("main").get_by_role("link", name=name).first.click()
    assert page.get_by_role("row", name="amount").locator("del").inner_text() == "231.00"
    assert len(way) + 1 <= 5


def test_without_script_from_the_overview_to_the_row_and_to_an_order(browser: Any, place: tuple[World, str]) -> None:
    world, _ = place
    page = tab(browser, *place, "ana", java_script_enabled=False)
    page.goto("/")
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("link", name="0001", exact=True).click()
    page.get_by_role("link", name="Hop: 62 of 100").click()
    row = page.get_by_role("row", name="amount")
    assert (row.locator("del").inner_text(), row.locator("ins").inner_text()) == ("231.00", "214.50"), "three clicks"
    page.goto("/jobs")
    page.get_by_label("Evasion").check()
    page.get_by_label("Why").fill("release 12")
    page.get_by_role("button", name="Order it").click()
    page.get_by_text("It is ordered").wait_for()
    assert world.control.jobs.get(2).order.only == ("evasion",)


def test_a_job_that_goes_on_is_followed(browser: Any, place: tuple[World, str]) -> None:
    world, _ = place
    page = tab(browser, *place, "vera")
    page.goto("/jobs/1")
    job = world.control.jobs.claim("desk", NOW)
    world.control.jobs.renew(job, "3 of 12 stress.missing", NOW)
    page.get_by_text("3 of 12 stress.missing").wait_for(timeout=60_000)
