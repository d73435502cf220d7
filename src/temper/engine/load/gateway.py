"""The gateway of a temper.yaml, started to be put under load: its guard, its model, a folder of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from temper.config.elsewhere import elsewhere
from temper.engine.gateway import alone, answering, command, free_port
from temper.traffic.limits.ordered import Ordered
from temper.traffic.limits.started import Started, started

_DOWN = 10.0
QUOTA_OFF = (
    "started for this test: quotas are off, for one client asks for all, and everybody of this machine is let in"
)


@contextmanager
def gateway(config: Path, limits: Sequence[Ordered] = ()) -> Iterator[tuple[str, Started]]:
    """(URL, process) of `temper serve` with the guard of this configuration, its audit and its control store apart, in
    a folder that a limited disk lies over.
    """
    folder = config.absolute().parent / ".temper" / "stress"
    disk = folder / "disk"
    own, log, port = folder / "temper.yaml", folder / "gateway.log", free_port()
    with alone(folder, "load test"):
        disk.mkdir(exist_ok=True)
        own.write_text(_written(config, disk), encoding="utf-8")
        with started(command(own, port, "stress"), limits, log, disk) as service:
            try:
                answering(port, log, service.explained)
                yield f"http://127.0.0.1:{port}/v1/score", service
            finally:
                _end(service.process)


def _written(config: Path, folder: Path) -> str:
    import yaml

    document, base = elsewhere(config), config.absolute().parent
    guard = dict(document.get("guard") or {})
    ack = guard["audit"].get("ack", "durable") if isinstance(guard.get("audit"), dict) else "durable"
    guard |= {"open": True, "quota": "off", "audit": {"folder": str(folder / "audit"), "ack": ack}}
    guard |= {"control": str(folder / "control.db"), "profile": str(base / guard.get("profile", ".temper/profile.npz"))}
    return str(yaml.safe_dump({**document, "guard": guard}, sort_keys=False, allow_unicode=True))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_DOWN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
