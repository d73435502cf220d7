"""How fast the red team asks, what an attempt costs, what it remembers, and what a kill loses; beside garak and PyRIT.

    python -m bench.injection.runner [--quick | --full]

SIMULATED: the stand-in behind its OpenAI-compatible server, which waits 200 ms before every answer, on this machine.
Rates count requests that were answered, with everything on: dressing, tools, judging, the journal on disk. Processor
time is that of the client alone. Kills: the command is killed with SIGKILL at random moments, three times, then
resumed; the server's log says how many questions more that took than a run nobody killed, and the reports are compared.
Peers, each in an environment of its own (BENCH_GARAK and BENCH_PYRIT name its python; `make peers` makes both):
garak sends its InjectBase64 probe, PyRIT's executor and ours the very prompts that garak sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.table import table

LATENCY = 0.2
GOALS = ((64, 200), (128, 400))
ROOT = Path(__file__).parents[2]


def main(words: list[str]) -> int:
    """Print every table."""
    if "--serve" in words:
        return _serve(*words[words.index("--serve") + 1 :])
    if "--many" in words:
        return _many(int(words[-1]))
    quick, full = "--quick" in words, "--full" in words
    with tempfile.TemporaryDirectory() as folder:
        table(
            "requests a second",
            ["in flight", "requests", "seconds", "a second", "goal", "client ms each", "ms an attempt"],
            [_rate(Path(folder), width, goal, 600 if quick else 1_500) for width, goal in GOALS],
        )
        table(
            "memory",
            ["attempts", "seconds", "ms an attempt", "largest MB", "goal"],
            [_memory(20_000 if quick else 100_000)],
        )
        table(
            "kill -9, then --resume",
            ["requests alone", "killed 3 times", "more", "in flight at kills", "report"],
            [_killed(Path(folder), seed) for seed in range(1 if quick else 5 if full else 2)],
        )
        _peers(Path(folder), quick)
    return 0


# -- the server -----------------------------------------------------------------------------------------------------


def _serve(port: str, log: str) -> int:
    """The stand-in's server; a digest of every question it is asked goes to the log when it has been answered."""
    from temper.demos.assistant.faults import Faults
    from temper.demos.assistant.server import Server, serve

    server = Server(faults=Faults(latency=LATENCY))
    kept = open(log, "a", encoding="ascii", buffering=1)  # noqa: SIM115

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen = bytearray()

        async def told() -> Any:
            event = await receive()
            seen.extend(event.get("body", b""))
            return event

        await server(scope, told, send)
        if seen:
            kept.write(hashlib.blake2b(bytes(seen), digest_size=12).hexdigest() + "\n")

    serve(app, int(port))  # type: ignore[arg-type]
    return 0


class Served:
    """A server in a process of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.port, self.log = 20_000 + random.SystemRandom().randrange(20_000), folder / f"{name}.log"
        self.log.touch()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.injection.runner", "--serve", str(self.port), str(self.log)], cwd=ROOT
        )

    def __enter__(self) -> Served:
        import socket

        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.1)
        raise RuntimeError("the stand-in's server does not answer")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/v1"

    def asked(self) -> list[str]:
        """Digests of the questions so far."""
        return self.log.read_text(encoding="ascii").split()


# -- rates and memory -----------------------------------------------------------------------------------------------


def _rate(folder: Path, width: int, goal: int, attempts: int) -> list[str]:
    with Served(folder, f"rate{width}") as server:
        seconds, spent, asked = asyncio.run(_played(folder / f"rate{width}", server.url, width, attempts))
    return [
        str(width),
        f"{asked:,}",
        f"{seconds:.1f}",
        f"{asked / seconds:.0f}",
        f">= {goal}",
        f"{1e3 * spent / asked:.2f}",
        f"{1e3 * spent / attempts:.2f}",
    ]


async def _played(path: Path, url: str, width: int, attempts: int) -> tuple[float, float, int]:
    from temper.demos.assistant.bank import bank
    from temper.engine.redteam.answers import Answers
    from temper.store.journal import Journal
    from temper.targets.chat.limits import Limits
    from temper.targets.chat.line import Line
    from temper.targets.chat.openai import OpenAI

    target = OpenAI(line=Line(url=url, limits=Limits(in_flight=width)), model="stand-in")
    with Journal(path) as journal:
        answers = Answers(target=target, journal=journal, scope="bench", width=width)
        await _templates(bank(target=target), answers.ask, width, 64)  # what is loaded on first use
        first, began, spent = answers.asked, time.perf_counter(), time.process_time()
        await _templates(bank(target=target), answers.ask, width, attempts)
        seconds, spent = time.perf_counter() - began, time.process_time() - spent
        await target.close()
    return seconds, spent, answers.asked - first


async def _templates(assistant: Any, ask: Any, width: int, attempts: int) -> None:
    from temper.attacks.injection._built import ground
    from temper.core.room import Room
    from temper.engine.redteam.attempts import Trying
    from temper.engine.redteam.playing import Playing

    where = ground(assistant, attempts)
    trying = Trying(assistant=assistant, ask=ask, goals={goal.id: goal for goal in where.goals})
    playing = Playing(trying=trying, trials=1, width=width)
    await playing.play("injection.templates", Room("temper.attacks").build("injection.templates"), where, 0)


def _memory(attempts: int) -> list[str]:
    """A process of its own, so that its largest size is that of the attempts."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "bench.injection.runner", "--many", str(attempts)]
    told = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    seconds = time.perf_counter() - began
    return [
        f"{told['attempts']:,}",
        f"{seconds:.0f}",
        f"{1e3 * told['cpu'] / told['attempts']:.2f}",
        f"{told['mb']:.0f}",
        "< 500",
    ]


def _many(attempts: int) -> int:
    """Attempts on an assistant that declines at once: what is left is Temper's own."""
    from temper.core.chat import Reply, Usage
    from temper.demos.assistant.bank import bank
    from temper.engine.redteam.answers import Answers
    from temper.store.journal import Journal
    from temper.targets.chat.function import ChatFunction

    async def declines(request: Any) -> Reply:
        return Reply(text="I am sorry, I cannot help with that.", usage=Usage(read=200, written=9))

    async def play(folder: str) -> None:
        target = ChatFunction(call=declines, version="1", tools=True)
        with Journal(Path(folder) / "answers") as journal:
            answers = Answers(target=target, journal=journal, scope="bench", width=64)
            await _templates(bank(target=target), answers.ask, 64, attempts)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"attempts": attempts, "cpu": time.process_time(), "mb": peak}))
    return 0


# -- kills ----------------------------------------------------------------------------------------------------------


def _killed(folder: Path, seed: int) -> list[str]:
    """Requests of a run that was killed three times beside those of one that was not. What was in flight at a kill had
    been answered and not kept: it may be asked again, and nothing else.
    """
    rng = random.Random(seed)
    with Served(folder, f"kill{seed}") as server:
        whole, again = folder / f"whole{seed}" / "bank", folder / f"killed{seed}" / "bank"
        for place in (whole, again):
            _write(place, server.url)
        _command(whole).wait()
        alone = len(server.asked())
        for _ in range(3):
            process = _command(again, "--resume")
            time.sleep(rng.uniform(3, 9))
            process.send_signal(signal.SIGKILL)
            process.wait()
            time.sleep(3 * LATENCY)
        lost = len(server.asked()) - alone - _kept(again)
        _command(again, "--resume").wait()
        killed = len(server.asked()) - alone
    same = "the same bytes" if _report(whole) == _report(again) else "DIFFERS"
    return [f"{alone:,}", f"{killed:,}", f"{killed - alone}", f"{lost}", same]


def _write(place: Path, url: str) -> None:
    from temper.demos.assistant.bank import write

    path = write(place)
    told = path.read_text(encoding="utf-8")
    line = next(row for row in told.splitlines() if row.strip().startswith("callable:"))
    limits = "  limits: {in_flight: 32}"
    path.write_text(told.replace(line, f"  url: {url}\n  model: stand-in\n{limits}"), encoding="utf-8")


def _command(place: Path, *more: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "temper.cli", "redteam", "--suite", "quick", "--json", *more]
    out = open(place / "out", "wb")  # noqa: SIM115
    return subprocess.Popen(words, cwd=place, stdout=out, stderr=subprocess.DEVNULL, env=os.environ)


def _kept(place: Path) -> int:
    """Answers in the journal after a kill."""
    from temper.store.journal import Journal

    paths = (place / ".temper" / "answers").glob("*.journal")
    with ExitStack() as open_ones:
        return sum(len(open_ones.enter_context(Journal(path))) for path in paths)


def _report(place: Path) -> str:
    """The report without when it began, which no two runs share."""
    document = json.loads((place / "out").read_text(encoding="utf-8"))
    document["record"]["started"] = ""
    return json.dumps(document, sort_keys=True)


# -- peers ----------------------------------------------------------------------------------------------------------


def _peers(folder: Path, quick: bool) -> None:
    garak, pyrit = os.environ.get("BENCH_GARAK"), os.environ.get("BENCH_PYRIT")
    if not (garak and pyrit):
        print("\ngarak and PyRIT are not here: set BENCH_GARAK and BENCH_PYRIT to the python of an environment of each")
        return
    from bench.injection import _peers as peers

    rows = peers.rows(folder, Served, garak, pyrit, quick)
    table(
        "the same prompts, the same endpoint",
        ["client", "at once", "requests", "seconds", "a second", "times ours"],
        rows,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
