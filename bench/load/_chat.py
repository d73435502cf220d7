"""A SIMULATED chat service with planted times, as a process of its own: no model, words of one letter.

python -m bench.load._chat PORT [--first 0.05] [--token 0.02] [--tokens 8] [--slots 4] [--fault stall] [--every 3]

`slots` answers are written at once, others wait their turn. Every so-manyth request meets the fault: `stall` (silent
after two tokens, but for comments), `break` (the line ends after two), `error` (an event of an error after two), `cut`
(the stream ends without its end), `empty` (a whole stream without a word), `shed` (429), `drip` (whole and well, in
bytes one by one, without a length, ended by its line). With `mute` it tells no usage. /seen tells the last body.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.load._server import _up

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
SHED = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n"


class Service:
    """One service: its times, its turns, its faults."""

    def __init__(self, words: argparse.Namespace) -> None:
        self.words, self.seen, self.last = words, 0, b"{}"
        self.turns = asyncio.Semaphore(words.slots)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(lengths[0].partition(b":")[2])) if lengths else b""
                if head.startswith(b"GET /seen"):
                    writer.write(_whole(self.last))
                    continue
                self.last = body
                if not await self.answer(json.loads(body), writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def answer(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        """Whether the line goes on."""
        self.seen += 1
        fault = self.words.fault if self.seen % self.words.every == 0 else ""
        if fault == "shed":
            writer.write(SHED)
            return True
        async with self.turns:
            if not asked.get("stream"):
                await asyncio.sleep(self.words.first + self.words.token * (self.words.tokens - 1))
                document = {"choices": [{"message": {"content": "a" * self.words.tokens}}], **self.used()}
                writer.write(_whole(json.dumps(document).encode()))
                return True
            closes = fault == "drip"
            writer.write(HEAD + (b"connection: close\r\n\r\n" if closes else b"transfer-encoding: chunked\r\n\r\n"))
            async for event in self.events(fault):
                for part in (event[i : i + 1] for i in range(len(event))) if closes else (event,):
                    writer.write(part if closes else b"%x\r\n%s\r\n" % (len(part), part))
                    await writer.drain()
        if fault == "break" or closes:
            return False
        writer.write(b"0\r\n\r\n")
        return True

    async def events(self, fault: str) -> AsyncIterator[bytes]:
        """The events of a stream, each at its own time from the start."""
        start, words = time.perf_counter(), self.words
        yield _event(choices=[{"delta": {"role": "assistant", "content": ""}}])
        for at in range(words.tokens if fault != "empty" else 0):
            await asyncio.sleep(max(start + words.first + at * words.token - time.perf_counter(), 0))
            if at == 2 and fault in ("break", "error", "cut", "stall"):
                async for event in _spoiled(fault):
                    yield event
                return
            yield _event(choices=[{"delta": {"content": "a"}}])
        yield _event(choices=[{"delta": {}, "finish_reason": "stop"}])
        if used := self.used():
            yield _event(choices=[], **used)
        yield b"data: [DONE]\n\n"

    def used(self) -> dict[str, Any]:
        """What it says of its tokens: every letter is one."""
        return {} if self.words.mute else {"usage": {"prompt_tokens": 5, "completion_tokens": self.words.tokens}}


async def _spoiled(fault: str) -> AsyncIterator[bytes]:
    if fault == "error":
        yield _event(error={"message": "out of memory", "code": 500})
        yield b"data: [DONE]\n\n"
    while fault == "stall":
        await asyncio.sleep(0.1)
        yield b": still here\n\n"


def _event(**document: Any) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def _whole(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


@contextmanager
def chat(**more: object) -> Iterator[str]:
    """The URL of such a service."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    words = [word for name, value in more.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "bench.load._chat", str(port), *words]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        _up(port, process)
        yield f"http://127.0.0.1:{port}/v1/chat/completions"
    finally:
        process.kill()
        process.wait()


async def run(words: argparse.Namespace) -> None:
    """Serve until the end."""
    server = await asyncio.start_server(Service(words).talk, "127.0.0.1", words.port, backlog=4096)
    async with server:
        await server.serve_forever()


def main(words: list[str]) -> None:
    """What stands at the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--first", type=float, default=0.05)
    parser.add_argument("--token", type=float, default=0.02)
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--slots", type=int, default=1000)
    parser.add_argument("--fault", default="")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--mute", type=int, default=0)
    asyncio.run(run(parser.parse_args(words)))


if __name__ == "__main__":
    main(sys.argv[1:])
