"""The proxy as a process of its own, told what to do line by line; it ends with whoever started it.

python -m temper.chaos.outside HOST PORT
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from temper.chaos.companion import Companion
from temper.chaos.injector import Injector, Scope, built
from temper.chaos.proxy import Proxy
from temper.core.errors import TemperError


@dataclass(slots=True, kw_only=True, eq=False)
class Outside:
    """A proxy in front of `upstream`, in a process that is not this one. Faults end by its clock, and it ends itself
    when this process is gone, however that went.
    """

    upstream: tuple[str, int]
    seed: int = 0
    port: int = field(default=0, init=False)
    _companion: Any = field(default=None, init=False, repr=False)

    def __enter__(self) -> Outside:
        self._companion = Companion(__spec__.name, *map(str, self.upstream), str(self.seed))
        self.port = int(_told(self._companion.hear)["port"])
        return self

    def __exit__(self, *_: object) -> None:
        self._companion.end()

    def set(
        self, name: str, options: Mapping[str, Any] | None = None, *, seconds: float, scope: Scope | None = None
    ) -> None:
        """From now on this fault, for so many seconds."""
        where = {name: value for name, value in asdict(scope or Scope()).items() if value != math.inf}
        self._order({"fault": name, "options": dict(options or {}), "seconds": seconds, "scope": where})

    def clear(self) -> int:
        """No fault any more; how many exchanges met the last one."""
        return int(self._order({"clear": True})["met"])

    def _order(self, order: Mapping[str, Any]) -> Any:
        return _told(lambda: self._companion.say(json.dumps(order)))


def _told(answer: Callable[[], str]) -> Any:
    try:
        told = json.loads(answer())
    except OSError:
        raise TemperError(
            "the proxy that injects faults has ended", fix="run it again; what it did ended with it"
        ) from None
    if "error" in told:
        raise TemperError(told["error"])
    return told


def obeyed(injector: Injector, line: str) -> dict[str, Any]:
    """What is answered to one order; a wrong one changes nothing.

    >>> obeyed(Injector(), '{"fault": "wire.lag", "seconds": 1}')["error"].splitlines()[0]
    "temper.chaos.faults has no plugin 'wire.lag'"
    """
    try:
        order = json.loads(line)
        if order.get("clear"):
            injector.clear()
        else:
            scope = Scope(**order.get("scope", {}))
            fault = built(order["fault"], order.get("options"))
            injector.set(fault, seconds=float(order["seconds"]), scope=scope)
    except TemperError as wrong:
        return {"error": str(wrong)}
    except (ValueError, TypeError, KeyError, AttributeError) as wrong:
        return {"error": f"this is no order: {wrong}"}
    return {"met": injector.met}


async def run(upstream: tuple[str, int], seed: int) -> None:
    """Listen, tell the port, and obey until there is nobody any more who orders."""
    proxy = Proxy(upstream=upstream, injector=Injector(seed=seed))
    _tell({"port": await proxy.listen()})
    while line := await asyncio.to_thread(sys.stdin.readline):
        _tell(obeyed(proxy.injector, line))
    await proxy.close()


def _tell(words: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(run((sys.argv[1], int(sys.argv[2])), int(sys.argv[3])))
