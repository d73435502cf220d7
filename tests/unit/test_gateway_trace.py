"""A trace goes through a gateway to the model behind, the log and the ledger; spans are made where asked for."""

from __future__ import annotations

import asyncio
import http.server
import io
import json
import re
import subprocess
import sys
import threading
import timeit
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_gateway import COLUMNS, GUARD, decisions, folder, gateway, models, written
from temper.core.chat import Request
from temper.core.errors import ConfigError
from temper.gateway.app import proxy
from temper.gateway.log import Signals, logged
from temper.gateway.tables.build import Gateway, opened
from temper.gateway.trace import Spans, carried, id_of, sampled
from temper.guard.pipeline import build
from temper.targets.chat.function import ChatFunction
from unit.test_gateway_proxy import running

__all__ = ["folder", "gateway", "models"]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, PLAIN = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"


@pytest.mark.parametrize(
    ("header", "goes_on"),
    [
        (SAMPLED, SAMPLED),
        (PLAIN, PLAIN),
        (f"00-{TRACE}-{SPAN}-ff", f"00-{TRACE}-{SPAN}-03"),  # only the flags there are
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", SAMPLED),
        (f"00-{TRACE}-{SPAN}-01-more", ""),
        (f"ff-{TRACE}-{SPAN}-01", ""),
        (f"00-{TRACE.upper()}-{SPAN}-01", ""),
        (f"00-{'0' * 32}-{SPAN}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (f"{SAMPLED}\r\nx-admin: 1", ""),
        (f" {SAMPLED}", ""),
        ("", ""),
    ],
)
def test_only_what_is_a_traceparent_goes_on(header: str, goes_on: str) -> None:
    assert carried(header.encode()) == goes_on


@given(st.binary(max_size=80))
def test_nothing_else_ever_does(header: bytes) -> None:
    assert re.fullmatch(r"|00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]", carried(header))


def test_parts_of_a_trace() -> None:
    assert (id_of(SAMPLED), id_of(""), sampled(SAMPLED), sampled(PLAIN), sampled("")) == (TRACE, "", True, False, False)


async def told(app: Any, *traces: str, id_: str = "") -> int:
    sent: list[dict[str, Any]] = []
    document = {"row": dict.fromkeys(COLUMNS, 1.0)} | ({"id": id_} if id_ else {})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(document).encode()}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    headers = [(b"traceparent", one.encode()) for one in traces]
    await app({"type": "http", "method": "POST", "path": "/v1/score", "headers": headers}, receive, send)
    return int(sent[0]["status"])


def test_the_ledger_keeps_the_trace_and_a_request_without_one_has_none(gateway: Gateway) -> None:
    async def story() -> None:
        for traces in ((SAMPLED,), (PLAIN,), (), ("nonsense",), (SAMPLED, PLAIN)):
            assert await told(gateway, *traces) == 200

    asyncio.run(story())
    gateway.journal.close()
    assert [one.get("trace", "") for one in decisions(gateway)] == [TRACE, TRACE, "", "", ""]


def test_the_log_names_the_trace_of_what_was_not_answered(gateway: Gateway) -> None:
    gateway.journal.close()
    stream = io.StringIO()
    with logged(Signals(form="json"), stream):
        assert asyncio.run(told(gateway, PLAIN)) == 503
    assert json.loads(stream.getvalue())["trace"] == TRACE


class Answering(http.server.BaseHTTPRequestHandler):
    """Keeps what came, and answers: scores to rows, an empty message to a collector's client."""

    came: list[tuple[str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.came.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
        answer = json.dumps({"scores": [0.25] * len(json.loads(body)["rows"])}).encode() if self.path == "/m" else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def other() -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A model behind, and a collector, in this process: its address and what came to it."""
    kind = type("Kept", (Answering,), {"came": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", kind.came  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def behind(folder: Path, url: str) -> None:
    written(folder, GUARD + f'  golden: "off"\n  upstream: {{url: "{url}/m", networks: ["127.0.0.0/8"]}}\n')


def test_the_model_behind_gets_the_trace_and_nothing_that_is_none(folder: Path, other: Any) -> None:
    url, came = other
    behind(folder, url)
    gateway = opened(folder / "temper.yaml")

    async def story() -> None:
        for traces in ((PLAIN,), (), ("nonsense",)):
            assert await told(gateway, *traces) == 200

    asyncio.run(story())
    gateway.close()
    assert [headers.get("traceparent") for _, headers, _ in came] == [PLAIN, None, None]


def spans_of(came: list[tuple[str, dict[str, str], bytes]]) -> list[Any]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found = []
    for path, _, body in came:
        if path == "/v1/traces":
            message = ExportTraceServiceRequest.FromString(body)
            found += [span for one in message.resource_spans for scope in one.scope_spans for span in scope.spans]
    return found


def test_a_sampled_request_is_a_span_at_the_collector_and_the_parent_of_what_it_asks(folder: Path, other: Any) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    url, came = other
    behind(folder, url)
    gateway = opened(folder / "temper.yaml", otlp=f"{url}/v1/traces")

    async def story() -> None:
        assert await told(gateway, SAMPLED, id_="r-1") == 200
        assert await told(gateway, PLAIN) == 200
        assert await told(gateway) == 200
        gateway.journal.close()
        assert await told(gateway, SAMPLED, id_="r-2") == 503
        await gateway.stop()

    asyncio.run(story())
    first, second = spans_of(came)
    about = {one.key: one.value for one in first.attributes}
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == (TRACE, SPAN)
    assert about["temper.request"].string_value == "r-1"
    assert about["http.response.status_code"].int_value == 200
    assert about["temper.source"].string_value == "primary"
    assert 0 < first.end_time_unix_nano - first.start_time_unix_nano < 60e9
    assert second.status.code == 2  # an error, by OTLP
    asked = [headers.get("traceparent") for path, headers, _ in came if path == "/m"]
    assert asked[0] == f"00-{TRACE}-{first.span_id.hex()}-01"
    assert asked[1] == PLAIN


def test_a_sampled_exchange_with_an_assistant_is_a_span_that_says_what_became_of_it_and_none_of_its_words(
    other: Any,
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    url, came = other
    guard = build([("secrets", {}), ("limits", {"characters": 200})], key=b"k")

    def answer(request: Request) -> str:
        if "fall" in request.messages[-1].text:
            raise RuntimeError("over")
        return "the parcel is at the harbour"

    app = proxy(ChatFunction(call=answer, tools=True, version="v1"), guard, {"shop": "a-long-random-key"})
    app.spans = Spans.to(f"{url}/v1/traces", "temper-gateway")

    asked = [
        ("where is my marzipan", SAMPLED, False, 200),
        ("where is my marzipan", SAMPLED, True, 200),
        ("x" * 500, SAMPLED, False, 200),  # stopped, which is an ordinary answer
        ("where is it", PLAIN, False, 200),
        ("fall over", SAMPLED, False, 502),
        ("where is it", SAMPLED, False, 401),
    ]

    async def use(address: str) -> list[int]:
        told = []
        async with aiohttp.ClientSession() as session:
            for said, trace, stream, status in asked:
                key = "wrong" if status == 401 else "a-long-random-key"
                body = {"model": "m", "messages": [{"role": "user", "content": said}], "stream": stream}
                headers = {"Authorization": f"Bearer {key}", "traceparent": trace}
                async with session.post(f"{address}/v1/chat/completions", json=body, headers=headers) as reply:
                    await reply.read()
                    told.append(reply.status)
        return told

    assert running(app, use) == [status for *_, status in asked]
    found = [{one.key: one.value for one in span.attributes} for span in spans_of(came)]
    assert {(span.name, span.trace_id.hex(), span.parent_span_id.hex()) for span in spans_of(came)} == {
        ("exchange", TRACE, SPAN)
    }
    assert [one["http.response.status_code"].int_value >= 400 for one in found] == [False, False, False, True, True]
    assert [one["temper.client"].string_value for one in found[:4]] == ["shop"] * 4
    assert "temper.client" not in found[4]
    assert [one["temper.stopped"].string_value for one in found[:3]] == ["", "", "limits"]
    assert all(one["temper.request"].string_value.startswith("chatcmpl-") for one in found[:4])
    assert b"marzipan" not in b"".join(body for _, _, body in came)
    assert b"harbour" not in b"".join(body for _, _, body in came)


def test_a_collector_that_is_down_costs_an_answer_nothing_and_the_end_seconds(folder: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    gateway = opened(folder / "temper.yaml", otlp="http://127.0.0.1:9/v1/traces")

    async def story() -> float:
        assert await told(gateway, SAMPLED) == 200
        began = asyncio.get_running_loop().time()
        await gateway.stop()
        return asyncio.get_running_loop().time() - began

    with logged(Signals(form="json"), io.StringIO()):
        assert asyncio.run(story()) < 12


def test_what_is_no_address_and_what_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("collector:4318", "file:///etc/passwd", "http://"):
        with pytest.raises(ConfigError, match="no address of a collector"):
            Spans.to(url, "temper")
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match="spans need OpenTelemetry") as missing:
        Spans.to("http://127.0.0.1:4318/v1/traces", "temper")
    assert missing.value.fix == "pip install 'temper-ml[otel]'"


def test_without_spans_a_request_pays_less_than_a_microsecond_and_nothing_is_loaded() -> None:
    without, with_one = ((lambda header=header: sampled(carried(header))) for header in (None, PLAIN.encode()))
    assert min(timeit.repeat(without, number=10_000, repeat=7)) / 10_000 < 1e-6
    assert min(timeit.repeat(with_one, number=10_000, repeat=7)) / 10_000 < 1e-5
    program = "import sys, temper.gateway.tables.build; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
