"""Windows beside a reference: false alarms without drift, equality with SciPy, and speed beside peers.

python -m bench.monitoring.drift [null|equal|speed ...] [--quick]
    null: [--pair 0 ...] [--from 0] [--runs 200] [--folder F]   in pieces, which a folder keeps

Peers live in environments of their own (`make watchers`); BENCH_EVIDENTLY, BENCH_NANNYML and BENCH_ALIBI name their
Pythons.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, table
from temper.core.room import Room
from temper.core.schema import Column, Mutability, Schema
from temper.core.watch import Seen, Watch
from temper.kernels import drift
from temper.kernels.cells import cells_of, tally
from temper.kernels.rate import wilson
from temper.monitoring.judged import judged
from temper.monitoring.reference import Reference, Window

ROOM = Room("temper.monitoring.drift")
ROOMS = (ROOM, Room("temper.monitoring.security"))
THRESHOLD = 0.97
LEVELS = (3, 8, 12, 30, 50, 100)
NUMBERS = 24
CATEGORY = np.arange(NUMBERS + len(LEVELS)) >= NUMBERS
PAIRS = ((100, 100), (1_000, 100), (1_000, 1_000), (20_000, 100), (20_000, 1_000), (20_000, 20_000), (100_000, 100_000))
PEERS = {"evidently": 50.0, "evidently-psi": 20.0, "nannyml": 10.0, "alibi": 2.0}
_VARIABLE = {"evidently": "BENCH_EVIDENTLY", "evidently-psi": "BENCH_EVIDENTLY", "nannyml": "BENCH_NANNYML"}


def schema() -> Schema:
    """Two dozen numbers and six categories of 3 to 100 levels."""
    numbers = [Column(name=f"n{at}") for at in range(NUMBERS)]
    codes = [Column(name=f"c{k}", type="category", categories=tuple(map(str, range(k)))) for k in LEVELS]
    return Schema(columns=(*numbers, *codes))


def rows(rng: np.random.Generator, n: int) -> Any:
    """Normal, lognormal, counted and bounded numbers; categories of falling shares; two gaps in a hundred."""
    x = np.empty((n, len(CATEGORY)))
    x[:, :8], x[:, 8:16] = rng.normal(size=(n, 8)), rng.lognormal(size=(n, 8))
    x[:, 16:20], x[:, 20:24] = rng.poisson((1, 3, 5, 10), (n, 4)), rng.beta(2, 5, (n, 4))
    for at, k in enumerate(LEVELS):
        shares = 1.0 / np.arange(1, k + 1)
        x[:, NUMBERS + at] = rng.choice(k, n, p=shares / shares.sum())
    x[rng.random(x.shape) < 0.02] = np.nan
    return x


def null(given: argparse.Namespace) -> None:
    """Without drift: all runs that are kept, after those that are asked for."""
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / "null.jsonl"
        for n, m in [PAIRS[at] for at in given.pair or range(4 if given.quick else len(PAIRS))]:
            repeats = 40 if given.quick else min(given.runs, 200 if n < 100_000 else 40)
            with kept.open("a", encoding="utf-8") as file:
                for turn in range(given.first, given.first + repeats):
                    file.write(json.dumps({"n": n, "m": m, "turn": turn, "found": _nothing(n, m, turn)}) + "\n")
        told = {(one["n"], one["m"], one["turn"]): one["found"] for one in map(json.loads, kept.open(encoding="utf-8"))}
    _shown(told)


def _nothing(n: int, m: int, turn: int) -> dict[str, list[float]]:
    """Of one table without drift and each comparison: the share of columns below .05, and whether Holm finds any."""
    rng = np.random.Generator(np.random.Philox(key=[turn, n + m]))
    kind = watched_schema()
    known = Reference.fit(scored(rows(rng, n)), kind, ("score",), threshold=THRESHOLD)
    window = Window.of(known, scored(rows(rng, m)), np.arange(m), np.arange(float(m)), np.arange(m) // 10)
    found = {}
    for room in ROOMS:
        for name in room.names():
            p = room.build(name).compare(window).p
            if len(p):
                found[name] = [float((p <= 0.05).mean()), float(p.min() <= 0.05 / len(p))]
    said = judged(window, Watch(feed="", time="at", score="score"), 0.0, 1.0)
    return found | {"all together (judged)": [float("nan"), float(said.seen is Seen.FAIL)]}


def watched_schema() -> Schema:
    """An attacker sets the numbers, and nobody the categories of three and eight levels."""
    columns = [
        replace(column, attacker=Mutability.IMMUTABLE if column.name in ("c3", "c8") else Mutability.FREE)
        for column in schema().columns
    ]
    return Schema(columns=tuple(columns))


def scored(x: Any) -> Any:
    """Rows with a score of all their numbers."""
    place = np.nan_to_num(x[:, :8]).sum(axis=1) + np.log(np.where(np.isnan(x[:, 8:16]), 1.0, x[:, 8:16])).sum(axis=1)
    return np.column_stack([x, 1.0 / (1.0 + np.exp(-place / 2.0))])


def _shown(told: dict[tuple[int, int, int], dict[str, list[float]]]) -> None:
    lines, lowest = [], []
    for n, m in PAIRS:
        mine = [found for (a, b, _), found in sorted(told.items()) if (a, b) == (n, m)]
        for name in sorted({name for found in mine for name in found}):
            shares, any_ = np.array([found[name] for found in mine if name in found]).T
            low, high = wilson(int(any_.sum()), len(any_), 0.9973)
            lowest.append(low)
            spread = 1.96 * shares.std() / np.sqrt(len(shares))
            columns = "" if np.isnan(shares).any() else f"{shares.mean():.3f} ± {spread:.3f}"
            is_ = "below" if high < 0.05 else "ABOVE" if low > 0.05 else "as chosen"
            tables = f"{any_.mean():.3f} [{low:.3f}, {high:.3f}]"
            lines.append((name, f"{n:,} / {m:,}", len(any_), columns, tables, is_))
    table(
        "false alarms without drift, .05 chosen; [ ]: 3 standard errors",
        ("comparison", "rows", "tables", "columns p <= .05", "tables with any (Holm)", "is"),
        lines,
    )
    if lowest:
        goal("tables with any, the lower end of the worst", max(lowest), 0.05, digits=3)


def equal(given: argparse.Namespace) -> None:
    """The largest differences from SciPy on the same values, every value a knot."""
    from scipy import stats
    from scipy.spatial.distance import jensenshannon

    rng = np.random.Generator(np.random.Philox(key=1))
    n = 5_000 if given.quick else 50_000
    a, b = (np.nan_to_num(rows(rng, n)).astype(np.float32) for _ in range(2))
    cells = cells_of(np.concatenate([a, b]), CATEGORY, most=4 * n)
    first, second = tally(cells, a), tally(cells, b)
    (distance, p), (area, _) = drift.ks(cells, first, second), drift.wasserstein(cells, first, second)
    ks = [stats.ks_2samp(a[:, at], b[:, at], method="asymp") for at in range(NUMBERS)]
    w1 = [stats.wasserstein_distance(*(x[:, at].astype(float) for x in (a, b))) for at in range(NUMBERS)]
    kinds = list(enumerate(LEVELS, NUMBERS))
    shares = [[np.bincount(x[:, at].astype(int), minlength=k) / n for x in (a, b)] for at, k in kinds]
    js = drift.jensen_shannon(cells, first, second)[0][NUMBERS:]
    apart = {
        "Kolmogorov-Smirnov distance": np.abs(distance[:NUMBERS] - [one.statistic for one in ks]).max(),
        "its p, relative": np.abs(p[:NUMBERS] / [one.pvalue for one in ks] - 1.0).max(),
        "Wasserstein distance, relative": np.abs(area[:NUMBERS] / w1 - 1.0).max(),
        "Jensen-Shannon distance of categories": np.abs(js - [jensenshannon(*one, base=2) for one in shares]).max(),
    }
    shown = [(name, f"{value:.1e}") for name, value in apart.items()]
    table(f"{n:,} + {n:,} rows x 30", ("statistic", "largest difference from SciPy"), shown)
    p_apart = apart.pop("its p, relative")
    goal("largest difference of a statistic, in 1e-12", 1e12 * max(apart.values()), 1.0)
    goal("largest relative difference of a p, in 1e-6", 1e6 * p_apart, 1.0, digits=6)


def speed(given: argparse.Namespace) -> None:
    """All comparisons but the joint one, of 100,000 + 100,000 rows, beside peers on the same tables."""
    n = 20_000 if given.quick else 100_000
    rng = np.random.Generator(np.random.Philox(key=2))
    reference, current = rows(rng, n), rows(rng, n)
    began = time.process_time()
    known = Reference.fit(reference, schema())
    fitted = time.process_time() - began
    names, seconds = [name for name in ROOM.names() if name != "joint"], []
    for _ in range(5):
        began = time.process_time()
        window = Window.of(known, current, np.arange(n))
        for name in names:
            ROOM.build(name).compare(window)
        seconds.append(time.process_time() - began)
    ours = min(seconds)
    lines = [("temper, seven comparisons", f"{ours:.3f}", "", "")]
    lines.append(("temper, its reference once", f"{fitted:.3f}", "", ""))
    for peer, wanted in PEERS.items():
        python = os.environ.get(_VARIABLE.get(peer, "BENCH_ALIBI"), "")
        taken = _peer(python, peer, np.nan_to_num(reference), np.nan_to_num(current)) if python else float("nan")
        told = (f"{taken:.2f}", f"{taken / ours:.1f}", f"{wanted:g}") if python else ("not here", "", "")
        lines.append((peer, *told))
    table(f"{n:,} + {n:,} rows x 30", ("tool", "processor s, least of runs", "times ours", "goal"), lines)


def _peer(python: str, name: str, reference: Any, current: Any) -> float:
    """Tables without gaps, which some of them refuse."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = f"{folder}/in.npz", f"{folder}/out.json"
        np.savez(given, reference=reference, current=current, category=CATEGORY)
        script = str(Path(__file__).with_name("_peers.py"))
        subprocess.run([python, script, name, given, made], check=True, stdout=subprocess.DEVNULL)
        return float(min(json.loads(Path(made).read_text(encoding="utf-8"))["seconds"]))


PARTS = {"null": null, "equal": equal, "speed": speed}


def main(words: list[str]) -> None:
    """The parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="bench.monitoring.drift")
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pair", nargs="*", type=int)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args(words)
    print(machine("numpy", "scipy"))
    for name in given.parts or PARTS:
        print(f"\n## {name}\n")
        PARTS[name](given)


if __name__ == "__main__":
    main(sys.argv[1:])
