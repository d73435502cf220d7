"""How long the fleet page of the console takes with 500 systems, each in a folder with a store of its own.

    python -m bench.console.fleet [--quick]

Every system has a temper.yaml, nine in ten a run of 100 figures with a register (one of twelve), every fifth a control
store with windows. Owners, tiers, verdicts and ages differ; all of it is SIMULATED, and `--quick` makes a tenth. A page
is asked of the application itself, without a socket, from the request to its last byte. Looking at all systems is done
beside the pages, so that nobody waits for it but whoever comes first. What that takes is printed, in seconds of the
processor and whole: the first look there ever was, one of another process that finds it
kept, one where a tenth of the systems were assessed anew. The files are an hour old, as those of a fleet are.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.console.pages import HOUR, NOW, modelled, run_of, still, timed
from bench.table import goal, machine, median, table
from temper.core.review import Role
from temper.core.watch import Seen, Watched
from temper.store.control import Control
from temper.store.database import Store
from temper.web.app import console
from temper.web.assessed import Assessed
from temper.web.board import Board

SYSTEMS, KINDS, LOOKS = 500, 12, 3
OWNERS = ("cards", "credit", "claims", "roads", "care", "tax", "pensions")
CONFIG = "system: {name: fraud}\nmonitor: {feed: /payments, time: at, window: 1h}\n"
TIERS = ("high", "medium", "low")
PATHS = (
    "/fleet",
    "/fleet?sort=risk",
    "/fleet?sort=-age",
    "/fleet?verdict=fail&owner=cards",
    "/fleet?needs=stale&name=7",
)


def main(words: list[str]) -> int:
    """Print a line for each page, the goal for the slowest, and what a look takes."""
    many = SYSTEMS // 10 if "--quick" in words else SYSTEMS
    with TemporaryDirectory() as folder:
        portfolio = _portfolio(Path(folder), many)
        config = Path(folder) / "system-000" / "temper.yaml"
        control = Control.open(str(Path(folder) / "console.db"))
        control.people.add("ada", Role.ADMIN, "a long and quiet sentence", "setup", NOW)
        token = control.sessions.open("ada", NOW)
        print(machine("starlette", "jinja2"))
        about = Assessed.of(config)
        board = Board(about, portfolio)
        first, again = _look(board), [_look(Board(about, portfolio)) for _ in range(LOOKS)]
        changed = []
        for turn in range(LOOKS):
            for at in range(turn, many, 10):
                os.utime(Path(folder) / f"system-{at:03}" / "temper.yaml", (turn + 1, turn + 1))
            changed.append(_look(Board(about, portfolio)))
        app = console(control, clock=still, assessed=about, board=board)
        rows = [timed(app, token, path) for path in PATHS]
        control.close()
    cells = [(path, f"{size / 1e3:.0f}", cpu.show(0), wall.show(0)) for _, path, size, cpu, wall, _ in sorted(rows)]
    table(f"the fleet of {many} systems", ("page", "KB", "ms of the processor", "ms"), cells)
    looks = {"the first": [first], "nothing has changed": again, "a tenth has changed": changed}
    told = [
        (name, *(median(each).show(2) for each in zip(*found, strict=True)), len(found))
        for name, found in looks.items()
    ]
    table(f"a look at all {many}", ("look", "s of the processor", "s", "n"), told)
    goal("the slowest page, whole", max(wall.value for *_, wall, _ in rows), 500.0, "ms", digits=0)
    return 0


def _look(board: Board) -> tuple[float, float]:
    begun, used = time.perf_counter(), time.process_time()
    board._look(NOW)
    return time.process_time() - used, time.perf_counter() - begun


def _portfolio(folder: Path, many: int) -> Path:
    kinds, watched = [_kept(folder, at) for at in range(KINDS)], _watched(folder)
    lines = ["name: SIMULATED bank", "systems:"]
    for at in range(many):
        place = folder / f"system-{at:03}"
        (place / ".temper").mkdir(parents=True)
        (place / "temper.yaml").write_text(CONFIG, encoding="utf-8")
        owner, tier = OWNERS[at % len(OWNERS)], TIERS[at * 7 % 10 // 4]
        lines.append(f"  - {{path: {place.name}, owner: {owner}, tier: {tier}, tags: [line-{at % 5}]}}")
        if at % 10 < 9:
            shutil.copy(kinds[at % KINDS], place / ".temper" / "temper.db")
        if at % 5 == 0:
            shutil.copy(watched[at % 3 == 0], place / ".temper" / "control.db")
    path = folder / "portfolio.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for file in folder.rglob("*"):
        os.utime(file, (time.time() - 3_600.0,) * 2)
    return path


def _kept(folder: Path, at: int) -> Path:
    """A store with one run; its ledger is not copied along, which no look reads."""
    begun = datetime.fromtimestamp(NOW, UTC) - timedelta(days=at * 13 % 120, hours=1)
    store = Store.open(folder / f"kind-{at}" / "temper.db")
    store.save_run(replace(run_of(at + 1, *modelled()), started=begun.isoformat(), hardening=None))
    return store.path


def _watched(folder: Path) -> dict[bool, Path]:
    """Two control stores with eight windows, of which the newest alarms, or is well."""
    found = {}
    for alarms in (True, False):
        found[alarms] = folder / f"{alarms}.db"
        control = Control.open(str(found[alarms]))
        seen = Seen.FAIL if alarms else Seen.PASS
        windows = [
            Watched(start=NOW - HOUR * (9 - n), ends=NOW - HOUR * (8 - n), rows=900, seen=seen, tests=4, needed=5)
            for n in range(8)
        ]
        control.windows.keep("/payments", "", windows, NOW)
        control.close()
    return found


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
