"""A small disk: a file system in memory, over one folder, that only the service sees and that ends with it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from temper.traffic.limits.mechanism import Refused
from temper.traffic.limits.ordered import Ordered

SOURCE = "temper-limit"


@dataclass(slots=True, kw_only=True, eq=False)
class SmallDisk:
    """Mounted in a mount namespace of the service's own, so there is nothing to take back, whoever is killed. Without
    root the namespace is a user's own, where the machine allows that.
    """

    by: ClassVar[str] = "tmpfs in a mount namespace"
    folder: Path

    def apart(self, order: Ordered) -> tuple[list[str], str]:
        """What goes before a shell, and what the shell does first."""
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        options = f"size={int(order.amount)},mode=0700"
        words = shlex.join(["mount", "-t", "tmpfs", "-o", options, SOURCE, str(self.folder.absolute())])
        return ["unshare", *user, "--mount", "--propagation", "private"], words

    def place(self, pid: int, order: Ordered, tag: str) -> float:
        """See Mechanism."""
        mounts = Path(f"/proc/{pid}/mounts").read_text(encoding="utf-8").splitlines()
        if not any(line.startswith(f"{SOURCE} ") for line in mounts):
            raise Refused("the file system is not mounted")
        found = self._told(pid)
        return float(found.f_blocks * found.f_frsize)

    def seen(self, pid: int) -> str:
        """See Mechanism."""
        found = self._told(pid)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        return f"{used / 2**20:,.1f} MiB written, {found.f_bfree * found.f_frsize / 2**20:,.1f} MiB left"

    def _told(self, pid: int) -> os.statvfs_result:
        return os.statvfs(f"/proc/{pid}/root{self.folder.absolute()}")
