"""A service in a process of its own, on core 0; who asks it belongs on another."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


def port() -> int:
    """One below those that clients are given."""
    return 20_000 + int.from_bytes(os.urandom(2), "big") % 12_000


class Served:
    """Runs `command` until it is left, and lets go of it and of all its children. It answers when `path` does; what it
    says goes to `log`, where there is one.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        at: int,
        *,
        path: str = "/healthz",
        folder: Path = ROOT,
        variables: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        self.name, self.port, self._path, self._log = name, at, path, log
        environment = {**os.environ, **(variables or {})}
        with open(log, "wb") if log else nullcontext() as told:
            pinned = ["taskset", "-c", "0", *command]
            self.process = subprocess.Popen(pinned, cwd=folder, env=environment, stdout=told, stderr=told)

    def __enter__(self) -> Served:
        for _ in range(1_200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self._path}", timeout=1.0)
            except urllib.error.HTTPError as told:
                if told.code < 500:  # a service without this page is there all the same
                    return self
            except OSError:
                pass
            else:
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError(f"{self.name} does not answer\n{self._log.read_text() if self._log else ''}")

    def __exit__(self, *_: object) -> None:
        family = [psutil.Process(self.process.pid)] if self.process.poll() is None else []
        family += family[0].children(recursive=True) if family else []
        for one in family:
            one.kill()
        self.process.wait()
        psutil.wait_procs(family, timeout=5.0)
