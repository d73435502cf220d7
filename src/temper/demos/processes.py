"""Processes of a demo: started in a session of their own, waited for, and ended with it."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from temper.core.errors import TemperError

_UP, _DOWN = 180.0, 15.0
"""Seconds for a process to answer and to end."""


@dataclass(slots=True, kw_only=True, eq=False)
class Child:
    """A process of the demo and where its words go."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def alive(self) -> None:
        """Raises where it has ended."""
        if (code := self.process.poll()) is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "without a word")
            how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
            raise TemperError(f"the {self.name} {how}, its last words: {last}", fix=f"look into {self.log}")

    def end(self) -> None:
        """Ask it to end, and make it where it does not."""
        try:
            self.process.terminate()
            self.process.wait(_DOWN)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.process.kill()
            self.process.wait()


def started(name: str, command: list[str], folder: Path, ended: ExitStack) -> Child:
    """In a session of its own, so that Ctrl-C reaches the demo, which ends it in good order."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "temper", *command], stdout=out, stderr=out, start_new_session=True
        )
    child = Child(name=name, process=process, log=log)
    ended.callback(child.end)
    return child


def answers(child: Child, url: str) -> None:
    """Return once it does."""
    until = time.monotonic() + _UP
    while time.monotonic() < until:
        child.alive()
        try:
            urllib.request.urlopen(url, timeout=2.0).close()
        except urllib.error.HTTPError as refused:
            if refused.code != 503:
                return  # it answers, and wants to know who asks
            time.sleep(0.1)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TemperError(f"the {child.name} does not answer at {url}", fix=f"look into {child.log}")
