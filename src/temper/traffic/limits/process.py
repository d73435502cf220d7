"""Limits that a process itself carries and hands on: address space, open files, cores."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from temper.traffic.limits.mechanism import Refused
from temper.traffic.limits.ordered import Ordered


@dataclass(slots=True, kw_only=True, eq=False)
class AddressSpace:
    """Every process for itself. Misleads: what is mapped counts, used or not, so much less memory is really had."""

    by: ClassVar[str] = "prlimit, on the address space of each process"

    def place(self, pid: int, order: Ordered, tag: str) -> float:
        """See Mechanism."""
        return _set(pid, resource.RLIMIT_AS, order)

    def seen(self, pid: int) -> str:
        """See Mechanism."""
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        most = next((int(line.split()[1]) for line in lines if line.startswith("VmPeak")), None)
        return "" if most is None else f"at most {most / 2**10:,.0f} MiB of addresses"


@dataclass(slots=True, kw_only=True, eq=False)
class Handles:
    """Every process for itself; connections are files too."""

    by: ClassVar[str] = "prlimit, on the files of each process"

    def place(self, pid: int, order: Ordered, tag: str) -> float:
        """See Mechanism."""
        return _set(pid, resource.RLIMIT_NOFILE, order)

    def seen(self, pid: int) -> str:
        """See Mechanism."""
        many = len(os.listdir(f"/proc/{pid}/fd"))
        return f"{many} open at the end" if many else ""


@dataclass(slots=True, kw_only=True, eq=False)
class Affinity:
    """The first of the cores that this process may use. Others may use them too."""

    by: ClassVar[str] = "sched_setaffinity"

    def place(self, pid: int, order: Ordered, tag: str) -> float:
        """See Mechanism."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < order.amount:
            raise Refused(f"only {len(cores)} may be used here")
        os.sched_setaffinity(pid, cores[: int(order.amount)])
        return float(len(os.sched_getaffinity(pid)))

    def seen(self, pid: int) -> str:
        """See Mechanism."""
        return f"on {', '.join(map(str, sorted(os.sched_getaffinity(pid))))}"


def _set(pid: int, what: int, order: Ordered) -> float:
    amount = int(order.amount)
    resource.prlimit(pid, what, (amount, amount))
    return float(resource.prlimit(pid, what)[0])
