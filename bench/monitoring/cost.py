"""What watching costs: from the start of a process to JSON, a row, three million rows of 300 columns, many days.

python -m bench.monitoring.cost [start|rows|memory|backfill ...] [--quick]

start     one window of 100,000 rows x 30: what judges it alone, and the whole command `temper monitor check`, with a
          model that is a function and with one of LightGBM, whose import brings scikit-learn
rows      a row by itself, in a batch, and among 500 rows that are strange, by each detector of rows that a gateway asks
memory    a file that is larger than the memory it may take
backfill  a feed of many files by one process and by two
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.monitoring.drift import LEVELS, NUMBERS, rows, schema
from bench.table import MEDIANS, goal, machine, median, table
from temper.core.room import Room
from temper.core.schema import Column, Schema
from temper.core.watch import Watch
from temper.monitoring.counted import Counting, Held
from temper.monitoring.feed import files_of
from temper.monitoring.judged import judged
from temper.monitoring.kept import keep, read
from temper.monitoring.reference import Reference

JUDGES = (
    "import sys, json, numpy as np\n"
    "from temper.monitoring.kept import read\nfrom temper.monitoring.judged import judged\n"
    "from temper.monitoring.reference import Window\nfrom temper.core.watch import Watch\n"
    "from temper.report.watched import document\n"
    "known, _ = read(__import__('pathlib').Path(sys.argv[1]))\n"
    "x = np.load(sys.argv[2])['x']\n"
    "window = Window.of(known, x, np.arange(len(x)))\n"
    "print(json.dumps(document([judged(window, Watch(feed='', time=''), 0.0, 1.0)])))"
)
MODEL = "import numpy as np\n\n\ndef score(x):\n    return 1.0 / (1.0 + np.exp(-np.nan_to_num(x[:, 0])))\n"
MODELS = {
    "a function": '{callable: "model.py:score", kind: probabilities, version: "1"}',
    "LightGBM": "{path: model.txt}",
}


def start(quick: bool) -> None:
    """Wall and processor time of processes that begin with nothing and end with what they say, as JSON."""
    n, rng = 20_000 if quick else 100_000, np.random.Generator(np.random.Philox(key=3))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        keep(Reference.fit(rows(rng, n), schema()), folder / "reference.npz")
        np.savez(folder / "x.npz", x=rows(rng, n))
        _described(folder, rng, n)
        check = [sys.executable, "-m", "temper.cli", "monitor", "check", "day.parquet", "--json"]
        ways = {"judging, arrays": [sys.executable, "-c", JUDGES, "reference.npz", "x.npz"]}
        ways |= {f"temper monitor check, {name}": [*check, "--config", f"{name.split()[-1]}.yaml"] for name in MODELS}
        ways["temper --help"] = [sys.executable, "-m", "temper.cli", "--help"]
        lines, wall = [], {}
        for name, command in ways.items():
            taken = [_ran(command, folder) for _ in range(4 if quick else 6)][1:]
            wall[name] = min(one for one, _ in taken)
            medians = (median([one[at] for one in taken]).show(2) for at in (0, 1))
            lines.append((name, len(taken), f"{wall[name]:.2f}", *medians))
        size = (folder / "reference.npz").stat().st_size / 1e3
    columns = ("process", "n", "wall s, least", "wall s, median", "processor s, median")
    table(f"{n:,} rows x 30 to JSON, a reference of {size:,.0f} kB; {MEDIANS}", columns, lines)
    goal("process start to JSON", wall["judging, arrays"], 1.0, "s")
    goal("the whole command, a function", wall["temper monitor check, a function"], 1.0, "s")
    goal("the whole command, LightGBM", wall["temper monitor check, LightGBM"], 1.0, "s")


def _described(folder: Path, rng: np.random.Generator, n: int) -> None:
    """A system for each model, the rows of its assessment, and a file to check; each is read once to begin with."""
    import lightgbm as lgb

    known, kind = rows(rng, 20_000), schema()
    y = (np.nan_to_num(known[:, 0]) + rng.normal(size=len(known)) > 1.5).astype(int)
    booster = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(known, y), num_boost_round=20)
    booster.save_model(folder / "model.txt")
    (folder / "model.py").write_text(MODEL, encoding="utf-8")
    _written(known, kind, 0, folder / "known.parquet", y=y)
    _written(rows(rng, n), kind, 0, folder / "day.parquet")
    columns = [f"    n{at}: {{type: number, missing: true}}" for at in range(NUMBERS)]
    columns += [
        f"    c{k}: {{type: category, missing: true, categories: [{', '.join(repr(str(one)) for one in range(k))}]}}"
        for k in LEVELS
    ]
    for name, model in MODELS.items():
        lines = (
            "system: {name: bench, simulated: true}",
            f"model: {model}",
            "data: {test: known.parquet, target: y, id: id, drop: [at]}",
            "monitor: {feed: day.parquet, time: at, id: id}",
            "schema:\n  columns:",
            *columns,
        )
        config = folder / f"{name.split()[-1]}.yaml"
        config.write_text("\n".join(lines), encoding="utf-8")
        _ran([sys.executable, "-m", "temper.cli", "monitor", "check", "day.parquet", "--config", str(config)], folder)


def _ran(command: list[str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of a process; one that fails is no figure."""
    # As installed code has it: bytecode of the run before is there, whatever this shell says.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    taken, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"{' '.join(command[1:4])} ended with {done.returncode}: {done.stderr[-800:]}")
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def one_by_one(quick: bool) -> None:
    """Microseconds of each detector of rows, and how far a score depends on the rows beside it (pyod's does)."""
    rng = np.random.Generator(np.random.Philox(key=6))
    known, batch = rows(rng, 20_000), rows(rng, 2_000 if quick else 10_000)
    strange = rows(rng, 500) + np.where(np.arange(known.shape[1]) < NUMBERS, 3.0, 0.0)
    detectors, lines, worst = Room("temper.detectors"), [], {"alone": 0.0, "batch": 0.0, "apart": 0.0}
    for name in ("input.ecod", "input.mahalanobis", "input.missing"):
        watch = detectors.build(name)
        state = watch.fit(known, schema())
        single = np.ascontiguousarray(batch[:1])
        alone = [_each(lambda: watch.step(state, single), 1_000) for _ in range(5)]  # noqa: B023
        many = [_each(lambda: watch.step(state, batch), 3) / len(batch) for _ in range(5)]  # noqa: B023
        together = watch.step(state, batch)[1].values[:500]
        by_itself = np.concatenate([watch.step(state, batch[at : at + 1])[1].values for at in range(500)])
        among = watch.step(state, np.concatenate([strange, batch[:500]]))[1].values[500:]
        apart = max(float(np.abs(one - by_itself).max()) for one in (together, among))
        worst = {
            "alone": max(worst["alone"], median(alone).value),
            "batch": max(worst["batch"], median(many).value),
            "apart": max(worst["apart"], apart),
        }
        lines.append((name, median(alone).show(1), median(many).show(2), f"{apart:g}"))
    columns = ("detector", "a row alone, us", f"a row of {len(batch):,}, us", "its score differs by at most")
    table(f"20,000 rows of reference x {known.shape[1]}; processor time; n 5; {MEDIANS}", columns, lines)
    goal("a single row", worst["alone"], 50.0, "us")
    goal("a row in a batch", worst["batch"], 10.0, "us")
    goal("score of a row alone less that in a batch", worst["apart"], 1e-300, digits=0)


def _each(call: Callable[[], object], times: int) -> float:
    """Microseconds of processor time a call, after one to warm up."""
    call()
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) / times * 1e6


def memory(quick: bool) -> None:
    """A file of three million rows of 300 columns, read, counted and judged by a process of its own."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns, parts, each = 300, 6 if quick else 60, 50_000
    rng = np.random.Generator(np.random.Philox(key=4))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        keep(Reference.fit(rng.normal(size=(20_000, columns)), _numbers(columns)), folder / "reference.npz")
        writer = None
        for at in range(parts):
            x = rng.standard_normal((each, columns), dtype=np.float32)
            arrays = {name: x[:, column] for column, name in enumerate(_numbers(columns).names)}
            part = pa.table({**arrays, "at": np.zeros(each), "id": np.arange(at * each, (at + 1) * each)})
            writer = writer or pq.ParquetWriter(folder / "feed.parquet", part.schema, compression="none")
            writer.write_table(part)
        assert writer is not None
        writer.close()
        size = (folder / "feed.parquet").stat().st_size / 2**30
        command = [sys.executable, "-m", "bench.monitoring.cost", "--counts", made]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    print(f"{told[0]} rows x {columns}, a file of {size:.1f} GiB: {float(told[1]):.0f} s of processor time")
    goal("memory", float(told[2]), 2.0, "GiB")


def _numbers(columns: int) -> Schema:
    return Schema(columns=tuple(Column(name=f"x{at}") for at in range(columns)))


def _counts(folder: Path) -> None:
    """What a process of its own needs for a file: rows, seconds and the largest resident size in GiB."""
    known, _ = read(folder / "reference.npz")
    counting = Counting(
        watch=Watch(feed=str(folder), time="at", id="id"),
        schema=_numbers(len(known.cells)),
        reference=known,
        known=frozenset(),
        now=10 * 86_400.0,
        keeps=False,
    )
    (held,) = counting.file(folder / "feed.parquet").held.values()
    said = judged(held.whole, counting.watch, 0.0, 86_400.0)
    print(said.rows, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def backfill(quick: bool) -> None:
    """A feed of a file for each day, counted here and by two processes; then judged, which is done here."""
    from temper.engine.spread import spread

    days, each = (12, 5_000) if quick else (60, 50_000)
    rng, kind = np.random.Generator(np.random.Philox(key=5)), schema()
    with tempfile.TemporaryDirectory() as folder:
        for day in range(days):
            _written(rows(rng, each), kind, day, Path(folder) / f"{day:03}.parquet")
        how = Counting(
            watch=Watch(feed=folder, time="at", id="id"),
            schema=kind,
            reference=Reference.fit(rows(rng, 20_000), kind),
            known=frozenset(),
            now=days * 86_400.0,
            keeps=False,
        )
        lines, counts = [], []
        for name, way in (("serial", spread("serial")), ("2 processes", spread("processes", workers=2))):
            held, began = dict[float, Held](), time.perf_counter()
            for piece in way(how.file, files_of(how.watch)):
                how.merge(held, piece)
            lines.append((name, days, each, f"{time.perf_counter() - began:.1f}"))
            counts.append([held[start].whole.tally.counts.tobytes() for start in sorted(held)])
        began = time.perf_counter()
        for start in sorted(held):
            judged(held[start].whole, how.watch, start, start + 86_400.0)
        lines.append(("judging, in one process", days, each, f"{time.perf_counter() - began:.1f}"))
    table("windows of many files", ("", "files", "rows each, x 30", "seconds"), lines)
    print("the same counts:", counts[0] == counts[1])


def _written(x: Any, kind: Schema, day: int, path: Path, **more: Any) -> None:
    """Rows of a day as a caller writes them down."""
    import pandas as pd

    frame = pd.DataFrame(x, columns=list(kind.names))
    for name in kind.names[NUMBERS:]:
        frame[name] = frame[name].map(lambda code: None if np.isnan(code) else str(int(code)))
    frame["at"], frame["id"] = day * 86_400.0 + np.arange(len(x)) % 86_400, day * len(x) + np.arange(len(x))
    frame.assign(**more).to_parquet(path)


PARTS = {"start": start, "rows": one_by_one, "memory": memory, "backfill": backfill}


def main(words: list[str]) -> None:
    """The parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="bench.monitoring.cost")
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--counts", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.counts:
        _counts(given.counts)
        return
    print(machine("numpy", "scipy"))
    for name in given.parts or PARTS:
        print(f"\n## {name}\n")
        PARTS[name](given.quick)


if __name__ == "__main__":
    main(sys.argv[1:])
