"""The log of a gateway: one line for each event whatever is in it, a flood is a sum, and nobody ever waits for it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_gateway import GUARD, asked, folder, gateway, models, written
from temper.core.errors import ConfigError, StoreError
from temper.gateway.events import EVENTS, Told, record_of, tell
from temper.gateway.log import FEW, FORMATS, Log, Signals, line, logged
from temper.gateway.tables.build import Gateway
from temper.gateway.tables.watching import Watching

__all__ = ["folder", "gateway", "models"]
PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "operations.md").read_text(encoding="utf-8")
HOSTILE = 'x\r\n{"event":"gateway.stopped"}\u2028\u2029\x85\x1b[2J\x7f\x00\u202e\ud800'


def lines(work: Callable[[], Any], form: str = "json", level: str = "info") -> list[Any]:
    stream = io.StringIO()
    with logged(Signals(form=form, level=level), stream):
        work()
    text = stream.getvalue()
    assert text == "" or text.endswith("\n")
    return [json.loads(one) if form == "json" else one for one in text.splitlines()]


@pytest.mark.parametrize("form", FORMATS)
@given(
    value=st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.just(HOSTILE)), name=st.sampled_from([*EVENTS])
)
def test_whatever_a_field_holds_is_one_line_of_printable_ascii(form: str, value: Any, name: str) -> None:
    found = line(record_of(Told(name, {"why": value, "more": 7})), form)
    assert re.fullmatch(r"[ -~]+", found)
    if form == "json":
        document = json.loads(found)
        assert (document["event"], document["more"]) == (name, 7)
        assert [*document][:4] == ["time", "level", "event", "means"]


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_library_says_is_its_first_line_without_the_traceback(form: str) -> None:
    def work() -> None:
        try:
            raise ValueError("row 4111 1111")
        except ValueError:
            logging.getLogger("asyncio").exception("it failed\nrow 4111 1111")
        warnings.warn("a library warns", RuntimeWarning, stacklevel=1)
        logging.getLogger("uvicorn").info("not worth a line")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        found = lines(work, form)
    assert len(found) == 2
    assert "4111" not in str(found)
    assert "ValueError" in str(found[0])
    assert "a library warns" in str(found[1])


def test_a_flood_is_ten_lines_and_a_sum_and_hides_nothing_else() -> None:
    def work() -> None:
        for at in range(5_000):
            tell("key.refused", status=401)
            if at == 4_000:
                tell("ledger.failing", why="full")

    found = lines(work)
    refused = [one for one in found if one["event"] == "key.refused"]
    assert len(refused) == FEW + 1
    assert refused[-1]["more"] == 5_000 - FEW
    assert [one["event"] for one in found if one["event"] != "key.refused"] == ["ledger.failing"]


def test_a_new_window_begins_with_lines_again() -> None:
    stream = io.StringIO()
    log = Log("json", stream, seconds=0.05)
    log.begin()
    for _ in range(2):
        for _ in range(FEW + 3):
            log.handle(record_of(Told("quota.refused", {})))
        until = time.monotonic() + 5
        while stream.getvalue().count('"more":3') < 1 and time.monotonic() < until:
            time.sleep(0.01)
    log.close()
    found = [json.loads(one) for one in stream.getvalue().splitlines()]
    assert sum("more" not in one for one in found) == 2 * FEW
    assert sum(one.get("more", 0) for one in found) == 6


def test_a_stderr_that_takes_nothing_holds_nobody_up_and_what_is_missing_is_counted() -> None:
    gate = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            gate.wait(20)
            return super().write(text)

    stream = Stuck()
    log = Log("json", stream, room=5, seconds=60.0)
    log.begin()
    events = [name for name in EVENTS if name != "log.dropped"]
    began = time.monotonic()
    for name in events:
        log.handle(record_of(Told(name, {})))
    assert time.monotonic() - began < 1.0
    assert log.dropped >= len(events) - 6
    missing = log.dropped
    gate.set()
    log.close()
    found = [json.loads(one) for one in stream.getvalue().splitlines()]
    assert sum(one.get("lines", 0) for one in found) == missing
    assert len([one for one in found if one["event"] != "log.dropped"]) == len(events) - missing


def test_a_stderr_nobody_reads_any_more_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    log = Log("text", stream)
    log.begin()
    tell("gateway.started")
    log.handle(record_of(Told("gateway.started", {})))
    log.close()
    assert log.dropped == 1
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_levels_and_forms() -> None:
    def work() -> None:
        tell("gateway.started")
        tell("key.refused")
        tell("ledger.failing")

    assert [one["event"] for one in lines(work)] == ["gateway.started", "key.refused", "ledger.failing"]
    assert [one["event"] for one in lines(work, level="warning")] == ["key.refused", "ledger.failing"]
    assert [one["event"] for one in lines(work, level="error")] == ["ledger.failing"]
    assert re.fullmatch(r"\S+Z ERROR ledger\.failing: .+", lines(work, "text", "error")[0])
    with pytest.raises(ConfigError, match="text, json"):
        Signals(form="xml")


def test_after_the_log_everything_is_as_before() -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogger("temper").level
    lines(lambda: tell("gateway.started"))
    assert (root.handlers[:], root.level, logging.getLogger("temper").level) == before


def test_no_header_or_field_of_a_request_gets_into_a_line(folder: Path) -> None:
    """Keys, ids, columns and words that try to end a line, and secrets: none of it is there, and no line is forged."""
    from temper.gateway.tables.build import opened

    secret = "s3cret-and-long-4111"
    written(folder, GUARD.replace("  open: true\n", ""))
    found = opened(folder / "temper.yaml")
    token = found.control.keys.add("shop", "ada", time.time())
    found.tending._keys()
    kid = token.partition(".")[0]
    hostile = f"{HOSTILE}.x".encode("utf-8", "replace").decode("latin-1")
    heads = [f"Bearer {one}" for one in (f"{kid}.{secret}", secret, hostile, token)]
    bodies = [json.dumps({HOSTILE: secret}), json.dumps({"row": {"a": secret, HOSTILE: 1}, "id": HOSTILE})]

    async def story() -> None:
        for head in heads:
            for body in bodies:
                await told(found, body.encode(), head)

    got = lines(lambda: asyncio.run(story()))
    found.close()
    assert {one["event"] for one in got} == {"key.refused", "request.refused"}
    assert {one.get("key", "") for one in got} == {kid, ""}
    text = json.dumps(got)
    assert secret not in text
    assert token not in text
    assert "gateway.stopped" not in text


async def told(app: Any, body: bytes, authorization: str, path: str = "/v1/score") -> int:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    headers = [(b"authorization", authorization.encode("latin-1"))]
    await app({"type": "http", "method": "POST", "path": path, "headers": headers}, receive, send)
    return int(sent[0]["status"])


def watching(gateway: Gateway) -> Watching:
    return Watching(live=lambda: gateway.live, journal=gateway.journal, tending=gateway.tending, door=gateway.door)


def test_what_changes_at_a_gateway_is_told_once(gateway: Gateway) -> None:
    look, breaker = watching(gateway), gateway.live.pipeline.breaker

    def work() -> None:
        look.look()
        breaker.trip(1.0, "the model is wrong", 0.0)
        breaker.allow(2.0)  # and half open before anybody looks
        gateway.tending.stopped = True
        gateway.journal.fault = StoreError("no space left")
        gateway.door.slow += 2
        look.look()
        look.look()
        gateway.journal.fault = None
        look.look()

    found = lines(work)
    assert [one["event"] for one in found] == [
        "breaker.changed",
        "breaker.changed",
        "ledger.failing",
        "switch.changed",
        "door.refused",
        "ledger.recovered",
    ]
    assert [one["state"] for one in found[:2]] == ["open", "half_open"]
    assert found[4] | {"slow": 2} == found[4]
    assert "busy" not in found[4]


def test_what_was_refused_inside_names_the_request(gateway: Gateway) -> None:
    gateway.journal.close()
    found = lines(lambda: asyncio.run(asked(gateway, id_="r-1")))
    assert [(one["event"], one["status"], one["request"]) for one in found] == [("request.unanswered", 503, "r-1")]


def test_a_changed_policy_is_told_with_its_limits(folder: Path, gateway: Gateway) -> None:
    written(folder, GUARD + "  quota: {per_second: 5, burst: 9}\n")
    (found,) = lines(lambda: asyncio.run(gateway.reloading.once()))
    assert (found["event"], found["per_second"], found["burst"]) == ("policy.changed", 5.0, 9.0)
    assert found["policy"] == gateway.live.policy[:12]


def test_the_page_lists_every_event_with_its_level_and_no_other() -> None:
    table = PAGE.partition("\n## The log\n")[2].partition("\n## ")[0]
    said = dict(re.findall(r"^\| `([a-z.]+)` \| (\w+) \|", table, re.MULTILINE))
    assert said == {name: logging.getLevelName(one.level).lower() for name, one in EVENTS.items()}
