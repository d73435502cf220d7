"""A finding is shown again from its page: ordered once, carried out by a worker, told where it was asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from temper.api import job
from temper.core.job import JobState, Order
from temper.engine.replay import Replay
from temper.engine.worker import Ended
from unit.kept_runs import assessed
from unit.test_web_runs import words
from unit.web_desk import NOW, World

PAGE = "/runs/0001/findings/F-7c1e22"
TEXT = "F-7c1e22: Hop\n  kept adversarial rows that still change sides: 3 of 3\n<b>STILL</b> THERE"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with assessed(tmp_path) as found:
        yield found


def order(world: World, name: str = "ana") -> str:
    browser = world.browser(name)
    page = browser.get(PAGE)
    form = {"csrf": page.hidden("csrf"), "key": page.hidden("key")}
    first, _ = (browser.post(f"{PAGE}/replay", form).header("location") for _ in "ab")
    return first


def test_it_is_ordered_once_and_told_on_its_page(world: World) -> None:
    assert order(world) == f"{PAGE}?said=ordered"
    (one,) = world.control.jobs.page()
    assert (one.order.finding, one.by, one.order.suite) == ("F-7c1e22", "ana", "quick")
    assert Path(one.order.config).is_absolute()
    browser = world.browser("pia")
    assert f'action="{PAGE}/replay"' not in browser.get(PAGE).text, "one is on its way"
    taken = world.control.jobs.claim("w", NOW)
    assert "running" in words(browser.get(f"{PAGE}/replays").text)
    result = {"finding": "F-7c1e22", "verdict": "fail", "text": TEXT, "assessed": ""}
    assert world.control.jobs.end(taken, 1, result, "", NOW + 3) is JobState.DONE
    page = browser.get(PAGE).text
    assert "still there" in page
    assert "3 of 3" in page
    assert "<b>STILL" not in page
    for list_ in ("/jobs", "/jobs/1"):
        assert "still there" in browser.get(list_).text
    assert order(world, "pia") == f"{PAGE}?said=ordered", "and again, when it is over"
    assert [entry.action for entry in world.control.audit.page() if entry.action.startswith("job")] == [
        "job.put", "job.done", "job.put",
    ]  # fmt: skip


def test_a_viewer_orders_nothing_and_another_finding_is_none(world: World) -> None:
    viewer = world.browser("vera")
    assert "Show it again" not in viewer.get(PAGE).text
    assert viewer.post(f"{PAGE}/replay", {"csrf": viewer.get(PAGE).hidden("csrf"), "key": "a" * 16}).status == 403
    browser = world.browser("ana")
    csrf = browser.get(PAGE).hidden("csrf")
    assert browser.post("/runs/0001/findings/F-0/replay", {"csrf": csrf, "key": "a" * 16}).status == 404
    assert browser.post(f"{PAGE}/replay", {"csrf": csrf, "key": "../x"}).status == 422
    assert world.control.jobs.page() == []


@pytest.mark.parametrize(("there", "code", "verdict"), [(True, 1, "fail"), (False, 0, "pass")])
def test_a_worker_replays_and_says_what_it_saw(
    world: World, monkeypatch: pytest.MonkeyPatch, there: bool, code: int, verdict: str
) -> None:
    """The replay itself is tested beside the engine; here is what a job makes of it."""
    import temper.api

    asked = []
    monkeypatch.setattr(job, "running", lambda order: type("System", (), {"apart": "v2 (cd12)"})())
    monkeypatch.setattr(
        temper.api, "replay", lambda system, name, store: asked.append(name) or Replay(text=TEXT, still_there=there)
    )
    order(world)
    taken = world.control.jobs.claim("w", NOW)
    got, result = job.perform(taken.order, io.StringIO())
    assert (got, result["verdict"], result["text"], result["assessed"]) == (code, verdict, TEXT, "v2 (cd12)")
    assert asked == ["F-7c1e22"]
    state = world.control.jobs.end(taken, got, result, "", NOW + 3)
    told = Ended(job=taken, state=state, code=got, result=result, log="").told
    assert told.endswith("<b>STILL</b> THERE")
    assert "on v2 (cd12)" in words(world.browser("vera").get(PAGE).text)


def test_one_that_could_not_be_finished_says_why(world: World) -> None:
    world.control.jobs.put(Order(key="replay:F-7c1e22:x", why="w", config="c", finding="F-7c1e22"), "ana", NOW)
    taken = world.control.jobs.claim("w", NOW)
    world.control.jobs.end(taken, 2, {}, "error: no such file", NOW + 1)
    told = words(world.browser("vera").get(PAGE).text)
    assert "given up" in told
    assert "error: no such file" in told
