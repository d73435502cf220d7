"""The proxy of the drills by itself: a fault on the line to a service that Temper did not start."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from temper.chaos.injector import LONGEST, Injector, Scope, built
from temper.chaos.proxy import Proxy
from temper.core.errors import ConfigError, TemperError
from temper.engine.drill.catalogue import DRILLS, Drill, Victim, drill_of
from temper.traffic.address import Address, address

_PATIENCE = 5.0
_STEP = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """A proxy on this machine at `port` (0: any) before `upstream`, a URL or HOST:PORT. After `before` seconds the
    fault of the drill `name`, with `options` in place of its own, meets the share `share` of the exchanges for
    `seconds`; then bytes go through untouched for `after` seconds, or until it is ended.

    Errors: a host that is not this machine is refused unless `confirmed` is that very host.
    """

    upstream: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    port: int = 0
    before: float = 0.0
    seconds: float = 30.0
    after: float = math.inf
    share: float = 1.0
    client: str = ""
    seed: int = 0
    confirmed: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= LONGEST:
            raise ConfigError(f"a fault of {self.seconds:g} s", fix=f"--seconds above 0, at most {LONGEST:g}")
        if not (0 <= self.before <= LONGEST and self.after >= 0 and 0 <= self.port < 65_536):
            raise ConfigError("a time or a port cannot be", fix=f"--before up to {LONGEST:g} s, --port below 65536")

    def run(self, told: Callable[[str], None]) -> int:
        """Stand there until it is over; how many exchanges met the fault. Ctrl-C ends it, and the fault with it."""
        there, drill = address(self._url(), confirmed=self.confirmed), self._drill()
        injector = Injector(seed=self.seed)
        try:
            asyncio.run(self._stood(there, drill, injector, told))
        except KeyboardInterrupt:
            told("ended; nobody stands between any more")
        return injector.met

    def _url(self) -> str:
        return self.upstream if "://" in self.upstream else f"http://{self.upstream}"

    def _drill(self) -> Drill:
        """The drill with these options, which is one of the line."""
        drill = drill_of(self.name)
        if drill.victim is not Victim.LINE:
            there = ", ".join(name for name, one in DRILLS.items() if one.victim is Victim.LINE)
            raise ConfigError(f"{self.name} is done to a process, and not to a line", fix=f"on a line: {there}")
        return drill.having(self.options)

    async def _stood(self, there: Address, drill: Drill, injector: Injector, told: Callable[[str], None]) -> None:
        fault, scope = built(drill.fault, drill.options), Scope(share=self.share, client=self.client)
        await _reached(there)
        proxy = Proxy(upstream=(there.host, there.port), injector=injector)
        try:
            port = await proxy.listen(self.port)
        except OSError as trouble:
            raise TemperError(f"port {self.port} cannot be had: {trouble.strerror}", fix="--port 0 takes any") from None
        scheme = "https" if there.tls else "http"
        told(f"ask {scheme}://127.0.0.1:{port} in place of {there.told}")
        try:
            await asyncio.sleep(self.before)
            injector.set(fault, seconds=self.seconds, scope=scope)
            told(f"for {self.seconds:g} s the service {drill.told}")
            while injector.fault is not None:
                await asyncio.sleep(min(_STEP, injector.left))
            told(f"the fault is over; it met {injector.met:,} exchanges")
            await (asyncio.sleep(self.after) if self.after < math.inf else asyncio.Event().wait())
        finally:
            injector.clear()
            await proxy.close()


async def _reached(there: Address) -> None:
    """Errors: an upstream that takes no connection is refused, before anybody is told to ask here."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(there.host, there.port), _PATIENCE)
    except (OSError, TimeoutError):
        raise TemperError(f"{there.told} takes no connection", fix="is the service up, and the port right?") from None
    writer.close()


def option(text: str) -> tuple[str, Any]:
    """A name and its value, a number or a word.

    >>> option("ms=300"), option("shape=step")
    (('ms', 300), ('shape', 'step'))
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"{text[:60]!r} sets nothing", fix="write --set ms=300")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value
