"""A process that ends a limited service and removes its control groups once nobody is left who would.

python -m temper.traffic.limits.watcher TAG
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from temper.core.errors import TemperError
from temper.traffic.limits.hierarchy import swept

_PATIENCE = 10.0


@contextmanager
def watched(tag: str) -> Iterator[Callable[[int], None]]:
    """How the watcher is told of the service; whatever has this tag is taken back at the end, by it or here."""
    # Of a session of its own: neither a Ctrl-C at the terminal nor the end of the terminal reaches it.
    process: Any = subprocess.Popen(
        [sys.executable, "-m", __spec__.name, tag],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        if not process.stdout.readline():
            raise _gone()
        yield lambda pid: _tell(process, pid)
    finally:
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        swept(tag)


def _tell(process: Any, pid: int) -> None:
    try:
        process.stdin.write(f"{pid}\n")
        process.stdin.flush()
    except OSError:
        raise _gone() from None


def _gone() -> TemperError:
    return TemperError("the process that would take the limits back has ended", fix="try again; nothing was sent")


def watch(tag: str) -> None:
    """Hear which process is limited, until nobody speaks any more; then end it, and remove what has the tag."""
    for word in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(word, signal.SIG_IGN)
    sys.stdout.write("\n")
    sys.stdout.flush()
    held: list[tuple[int, int]] = []
    for line in sys.stdin:
        with suppress(ProcessLookupError):
            held.append((int(line), os.pidfd_open(int(line))))
    for pid, handle in held:
        # The handle is readable once the process has ended: its number may be another's by then.
        if not select.select([handle], [], [], 0.0)[0]:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
    swept(tag)


if __name__ == "__main__":
    watch(sys.argv[1])
