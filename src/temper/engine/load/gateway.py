"""The gateway of a temper.yaml, started to be put under load: its guard, its model, a folder of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from temper.config.elsewhere import elsewhere
from temper.core.errors import TemperError
from temper.traffic.limits.ordered import Ordered
from temper.traffic.limits.started import Started, started

_UP, _DOWN = 180.0, 10.0
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
    disk.mkdir(parents=True, exist_ok=True)
    own, log = folder / "temper.yaml", folder / "gateway.log"
    own.write_text(_written(config, disk), encoding="utf-8")
    port = _free()
    command = [sys.executable, "-m", "temper", "serve", "--config", str(own), "--port", str(port), "--node", "stress"]
    with started(command, limits, log, disk) as service:
        try:
            _wait(port, service)
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


def _wait(port: int, service: Started) -> None:
    end = time.monotonic() + _UP
    while time.monotonic() < end:
        if how := service.explained():
            lines = service.log.read_text(encoding="utf-8", errors="replace").splitlines()
            said = " ".join(line.strip() for line in lines[-2:]) or "nothing"
            raise TemperError(f"{how}; the last it said: {said}", fix=f"try `temper serve`; its log is {service.log}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1.0).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise TemperError(f"the gateway does not answer within {_UP:g} s", fix=f"look into {service.log}")


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
