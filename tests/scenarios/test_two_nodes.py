"""Two gateways on one control store, one of them killed: the other goes on, nothing acknowledged is lost or doubled,
what is shared stays shared, and the quota that died with a lease comes back.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from bench.guard.kills import FAULTS, REVIEW, ROOT, Told, answers, client, free, held, row, write
from gateway_asked import asked, children, metric, waited
from temper.store.control import Control
from temper.store.control.quotas import SECONDS

pytestmark = pytest.mark.slow
PER_DAY = 1_000
GUARD = {
    "audit": {"folder": "audit"},
    "open": False,
    "quota": {"per_day": PER_DAY},
    "decide": {"review": list(REVIEW)},
}


@dataclass
class Node:
    """A `temper serve` of its own, as it is started by hand."""

    config: Path
    name: str
    words: tuple[str, ...] = ()
    port: int = field(default_factory=free)
    process: subprocess.Popen | None = None

    def start(self):
        command = [sys.executable, "-m", "temper", "serve", "-c", str(self.config), "--port", str(self.port)]
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--node", self.name, *self.words],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            )
        answers(self.port, lambda: self.process.poll() is None, self.log)
        return self

    @property
    def log(self):
        return self.config.with_suffix(".log")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) in (0, -signal.SIGTERM)


@contextmanager
def running(*nodes):
    try:
        yield [node.start() for node in nodes]
        for node in nodes:
            node.end()
    finally:
        for node in nodes:
            if node.process.poll() is None:
                node.kill()


@dataclass
class Shop:
    """A client that asks one row after another at these ports, until its quota is used up."""

    token: str
    told: Told
    rng: Random = field(default_factory=lambda: Random(5))
    got: Counter = field(default_factory=Counter)
    number: int = 0

    def ask(self, port, most, patience=0.0):
        """Until so many were answered, or for so long nothing more was to be had."""
        last, answered = time.monotonic(), 0
        while answered < most:
            self.number += 1
            id_ = f"shop-{self.number}"
            status, _, found = asked(port, {"id": id_, "row": row(self.rng)}, self.token)
            self.got[status] += 1
            if status == 200:
                last = time.monotonic()
                self.told.kept[id_] = found["results"][0]["decision"], found["results"][0].get("score")
            answered += status == 200
            if status == 429:
                if time.monotonic() >= last + patience:
                    break
                time.sleep(0.1)
        return answered


def cases_at(place):
    """How often each request stands in the queue."""
    control = Control.open(place)
    try:
        pages = [control.reviews.page(limit=500, offset=at) for at in range(0, 20_000, 500)]
        return Counter(case.payload["request"] for page in pages for case in page)
    finally:
        control.close()


def degraded(port, token):
    """Whether somebody else than the model answers."""
    return asked(port, {"row": row(Random(1))}, token)[2].get("degraded")


async def loaded(ports, tokens, told, story):
    until = asyncio.Event()
    clients = [
        asyncio.create_task(client(ports[at % len(ports) :] + ports, f"c{at}", told, until, key=token))
        for at, token in enumerate(tokens)
    ]
    try:
        return await story()
    finally:
        until.set()
        await asyncio.gather(*clients)


def well(found, least):
    assert [name for name in FAULTS if getattr(found, name)] == []
    assert found.acknowledged >= least
    assert found.reviews > 0


def test_two_nodes_on_postgresql_one_killed(tmp_path, cluster, monkeypatch):
    monkeypatch.setenv("TEMPER_PEPPER", "p" * 40)
    url, told = cluster.database(), Told()
    control = Control.open(url)
    tokens = [control.keys.add(f"c{at}", "root", time.time()) for at in range(6)]
    shop = Shop(control.keys.add("shop", "root", time.time()), told)
    gone = control.keys.add("gone", "root", time.time())
    east, west = (Node(write(tmp_path / name, GUARD, control=url), name) for name in ("east", "west"))
    with running(east, west):
        # One quota for both, and a key that is revoked at one is refused at the other.
        assert shop.ask(east.port, 100) + shop.ask(west.port, 100) == 200
        assert asked(west.port, {"row": row(Random(1))}, gone)[0] == 200
        words = ["keys", "revoke", gone.partition(".")[0], "--store", url]
        subprocess.run([sys.executable, "-m", "temper", *words], check=True, capture_output=True)
        for node in (east, west):
            assert waited(lambda port=node.port: asked(port, {"row": row(Random(1))}, gone)[0] == 401, 5.0) < 4.0

        async def story():
            await asyncio.sleep(1.0)
            await asyncio.to_thread(east.kill)
            before, began = len(told.kept), time.monotonic()
            await asyncio.sleep(1.0)
            return len(told.kept) - before, began

        after, killed = asyncio.run(loaded([east.port, west.port], tokens, told, story))
        assert after > 20, "the other node goes on"
        assert told.broken > 0, "it was killed while clients waited"
        # What is left of the quota, but for what east held; that comes back when its lease is over.
        at_once = shop.ask(west.port, PER_DAY)
        assert at_once >= PER_DAY // 2
        time.sleep(max(0.0, killed + SECONDS + 0.5 - time.monotonic()))
        later = shop.ask(west.port, PER_DAY, 8.0)
        assert PER_DAY <= shop.got[200] <= PER_DAY + PER_DAY // 20, (at_once, later)
        assert metric(west.port, "workers") == 1
        east.start()  # under its name, at once
        # What people switch at one place is followed by both.
        for stopped in (True, False):
            control.records.put("kill", stopped, "root", "to see it followed", time.time())
            for node in (east, west):
                waited(lambda port=node.port, now=stopped: degraded(port, tokens[0]) is now, 10.0)
        waited(lambda: metric(west.port, "workers") == 2, 5.0)
        assert metric(west.port, "name_disputed") == 0
        reviews = sum(said[0] == "review" for said in told.kept.values())
        waited(lambda: sum(cases_at(url).values()) >= reviews, 20.0)
    cases = cases_at(url)
    well(held([tmp_path / "east" / "audit", tmp_path / "west" / "audit"], cases, told), 250)
    control.close()


def test_two_workers_on_sqlite_one_killed(tmp_path):
    folder, told = tmp_path / "s", Told()
    config = write(folder, GUARD)
    control = Control.open(str(folder / "control.db"))
    tokens = [control.keys.add(f"c{at}", "root", time.time()) for at in range(6)]
    shop = Shop(control.keys.add("shop", "root", time.time()), told)
    node = Node(config, "one", ("--workers", "2"))
    with running(node):
        waited(lambda: metric(node.port, "processes") == 2, 30.0)
        assert shop.ask(node.port, 100) == 100

        async def story():
            await asyncio.sleep(1.0)
            victim = children(node.process.pid)[0]
            os.kill(victim, signal.SIGKILL)
            before, killed = len(told.kept), time.monotonic()
            await asyncio.sleep(1.0)
            return len(told.kept) - before, killed

        after, killed = asyncio.run(loaded([node.port], tokens, told, story))
        assert after > 20
        time.sleep(max(0.0, killed + SECONDS + 0.5 - time.monotonic()))
        later = shop.ask(node.port, PER_DAY, 8.0)
        assert PER_DAY <= shop.got[200] <= PER_DAY + PER_DAY // 20, later
        reviews = sum(said[0] == "review" for said in told.kept.values())
        waited(lambda: sum(cases_at(str(folder / "control.db")).values()) >= reviews, 20.0)
    cases = cases_at(str(folder / "control.db"))
    well(held([folder / "audit"], cases, told), 250)
    control.close()
