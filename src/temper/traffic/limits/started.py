"""A service started within limits, or without: they are set before its first instruction, read back, and taken back
however it ends, and it ends when whoever started it is gone.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from temper.core.errors import TemperError
from temper.core.load import Constraint
from temper.traffic.limits.cgroup import CgroupV1, CgroupV2
from temper.traffic.limits.disk import SmallDisk
from temper.traffic.limits.hierarchy import left_behind, swept, tag
from temper.traffic.limits.mechanism import Mechanism, Refused
from temper.traffic.limits.ordered import Ordered
from temper.traffic.limits.process import AddressSpace, Affinity, Handles
from temper.traffic.limits.watcher import watched

MECHANISMS: Final[dict[str, tuple[Callable[[], Mechanism], ...]]] = {
    "cpu": (CgroupV2, CgroupV1),
    "memory": (CgroupV2, CgroupV1, AddressSpace),
    "files": (Handles,),
    "cores": (Affinity,),
}
_COMPLAINTS: Final = {"memory": "MemoryError", "files": "Too many open files", "disk": "No space left on device"}
_FIXES: Final = {
    "cpu": "run as root, or as a user with delegated control groups; cores=1 needs neither",
    "disk": "run as root, or where users may have namespaces of their own",
}
_SCRIPT: Final = 'echo ready >&0; read -r go && exec "$@" </dev/null'
_CLOSE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Started:
    """A service's process, with what holds it and the file of what it says."""

    process: subprocess.Popen[bytes]
    log: Path
    held: tuple[tuple[Ordered, Mechanism], ...] = ()

    def constraints(self) -> tuple[Constraint, ...]:
        """The limits, by what they were set, and what they did until now."""
        log = self.log.read_bytes() if self.held else b""
        return tuple(
            Constraint(limit=order.words, by=mechanism.by, seen=_seen(order, mechanism, self.process.pid, log))
            for order, mechanism in self.held
        )

    def end(self) -> str:
        """How the service ended, "" while it runs."""
        code = self.process.poll()
        if code is None:
            return ""
        return f"the service ended {f'by {signal.Signals(-code).name}' if code < 0 else f'with code {code}'}"

    def explained(self) -> str:
        """How it ended, with what its limits did; "" while it runs."""
        told = (f"{one.limit} by {one.by}: {one.seen}".rstrip(": ") for one in self.constraints())
        return "; ".join((how, *told)) if (how := self.end()) else ""


@contextmanager
def started(command: Sequence[str], limits: Sequence[Ordered], log: Path, disk: Path) -> Iterator[Started]:
    """Start it within the limits; `disk` is the folder that a limited disk is put over. The caller ends it.

    Errors: TemperError where a limit cannot be set, before the service does anything.
    """
    with ExitStack() as ended:
        told = ended.enter_context(open(log, "wb"))
        for name in left_behind():
            swept(name)
        own, name = SmallDisk(folder=disk), tag()
        tell = ended.enter_context(watched(name))
        ours, theirs = map(ended.enter_context, socket.socketpair())
        process = subprocess.Popen(
            _gated(command, limits, own), stdin=theirs.fileno(), stdout=told, stderr=told, start_new_session=True
        )
        ended.callback(_over, process)
        theirs.close()
        tell(process.pid)
        if not ours.recv(16):
            raise _refusal("disk", [_last(log)])
        held = tuple((one, _placed(process.pid, one, name, own)) for one in limits)
        ours.sendall(b"go\n")
        yield Started(process=process, log=log, held=held)


def _gated(command: Sequence[str], limits: Sequence[Ordered], own: SmallDisk) -> list[str]:
    """The command behind a shell that waits for a word; it ends where whoever would say it is gone."""
    disk = next((one for one in limits if one.name == "disk"), None)
    before, first = own.apart(disk) if disk is not None else ([], "true")
    return [*before, "/bin/sh", "-c", f"{first} || exit; {_SCRIPT}", "sh", *command]


def _placed(pid: int, order: Ordered, name: str, disk: SmallDisk) -> Mechanism:
    """The first mechanism that holds, as the kernel tells."""
    reasons = []
    for mechanism in [kind() for kind in MECHANISMS[order.name]] if order.name != "disk" else [disk]:
        try:
            found = mechanism.place(pid, order, name)
        except (Refused, OSError, ValueError) as reason:
            said = reason.strerror if isinstance(reason, OSError) else reason
            reasons.append(f"{mechanism.by}: {said}")
            continue
        if abs(found - order.amount) <= max(_CLOSE * order.amount, 4096.0 * (order.amount > 4096)):
            return mechanism
        reasons.append(f"{mechanism.by}: the kernel says {found:g}")
    raise _refusal(order.words, reasons)


def _refusal(words: str, reasons: Sequence[str]) -> TemperError:
    fix = _FIXES.get(words.partition("=")[0], "ask for less, or leave this limit out")
    return TemperError(f"the limit {words} could not be set ({'; '.join(reasons)}); nothing was sent", fix=fix)


def _seen(order: Ordered, mechanism: Mechanism, pid: int, log: bytes) -> str:
    try:
        words = mechanism.seen(pid)
    except OSError:
        words = ""
    complaint = _COMPLAINTS.get(order.name, "")
    many = log.count(complaint.encode()) if complaint else 0
    return ", ".join(
        filter(None, (words, f"its log says {complaint!r} {many:,} time{'s' * (many > 1)}" if many else ""))
    )


def _last(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1].strip() if lines else "the shell ended without a word"


def _over(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
