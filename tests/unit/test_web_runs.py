"""Pages of runs and of the loop: what they say, where they lead, and that nothing in them acts."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from temper.core.incident import Severity
from temper.store.codec import to_json, wrap
from temper.store.database import Store
from unit.kept_runs import HOP, LEAK, RUNS, assessed, record
from unit.web_desk import NOW, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with assessed(tmp_path_factory.mktemp("runs")) as found:
        yield found


def words(text: str) -> str:
    """A page without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_the_overview_says_of_every_stage_what_is_there_and_what_is_missing(world: World) -> None:
    text = world.browser("vera").get("/").text
    told = words(text)
    for said in (
        "Threats 2 scenarios 1 high, 1 low 1 left out",
        "Attacks and stress 1 finding",
        "Validation PASS 1 of 1 requirements pass",
        "Hardening 1 of 2 fixed since the model before (run 0001)",
        "Guard no gateway",
        "Monitoring nothing is watched Next: temper monitor run",
        "Response no incident yet",
    ):
        assert said in told, said
    assert "poisoning : never measured" in told
    assert "evasion : stale, run 0002" in told, "attacks were added since"


def test_from_the_overview_to_the_adversarial_row(tmp_path: Path) -> None:
    with assessed(tmp_path, RUNS[:1]) as world:
        browser = world.browser("vera")
        link = re.search(r'href="(/runs/0001/findings/[^"]+)"', browser.get("/").text)
        assert link, "one click"
        text = browser.get(link[1]).text
    row = re.search(r"<tr><th scope=\"row\">amount.*?</tr>", text)
    assert row
    assert "<del>231.00</del>" in row[0]
    assert "<ins>214.50</ins>" in row[0]
    assert re.search(r"<tr class=\"derived\"><th scope=\"row\">per_day.*?follows", text)
    assert "62 % " in words(text)
    assert "n = 100" in words(text)
    assert "random: 2 %" in words(text)
    assert "temper harden --for F-7c1e22" in text


def test_a_run_shows_what_was_required_with_interval_and_n(world: World) -> None:
    told = words(world.browser("vera").get("/runs/0001").text)
    assert "62 % 95 % interval 52 % to 72 % n = 100; random: 2 %" in told
    assert "does not meet its policy" in told
    assert "amount 231.00 → becomes 214.50" in told
    figures = words(world.browser("vera").get("/runs/0001/figures").text)
    assert "ERROR : the model crashed" in figures
    assert "fairness gap 5 %" in figures


def test_one_kind_of_figures_is_shown_where_there_are_many(tmp_path: Path) -> None:
    from unit.kept_runs import figure

    many = tuple(figure("stress.noise", f"m{at}", 0.1) for at in range(200))
    big = record("0001", 1, 0.1, "a", measurements=(figure("evasion.hop", "success_rate", 0.1), *many))
    with assessed(tmp_path, (big,)) as world:
        first = world.browser("vera").get("/runs/0001/figures").text
        assert "success rate" in first
        assert "m150" not in first
        assert "m150" in world.browser("vera").get("/runs/0001/figures?kind=stress").text


def test_runs_are_filtered_and_turned_page_by_page(tmp_path: Path) -> None:
    runs = tuple(record(f"{at:04}", 1, 0.62 if at % 2 else 0.1, "a") for at in range(1, 50))
    with assessed(tmp_path, (*runs, record("0050", 2, 0.1, "a", suite="deep"))) as world:
        browser = world.browser("vera")
        first, second = (browser.get(f"/runs?page={page}").text for page in (1, 2))
        assert len(re.findall("<tr data-row>", first)) == 40
        assert len(re.findall("<tr data-row>", second)) == 10
        failed = browser.get("/runs?verdict=fail").text
        assert len(re.findall("<tr data-row>", failed)) == 25
        deep = browser.get("/runs?suite=deep&verdict=nonsense").text
        assert re.findall('href="/runs/([0-9]+)" data-open', deep) == ["0050"]


def test_a_stopped_run_is_not_shown_as_passed(world: World) -> None:
    row = re.search(
        r'<tr data-row>\s*<td data-label="Run" class="fig"><a href="/runs/0003".*?</tr>',
        world.browser("vera").get("/runs").text,
        re.S,
    )
    assert row
    assert "INCONCLUSIVE" in row[0]
    assert "stopped" in row[0]
    assert "Not complete" in world.browser("vera").get("/runs/0003").text


def test_two_runs_side_by_side(world: World) -> None:
    told = words(world.browser("vera").get("/runs/0002/compare").text)
    assert "Fixed Hop: 62 of 100" in told
    assert "Better Figure" in told
    assert "62 % 10 % −52 points" in told
    other = words(world.browser("vera").get("/runs/0001/compare?with=0002").text)
    assert "New Hop: 62 of 100" in other
    assert "Worse Figure" in other
    assert "no earlier finished run" in world.browser("vera").get("/runs/0001/compare").text


@pytest.mark.parametrize("path", ["/runs/0009", "/runs/0001/findings/F-none", "/runs/0001/compare?with=77", "/jobs/9"])
def test_what_is_not_there_is_said(world: World, path: str) -> None:
    assert world.browser("vera").get(path).status == 404


def test_text_of_findings_is_inert(world: World) -> None:
    text = world.browser("vera").get("/runs/0001").text
    assert "<i>Members</i>" not in text
    assert "&lt;i&gt;Members" in text


def test_the_report_that_was_written_is_given_as_a_file(tmp_path: Path) -> None:
    with assessed(tmp_path) as world:
        browser = world.browser("vera")
        assert browser.get("/runs/0001/report").status == 404
        place = tmp_path / "runs" / "0001" / "report.html"
        place.parent.mkdir(parents=True)
        place.write_text("<p>the report</p>")
        answer = browser.get("/runs/0001/report")
        assert answer.header("content-disposition").startswith("attachment")
        assert "/runs/0001/report" in browser.get("/runs/0001").text


def test_stages_of_service_are_read_from_the_control_store(tmp_path: Path) -> None:
    with assessed(tmp_path, ()) as world:
        told = words(world.browser("vera").get("/").text)
        assert "Nothing was assessed yet" in told
        assert "Next: temper threats" in told
        world.control.records.put("kill", True, "ada", "x", NOW)
        world.control.incidents.signal("breaker", "The breaker is open", Severity.MAJOR, "20 failed", "n0", NOW)
        told = words(world.browser("vera").get("/").text)
        assert "Guard kill switch on" in told
        assert "Response 1 open The breaker is open" in told


def test_a_temper_yaml_that_breaks_takes_no_page_away(tmp_path: Path) -> None:
    with assessed(tmp_path) as world:
        (tmp_path / "temper.yaml").write_text("monitor: {feeed: x}\n")
        answer = world.browser("vera").get("/")
    assert answer.status == 200
    assert "cannot be told" in answer.text


def _kept_as_before(path: Path) -> None:
    """Write the runs into a store of two migrations, as it was done then."""
    with closing(sqlite3.connect(path)) as database, database:
        for one in RUNS:
            found = [(each.id, one.id, each.task, to_json(wrap("temper.finding", each))) for each in one.findings]
            document = to_json(wrap("temper.run", one))
            database.execute("INSERT INTO runs VALUES (?, ?, 'open', ?)", (one.id, one.started, document))
            database.executemany("INSERT INTO findings VALUES (?, ?, ?, ?)", found)
            database.execute("UPDATE runs SET state = ? WHERE id = ?", (one.state, one.id))


def test_a_store_of_before_gets_its_outlines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from temper.store import migrate

    every = migrate.migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: every[:2])
    _kept_as_before(Store.open(tmp_path).path)
    monkeypatch.setattr(migrate, "migrations", lambda: every)
    moved, fresh = Store.open(tmp_path), Store.open(tmp_path / "fresh.db")
    for one in RUNS:
        fresh.save_run(one)
    assert moved.outlines() == fresh.outlines()
    assert [one.run for one in moved.outlines(verdict="pass", state="finished")] == ["0002"]
    assert moved.measured("card-fraud", "aaaa1111") == fresh.measured("card-fraud", "aaaa1111")
    assert {one.id for one, _ in moved.findings("0001", "0002")} == {HOP.id, LEAK.id}
