"""The drill `primary-down`: the model's process is killed or stopped under load, and what clients notice is counted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.reading import read
from temper.config.serving import serving_of
from temper.config.system import load_system
from temper.core.drill import Turn
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.engine.drill.recording import Recording
from temper.load.arrivals import arrivals
from temper.load.generator import play
from temper.load.messages import messages
from temper.load.played import Played

Array = np.ndarray[Any, Any]
_PRIMARY, _OTHER = 1, 2
_STEADY, _GOOD = 1.0, 0.999
"""Seconds over which the model has answered again before it counts as recovered, and the share of answers it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """What came of it. Times are seconds after the fault, `full_again` after the model was there again; None: never.
    `detected` is when the breaker was seen open, `restored` when everybody was answered by the model again.
    """

    fault: str
    rate: float
    requests: int
    failed: int
    late: int
    degraded: int
    first_other: float | None
    full_again: float | None
    detected: float | None
    restored: float | None
    p99_steady: float
    p99: float
    worst: float
    deadline: float
    trusted: bool

    def lines(self) -> Iterator[str]:
        """As a person reads it."""
        yield f"{self.fault} at {self.rate:.0f} requests a second, {self.requests:,} requests in all"
        bound = f" (up to {3 / self.requests:.2%} would have been possible unseen)" if not self.failed else ""
        yield f"failed: {self.failed}{bound}; answered after the deadline of {1e3 * self.deadline:.0f} ms: {self.late}"
        yield f"answered by somebody else: {self.degraded}, the first {_ms(self.first_other)} after the fault"
        yield f"the model answers everybody again {_ms(self.full_again)} after it was back"
        away = "never" if self.restored is None else f"{self.restored:.1f} s"
        yield f"detected {_ms(self.detected)} after the fault (the breaker opened), restored after {away}"
        tails = (_ms(one, 1) for one in (self.p99_steady, self.p99, self.worst))
        yield "p99 {} before the fault and {} over the whole run, the slowest {}".format(*tails)
        if not self.trusted:
            yield "the generator could not keep its own times: lower --rate, the latencies say nothing"

    def figures(self) -> dict[str, Any]:
        """What is kept of it; a number that is none is left out."""
        told = {name: getattr(self, name) for name in (one.name for one in fields(self)) if name != "fault"}
        return {name: value for name, value in told.items() if value is None or np.isfinite(value)}

    @property
    def held(self) -> bool:
        """Whether nobody was left without an answer, and the model took over again."""
        return self.failed == 0 and self.full_again is not None


def primary_down(
    config: Path, rate: float, seconds: float, hang: bool, told: Callable[[str], None], by: str = "drill"
) -> Drilled:
    """Start the model and its gateway as two processes, and take the model away in the middle of a steady load.

    The gateway has the guard of `config`; where that has no fallback, the model itself stands in, in the gateway's
    process. Everything lies in a folder of its own beside the configuration, with control stores of its own, so that
    nothing of it reaches people's queue; the record of the drill, by `by`, is in the control store of `config`.
    """
    system = load_system(config)
    place = serving_of(read(config), config.absolute().parent).control
    with ExitStack() as cleared:
        stack = _Stack(config, cleared)
        told(f"the model at {stack.primary_port}, the gateway at {stack.port}; load for {seconds:g} s")
        asked = messages(system.schema, system.data.x[:2_000], key="drill")
        metrics = f"http://127.0.0.1:{stack.port}/metrics"
        recording = Recording(place=place, by=by, told=told, seconds=seconds, rate=rate, metrics=metrics)
        recording.open("primary-down", _fault(system, hang))
        played, fault, back = asyncio.run(_drilled(stack, asked, rate, seconds, hang, recording))
    found = _read(system, played, rate, fault, back, stack.deadline, hang, recording.turns)
    if found.full_again is not None:
        recording.turned(Turn.FULL, back + found.full_again)
    recording.end(found.held, found.figures())
    return found


class _Stack:
    """The two processes."""

    def __init__(self, config: Path, cleared: ExitStack) -> None:
        self.port, self.primary_port = _free(), _free()
        self.folder = config.absolute().parent / ".temper" / "drill"
        primary, gateway, self.deadline = _configs(config, self.folder, self.primary_port)
        self._primary_config = primary
        self._cleared = cleared
        self.primary = self._started(primary, self.primary_port)
        self._started(gateway, self.port)

    def _started(self, config: Path, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "temper", "serve", "--config", str(config), "--port", str(port)]
        command += ["--node", config.stem]
        with open(config.with_suffix(".log"), "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self._cleared.callback(_ended, process)
        _answers(port, process, config)
        return process

    def again(self) -> None:
        """Start the model anew."""
        self.primary = self._started(self._primary_config, self.primary_port)


def _configs(config: Path, folder: Path, port: int) -> tuple[Path, Path, float]:
    """The model alone, and the gateway before it; paths are made absolute, since the files lie elsewhere."""
    import yaml

    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    base = config.absolute().parent
    for section, keys in (("model", ("path", "manifest", "public_key")), ("data", ("test", "train", "accepted"))):
        for key in keys:
            if key in document.get(section, {}):
                document[section][key] = str(base / document[section][key])
    name = document.get("system", {}).get("name") or base.name
    document["system"] = {**document.get("system", {}), "name": name}
    guard = dict(document.get("guard") or {})
    off = dict.fromkeys(("anomaly", "extraction", "output"), "off")
    alone = {**off, "open": True, "audit": {"folder": str(folder / "primary"), "ack": "async"}}
    alone["control"], guard["control"] = str(folder / "primary.db"), str(folder / "gateway.db")
    alone["profile"] = guard["profile"] = str(folder / "profile.npz")
    guard |= {"open": True, "audit": {"folder": str(folder / "gateway")}, "quota": "off"}
    guard["upstream"] = {"url": f"http://127.0.0.1:{port}/v2/models/{name}/infer", "protocol": "v2", "output": "score"}
    guard.setdefault("fallback", {"challenger": document["model"]["path"]})
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "primary.yaml", folder / "gateway.yaml"
    for path, own in zip(paths, (alone, guard), strict=True):
        path.write_text(yaml.safe_dump({**document, "guard": own}, sort_keys=False), encoding="utf-8")
    return *paths, float(guard.get("deadline_ms", 250)) / 1e3


async def _drilled(
    stack: _Stack, asked: Sequence[bytes], rate: float, seconds: float, hang: bool, recording: Recording
) -> tuple[Played, float, float]:
    """The load, and from when to when the model was away, in its seconds."""
    due = arrivals(rate, seconds, Draws(0, "drill").generator())
    times = [0.0, 0.0]
    await play("127.0.0.1", stack.port, asked, due[due < 1.0], read=_source)  # what is loaded on first use

    async def fault(start: float) -> None:
        await asyncio.sleep(seconds / 4)
        times[0] = time.monotonic() - start
        recording.turned(Turn.FAULT, times[0])
        os.kill(stack.primary.pid, signal.SIGSTOP if hang else signal.SIGKILL)
        await asyncio.sleep(seconds / 4)
        if hang:
            os.kill(stack.primary.pid, signal.SIGCONT)
        else:
            await asyncio.to_thread(stack.again)
        times[1] = time.monotonic() - start
        recording.turned(Turn.BACK, times[1])

    tasks: list[asyncio.Task[None]] = []

    def began(start: float) -> None:
        recording.start(start)
        tasks.append(asyncio.create_task(fault(start)))

    played = await play(
        "127.0.0.1",
        stack.port,
        asked,
        due,
        read=_source,
        timeout=5.0,
        began=began,
        heard=recording.heard,
    )
    await tasks[0]
    await recording.stop()
    return played, times[0], times[1]


def _source(body: bytes) -> int:
    return _PRIMARY if b'"source":"primary"' in body else _OTHER


def _read(
    system: Protected,
    played: Played,
    rate: float,
    fault: float,
    back: float,
    deadline: float,
    hang: bool,
    turns: Mapping[Turn, float],
) -> Drilled:
    well = played.status == 200
    other = well & (played.marks == _OTHER)
    response = played.response
    before = (played.done - played.due)[well & (played.due < fault)]
    again = _recovered(played, back)
    first = played.done[other & (played.done >= fault)]
    return Drilled(
        fault=_fault(system, hang),
        rate=rate,
        requests=len(played.due),
        failed=int((~well).sum()),
        late=int((response > deadline + 0.01).sum()),
        degraded=int(other.sum()),
        first_other=float(first.min() - fault) if len(first) else None,
        full_again=again,
        detected=turns[Turn.OPEN] - fault if Turn.OPEN in turns else None,
        restored=None if again is None else back + again - fault,
        p99_steady=float(np.quantile(before, 0.99)) if len(before) else np.nan,
        p99=float(np.quantile(response, 0.99)),
        worst=float(response.max()),
        deadline=deadline,
        trusted=played.trusted(deadline),
    )


def _fault(system: Protected, hang: bool) -> str:
    return f"{system.name}: the model's process {'was stopped' if hang else 'was killed'}"


def _recovered(played: Played, back: float) -> float | None:
    """From when on, after the model was back, it answered nearly everybody for a while."""
    own = (played.status == 200) & (played.marks == _PRIMARY)
    for start in np.arange(back, played.due[-1] - _STEADY, 0.05):
        inside = (played.due >= start) & (played.due < start + _STEADY)
        if inside.any() and own[inside].mean() >= _GOOD:
            return float(start - back)
    return None


def _answers(port: int, process: subprocess.Popen[bytes], config: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            lines = config.with_suffix(".log").read_text(encoding="utf-8", errors="replace").splitlines()
            said = " ".join(line.strip() for line in lines[-2:]) or "without a word"
            raise TemperError(f"a process of the drill ended: {said}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1.0).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise TemperError(f"nothing answers at port {port}", fix=f"look into {config.with_suffix('.log')}")


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _free() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _ms(seconds: float | None, digits: int = 0) -> str:
    return "never" if seconds is None else f"{1e3 * seconds:.{digits}f} ms"
