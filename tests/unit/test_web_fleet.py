"""The fleet page: every system as it stands, chosen and sorted without a script, looked at beside the pages."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from temper.core.errors import StoreError
from temper.core.requirement import Verdict
from temper.core.risk import Register
from temper.core.watch import Seen, Watched
from temper.store.database import Store
from temper.testing.records import HOSTILE, record
from temper.web import board
from temper.web.assessed import Assessed
from unit.test_case import FLAT, risk
from unit.web_desk import NOW, World

DAY = 86_400.0
CONFIG = "system: {{name: {}}}\nmonitor: {{feed: payments, time: at}}\n"


def made(run, system, days, verdict=Verdict.PASS, risk=None):
    begun = datetime.fromtimestamp(NOW - days * DAY, UTC).isoformat()
    return replace(record(), id=run, system=system, started=begun, verdict=verdict, risk=risk)


def system(folder, name, *runs):
    folder.mkdir(exist_ok=True)
    (folder / "temper.yaml").write_text(CONFIG.format(name))
    store = Store.open(folder)
    for one in runs:
        store.save_run(one)
    return folder / "temper.yaml"


def portfolio_in(tmp_path):
    system(tmp_path / "fraud", "fraud", made("0001", "fraud", 400), made("0002", "fraud", 100, Verdict.FAIL))
    system(tmp_path / "signs", "signs", made("0001", "signs", 1))
    system(tmp_path / "credit", "credit")
    path = tmp_path / "portfolio.yaml"
    path.write_text(
        "name: bank\nsystems:\n"
        "  - {path: fraud, owner: cards, tier: high, tags: [pci]}\n  - {path: signs, owner: roads, tier: low}\n"
        "  - {path: credit}\n  - {path: nowhere}\n"
    )
    return path


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """A console on a portfolio, to be read."""
    folder = tmp_path_factory.mktemp("fleet")
    return opened(folder, portfolio_in(folder)).browser("vera")


def opened(tmp_path, portfolio=None):
    config = system(tmp_path / "own", "fraud")
    about = Assessed.of(config)
    return World.at(tmp_path, assessed=about, board=board.Board(about, portfolio))


def names(answer):
    assert answer.status == 200
    cells = re.findall(r'<td data-label="System">(?:<a[^>]*>)?([^<]*)', answer.text)
    return [cell.strip() for cell in cells]


def test_every_system_has_a_line_with_all_that_is_known_and_the_most_pressing_is_first(bank):
    page = bank.get("/fleet")
    assert names(page) == ["fraud", "credit", "signs"]
    rows = page.text.split("<tr data-row>")[1:]
    for words in ("FAIL", "100 d", "evasion", "cards", "high", "pci"):
        assert words in rows[0]
    assert "never assessed" in rows[1]
    assert "everything" in rows[1]
    assert "PASS" in rows[2]
    assert "Broken entries" in page.text
    assert "nowhere" in page.text
    assert 'aria-current="page">Fleet' in page.text
    assert "/runs/" not in rows[0], "the run is in another store than this console's"


@pytest.mark.parametrize(("asked", "there"), [
    ("?verdict=fail", ["fraud"]), ("?verdict=never", ["credit"]), ("?needs=stale", ["fraud", "credit"]),
    ("?owner=roads", ["signs"]), ("?tier=high&owner=cards", ["fraud"]), ("?tier=high&owner=roads", []),
    ("?name=SIG", ["signs"]), ("?verdict=nonsense&owner=%3Cscript%3E", ["fraud", "credit", "signs"]),
    ("?sort=system", ["credit", "fraud", "signs"]), ("?sort=-system", ["signs", "fraud", "credit"]),
    ("?sort=age", ["fraud", "signs", "credit"]), ("?sort=tier", ["fraud", "credit", "signs"]),
    ("?sort=owner", ["fraud", "signs", "credit"]), ("?sort=nonsense", ["fraud", "credit", "signs"]),
])  # fmt: skip
def test_systems_are_chosen_and_sorted(bank, asked, there):
    page = bank.get(f"/fleet{asked}")
    assert names(page) == there
    if asked == "?sort=system":
        assert 'aria-sort="ascending"' in page.text
        assert "sort=-system" in page.text


def test_without_a_portfolio_the_systems_are_those_of_the_store_with_their_risk(tmp_path):
    grave = Register(unit="EUR", appetite=100.0, risks=(risk(),), total_before=FLAT, total=FLAT)
    world = opened(tmp_path)
    store = Store.open(tmp_path / "own")
    for run, name in (("0001", "fraud"), ("0002", HOSTILE.replace("\0", "").replace("\ud800", ""))):
        store.save_run(made(run, name, 2, risk=grave if name == "fraud" else None))
    page = world.browser("vera").get("/fleet")
    assert len(names(page)) == 2
    assert "<script>alert" not in page.text
    assert (risk().rating in page.text, "EUR" in page.text) == (True, True)
    assert 'href="/runs/0001"' in page.text


def test_a_later_look_is_made_beside_and_a_store_that_fails_leaves_the_last(tmp_path, monkeypatch):
    world = opened(tmp_path, portfolio_in(tmp_path))
    browser, looked = world.browser("vera"), threading.Event()
    assert len(names(browser.get("/fleet"))) == 3
    Store.open(tmp_path / "credit").save_run(made("0001", "credit", 1))
    world.clock.now += board.FRESH - 1
    assert names(browser.get("/fleet?verdict=never")) == ["credit"], "a look that is fresh stands"
    world.clock.now += 2
    beside = board.Board._beside
    monkeypatch.setattr(board.Board, "_beside", lambda self, now: (beside(self, now), looked.set()))
    assert names(browser.get("/fleet?verdict=never")) == ["credit"], "nobody waits for the next"
    assert looked.wait(30)
    assert len(names(browser.get("/fleet?verdict=pass"))) == 2

    def away(*_):
        raise StoreError("the database cannot be reached")

    looked.clear()
    monkeypatch.setattr(board, "load_portfolio", away)
    world.clock.now += board.FRESH + 1
    browser.get("/fleet")
    assert looked.wait(30)
    page = browser.get("/fleet")
    assert len(names(page)) == 3
    assert "cannot be reached" in page.text


def test_without_runs_there_is_no_fleet_and_one_system_needs_no_link_to_it(tmp_path):
    assert World.at(tmp_path).browser("vera").get("/fleet").status == 404
    page = opened(tmp_path).browser("vera").get("/fleet")
    assert page.status == 200
    assert "There is no system yet" in page.text
    assert ">Fleet</a>" not in page.text


def test_a_feed_of_any_system_of_the_store_is_told_by_the_reference_its_run_was_kept_with(tmp_path):
    config = system(tmp_path / "own", "fraud")
    about = Assessed.of(config)
    digests = (*record().digests, ("monitoring reference", "r1"))
    Store.open(tmp_path / "own").save_run(replace(made("0001", "credit", 2), digests=digests))
    world = World.at(tmp_path, assessed=about)
    window = Watched(start=NOW - 7_200, ends=NOW - 3_600, rows=9, seen=Seen.FAIL, tests=3, needed=None)
    world.control.windows.keep("feed", "r1", [window], NOW)
    page = world.browser("vera").get("/fleet")
    assert names(page) == ["credit"]
    assert "something since" in page.text
    assert "as of 1 h ago" in page.text
    Store.open(tmp_path / "own").save_run(replace(made("0002", "twin", 2), digests=digests))
    told = board.Board(about, control=world.control)._of_store(NOW).situations
    assert [one.drift for one in told] == ["", ""], "nobody can say which of the two it is"
