"""The workbench in the console: a row is changed and seen at once, saved, rated blind, and set against assumptions."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from temper.core.probe import Standing
from unit.bench_world import bench, flagged
from unit.web_desk import NOW, Answer, World

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World.at(tmp_path, bench=bench())) as found:
        yield found


def words(answer: Answer) -> str:
    """What a person reads of it, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def tried(world: World, name: str = "ana", path: str = "/workbench/now", **changes: str) -> Answer:
    browser = world.browser(name)
    page = browser.get(f"/workbench?row={flagged()}")
    values = {field: page.hidden(field) for field in ("csrf", "start", "key")}
    now = {f"c{at}": text for at, text in enumerate(_values(page)) if at != 2}
    return browser.post(path, values | now | changes)


def _values(page: Answer) -> list[str]:
    row = bench().row(flagged()).row
    assert 'name="c0"' in page.text
    return [str(row[0]), ("chip", "online")[int(row[1])], "", str(row[3])]


def saved(world: World, name: str = "ana", **more: str) -> str:
    answer = tried(world, name, "/probes", c0="30", hypothesis="a small amount passes", technique="AML.T0015", **more)
    assert answer.status == 303, answer.text
    return answer.header("location").partition("?")[0]


def test_a_row_is_shown_with_what_an_attacker_may_do(world: World) -> None:
    page = words(world.browser("ana").get(f"/workbench?row={flagged()}"))
    assert "costs 1 per 100, either way" in page
    assert "out of an attacker's reach" in page
    assert "follows: amount / limit" in page
    assert "SIMULATED DATA" in page
    assert "truly fraud" in page


def test_a_change_is_seen_without_a_script_and_by_itself(world: World) -> None:
    for path in ("/workbench", "/workbench/now"):
        page = words(tried(world, path=path, c0="30"))
        assert "turned, and nothing stops it" in page
        assert "follows" in page
        assert "admissible" in page
    assert "breaks a rule" in words(tried(world, c0="9000"))
    assert "amount 9000 is outside [1, 5000]" in words(tried(world, c0="9000"))
    assert "a person looks at it" in words(tried(world, c0="899", c1="chip"))


def test_what_cannot_be_read_is_said_and_quoted_harmlessly(world: World) -> None:
    answer = tried(world, c0=HOSTILE)
    assert answer.status == 200
    assert "amount cannot be" in words(answer)
    assert "<script>" not in answer.text
    assert tried(world, path="/probes", c0=HOSTILE, hypothesis="x").status == 422


@pytest.mark.parametrize("query", ["row=9", "row=99999999999999999999", "row=x", "finding=F-1&at=x", "row=-1"])
def test_a_row_that_is_not_there_is_a_page_that_says_so(world: World, query: str) -> None:
    assert world.browser("ana").get(f"/workbench?{query}").status in (404, 422)


def test_without_being_told_what_to_load_there_is_no_workbench(tmp_path: Path) -> None:
    with closing(World.at(tmp_path)) as world:
        for path in ("/workbench", "/probes", "/assumptions"):
            assert world.browser("ada").get(path).status == 404
        assert "--workbench" in world.browser("ada").get("/workbench").text


def test_a_viewer_reads_probes_and_tries_nothing(world: World) -> None:
    where = saved(world)
    viewer = world.browser("vera")
    assert "a small amount passes" in viewer.get(where).text
    assert viewer.get("/workbench").status == 403
    assert "Rate it" not in viewer.get(where).text


def test_a_probe_is_saved_once_and_told_on_its_page(world: World) -> None:
    where = saved(world)
    page = words(world.browser("ana").get(where))
    for text in (
        "a small amount passes",
        "AML.T0015 Evade AI Model",
        "held-out row",
        "by ana",
        "turned, and nothing stops it",
    ):
        assert text in page, text
    assert len(world.control.probes.page("payments", "ana")) == 1
    browser = world.browser("ana")
    form = browser.get(f"/workbench?row={flagged()}")
    fields = {field: form.hidden(field) for field in ("csrf", "start", "key")} | {"hypothesis": "twice"}
    assert browser.post("/probes", fields).header("location") == browser.post("/probes", fields).header("location")
    assert len(world.control.probes.page("payments", "ana")) == 2


def test_others_rate_before_they_see_whose_it_is(world: World) -> None:
    where = saved(world)
    rater = world.browser("ben")
    assert " ana" not in words(rater.get(where)).replace("analyst", "")
    assert "hidden until you have rated it" in rater.get("/probes").text
    assert rater.send(where, f"{where}/rate", severity="major", reason="a loss").status == 303
    assert "by ana" in words(rater.get(where))
    assert rater.send(where, f"{where}/rate", severity="minor", reason="again").status == 409
    author = world.browser("ana")
    assert "major" in words(author.get(where))
    assert author.send(where, f"{where}/rate", severity="none", reason="mine").status == 403
    assert author.send(where, f"{where}/rate", severity="awful", reason="mine").status == 422


def test_an_assumption_falls_by_a_probe(world: World) -> None:
    browser = world.browser("tess")
    page = browser.get("/assumptions")
    form = {"csrf": page.hidden("csrf"), "key": page.hidden("key"), "text": "small amounts do no harm"}
    assert [browser.post("/assumptions", form).status for _ in "ab"] == [303, 303]
    where = saved(world, **{"assumption-1": "1"})
    assert "Challenges: small amounts do no harm" in words(world.browser("ana").get(where))
    number = where.rpartition("/")[2]
    fallen = {"standing": "fallen", "reason": "see the probe", "probe": number}
    assert browser.send("/assumptions", "/assumptions/1/challenge", **fallen).status == 303
    (one,) = world.control.probes.assumptions("payments")
    assert one.standing is Standing.FALLEN
    assert f"probe {number}" in words(browser.get("/assumptions"))
    assert browser.send("/assumptions", "/assumptions/7/challenge", **fallen).status == 404
    assert browser.send("/assumptions", "/assumptions/1/challenge", **(fallen | {"standing": "x"})).status == 422


def test_a_hostile_hypothesis_is_shown_and_does_not_act(world: World) -> None:
    answer = tried(world, path="/probes", hypothesis=HOSTILE)
    for path in (answer.header("location"), "/probes"):
        page = world.browser("ben").get(path).text
        assert "<script>alert" not in page
        assert html.escape("<script>alert(1)</script>", quote=False) in page
    for bad in ("a\x00b", "\u202egnp", "x" * 2_001):
        assert tried(world, path="/probes", hypothesis=bad).status == 422


def test_a_probe_is_handed_to_the_machine_once_and_told_on_its_page(world: World) -> None:
    where = saved(world)
    browser = world.browser("tess")
    page = browser.get(where)
    form = {"csrf": page.hidden("csrf"), "key": page.hidden("key"), "hand": "minimal"}
    assert [browser.post(f"{where}/hand", form).status for _ in "ab"] == [303, 303]
    (job,) = world.control.jobs.page()
    assert (job.order.probe, job.order.hand, job.by) == (1, "minimal", "tess")
    assert Path(job.order.config).is_absolute()
    taken = world.control.jobs.claim("w", NOW)
    row = [float(value) for value in bench().row(flagged()).row]
    row[0] = 880.0
    told = {"probe": 1, "hand": "minimal", "verdict": "fail", "text": "probe 1\n<b>cost</b> 0.2", "assessed": ""}
    world.control.jobs.end(taken, 1, told | {"row": row}, "", NOW + 3)
    text = browser.get(f"{where}/machine").text
    assert "still there" in text
    assert "<b>cost" not in text
    assert "880" in words(browser.get("/workbench?job=1"))
    assert "probe 1: minimal" in words(browser.get("/jobs/1"))
    assert browser.post(f"{where}/hand", form | {"hand": "burn"}).status == 422
    assert "Order it" not in world.browser("vera").get(where).text
    assert world.browser("tess").get("/workbench?job=77").status == 404


def test_coverage_names_what_nobody_has_tried_and_how_far_raters_agree(world: World) -> None:
    before = words(world.browser("ana").get("/coverage"))
    assert "AML.T0015 Evade AI Model" in before.partition("Tried ")[0]
    where = saved(world)
    for name, word in (("ben", "major"), ("tess", "major")):
        browser = world.browser(name)
        assert browser.get("/probes/report").status == 409, "a report names everybody"
        browser.send(where, f"{where}/rate", severity=word, reason="a loss")
    page = words(world.browser("ben").get("/coverage"))
    assert "AML.T0015" not in page.partition("Tried ")[0].partition("Nobody")[2]
    assert "1 of 1 of the probes with two ratings" in page
    report = world.browser("ben").get("/probes/report")
    assert "attachment" in report.header("content-disposition")
    assert "a small amount passes" in report.text
    told = json.loads(world.browser("ben").get("/probes/report?format=json").text)
    assert told["agreement"]["agreed"] == told["agreement"]["n"] == 1
