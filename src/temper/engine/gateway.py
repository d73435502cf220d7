"""A `temper serve` of a test's own: its command, its folder, a port for it, and waiting until it answers."""

from __future__ import annotations

import fcntl
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from temper.core.errors import TemperError

_PATIENCE = 180.0


def command(config: Path, port: int, node: str) -> list[str]:
    """What starts it; `node` is the name under which it writes its ledger."""
    return [sys.executable, "-m", "temper", "serve", "--config", str(config), "--port", str(port), "--node", node]


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Be the only one who works in this folder; the system lets it go however this process ends.

    Errors: TemperError where somebody else does, "another `what` of this temper.yaml".
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TemperError(
                f"another {what} of this temper.yaml is under way",
                fix=f"wait until it has ended; its processes have {folder} in their command line",
            ) from None
        yield


def free_port() -> int:
    """One that nobody listens at, by the system's choice."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answering(port: int, log: Path, ended: Callable[[], str]) -> None:
    """Return once it is ready. `ended` says how its process ended, "" while that runs.

    Errors: TemperError with the last words of its log where it ended, or takes minutes.
    """
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if how := ended():
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            said = " ".join(line.strip() for line in lines[-2:]) or "nothing"
            raise TemperError(f"{how}; the last it said: {said}", fix=f"try `temper serve`; its log is {log}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1.0).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise TemperError(f"nothing answers at port {port} within {_PATIENCE:g} s", fix=f"look into {log}")
