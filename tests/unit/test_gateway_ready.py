"""Whether a gateway should be sent requests, and what it says of why not to whoever asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from small_gateway import GUARD, PROFILE, folder, gateway, models, written
from temper.core.errors import StoreError, TemperError
from temper.gateway.tables.build import Gateway, opened
from temper.gateway.upstream.connection import UpstreamError

__all__ = ["folder", "gateway", "models"]
BEHIND = '  upstream: {url: "http://127.0.0.1:9/m", networks: ["127.0.0.0/8"]}\n'
ADDRESSES = ("/readyz", "/v2/health/ready", "/v2/models/small/ready")


def said(gateway: Gateway, path: str = "/readyz") -> tuple[int, Any]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    asyncio.run(gateway({"type": "http", "method": "GET", "path": path, "headers": []}, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def _draining(gateway: Gateway) -> None:
    gateway.leaving = True


def _full(gateway: Gateway) -> None:
    gateway.journal.fault = StoreError("/var/lib/secret/audit.db: no space left on device")


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize(("break_it", "why"), [(_draining, "draining"), (_full, "ledger")])
def test_each_reason_is_one_word_and_the_process_lives(
    gateway: Gateway, path: str, break_it: Callable[[Gateway], None], why: str
) -> None:
    assert said(gateway, path) == (200, {"ready": True})
    assert "temper_unready 0" in gateway.counted.text()
    break_it(gateway)
    assert said(gateway, path) == (503, {"ready": False, "why": [why]})
    assert said(gateway, "/livez")[0] == said(gateway, "/healthz")[0] == 200
    assert "temper_unready 1" in gateway.counted.text()


def test_a_model_behind_must_have_answered_once_and_may_fail_later(folder: Path) -> None:
    written(folder, GUARD + BEHIND)
    gateway = opened(folder / "temper.yaml")
    model = gateway.live.pipeline.model
    assert said(gateway) == (503, {"ready": False, "why": ["model"]})
    with pytest.raises(UpstreamError):
        asyncio.run(model.ask(gateway.live.system.data.x[:1], 0.5, ""))
    assert said(gateway)[0] == 503
    model.answered = True
    gateway.live.pipeline.breaker.trip(0.0, "it fails", 60.0)
    assert said(gateway) == (200, {"ready": True})
    gateway.close()


def test_where_something_stands_in_for_the_model_behind_it_is_ready_at_once(folder: Path) -> None:
    written(folder, GUARD + BEHIND + "  fallback: {challenger: next.json}\n")
    gateway = opened(folder / "temper.yaml")
    assert said(gateway) == (200, {"ready": True})
    gateway.close()


def test_without_a_profile_or_a_model_nobody_listens(folder: Path) -> None:
    text = (folder / "temper.yaml").read_text()
    (folder / PROFILE).unlink()
    (folder / "temper.yaml").write_text(text.replace("train: test.csv, ", ""))
    with pytest.raises(TemperError, match="nothing to compare requests with"):
        opened(folder / "temper.yaml")
    written(folder)
    opened(folder / "temper.yaml").close()  # the ledger is free again
    (folder / "model.json").unlink()
    with pytest.raises(TemperError, match=r"model\.json"):
        opened(folder / "temper.yaml")
