"""What defences against copying are worth against a thief who makes rows up, and one who has natural rows.

    python -m bench.extraction.defences [--full]

The victim is XGBoost 200 x 6 on half of `adult` and `credit_default_uci` (REAL, where there is a data folder) or of a
generated table. F1 of copies at equal queries against the model as it was, means over seeds; beside it what honest
users lose of AUC on the judged rows, paired over rows (2,000 replicates). Then a watermark: how much of it each copy
carries, and how many of twenty independent models would be called copies. Last, query budgets: what one identity and
ten identities of a thief are worth under each.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from bench.extraction.fidelity import POOL, Table, copied, tables, victims
from bench.table import goal, machine, table

_THIEVES = ("surrogate", "natural")


def defended(data: Table, target: Any) -> dict[str, Any]:
    """The victim behind each defence."""
    from temper.core.data import Data
    from temper.core.room import Room
    from temper.core.seed import Draws

    train = Data(x=data.train[0], y=data.train[1])
    made = {"none": target}
    for name, options in (
        ("rounded", {}),
        ("rounded", {"digits": 1}),
        ("label_only", {"threshold": 0.5}),
        ("noise", {"spread": 0.5}),
        ("noise", {"spread": 1.0}),
        ("adaptive_misinformation", {"misled": 0.01, "schema": data.schema}),
        ("adaptive_misinformation", {"misled": 0.003, "schema": data.schema}),
    ):
        shown = " ".join(f"{key} {value:g}" for key, value in options.items() if isinstance(value, (int, float)))
        defence = Room("temper.hardening").build(name, options)
        made[f"{name} {shown}".strip()] = defence.apply(target, train, Draws(0, f"hardening.{name}"))
    return made


def compare(data: Table, queries: int, seeds: int) -> None:
    """One table: every defence, both thieves, the price."""
    from temper.kernels.bootstrap import paired
    from temper.kernels.ranking import auc, f1
    from temper.targets.load import open_target

    target = open_target(victims()["XGBoost 200 x 6"].fit(*data.train))
    x, y = data.test[0][POOL:], data.test[1][POOL:]
    was = target.scores(x)[:, 1]
    lines: list[Any] = []
    for name, served in defended(data, target).items():
        said = np.asarray(served.scores(x))[:, 1]
        lost = paired(auc, (y, was), (y, said), rng=np.random.default_rng(0), replicates=2_000, method="percentile")
        shares = {
            thief: [f1(was >= 0.5, copied(data, served, thief, queries, seed).flags(x)) for seed in range(seeds)]
            for thief in _THIEVES
        }
        shown = [f"{np.mean(of):.3f} [{min(of):.3f}, {max(of):.3f}]" for of in shares.values()]
        lines.append((name, *shown, f"{lost[0]:+.4f} [{lost[1]:+.4f}, {lost[2]:+.4f}]", f"{_right(y, said):.3f}"))
    columns = ("defence", *(f"F1 by {thief}" for thief in _THIEVES), "AUC for honest users", "accuracy")
    table(f"{data.name}, XGBoost 200 x 6, {queries:,} queries, {seeds} seeds, {len(x):,} rows", columns, lines)


def _right(y: Any, said: Any) -> float:
    return float(np.mean((said >= 0.5) == y))


def mark(data: Table, queries: int, models: int) -> None:
    """One table: who carries the mark; and the false claims."""
    from temper.core.attack import Scene
    from temper.core.data import Data
    from temper.core.room import Room
    from temper.core.seed import Draws
    from temper.kernels.ranking import auc
    from temper.targets.load import open_target

    target = open_target(victims()["XGBoost 200 x 6"].fit(*data.train))
    train = Data(x=data.train[0], y=data.train[1])
    marked = Room("temper.hardening").build("watermark", {"schema": data.schema}).apply(target, train, Draws(0, "mark"))
    x, y = data.test[0][POOL:], data.test[1][POOL:]
    lines: list[Any] = [("the marked model", f"{marked.matches(marked, 0.5).mean():.3f}")]
    for thief in _THIEVES:
        copy = copied(data, marked, thief, queries, 0)
        carried = np.mean(copy.flags(marked.triggers) == (marked.labels == 1))
        lines.append((f"copy by {thief}, {queries:,} queries", f"{carried:.3f}"))
    scene = Scene(x=x, y=y, ids=np.arange(len(x)), schema=data.schema, threshold=0.5, target=marked)
    check = Room("temper.validation").build("watermark", {"models": models})
    match, claims = check.measure(replace(scene, train=train))
    lines += [(f"{models} {name}", f"{value:.3f}") for name, value in match.baseline]
    table(f"{data.name}: share of {len(marked.labels)} triggers answered as taught", ("model", "share"), lines)
    moved = auc(y, marked.scores(x)[:, 1]) - auc(y, target.scores(x)[:, 1])
    print(f"false claims {claims.count} of {claims.n} (up to {claims.high:.3f}); AUC {moved:+.4f}")
    goal(f"{data.name}: false claims", float(claims.value or 0.0), 1e-9, digits=3)


def budgets(data: Table, rows: tuple[int, ...], seeds: int) -> None:
    """One table: what copies are worth where each client is answered so many rows."""
    from temper.kernels.ranking import f1
    from temper.targets.load import open_target

    target = open_target(victims()["XGBoost 200 x 6"].fit(*data.train))
    x = data.test[0][POOL:]
    was = target.scores(x)[:, 1] >= 0.5
    lines = []
    for budget in rows:
        shown = [f"{budget:,}"]
        for clients in (1, 10):
            found = [
                f1(was, copied(data, target, "surrogate", budget * clients, seed).flags(x)) for seed in range(seeds)
            ]
            shown.append(f"{np.mean(found):.3f} [{min(found):.3f}, {max(found):.3f}]")
        lines.append(tuple(shown))
    columns = ("rows a client", "F1, one identity", "F1, ten identities")
    table(f"{data.name}, XGBoost 200 x 6, query budgets, {seeds} seeds, {len(x):,} rows", columns, lines)


def main(words: list[str]) -> None:
    """Every table."""
    full = "--full" in words
    print(machine("numpy", "scikit-learn", "xgboost-cpu"))
    for data in tables():
        compare(data, 1_000, 3 if full else 1)
        mark(data, 10_000 if full else 1_000, 60 if full else 20)
        budgets(data, (10, 30, 100, 300, 1_000) if full else (10, 30, 100), 3 if full else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
