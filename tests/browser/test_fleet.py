"""The fleet page in a browser: names and labels, contrast, narrow and wide, light and dark, by the keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from browser.console import ailments, marks, served, tab
from browser.test_console_access import FAINT, NAMELESS, NONE, OUTLINE, SPILT
from temper.core.evidence import Cause, Stale
from temper.core.fleet import TIERS, Entry, Level, Refused, Situation
from temper.core.requirement import Verdict
from temper.store.database import Store
from temper.testing.records import HOSTILE
from temper.web.assessed import Assessed
from temper.web.board import Board, Seen
from unit.web_desk import NOW, World

pytestmark = marks
WINDOWS = ((1280, "light"), (390, "dark"))


def stands(at: int) -> Situation:
    """A system that is well, or not in one of several ways."""
    verdict = (Verdict.FAIL, Verdict.PASS, Verdict.INCONCLUSIVE, None)[at % 4]
    level = tuple(Level)[at % 3]
    name = HOSTILE.replace("\0", "").replace("\ud800", "") if at == 7 else f"payments/retail/system-{at:02}"
    why = Stale(part="evasion", run="1", cause=Cause.AGE, why="40 days old, and 30 are allowed", event="1")
    return Situation(
        entry=Entry(name=name, config="c", where="w", owner=f"team {at % 3}", level=level, tier=TIERS[level]),
        system=name,
        run=f"{at:04}" if verdict else "",
        verdict=verdict,
        age=86_400.0 * at if verdict else None,
        stale=(why,) if at % 3 == 0 else (),
        drift="a change nobody has explained since 2026-11-02 08:00" if at % 5 == 0 else "",
        rating=("critical", "high", "medium", "low", "very low", "")[at % 6],
        p90=12_345.0 * at,
        unit="EUR",
        trouble="temper.yaml:3: the model 'model.onnx' does not exist" if at == 4 else "",
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "temper.yaml").write_text("system: {name: fraud}\n")
    (folder / "portfolio.yaml").write_text("systems: [{path: temper.yaml}]\n")
    Store.open(folder)
    about = Assessed.of(folder / "temper.yaml")
    refused = (Refused(where="portfolio.yaml:9", why="there is no nowhere"),)
    found = Seen(at=NOW, name="bank", situations=tuple(map(stands, range(24))), refused=refused)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Board, "seen", lambda self, now: found)
        with served(folder, assessed=about, board=Board(about, folder / "portfolio.yaml")) as (world, at):
            yield world, at


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_the_fleet_can_be_read_named_and_fits(browser: Any, place: Any, width: int, scheme: str) -> None:
    page = tab(browser, *place, "vera", viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto("/fleet")
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(OUTLINE) == {"h1": 1, "mains": 1, "lang": "en", "twice": []} | dict.fromkeys(NONE, 0)
    assert page.evaluate(FAINT) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(SPILT) == []
    assert ailments(page) == []


def test_a_system_is_found_by_the_keyboard_without_a_script(browser: Any, place: Any) -> None:
    page = tab(browser, *place, "vera", java_script_enabled=False)
    page.goto("/fleet")
    page.get_by_label("Name").focus()
    page.keyboard.type("system-1")
    page.keyboard.press("Enter")
    page.wait_for_url("**name=system-1*")
    assert page.locator("tbody tr").count() == 10
    page.get_by_role("link", name="Age", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=age*")
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Age")
    assert page.locator("tbody tr").count() == 10
