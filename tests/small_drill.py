"""A drill whose processes start at once: a server of twenty lines in the gateway's place, and a victim from outside.

python tests/small_drill.py FOLDER DRILL PID SECONDS
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

BODY = b'{"results":[{"decision":"allow","score":0.25}],"source":"primary"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def answering(port: int) -> None:
    """Everything is answered by the model, and right."""

    async def each(reader: Any, writer: Any) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            writer.write(ANSWER)

    async def quietly(reader: Any, writer: Any) -> None:
        try:
            await each(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    await (await asyncio.start_server(quietly, "127.0.0.1", port)).serve_forever()


def small(folder: Path, name: str, pid: int, seconds: float, broken: str = "", slow: float = 0.0) -> Any:
    """The drill; `broken` is where an exception comes from: "strike" or nowhere. A new start takes `slow` seconds."""
    import numpy as np

    from temper.chaos.host import Host
    from temper.core.schema import Column, Schema
    from temper.engine.drill import run as runner
    from temper.engine.drill.catalogue import drill_of
    from temper.engine.drill.stack import Stack
    from temper.engine.drill.terms import Load

    class Breaking(Host):
        def stop(self) -> None:
            super().stop()
            raise RuntimeError("in the middle of it")

    class Small(Stack):
        def _serve(self, config: Path, port: int) -> list[str]:
            return [sys.executable, __file__, str(port)]

        def host(self, seconds: float) -> Host:
            kind = Breaking if broken == "strike" else Host
            return kind(pid=pid, seconds=seconds, dead_man=self._dead_man, again=lambda: time.sleep(slow))

    config = folder / "temper.yaml"
    config.write_text(f"model: {{path: m}}\nguard: {{control: {folder / 'control.db'}}}\n")
    schema, x = Schema(columns=(Column(name="a"),)), np.zeros((5, 1))
    runner.Stack = Small  # type: ignore[misc]
    runner.load_system = lambda _: SimpleNamespace(name="x", schema=schema, data=SimpleNamespace(x=x), target=None)
    runner.served = lambda target, rows: SimpleNamespace(score=lambda rows: np.full(len(rows), 0.25))
    return runner.run(config, drill_of(name), Load(rate=100.0, seconds=seconds), lambda line: print(line, flush=True))


if __name__ == "__main__":
    if len(sys.argv) == 2:
        asyncio.run(answering(int(sys.argv[1])))
    else:
        place, which, victim, lasting = sys.argv[1:5]
        small(Path(place), which, int(victim), float(lasting))
