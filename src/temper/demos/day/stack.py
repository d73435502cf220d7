"""The processes of the day: the model, the gateway before it, and what kills and starts the model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.chaos.deadman import DeadMan
from temper.chaos.host import Host
from temper.chaos.injector import built
from temper.config.elsewhere import elsewhere
from temper.demos.day.caller import FEED, LABELS
from temper.demos.processes import Child, answers, started

FAULT = "host.kill"
MONITOR = f"""
# What is watched. An hour without drift alarms once in a hundred at most, and is too short for smaller shifts.
monitor:
  feed: {FEED}/
  time: at
  id: request
  score: score
  client: account
  window: 1h
  false_alarms: 0.01
  smallest: 0.2
  labels: {LABELS}/
  label: is_fraud
  maturity: 6h
  incidents: {{absent: 2}}
"""
_DEADLINE = 4_000
"""Milliseconds for the model: less than the gateway has, and generous, since all of it shares one machine."""
_LONGEST = 600.0
"""Seconds after which the fault is over, whoever forgot it."""


def apart(path: Path, port: int) -> tuple[Path, Path]:
    """Configurations of the model alone, at this port, and of the gateway that asks it there.

    They lie beside the demo's temper.yaml, since the port is this start's and no part of it. Labels have a place before
    the first has come.
    """
    import yaml

    document = elsewhere(path)
    name, folder = document["system"]["name"], path.absolute().parent
    off = dict.fromkeys(("anomaly", "extraction", "output"), "off")
    own = {**off, "open": True, "deadline_ms": _DEADLINE, "control": str(folder / ".temper" / "model.db")}
    own |= {"audit": {"folder": str(folder / ".temper" / "model"), "ack": "async"}}
    upstream = {"url": f"http://127.0.0.1:{port}/v2/models/{name}/infer", "protocol": "v2", "output": "score"}
    guard = {**document["guard"], "upstream": upstream}
    (folder / LABELS).mkdir(exist_ok=True)
    paths = folder / "model.yaml", folder / "gateway.yaml"
    for one, part in zip(paths, (own, guard), strict=True):
        one.write_text(yaml.safe_dump({**document, "guard": part}, sort_keys=False), encoding="utf-8")
    return paths


@dataclass(slots=True, kw_only=True, eq=False)
class Model:
    """The model's own process, which can be killed and started anew."""

    config: Path
    port: int
    ended: ExitStack
    child: Child = field(init=False)
    _host: Any = field(default=None, init=False)
    _dead_man: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = ["serve", "--config", str(self.config), "--port", str(self.port), "--node", "model"]
        self.child = started("model", words, self.config.parent / ".temper", self.ended)
        answers(self.child, f"http://127.0.0.1:{self.port}/readyz")

    def kill(self, again: Callable[[], None] = lambda: None) -> None:
        """Kill it by the fault of Temper's own drills."""
        if self._dead_man is None:
            self._dead_man = self.ended.enter_context(DeadMan())
        self._host = Host(pid=self.child.process.pid, seconds=_LONGEST, dead_man=self._dead_man, again=again)
        built(FAULT).strike(self._host)
        self.child.process.wait()
