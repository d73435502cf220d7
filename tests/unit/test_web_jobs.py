"""Jobs in the console: ordered once by whoever may, audited, shown while they run, and made anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from temper.core.job import JobState, Order
from unit.kept_runs import assessed
from unit.test_web_runs import words
from unit.web_desk import NOW, World

FORM = {"suite": "quick", "why": "release 12", "part-evasion": "1", "part-stress": "1"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with assessed(tmp_path) as found:
        yield found


def ordered(world: World, name: str = "ana", **more: str) -> tuple[int, str]:
    browser = world.browser(name)
    page = browser.get("/jobs")
    answer = browser.post("/jobs", {"csrf": page.hidden("csrf"), "key": page.hidden("key")} | FORM | more)
    return answer.status, answer.header("location")


def test_an_order_is_put_and_stands_in_the_audit(world: World) -> None:
    assert ordered(world) == (303, "/jobs/1?said=ordered")
    (job,) = world.control.jobs.page()
    assert (job.by, job.order.only, job.order.suite, job.order.why) == (
        "ana",
        ("evasion", "stress"),
        "quick",
        "release 12",
    )
    assert Path(job.order.config).name == "temper.yaml"
    assert Path(job.order.config).is_absolute()
    (entry,) = [one for one in world.control.audit.page() if one.action == "job.put"]
    assert (entry.who, entry.detail["why"]) == ("ana", "release 12")
    assert "release 12" in world.browser("vera").get("/jobs/1").text


def test_a_form_that_is_sent_twice_orders_once(world: World) -> None:
    browser = world.browser("ana")
    page = browser.get("/jobs")
    form = {"csrf": page.hidden("csrf"), "key": page.hidden("key")} | FORM
    assert {browser.post("/jobs", form).header("location").partition("?")[0] for _ in "ab"} == {"/jobs/1"}
    assert len(world.control.jobs.page()) == 1
    assert ordered(world)[1] == "/jobs/2?said=ordered", "another page is another order"


def test_a_viewer_orders_nothing_and_no_other_site_does(world: World) -> None:
    viewer = world.browser("vera")
    page = viewer.get("/jobs")
    assert 'name="why"' not in page.text
    assert viewer.post("/jobs", {"csrf": page.hidden("csrf"), "key": "a" * 16} | FORM).status == 403
    assert world.browser("ana").post("/jobs", {"csrf": "x", "key": "a" * 16} | FORM).status == 403
    assert world.control.jobs.page() == []


@pytest.mark.parametrize("wrong", [{"suite": "endless"}, {"key": "x"}, {"why": " "}, {"why": "a" * 300}])
def test_an_order_that_makes_no_sense_is_refused(world: World, wrong: dict[str, str]) -> None:
    assert ordered(world, **wrong)[0] == 422
    assert world.control.jobs.page() == []


def test_a_job_is_followed_from_waiting_to_its_run(world: World) -> None:
    ordered(world)
    browser, jobs = world.browser("vera"), world.control.jobs
    world.clock.now += 90
    assert "nobody takes them" in browser.get("/jobs/now").text
    job = jobs.claim("desk", NOW + 90)
    jobs.renew(job, "3 of 12 evasion.hop", NOW + 95)
    shown = browser.get("/jobs/now").text
    assert "nobody takes them" not in shown
    assert 'width="25.0"' in shown
    assert "3 of 12 evasion.hop" in words(shown)
    assert "Make it anew" not in browser.get("/jobs/1/now").text
    assert jobs.end(job, 1, {"run": "0001", "verdict": "fail", "report": "r"}, "said last", NOW + 99) is JobState.DONE
    over = browser.get("/jobs/1/now").text
    assert "FAIL" in over
    assert 'href="/runs/0001"' in over
    assert "said last" in over
    assert "Make it anew" in world.browser("ana").get("/jobs/1").text
    assert world.browser("ana").send("/jobs/1", "/jobs/1/again").status == 303
    assert jobs.get(1).state is JobState.WAITING


def test_a_renewal_of_stale_evidence_is_two_clicks(world: World) -> None:
    browser = world.browser("ana")
    link = re.search(r'href="(/jobs\?part=evasion#order)"', browser.get("/").text)
    assert link, "its attacks are old ones"
    assert re.search(r'name="part-evasion" value="1" checked', browser.get(link[1].partition("#")[0]).text)


def test_what_printed_and_why_are_inert(world: World) -> None:
    world.control.jobs.put(Order(key="k", why="<b>x</b>", config="c"), "monitor", NOW)
    job = world.control.jobs.claim("w", NOW)
    world.control.jobs.end(job, 2, {}, "<script>alert(1)</script>", NOW)
    text = world.browser("vera").get("/jobs/1").text
    assert "<b>x</b>" not in text
    assert "<script>alert" not in text
    assert "given up" in text
