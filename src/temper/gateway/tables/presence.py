"""A worker of a gateway among the others on its control store: under a name that nobody else has."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from temper.core.errors import StoreError
from temper.store.control import Control
from temper.store.control.roster import SECONDS, Worker
from temper.store.failure import told


@dataclass(slots=True, kw_only=True, eq=False)
class Presence:
    """Says every few seconds that this worker is there, and knows how many there are. `disputed` where another
    installation, or a copy of this one, has taken the name while the control store could not be asked: both go on, each
    with its own ledger, and say so.
    """

    control: Control
    worker: Worker
    live: int = 1
    disputed: bool = False
    _renewed: float = field(default=0.0, init=False, repr=False)

    @classmethod
    def begin(cls, control: Control, node: str, worker: str, folder: Path) -> Presence:
        """Take the name NODE/WORKER for the gateway whose ledger lies in this folder. Raises `StoreError` where another
        gateway has it.
        """
        found = Worker(name=f"{node}/{worker}", installation=_installation(folder), token=secrets.token_hex(16))
        control.roster.begin(found, time.time())
        return cls(control=control, worker=found)

    def present(self) -> None:
        """Say so, where it is time."""
        now = time.monotonic()
        if now - self._renewed < SECONDS / 4:
            return
        self.disputed = not self.control.roster.renew(self.worker, time.time())
        self.live = max(1, self.control.roster.live(time.time()))
        self._renewed = now

    def leave(self) -> None:
        """Let the name go; where the control store cannot be asked it runs out by itself."""
        with suppress(StoreError):
            self.control.roster.leave(self.worker)


def host() -> str:
    """The name of this machine, as the name of a node: what cannot stand in a file's name becomes a dash."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:64] or "node"


def _installation(folder: Path) -> str:
    """What tells this folder from every other one; drawn when the first gateway starts in it."""
    path = folder / "installation"
    with told(path):
        if not path.exists():
            beside = path.with_suffix(f".{os.getpid()}")
            beside.write_text(secrets.token_hex(16), encoding="ascii")
            with suppress(FileExistsError):  # another worker was first
                os.link(beside, path)
            beside.unlink()
        return path.read_text(encoding="ascii")
