"""A model behind a URL: what is sent, what is refused, and that secrets and caps hold."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from temper.core.data import Data
from temper.core.errors import ContractError, RunStopped, TemperError, Unsupported
from temper.core.schema import Column, Schema
from temper.core.target import Access, Recipe, ScoreKind
from temper.targets import open_target
from temper.targets.contract import check
from temper.targets.http import Http

X = np.random.default_rng(2).normal(size=(7, 2))


class Service(ThreadingHTTPServer):
    """Answers with what `reply` makes of the rows; keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.reply: Any = lambda rows: {"scores": [probabilities(row) for row in rows]}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/score?v=1"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.headers.append(dict(self.headers))
        status, more = self.server.refusals.pop(0) if self.server.refusals else (200, {})
        content = json.dumps(self.server.reply(self.server.bodies[-1]["rows"]) if status == 200 else {"e": 1}).encode()
        self.send_response(status)
        for name, value in {**more, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *parts: Any) -> None:
        """Quiet."""


def probabilities(row: list[float]) -> list[float]:
    p = float(1 / (1 + np.exp(-row[0])))
    return [1 - p, p]


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_scores_are_what_the_service_answers_in_batches(service: Service) -> None:
    target = Http(url=service.url, batch=3)
    np.testing.assert_allclose(target.scores(X), [probabilities(row) for row in X.tolist()])
    assert [len(body["rows"]) for body in service.bodies] == [3, 3, 1]
    assert target.scores(X[:0]).shape == (0, 2)
    opened = open_target(service.url)
    assert (opened.access, opened.digest) == (Access.LABELS | Access.SCORES, "")
    assert len(open_target(service.url, version="7").digest) == 64
    check(opened, X)


def test_a_schema_makes_named_records_with_categories_and_gaps(service: Service) -> None:
    schema = Schema(
        columns=(Column(name="age", type="integer"), Column(name="job", type="category", categories=("a", "b")))
    )
    service.reply = lambda rows: {"scores": [[0.5, 0.5]] * len(rows)}
    open_target(service.url, schema=schema).scores(np.array([[31.0, 1.0], [40.0, np.nan]]))
    assert service.bodies[0]["rows"] == [{"age": 31, "job": "b"}, {"age": 40, "job": None}]
    open_target(service.url).scores(np.array([[1.0, np.nan]]))
    assert service.bodies[1]["rows"] == [[1.0, None]]


def test_a_busy_service_is_asked_again_after_the_time_it_names(service: Service) -> None:
    service.refusals = [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0.01"})]
    assert Http(url=service.url).scores(X).shape == (7, 2)
    assert len(service.bodies) == 3


def test_a_service_that_stays_busy_or_refuses_ends_the_run(service: Service) -> None:
    service.refusals = [(503, {"Retry-After": "0"})] * 2
    with pytest.raises(RunStopped, match="after 2 requests: status 503"):
        Http(url=service.url, retries=1).scores(X)
    service.refusals = [(403, {})]
    with pytest.raises(ContractError, match="status 403"):
        Http(url=service.url).scores(X)
    assert len(service.bodies) == 3
    with pytest.raises(RunStopped, match="did not answer"):
        Http(url="http://127.0.0.1:9/", retries=0, timeout=1.0).scores(X)


def test_the_cap_on_requests_is_hard(service: Service) -> None:
    target = Http(url=service.url, batch=1, max_requests=5)
    with pytest.raises(RunStopped, match="cap of 5 requests"):
        target.scores(X)
    assert len(service.bodies) == 5


def test_a_redirect_is_not_followed(service: Service) -> None:
    service.refusals = [(302, {"Location": "http://elsewhere.example/"})]
    with pytest.raises(ContractError, match="status 302"):
        Http(url=service.url).scores(X)


def test_remote_hosts_need_somebody_who_allowed_it() -> None:
    for url in ("https://models.example/score", "http://10.0.0.8/", "http://127.0.0.1.example/"):
        with pytest.raises(TemperError, match="nobody is named"):
            open_target(url)
    assert open_target("https://models.example/score", authorised_by="CISO, ticket 12").name == "http"
    with pytest.raises(TemperError, match="password"):
        open_target("http://me:secret@localhost/")
    with pytest.raises(TemperError, match="no http"):
        Http(url="ftp://localhost/")


def test_secrets_are_sent_and_shown_nowhere(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORE_KEY", "hush-hush")
    target = Http(url=service.url, headers={"X-Key": "SCORE_KEY"})
    target.scores(X)
    assert service.headers[0]["X-Key"] == "hush-hush"
    assert "hush" not in repr(target)
    assert b"hush" not in pickle.dumps(target)
    service.refusals = [(400, {})]
    with pytest.raises(ContractError) as told:
        target.scores(X)
    assert "hush" not in str(told.value)
    monkeypatch.delenv("SCORE_KEY")
    with pytest.raises(TemperError, match="SCORE_KEY for X-Key is not set"):
        target.scores(X)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"score": [[0.5, 0.5]] * 7}, "did not answer with"),
        ({"scores": [[0.5, 0.5]] * 6}, "6 scores for 7 rows"),
        ({"scores": [0.5] * 7}, "column_stack"),
        ({"scores": [["a", "b"]] * 7}, "not numbers"),
        ([1, 2], "did not answer with"),
    ],
)
def test_a_wrong_answer_is_told_with_the_fix(service: Service, reply: Any, words: str) -> None:
    service.reply = lambda rows: reply
    with pytest.raises(ContractError, match=words) as told:
        Http(url=service.url).scores(X)
    assert told.value.fix


def test_margins_and_labels_where_declared(service: Service) -> None:
    service.reply = lambda rows: {"scores": [[row[0]] for row in rows], "labels": [int(row[0] > 0) for row in rows]}
    np.testing.assert_allclose(open_target(service.url, kind=ScoreKind.MARGIN).scores(X)[:, 0], X[:, 0])
    labels = open_target(service.url, labels_only=True)
    assert labels.access == Access.LABELS
    np.testing.assert_array_equal(labels.scores(X).argmax(1), X[:, 0] > 0)


def test_a_service_has_neither_gradient_nor_refit() -> None:
    target = Http(url="http://localhost:1/")
    with pytest.raises(Unsupported):
        target.gradient(X, lambda s: s)
    with pytest.raises(Unsupported):
        target.refit(Data(x=X, y=np.zeros(7)), Recipe())
