"""`temper demo fraud --serve`: a model behind its guard, the console of its people, and SIMULATED traffic at it."""

from __future__ import annotations

import asyncio
import re
import secrets
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.system import load_system
from temper.core.errors import StoreError, TemperError
from temper.core.review import Role, State
from temper.core.system import Protected
from temper.demos import fraud
from temper.demos.day.caller import FEED
from temper.demos.day.payments import kept_out
from temper.demos.day.ready import PACE, Pace, Place, ready
from temper.demos.day.run import Day
from temper.demos.day.stack import MONITOR, Model, apart
from temper.demos.day.told import courses, table
from temper.demos.processes import Child, answers, started
from temper.demos.traffic import Tally, Traffic, traffic
from temper.store.control import Control
from temper.traffic.generator import play
from temper.traffic.messages import messages

HOST, KEY, STOLEN = "127.0.0.1", "demo-traffic", "partner"
PEOPLE = (("ana", Role.ANALYST), ("paul", Role.APPROVER), ("ada", Role.ADMIN))
CUSTOMERS, DAYS = 400, 40
_LATE = 10.0
"""Seconds for a payment to be answered."""
_LINE = 5
"""Seconds between lines where there is no terminal."""
_STATES = {"0": "closed", "1": "half open", "2": "open"}
GUARD = """
# The demo's guard: everything on, extraction only watched.
guard:
  deadline_ms: 5000         # generous: model, gateway, console and traffic share one machine
  control: .temper/control.db
  audit: {folder: .temper/audit, ack: durable}
  quota: {per_second: 5000, burst: 20000}
  extraction: shadow        # looks and writes down, and changes nothing
  anomaly: {answer: review}
  fallback:                 # who answers where the model does not
    rules: [{when: "(amount > 400) * (distance_km > 100)", score: 0.9}]
    last_known: {columns: [merchant_category, channel, night, contact_changed], weight: 0.1}
    last: human
  decide: {review: GREY}    # scores that a person looks at
  people: {due: 3600, eyes: 1}
"""


def serve(
    folder: Path,
    now: float,
    port: int = 8080,
    seed: int = 0,
    *,
    once: bool = False,
    by_hand: bool = False,
    pace: Pace = PACE,
) -> bool:
    """Bring it all up in `folder`: the gateway at `port`, console and model at the next two. A new folder is shown its
    day; then ordinary payments come until it is interrupted, or it ends there (`once`). Whether the day was told right.
    """
    from rich.console import Console

    console, right, wall = Console(highlight=False, soft_wrap=True), True, _wall(now)
    with _interrupted_by_any_end(), suppress(KeyboardInterrupt), ExitStack() as ended:
        console.rule("card payments behind their guard (all data SIMULATED)")
        _free(port)
        path = prepared(folder, seed)
        shown = (folder / FEED).exists()
        control = Control.open(str(folder / ".temper" / "control.db"))
        ended.callback(control.close)
        (key, stolen), people = let_in(control, now)
        console.print(f"data, model and temper.yaml lie in {folder}; model, gateway and console start")
        own, gateway = apart(path, port + 2)
        model = Model(config=own, port=port + 2, ended=ended)
        children = _children(gateway, port, ended)
        for line in _told(folder, port, people):
            console.print(line)
        system = load_system(path)
        run = Running(system=system, port=port, key=key, seed=seed, children=children, control=control)
        ended.callback(lambda: console.print(f"ended after {run.tally.sent:,} payments; no process is left"))
        if not shown:
            place = Place(path=path, host=HOST, port=port, key=key, stolen=stolen)
            asked = _by_hand(console) if by_hand else lambda question: True
            day = ready(place, model, control, console, asked, run.alive, wall, seed=seed, pace=pace)
            right = _day(day, console)
            run.tally.sent += day.caller.sent
        elif once:
            raise TemperError(f"{folder} has had its day", fix="choose another folder with --folder")
        if not once:
            run.children.append(model.child)
            asyncio.run(_shown(run, console))
    return right


def _wall(now: float) -> Callable[[], float]:
    """The clock on the wall, which is at `now`."""
    began = time.monotonic()
    return lambda: now + time.monotonic() - began


def _day(day: Day, console: Any) -> bool:
    """Show the day, and what came of it."""
    found = asyncio.run(day.run())
    console.print()
    console.print(table(found, day.summary()))
    console.print(courses(day.watcher.every()))
    for line in day.afterwards():
        console.print(line)
    return day.right


def _by_hand(console: Any) -> Callable[[str], bool]:
    """Ask the person at the terminal."""
    return lambda question: console.input(f"{question} (y/n) ").strip().lower().startswith("y")


def prepared(folder: Path, seed: int = 0) -> Path:
    """The demo's temper.yaml with its guard and what is watched, written where it is not there yet."""
    path = folder / "temper.yaml"
    if not path.exists():
        fraud.write(folder, seed, customers=CUSTOMERS, days=DAYS)
        kept_out(folder, seed)
    text = path.read_text(encoding="utf-8")
    if "\nguard:" not in text:
        path.write_text(text + GUARD.replace("GREY", str(_grey(path))) + MONITOR, encoding="utf-8")
    return path


def _grey(path: Path) -> list[float]:
    """Scores from the threshold on, half as far again in odds."""
    threshold = load_system(path).threshold or 0.5
    odds = 1.5 * threshold / (1.0 - threshold)
    return [round(threshold, 6), round(odds / (1.0 + odds), 6)]


def let_in(control: Control, now: float) -> tuple[tuple[str, str], list[tuple[str, str, str]]]:
    """New keys for the bank and for the partner whose key is stolen, the old ones ended; the people, with passwords
    where they are new.
    """
    people = []
    for old in control.keys.all():
        if old.name in (KEY, STOLEN) and old.revoked is None:
            control.keys.revoke(old.kid, "demo", now)
    for name, role in PEOPLE:
        password = ""
        if control.people.get(name) is None:
            password = secrets.token_urlsafe(12)
            control.people.add(name, role, password, "demo", now)
        people.append((name, role.label, password))
    return (control.keys.add(KEY, "demo", now), control.keys.add(STOLEN, "demo", now)), people


def _children(gateway: Path, port: int, ended: ExitStack) -> list[Child]:
    """Gateway and console, both answering."""
    config, metrics = ["--config", str(gateway)], f"http://{HOST}:{port}/metrics"
    commands = {
        "gateway": ["serve", *config, "--port", str(port), "--node", "gateway"],
        "console": ["console", *config, "--port", str(port + 1), "--metrics", metrics],
    }
    children = [started(name, command, gateway.parent / ".temper", ended) for name, command in commands.items()]
    for child, url in zip(children, (f"http://{HOST}:{port}/readyz", f"http://{HOST}:{port + 1}/"), strict=True):
        answers(child, url)
    return children


@dataclass(slots=True, kw_only=True, eq=False)
class Running:
    """The traffic, what came of it, and what the guard says of itself."""

    system: Protected
    port: int
    key: str
    seed: int
    children: list[Child]
    control: Control
    tally: Tally = field(init=False)
    gauges: Mapping[str, str] = field(default_factory=dict)
    waiting: str = "?"
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tally = Tally(positive=self.system.classes[-1])

    async def forever(self, look: Callable[[int], None]) -> None:
        """A second of traffic every second, whatever became of those before; `look` is called after each."""
        sent, began, number = traffic(self.system, self.seed), time.monotonic(), 0
        while True:
            self._begun(self._second(sent, number))
            number += 1
            await asyncio.sleep(max(0.0, began + number - time.monotonic()))
            self.alive()
            self._begun(asyncio.to_thread(self._asked))
            look(number)

    def alive(self) -> None:
        """Raises where a process has ended by itself."""
        for child in self.children:
            child.alive()

    def lines(self) -> Iterator[tuple[str, str]]:
        """What is worth a look, by name."""
        tally, gauges = self.tally, self.gauges
        p50, p99 = tally.tails()
        refused = ", ".join(f"{status}: {n:,}" for status, n in sorted(tally.statuses.items()))
        yield "payments", f"{tally.sent:,} sent, {tally.unanswered:,} unanswered, refused {refused or 'none'}"
        yield "decisions", _counted(tally.decisions) + f"; called fraud {tally.flagged:,}"
        yield "answered by", _counted(tally.sources)
        yield "latency", f"p50 {1e3 * p50:.1f} ms, p99 {1e3 * p99:.1f} ms"
        breaker = _STATES.get(gauges.get("breaker", ""), "?")
        yield "breaker", breaker + ("; kill switch ON" if gauges.get("stopped") == "1" else "")
        yield "cases", f"{self.waiting} wait for a person"

    def _begun(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _second(self, sent: Traffic, number: int) -> None:
        due, rows, _ = sent.second(number)
        requests = messages(self.system.schema, rows, key=self.key)
        try:
            played = await play(HOST, self.port, requests, due, connections=8, timeout=_LATE, read=self.tally.read)
        except OSError:  # nobody is there
            self.tally.played(np.zeros(len(due), int), np.empty(0))
        else:
            self.tally.played(played.status, played.response)

    def _asked(self) -> None:
        """The gauges, and how many cases are open; "?" where that cannot be had."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=1.0) as answer:
                self.gauges = dict(re.findall(r"(?m)^temper_(\w+) (\S+)$", answer.read().decode()))
        except OSError:
            self.gauges = {}
        try:
            counts = self.control.reviews.counts()
            self.waiting = f"{sum(many for state, many in counts.items() if not State(state).final):,}"
        except StoreError:
            self.waiting = "?"


async def _shown(run: Running, console: Any) -> None:
    """The traffic with its figures: in one place on a terminal, as a line now and then elsewhere."""
    if not console.is_terminal:

        def line(number: int) -> None:
            if number % _LINE == 0:
                console.print("; ".join(f"{name}: {text}" for name, text in run.lines()))

        return await run.forever(line)
    from rich.live import Live

    with Live(_table(run), console=console, auto_refresh=False) as live:
        await run.forever(lambda number: live.update(_table(run), refresh=True))


def _table(run: Running) -> Any:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, text in run.lines():
        table.add_row(f"[bold]{name}[/]", text)
    return table


def _counted(counter: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {many:,}" for name, many in sorted(counter.items())) or "none yet"


def _told(folder: Path, port: int, people: list[tuple[str, str, str]]) -> Iterator[str]:
    """Where things are, who may sign in, and what to try."""
    config = folder / "temper.yaml"
    yield f"gateway  http://{HOST}:{port}/v1/score, figures at http://{HOST}:{port}/metrics"
    yield f"console  http://{HOST}:{port + 1}"
    for name, role, password in people:
        yield f"  sign in as {name} ({role}), password {password or 'as at the first start'}"
    if not all(password for _, _, password in people):
        yield f"  a new password: temper people password NAME --store {folder / '.temper' / 'control.db'}"
    yield "try      clear a case in the console as ana; as ada, open the breaker under Operations and see who answers"
    yield f"         temper ledger verify {folder / '.temper' / 'audit'}"
    yield f"         temper drill primary-down --rate 50 --config {config}   (the dashboard draws it)"
    yield f"         temper respond run model-down --dry-run --gateway http://{HOST}:{port} --config {config}"
    yield "Ctrl-C ends everything."


def _free(port: int) -> None:
    if not 1 <= port <= 65_533:
        raise TemperError(f"{port} is no port with two others after it", fix="choose one between 1024 and 65533")
    for one in (port, port + 1, port + 2):
        with socket.socket() as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                door.bind((HOST, one))
            except OSError as error:
                raise TemperError(f"port {one} is in use", fix="choose another with --port") from error


@contextmanager
def _interrupted_by_any_end() -> Iterator[None]:
    """A terminal that closes and `kill` end the demo as Ctrl-C does, so that no process is left: by the same signal,
    which asyncio takes to its main task. Raised here it would end whichever task has its turn, and be told as lost.
    """

    def interrupted(number: int, frame: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    before: dict[signal.Signals, Any] = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    before |= {one: signal.signal(one, interrupted) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
