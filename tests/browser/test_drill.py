"""The drill on the dashboard, in a real browser: a gateway loses its model under load, and one sees who answers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.console import marks, served, tab
from temper.core.drill import Turn
from temper.demos import fraud
from temper.engine.drill.catalogue import drill_of
from temper.engine.drill.outcome import Drilled
from temper.engine.drill.run import run
from temper.engine.drill.terms import Load
from unit.web_desk import Clock, World

pytestmark = marks
PICTURES = os.environ.get("TEMPER_PICTURES", "")
"""A folder for pictures of what was seen, to be looked at; none are made without it."""
GUARD = """
guard:
  deadline_ms: 400
  extraction: shadow
  control: {control}
  fallback:
    rules: [{{when: "(amount > 400) * (distance_km > 100)", score: 0.9}}]
    otherwise: 0.05
"""


class Wall(Clock):
    """The time of the wall, which a drill has too."""

    def __call__(self) -> float:
        return time.time()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[World, str, Path]]:
    """A console, and a system whose control store it reads."""
    with served(tmp_path) as (world, at):
        path = fraud.write(tmp_path / "bank", 0, customers=300, days=40)
        path.write_text(
            path.read_text(encoding="utf-8") + GUARD.format(control=tmp_path / "control.db"), encoding="utf-8"
        )
        world.clock.__class__ = Wall
        yield world, at, path


def seen(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


def test_failover_and_recovery_are_seen_while_they_happen_and_afterwards(
    browser: Any, place: tuple[World, str, Path]
) -> None:
    world, at, path = place
    page = tab(browser, world, at, "vera")
    page.goto("/dashboard")
    assert page.get_by_text("No drill was recorded").is_visible()
    done: list[Drilled] = []
    told: list[str] = []

    def drilled() -> None:
        done.append(run(path, drill_of("primary-down"), Load(rate=30.0, seconds=40.0), told.append, "sam"))

    thread = threading.Thread(target=drilled)
    thread.start()
    drill = page.locator("section[aria-labelledby=drill]")
    drill.get_by_text("running").wait_for(timeout=60_000)
    drill.locator("rect.full").first.wait_for()
    assert drill.locator("rect.other").count() == 0, "nothing is wrong yet"
    drill.get_by_text("the first answer by the fallback").wait_for(timeout=20_000)
    drill.locator("rect.other").first.wait_for(timeout=20_000)
    drill.get_by_text("the breaker is seen open").wait_for(timeout=20_000)
    assert drill.get_by_text("running").is_visible(), "failover is seen while it happens"
    seen(page, "drill-running")
    drill.get_by_text("the fault is over").wait_for(timeout=60_000)  # the model is started anew, beside other tests
    drill.get_by_text("full quality for everybody again").wait_for(timeout=60_000)
    thread.join(60)
    assert told[1:] == []
    (found,) = done
    drill.locator(".badge", has_text="held").wait_for()
    assert drill.locator("rect.failed").count() == 0
    seen(page, "drill-held")
    kept = world.control.drills.get(1)
    assert kept.held == found.held is True
    assert next(iter(kept.turns)) is Turn.FAULT
    assert set(kept.turns) == set(Turn)
    answered = sum(one.full + one.other + one.failed for one in kept.slots)
    assert answered == found.requests
    assert sum(one.other for one in kept.slots) == found.degraded
    assert world.control.reviews.counts() == dict.fromkeys(world.control.reviews.counts(), 0)
    assert world.control.incidents.counts() == (0, 0), "a drill is no incident"
    page.goto("/drills/1")
    assert page.get_by_role("img").get_attribute("aria-label") == (
        f"Answers over 40 seconds: {found.degraded:,} by the fallback, 0 failed."
    )
    phone = tab(browser, world, at, "vera", viewport={"width": 390, "height": 844}, color_scheme="dark")
    phone.goto("/drills/1")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    seen(phone, "drill-phone")
