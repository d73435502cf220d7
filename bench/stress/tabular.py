"""Stress of tables: what a corruption costs beside a prediction, whether what was planted is found and nothing else.

    python -m bench.stress.tabular [--quick | --full] [overhead] [column] [pair] [corruption] [sound] [real] [peer]

Overhead: 20,000 x 24 rows against LightGBM and XGBoost on them, one core. Planted: models that lean on one column, on
two, or that break under one corruption, each a seeded trial with other weights; a sound twin's scores follow nothing.
All of these are SIMULATED. Real tables where TEMPER_DATA is set. The peer is jenga, last released in 2021, in an
environment of its own: BENCH_JENGA names its python.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.stress._weak_tables import SIZES, around, fragile, leaning
from bench.table import goal, machine, median, table
from temper.core.data import Data
from temper.core.measure import Measurement
from temper.core.room import Room
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import ScoreKind
from temper.engine.plan import plan
from temper.engine.rooms.stress import run
from temper.engine.run_task import execute
from temper.engine.task import Task, World
from temper.kernels.rate import clopper_pearson
from temper.report.stressed import ranked
from temper.stress._drop import Yardstick
from temper.targets import open_target

ROWS, COLUMNS = 20_000, 24
ROOM = Room("temper.stress")
NULLS = ("missing", "sentinel", "stale", "noise", "swapped")


def main(words: list[str]) -> int:
    """Print overheads, planted weaknesses, the sound twin, real tables and the peer."""
    print(machine("numpy", "scikit-learn", "xgboost-cpu", "lightgbm"))
    trials = 10 if "--quick" in words else 100
    folder = os.environ.get("TEMPER_DATA")
    parts: dict[str, Callable[[], None]] = {
        "overhead": lambda: overhead(3 if "--quick" in words else 15),
        "column": lambda: column(trials),
        "pair": lambda: pair(trials),
        "corruption": lambda: corruption(trials),
        "sound": lambda: sound(4 * trials),
        "real": lambda: real(Path(folder)) if folder else print("\nreal tables: set TEMPER_DATA"),
        "peer": peer,
    }
    for name in [word for word in words if word in parts] or parts:
        parts[name]()
    return 0


# -- overhead -------------------------------------------------------------------------------------------------------


def _rows(seed: int = 0) -> tuple[Any, Any, Schema]:
    rng = np.random.default_rng(seed)
    x = rng.lognormal(size=(ROWS, COLUMNS))
    x[:, 18:22] = rng.integers(0, 6, (ROWS, 4))
    x[:, 22], x[:, 23] = rng.integers(0, 24, ROWS), rng.integers(0, 2, ROWS)
    y = (np.log(x[:, :6]).sum(axis=1) + (x[:, 18] > 2) + rng.logistic(size=ROWS) > 1).astype(int)
    kinds = tuple(f"kind {letter}" for letter in "abcdef")
    coded = [Column(name=f"k{i}", type="category", categories=kinds) for i in range(4)]
    numbers = [Column(name=f"n{i}", scale=float(x[:, i].std())) for i in range(18)]
    last = [Column(name="hour", type="integer", low=0, high=23, scale=7), Column(name="flag", type="boolean")]
    return x, y, Schema(columns=(*numbers, *coded, *last))


def _seconds(work: Callable[[], Any], repeats: int) -> list[float]:
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return found


def overhead(repeats: int) -> None:
    """Milliseconds of one corruption of all columns beside one prediction of the same rows."""
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier

    x, y, schema = _rows()
    light = open_target(LGBMClassifier(n_estimators=300, num_leaves=31, n_jobs=1, verbose=-1).fit(x, y))
    trees = open_target(XGBClassifier(n_estimators=300, max_depth=6, n_jobs=1).fit(x, y))
    lines, all_columns, asked = [], [], []
    for name in (name for name in ROOM.names() if "." not in name):
        stressor = replace(ROOM.build(name, {}), schema=schema)
        draws = Draws(0, "bench", np.arange(ROWS))
        beside = [median(_seconds(lambda m=m: m.scores(x), 3)).value for m in (light, trees)]  # type: ignore[misc]
        took = median(_seconds(lambda s=stressor, d=draws: s.apply(x, 3, d), repeats))  # type: ignore[misc]
        shares = [100 * took.value / cost for cost in beside]
        lines.append([name, f"{1e3 * took.value:.2f} [{1e3 * took.low:.2f}, {1e3 * took.high:.2f}]", *_two(shares)])
        all_columns.append(shares[0])
        asked.append(beside)
    told = [f"{1e3 * low:.0f} to {1e3 * high:.0f}" for low, high in zip(*_span(asked), strict=True)]
    title = f"a corruption of {ROWS:,} x {COLUMNS}, processor ms (LightGBM answers in {told[0]}, XGBoost in {told[1]}"
    table(f"{title}, asked anew beside each)", ["stressor", "ms", "% of LightGBM", "% of XGBoost"], lines)
    goal("mean overhead of a corruption beside LightGBM", float(np.mean(all_columns)), 2.0, "%")
    goal("largest overhead of a corruption beside LightGBM", max(all_columns), 2.0, "%")


def _span(asked: Sequence[Sequence[float]]) -> tuple[Any, Any]:
    return np.min(asked, axis=0), np.max(asked, axis=0)


def _two(shares: Sequence[float]) -> list[str]:
    return [f"{share:.2f}" for share in shares]


# -- what was planted -----------------------------------------------------------------------------------------------


def _plain(count: int) -> list[Column]:
    return [Column(name=f"c{i}") for i in range(count)]


def _measured(world: World, plugin: str) -> tuple[Measurement, ...]:
    return run(Task(room="stress", plugin=plugin, sizes=SIZES, seed=world.seed), world).measurements


def _of(world: World, plugin: str, metric: str) -> Measurement | None:
    return next((m for m in _measured(world, plugin) if m.metric == metric and m.value is not None), None)


def _worst_in_truth(seed: int) -> str:
    """The stressor that costs most at severity 3 on 20,000 other rows: no interval, no engine."""
    world, _ = fragile(seed, 20_000, draw=1)
    system, yardstick = world.system, Yardstick.of(ScoreKind.MARGIN, 2)
    left = {}
    for name in _plain_names():
        stressor = replace(ROOM.build(name, {}), schema=system.schema)
        stressed = stressor.apply(system.data.x, 3, Draws(seed, f"truth {name}", np.arange(20_000)))
        left[name] = yardstick.figure(system.data.y, system.target.scores(stressed))
    return min(left, key=left.__getitem__)


def _plain_names() -> list[str]:
    return [n for n in ROOM.names() if "." not in n and not n.startswith(("category", "clock", "combined"))]


def column(trials: int) -> None:
    """How often the one column a model leans on is the worst column."""
    hits = 0
    for seed in range(trials):
        world, strong = leaning(seed, 1)
        worst = _of(world, "noise", "worst_column_loss")
        hits += worst is not None and worst.slice == f"column:{strong[0]}"
    _found("weak column", hits, trials)
    goal("planted weak column first, of 100", 100 * hits / trials, 95, at_least=True)


def pair(trials: int) -> None:
    """How often the two columns a model leans on are the worst combination."""
    hits = 0
    for seed in range(trials):
        world, strong = leaning(1_000 + seed, 2)
        raced = _measured(world, "combined")[0]
        hits += all(f" of {name} " in f"{raced.slice} " for name in strong)
    _found("weak pair of columns", hits, trials)


def corruption(trials: int) -> None:
    """How often the corruption a model trips over comes first, as the report ranks it, and is the worst in truth."""
    hits, true = 0, 0
    for seed in range(trials):
        world, guilty = fragile(seed)
        first = ranked(m for name in _plain_names() for m in _measured(world, name))[0]
        hits += first.plugin.removeprefix("stress.") in guilty
        true += _worst_in_truth(seed) in guilty
    _found("weak corruption", hits, trials)
    print(f"what was planted is the worst on 20,000 other rows in {true} of {trials}")
    goal("planted weak corruption first, of 100", 100 * hits / trials, 95, at_least=True)


def _found(what: str, hits: int, trials: int) -> None:
    lines = [[what, f"{hits} of {trials}", _ends(hits, trials)]]
    table("planted and ranked first (SIMULATED)", ["what", "found", "95 %"], lines)


def sound(trials: int) -> None:
    """How often a model whose scores follow nothing is said to lose anything."""
    sure, told, tried = dict.fromkeys(("loss", "worst column", "worst combination"), 0), 0, dict.fromkeys(range(3), 0)
    for seed in range(trials):
        rng = np.random.default_rng(10_000 + seed)
        weights, x = rng.normal(size=8), rng.normal(size=(1_500, 8))
        world = around(
            lambda x, w=weights: np.nan_to_num(x) @ w, x, rng.integers(0, 2, len(x)), _plain(8), seed
        )  # fmt: skip
        plugin = NULLS[seed % len(NULLS)]
        part = run(Task(room="stress", plugin=plugin, sizes=SIZES, seed=seed), world)
        raced = run(Task(room="stress", plugin="combined", sizes=SIZES, seed=seed), world) if seed % 4 == 0 else None
        found = [*part.measurements, *(raced.measurements if raced else ())]
        for at, (what, metric) in enumerate(
            zip(sure, ("loss", "worst_column_loss", "worst_combination_loss"), strict=True)
        ):
            for m in (m for m in found if m.metric == metric):
                tried[at] += 1
                sure[what] += m.low is not None and m.low > 0
        told += bool(part.findings) + bool(raced and raced.findings)
    lines = [
        [what, f"{hit} of {n}", _ends(hit, n), "2.5 %"]
        for (what, hit), n in zip(sure.items(), tried.values(), strict=True)
    ]
    lines.append(["findings", f"{told} of {trials}", _ends(told, trials), "-"])
    table(
        "a sound twin: scores that follow nothing (SIMULATED)", ["said to lose", "how often", "95 %", "nominal"], lines
    )


def _ends(hit: int, n: int) -> str:
    low, high = clopper_pearson(hit, n, 0.95)
    return f"[{100 * low:.1f}, {100 * high:.1f}] %"


# -- real tables and the peer ---------------------------------------------------------------------------------------


def real(folder: Path) -> None:
    """`temper stress` on real tables: processor seconds, and what hurts most."""
    from xgboost import XGBClassifier

    from bench.poisoning.detection import _table

    lines = []
    for name in ("adult", "credit"):
        x, y, schema = _table(folder, name)
        order = np.random.default_rng(0).permutation(len(x))
        train, test = order[: len(x) // 2], order[len(x) // 2 :]
        model = open_target(
            XGBClassifier(n_estimators=200, max_depth=6, n_jobs=1).fit(x[train], y[train]), schema=schema
        )
        system = Protected(name=name, target=model, data=Data(x=x[test], y=y[test]), schema=schema, threshold=0.5)
        for suite in ("quick", "standard"):
            planned = plan(system, suite, ["stress"], 0)
            start = time.process_time()
            parts = [execute(task, planned.world) for task in planned.tasks]
            took = time.process_time() - start
            worst = max(
                (m for p in parts for m in p.measurements if m.metric == "loss" and m.value is not None), key=_value
            )
            pair = next(m for p in parts for m in p.measurements if m.metric == "worst_combination_loss")
            asked = sum(part.queries for part in parts)
            lines.append(
                [f"{name}, {suite}", f"{took:.1f}", f"{asked:,}", _said(worst), f"{pair.slice}: {_said(pair)}"]
            )
    table("real tables (REAL), XGBoost 200 x 6", ["table, suite", "cpu s", "rows asked", "worst at 3", "pair"], lines)


def _value(m: Measurement) -> float:
    return m.value or 0.0


def _said(m: Measurement) -> str:
    name = m.plugin.removeprefix("stress.")
    return f"{name} {m.value:.3f} [{m.low:.3f}, {m.high:.3f}]"


PEER = """
import sys, time, types
import numpy as np, pandas as pd
from jenga.corruptions.generic import MissingValues, SwappedValues
from jenga.corruptions.numerical import GaussianNoise, Scaling
x = np.random.default_rng(0).lognormal(size=(20000, 24))
frame = pd.DataFrame(x, columns=[f"n{i}" for i in range(24)])
for name, make in (
    ("missing", lambda c: MissingValues(c, .1, missingness="MCAR")),
    ("noise", lambda c: GaussianNoise(c, .1)),
    ("unit_error", lambda c: Scaling(c, .05)),
    ("category_swap", lambda c: SwappedValues(c, .1)),
):
    best = 1e9
    for _ in range(5):
        start = time.process_time()
        out = frame
        for column in frame.columns:
            out = make(column).transform(out)
        best = min(best, time.process_time() - start)
    print(name, best)
"""


def peer() -> None:
    """jenga's corruptions that both have, over all 24 columns of the same shape."""
    python = os.environ.get("BENCH_JENGA", "")
    if not python:
        print("\njenga: not measured, BENCH_JENGA names no environment with it")
        return
    done = subprocess.run([python, "-c", PEER], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"\njenga: cannot be run here: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        return
    x, _, schema = _rows()
    numbers = Schema(columns=tuple(Column(name=f"n{i}") for i in range(COLUMNS)))
    lines = []
    for line in done.stdout.splitlines():
        name, seconds = line.split()
        of = schema if name == "category_swap" else numbers
        stressor = replace(ROOM.build(name, {}), schema=of)
        own = min(_seconds(lambda s=stressor: s.apply(x, 3, Draws(0, "bench", np.arange(ROWS))), 5))  # type: ignore[misc]
        lines.append([name, f"{1e3 * own:.2f}", f"{1e3 * float(seconds):.1f}", f"{float(seconds) / own:.1f}x"])
    table("against jenga, all columns, processor ms", ["corruption", "temper", "jenga", "ratio"], lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
