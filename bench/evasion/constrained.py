"""Attacks on tables under constraints, against an independent CAPGD with the same constraints, on real columns.

    python -m bench.evasion.constrained [--quick]

Card fraud (simulated: the Fraud Detection Handbook's) and credit defaults (real: UCI), each a small torch network with
its standardisation inside, and a schema with immutable, one-way and whole columns, relations and derived columns. The
data come from TEMPER_DATA, else ../shared/data; without them there is nothing to compare. Equal steps and restarts;
processor time on one thread; an iterate counts when it is admissible, in the ball and judged wrongly.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.evasion.capgd_reference import Task, attacked
from bench.table import goal, machine, table

Array = Any
STEPS, RESTARTS = 30, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fitted network with its schema and rows it judges right."""

    name: str
    model: Any
    schema: Any
    x: Array
    y: Array
    auc: float


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    warnings.simplefilter("ignore")
    quick = "--quick" in words
    print(machine("numpy", "torch"))
    counted = refused = 0
    for case in cases(300 if quick else 2_000):
        settings = [("linf", 0.5), ("l2", 0.5)] if quick else [("linf", 0.25), ("linf", 0.5), ("l2", 0.5), ("l2", 1.0)]
        for norm, radius in settings:
            winners, bad = compared(case, norm, radius)
            counted, refused = counted + winners, refused + bad
    if counted:
        made = [candidates(case, 50_000) for case in cases(300)]
        proposed, bad = sum(count for count, _ in made), sum(count for _, count in made)
        print(
            f"winners counted: {counted}, inadmissible: {refused}; candidates proposed: {proposed}, inadmissible: {bad}"
        )
        goal("inadmissible among winners and candidates", refused + bad, 1, digits=0)
    return 0


def compared(case: Case, norm: str, radius: float) -> tuple[int, int]:
    """One table: ours and the reference; how many winners there were, and how many the schema refuses."""
    from temper.attacks.evasion.caa import CAA
    from temper.attacks.evasion.capgd import CAPGD
    from temper.attacks.evasion.moeva import MOEVA
    from temper.attacks.evasion.noise import Noise

    lines, found, winners, refused = [], {}, 0, 0
    start = time.process_time()
    there = reference(case, norm, radius)
    peer = (time.process_time() - start) * 1_000 / len(case.x)
    plans = (CAPGD(steps=STEPS, restarts=RESTARTS), MOEVA(), CAA(steps=STEPS, restarts=RESTARTS), Noise())
    for attack in plans:
        queries = 500 if type(attack).__name__ != "CAPGD" else None
        evidence, ms = struck(attack, case, norm, radius, queries)
        broken = evidence.verdicts == "broken"
        good = np.asarray(case.schema.admits(evidence.x_adv[broken], case.x[broken]))
        winners, refused = winners + len(good), refused + int((~good).sum())
        name = type(attack).__name__
        found[name] = broken.mean(), ms
        middle = f"{np.median(evidence.distance[broken]):.3f}" if broken.any() else ""
        lines.append([f"temper {name}", f"{evidence.queries.mean():.0f}", f"{ms:.2f}", f"{broken.mean():.1%}", middle])
    lines.append(["CAPGD by the paper", "", f"{peer:.2f}", f"{there.mean():.1%}", ""])
    title = f"{case.name}, {norm} {radius} of the columns' spread, n = {len(case.x)}, AUC {case.auc:.3f}"
    table(title, ["", "queries/row", "ms/row", "success", "median distance"], lines)
    goal("CAPGD's success over the reference's", 100 * (found["CAPGD"][0] - there.mean()), 0.0, "points", at_least=True)
    goal("the reference's time over CAPGD's", peer / found["CAPGD"][1], 1.0, at_least=True)
    return winners, refused


def struck(attack: Any, case: Case, norm: str, radius: float, queries: int | None) -> tuple[Any, float]:
    """One of ours through the oracle."""
    from temper.core.seed import Draws
    from temper.judges.misclassified import Misclassified
    from temper.targets.load import open_target
    from temper.targets.oracle import Oracle

    scene, target = scened(case, norm, radius, queries), open_target(case.model)
    start = time.process_time()
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(0, "bench", scene.ids))
    evidence = oracle.evidence()
    return evidence, (time.process_time() - start) * 1_000 / len(case.x)


def scened(case: Case, norm: str, radius: float, queries: int | None) -> Any:
    """The rows under attack, with their budget."""
    from temper.core.attack import Scene
    from temper.core.budget import Budget
    from temper.core.target import ScoreKind

    budget = Budget(norm=norm, radius=radius, queries=queries)
    return Scene(
        x=case.x, y=case.y, ids=np.arange(len(case.x)), schema=case.schema, budget=budget, kind=ScoreKind.LOGITS
    )


def reference(case: Case, norm: str, radius: float) -> Array:
    """The independent CAPGD on the same rows, constraints and ball."""
    schema, low_high = case.schema, case.schema.bounds(case.x)
    whole = np.array([column.type == "integer" for column in schema.columns])
    movable = np.isin(np.arange(len(schema.columns)), schema.movable)

    def counts(x: Array, x0: Array) -> Array:
        near = np.asarray(schema.distance(x, x0, norm)) <= radius * (1 + 1e-9)
        return near & np.asarray(schema.admits(x, x0))

    def repair(x: Array, x0: Array) -> Array:
        """Whole numbers toward the clean row, the schema's repair, and the clean row where a relation stays broken."""
        x = schema.project(np.where(whole, x0 + np.trunc(x - x0), x), x0)
        for share in (0.5, 0.0):
            bad = ~np.asarray(schema.admits(x, x0))
            back = x0 + (x - x0) * share
            x = np.where(bad[:, None], schema.project(np.where(whole, x0 + np.trunc(back - x0), back), x0), x)
        return x

    ends = {"low": np.maximum(low_high[0], -1e12), "high": np.minimum(low_high[1], 1e12)}
    shared = {"scale": schema.scales, "movable": movable, "norm": norm, "radius": radius}
    task = Task(model=case.model, x=case.x, y=case.y, repair=repair, counts=counts, **ends, **shared)
    return attacked(task, STEPS, RESTARTS)


def candidates(case: Case, wanted: int) -> tuple[int, int]:
    """Random moves of every kind, repaired: how many were made, and how many the schema or the ball refuses."""
    from temper.kernels.search import repair

    scene, rng = scened(case, "linf", 0.5, None), np.random.default_rng(0)
    made, bad = 0, 0
    while made < wanted:
        raw = case.x + rng.normal(size=case.x.shape) * case.schema.scales
        x = repair(raw, case.x, scene, rng.random(raw.shape))
        good = np.asarray(case.schema.admits(x, case.x)) & (case.schema.distance(x, case.x, "linf") <= 0.5 + 1e-6)
        made, bad = made + len(x), bad + int((~good).sum())
    return made, bad


# -- data -------------------------------------------------------------------------------------------------------------


def cases(rows: int) -> Iterator[Case]:
    """Those whose data are there."""
    folder = Path(os.environ.get("TEMPER_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    for name, read in (("fraud_handbook", fraud), ("credit_default_uci", credit)):
        if (folder / name).is_dir():
            yield read(folder / name, rows)
        else:
            print(f"{name}: no data in {folder}")


def fraud(folder: Path, rows: int) -> Case:
    """The attacker sets amount and hour class, may transact more often and choose a terminal of less risk."""
    import pandas as pd

    frame = pd.read_parquet(folder / "transactions.parquet").sample(60_000, random_state=0)
    names = ["TX_AMOUNT", "TX_DURING_WEEKEND", "TX_DURING_NIGHT"]
    counts = [f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW" for days in (1, 7, 30)]
    means = [f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW" for days in (1, 7, 30)]
    risks = [f"TERMINAL_ID_RISK_{days}DAY_WINDOW" for days in (1, 7, 30)]
    names += counts + means + risks
    rules: dict[str, dict[str, Any]] = {"TX_AMOUNT": {"low": 0.01, "high": 3_000}}
    rules |= {name: {"type": "boolean"} for name in names[1:3]}
    rules |= {name: {"type": "integer", "low": 0, "high": 300, "direction": "rise"} for name in counts}
    rules |= {name: {"formula": f"TX_AMOUNT / was({count})"} for name, count in zip(means, counts, strict=True)}
    rules |= {name: {"low": 0, "high": 1, "direction": "fall"} for name in risks[:1]}
    relations = (f"{counts[0]} <= {counts[1]}", f"{counts[1]} <= {counts[2]}")
    return fitted("card fraud (simulated)", frame[names], frame["TX_FRAUD"], rules, relations, rows)


def credit(folder: Path, rows: int) -> Case:
    """The attacker pays more, is late less often and shifts bills within the limit; who they are stays."""
    import pandas as pd

    frame = pd.read_csv(folder / "credit-card-clients.csv.gz")
    truth = frame.pop("default payment")
    paid, bills = [f"PAY_AMT{at}" for at in range(1, 7)], [f"BILL_AMT{at}" for at in range(1, 7)]
    late = ["PAY_0", *(f"PAY_{at}" for at in range(2, 7))]
    frame["paid"], frame["owed"] = frame[paid].sum(axis=1), frame[bills].mean(axis=1)
    frame["used"] = frame["BILL_AMT1"] / frame["LIMIT_BAL"]
    rules: dict[str, dict[str, Any]] = {
        name: {"type": "integer", "low": 0, "high": 2_000_000, "direction": "rise"} for name in paid
    }
    rules |= {name: {"low": -400_000, "high": 2_000_000} for name in bills}
    rules |= {name: {"type": "integer", "low": -2, "high": 8, "direction": "fall"} for name in late}
    rules |= {"paid": {"formula": " + ".join(paid)}, "used": {"formula": "BILL_AMT1 / LIMIT_BAL"}}
    rules |= {"owed": {"formula": f"({' + '.join(bills)}) / 6"}}
    relations = ("BILL_AMT1 <= 1.2 * LIMIT_BAL", "PAY_AMT1 <= BILL_AMT2")
    return fitted("credit default (real)", frame, truth, rules, relations, rows)


def fitted(
    name: str, frame: Any, truth: Any, rules: dict[str, dict[str, Any]], relations: tuple[str, ...], rows: int
) -> Case:
    """The schema from the rules, the network, and rows it judges right, half of them of class 1 if there are enough."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split

    from temper.core.schema import Column, Mutability, Schema

    x, y = frame.to_numpy(dtype=float), truth.to_numpy().astype(np.int64)
    columns = []
    for at, column in enumerate(frame.columns):
        rule = rules.get(column)
        how = Mutability.IMMUTABLE if rule is None else Mutability.DERIVED if "formula" in rule else Mutability.FREE
        columns.append(Column(name=column, attacker=how, scale=float(max(x[:, at].std(), 1e-9)), **(rule or {})))
    schema = Schema(columns=tuple(columns), relations=relations)
    train, test, y_train, y_test = train_test_split(x, y, test_size=0.4, random_state=0)
    model = network(train, y_train)
    scores = logits(model, test)
    right = np.flatnonzero(scores.argmax(1) == y_test)
    flagged = right[y_test[right] == 1][: rows // 2]
    chosen = np.sort(np.r_[flagged, right[y_test[right] == 0][: rows - len(flagged)]])
    auc = float(roc_auc_score(y_test, scores[:, 1] - scores[:, 0]))
    return Case(name=name, model=model, schema=schema, x=test[chosen], y=y_test[chosen], auc=auc)


def network(x: Array, y: Array) -> Any:
    """Two hidden layers behind a fixed standardisation; both classes weigh the same."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    first = torch.nn.Linear(x.shape[1], x.shape[1])
    spread = np.maximum(x.std(axis=0), 1e-9)
    with torch.no_grad():
        first.weight.copy_(torch.diag(torch.as_tensor(1 / spread)))
        first.bias.copy_(torch.as_tensor(-x.mean(axis=0) / spread))
    first.requires_grad_(False)
    hidden = [torch.nn.Linear(x.shape[1], 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU()]
    model = torch.nn.Sequential(first, *hidden, torch.nn.Linear(64, 2))
    tensor, truth = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    weight = torch.as_tensor([1.0, float((y == 0).sum() / max((y == 1).sum(), 1))])
    step = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=2e-3)
    for _ in range(4):
        for at in torch.randperm(len(tensor)).split(512):
            step.zero_grad()
            torch.nn.functional.cross_entropy(model(tensor[at]), truth[at], weight=weight).backward()
            step.step()
    return model.eval()


def logits(model: Any, x: Array) -> Array:
    """Logits (n, 2)."""
    import torch

    with torch.no_grad():
        return model(torch.as_tensor(x, dtype=torch.float32)).numpy()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
