"""A gateway follows its temper.yaml: atomically, with its memory, and never to something that cannot answer."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from small_gateway import GUARD, asked, decisions, folder, gateway, models, written
from temper.core.review import Role
from temper.gateway.tables.build import Gateway
from temper.guard.serving.breaker import State

__all__ = ["folder", "gateway", "models"]


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
    policies = gateway.control.policies
    for name, role in (("ann", Role.ANALYST), ("pat", Role.APPROVER)):
        gateway.control.people.add(name, role, "a sentence to remember", "root", 0.0)

    def activate(value: dict[str, Any]) -> None:
        proposed = policies.propose(value, {}, "d" * 64, "ann", "a test", time.time())
        policies.approve(proposed.id, "pat", "seen", time.time())

    async def story() -> list[str]:
        found = [gateway.live.policy]
        for change in (
            lambda: activate({"threshold": 0.999, "anomaly": "shadow"}),
            lambda: activate({"open": True}),  # past the command that would have refused it
            lambda: [policies.rollback("pat", "wrong", time.time()) for _ in range(2)],
        ):
            change()
            await gateway.reloading.once()
            found.append(gateway.live.policy)
        return found

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
