"""Versions of a model: tried beside the live one without harm, and gone back from exactly."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_gateway import GUARD, asked, decisions, folder, gateway, models, written
from temper.core.errors import ConfigError
from temper.core.serving import Scoring
from temper.gateway.tables import deploy
from temper.gateway.tables.build import Gateway
from temper.gateway.tables.trial import chosen
from temper.targets.load import open_target

__all__ = ["folder", "gateway", "models"]
ROW = np.array([[1.0, 0.0, 0.0]])


def _deploy(folder: Path, mode: str, share: float = 1.0) -> str:
    return deploy.deploy(folder / "temper.yaml", folder / "next.json", mode, share, "ada", "a test", time.time())


def _back(folder: Path) -> str:
    return deploy.rollback(folder / "temper.yaml", "ada", "a test", time.time())


def _scoring(client: str, number: int) -> Scoring:
    now = time.monotonic()
    return Scoring(rows=ROW.copy(), client=client, request=f"{client}-{number}", at=now, deadline=now + 2.0)


def test_going_back_restores_the_digest_exactly(folder: Path, gateway: Gateway) -> None:
    async def story() -> list[str]:
        digests = [gateway.live.served.digest]
        for step in (lambda: _deploy(folder, "live"), lambda: _back(folder)):
            step()
            (folder / "next.json").write_text("overwritten")  # what was deployed is kept
            assert await gateway.reloading.once()
            digests.append(gateway.live.served.digest)
            assert (await asked(gateway))["model"] == digests[-1][:12]
        return digests

    new = open_target(str(folder / "next.json")).digest
    first, second, third = asyncio.run(story())
    assert first == third != second == new
    assert [one["digest"] for one in decisions(gateway)] == [second, third]
    with pytest.raises(ConfigError, match="nothing to go back to"):
        _back(folder)


def test_a_model_that_was_changed_after_it_was_deployed_is_refused(folder: Path, gateway: Gateway) -> None:
    async def story() -> bool:
        _deploy(folder, "live")
        kept = next((folder / ".temper" / "models").iterdir())
        kept.write_bytes((folder / "model.json").read_bytes())
        return await gateway.reloading.once()

    before = gateway.live
    assert not asyncio.run(story())
    assert gateway.live is before
    assert "not the model it was" in gateway.reloading.told


def test_a_shadow_is_counted_and_heard_by_nobody(folder: Path, gateway: Gateway) -> None:
    rows = [(a, 0.1, 0.0) for a in np.linspace(-0.4, 0.4, 60).tolist()]

    async def story() -> tuple[list[Any], list[Any]]:
        written(folder, GUARD + "  extraction: off\n")  # rows on a line are what it is there for
        assert await gateway.reloading.once()
        before = [await asked(gateway, row) for row in rows]
        _deploy(folder, "shadow")
        assert await gateway.reloading.once()
        return before, [await asked(gateway, row) for row in rows]

    before, after = asyncio.run(story())
    assert [one["results"] for one in before] == [one["results"] for one in after]
    assert {one["model"] for one in after} == {gateway.live.served.digest[:12]}
    shadow = gateway.live.shadow
    assert shadow is not None
    shadow.close()
    told = shadow.document()
    new = shadow.model.score(np.array(rows))
    old = gateway.live.served.score(np.array(rows))
    assert told["seen"] == len(rows)
    assert shadow.changed == told["up"] + told["down"] == int(((new >= 0.5) != (old >= 0.5)).sum())
    assert told["up"] == int(((new >= 0.5) & (old < 0.5)).sum())
    assert told["who"] == {"local": [len(rows), shadow.changed]}
    assert len(told["live"]) == len(told["new"]) > 0
    assert told["largest"] == pytest.approx(np.abs(new - old).max())


def test_a_canary_answers_its_share_of_clients_and_says_so(folder: Path, gateway: Gateway) -> None:
    clients = [f"shop-{at}" for at in range(100)]  # at once, and the limiter lets 128 in

    async def story() -> list[list[str]]:
        _deploy(folder, "canary", 0.25)
        assert await gateway.reloading.once()
        found = []
        for turn in range(2):
            answers = await asyncio.gather(*(gateway.live.app.answer(_scoring(one, turn)) for one in clients))
            found.append([one.model for one in answers])
        return found

    first, second = asyncio.run(story())
    canary = gateway.live.canary
    assert canary is not None
    assert first == second == [canary.model if chosen(one, 0.25) else "" for one in clients]
    assert 0.1 < sum(map(bool, first)) / len(first) < 0.4
    told = {one["client"]: one["digest"] for one in decisions(gateway)}
    assert told == {one: canary.model if chosen(one, 0.25) else gateway.live.served.digest for one in clients}


@pytest.mark.parametrize("fault", ["raises", "nan", "short", "huge"])
def test_a_canary_that_is_broken_never_reaches_a_client(folder: Path, gateway: Gateway, fault: str) -> None:
    calls = []

    def broken(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        calls.append(len(rows))
        if fault == "raises":
            raise RuntimeError("no")
        return np.full(len(rows) - (fault == "short"), 1e30 if fault == "huge" else np.nan)

    async def story() -> list[Any]:
        right = (await asked(gateway))["results"]
        _deploy(folder, "canary")
        assert await gateway.reloading.once()
        canary = gateway.live.canary
        assert canary is not None
        object.__setattr__(canary.new.model, "score", broken)
        answers = [await asked(gateway) for _ in range(60)]
        assert all(one["results"] == right for one in answers)
        assert {one["model"] for one in answers} == {gateway.live.served.digest[:12]}
        assert {one["source"] for one in answers} == {"primary"}
        assert gateway.live.pipeline.breaker.state == "closed"
        if fault != "huge":  # finite scores are a success to a breaker, and stopped behind it
            assert len(calls) < 60
        return answers

    asyncio.run(story())
    told = decisions(gateway)
    assert len(told) == 61  # each decided once
    assert {one["digest"] for one in told} == {gateway.live.served.digest}


def test_a_broken_canary_is_not_even_begun(folder: Path, gateway: Gateway) -> None:
    (folder / "next.json").write_text("{}")
    with pytest.raises(Exception, match=r"next\.json"):
        _deploy(folder, "canary")
    assert next(deploy.status(folder / "temper.yaml", 0.0)) == "live: the model of temper.yaml"


def test_status_says_what_is_live_on_trial_and_before(folder: Path) -> None:
    _deploy(folder, "live")
    digest = _deploy(folder, "canary", 0.1)
    name = f"next.json ({digest[:12]})"
    assert list(deploy.status(folder / "temper.yaml", 0.0)) == [
        f"live: {name}",
        f"canary: {name} for 10% of the clients",
        "before: the model of temper.yaml",
        "advice: no gateway on this machine has told of it yet; see that one runs, and ask again in a few seconds",
    ]
    assert _back(folder) == name  # ends the trial alone
    assert _back(folder) == "the model of temper.yaml"
