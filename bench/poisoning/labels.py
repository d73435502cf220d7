"""Wrong labels counted, found and dropped in given tables, with peers, and false alarms on clean ones.

    TEMPER_DATA=PATH python -m bench.poisoning.labels [--full]

adult and credit (REAL) and the demo's fraud (SIMULATED): 8,000 training and 6,000 held-out rows, XGBoost (60 trees of
depth 4). Random and targeted flips (class 1 called 0) of 1, 2, 5 and 10 % of the rows, a targeted one at most 80 % of
the class. Ours counts (`validation.label_errors`: excess with its interval) and `cleaned` drops. Peers on the same
rows: cleanlab's find_label_issues as it comes, and its self-confidence and the disagreement of 10 neighbours (scaled
columns), cut at 1 % of the right rows. Recall is at as many alerts as there are held-out rows of class 1: a clean
model, the poisoned one, with `cleaned`, and with cleanlab's rows dropped or relabelled. One seed a line; `--full`:
three. Clean: 6 splits a table, `--full` 20.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.poisoning.detection import _table as rows_of
from bench.table import machine, table
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.hardening.cleaned import Cleaned
from temper.kernels.confident import contradicted, dealt, out_of_fold, thresholds
from temper.kernels.rate import paired_rates, wilson
from temper.targets import open_target
from temper.validation.label_errors import LabelErrors

Rows = Any
NAMES, TRAINED, HELD = ("adult", "credit", "fraud"), 8_000, 6_000
RATES = (0.01, 0.02, 0.05, 0.1)


def main(words: list[str]) -> int:
    """Print what is found, what is cured, and the clean tables."""
    print(machine("numpy", "scikit-learn", "cleanlab", "xgboost-cpu"))
    if not (folder := os.environ.get("TEMPER_DATA")):
        print("no data: set TEMPER_DATA")
        return 1
    full = "--full" in words
    tables = {name: rows_of(Path(folder), name)[:2] for name in NAMES}
    _clean(tables, 20 if full else 6)
    _pooled(tables)
    found, cured = [], []
    for name, (x, y) in tables.items():
        for kind in ("random", "targeted"):
            for rate in RATES:
                lines = [_line(x, y, kind, rate, seed) for seed in range(3 if full else 1)]
                found += [[f"{name} {kind} {rate:.0%}", *line[0]] for line in lines]
                cured += [[f"{name} {kind} {rate:.0%}", *line[1]] for line in lines]
    columns = ["flips", "n", "excess share", "P/R of contradicted", "P/R of cleanlab", "TPR self-conf.", "TPR kNN", "s"]
    table("counted and found (precision/recall; TPR at 1 % FPR)", columns, found)
    columns = ["flips", "clean", "poisoned", "cleaned", "- poisoned", "cleanlab dropped", "relabelled"]
    table("recall at as many alerts", columns, cured)
    return 0


def _pooled(tables: dict[str, Any]) -> None:
    """What `cleaned` is worth after targeted flips, over the held-out rows of six splits."""
    lines = []
    for name, (x, y) in tables.items():
        for rate in (0.005, 0.01) if name == "fraud" else (0.05, 0.1):
            seen: list[tuple[Rows, Rows]] = []
            for seed in range(10, 16):
                train, held = split(x, y, seed)
                bad, _ = flipped(train, "targeted", rate, seed)
                target = model(bad)
                cured = Cleaned().apply(target, bad, Draws(seed, "bench"))
                seen.append((caught(target, held), caught(cured, held)))
            before, after = (np.concatenate(part) for part in zip(*seen, strict=True))
            won, low, high = paired_rates(before, after)
            shown = [f"{before.mean():.3f}", f"{after.mean():.3f}", f"{won:+.4f} [{low:+.4f}, {high:+.4f}]"]
            lines.append([f"{name} targeted {rate:.1%}", str(len(before)), *shown])
    table("recall at as many alerts, six splits", ["flips", "n", "poisoned", "cleaned", "won"], lines)


def split(x: Rows, y: Rows, seed: int) -> tuple[Data, Data]:
    """Training and held-out rows, drawn anew by each seed."""
    order = Draws(seed, "labels").generator().permutation(len(x))
    parts = order[:TRAINED], order[TRAINED : TRAINED + HELD]
    train, held = (Data(x=x[rows], y=np.asarray(y)[rows].astype(np.int64), ids=rows) for rows in parts)
    return train, held


def model(data: Data) -> Any:
    """XGBoost of the bench, as a target."""
    from xgboost import XGBClassifier

    fitted = XGBClassifier(n_estimators=60, max_depth=4, n_jobs=1, random_state=0).fit(data.x, data.y)
    return open_target(fitted)


def scene(train: Data, held: Data, target: Any) -> Scene:
    """Held-out rows about the target, which is fitted again as often as is asked."""
    fit = lambda subsets, recipe: [target.refit(subset, recipe) for subset in subsets]  # noqa: E731
    made: dict[str, Any] = {"x": held.x, "y": held.y, "ids": held.ids, "target": target, "fit": fit, "threshold": 0.5}
    return Scene(schema=Schema(), train=train, **made)


def caught(target: Any, held: Data) -> Rows:
    """Which rows of class 1 are among as many alerts as there are of it."""
    score = np.asarray(target.scores(held.x))[:, 1]
    flagged = np.zeros(len(score), dtype=bool)
    flagged[np.argsort(-score, kind="stable")[: int(held.y.sum())]] = True
    return flagged[held.y == 1]


def flipped(train: Data, kind: str, rate: float, seed: int) -> tuple[Data, Rows]:
    """The rows with labels flipped, and which are wrong."""
    pool = np.arange(len(train)) if kind == "random" else np.flatnonzero(train.y == 1)
    count = min(int(rate * len(train)), int(0.8 * len(pool)))
    rows = Draws(seed, f"flip {kind}").generator().choice(pool, count, replace=False)
    y = train.y.copy()
    y[rows] = 1 - y[rows]
    return Data(x=train.x, y=y, ids=train.ids), np.isin(np.arange(len(train)), rows)


def _line(x: Rows, y: Rows, kind: str, rate: float, seed: int) -> tuple[list[str], list[str]]:
    from cleanlab.filter import find_label_issues

    train, held = split(x, y, seed)
    bad, wrong = flipped(train, kind, rate, seed)
    poisoned = model(bad)
    started = time.process_time()
    whole = LabelErrors().measure(scene(bad, held, poisoned))[0]
    spent = time.process_time() - started
    p = _out_of_fold(bad, poisoned)
    ours = contradicted(bad.y, p, thresholds(bad.y, p)) >= 0
    peer = np.asarray(find_label_issues(bad.y, p, n_jobs=1))
    quality = [-p[np.arange(len(bad)), bad.y], _neighbours(bad)]
    tpr = [float((score[wrong] > np.quantile(score[~wrong], 0.99)).mean()) for score in quality]
    found = [_rates(ours, wrong), _rates(peer, wrong), *(f"{one:.2f}" for one in tpr), f"{spent:.1f}"]
    first = [str(int(wrong.sum())), f"{whole.value:.4f} [{whole.low:.4f}, {whole.high:.4f}]"]
    turned = Data(x=bad.x, y=np.where(peer, 1 - bad.y, bad.y), ids=bad.ids)
    kept = bad.take(np.flatnonzero(~peer))
    cured = Cleaned().apply(poisoned, bad, Draws(seed, "bench"))
    seen = [caught(one, held) for one in (model(train), poisoned, cured, model(kept), model(turned))]
    gain, low, high = paired_rates(seen[1], seen[2])
    rates = [f"{one.mean():.3f}" for one in seen]
    return [*first, *found], [*rates[:3], f"{gain:+.3f} [{low:+.3f}, {high:+.3f}] n {len(seen[0])}", *rates[3:]]


def _out_of_fold(data: Data, target: Any) -> Rows:
    from temper.core.target import Recipe

    fold = dealt(data.y, Draws(1, "bench").uniform(np.arange(len(data)), 0), 3)
    fits = [target.refit(data.take(np.flatnonzero(fold != at)), Recipe()) for at in range(3)]
    return out_of_fold(fits, data.x, fold)


def _neighbours(data: Data) -> Rows:
    """The share of the ten nearest other rows that carry another label."""
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler

    x = StandardScaler().fit_transform(np.nan_to_num(data.x))
    near = NearestNeighbors(n_neighbors=11).fit(x).kneighbors(x, return_distance=False)[:, 1:]
    return (data.y[near] != data.y[:, None]).mean(axis=1)


def _rates(accused: Rows, wrong: Rows) -> str:
    precision = wrong[accused].mean() if accused.any() else 0.0
    return f"{precision:.2f}/{accused[wrong].mean():.2f}"


def _clean(tables: dict[str, Any], repeats: int) -> None:
    lines, total = [], 0
    for name, (x, y) in tables.items():
        alarms, change = 0, []
        for seed in range(100, 100 + repeats):
            train, held = split(x, y, seed)
            target = model(train)
            alarms += (LabelErrors().measure(scene(train, held, target))[0].low or 0.0) > 0.0
            cured = Cleaned().apply(target, train, Draws(seed, "bench"))
            change.append(float(caught(cured, held).mean() - caught(target, held).mean()))
        total += alarms
        spread = 1.96 * np.std(change, ddof=1) / len(change) ** 0.5
        lines.append([name, f"{alarms} of {repeats}", f"{np.mean(change):+.4f} +- {spread:.4f}"])
    low, high = wilson(total, repeats * len(tables))
    columns = ["clean table", "excess above nought", "recall with cleaned - without (splits)"]
    table(f"false alarms: {total} of {repeats * len(tables)} [{low:.3f}, {high:.3f}], nominal 0.025", columns, lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
