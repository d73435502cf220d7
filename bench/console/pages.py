"""How long the console takes for each of its pages, over a store with 1,000 runs and 100,000 figures.

    python -m bench.console.pages [--quick]

Every address of the console that is read is asked of the application itself, without a socket: the time of a page is
its own, with its queries and its template. Runs, jobs, cases, incidents and windows are SIMULATED; `--quick` keeps a
tenth of them. Seconds of the processor are what this process used, whatever else ran on the machine. The first look
compiles a template, reads documents of runs and draws charts; the console draws those of the newest register before
anybody looks, and here nobody has.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.table import goal, machine, median, table
from temper.core.data import Data
from temper.core.defence import Effect, Tried
from temper.core.finding import Example, Finding
from temper.core.incident import Severity
from temper.core.job import Order
from temper.core.measure import Better, Measurement
from temper.core.requirement import Judgement, Requirement, Verdict, Waiver
from temper.core.review import Role
from temper.core.risk import Known, Register, Stakes, Trials
from temper.core.run import Record
from temper.core.schema import Change, Column, Schema
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.core.threat import Actor
from temper.core.threat_model import ThreatModel
from temper.core.watch import Seen, Watched
from temper.store.control import Control
from temper.store.control.approvals import About
from temper.store.database import Store
from temper.store.evidence import approving
from temper.store.evidence.following import follow
from temper.targets import open_target
from temper.threats.model import threat_model
from temper.threats.register import register
from temper.threats.rules import scenarios
from temper.web.app import OUTSIDE, SCREENS, console
from temper.web.assessed import Assessed

NOW, HOUR = 1_800_000_000.0, 3_600.0
RUNS, FIGURES, TURNS = 1_000, 100, 9
PLUGINS = (
    "evasion.hop",
    "evasion.tree_greedy",
    "stress.missing",
    "stress.noise",
    "inversion.scores",
    "fairness",
    "performance",
    "calibration",
)
PAYLOAD = {
    "rows": [{"amount": 9400.0, "country": "NL"}],
    "score": 0.57,
    "source": "primary",
    "reasons": ["decide: grey"],
}
RULE = Requirement(id="evasion", metric="evasion.hop.m0", at_most=0.2)
COLUMNS = tuple(f"column_{at:02}" for at in range(12))


def main(words: list[str]) -> int:
    """Print a line for each page, and the goal for the slowest."""
    share = 10 if "--quick" in words else 1
    with TemporaryDirectory() as folder:
        app, token, control = _console(Path(folder), share)
        rows = sorted(timed(app, token, path) for path in _paths())
        control.close()
    many = RUNS // share
    print(machine())
    cells = [
        [path, f"{size / 1024:.0f}", cpu.show(0), wall.show(0), f"{first:.0f}"]
        for _, path, size, cpu, wall, first in reversed(rows)
    ]
    title = f"{many:,} runs with {many * FIGURES:,} figures, {many:,} jobs, {many:,} cases; {TURNS} turns a page"
    table(title, ("page", "KB", "ms of the processor", "ms", "the first look, ms of the processor"), cells)
    goal(f"the slowest of {len(rows)} pages", rows[-1][3].value, 300.0, "ms of the processor", digits=0)
    return 0


def timed(app: Any, token: str, path: str) -> tuple[float, str, int, Any, Any, float]:
    cpu, wall, size, first = [], [], 0, 0.0
    for turn in range(TURNS + 1):
        begun, used = time.perf_counter(), time.process_time()
        status, size = asyncio.run(_asked(app, path, token))
        if status != 200:
            raise SystemExit(f"{path} says {status}")
        taken = 1e3 * (time.process_time() - used)
        if not turn:
            first = taken
            continue
        cpu.append(taken)
        wall.append(1e3 * (time.perf_counter() - begun))
    return median(cpu).value, path, size, median(cpu), median(wall), first


async def _asked(app: Any, path: str, token: str) -> tuple[int, int]:
    where, _, query = path.partition("?")
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    cookie = f"temper_session={token}".encode()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": where,
        "raw_path": where.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"console.test"), (b"cookie", cookie)],
        "client": ("127.0.0.1", 1),
        "server": ("console.test", 80),
    }
    await app(scope, receive, send)
    return sent[0]["status"], sum(len(one.get("body", b"")) for one in sent[1:])


def _paths() -> Iterator[str]:
    """Every address that is read, and those with a choice; one that is left out would be a page nobody timed."""
    chosen = {
        "{run}": "0100",
        "{finding}": "F-000100",
        "{name}": "model-down",
        "{id:int}": "1",
    }
    left = {"/login", "/runs/{run}/report", "/drills/{id:int}", "/monitoring/alert", "/policies/{id:int}"}
    left |= {"/incidents/{id:int}/playbooks/{name}", "/waivers/new", *OUTSIDE}
    for screen in SCREENS:
        if screen.method == "GET" and screen.path not in left:
            path = screen.path
            for name, value in chosen.items():
                path = path.replace(name, value)
            yield path
    yield from ("/runs?verdict=fail&page=5", "/runs/0100/figures?kind=stress", "/runs/0100/compare?with=0001")
    yield "/waivers/new?run=0098&requirement=evasion"


# -- what is kept ------------------------------------------------------------------------------------------------------


def _console(folder: Path, share: int) -> tuple[Any, str, Control]:
    config = folder / "temper.yaml"
    config.write_text("system: {name: fraud}\nmonitor: {feed: payments, time: at}\n", encoding="utf-8")
    store, control = Store.open(folder), Control.open(str(folder / "control.db"))
    model, risk = modelled()
    for at in range(RUNS // share):
        store.save_run(run_of(at + 1, model, risk))
    _filled(control, RUNS // share)
    control.people.add("ada", Role.ADMIN, "a long and quiet sentence", "setup", NOW)
    _governed(store, control, RUNS // share)
    token = control.sessions.open("ada", NOW)
    return console(control, clock=still, assessed=Assessed.of(config)), token, control


def still() -> float:
    return NOW


def _filled(control: Control, many: int) -> None:
    for at in range(many):
        order = Order(key=f"k{at}", why=f"stress: natural since day {at}", config="c", only=("stress",))
        control.jobs.put(order, "monitor", NOW - HOUR * (many - at))
        if at < many - 5:
            job = control.jobs.claim("desk", NOW)
            if job is not None:
                control.jobs.end(job, 1, {"run": f"{at + 1:04}", "verdict": "fail", "report": "r"}, "line\n" * 400, NOW)
        control.reviews.enqueue(f"request-{at}", PAYLOAD, NOW - at)
    for at in range(many // 5):
        control.incidents.open(f"Incident {at}", Severity.MINOR, "ana", NOW - at)
    seen = (Seen.PASS, Seen.PASS, Seen.FAIL)
    found = [
        Watched(start=HOUR * at, ends=HOUR * (at + 1), rows=1_000, seen=seen[at % 3], tests=40, needed=50)
        for at in range(many // 2)
    ]
    control.windows.keep("payments", "r", found, NOW)


def _governed(store: Store, control: Control, many: int) -> None:
    """One run in ten is up for approval, one requirement in ten waived, and all of it told to the ledger."""
    until = Waiver(by="risk office", reason="capped", until=date(2030, 1, 1))
    for at in range(1, many + 1, 10):
        about = approving.about(store, f"{at:04}") if at == 1 else About(
            run=f"{at:04}", system="fraud", digest="d", model=f"model-{at // 7}", verdict="pass", maker="ana"
        )  # fmt: skip
        control.approvals.ask(about, 2, "ada", "for the release", NOW)
        control.waivers.propose(f"k{at}", f"system {at}", RULE, f"{at:04}", "ana", until, "ada", NOW)
    follow(store.evidence, control, int(NOW * 1e9))


def modelled() -> tuple[ThreatModel, Register]:
    """A threat model and a register of the usual size; every run keeps the same."""
    columns = tuple(Column(name=name, low=0, high=9) for name in COLUMNS)
    rows = np.random.default_rng(0).uniform(0, 9, (60, len(COLUMNS)))
    target = open_target(lambda x: np.stack([1 - x[:, 0] / 9, x[:, 0] / 9], 1), kind=ScoreKind.PROBABILITIES, classes=2)
    data = Data(x=rows, y=(rows[:, 0] > 4).astype(int))
    actors = (Actor(name="fraudster", queries=200, writes=("input", "labels")), Actor(name="insider", queries=200))
    system = Protected(name="fraud", target=target, data=data, schema=Schema(columns=columns), threshold=0.5)
    system = replace(system, actors=actors)
    every = scenarios(system)[0]
    seen = Trials(plugin="evasion.hop", run="0001", age=0.0, successes=37, failures=163)
    known = {one.id: Known(trials=seen) for one in every[::2]}
    return threat_model(system), register(every, Stakes(), known, datetime.fromtimestamp(NOW, UTC).date())


def _tried(number: int) -> Tried:
    effects = tuple(
        Effect(
            defence=f"defence {at}",
            metric=metric,
            before=before,
            after=before - 0.02 * at,
            difference=-0.02 * at,
            low=-0.02 * at - 0.01,
            high=-0.02 * at + 0.01,
            n=400,
        )
        for at in range(12)
        for metric, before in (("evasion.any.success_rate", 0.6), ("auc", 0.97), ("recall", 0.8), ("alert_rate", 0.3))
    )
    return Tried(before=f"{number - 1:04}", taken=("defence 11",), effects=effects)


def run_of(number: int, model: ThreatModel, risk: Register) -> Record:
    figures = tuple(_figure(at, number) for at in range(FIGURES))
    verdict = (Verdict.FAIL, Verdict.PASS, Verdict.INCONCLUSIVE)[number % 3]
    judged = tuple(
        Judgement(
            requirement=RULE, verdict=verdict, measured=one.name, value=one.value, low=one.low, high=one.high, n=one.n
        )
        for one in figures[:12]
    )
    return Record(
        id=f"{number:04}",
        system="fraud",
        suite="standard",
        seed=0,
        started=f"2026-{1 + number // 90:02}-{1 + number // 3 % 28:02}T08:00:00+00:00",
        seconds=600.0,
        state="finished",
        verdict=verdict,
        judgements=judged,
        measurements=figures,
        findings=tuple(_finding(number, at) for at in range(8)),
        scenarios=tuple(f"[high] scenario {at}" for at in range(12)),
        digests=(("model", f"model-{number // 7}"), ("held-out data", f"data-{number // 50}"), ("attacks", "a")),
        threats=model,
        risk=risk,
        hardening=_tried(number) if number % 7 == 0 else None,
    )


def _figure(at: int, number: int) -> Measurement:
    value = (at * 37 + number) % 100 / 100
    return Measurement(
        plugin=PLUGINS[at % len(PLUGINS)],
        metric=f"m{at}",
        value=value,
        low=max(0.0, value - 0.05),
        high=min(1.0, value + 0.05),
        n=400,
        count=round(400 * value),
        unit="share",
        better=Better.LOWER,
        method="Wilson",
        baseline=(("random", 0.02),),
        caveats=("of these rows only",),
    )


def _finding(number: int, at: int) -> Finding:
    changes = tuple(Change(column=name, before="231.00", after="214.50", cost=1.0) for name in COLUMNS)
    examples = tuple(
        Example(sample=row, changes=changes, score_before=0.97, score_after=0.08, queries=38, cost=12.0)
        for row in range(5)
    )
    name = f"F-{number:06}" if at == 0 else f"F-{number:06}-{at}"
    return Finding(
        id=name, title=f"Finding {at}", plugin=PLUGINS[at % 3], metric=f"m{at}", severity="high", examples=examples
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
