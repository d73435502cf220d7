"""Processor time and memory by control groups: version 2 where it is delegated, version 1 where it may be written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from temper.traffic.limits.hierarchy import counted, join, members, own
from temper.traffic.limits.mechanism import Refused
from temper.traffic.limits.ordered import Ordered

PERIOD = 100_000
"""Microseconds within which the quota is counted: what schedulers of containers take."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Meter:
    """What a quota did since it was last asked."""

    group: Path
    _before: tuple[float, float, int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._before = self._now()

    def seen(self) -> str:
        now = self._now()
        seconds, spent, periods, throttled = (new - old for new, old in zip(now, self._before, strict=True))
        self._before = now
        held = f"held back in {throttled / max(periods, 1) * 100:.0f} % of {periods:,.0f} periods"
        return f"used {spent / seconds:.2f} of a processor on average, {held}" if members(self.group) else held

    def _now(self) -> tuple[float, float, int, int]:
        told = counted(self.group / "cpu.stat")
        spent = sum(map(_spent, members(self.group)))
        return time.monotonic(), spent, told.get("nr_periods", 0), told.get("nr_throttled", 0)


@dataclass(slots=True, kw_only=True, eq=False)
class CgroupV2:
    """A group within the nearest one above this process that gives the controller on and may be written."""

    by: ClassVar[str] = "cgroup v2"
    _group: Path = field(default=Path(), init=False)
    _meter: _Meter | None = field(default=None, init=False)

    def place(self, pid: int, order: Ordered, tag: str) -> float:
        """See Mechanism."""
        group = next((one / tag for one in _giving(order.name) if _joined(one / tag, pid)), None)
        if group is None:
            raise Refused(f"no group that gives {order.name} on and may be written")
        self._group, self._meter = group, _Meter(group=group) if order.name == "cpu" else None
        if order.name == "cpu":
            file = group / "cpu.max"
            file.write_text(f"{round(order.amount * PERIOD)} {PERIOD}", encoding="ascii")
            quota, period = map(int, file.read_text(encoding="ascii").split())
            return quota / period
        with suppress(OSError):  # a kernel without swap has no such file
            (group / "memory.swap.max").write_text("0", encoding="ascii")
        return _bytes(group / "memory.max", order.amount)

    def seen(self, pid: int) -> str:
        """See Mechanism."""
        if self._meter is not None:
            return self._meter.seen()
        return _crowded(self._group / "memory.peak", self._group / "memory.events")


@dataclass(slots=True, kw_only=True, eq=False)
class CgroupV1:
    """A group within the one of this process, so that what holds for this one goes on to hold."""

    by: ClassVar[str] = "cgroup v1"
    _group: Path = field(default=Path(), init=False)
    _meter: _Meter | None = field(default=None, init=False)

    def place(self, pid: int, order: Ordered, tag: str) -> float:
        """See Mechanism."""
        self._group = own(order.name) / tag
        join(self._group, pid)
        self._meter = _Meter(group=self._group) if order.name == "cpu" else None
        if order.name == "cpu":
            (self._group / "cpu.cfs_period_us").write_text(str(PERIOD), encoding="ascii")
            return _bytes(self._group / "cpu.cfs_quota_us", order.amount * PERIOD) / PERIOD
        found = _bytes(self._group / "memory.limit_in_bytes", order.amount)
        with suppress(OSError):  # a kernel that does not count swap has no such file
            _bytes(self._group / "memory.memsw.limit_in_bytes", order.amount)
        return found

    def seen(self, pid: int) -> str:
        """See Mechanism."""
        if self._meter is not None:
            return self._meter.seen()
        return _crowded(self._group / "memory.max_usage_in_bytes", self._group / "memory.oom_control")


def _giving(controller: str) -> Iterator[Path]:
    """The groups above this process, the nearest first, whose groups may have this controller."""
    at = own("")
    while (file := at / "cgroup.subtree_control").exists():
        if controller in file.read_text(encoding="ascii").split():
            yield at
        at = at.parent


def _joined(group: Path, pid: int) -> bool:
    """Whether a process could be put into a group; one that is in another of ours already stays there."""
    lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    at = next((line[3:] for line in lines if line.startswith("0::")), "")
    if Path(at).name == group.name and not group.exists():
        return False
    try:
        join(group, pid)
    except OSError:
        return False
    return True


def _bytes(file: Path, amount: float) -> float:
    """What the kernel made of it."""
    file.write_text(str(round(amount)), encoding="ascii")
    return float(file.read_text(encoding="ascii"))


def _crowded(peak: Path, events: Path) -> str:
    ended = counted(events).get("oom_kill", 0)
    most = f"at most {int(peak.read_text(encoding='ascii')) / 2**20:,.0f} MiB" if peak.exists() else ""
    killed = f"the kernel ended {ended} of its processes for want of memory" if ended else ""
    return ", ".join(filter(None, (most, killed)))


def _spent(pid: int) -> float:
    """Seconds of processor of a process and of its ended children."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")
