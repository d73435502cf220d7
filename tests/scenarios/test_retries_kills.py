"""Clients who try again after kill -9: what was decided stays decided once, here and a moment later elsewhere."""

import asyncio
import json
import os
import signal
import time
from contextlib import suppress
from random import Random

import pytest

from bench.guard.kills import FAULTS, REVIEW, Nursery, Told, answer, cases_in, ended, free, held, row, write
from gateway_asked import asked, metric, waited
from temper.traffic.messages import message

pytestmark = pytest.mark.slow
KILLS = 15
GUARD = {"audit": {"folder": "audit"}, "decide": {"review": list(REVIEW)}}


async def insisting(port, name, told, until):
    """Ask until there is an answer, under the same id; now and then ask again what was answered long ago."""
    rng, number, sent = Random(name), 0, []
    reader = writer = None
    while not until.is_set():
        again = sent and rng.random() < 0.3
        if not again:
            number += 1
            sent.append((f"{name}-{number}", row(rng)))
        id_, asks = rng.choice(sent[-50:]) if again else sent[-1]
        while not until.is_set():
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(message(json.dumps({"id": id_, "row": asks}).encode(), key="k"))
                status, body = await answer(reader)
            except (OSError, EOFError):
                told.broken += 1
                writer = None if writer is None else writer.close()
                await asyncio.sleep(0.005)
                continue
            if status != 200:
                told.refused[status] += 1
                await asyncio.sleep(0.01)
                continue
            result = json.loads(body)["results"][0]
            found = result["decision"], result.get("score")
            assert told.kept.setdefault(id_, found) == found, "the answer of before"
            break
    if writer is not None:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def test_fifteen_kills_and_nothing_is_decided_twice(tmp_path):
    config = write(tmp_path / "s", {**GUARD, "audit": {"folder": "audit", "checkpoints": "audit/far"}})
    young, told, port, moments = Nursery(config), Told(), free(), Random(3)

    async def story():
        until = asyncio.Event()
        clients = [asyncio.create_task(insisting(port, f"c{at}", told, until)) for at in range(6)]
        for kill in range(KILLS + 1):
            pid = await asyncio.to_thread(young.gateway, port)
            await asyncio.sleep(moments.uniform(0.05, 0.4))
            if kill == KILLS:
                until.set()
                await asyncio.gather(*clients)
            os.kill(pid, signal.SIGKILL if kill < KILLS else signal.SIGTERM)
            await asyncio.to_thread(ended, pid)

    try:
        asyncio.run(story())
    finally:
        young.close()
    found = held([tmp_path / "s" / "audit"], cases_in(tmp_path / "s" / "control.db"), told)
    assert [name for name in FAULTS if getattr(found, name)] == []
    assert told.broken > KILLS, "clients were waiting when it was killed"
    assert set(told.refused) <= {503, 504}
    assert found.acknowledged > 10 * KILLS
    assert found.reviews > 0


def test_what_a_killed_node_has_answered_the_other_one_knows_after_the_relay(tmp_path):
    control = str(tmp_path / "control.db")
    young = [Nursery(write(tmp_path / name, GUARD, control=control)) for name in ("east", "west")]
    ports, rng, told = [free(), free()], Random(4), Told()
    try:
        pids = [one.gateway(port) for one, port in zip(young, ports, strict=True)]
        for port in ports:
            waited(lambda port=port: metric(port, "workers") == 2, 6.0)
        documents = [{"id": f"r{at}", "row": row(rng)} for at in range(60)]
        first = [asked(ports[0], one)[2] for one in documents]
        time.sleep(1.5)  # a second is promised, and this machine may be busy
        os.kill(pids[0], signal.SIGKILL)
        for one, said in zip(documents, first, strict=True):
            status, head, again = asked(ports[1], one)
            assert (status, again) == (200, said)
            assert b"idempotency-replayed" in head
        other = {"id": "r0", "row": row(rng)}
        assert asked(ports[1], other)[0] == 409
        for document, said in zip(documents, first, strict=True):
            told.kept[document["id"]] = said["results"][0]["decision"], said["results"][0].get("score")
        again = young[0].gateway(ports[0])  # hands on the cases it had not
        reviews = sum(said[0] == "review" for said in told.kept.values())
        waited(lambda: len(cases_in(tmp_path / "control.db")) >= reviews)
        for pid in (pids[1], again):
            os.kill(pid, signal.SIGTERM)
            ended(pid)
    finally:
        for one in young:
            one.close()
    found = held([tmp_path / name / "audit" for name in ("east", "west")], cases_in(tmp_path / "control.db"), told)
    assert [name for name in FAULTS if getattr(found, name)] == []
    assert (found.acknowledged, found.lost, found.twice) == (60, [], [])
    assert found.reviews > 0
