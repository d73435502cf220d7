"""The data plane over ASGI: what a client can do wrong is a sentence, and nothing else gets out."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from temper.core.schema import Column, Schema
from temper.core.serving import Answer, Scoring, Source
from temper.core.stage import Level
from temper.gateway.tables.app import About, Client, Tables
from temper.gateway.tables.counted import Counted

SCHEMA = Schema(
    columns=(
        Column(name="amount", low=0.0, high=100.0),
        Column(name="channel", type="category", categories=("chip", "online")),
    )
)
ROW = {"amount": 40.0, "channel": "online"}


async def _answer(scoring: Scoring) -> Answer:
    level = Level.REVISE if scoring.rows[0, 0] == 13 else Level.BLOCK if scoring.rows[0, 0] == 66 else Level.ALLOW
    scores = np.empty(0) if level is Level.BLOCK else scoring.rows[:, 0] / 100
    return Answer(scores=scores, levels=(level,) * len(scoring.rows), source=Source.PRIMARY)


def _app(answer: Any = _answer, **about: Any) -> Tables:
    usual: dict[str, Any] = {
        "known": lambda token: Client(name="shop") if token == "right" else None,
        "most_bytes": 4_000,
    }
    return Tables(
        about=About(name="fraud", model="m" * 64, policy="p" * 64, threshold=0.5),
        schema=SCHEMA,
        answer=answer,
        counted=Counted(help={"requests_total": "Requests."}),
        **{**usual, **about},
    )


def _asked(
    app: Tables, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], Any]:
    told: list[dict[str, Any]] = []
    given = {"authorization": "Bearer right", **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(event: dict[str, Any]) -> None:
        told.append(event)

    asyncio.run(app(scope, receive, send))
    said = {name.decode(): value.decode() for name, value in told[0]["headers"]}
    content = told[1]["body"]
    assert int(said["content-length"]) == len(content)
    return told[0]["status"], said, json.loads(content) if said["content-type"] == "application/json" else content


def _score(app: Tables, document: Any, **headers: str) -> tuple[int, dict[str, str], Any]:
    return _asked(app, "POST", "/v1/score", json.dumps(document).encode(), headers)


def test_an_answer_says_what_was_decided_by_what() -> None:
    status, _, found = _score(_app(), {"id": "r1", "rows": [ROW, {**ROW, "amount": 60}]})
    assert status == 200
    assert found == {
        "id": "r1",
        "results": [
            {"decision": "allow", "label": "0", "score": 0.4},
            {"decision": "allow", "label": "1", "score": 0.6},
        ],
        "source": "primary",
        "degraded": False,
        "model": "m" * 12,
        "policy": "p" * 12,
    }


def test_who_is_told_less_is_told_the_decision_alone_and_who_is_blocked_nothing() -> None:
    assert _score(_app(), {"row": {**ROW, "amount": 13}})[2]["results"] == [{"decision": "revise", "label": "0"}]
    assert _score(_app(), {"row": {**ROW, "amount": 66}})[2]["results"] == [{"decision": "block"}]


def test_a_model_that_answers_with_labels_tells_no_score() -> None:
    app = _app()
    app.about = About(name="fraud", model="m", policy="p", threshold=0.5, scores=False)
    assert _score(app, {"row": ROW})[2]["results"] == [{"decision": "allow", "label": "0"}]
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [40.0, 1.0]}
    _, _, found = _asked(app, "POST", "/v2/models/fraud/infer", json.dumps({"inputs": [tensor]}).encode())
    assert [one["name"] for one in found["outputs"]] == ["decision", "source"]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "told"),
    [
        ("POST", "/v1/score", b"{}", {}, 400, "needs `row`"),
        ("POST", "/v1/score", b"{", {}, 400, "truncated"),
        ("POST", "/v1/score", b" " * 4_001, {}, 413, "over 4,000 bytes"),
        ("POST", "/v1/score", b"{}", {"authorization": "Bearer wrong"}, 401, "no such key"),
        ("POST", "/v1/score", b"{}", {"authorization": "right"}, 401, "no such key"),
        ("POST", "/v1/score", b"{}", {"authorization": ""}, 401, "no such key"),
        ("POST", "/v1/score", json.dumps({"row": ROW}).encode(), {"x-deadline-ms": "-5"}, 400, "whole number"),
        ("POST", "/v1/score", json.dumps({"row": ROW}).encode(), {"x-deadline-ms": "9" * 30}, 400, "whole number"),
        ("POST", "/v1/score", b"{}", {"content-length": "many"}, 400, "no number"),
        ("GET", "/v1/score", b"", {}, 405, "POST is answered"),
        ("DELETE", "/v1/score", b"", {}, 405, "POST is answered"),
        ("GET", "/v1/../../etc/passwd", b"", {}, 404, "nothing here"),
        ("POST", "/v2/models/other/infer", b"{}", {}, 404, "nothing here"),
        ("POST", "/v2/models/fraud/infer", b"{}", {}, 400, "no inference request"),
        ("GET", "/v2/models/fraud", b"", {"authorization": "Bearer wrong"}, 401, "no such key"),
    ],
)
def test_what_a_client_does_wrong_is_one_sentence(
    method: str, path: str, body: bytes, headers: dict[str, str], status: int, told: str
) -> None:
    found = _asked(_app(), method, path, body, headers)
    assert found[0] == status
    assert list(found[2]) == ["error"]
    assert told in found[2]["error"]


def test_a_request_with_an_id_is_decided_once() -> None:
    calls: list[str] = []

    async def answer(scoring: Scoring) -> Answer:
        calls.append(scoring.request)
        return await _answer(scoring)

    app = _app(answer)
    first, again = (_score(app, {"id": "r1", "row": ROW}) for _ in range(2))
    assert again[2] == first[2]
    assert "idempotency-replayed" in again[1]
    assert calls == ["r1"]
    assert _score(app, {"id": "r1", "row": {**ROW, "amount": 1}})[0] == 409
    for _ in range(2):
        _score(app, {"row": ROW})
    assert len(calls) == 3


def test_whoever_asks_too_much_is_told_when_to_come_back() -> None:
    rows: list[int] = []

    class Limits:
        def take(self, client: str, many: int) -> float:
            rows.append(many)
            return 2.5 if sum(rows) > 3 else 0.0

        async def patiently(self, client: str, many: int) -> float:
            return 2.5

    app = _app(limits=Limits())
    assert _score(app, {"rows": [ROW] * 3})[0] == 200
    status, headers, _ = _score(app, {"row": ROW})
    assert (status, headers["retry-after"]) == (429, "3")


def test_a_crash_inside_tells_nobody_what_it_was_about(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(scoring: Scoring) -> Answer:
        raise RuntimeError(f"row {scoring.rows}")

    with caplog.at_level(logging.DEBUG):
        status, _, found = _score(_app(answer), {"row": ROW})
    assert (status, found) == (500, {"error": "the gateway failed"})
    assert "40." not in caplog.text
    assert "right" not in caplog.text


def test_it_says_when_it_is_not_ready_and_counts_what_it_answered() -> None:
    app = _app(ready=lambda: ("draining", "ledger"))
    assert _asked(app, "GET", "/readyz")[::2] == (503, {"ready": False, "why": ["draining", "ledger"]})
    assert _asked(app, "GET", "/healthz", headers={"authorization": ""})[0] == 200
    assert _score(app, {"row": ROW})[0] == 200
    assert _score(app, {"row": {}})[0] == 400
    assert _asked(app, "GET", "/v1/score")[0] == 405
    assert _asked(app, "GET", "/nowhere")[0] == 404
    text = _asked(app, "GET", "/metrics", headers={"authorization": ""})[2].decode()
    assert {line for line in text.splitlines() if line.startswith(("temper_requests", "temper_probes"))} == {
        *(f'temper_requests_total{{status="{status}"}} 1' for status in (200, 400, 404, 405)),
        *(f'temper_probes_total{{status="{status}"}} 1' for status in (200, 503)),
    }
    assert "temper_request_seconds_count 4" in text, "a probe is no request, and would make the others look fast"
    assert _asked(_app(), "GET", "/readyz")[::2] == (200, {"ready": True})
    assert _asked(_app(), "GET", "/livez") == _asked(_app(), "GET", "/healthz")


def _answers(operation: Any) -> set[int]:
    """The statuses of many requests that the document allows; each is one that it names."""
    known, seen = operation.definition.raw["responses"], set()

    @settings(max_examples=50, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        body = json.dumps(case.body).encode() if isinstance(case.body, dict | list) else b""
        status, _, told = _asked(_app(), case.method.upper(), case.path, body)
        seen.add(status)
        assert str(status) in known
        assert isinstance(told, dict)

    holds()
    return seen


def test_every_answer_keeps_to_the_openapi_document() -> None:
    document = _asked(_app(), "GET", "/openapi.json")[2]
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    seen = {operation.label: _answers(operation) for operation in operations}
    assert seen["POST /v1/score"] == {200}  # what the document allows is scored
    assert all(200 in statuses for label, statuses in seen.items() if label.startswith("GET"))
