"""How long the store takes in PostgreSQL for what each page of the console asks, with ten million measurements in it.

    python -m bench.store.many                              10,000,000 measurements, in a folder that goes with it
    python -m bench.store.many --quick                      100,000
    python -m bench.store.many --at FOLDER --runs 20000     so many runs more in a folder that stays; nothing is asked
    python -m bench.store.many --at FOLDER                  asks what is there

500 systems, each run with 100 figures, 8 findings, a threat model and a register, SIMULATED: documents of the usual
size, of which systems, models, rows and times differ. They are copied in past the triggers, and nothing of them is in
the ledger. A query is timed at the client, from the statement to its last row, on one connection and with other values
each time; beside it stands the whole question, with its documents decoded and checked. The indexes are those that
PostgreSQL says it reads for it.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.console.pages import FIGURES, NOW, modelled, run_of
from bench.store.server import served
from bench.table import goal, machine, table
from temper.core.outline import Outline, outlined
from temper.core.risk import Register
from temper.core.threat_model import ThreatModel
from temper.store.codec import to_json, wrap
from temper.store.database import Store

SYSTEMS, RUNS, TURNS = 500, 100_000, 40
MODEL, ROWS = 7, 50
"""Runs of a system on one model, and on the same rows."""
KINDS = 12
"""Documents that differ in their figures, verdicts and findings."""
Question = Callable[[int], Any]


def main(words: list[str]) -> int:
    """Fill, ask, or both."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server stays behind
    at = Path(words[words.index("--at") + 1]) if "--at" in words else None
    more = int(words[words.index("--runs") + 1]) if "--runs" in words else 0
    if at is not None:
        with served(at / "server") as url:
            if more:
                filled(url, at, more)
            else:
                asked(url, at)
        return 0
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with served(Path(folder) / "server") as url:
            filled(url, Path(folder), 1_000 if "--quick" in words else RUNS)
            asked(url, Path(folder))
    return 0


# -- filling -----------------------------------------------------------------------------------------------------------


def filled(url: str, folder: Path, runs: int) -> None:
    """So many runs more."""
    import psycopg

    store = Store.open(folder / "temper.db", url)
    begun, there = time.perf_counter(), store.counted()
    about = modelled()
    kinds = [_kind(at, *about) for at in range(KINDS)]
    with psycopg.connect(url) as connection:  # one transaction: what is killed leaves nothing
        connection.execute("SET session_replication_role = replica")
        for name, columns, rows in _tables(kinds, there, runs):
            with connection.cursor().copy(f"COPY {name} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
    with psycopg.connect(url, autocommit=True) as connection:
        for name in ("runs", "findings", "outlines", "measured"):
            connection.execute(f"VACUUM (ANALYZE) {name}")
    seconds = time.perf_counter() - begun
    print(f"{runs:,} runs with {runs * FIGURES:,} figures more in {seconds:.0f} s, {there + runs:,} runs in all")


def _kind(at: int, model: ThreatModel, risk: Register) -> tuple[str, list[tuple[str, str]], Outline]:
    """A document with a mark at each place where runs differ, its findings, and the run in short."""
    made = replace(run_of(at + 1, model, risk), id="@run@", system="@system@", started="@started@")
    digests = (("model", "@model@"), ("held-out data", "@rows@"), ("attacks", "a"))
    made = replace(
        made, digests=digests, findings=tuple(replace(one, id=f"F-@run@-{n}") for n, one in enumerate(made.findings))
    )
    findings = [(one.id, to_json(wrap("temper.finding", one))) for one in made.findings]
    return to_json(wrap("temper.run", made)), findings, outlined(made)


def _marks(at: int) -> dict[str, str]:
    """What stands for the marks in this run: every system in turn, a day for each."""
    system, turn = at % SYSTEMS, at // SYSTEMS
    begun = datetime.fromtimestamp(NOW, UTC) - timedelta(days=400) + timedelta(days=turn, seconds=system)
    return {
        "@run@": f"{at + 1:04}",
        "@system@": f"system {system:03}",
        "@started@": begun.isoformat(),
        "@model@": f"model {system}-{turn // MODEL}",
        "@rows@": f"rows {system}-{turn // ROWS}",
    }


def _set(text: str, marks: dict[str, str]) -> str:
    for mark, word in marks.items():
        text = text.replace(mark, word)
    return text


def _tables(
    kinds: list[tuple[str, list[tuple[str, str]], Outline]], first: int, many: int
) -> Iterator[tuple[str, str, Iterator[tuple[Any, ...]]]]:
    every = range(first, first + many)
    marked = ((at, kinds[at % KINDS], _marks(at)) for at in every)
    yield (
        "runs",
        "id, started, state, document",
        ((marks["@run@"], marks["@started@"], "finished", _set(text, marks)) for _, (text, _, _), marks in marked),
    )
    marked = ((at, kinds[at % KINDS], _marks(at)) for at in every)
    yield (
        "findings",
        "id, run, task, document",
        (
            (_set(name, marks), marks["@run@"], "k", _set(text, marks))
            for _, (_, findings, _), marks in marked
            for name, text in findings
        ),
    )
    columns = [name for name in Outline.__dataclass_fields__ if name != "first"]
    yield (
        "outlines",
        f"number, {', '.join(columns)}",
        ((at + 1, *_outline(kinds[at % KINDS][2], columns, _marks(at))) for at in every),
    )
    yield (
        "measured",
        "system, family, model, number",
        (
            (marks["@system@"], family, marks["@model@"], at + 1)
            for at in every
            for marks in [_marks(at)]
            for family in kinds[at % KINDS][2].families
        ),
    )


def _outline(one: Outline, columns: list[str], marks: dict[str, str]) -> list[Any]:
    told = {name: getattr(one, name) for name in columns}
    told |= {"verdict": one.verdict.value, "families": to_json(list(one.families)), "simulated": int(one.simulated)}
    return [_set(value, marks) if isinstance(value, str) else value for value in told.values()]


# -- asking ------------------------------------------------------------------------------------------------------------


def asked(url: str, folder: Path) -> None:
    """A line for each question, the goal for the slowest, and the indexes."""
    store = Store.open(folder / "temper.db", url)
    runs = store.counted()
    print(machine("psycopg"))
    print(f"PostgreSQL {_server(store)}")
    rows, slowest = [], 0.0
    for name, question in _questions(store, runs):
        took = np.array([_seconds(question, turn) for turn in range(TURNS + 1)][1:]) * 1e3
        middle, late, worst = np.quantile(took[:, 0], (0.5, 0.95, 1.0))
        slowest, whole = max(slowest, worst), np.median(took[:, 1])
        figures = [f"{one:.1f}" for one in (middle, late, worst, whole)]
        rows.append((name, *figures, ", ".join(_indexes(store, question))))
    rows.sort(key=lambda row: -float(row[1]))
    title = f"{runs:,} runs of {len(store.words('system'))} systems with {runs * FIGURES:,} figures; {TURNS} turns each"
    table(title, ("what a page asks", "query, median ms", "95 %", "slowest", "whole, median", "read by"), rows)
    goal(f"the slowest query of {len(rows)}, its slowest turn", slowest, 200.0, "ms", digits=1)


def _questions(store: Store, runs: int) -> Iterator[tuple[str, Question]]:
    """What the pages of the console ask of the store of runs, each with other values in each turn."""

    def system(turn: int) -> str:
        return f"system {turn * 37 % SYSTEMS:03}"

    def model(turn: int) -> str:
        return f"model {turn * 37 % SYSTEMS}-{max(0, runs // SYSTEMS - 1) // MODEL}"

    def run(turn: int) -> str:
        return f"{1 + turn * 7_919 % runs:04}"

    yield "runs: the newest page", lambda turn: store.outlines(40, 0)
    yield "runs: the last page", lambda turn: store.outlines(40, max(0, runs - 40 * (turn + 1)))
    yield "runs: of a system", lambda turn: store.outlines(40, 0, system=system(turn))
    yield "runs: failed ones of a system", lambda turn: store.outlines(40, 0, system=system(turn), verdict="fail")
    yield "runs: failed ones, a page in the middle", lambda turn: store.outlines(40, runs // 6, verdict="fail")
    yield "runs: how many", lambda turn: store.counted()
    yield "runs: how many failed", lambda turn: store.counted(verdict="fail")
    yield "runs: the systems to choose from", lambda turn: store.words("system")
    yield "runs: the suites to choose from", lambda turn: store.words("suite")
    yield "a run, its document", lambda turn: store.document(run(turn))
    yield "the newest run of a system", lambda turn: store.outlines(1, system=system(turn), state="finished")
    yield "hardening: every run of a system", lambda turn: store.outlines(system=system(turn), state="finished")
    yield "overview: the evidence of each part", lambda turn: store.measured(system(turn), model(turn))
    yield "overview: the run before of another model", lambda turn: store.before(system(turn), model(turn))
    yield "overview: findings of three runs", lambda turn: store.findings(run(turn), run(turn + 1), run(turn + 2))
    yield "a finding: the runs that show it", lambda turn: store.showing(f"F-{run(turn)}-3")
    yield "a finding, by its id", lambda turn: store.finding(f"F-{run(turn)}-3")
    yield "evidence: the runs of a model", lambda turn: store.outlines(1, model=model(turn), state="finished")
    yield "fleet: the newest run of every system", lambda turn: store.latest()
    yield "risk: the register of a run", lambda turn: store.register(run(turn))
    yield "a number for a new run", lambda turn: store.next_run_id()


def _seconds(question: Question, turn: int) -> tuple[float, float]:
    """How long the statements of a question took, and all of it."""
    begun = time.perf_counter()
    heard = _heard(question, turn)
    return sum(seconds for *_, seconds in heard), time.perf_counter() - begun


def _server(store: Store) -> str:
    found = store._one(
        "SELECT current_setting('server_version') AS version, current_setting('shared_buffers') AS cache"
    )
    size = store._one("SELECT pg_size_pretty(pg_database_size(current_database())) AS size")
    return f"{found['version']}, shared_buffers {found['cache']}, {size['size']} on the disk" if found and size else ""


def _indexes(store: Store, question: Question) -> list[str]:
    """How each statement of a question is answered: its indexes, and tables that are read whole."""
    found: dict[str, None] = {}
    for sql, values, _ in _heard(question, TURNS):
        if not sql.startswith("INSERT"):
            (row,) = store._all(f"EXPLAIN (FORMAT JSON) {sql}", *values)
            found |= dict.fromkeys(_read(row["QUERY PLAN"][0]["Plan"]))
    return list(found)


def _heard(question: Question, turn: int) -> list[tuple[str, tuple[Any, ...], float]]:
    """What a question asks of the database, each statement with its seconds."""
    from temper.store.control.postgresql import _Connection

    heard: list[tuple[str, tuple[Any, ...], float]] = []
    every = _Connection.all

    def listening(connection: Any, sql: str, *values: Any) -> Any:
        begun = time.perf_counter()
        found = every(connection, sql, *values)
        heard.append((sql, values, time.perf_counter() - begun))
        return found

    _Connection.all = listening  # type: ignore[method-assign]
    try:
        question(turn)
    finally:
        _Connection.all = every  # type: ignore[method-assign]
    return heard


def _read(plan: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in plan:
        yield plan["Index Name"]
    elif plan["Node Type"] in ("Seq Scan", "Parallel Seq Scan"):
        yield f"all of {plan['Relation Name']}"
    for below in plan.get("Plans", ()):
        yield from _read(below)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
