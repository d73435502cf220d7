"""The guard with every stage on beside serving frameworks with nothing before the model: rates and cost.

    python -m bench.guard.frameworks [--quick]

Peers, each in an environment of its own (BENCH_BENTOML and BENCH_MLSERVER name its python; `make servers` makes both):
BentoML 1.4.40 and MLServer 1.7.1, each without and with adaptive batching (64 requests at most; MLServer waits 1 ms for
them, more is slower here). Both as their pages have it for production: no access log, no debug, no metrics, no traces,
uvloop and httptools; one worker, MLServer's model in its own process (`parallel_workers: 0`: a second process on the
same core would only cost). Of BentoML's forms the one that was fastest here: a model of microseconds on the event loop,
plain lists.

One LightGBM model (200 trees, 31 leaves, 30 columns) for all, one row a request, checked to be answered with the same
score. The guard answers its own JSON, with names, beside BentoML, and the same bytes as MLServer (Open Inference
Protocol). Servers on core 0, the closed loop on core 1, rounds interleaved. Not measured: several workers, gRPC.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.guard import _services as services
from bench.guard._closed import Closed, closed
from bench.guard._served import ROOT, Served, port
from bench.table import Median, goal, machine, median, table
from temper.traffic.messages import message

WIDE = (32, 64)
BENTO, ML = "bentoml", "mlserver"
LIMITS = {BENTO: 5.0, ML: 3.0}
Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to ask a server: where, a row as its body, and the score in its reply. `peer` is who it is compared
    with, or "" where it is a peer's.
    """

    name: str
    path: str
    body: Callable[[Sequence[float]], Any]
    score: Callable[[Any], float]
    peer: str = ""

    def asked(self, row: Sequence[float]) -> bytes:
        """The body."""
        return json.dumps(self.body(row)).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A server that can be started in a folder, and the ways to ask it."""

    start: Callable[[Path], Served]
    ways: tuple[Way, ...]


def main(words: list[str]) -> int:
    """Print the table and the goals."""
    quick = "--quick" in words
    os.sched_setaffinity(0, {1})
    print(machine("lightgbm", "uvicorn", "uvloop"), flush=True)
    sides = {"temper": _OURS, **dict(_peers())}
    if len(sides) == 1:
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = services.write(folder, model="model.txt")[:2_000]
        found = _turns(sides, folder, rows, rounds=2 if quick else 5, seconds=1.0 if quick else 2.0)
    _print(found)
    return 0


def _peers() -> Iterator[tuple[str, Side]]:
    for name, side in ((BENTO, _bentoml), (ML, _mlserver)):
        told = os.environ.get(f"BENCH_{name.upper()}")
        python = Path(told) if told else ROOT / f".venv-{name}" / "bin" / "python"
        if python.exists():
            yield name, side(python.parent)
        else:
            print(f"not here, so not compared: {name} (`make servers` makes it)")


def _turns(
    sides: dict[str, Side], folder: Path, rows: Rows, rounds: int, seconds: float
) -> dict[tuple[str, int], list[Closed]]:
    """What every way of every side did, round by round."""
    import lightgbm

    truth = float(lightgbm.Booster(model_file=folder / "model.txt").predict(rows[:1])[0])
    found: dict[tuple[str, int], list[Closed]] = {}
    for _ in range(rounds):
        for side in sides.values():
            with side.start(folder) as server:
                for way in side.ways:
                    _same(server.port, way, rows[0], truth)
                    requests = [message(way.asked(row), key="k", path=way.path) for row in rows.tolist()]
                    for wide in WIDE:
                        one = closed(server.port, requests, wide, seconds, server.process.pid)
                        found.setdefault((way.name, wide), []).append(one)
    return found


def _same(at: int, way: Way, row: Rows, truth: float) -> None:
    """Who answers something else serves another model."""
    headers = {"Content-Type": "application/json", "Authorization": "Bearer k"}
    asked = urllib.request.Request(f"http://127.0.0.1:{at}{way.path}", data=way.asked(row.tolist()), headers=headers)
    with urllib.request.urlopen(asked, timeout=10.0) as reply:
        told = way.score(json.load(reply))
    if abs(told - truth) > 1e-6:
        raise RuntimeError(f"{way.name} says {told}, the model {truth}")


def _print(found: dict[tuple[str, int], list[Closed]]) -> None:
    rate = {at: median([one.rate for one in many]) for at, many in found.items()}
    rows = [
        [
            name, wide, sum(one.answered for one in many), sum(one.failed for one in many), rate[name, wide].show(0),
            f"{1e3 * np.median([one.p50 for one in many]):.1f}", f"{1e3 * np.median([one.p99 for one in many]):.1f}",
            median([one.cpu for one in many]).show(0),
        ]
        for (name, wide), many in found.items()
    ]  # fmt: skip
    rounds = len(next(iter(found.values())))
    columns = ["service", "connections", "answered", "failed", "a second", "p50 ms", "p99 ms", "CPU µs each"]
    table(f"closed loop, {rounds} interleaved rounds, medians with their range", columns, rows)
    for way in _OURS.ways:
        for wide in WIDE:
            _goal(way, wide, rate)


def _goal(way: Way, wide: int, rate: dict[tuple[str, int], Median]) -> None:
    """Over the better of the peer's two ways."""
    if peers := [one for (name, at), one in rate.items() if name.startswith(way.peer) and at == wide]:
        best = max(one.value for one in peers)
        what = f"P10 rate of {way.name} over {way.peer} at its best, {wide} connections"
        goal(what, rate[way.name, wide].value / best, LIMITS[way.peer], "x", at_least=True)


# -- the sides ------------------------------------------------------------------------------------------------------


def _named(row: Sequence[float]) -> Any:
    return {"row": dict(zip(services.COLUMNS, row, strict=True))}


def _tensor(row: Sequence[float]) -> Any:
    return {"inputs": [{"name": "rows", "shape": [1, len(row)], "datatype": "FP64", "data": list(row)}]}


def _first(reply: Any) -> float:
    return float(reply["outputs"][0]["data"][0])


def _guard(folder: Path) -> Served:
    services.forget(folder)
    at = port()
    command = [sys.executable, "-m", "bench.guard._services", "guard, all stages", str(at), str(folder)]
    return Served("the guard", command, at, log=folder / "guard.log")


_OURS = Side(
    start=_guard,
    ways=(
        Way(
            name="the guard, its JSON",
            path="/v1/score",
            body=_named,
            score=lambda reply: float(reply["results"][0]["score"]),
            peer=BENTO,
        ),
        Way(name="the guard, V2", path="/v2/models/bench/infer", body=_tensor, score=_first, peer=ML),
    ),
)


def _bentoml(programs: Path) -> Side:
    def start(folder: Path) -> Served:
        at = port()
        variables = {"MODEL": str(folder / "model.txt"), "BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "True"}
        command = [str(programs / "bentoml"), "serve", "_bentoml:Score", "--host", "127.0.0.1", "--port", str(at)]
        here, log = Path(__file__).parent, folder / f"{BENTO}.log"
        return Served(BENTO, command, at, path="/readyz", folder=here, variables=variables, log=log)

    def body(row: Sequence[float]) -> Any:
        return {"rows": [list(row)]}

    ways = (("alone", ""), ("together", ", adaptive batching"))
    return Side(
        start=start,
        ways=tuple(
            Way(name=f"{BENTO}{about}", path=f"/{path}", body=body, score=lambda reply: float(reply[0]))
            for path, about in ways
        ),
    )


def _mlserver(programs: Path) -> Side:
    ways = {"alone": {}, "together": {"max_batch_size": 64, "max_batch_time": 0.001}}

    def start(folder: Path) -> Served:
        at, home = port(), folder / ML
        written = {"debug": False, "parallel_workers": 0, "host": "127.0.0.1", "http_port": at, "grpc_port": at + 1}
        _write(home / "settings.json", {**written, "metrics_endpoint": None, "gzip_enabled": False})
        for name, batching in ways.items():
            about = {"name": name, "implementation": "mlserver_lightgbm.LightGBMModel", **batching}
            _write(home / name / "model-settings.json", {**about, "parameters": {"uri": str(folder / "model.txt")}})
        command, log = [str(programs / "mlserver"), "start", "."], folder / f"{ML}.log"
        return Served(ML, command, at, path="/v2/health/ready", folder=home, log=log)

    return Side(
        start=start,
        ways=tuple(
            Way(
                name=ML if name == "alone" else f"{ML}, adaptive batching",
                path=f"/v2/models/{name}/infer",
                body=_tensor,
                score=_first,
            )
            for name in ways
        ),
    )


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
