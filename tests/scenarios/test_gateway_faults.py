"""What becomes of decisions, cases and keys when parts of a gateway's world are taken away, over real sockets."""

import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from random import Random

import pytest

from bench.guard.kills import FAULTS, REVIEW, Nursery, Told, answer, cases_in, client, ended, free, held, row, write
from bench.guard.outage import outage
from gateway_asked import asked, metric, waited
from temper.store.control import Control
from temper.traffic.messages import message

pytestmark = pytest.mark.slow
GREY = {"decide": {"review": list(REVIEW)}}


@contextmanager
def gateways(*configs):
    """(port, pid, nursery) of a gateway of each of these."""
    with ExitStack() as stack:
        found = []
        for config in configs:
            young, port = Nursery(config), free()
            stack.callback(young.close)
            found.append((port, young.gateway(port), young))
        yield found


async def under_load(ports, told, story, many=6):
    """Clients ask while the story goes on; a gateway that is gone is left for the next."""
    until = asyncio.Event()
    clients = [
        asyncio.create_task(client(ports[at % len(ports) :] + ports, f"c{at}", told, until)) for at in range(many)
    ]
    try:
        return await story()
    finally:
        until.set()
        await asyncio.gather(*clients)


def stopped(pid):
    """End a gateway in peace; seconds it took."""
    os.kill(pid, signal.SIGTERM)
    return ended(pid)


def well(found, least):
    assert [name for name in FAULTS if getattr(found, name)] == []
    assert found.acknowledged >= least
    assert found.reviews > 0


def test_one_of_two_gateways_on_one_control_store_is_killed(tmp_path):
    control = str(tmp_path / "control.db")
    configs = [write(tmp_path / name, {"audit": {"folder": "audit"}, **GREY}, control=control) for name in "ab"]
    told = Told()
    with gateways(*configs) as ((one, first, young), (other, second, _)):

        async def story():
            await asyncio.sleep(1.0)
            os.kill(first, signal.SIGKILL)
            before = len(told.kept)
            await asyncio.sleep(1.0)
            return len(told.kept) - before, await asyncio.to_thread(young.gateway, one)

        after, again = asyncio.run(under_load([one, other], told, story))
        assert after > 20, "who comes to the other gateway is answered"
        stopped(again), stopped(second)
    well(held([tmp_path / "a" / "audit", tmp_path / "b" / "audit"], cases_in(tmp_path / "control.db"), told), 50)


def test_asked_to_end_under_load_it_ends_in_seconds_and_loses_nothing(tmp_path):
    told = Told()
    with gateways(write(tmp_path / "s", {"audit": {"folder": "audit"}, **GREY})) as ((port, pid, _),):
        dawdler = socket.create_connection(("127.0.0.1", port))
        dawdler.sendall(message(b"{" * 100, key="k")[:-50])

        async def story():
            await asyncio.sleep(1.0)
            return await asyncio.to_thread(stopped, pid)

        assert asyncio.run(under_load([port], told, story)) < 5.0
        dawdler.close()
    assert set(told.refused) <= {503}
    well(held([tmp_path / "s" / "audit"], cases_in(tmp_path / "s" / "control.db"), told), 30)


def test_while_the_control_store_takes_nothing_decisions_go_on_and_cases_come_later(tmp_path):
    got = outage(tmp_path / "s", 3.0)
    assert got.during > 30
    assert got.waiting > 0
    assert got.caught_up < 20.0
    assert not got.told.refused, "nobody waits for the control store"
    well(got.found, 30)


def test_postgresql_goes_away_and_comes_back(tmp_path, cluster, monkeypatch):
    import psycopg

    monkeypatch.setenv("TEMPER_PEPPER", "p" * 40)
    url, told = cluster.database(), Told()

    def cases():
        with psycopg.connect(url) as connection:
            return Counter(json.loads(text)["request"] for (text,) in connection.execute("SELECT payload FROM review"))

    configs = [write(tmp_path / name, {"audit": {"folder": "audit"}, **GREY}, control=url) for name in "ab"]
    with gateways(*configs) as ((one, first, _), (other, second, _)):

        async def story():
            await asyncio.sleep(0.5)
            await asyncio.to_thread(cluster.stop, signal.SIGQUIT)
            before = len(told.kept)
            await asyncio.sleep(2.0)
            went_on, failing = len(told.kept) - before, await asyncio.to_thread(metric, one, "control_failing")
            await asyncio.to_thread(cluster.start)
            return went_on, failing

        went_on, failing = asyncio.run(under_load([one, other], told, story))
        assert went_on > 30
        assert failing > 0
        reviews = sum(said[0] == "review" for said in told.kept.values())
        waited(lambda: len(cases()) >= reviews, 30)
        stopped(first), stopped(second)
    well(held([tmp_path / "a" / "audit", tmp_path / "b" / "audit"], cases(), told), 30)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("a small disk of its own takes root and mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_refused_at_once_and_told_and_got_over_without_a_restart(tmp_path, small_disk):
    told, rng = Told(), Random(0)
    with gateways(write(tmp_path / "s", {"audit": {"folder": str(small_disk)}, **GREY})) as ((port, pid, _),):
        assert asked(port, {"row": row(rng)})[0] == 200
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4_096)):
                pass
        statuses, slowest, after = Counter(), 0.0, b""
        for _ in range(60):  # what the file has room for already may still be taken
            began = time.monotonic()
            status, head, _ = asked(port, {"row": row(rng)})
            slowest = max(slowest, time.monotonic() - began)
            statuses[status] += 1
            after = head if status == 503 else after
        assert statuses[503] > 30
        assert set(statuses) <= {200, 503}
        assert b"retry-after: " in after
        assert slowest < 1.0
        assert metric(port, "audit_failing") == 1
        filler.unlink()
        waited(lambda: asked(port, {"row": row(rng)})[0] == 200, 5.0)
        assert metric(port, "audit_failing") == 0

        async def story():
            await asyncio.sleep(0.5)

        asyncio.run(under_load([port], told, story))
        stopped(pid)
    well(held([small_disk], cases_in(tmp_path / "s" / "control.db"), told), 10)


def test_a_request_of_a_thousand_rows_for_review_holds_up_no_case_behind_it(tmp_path):
    rng, control = Random(0), tmp_path / "s" / "control.db"
    with gateways(write(tmp_path / "s", {"decide": {"review": [0.0, 1.0]}})) as ((port, pid, _),):
        # Each as large as a body may be: many digits in every number.
        rows = [
            {"a": rng.uniform(0, 1_000), "b": rng.uniform(-1e-200, 1e-200), "channel": "online"} for _ in range(1_000)
        ]
        for id_, several in (("large", rows), ("later", rows[:1])):
            status, _, found = asked(port, {"id": id_, "rows": several})
            assert (status, found["results"][0]["decision"]) == (200, "review")
        waited(lambda: set(cases_in(control)) == {"large", "later"})
        stopped(pid)


def test_keys_that_are_stolen_expired_or_for_something_else_open_nothing(tmp_path):
    folder, now = tmp_path / "s", time.time()
    quota = {"per_second": 0.01, "burst": 20}
    config = write(folder, {"open": False, "quota": quota, **GREY})
    control = Control.open(str(folder / "control.db"))
    add = {"by": "root", "now": now}
    stolen, other = control.keys.add("till", **add), control.keys.add("web", **add)
    fleeting = control.keys.add("guest", expires=now + 3_600, **add)
    console = control.keys.add("report", scopes=("read",), **add)
    ones = [control.keys.add(f"app-{at}", group="apps", **add) for at in range(2)]
    with gateways(config) as ((port, pid, young),):
        one = {"id": "r1", "row": row(Random(1))}
        assert asked(port, one, stolen)[0] == 200
        for key in ("", "k", console, stolen[:-1], stolen + "x", "." + stolen, stolen.replace(".", ".."), "x" * 5_000):
            status, _, found = asked(port, one, key)
            assert (status, list(found)) == (401, ["error"])
        # The id of another client is nothing to this one: it is decided anew, and no conflict tells of the other.
        status, head, _ = asked(port, {"id": "r1", "row": row(Random(2))}, other)
        assert (status, b"idempotency-replayed" in head) == (200, False)
        assert b"idempotency-replayed" in asked(port, one, stolen)[1]
        assert asked(port, {"id": "g", "row": row(Random(1))}, ones[0])[0] == 200
        assert asked(port, {"id": "g", "row": row(Random(2))}, ones[1])[0] == 200
        assert asked(port, one, fleeting)[0] == 200
        # Keys of one group share one quota, and nobody else's is touched.
        found = Counter(asked(port, {"row": row(Random(at))}, ones[at % 2])[0] for at in range(40))
        assert found[200] <= 20
        assert found[429] >= 20
        assert asked(port, {"row": row(Random(0))}, other)[0] == 200
        assert _apart(port, stolen.partition(".")[0]) < 1.5
        control.keys.revoke(stolen.partition(".")[0], "root", time.time())
        assert waited(lambda: asked(port, {"row": row(Random(0))}, stolen)[0] == 401, 5.0) < 4.0
        assert asked(port, one, stolen)[0] == 401, "not even what it was told before"
        stopped(pid)
        told = young.log.read_text() + "".join(str(path.read_bytes()) for path in folder.glob("audit*/*"))
    for key in (stolen, other, fleeting, console, *ones):
        assert key not in told
        assert key.partition(".")[2] not in told
    control.close()


def _apart(port, kid):
    """How much longer a wrong secret of a key that exists takes than a key that does not, in medians."""

    async def story():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        seconds = {kid: [], "0" * len(kid): []}
        for at in range(400):
            name = list(seconds)[at % 2]
            began = time.perf_counter()
            writer.write(message(b"{}", key=f"{name}.{'s' * 43}"))
            assert (await answer(reader))[0] == 401
            seconds[name].append(time.perf_counter() - began)
        writer.close()
        return [statistics.median(one) for one in seconds.values()]

    known, unknown = asyncio.run(story())
    return known / unknown
