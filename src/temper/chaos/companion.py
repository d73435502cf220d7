"""A companion of this process: told things line by line, it answers each, and ends when nobody speaks any more."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import Any


class Companion:
    """A module of Temper that runs with these words, `Companion("temper.chaos.deadman")`."""

    def __init__(self, module: str, *words: str) -> None:
        # Of a session of its own: neither a Ctrl-C at the terminal nor the end of the terminal reaches it.
        self._process: Any = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid: int = self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def say(self, line: str) -> str:
        """What it answers to a line. Errors: OSError where it has ended."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.hear()

    def hear(self) -> str:
        """The next line it says. Errors: OSError where it has ended."""
        line: str = self._process.stdout.readline()
        if not line:
            raise BrokenPipeError
        return line

    def leave(self) -> None:
        """Say no more: it ends by itself."""
        with suppress(OSError):  # it may have ended before, with a line of ours unread
            self._process.stdin.close()

    def end(self, patience: float = 5.0) -> None:
        """Say no more, and see that it ends."""
        self.leave()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
