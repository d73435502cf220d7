"""The kernel's control groups: where this process stands in them, and groups of our own made, joined and removed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from temper.traffic.limits.mechanism import Refused

SELF = Path("/proc/self")
PREFIX = "temper-limit-"
_NUMBERS = count(1)
_PATIENCE = 5.0


def tag() -> str:
    """A name for groups of this process, which tells who made them: a number means something only to those who count
    processes alike, so their namespace is in it.
    """
    return f"{PREFIX}{_space()}-{os.getpid()}-{next(_NUMBERS)}"


def own(controller: str) -> Path:
    """The group of this process under a controller of version 1, or in version 2 for "". Refused: there is none."""
    kind = "cgroup" if controller else "cgroup2"
    found = next((one for one in _mounts() if one[3] == kind and (not controller or controller in one[2])), None)
    if found is None:
        raise Refused(f"no hierarchy of {controller}" if controller else "not mounted")
    root, mount, _, _ = found
    for line in (SELF / "cgroup").read_text(encoding="utf-8").splitlines():
        _, names, path = line.split(":", 2)
        if (controller in names.split(",")) if controller else not names:
            inner = mount / path.removeprefix(root).lstrip("/")
            return inner if inner.is_dir() else mount
    raise Refused("this process is in none")


def join(group: Path, pid: int) -> None:
    """Make a group and put a process, all of it, into it; where it cannot join there is no group either."""
    group.mkdir(exist_ok=True)
    try:
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
    except OSError:
        with suppress(OSError):
            group.rmdir()
        raise


def members(group: Path) -> list[int]:
    """The processes in a group."""
    with suppress(OSError):
        return list(map(int, (group / "cgroup.procs").read_text(encoding="ascii").split()))
    return []


def counted(file: Path) -> dict[str, int]:
    """A file of names and numbers."""
    lines = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) == 2}


def left_behind() -> set[str]:
    """The tags of groups whose makers are gone."""
    mine = f"{PREFIX}{_space()}-"
    tags = {path.name for path in _groups(f"{mine}*")}
    return {one for one in tags if not Path(f"/proc/{one.removeprefix(mine).split('-')[0]}").exists()}


def swept(name: str) -> None:
    """End everything in the groups of this name, and remove them. Twice is once."""
    for group in _groups(name):
        end = time.monotonic() + _PATIENCE
        while group.exists() and time.monotonic() < end:
            for pid in members(group):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.01)


def _groups(pattern: str) -> Iterator[Path]:
    with suppress(OSError):
        for _, mount, _, _ in _mounts():
            yield from mount.rglob(pattern)


def _mounts() -> Iterator[tuple[str, Path, list[str], str]]:
    """Of every hierarchy: which part of it is seen, where, its controllers, its kind."""
    for line in (SELF / "mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            words = before.split()
            yield words[3].rstrip("/"), Path(words[4]), options.split(",") if kind == "cgroup" else [], kind


def _space() -> int:
    return os.stat("/proc/self/ns/pid").st_ino
