"""Evidence in the browser: every page can be read by everybody, and two people waive and approve without script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.console import chromium, marks, served, tab
from browser.test_console_access import FAINT, NAMELESS, NONE, OUTLINE, SPILT
from temper.store.database import Store
from temper.web.assessed import Assessed
from unit.test_web_evidence import RUNS, asked, policy, proposed
from unit.web_desk import World

pytestmark = marks
PAGES = (
    "/evidence",
    "/approvals",
    "/approvals/1",
    "/waivers",
    "/waivers/1",
    "/waivers/new?run=0001&requirement=evasion",
)
PAGES += ("/runs/0001", "/runs/0002/evidence", "/runs/0001/findings/F-7c1e22")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    folder = tmp_path_factory.mktemp("evidence")
    policy(folder, signed=False)
    for one in RUNS:
        Store.open(folder).save_run(one)
    with served(folder, assessed=Assessed.of(folder / "temper.yaml")) as found:
        yield found


def test_two_people_waive_and_approve_without_script(browser: Any, place: tuple[World, str]) -> None:
    world, _ = place
    ana = tab(browser, *place, "ana", java_script_enabled=False)
    ana.goto("/runs/0001")
    ana.get_by_role("link", name="Propose a waiver").click()
    ana.get_by_label("Owner").fill("risk office")
    ana.get_by_label("Why it can be accepted").fill("refunds are capped")
    ana.get_by_label("Last day").fill("2027-06-01")
    ana.get_by_role("button", name="Propose it").click()
    assert "somebody else has to approve it" in ana.inner_text("main")
    ana.goto("/runs/0002/evidence")
    ana.get_by_label("Why it is put up").fill("for spring")
    ana.get_by_role("button", name="Put it up for approval").click()
    pia = tab(browser, *place, "pia", java_script_enabled=False)
    for where, button in (("/waivers/1", "Approve it until 2027-06-01"), ("/approvals/1", "Approve it")):
        pia.goto(where)
        pia.get_by_label("Reason").fill("looked at it")
        pia.get_by_role("button", name=button).click()
        assert pia.get_by_role("status").count() == 1
    assert world.control.waivers.get(1).state == world.control.approvals.get(1).state == "approved"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_pages_of_evidence_can_be_read_named_and_fit(
    browser: Any, place: tuple[World, str], width: int, scheme: str, tmp_path: Path
) -> None:
    world, _ = place
    if not world.control.waivers.page():
        proposed(world)
        asked(world)
    page = tab(browser, *place, "ana", viewport={"width": width, "height": 900}, color_scheme=scheme)
    for where in PAGES:
        page.goto(where)
        page.screenshot(path=tmp_path / f"{where.strip('/').replace('/', '-').split('?')[0]}.png", full_page=True)
        assert page.evaluate(NAMELESS) == [], where
        told = page.evaluate(OUTLINE)
        assert told == {"h1": 1, "mains": 1, "lang": "en", "twice": []} | dict.fromkeys(NONE, 0), where
        assert page.evaluate(FAINT) == [], where
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, where
        assert page.evaluate(SPILT) == [], where
