"""The generator tells of a stall what those who asked would have felt, and knows when it was late itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest

from temper.traffic.arrivals import arrivals
from temper.traffic.generator import play
from temper.traffic.played import Played

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
ASKED = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


class _Server:
    """Answers each request at once, but for a stall: what comes in it is answered when it ends."""

    def __init__(self, stall: tuple[float, float] = (9.0, 9.0), breaks: int = -1) -> None:
        self.stall, self.breaks, self.start, self.seen = stall, breaks, 0.0, 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.seen += 1
                if self.seen == self.breaks:
                    break
                at = loop.time() - self.start
                if self.stall[0] <= at < self.stall[1]:
                    await asyncio.sleep(self.stall[1] - at)
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@asynccontextmanager
async def _served(server: _Server | _Turns) -> AsyncIterator[int]:
    running = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    try:
        yield running.sockets[0].getsockname()[1]
    finally:
        running.close()
        await asyncio.sleep(0.05)  # the server hears that the lines are closed


def _played(server: _Server, rate: float, seconds: float, connections: int) -> Played:
    async def story() -> Played:
        async with _served(server) as port:
            due = arrivals(rate, seconds, np.random.default_rng(0), poisson=False)

            def began(at: float) -> None:
                server.start = at

            return await play("127.0.0.1", port, [ASKED], due, connections=connections, began=began)

    return asyncio.run(story())


def test_every_request_is_answered_and_sent_when_it_was_due() -> None:
    found = _played(_Server(), 400.0, 1.0, 8)
    assert (found.status == 200).all()
    assert len(found.response) == 400
    assert float(np.median(found.lateness)) < 0.005
    assert found.good(0.5).all()


def test_what_is_due_after_the_end_is_no_part_of_a_run_once_the_end_is_known() -> None:
    async def story() -> Played:
        server, begin = _Server(), asyncio.get_running_loop().time
        async with _served(server) as port:
            due = arrivals(200.0, 30.0, np.random.default_rng(0))
            start = begin()
            return await play(
                "127.0.0.1", port, [ASKED], due, until=lambda: 0.5 if begin() - start > 0.3 else float("inf")
            )

    found = asyncio.run(story())
    due = arrivals(200.0, 30.0, np.random.default_rng(0))
    assert found.due.tolist() == due[due < 0.5].tolist()
    assert (found.status == 200).all()


def test_a_stall_is_felt_by_everyone_who_was_due_in_it() -> None:
    # One line, and 0.4 s of silence: a closed loop would see one slow answer, here all that were due in it are late.
    found = _played(_Server(stall=(0.3, 0.7)), 100.0, 1.2, 1)
    late = found.response > 0.05
    expected = np.clip(0.7 - found.due[(found.due >= 0.3) & (found.due < 0.7)], 0, None)
    assert 33 <= late.sum() <= 42
    assert float(found.response.max()) == pytest.approx(expected.max(), abs=0.06)
    assert float(found.response[late].mean()) == pytest.approx(expected[expected > 0.05].mean(), abs=0.06)


def test_waiting_for_a_free_line_is_no_lateness_of_the_generator() -> None:
    found = _played(_Server(stall=(0.3, 0.7)), 100.0, 1.2, 1)
    assert float(np.nanmax(found.sent - found.due)) > 0.3
    assert float(np.quantile(found.lateness, 0.99)) < 0.05
    assert found.held == pytest.approx(0.4 / 1.2, abs=0.08)


def test_a_line_that_breaks_is_told_and_replaced() -> None:
    found = _played(_Server(breaks=50), 200.0, 1.0, 2)
    assert (found.status == 0).sum() == 1
    assert (found.status == 200).sum() == 199


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nto\r\n3\r\nfur\r\n0\r\n\r\n"
TURNS = {  # pieces in which an answer comes, its status, and the first letter of its body
    (HEAD + b"ab",): (200, b"a"),
    (HEAD, b"cd"): (200, b"c"),
    (HEAD + b"e", b"f"): (200, b"e"),
    (b"HTTP/1.1 503 Not now\r\ncontent-length: 1\r\n\r\ng",): (503, b"g"),
    (CHUNKS,): (200, b"t"),
    (CHUNKS[:50], CHUNKS[50:]): (200, b"t"),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nij",): (200, b"i"),
}


class _Turns:
    """Answers as TURNS has them, one after the other; `told` is what it has answered."""

    def __init__(self) -> None:
        self.told: list[tuple[bytes, ...]] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pieces: tuple[bytes, ...] = (b"",)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while b"close" not in pieces[0] and await reader.readuntil(b"\r\n\r\n"):
                pieces = list(TURNS)[len(self.told) % len(TURNS)]
                self.told.append(pieces)
                for piece in pieces:
                    writer.write(piece)
                    await asyncio.sleep(0.002)
        writer.close()


def test_answers_are_read_the_same_whether_their_head_is_known_or_not_and_however_they_come() -> None:
    server = _Turns()

    async def story() -> Played:
        async with _served(server) as port:
            due = np.arange(70) / 500
            return await play("127.0.0.1", port, [ASKED], due, connections=1, read=lambda body: body[0])

    found = asyncio.run(story())
    expected = [TURNS[pieces] for pieces in server.told]
    assert found.status.tolist() == [status for status, _ in expected]
    assert found.marks.tolist() == [body[0] for _, body in expected]


def _kept(late: float) -> Played:
    due = np.arange(100) / 100
    none = np.zeros(100, dtype=int)
    return Played(due=due, taken=due + late, sent=due + late, done=due + late + 0.01, status=none + 200, marks=none)


def test_a_generator_that_was_late_itself_is_not_trusted() -> None:
    assert _kept(0.001).trusted(0.05)
    assert not _kept(0.02).trusted(0.05)
    assert not _kept(np.nan).trusted(0.05)
    assert (_kept(0.02).held, _kept(np.nan).held) == (0.0, 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_arrivals_at_random_have_the_rate_that_was_asked_for(seed: int) -> None:
    found = arrivals(500.0, 20.0, np.random.default_rng(seed))
    assert abs(len(found) - 10_000) < 5 * 100
    gaps = np.diff(found)
    assert gaps.min() >= 0
    assert float(gaps.std() / gaps.mean()) == pytest.approx(1.0, abs=0.05)
