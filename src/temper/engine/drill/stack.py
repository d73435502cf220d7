"""A model and the gateway before it, as two processes of a drill's own, with whatever a fault needs between them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.chaos.deadman import DeadMan, Undo
from temper.chaos.host import Host
from temper.chaos.orders import Orders
from temper.chaos.outside import Outside
from temper.config.elsewhere import elsewhere
from temper.engine.drill.catalogue import Drill, Victim
from temper.engine.drill.reviewing import Queue
from temper.engine.gateway import alone, answering, command, free_port

Front = Callable[[int, str], list[str]]
"""What stands before the model in the gateway's place: a command, from its port and the model's URL."""
_LIFE = 3_600.0
"""Seconds after which the processes of a drill that hangs are ended."""


@dataclass(slots=True, kw_only=True, eq=False)
class Stack:
    """The processes. They end with this one, however it ends: a second process sees to it.

    Everything lies in a folder of its own beside the configuration, with control stores of its own, so that nothing
    reaches people's queue. Where the guard has no fallback, the model itself stands in, in the gateway's process.
    """

    config: Path
    drill: Drill
    seed: int = 0
    front: Front | None = None
    queue: Queue | None = None
    port: int = field(default=0, init=False)
    deadline: float = field(default=0.25, init=False)
    proxy: Outside | None = field(default=None, init=False)
    model: Any = field(default=None, init=False)
    gateway: Any = field(default=None, init=False)
    team: Any = field(default=None, init=False)
    _dead_man: DeadMan = field(default_factory=DeadMan, init=False)
    _cleared: ExitStack = field(default_factory=ExitStack, init=False)
    model_port: int = field(default=0, init=False)
    _paths: tuple[Path, Path] = field(default=(Path(), Path()), init=False)
    _orders: Orders | None = field(default=None, init=False)

    def __enter__(self) -> Stack:
        with ExitStack() as cleared:
            self._begin(cleared)
            self._cleared = cleared.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleared.close()

    def _begin(self, cleared: ExitStack) -> None:
        folder = self.config.absolute().parent / ".temper" / "drill"
        cleared.enter_context(alone(folder, "drill"))
        cleared.enter_context(self._dead_man)
        self._cleared = cleared
        self.port, self.model_port = free_port(), free_port()
        at = self.model_port
        if self.drill.victim is Victim.LINE:
            self.proxy = cleared.enter_context(Outside(upstream=("127.0.0.1", at), seed=self.seed))
            at = self.proxy.port
        self._paths, url, self.deadline = _configs(self.config, folder, at, self.queue)
        self.model = self._started(self._serve(self._paths[0], self.model_port), self.model_port, "primary")
        words = self._serve(self._paths[1], self.port) if self.front is None else self.front(self.port, url)
        if self.drill.inside or self.queue is not None:
            self._orders = Orders(path=folder / "orders")
            self._orders.clear()
        if self.drill.inside:
            words = [*words[:2], "temper.chaos.inside", str(folder / "orders"), *words[3:]]
        self.gateway = self._started(words, self.port, "gateway")
        if self.queue is not None:
            team = [sys.executable, "-m", "temper.engine.drill.team", str(self.store), str(folder / "orders")]
            self.team = self._beside([*team, str(self.queue.pace)], folder / "team.log")

    @property
    def metrics(self) -> str:
        """Where the gateway tells its figures."""
        return f"http://127.0.0.1:{self.port}/metrics"

    @property
    def store(self) -> Path:
        """The file of the gateway's control store."""
        return self._paths[1].with_suffix(".db")

    def host(self, seconds: float) -> Host:
        """The drill's victim, for a fault of so many seconds."""
        model = self.drill.victim is Victim.MODEL
        return Host(
            pid=(self.model if model else self.gateway).pid,
            seconds=seconds,
            dead_man=self._dead_man,
            again=self._again if model else lambda: None,
            orders=self._orders,
            store=str(self.store),
        )

    def _again(self) -> None:
        """Start the model anew."""
        self.model = self._started(self._serve(self._paths[0], self.model_port), self.model_port, "primary")

    def _serve(self, config: Path, port: int) -> list[str]:
        return command(config, port, config.stem)

    def _started(self, words: list[str], port: int, name: str) -> Any:
        said = self._paths[0].with_name(f"{name}.log")
        process = self._beside(words, said)
        answering(port, said, lambda: _how(process))
        return process

    def _beside(self, words: list[str], said: Path) -> Any:
        with open(said, "wb") as log:
            # Of a session of its own: Ctrl-C is for the drill, which ends them in order.
            process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        self._cleared.callback(_ended, process)
        self._dead_man.hold(Undo.of("end", process.pid), _LIFE)
        return process


def _configs(config: Path, folder: Path, port: int, queue: Queue | None) -> tuple[tuple[Path, Path], str, float]:
    """The model alone and the gateway before it, where the model is asked, and the gateway's deadline in seconds; paths
    are made absolute, since the files lie elsewhere.
    """
    import yaml

    document = elsewhere(config)
    name = document["system"]["name"]
    guard = dict(document.get("guard") or {})
    off = dict.fromkeys(("anomaly", "extraction", "output"), "off")
    alone = {**off, "open": True, "audit": {"folder": str(folder / "primary"), "ack": "async"}}
    alone["control"], guard["control"] = str(folder / "primary.db"), str(folder / "gateway.db")
    alone["profile"] = guard["profile"] = str(folder / "profile.npz")
    guard |= {"open": True, "audit": {"folder": str(folder / "gateway")}, "quota": "off"}
    url = f"http://127.0.0.1:{port}/v2/models/{name}/infer"
    guard["upstream"] = {"url": url, "protocol": "v2", "output": "score"}
    if queue is not None:
        people = guard["people"] if isinstance(guard.get("people"), dict) else {}
        guard |= {"decide": {"review": list(queue.zone)}, "people": {**people, "due": queue.due}}
    guard.setdefault("fallback", {"challenger": document["model"]["path"]})
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "primary.yaml", folder / "gateway.yaml"
    for path, own in zip(paths, (alone, guard), strict=True):
        path.write_text(yaml.safe_dump({**document, "guard": own}, sort_keys=False), encoding="utf-8")
    return paths, url, float(guard.get("deadline_ms", 250)) / 1e3


def _how(process: Any) -> str:
    code = process.poll()
    return "" if code is None else f"a process of the drill ended with code {code}"


def _ended(process: Any) -> None:
    process.kill()
    process.wait()
