"""Which of eight suppliers spoils its labels or plants a trigger, and how often like suppliers are accused.

    TEMPER_DATA=PATH python -m bench.poisoning.suppliers [--full]

adult and credit (REAL) and the demo's fraud (SIMULATED): 8,000 training rows dealt at random to eight suppliers and
6,000 held-out rows, XGBoost (60 trees of depth 4). One supplier flips 5, 10, 20 or 50 % of its labels, calls half of
its class 1 ordinary, or stamps 20 % of its rows of class 1 (three columns, one value each) and calls them 0. Peer on
the same rows: ART's ProvenanceDefense, which trusts the held-out rows, on a logistic regression of scaled columns; it
rejects whoever costs .002 of accuracy. Two choices a line, `--full` six. Clean: 8 splits a table, `--full` 20; recall
is at as many alerts.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.poisoning.detection import _table as rows_of
from bench.poisoning.labels import NAMES, caught, model, scene, split
from bench.table import machine, table
from temper.core.data import Data
from temper.core.measure import Measurement
from temper.core.seed import Draws
from temper.kernels.rate import paired_rates, wilson
from temper.validation.suppliers import Suppliers

Rows = Any
OF, _FALL = 8, 0.002
KINDS = ("flips 5%", "flips 10%", "flips 20%", "flips 50%", "hides half", "stamps 20%")


def main(words: list[str]) -> int:
    """Print clean tables, then who is found and what leaving him out gives."""
    print(machine("numpy", "scikit-learn", "xgboost-cpu", "adversarial-robustness-toolbox"))
    if not (folder := os.environ.get("TEMPER_DATA")):
        print("no data: set TEMPER_DATA")
        return 1
    full = "--full" in words
    tables = {name: rows_of(Path(folder), name)[:2] for name in NAMES}
    _clean(tables, 20 if full else 8)
    lines = []
    for name, (x, y) in tables.items():
        for kind in KINDS:
            lines.append([f"{name} {kind}", *_line(x, y, kind, 6 if full else 2)])
            print(" ".join(lines[-1]), flush=True)
    columns = ["one of eight", "named", "others named", "ART named", "ART others", "recall won without", "s"]
    table("suppliers named, of all tries", columns, lines)
    return 0


def dealt(train: Data, seed: int) -> Data:
    """The rows with a random supplier each."""
    who = Draws(seed, "dealt").generator().integers(0, OF, len(train))
    return replace(train, supplier=np.array([f"supplier {at}" for at in who]))


def spoilt(train: Data, kind: str, seed: int) -> Data:
    """The first supplier's rows made worse."""
    rng = Draws(seed, "spoilt").generator()
    mine = np.flatnonzero(train.supplier == "supplier 0")
    x, y = train.x.copy(), train.y.copy()
    if kind.startswith("flips"):
        rows = rng.choice(mine, int(float(kind[6:-1]) / 100 * len(mine)), replace=False)
    else:
        ones = mine[y[mine] == 1]
        rows = rng.choice(ones, max(int((0.5 if kind == "hides half" else 0.2) * len(ones)), 1), replace=False)
    y[rows] = 1 - y[rows]
    if kind.startswith("stamps"):
        at = rng.choice(x.shape[1], 3, replace=False)
        x[np.ix_(rows, at)] = np.nanquantile(x[:, at], 0.6, axis=0)
    return Data(x=x, y=y, ids=train.ids, supplier=train.supplier)


def _named(found: tuple[Measurement, ...]) -> list[str]:
    return [note.split(":")[0].strip("'") for note in found[0].caveats if note.startswith("'supplier")]


def _line(x: Rows, y: Rows, kind: str, tries: int) -> list[str]:
    named = others = theirs = falsely = 0
    before, after, spent = [], [], 0.0
    for seed in range(tries):
        train, held = split(x, y, seed)
        bad = spoilt(dealt(train, seed), kind, seed)
        target = model(bad)
        started = time.process_time()
        who = _named(Suppliers(replicates=200).measure(scene(bad, held, target)))
        spent += time.process_time() - started
        named, others = named + ("supplier 0" in who), others + bool(set(who) - {"supplier 0"})
        art = _art(bad, held)
        theirs, falsely = theirs + (0 in art), falsely + bool(set(art) - {0})
        without = model(bad.take(np.flatnonzero(~np.isin(np.asarray(bad.supplier), who)))) if who else target
        before.append(caught(target, held))
        after.append(caught(without, held))
    won, low, high = paired_rates(np.concatenate(before), np.concatenate(after))
    shown = [f"{count} of {tries}" for count in (named, others, theirs, falsely)]
    return [*shown, f"{won:+.3f} [{low:+.3f}, {high:+.3f}]", f"{spent / tries:.1f}"]


def _art(bad: Data, held: Data) -> list[int]:
    """The suppliers ART rejects, by a logistic regression; none without ART."""
    try:
        from art.defences.detector.poison import ProvenanceDefense
        from art.estimators.classification import SklearnClassifier
    except ImportError:
        return []
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(np.nan_to_num(bad.x))
    x, trusted = (scale.transform(np.nan_to_num(part)).astype(np.float32) for part in (bad.x, held.x))
    from_whom = np.eye(OF)[[int(name.split()[1]) for name in np.asarray(bad.supplier)]]
    inner = SklearnClassifier(model=LogisticRegression(max_iter=300), clip_values=(float(x.min()), float(x.max())))
    one_hot = np.eye(2)
    inner.fit(x, one_hot[bad.y])
    defence = ProvenanceDefense(
        inner, x, one_hot[bad.y], from_whom, x_val=trusted, y_val=one_hot[held.y], eps=_FALL, perf_func=_right
    )
    report, _ = defence.detect_poison()
    return [int(at) for at in report]


def _right(truth: Rows, said: Rows) -> float:
    """Accuracy of one-hot truths and probabilities, which ART's own word for it cannot compare."""
    return float((np.argmax(truth, axis=1) == np.argmax(said, axis=1)).mean())


def _clean(tables: dict[str, Any], repeats: int) -> None:
    lines, total, theirs = [], 0, 0
    for name, (x, y) in tables.items():
        alarms = peer = 0
        for seed in range(100, 100 + repeats):
            train, held = split(x, y, seed)
            train = dealt(train, seed)
            alarms += bool(_named(Suppliers(replicates=200).measure(scene(train, held, model(train)))))
            peer += bool(_art(train, held))
        lines.append([name, f"{alarms} of {repeats}", f"{peer} of {repeats}"])
        total, theirs = total + alarms, theirs + peer
    low, high = wilson(total, repeats * len(tables))
    title = f"like suppliers: {total} of {repeats * len(tables)} runs accuse one [{low:.3f}, {high:.3f}], nominal 0.05"
    table(title, ["table", "ours", "ART"], lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
