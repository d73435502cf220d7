"""The end of a job's process that nobody wants any more: the other end of what `engine/worker` says to it."""

from __future__ import annotations

import os
import select
import signal


def deadman(patience: float) -> None:
    """Wait, and end this process and all that it started once nobody has wanted it for so many seconds. The worker says
    so with a byte on standard input, and its end closes the pipe.
    """
    while select.select([0], [], [], patience)[0] and os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)
