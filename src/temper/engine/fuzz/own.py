"""A service that the fuzzer starts itself, and starts again where a law is about what it was asked first."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from temper.core.errors import TemperError
from temper.fuzz._service import Service
from temper.traffic.limits.started import Started, started


@contextmanager
def owned(service: Service, command: Sequence[str]) -> Iterator[Service]:
    """The service, started by `command` and ended at the end; without a command as it is, run by somebody else.

    Errors: TemperError where something answers at its address already, or the command ends.
    """
    if not command:
        yield service
        return
    if service.reachable(0.0):
        raise TemperError(
            f"something answers at {service.where.told} already", fix="end it, or leave --start out to fuzz it as it is"
        )
    with tempfile.TemporaryDirectory(prefix="temper-fuzz-") as folder, ExitStack() as last:
        service.runner = _Runner(service=service, command=command, folder=Path(folder), last=last)
        service.runner.again()
        yield service


@dataclass(slots=True, kw_only=True, eq=False)
class _Runner:
    service: Service
    command: Sequence[str]
    folder: Path
    last: ExitStack
    now: Started | None = None

    def again(self) -> None:
        self.last.close()
        one = self.now = self.last.enter_context(started(self.command, (), self.folder / "log", self.folder))
        if not self.service.comes_up(lambda: bool(one.end())):
            said = one.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            told = one.end() or f"nothing answered at {self.service.where.told} in time"
            raise TemperError(
                f"the service could not be started: {told}{f': {said[-1][:200]}' if said else ''}",
                fix="--start takes the command that runs it in the foreground, at the address of the URL",
            )

    def ended(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not (over := self.now is None or bool(self.now.end())) and time.monotonic() < until:
            time.sleep(0.01)
        return over
