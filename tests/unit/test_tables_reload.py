"""A gateway follows its temper.yaml: atomically, with its memory, and never to something that cannot answer."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temper.gateway.tables.build import Gateway, opened
from temper.guard.serving.breaker import State
from temper.store.ledger import record as lines
from temper.store.ledger.verify import records

COLUMNS = ("a", "b", "c")
GUARD = "guard:\n  open: true\n  deadline_ms: 2000\n"
YAML = """system: {{name: small}}
model: {{path: model.json, kind: probabilities, threshold: {threshold}}}
data: {{test: test.csv, train: test.csv, target: y, positive: "1"}}
schema:
  columns:
    a: {{type: number, low: -9, high: 9}}
    b: {{type: number, low: -9, high: 9}}
    c: {{type: number, low: -9, high: 9}}
{guard}"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of a small model, and the rows they learnt from."""
    import xgboost

    folder = tmp_path_factory.mktemp("models")
    rng = np.random.Generator(np.random.Philox(key=7))
    x = rng.normal(size=(4_000, 3)).astype(np.float32)
    y = (x[:, 0] + 0.5 * x[:, 1] + 0.3 * rng.normal(size=4_000) > 0).astype(int)
    rows = [",".join((*COLUMNS, "y")), *(f"{a},{b},{c},{t}" for (a, b, c), t in zip(x.tolist(), y, strict=True))]
    (folder / "test.csv").write_text("\n".join(rows))
    for name, rounds in (("model", 20), ("next", 25)):
        booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, xgboost.DMatrix(x, y), rounds)
        booster.save_model(folder / f"{name}.json")
    return folder


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """A system of its own."""
    for file in models.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    written(tmp_path)
    return tmp_path


@pytest.fixture
def gateway(folder: Path) -> Iterator[Gateway]:
    """A gateway that nobody started: tests move it on."""
    found = opened(folder / "temper.yaml")
    yield found
    found.close()


def written(folder: Path, guard: str = GUARD, threshold: float = 0.5) -> None:
    (folder / "temper.yaml").write_text(YAML.format(guard=guard, threshold=threshold))


async def asked(gateway: Any, row: tuple[float, ...] = (1.0, 0.0, 0.0), id_: str | None = None) -> dict[str, Any]:
    """The answer to one row, over ASGI."""
    told: list[dict[str, Any]] = []
    document = {"row": dict(zip(COLUMNS, row, strict=True))} | ({"id": id_} if id_ else {})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(document).encode()}

    async def send(event: dict[str, Any]) -> None:
        told.append(event)

    await gateway({"type": "http", "method": "POST", "path": "/v1/score", "headers": []}, receive, send)
    return {"status": told[0]["status"], **json.loads(told[1]["body"])}


def decisions(gateway: Gateway) -> list[dict[str, Any]]:
    found = [lines.decode(data).document() for _, data in records(gateway.journal.path)]
    return [one["body"] for one in found if one["kind"] == "decision"]


def test_every_decision_names_the_policy_it_was_made_under(folder: Path, gateway: Gateway) -> None:
    async def story() -> tuple[Any, Any]:
        before = await asked(gateway)
        written(folder, threshold=0.999)
        assert await gateway.reloading.once()
        return before, await asked(gateway)

    before, after = asyncio.run(story())
    assert (before["results"][0]["label"], after["results"][0]["label"]) == ("1", "0")
    assert before["model"] == after["model"]
    assert before["policy"] != after["policy"] == gateway.live.policy[:12]
    assert [one["policy"][:12] for one in decisions(gateway)] == [before["policy"], after["policy"]]


def test_requests_under_way_end_on_the_version_they_began_with(folder: Path, gateway: Gateway) -> None:
    """No answer mixes two versions, however requests and reloads fall: label and policy always fit."""

    async def client(answers: list[Any], until: float) -> None:
        while time.monotonic() < until:
            answers.append(await asked(gateway))

    async def story() -> tuple[list[Any], dict[str, str]]:
        answers: list[Any] = []
        labels = {gateway.live.policy[:12]: "1"}
        clients = [asyncio.create_task(client(answers, time.monotonic() + 2.0)) for _ in range(8)]
        for threshold in (0.999, 0.5, 0.998):
            written(folder, threshold=threshold)
            assert await gateway.reloading.once()
            labels[gateway.live.policy[:12]] = "1" if threshold == 0.5 else "0"
            await asyncio.sleep(0.05)
        await asyncio.gather(*clients)
        return answers, labels

    answers, labels = asyncio.run(story())
    assert {one["status"] for one in answers} == {200}
    assert {one["policy"] for one in answers} == set(labels)
    assert all(labels[one["policy"]] == one["results"][0]["label"] for one in answers)


def test_what_a_reload_does_not_touch_keeps_its_memory(folder: Path, gateway: Gateway) -> None:
    async def story() -> None:
        await asked(gateway, id_="r1")
        old = gateway.live.pipeline
        old.breaker.force_open(time.monotonic())
        written(folder, GUARD + "  anomaly: {answer: note}\n")
        assert await gateway.reloading.once()
        new = gateway.live.pipeline
        assert new is not old
        assert new.breaker is old.breaker
        assert new.breaker.state is State.FORCED_OPEN
        assert new.limiter is old.limiter
        assert new.each[0][2] is old.each[0][2]
        assert new.before[0][2] is not old.before[0][2]
        assert (await asked(gateway, id_="r1"))["source"] == "primary"  # answered from memory
        assert (await asked(gateway, id_="r2"))["source"] == "human"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        ("guard: [", "not YAML"),
        (GUARD + "  anomly: shadow\n", "no stage 'anomly'"),
        (GUARD + "  anomaly: {answer: shout}\n", "anomaly answers 'shout'"),
        (GUARD + "  audit: {folder: elsewhere}\n", "audit was changed"),
        (GUARD.replace("true", "false"), "open was changed"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line_and_the_old_goes_on(
    folder: Path, gateway: Gateway, guard: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> tuple[Any, Any]:
        before = await asked(gateway)
        written(folder, guard)
        for _ in range(3):  # told once, however often one looks
            assert not await gateway.reloading.once()
        return before, await asked(gateway)

    with caplog.at_level(logging.WARNING):
        before, after = asyncio.run(story())
    assert before == {**after, "id": before["id"]}
    assert len(caplog.records) == 1
    assert said in caplog.text
    assert "\n" not in caplog.records[0].getMessage()
    assert "temper_policy_refused 1" in gateway.counted.text()


def test_a_policy_people_activate_holds_until_it_is_taken_back(folder: Path, gateway: Gateway) -> None:
    put = gateway.control.records.put

    async def story() -> list[str]:
        policies = [gateway.live.policy]
        for value in ({"threshold": 0.999, "anomaly": "shadow"}, {"open": True}, None):
            put("policy", value, "ada", "a test", time.time())
            await gateway.reloading.once()
            policies.append(gateway.live.policy)
        return policies

    first, activated, refused, last = asyncio.run(story())
    assert activated not in (first,)
    assert refused == activated
    assert last == first
    assert gateway.live.system.threshold == 0.5
    assert f'policy="{first[:12]}"' in gateway.counted.text()


def test_a_model_that_does_not_answer_never_becomes_live(folder: Path, gateway: Gateway) -> None:
    async def story() -> bool:
        written(folder, GUARD + '  upstream: {url: "http://127.0.0.1:9/infer", networks: ["127.0.0.0/8"]}\n')
        return await gateway.reloading.once()

    assert not asyncio.run(story())
    assert "does not answer" in gateway.reloading.told
