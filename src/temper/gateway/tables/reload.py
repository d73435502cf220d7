"""A gateway follows its temper.yaml and the policy people activate: the next version is built beside the one that
answers, tried, and put in its place at once; what cannot be used is refused in one line.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.config.serving import Serving
from temper.config.system import load_system
from temper.core.errors import ConfigError, TemperError
from temper.core.system import Protected
from temper.gateway.events import tell
from temper.gateway.tables.deploy import guard, of
from temper.gateway.tables.version import Lasting, Trial, Version, check, version
from temper.gateway.tables.watching import limits
from temper.guard.serving.followed import in_force
from temper.store.control import Control
from temper.store.control.deployed import deployed, loaded

_PERIOD = 1.0
FIXED = ("control", "audit", "checkpoints", "open")
"""What stays as it was until a restart, beside the columns."""


@dataclass(slots=True, kw_only=True, eq=False)
class Reloading:
    """Looks every second, and at SIGHUP whether or not anything seems to have changed. Requests under way end on the
    version they began with. `refused` counts what could not be used, `told` says why the last one was, "" once one was.
    """

    path: Path
    lasting: Lasting
    control: Control
    live: Callable[[], Version]
    swap: Callable[[Version], None]
    refused: int = 0
    told: str = ""
    seen: Any = None
    _asked: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    async def run(self) -> None:
        """Follow, until cancelled."""
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread, or not POSIX
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), _PERIOD)
            await self.once(forced=self._asked.is_set())

    async def once(self, *, forced: bool = False) -> bool:
        """Look now; whether another version answers from here on."""
        self._asked.clear()
        try:
            seen = await asyncio.to_thread(state, self.path, self.live().serving, self.control)
        except Exception:  # the control store may be down in any way, and that is not ours to tell
            return False
        if seen == self.seen and not forced:
            return False
        self.seen = seen
        try:
            new = await asyncio.to_thread(self._made)
            await check(new, self.live())
        except Exception as trouble:  # a file of somebody's may be wrong in any way
            self._refuse(trouble)
            return False
        self.told = ""
        self.swap(new)
        tell("policy.changed", **limits(new))
        return True

    def _made(self) -> Version:
        live = self.live()
        system, serving, trial = effective(self.path, self.control)
        for name in FIXED:
            if getattr(serving, name) != getattr(live.serving, name):
                raise ConfigError(f"guard.{name} was changed", fix="restart the gateway for that")
        if system.schema != live.system.schema:
            raise ConfigError("the columns were changed", fix="restart the gateway for that")
        return version(system, serving, self.lasting, live, trial)

    def _refuse(self, trouble: Exception) -> None:
        self.refused += 1
        said = str(trouble) if isinstance(trouble, TemperError) else type(trouble).__name__
        self.told = " ".join(said.split())
        tell("policy.refused", why=self.told)


def effective(path: Path, control: Control) -> tuple[Protected, Serving, Trial | None]:
    """The system of this temper.yaml with the model people have deployed, under the policy they have activated; and
    the model on trial.
    """
    found = deployed(control)
    plain, serving = load_system(path), guard(path)
    system = of(plain, found)
    trial = (
        None
        if found.trial is None
        else Trial(found.trial["mode"], loaded(plain, found.trial), found.trial.get("share", 0.0))
    )
    return *in_force(system, serving, control.policies.record()), trial


def state(path: Path, serving: Serving, control: Control) -> Any:
    """What a version was made of, as far as a look tells."""
    records = [control.records.current(kind) for kind in ("policy", "model")]
    return _bytes(path), _stat(Path(serving.profile)), [record and record.seq for record in records]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        return str(error).encode()


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
