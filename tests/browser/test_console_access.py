"""The console for everybody: names and labels, contrast, focus and order, narrow and wide, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.console import ailments, marks, served, tab
from temper.core.drill import Slot, Turn
from temper.core.incident import Severity
from temper.core.review import Ruling
from temper.store.control.exercises import Planted
from unit.web_desk import NOW, PAYLOAD, World

pytestmark = marks
PAGES = ("/queue", "/queue?state=closed", "/cases/1", "/cases/2", "/cases/3", "/dashboard", "/agreement")
PAGES += ("/operations", "/audit?verify=1", "/people", "/keys", "/policies", "/policies/1", "/policies/2", "/nowhere")
PAGES += ("/incidents", "/incidents/1", "/incidents/2", "/drills/1", "/drills/2")
AXED = ((1280, "light"), (400, "dark"))
"""Windows in which axe-core looks as well: it takes longer than everything else, and finds the same in the others."""
WINDOWS = [(width, scheme) for width in (1280, 400) for scheme in ("light", "dark")]

NAMELESS = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), textarea, select')]
  .filter((one) => !(one.getAttribute('aria-label') || (one.labels && one.labels.length) || one.innerText?.trim()
    || one.textContent.trim()))
  .map((one) => one.outerHTML.slice(0, 120))"""

NONE = ("lost", "skipped", "mute", "loose", "heads")
OUTLINE = """() => ({
  h1: document.querySelectorAll('h1').length,
  lang: document.documentElement.lang,
  twice: [...document.querySelectorAll('[id]')].map((one) => one.id).filter((id, at, all) => all.indexOf(id) !== at),
  lost: [...document.querySelectorAll('[aria-labelledby], [aria-describedby]')]
    .flatMap((one) => (one.getAttribute('aria-labelledby') || one.getAttribute('aria-describedby')).split(' '))
    .filter((id) => !document.getElementById(id)).length,
  mains: document.querySelectorAll('main').length,
  skipped: [...document.querySelectorAll('h1, h2, h3, h4')].map((one) => +one.tagName[1])
    .filter((level, at, all) => level > (all[at - 1] ?? 0) + 1).length,
  mute: document.querySelectorAll('svg[role=img]:not([aria-label], [aria-labelledby]), img:not([alt])').length,
  loose: [...document.querySelectorAll('ul > *, ol > *')].filter((one) => one.tagName !== 'LI').length,
  heads: [...document.querySelectorAll('table')].filter((one) => !one.querySelector('th[scope=col]')).length,
})"""

SPILT = """() => [...document.querySelectorAll('td, th')].filter(e => e.scrollWidth > e.clientWidth + 1)
  .map(e => e.textContent.trim().replace(/\\s+/g, ' ').slice(0, 60))"""
"""Cells whose words run into the next one."""
FAINT = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(one).backgroundColor);
      if (a > 0.99) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement, style = getComputedStyle(one);
    if (!walk.currentNode.textContent.trim() || !one.checkVisibility() || one.closest('script, .skip')) continue;
    const [a, b] = [light(parse(style.color)), light(behind(one))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)} ${one.outerHTML.slice(0, 80)}`);
  }
  return faint;
}"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    with served(tmp_path_factory.mktemp("console")) as (world, at):
        for number in range(1, 61):
            wide = {f"column_{at}": 10.0**at for at in range(30)}
            payload = PAYLOAD if number > 1 else PAYLOAD | {"rows": [PAYLOAD["rows"][0] | wide]}
            due = NOW + 300.0 * (number + 1)
            world.control.reviews.enqueue(f"r{number}", payload, NOW - 90 * number, due=due, eyes=1 + number % 2)
        reviews = world.control.reviews
        for number, name in ((2, "ana"), (3, "ana"), (3, "ben")):
            held = reviews.claim_one(number, name, NOW)
            verdict = "block" if name == "ben" else "allow"
            reviews.decide(number, name, verdict, "seen before", f"{number}{name}", held.version, NOW)
        measured(world)
        reviews.claim_one(1, "ada", NOW)
        world.control.records.put("breaker", "open", "ada", "slow since noon", NOW)
        world.control.keys.add("fraud-web", "ada", NOW)
        old, new = {"anomaly": {"mode": "shadow"}}, {"anomaly": {"mode": "enforce"}, "decide": {"review": [0.3, 0.6]}}
        policies = world.control.policies
        policies.approve(policies.propose(new, old, "ab" * 32, "ana", "strange rows", NOW).id, "pia", "seen", NOW)
        policies.propose(old | {"threshold": 0.4}, new, "cd" * 32, "ana", "too many false alarms", NOW)
        happened(world)
        yield world, at


def measured(world: World) -> None:
    """Planted cases that were answered, so that there is something to tell of agreement."""
    reviews, grey = world.control.reviews, {"reasons": ["decide: the score is undecided"]}
    for at in range(6):
        reviews.enqueue(f"grey{at}", PAYLOAD | grey | {"score": 0.4 + at / 50}, NOW, priority=-1)
    for lean in Ruling:
        planted = Planted(row=PAYLOAD["rows"][0], truth=Ruling.BLOCK, lean=lean)
        number = world.control.exercises.plant([planted], "pia", NOW)[0]
        held = reviews.claim_one(number, "ben", NOW)
        reviews.decide(number, "ben", lean, "seen before", f"planted {lean}", held.version, NOW)


def happened(world: World) -> None:
    """An incident that is open, one that is over, a drill that failed some and one that was killed."""
    incidents, drills = world.control.incidents, world.control.drills
    incidents.signal(
        "breaker", "The breaker is open", Severity.MAJOR, "20 of 20 failed", "gateway a-0", NOW, "model-down"
    )
    incidents.assign(1, "lead", "pia", "pia", NOW)
    for rank in ("critical", "minor"):
        incidents.rank(1, rank, "pia", NOW)
    incidents.close(incidents.open("Odd scores", "critical", "pia", NOW), "it was the clock", "pia", NOW + 60)
    for at in (0.0, 100.0):
        number = drills.begin("primary-down", "fraud: killed", 10.0, 100.0, 0.5, "sam", NOW - 900 + at)
        slots = [Slot(at=at, full=50 - 3 * at, other=2 * at, failed=at % 3) for at in range(12)]
        drills.follow(number, slots, {turn: 1.0 + 0.2 * at for at, turn in enumerate(Turn)})
    drills.end(1, False, {"failed": 12}, "sam", NOW - 880)


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_every_page_can_be_read_named_and_fits(
    browser: Any, place: tuple[World, str], width: int, scheme: str, tmp_path: Path
) -> None:
    page = tab(browser, *place, "ada", viewport={"width": width, "height": 900}, color_scheme=scheme)
    for where in PAGES:
        page.goto(where)
        picture = tmp_path / f"{where.strip('/').replace('/', '-').split('?')[0]}.png"
        page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 8_000
        assert page.evaluate(NAMELESS) == [], where
        assert page.evaluate(OUTLINE) == {"h1": 1, "mains": 1, "lang": "en", "twice": []} | dict.fromkeys(NONE, 0), (
            where
        )
        assert page.evaluate(FAINT) == [], where
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, where
        assert page.evaluate(SPILT) == [], where
        assert (width, scheme) not in AXED or ailments(page) == [], where


def test_the_door_can_be_read_and_named(browser: Any, place: tuple[World, str]) -> None:
    for scheme in ("light", "dark"):
        page = browser.new_context(base_url=place[1], color_scheme=scheme).new_page()
        page.goto("/login")
        assert (page.evaluate(NAMELESS), page.evaluate(FAINT), ailments(page)) == ([], [], [])


def test_faint_text_a_field_without_a_name_and_words_that_spill_are_noticed(
    browser: Any, place: tuple[World, str]
) -> None:
    page = tab(browser, *place, "ada")
    page.goto("/queue")
    page.evaluate("document.querySelector('main h1').style.color = '#ccd'")
    page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    assert len(page.evaluate(FAINT)) == 1
    assert len(page.evaluate(NAMELESS)) == 1
    assert {one.partition(":")[0] for one in ailments(page)} == {"color-contrast", "label"}
    assert page.evaluate(SPILT) == []
    page.evaluate("""() => {
      const cell = document.querySelector('main').appendChild(document.createElement('table')).insertRow().insertCell();
      cell.textContent = '95.2 % (90.4 % to 98.4 %)';
      Object.assign(cell.style, {display: 'block', width: '60px', whiteSpace: 'nowrap'});
    }""")
    assert page.evaluate(SPILT) == ["95.2 % (90.4 % to 98.4 %)"]


def test_tab_goes_through_a_case_in_the_order_of_the_page_and_shows_where_it_is(
    browser: Any, place: tuple[World, str]
) -> None:
    page = tab(browser, *place, "ada")
    page.goto("/cases/1")
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        at = page.evaluate(
            "(() => { const one = document.activeElement, box = one.getBoundingClientRect();"
            " const all = [...document.querySelectorAll('*')];"
            " return [all.indexOf(one), getComputedStyle(one).outlineStyle, box.width > 0, one.tagName]; })()"
        )
        if at[3] == "BODY" or (seen and at[0] < seen[-1][0]):
            break
        seen.append(at)
    assert len(seen) > 12, "header, sections, lease, verdict, reason, buttons"
    assert [one[0] for one in seen] == sorted(one[0] for one in seen)
    assert {one[1] for one in seen} <= {"solid", "auto"}
    assert all(one[2] for one in seen)
    assert {"INPUT", "TEXTAREA", "BUTTON", "A"} <= {one[3] for one in seen}


def test_a_full_queue_is_on_the_screen_within_300_ms(browser: Any, place: tuple[World, str]) -> None:
    world, at = place
    world.fill(5_000)
    page = tab(browser, world, at, "vera")
    page.goto("/queue")
    shown = "performance.getEntriesByType('navigation')[0]"
    taken = []
    for _ in range(5):
        page.reload()
        taken.append(page.evaluate(f"{shown}.domContentLoadedEventEnd - {shown}.requestStart"))
    assert min(taken) < 300
