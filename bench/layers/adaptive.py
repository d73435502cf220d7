"""What guards of table models are worth to attackers who know them and to others: card fraud and credit default.

    python -m bench.layers.adaptive [fraud] [credit] [--quick]

The fraud demo is SIMULATED throughout; credit is a REAL table (UCI) behind a guard that is written here. Attacks have
equal budgets against the bare model and against every set of layers. The data come from TEMPER_DATA.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.table import goal, machine, table

GUARD = """
guard:
  control: .temper/control.db
  audit: {folder: .temper/audit}
  anomaly: {answer: review}
  decide: {review: [LOW, HIGH]}
"""
YAML = """system: {name: credit-default, criticality: high}
model: {path: model.ubj, kind: probabilities, threshold: THRESHOLD}
data: {test: test.parquet, train: train.parquet, target: default, positive: "1"}
exposure: {returns: score}
actors: [{name: applicant, knowledge: black-box, queries: 100, cost: 1.0, writes: [input]}]
schema:
  columns:
"""
_FREE = ("BILL", "PAY_AMT")
"""What somebody who applies may tell otherwise than it is."""


def main(words: list[str]) -> int:
    """Print a table for each system, and the goal."""
    import temper

    suite = "quick" if "--quick" in words else "standard"
    wanted = [word for word in words if not word.startswith("-")] or ["fraud", "credit"]
    print(machine("numpy", "xgboost-cpu"), flush=True)
    worst = 1.0
    with tempfile.TemporaryDirectory() as place:
        for name, path in _systems(Path(place), wanted):
            began, attacks = time.process_time(), ["evasion.coordinate"]
            depth = temper.weigh(temper.load(path), suite, attacks=attacks).depth
            worst = min(worst, depth.residual.value - depth.fixed.value)
            rows = [_row(one) for one in depth.layers]
            rows.append(["all", "", "", f"{1 - depth.fixed.value:.3f}", f"{1 - depth.residual.value:.3f}", "", ""])
            heads = ["layer", "alone", "at the margin", "part, unknowing", "part, knowing", "refused", "to people"]
            table(f"{name}: share stopped, {depth.attempts} attempts of {depth.actors} actors", heads, rows)
            told = (depth.fixed, depth.residual, depth.bare, depth.unattended)
            names = ("get through, unknowing", "knowing", "the model alone, knowing", "where no people look")
            for title, one in zip(names, told, strict=True):
                print(f"{title}: {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]")
            took = time.process_time() - began
            print(f"{depth.queries:,} queries, {depth.honest:,} honest requests, {took:.0f} s of processor time")
    goal("who knows the layers gets through no less", worst, 0.0, at_least=True, digits=3)
    return 0


def _row(one: Any) -> list[str]:
    known = one.known
    told = (known.alone, known.margin, one.fixed.part, known.part, one.refused, one.asked)
    return [one.name, *(f"{each.value:.3f}" for each in told)]


def _systems(place: Path, wanted: list[str]) -> Iterator[tuple[str, Path]]:
    if "fraud" in wanted:
        from temper.demos.serving import prepared

        yield "fraud demo (SIMULATED)", prepared(place / "fraud")
    if "credit" in wanted and (path := credit(place / "credit")) is not None:
        yield "credit default (REAL)", path


def credit(folder: Path) -> Path | None:
    """A boosted model of the defaults, half of the rows held out, with a guard."""
    import numpy as np
    import pandas as pd
    from xgboost import XGBClassifier

    data = Path(os.environ.get("TEMPER_DATA", "../shared/data")) / "credit_default_uci" / "credit-card-clients.csv.gz"
    if not data.is_file():
        print("no credit table: TEMPER_DATA names no data folder")
        return None
    frame = pd.read_csv(data)
    frame.columns = [name.replace(" ", "_").replace(".", "_") for name in frame.columns[:-1]] + ["default"]
    train, test = frame.iloc[::2].reset_index(drop=True), frame.iloc[1::2].reset_index(drop=True)
    names = [name for name in frame.columns if name != "default"]
    model = XGBClassifier(n_estimators=60, n_jobs=1, random_state=0).fit(train[names], train["default"])
    folder.mkdir(parents=True)
    model.save_model(folder / "model.ubj")
    train.to_parquet(folder / "train.parquet")
    test.to_parquet(folder / "test.parquet")
    threshold = float(np.quantile(model.predict_proba(train[names])[:, 1], 0.8))
    columns = "".join(_column(name, frame[name]) for name in names)
    guard = GUARD.replace("LOW", f"{threshold - 0.1:.4f}").replace("HIGH", f"{threshold:.4f}")
    path = folder / "temper.yaml"
    path.write_text(YAML.replace("THRESHOLD", f"{threshold:.6f}") + columns + guard, encoding="utf-8")
    return path


def _column(name: str, values: Any) -> str:
    bounds = f"type: integer, low: {values.min()}, high: {values.max()}, scale: {max(float(values.std()), 1e-9):.4g}"
    free = ", attacker: costly, cost: 1.0" if name.startswith(_FREE) else ", attacker: immutable"
    return f"    {name}: {{{bounds}{free}}}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
