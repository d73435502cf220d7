"""A gateway that is killed again and again under load: what it acknowledged is written down once, and nothing is lost.

    python -m bench.guard.kills [--quick]          # 1,000 kills, or 50

Two gateways of a tiny model (generated: three columns) answer four clients each, who wait for the answer and then ask
again under a new id; both get SIGKILL at random moments and are started anew. A parent that has everything loaded forks
them, so that a start takes a fraction of a second; what is killed is a whole process with its sockets and threads. In
the end the ledgers are held against what the clients were told, and the cases people see against the REVIEWs in it.
The page cache outlives a process: what a power cut would take is `bench.guard.ledger`'s to show.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np

from bench.table import goal, machine, table
from temper.store.ledger import checkpoint as notes
from temper.store.ledger import record as lines
from temper.store.ledger.record import Decided
from temper.store.ledger.verify import Verified, records, verify
from temper.traffic.messages import message

ROOT = Path(__file__).parents[2]
CHANNELS = ("chip", "online")
CLIENTS = 4
REVIEW = (0.35, 0.65)


def write(folder: Path, guard: Mapping[str, Any], *, control: str = "control.db") -> Path:
    """A system small enough to be started in no time: its temper.yaml. What is in `guard` is added to it."""
    import pandas as pd
    import xgboost
    import yaml

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.uniform(0, 1_000, 3_000), "b": rng.uniform(-1, 1, 3_000)})
    codes = rng.integers(0, 2, 3_000)
    target = (frame["a"] / 1_000 + 0.3 * codes + 0.2 * frame["b"] + rng.normal(0, 0.2, 3_000) > 0.7).astype(int)
    x = np.column_stack([frame["a"], frame["b"], codes])
    xgboost.XGBClassifier(n_estimators=10, max_depth=3, n_jobs=1).fit(x, target).save_model(folder / "model.ubj")
    frame = frame.assign(channel=np.array(CHANNELS)[codes], y=target)
    frame[:2_400].to_parquet(folder / "train.parquet")
    frame[2_400:].to_parquet(folder / "test.parquet")
    off = dict.fromkeys(("anomaly", "extraction"), "off")
    document = {
        "system": {"name": "tiny", "simulated": True},
        "model": {"path": "model.ubj", "kind": "probabilities", "threshold": 0.5},
        "data": {"test": "test.parquet", "train": "train.parquet", "target": "y"},
        "schema": {
            "columns": {
                "a": {"type": "number", "low": 0, "high": 1_000},
                "b": {"type": "number", "low": -1, "high": 1},
                "channel": {"type": "category", "categories": list(CHANNELS)},
            }
        },
        "guard": {"open": True, "deadline_ms": 2_000, "control": control, **off, **guard},
    }
    path = folder / "temper.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def row(rng: Random) -> dict[str, Any]:
    """What a client may ask."""
    return {"a": round(rng.uniform(0, 1_000), 3), "b": round(rng.uniform(-1, 1), 6), "channel": rng.choice(CHANNELS)}


def free() -> int:
    """A port nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


# -- processes ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Nursery:
    """A process that has read a temper.yaml and forks gateways of it, each a worker of its own at a port; the node is
    called after the folder.
    """

    config: Path
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        words = [sys.executable, "-m", "bench.guard.kills", "nursery", str(self.config)]
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=ROOT
            )
        assert self._line() == "ready", self.log.read_text()

    @property
    def log(self) -> Path:
        """What the gateways say."""
        return self.config.with_suffix(".log")

    def gateway(self, port: int, worker: str = "0") -> int:
        """The pid of a gateway that answers at this port."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{port} {worker}\n")
        self.process.stdin.flush()
        pid = int(self._line())
        answers(port, lambda: Path(f"/proc/{pid}").exists(), self.log)
        return pid

    def close(self) -> None:
        """No more gateways."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def answers(port: int, lives: Callable[[], bool], log: Path) -> None:
    """Wait until something answers at a port."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and lives():
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1.0).close()
            return
        time.sleep(0.005)
    raise RuntimeError(f"nothing answers: {log.read_text()[-2_000:]}")


def ended(pid: int, seconds: float = 10.0) -> float:
    """After how many seconds this process was gone."""
    began = time.monotonic()
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > began + seconds:
            raise TimeoutError(f"the gateway is there after {seconds:g} s")
        time.sleep(0.002)
    return time.monotonic() - began


def nursery(config: Path) -> int:
    """Fork a gateway for every line "port worker" until there are no more."""
    import uvicorn
    import uvicorn.lifespan.on
    import uvicorn.loops.auto
    import uvicorn.protocols.http.auto

    from temper.gateway.tables.build import opened
    from temper.gateway.transport import settings

    node = config.parent.name
    opened(config, node=node, worker="first").close()  # fits the profile, compiles what is compiled
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever is killed is gone
    print("ready", flush=True)
    for line in sys.stdin:
        port, worker = line.split()
        if pid := os.fork():
            print(pid, flush=True)
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        gateway = opened(config, node=node, worker=worker)
        uvicorn.run(gateway, host="127.0.0.1", port=int(port), **settings(gateway.door))
        os._exit(0)
    return 0


# -- clients --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Told:
    """What clients were told: by id its decision and score. `refused` counts every other status, `broken` the lines
    that broke while an answer was waited for.
    """

    kept: dict[str, tuple[str, float | None]] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    slowest: float = 0.0


async def client(ports: list[int], name: str, told: Told, until: asyncio.Event, key: str = "k") -> None:
    """Ask one row after another, each once, under ids of its own; where a line breaks, go to the next port."""
    rng, n, at = Random(name), 0, 0
    while not until.is_set():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", ports[at % len(ports)])
        except OSError:
            at += 1
            await asyncio.sleep(0.005)
            continue
        try:
            while not until.is_set():
                n += 1
                began = time.monotonic()
                id_ = f"{name}-{n}"
                writer.write(message(json.dumps({"id": id_, "row": row(rng)}).encode(), key=key))
                status, body = await answer(reader)
                told.slowest = max(told.slowest, time.monotonic() - began)
                _note(told, id_, status, body)
                if status in (429, 503):
                    await asyncio.sleep(0.01)
        except (OSError, EOFError):
            told.broken += 1
            at += 1
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _note(told: Told, id_: str, status: int, body: bytes) -> None:
    if status != 200:
        told.refused[status] += 1
        return
    found = json.loads(body)
    assert found["id"] == id_
    result = found["results"][0]
    told.kept[id_] = result["decision"], result.get("score")


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One answer: its status and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(one[15:]) for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:"))
    return int(head[9:12]), await reader.readexactly(length)


# -- what is left ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The ledgers and the queue against what clients were told; every list should be empty."""

    acknowledged: int
    lost: list[str]
    twice: list[str]
    otherwise: list[str]
    reviews: int
    without_case: list[str]
    cases_twice: list[str]
    cases_of_nothing: list[str]
    faults: list[str]
    records: int
    openings: int

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not any(getattr(self, name) for name in FAULTS)


FAULTS = ("lost", "twice", "otherwise", "without_case", "cases_twice", "cases_of_nothing", "faults")


def held(audits: list[Path], cases: Mapping[str, int], told: Told) -> Held:
    """Compare them. `cases` is how often each request stands in the queue."""
    verified: list[Verified] = []
    written: dict[str, list[Decided]] = {}
    for folder in audits:
        public = notes.public_key(folder / "ledger.pub")
        for log in sorted(one for one in folder.glob("audit-*.db") if "." not in one.stem):
            far = folder / "far"
            verified.append(verify(log, far if far.exists() else None, public))
            for found in _decisions(log):
                written.setdefault(found.request, []).append(found)
    reviews = [id_ for id_, many in written.items() if any(one.level == "REVIEW" for one in many)]
    return Held(
        acknowledged=len(told.kept),
        lost=[id_ for id_ in told.kept if id_ not in written],
        twice=[id_ for id_, many in written.items() if len(many) > 1],
        otherwise=[id_ for id_, said in told.kept.items() if id_ in written and not _same(written[id_][0], said)],
        reviews=sum(said[0] == "review" for said in told.kept.values()),
        without_case=[id_ for id_ in reviews if id_ not in cases],
        cases_twice=[id_ for id_, many in cases.items() if many > 1],
        cases_of_nothing=[id_ for id_ in cases if id_ not in reviews],
        faults=[f"{one.name}: {fault}" for one in verified for fault in one.faults],
        records=sum(one.size for one in verified),
        openings=sum(one.openings for one in verified),
    )


def cases_in(control: Path) -> Counter[str]:
    """How often each request stands in the queue of a SQLite control store."""
    connection = sqlite3.connect(control)
    try:
        return Counter(json.loads(text)["request"] for (text,) in connection.execute("SELECT payload FROM review"))
    finally:
        connection.close()


def _decisions(log: Path) -> list[Decided]:
    found = (lines.decode(data) for _, data in records(log))
    return [msgspec.msgpack.decode(one.body, type=Decided) for one in found if one.kind == "decision"]


def _same(written: Decided, said: tuple[str, float | None]) -> bool:
    return written.level.lower() == said[0] and (said[1] is None or written.scores == (said[1],))


# -- the story ------------------------------------------------------------------------------------------------------


def killed(folder: Path, kills: int, workers: int = 2, longest: float = 0.25) -> tuple[Told, Held, float]:
    """Kill that many gateways under load, `workers` at a time, and look at what is left. The last ones end in peace."""
    audit = {"folder": "audit", "checkpoints": "audit/far"}
    config = write(folder, {"audit": audit, "decide": {"review": list(REVIEW)}})
    young, told, began = Nursery(config), Told(), time.monotonic()
    try:
        asyncio.run(_under_load(young, told, kills // workers, workers, longest))
    finally:
        young.close()
    return told, held([folder / "audit"], cases_in(folder / "control.db"), told), time.monotonic() - began


async def _under_load(young: Nursery, told: Told, rounds: int, workers: int, longest: float) -> None:
    ports, moments, until = [free() for _ in range(workers)], Random(1), asyncio.Event()
    clients = [
        asyncio.create_task(client([port], f"{at}.{one}", told, until))
        for at, port in enumerate(ports)
        for one in range(CLIENTS)
    ]
    for again in range(rounds + 1):
        starts = [asyncio.to_thread(young.gateway, port, str(at)) for at, port in enumerate(ports)]
        pids = [await start for start in starts]
        await asyncio.sleep(moments.uniform(0.0, longest))
        for pid in pids:
            os.kill(pid, signal.SIGKILL if again < rounds else signal.SIGTERM)
        for pid in pids:
            await asyncio.to_thread(ended, pid)
    until.set()
    await asyncio.gather(*clients)


def main(words: list[str]) -> int:
    """Print what was lost."""
    if words[:1] == ["nursery"]:
        return nursery(Path(words[1]))
    print(machine("uvicorn", "msgspec"), flush=True)
    kills = 50 if "--quick" in words else 1_000
    with tempfile.TemporaryDirectory() as folder:
        told, found, seconds = killed(Path(folder) / "system", kills)
    table(
        f"{kills} kills of gateways, two at a time, {CLIENTS} clients each, {seconds:.0f} s",
        ["what", "of", "wrong"],
        [
            ["acknowledged decisions lost", found.acknowledged, len(found.lost)],
            ["decisions written twice", found.records, len(found.twice)],
            ["acknowledged decisions written otherwise", found.acknowledged, len(found.otherwise)],
            ["REVIEWs without a case", found.reviews, len(found.without_case)],
            ["requests with two cases", found.reviews, len(found.cases_twice)],
            ["cases of nothing", found.reviews, len(found.cases_of_nothing)],
            ["faults in chain, tree and checkpoints", found.records, len(found.faults)],
        ],
    )
    print(f"lines that broke: {told.broken}; answers that were none: {dict(told.refused)}; openings: {found.openings}")
    print(f"with 0 of {found.acknowledged:,} lost, up to {3 / max(found.acknowledged, 1):.1e} would have gone unseen")
    goal("R1 lost, doubled or broken", sum(len(getattr(found, name)) for name in FAULTS), 1, digits=0)
    return 0 if found.well else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
