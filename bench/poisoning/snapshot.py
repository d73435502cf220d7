"""New training rows held against an accepted table: stamps found, false alarms, what drift does, and a refit.

    TEMPER_DATA=PATH python -m bench.poisoning.snapshot [--quick | --full]

A fifth of each table is new (drawn at random; of the fraud demo the last days, so that it drifts), and stamped rows are
among the new ones: `clean_label_trigger` (no label is wrong), `in_bounds_trigger` and `jittered_trigger` at .25 and 1 %
of the table; `--full`: .25, .5, 1 and 2 %, three triggers. Adult and credit (REAL), and two SIMULATED frauds (the
demo's and the held-out make). Peers on the same new rows, cut at 1 % of the clean ones, which takes knowing them: an
isolation forest and the distance to the fifth neighbour, both fitted on accepted rows, and the cross-fitted scores of a
classifier two-sample test; exact duplicates have no cut. "In over-full boxes": the share of stamped and of clean new
rows that the check shows, accused or not. False alarms: two halves of a clean table. Drift: REAL and simulated tables
split by time or by group. Refit: five fits each, on rows in another order. `--quick`: credit alone.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.poisoning._refits import COLUMNS, compared, fitted
from bench.poisoning.detection import _clean_tables, _schema, _table
from bench.table import goal, machine, table
from temper.attacks.poisoning.clean_label_trigger import CleanLabelTrigger
from temper.attacks.poisoning.in_bounds_trigger import InBoundsTrigger
from temper.attacks.poisoning.jittered_trigger import JitteredTrigger
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.judges._pooled import area
from temper.kernels.rate import clopper_pearson
from temper.kernels.since_accepted import since_accepted
from temper.kernels.two_sample import two_sample
from temper.targets import open_target

Rows = Any
NEW, NOMINAL = 0.2, 1e-3
KINDS: dict[str, Any] = {"clean label": CleanLabelTrigger, "in bounds": InBoundsTrigger, "jittered": JitteredTrigger}


def main(words: list[str]) -> int:
    """Print the four tables and the goals."""
    print(machine("numpy", "scikit-learn", "xgboost-cpu"))
    if not (folder := os.environ.get("TEMPER_DATA")):
        print("no data: set TEMPER_DATA")
        return 1
    quick, full = "--quick" in words, "--full" in words
    names = ["credit"] if quick else ["adult", "credit", "fraud", "held-out fraud"]
    rates, picks = ((0.0025, 0.005, 0.01, 0.02), 3) if full else ((0.0025, 0.01), 1)
    lines, found, cures = [], [], []
    for name in names:
        x, y, schema = _table(Path(folder), name)
        base = Data(x=x, y=y)
        for kind in KINDS:
            for rate in rates:
                line, tpr = _power(name, base, schema, kind, rate, picks)
                lines.append(line)
                found += [tpr] if rate <= 0.01 else []
        cures += _cured(name, base, schema)
    shown = ["in over-full boxes", "forest", "kNN", "two-sample", "repeats TPR / FPR", "s"]
    columns = ["table, stamp", "rate", "TPR", "FPR", *shown]
    table(f"stamps among new rows, {NEW:.0%} of the table new; peers at 1 % of clean new rows", columns, lines)
    table("clean-label trigger, 2 %, cured by quarantine: stamped rows of class 1 let through", COLUMNS, cures)
    _alarms(Path(folder), quick, 10 if full else 3)
    _drifts(Path(folder), quick)
    goal(
        "mean TPR at no more than 1 % FPR, stamps on 1 % of the table or less",
        float(np.mean(found)),
        0.9,
        at_least=True,
    )
    return 0


def _split(base: Data, seed: int, name: str) -> Data:
    """The accepted part of a table."""
    if name == "fraud":
        return base.take(np.arange(int((1.0 - NEW) * len(base))))
    return base.take(np.flatnonzero(Draws(seed, "accepted").generator().random(len(base)) >= NEW))


def _poisoned(base: Data, schema: Schema, kind: str, rate: float, pick: int) -> Any:
    """The table with stamped rows beside it, as the attack makes it."""
    target = open_target(fitted(base.x, base.y)) if kind == "clean label" else None
    scene = Scene(x=base.x[:5], y=base.y[:5], ids=base.ids[:5], schema=schema, train=base, target=target)
    return KINDS[kind](share=rate, pick=pick).run(None, scene, Draws(pick, "bench"))


def _power(name: str, base: Data, schema: Schema, kind: str, rate: float, picks: int) -> tuple[list[str], float]:
    hits = np.zeros((2, 2), dtype=int)  # poison, clean; accused, all
    peers, repeats, shown, spent = [], [], [], 0.0
    for pick in range(picks):
        accepted, made = _split(base, pick, name), _poisoned(base, schema, kind, rate, pick).data
        started = time.process_time()
        seen = since_accepted(made, accepted, schema, Draws(pick, "bench"))
        spent += time.process_time() - started
        fresh = np.flatnonzero(seen.diff.new)
        poison, accused = fresh >= len(base), seen.accused[fresh]
        hits += [[int(accused[mask].sum()), int(mask.sum())] for mask in (poison, ~poison)]
        shown.append([float(seen.over_full[fresh][mask].mean()) for mask in (poison, ~poison)])
        rows = made.take(fresh)
        peers.append([_at_nominal(score, poison) for score in _scores(rows, accepted)])
        twice = _repeats(rows)
        repeats.append([float(twice[mask].mean()) for mask in (poison, ~poison)])
    both = [f"{k / n:.4f} [{low:.4f}, {high:.4f}]" for k, n in hits for low, high in [clopper_pearson(k, n)]]
    cut = [f"{value:.3f}" for value in np.mean(peers, axis=0)]
    pairs = ["{:.2f} / {:.3f}".format(*np.mean(one, axis=0)) for one in (shown, repeats)]
    line = [f"{name}, {kind}", f"{rate:.2%}", *both, pairs[0], *cut, pairs[1]]
    print(" ".join(line), flush=True)
    return [*line, f"{spent / picks:.1f}"], hits[0][0] / hits[0][1]


def _scores(rows: Data, accepted: Data) -> Iterator[Rows]:
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import NearestNeighbors

    held, x = np.nan_to_num(accepted.x), np.nan_to_num(rows.x)
    yield -np.asarray(IsolationForest(random_state=0).fit(held).score_samples(x))
    some = Draws(0, "near").generator().permutation(len(held))[:10_000]
    scale = np.maximum(held.std(axis=0), 1e-9)
    near = NearestNeighbors(n_neighbors=5).fit(held[some] / scale)
    yield np.asarray(near.kneighbors(x / scale)[0][:, -1])
    yield two_sample(rows, accepted, 0).scores[: len(rows)]


def _repeats(rows: Data) -> Rows:
    _, of, count = np.unique(rows.x, axis=0, return_inverse=True, return_counts=True)
    return count[of.ravel()] > 1


def _at_nominal(score: Rows, poison: Rows) -> float:
    return float((score[poison] > np.quantile(score[~poison], 0.99)).mean())


def _cured(name: str, base: Data, schema: Schema) -> list[list[str]]:
    """Stamped rows of class 1 that clean, poisoned and cured models let through, on a third of the rows."""
    order = Draws(0, "cure").generator().permutation(len(base))
    held, train = base.take(np.sort(order[: len(base) // 3])), base.take(np.sort(order[len(base) // 3 :]))
    made = _poisoned(train, schema, "clean label", 0.02, 1)
    seen = since_accepted(made.data, _split(train, 1, name), schema, Draws(0, "bench"))
    probe = made.trigger.stamp(held.x[held.y == 1])
    lines = []
    for what, gone in (("over-full boxes", seen.over_full | seen.accused), ("accused alone", seen.accused)):
        kept = made.data.take(np.flatnonzero(~gone))
        lines.append(compared(f"{name}, without {what}", (train, made.data, kept), held, probe))
    return lines


def _alarms(folder: Path, quick: bool, repeats: int) -> None:
    """Two halves of a clean table: how often anybody is accused, and how often any box is over-full at all."""
    alarms = boxes = runs = 0
    for name, x, y, unordered in _clean_tables(folder, quick):
        schema, base = (
            _schema(x, [f"c{at}" for at in range(x.shape[1])], set(np.flatnonzero(unordered))),
            Data(x=x, y=y),
        )
        seen = []
        for seed in range(repeats):
            half = np.flatnonzero(Draws(seed, "halves").generator().random(len(x)) < 0.5)
            seen.append(since_accepted(base, base.take(half), schema, Draws(seed, "bench")))
        hit = [int(one.accused.any()) for one in seen]
        print(f"two halves of {name} ({len(x):,} rows): {sum(hit)} of {repeats} searches accuse somebody", flush=True)
        alarms, boxes, runs = alarms + sum(hit), boxes + sum(bool(one.boxes) for one in seen), runs + repeats
    for what, count in (("accuse somebody", alarms), ("find an over-full box", boxes)):
        low, high = clopper_pearson(count, runs)
        print(f"two halves: {count} of {runs} searches {what} [{low:.3f}, {high:.3f}], nominal {NOMINAL:g}")


def _drifts(folder: Path, quick: bool) -> None:
    lines = []
    for name, x, y, new, schema in _drifted(folder, quick):
        base = Data(x=x, y=y)
        accepted, rows = base.take(np.flatnonzero(~new)), base.take(np.flatnonzero(new))
        seen = since_accepted(base, accepted, schema, Draws(0, "bench"))
        told = two_sample(rows, accepted, 0)
        value, low, high = area(told.fresh, told.scores)
        shares = [f"{mask[new].mean():.4f}" for mask in (seen.over_full, seen.accused)]
        lines.append([name, f"{new.sum():,}", f"{value:.3f} [{low:.3f}, {high:.3f}]", *shares])
        print(" ".join(lines[-1]), flush=True)
    table("drift: no row is poison", ["table", "new rows", "two-sample AUC", "over-full", "accused"], lines)


def _drifted(folder: Path, quick: bool) -> Iterator[tuple[str, Rows, Rows, Rows, Schema]]:
    import pandas as pd

    if quick:
        return
    x, y, schema = _table(folder, "adult")
    for column in ("race", "relationship", "workclass", "capital-gain"):
        values = x[:, schema.index(column)]
        seen, count = np.unique(values, return_counts=True)
        yield f"adult, {column} not the usual", x, y, values != seen[count.argmax()], schema
    frame = pd.read_csv(next((folder / "drift_elec2").glob("*.csv*")))
    y = frame.pop("class").astype("category").cat.codes.to_numpy().astype(int)
    x, at = frame.to_numpy(dtype=float), np.arange(len(y))
    for first, cut, last in ((0, 13_000, 17_000), (8_000, 17_424, 22_000)):
        part = slice(first, last)
        yield (
            f"electricity, {first:,} to {last:,}",
            x[part],
            y[part],
            at[part] >= cut,
            _schema(x, list(map(str, frame)), set()),
        )
    yield from _payments()


def _payments() -> Iterator[tuple[str, Rows, Rows, Rows, Schema]]:
    from temper.demos import fraud

    for drift in (False, True):
        frame = fraud.generate(0, drift=drift)
        for first, cut, last in ((0, 29, 36), (20, 50, 60)):
            part = frame[(frame["day"] >= first) & (frame["day"] < last)]
            rows, new = fraud.rows(part), part["day"].to_numpy() >= cut
            word = " with new fraud" if drift else ""
            yield f"fraud demo{word}, days {cut} to {last}", rows.x, np.asarray(rows.y), new, fraud.schema()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
