"""A process that carries out an order, told again and again that it is still wanted: jobs and the turns of a fleet."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from temper.core.job import VERDICTS

_TAIL = 64 * 1024


@dataclass(slots=True, kw_only=True, eq=False)
class Child:
    """It writes lines of JSON, each `progress` or the `result`; what it prints is the log."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    progress: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self.read, daemon=True)

    def read(self) -> None:
        """Take every line, until it is gone; one that is cut off by a kill says nothing."""
        for line in self.process.stdout or ():
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                self.progress = str(told.get("progress", self.progress))
                self.result = told.get("result", self.result)

    def wanted(self) -> None:
        """Tell it to go on."""
        with contextlib.suppress(OSError):
            os.write(self.process.stdin.fileno(), b".")  # type: ignore[union-attr]

    def interrupt(self) -> None:
        """Ask it to end with what it has."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        """The exit code; one that was killed, or ended like a verdict without one, could not finish."""
        self.kill()
        code = self.process.returncode
        return code if (code > 0 and code not in VERDICTS) or self.result else 4

    def said(self) -> str:
        """The end of what it printed."""
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - _TAIL))
        return self.log.read().decode("utf-8", "replace").strip()

    def kill(self) -> None:
        """End it with everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join()


@contextlib.contextmanager
def begun(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Child]:
    """A process in a session of its own; it ends with the block, whatever it does."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            env=os.environ | dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        child = Child(process=process, log=log)
        child.reader.start()
        try:
            yield child
        finally:
            child.kill()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
