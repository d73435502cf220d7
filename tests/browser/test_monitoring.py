"""The pages of monitoring in a real browser, over a day that monitor has looked at: read, chosen, updated, taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from browser.console import ailments, marks, served, tab
from browser.test_console_access import FAINT, NAMELESS, NONE, OUTLINE
from temper.config.serving import Serving
from temper.core.incident import Severity
from temper.guard.serving.parts import PARTS
from temper.web.responder import Responder
from unit.test_web_monitoring import keep, window
from unit.watched_day import filled
from unit.web_desk import NOW, World

pytestmark = marks
PICTURES = os.environ.get("TEMPER_PICTURES", "")
"""A folder for pictures of what was seen, to be looked at; none are made without it."""
PAGES = ("/monitoring", "/monitoring/drift", "/monitoring/accuracy", "/monitoring/security", "/monitoring/alerts")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    folder = tmp_path_factory.mktemp("monitoring")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPER_HOOK", "only for the tests")
        serving = Serving(control=str(folder / "control.db"))
        responder = Responder(serving=serving, parts=PARTS, gateway="http://127.0.0.1:9")
        with served(folder, responder=responder) as (world, at):
            filled(world.control, folder)
            world.clock.now = NOW + 400
            world.control.incidents.signal(
                "breaker", "The breaker is open", Severity.MAJOR, "20 of 20 failed", "node-0", NOW, "model-down"
            )
            yield world, at


def seen(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


@pytest.mark.parametrize(("width", "scheme"), [(w, s) for w in (1280, 390) for s in ("light", "dark")])
def test_every_page_can_be_read_named_and_fits(browser: Any, place: tuple[World, str], width: int, scheme: str) -> None:
    world, _ = place
    page = tab(browser, *place, "ada", viewport={"width": width, "height": 900}, color_scheme=scheme)
    (first, *_) = world.control.alerts.page()
    found = world.control.windows.watching()[0]
    drifted = next(
        one
        for one in world.control.windows.latest(found.feed, "r", found.width, 50)
        if one.kind is not None and one.kind.value == "natural"
    )
    page.goto("/monitoring/drift")
    natural = page.locator(f".strip a[href*='at={drifted.start:.0f}']").get_attribute("href")
    alert = f"/monitoring/alert?id={first.alert.id}"
    book = "/incidents/1/playbooks/model-down"
    for where in (*PAGES, natural, alert, "/incidents/1", book):
        page.goto(where)
        name = where.strip("/").replace("/", "-").split("?")[0] + ("-chosen" if where == natural else "")
        seen(page, f"{name}-{width}-{scheme}")
        assert page.evaluate(NAMELESS) == [], where
        wanted = {"h1": 1, "mains": 1, "lang": "en", "twice": []} | dict.fromkeys(NONE, 0)
        assert page.evaluate(OUTLINE) == wanted, where
        assert page.evaluate(FAINT) == [], where
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, where
        assert (width == 1280) != (scheme == "light") or ailments(page) == [], where


def test_a_page_without_script_is_the_same_page(browser: Any, place: tuple[World, str]) -> None:
    page = tab(browser, *place, "pia", java_script_enabled=False)
    page.goto("/monitoring")
    page.get_by_role("link", name="Drift", exact=True).click()
    page.locator(".strip a.fail").first.click()
    assert page.locator("figure.shape svg").count() >= 1
    page.get_by_role("link", name="Alerts", exact=True).click()
    page.locator("tbody a").first.click()
    page.get_by_role("button", name="Take it").click()
    page.get_by_text("You look after this alert.").wait_for()


def test_a_new_window_comes_up_by_itself_and_what_is_open_stays_open(browser: Any, place: tuple[World, str]) -> None:
    world, _ = place
    page = tab(browser, *place, "vera")
    page.goto("/monitoring")
    page.evaluate("document.querySelector('[data-refresh]').dataset.mark = 'kept'")
    assert page.locator("section.feed").count() == 1
    keep(world, window(0), feed="/another/feed")
    page.get_by_role("heading", name="feed").wait_for(timeout=30_000)
    assert page.locator("[data-mark=kept]").count() == 1, "the page itself stayed"
