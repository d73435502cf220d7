"""The access profile: what answers tell is read off the answers, and what refusals tell off their words."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.errors import ContractError, TemperError
from temper.core.measure import Measurement
from temper.core.target import Access
from temper.engine.rooms.validation import run
from temper.engine.task import Task
from temper.kernels.precision import MOST, decimals, opens
from temper.targets.answers import Decided, Rounded
from temper.targets.http import Http
from temper.testing.scenes import picture_model, picture_scene, trained_scene
from temper.testing.toys import Counted
from temper.validation.access_profile import AccessProfile
from unit.payload_world import Boosted, rows, schema, world


@dataclass(frozen=True, kw_only=True, eq=False)
class Served(Boosted):
    """Refuses ill-formed rows with the words it is given."""

    says: str = ""
    refuse: Callable[[Any], Any] = lambda x: ~np.isfinite(x).all(axis=1) | (np.abs(x) > 1_000).any(axis=1)

    def scores(self, x: Any) -> Any:
        if self.says and self.refuse(x).any():
            raise ContractError(self.says)
        return super().scores(x)


def profile(target: Any) -> dict[str, Measurement]:
    part = run(Task(room="validation", plugin="access_profile"), world(target, None, rows(300, 2)))
    return {m.metric: m for m in part.measurements}


def fitted(says: str = "") -> Served:
    model = Boosted.fitted(rows(1_000, 1)).model
    return Served(model=model, says=says)


def test_a_service_that_tells_everything_is_shown_to() -> None:
    told = profile(fitted('File "/srv/app/score.py", line 12, in predict: XGBClassifier got NaN'))
    assert told["score_decimals"].value >= 7
    assert "exact equations" in told["score_decimals"].caveats[0]
    assert told["distinct_answers"].value > 0.9
    assert told["batch_gap"].value < 1e-6
    assert told["telling_refusals"].value == 1.0
    assert "a path, a stack trace" in told["telling_refusals"].caveats[0]
    assert told["gaps_answered"].value == 0.0


def test_a_service_that_says_little_is_not_accused() -> None:
    told = profile(Rounded(inner=fitted("the request is not valid"), digits=2))
    assert told["score_decimals"].value == 2.0
    assert "equations end at the rounding" in told["score_decimals"].caveats[0]
    assert told["telling_refusals"].value == 0.0
    assert told["telling_refusals"].n > 12


def test_a_model_that_answers_ill_formed_rows_has_no_refusal_to_read() -> None:
    told = profile(fitted())
    assert told["gaps_answered"].value == told["outside_answered"].value == 1.0
    assert "answered although" in told["gaps_answered"].caveats[0]
    assert "telling_refusals" not in told


def test_decisions_carry_no_decimals_and_open_what_decisions_open() -> None:
    told = profile(Decided(inner=fitted(), threshold=0.5))
    assert told["score_decimals"].value == 0.0
    assert "decisions alone" in told["score_decimals"].caveats[0]
    assert told["distinct_answers"].count == 2


def test_a_model_that_ranks_within_its_batch_has_a_gap() -> None:
    @dataclass(frozen=True, kw_only=True, eq=False)
    class Relative(Boosted):
        def scores(self, x: Any) -> Any:
            p = (1 + np.argsort(np.argsort(super().scores(x)[:, 1]))) / (len(x) + 1)
            return np.column_stack([1 - p, p])

    assert profile(Relative(model=fitted().model))["batch_gap"].value > 0.1


def test_leaves_are_told_by_answers_that_many_rows_share() -> None:
    leaves = np.random.default_rng(0).random(9)[np.arange(200) % 9]
    assert "from leaf to leaf" in opens(np.column_stack([1 - leaves, leaves]), labels_only=False)
    smooth = np.random.default_rng(0).random(200)
    assert "from leaf to leaf" not in opens(np.column_stack([1 - smooth, smooth]), labels_only=False)


def test_pictures_have_no_columns_to_ask_about() -> None:
    told = AccessProfile().measure(replace(picture_scene(20), target=picture_model()))
    assert [m.metric for m in told] == ["score_decimals", "distinct_answers", "batch_gap"]


def test_it_asks_a_few_hundred_rows() -> None:
    scene = trained_scene(400)
    counted = Counted(inner=scene.target)
    AccessProfile().measure(replace(scene, target=counted))
    assert counted.rows < 400


@given(st.integers(0, 6), st.lists(st.floats(0, 1), min_size=40, max_size=60), st.booleans())
def test_rounded_numbers_carry_at_most_their_decimals(digits: int, values: list[float], single: bool) -> None:
    rounded = np.array(values).round(digits)
    assert decimals(rounded.astype(np.float32) if single else rounded) <= digits


def test_numbers_that_are_not_rounded_carry_all() -> None:
    values = np.random.default_rng(0).random(100)
    assert decimals(values) == MOST
    assert decimals(values.astype(np.float32)) >= 7
    assert decimals(np.array([np.nan, 0.5])) == 1


def test_a_target_that_declares_labels_only_tells_decisions() -> None:
    assert profile(replace(fitted(), access=Access.LABELS))["score_decimals"].value == 0.0


# -- a service behind a URL -------------------------------------------------------------------------------------------


class Endpoint(ThreadingHTTPServer):
    """A boosted model as a service; `extra(x, scores)` is what it tells besides, `most` the rows it takes at once."""

    def __init__(self, model: Boosted, **how: Any) -> None:
        super().__init__(("127.0.0.1", 0), Scoring)
        self.model, self.requests = model, 0
        self.extra: Callable[[Any, Any], dict[str, Any]] = how.get("extra", lambda x, scores: {})
        self.most, self.strict = how.get("most", 10_000), how.get("strict", False)
        self.told, self.crash = how.get("told", {}), how.get("crash", (400, "the request is not valid"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/score"

    def answer(self, body: bytes, sent: Any) -> tuple[int, Any]:
        self.requests += 1
        try:
            x = coded(json.loads(body)["rows"], strict=self.strict)
        except Exception as trouble:
            status, says = self.crash
            return status, {"error": says.format(trouble=trouble, key=sent.get("X-Key", ""))}
        if len(x) > self.most:
            return 413, {"error": "too many rows"}
        scores = self.model.scores(x)
        return 200, {"scores": scores.tolist(), **self.extra(x, scores)}


class Scoring(BaseHTTPRequestHandler):
    server: Endpoint
    server_version, sys_version = "", ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, answer = self.server.answer(body, self.headers)
        content = json.dumps(answer).encode()
        self.send_response_only(status)
        for name, value in {**self.server.told, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *parts: Any) -> None:
        """Quiet."""


def coded(records: Any, *, strict: bool) -> Any:
    """Rows of the made-up table, categories by name; unknown words are coded as nought unless `strict`."""
    x = np.empty((len(records), len(schema().columns)))
    for row, record in enumerate(records):
        for at, column in enumerate(schema().columns):
            value = record[column.name]
            if column.categories:
                value = column.categories.index(value) if strict or value in column.categories else 0
            if strict and value is None:
                raise ValueError("empty")
            x[row, at] = np.nan if value is None else float(value)
    if not records:
        raise ValueError("no rows")
    return x


@contextmanager
def serving(**how: Any) -> Iterator[Endpoint]:
    endpoint = Endpoint(Boosted.fitted(rows(1_000, 1)), **how)
    thread = threading.Thread(target=endpoint.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.shutdown()
        endpoint.server_close()
        thread.join()


def opened(endpoint: Endpoint, **more: Any) -> Any:
    return Http(url=endpoint.url, schema=schema(), **more)


def generous(x: Any, scores: Any) -> dict[str, Any]:
    """What some services answer with: SHAP values under another name, a true and a false counterfactual, and more."""
    flipped = x.copy()
    flipped[:, 0] = np.where(scores[:, 1] >= 0.5, -6.0, 6.0)
    flipped[:, 1:3] = np.where(scores[:, 1:] >= 0.5, 0.0, 3.0)
    names = [column.name for column in schema().columns]
    return {
        "phi": (x * 0.1).tolist(),
        "counterfactuals": [[dict(zip(names[:8], row[:8], strict=True))] for row in flipped.tolist()],
        "reason_codes": [["R12", "R07"] for _ in x],
        "meta": {"model_version": "fraud-1.4.2", "elapsed_ms": 3},
        "calibrated_confidence": scores.max(axis=1).tolist(),
    }


def test_a_service_that_gives_everything_away_is_shown_to_with_what_it_gives() -> None:
    told = {"Server": "uvicorn/0.30.1", "X-Powered-By": "FastAPI", "X-RateLimit-Remaining": "97"}
    crash = (500, 'Traceback: File "/srv/app/score.py", line 12, in score\nKeyError {trouble} sklearn')
    with serving(extra=generous, told=told, crash=crash) as endpoint:
        found = profile(opened(endpoint))
    kinds = " | ".join(found["extra_fields"].caveats)
    for field, kind in {
        "phi": "explanations",
        "counterfactuals": "counterfactuals",
        "reason_codes": "reason codes",
        "meta.model_version": "a version",
        "meta.elapsed_ms": "inner workings",
        "calibrated_confidence": "a further score",
    }.items():
        assert f"{field}: {kind}, " in kinds
    assert "as many equations per query as columns" in kinds
    assert found["counterfactuals_flip"].n == 16
    assert found["counterfactuals_flip"].value > 0.6
    assert found["telling_headers"].value == 3.0
    assert "server: uvicorn/0.30.1, which software" in " ".join(found["telling_headers"].caveats)
    assert found["malformed_breaks"].value == 1.0
    assert found["telling_errors"].value == 1.0
    assert "a library or class, a path, a stack trace" in found["telling_errors"].caveats[0]
    assert found["unknown_categories_answered"].value == 1.0
    assert found["gaps_answered"].value == 1.0
    assert found["rows_at_once"].value == 1_024
    assert "or more" in found["rows_at_once"].caveats[0]
    assert found["latency_ms"].low <= found["latency_ms"].value <= found["latency_ms"].high
    assert found["rows_per_hour"].value > 1_000


def test_a_service_that_answers_scores_and_nothing_else_is_not_accused() -> None:
    with serving(most=50, strict=True) as endpoint:
        found = profile(opened(endpoint, batch=50))
        assert endpoint.requests < 100
    for metric in ("extra_fields", "telling_headers", "malformed_breaks", "telling_errors", "telling_refusals"):
        assert found[metric].value == 0.0, metric
    assert "counterfactuals_flip" not in found
    assert found["unknown_categories_answered"].value == found["gaps_answered"].value == 0.0
    assert found["rows_at_once"].value == 32
    assert "and no more" in found["rows_at_once"].caveats[0]


def test_counterfactuals_that_are_none_are_told_from_those_that_are() -> None:
    with serving(extra=lambda x, scores: {"recourse": x.tolist()}) as endpoint:
        found = profile(opened(endpoint))
    assert found["counterfactuals_flip"].value == 0.0
    assert "recourse: counterfactuals" in found["extra_fields"].caveats[0]


def test_a_secret_that_a_service_repeats_is_in_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORE_KEY", "hush-hush")
    crash = (500, "sklearn KeyError, key {key}")
    with serving(crash=crash, told={"X-Trace": "hush-hush"}) as endpoint:
        target = opened(endpoint, headers={"X-Key": "SCORE_KEY"})
        found = profile(target)
        with pytest.raises(TemperError) as refusal:
            replace(target, schema=None).scores(np.zeros((1, 2)))
    assert "key ***" in found["telling_errors"].caveats[0]
    assert "hush" not in f"{found} {refusal.value}"


def test_a_connection_that_breaks_is_no_crash() -> None:
    reply = Http(url="http://127.0.0.1:9/", timeout=1.0).exchange(b"{}")
    assert reply.status == 0
    assert reply.body == b"ConnectionRefusedError"
