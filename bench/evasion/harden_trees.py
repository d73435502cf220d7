"""What each defence of a tree model changes, by a strong white box and by proof, on the same rows.

    python -m bench.evasion.harden_trees [--quick]

First `make_classification` (30 columns in [0, 1], XGBoost 200 x depth 6) in boxes of three sizes, defences made for the
middle one. Then the fraud demo (SIMULATED, XGBoost) and credit defaults (LightGBM, where there is a data folder:
TEMPER_DATA, else ../shared/data) at the cost of their own attacker; there the rows are held-out rows of class 1 and the
threshold of every model is set again for the same share of alerts on the training rows. "robust": judged right and not
broken by evasion.tree_ascent. Differences to the plain model are paired over the same rows.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, table

Array = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A system to harden: `budgets` to attack with (the middle one to harden for), `rows` of `test` to attack."""

    name: str
    target: Any
    schema: Any
    train: Any
    test: Any
    rows: Array
    budgets: tuple[Any, ...]
    rate: float | None = None  # share of training rows that alert; None: the most likely class

    @property
    def middle(self) -> Any:
        """What the defences are made for and the proofs are about."""
        return self.budgets[len(self.budgets) // 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One model: processor seconds, which test rows are right, its ranking, robust rows per budget, proven share."""

    name: str
    seconds: float
    right: Array
    auc: float
    robust: tuple[Array, ...]
    proven: str


def main(words: list[str]) -> int:
    """Print one table per task, and which defences help."""
    warnings.simplefilter("ignore")
    quick = "--quick" in words
    print(machine("numpy", "numba", "xgboost-cpu", "lightgbm"))
    best = {}
    for make in (_fraud, _credit, _generated):
        task = make(quick)
        if task is None:
            continue
        found = []
        for name, apply in _defences(task, quick):
            found.append(_measured(task, name, apply, quick))
            print(f"  {task.name}: {name} done", file=sys.stderr, flush=True)
        best[task.name] = _print(task, found)
    for name, (gain, low) in best.items():
        goal(f"{name}: points of robust rows gained by the best defence, lower end (best {gain:+.1f})", low, 0.0)
    return 0


# -- what is compared -----------------------------------------------------------------------------------------------


def _defences(task: Task, quick: bool) -> Iterator[tuple[str, Callable[[], Any]]]:
    """(name, a model) of the plain one, of every defence, and of retraining on adversarial rows."""
    yield "plain", lambda: task.target
    every: tuple[tuple[str, dict[str, Any]], ...] = (
        ("robust_split", {"share": 0.25}),
        ("robust_split", {"share": 0.5}),
        ("robust_split", {"share": 1.0}),
        ("robust_split", {"share": 0.0}),
        ("robust_loss", {"share": 0.25}),
        ("robust_loss", {"share": 0.5}),
        ("robust_loss", {"share": 1.0}),
        ("anchored", {}),
        ("coarse", {}),
        ("subspaces", {}),
        ("augment", {"copies": 4, "positive_copies": 0}),
        ("regularise", {}),
        ("adversarial", {"rounds": 2 if quick else 5}),
    )
    for name, options in every:
        if quick and (name == "regularise" or options.get("share") in (0.0, 1.0)):
            continue
        told = " ".join([name, *(f"{key} {value}" for key, value in options.items())])
        if name != "anchored" or any(not (c.movable or c.formula) for c in task.schema.columns):
            yield told, lambda name=name, options=options: _hardened(task, name, options, quick)


def _hardened(task: Task, name: str, options: dict[str, Any], quick: bool) -> Any:
    from dataclasses import fields

    from temper.core.room import Room
    from temper.core.seed import Draws

    kind = Room("temper.hardening").get(name)
    known = {field.name for field in fields(kind)}
    norm, radius = task.middle.norm, task.middle.radius
    handed = {"schema": task.schema, "budget": task.middle, "inner": _inner(task, 1000 if quick else 6000)}
    if name == "augment":
        handed |= {"norm": norm, "radius": radius}
    made = kind(**{key: value for key, value in handed.items() if key in known}, **options)
    return made.apply(task.target, task.train, Draws(0, f"hardening.{name}"))


def _inner(task: Task, most: int) -> Callable[[Any, Any], Any]:
    """Adversarial rows among the first `most` training rows, with their truth."""
    from temper.core.data import Data

    def attack(target: Any, data: Any) -> Any:
        few = data.take(np.arange(min(most, len(data))))
        found = _struck(task, target, few, task.middle, _threshold(task, target))
        broken = found.verdicts == "broken"
        return Data(x=found.x_adv[broken], y=few.y[broken], ids=few.ids[broken])

    return attack


def _measured(task: Task, name: str, make: Callable[[], Any], quick: bool) -> Result:
    from temper.kernels.ranking import auc

    start = time.process_time()
    target = make()
    seconds = time.process_time() - start
    threshold = _threshold(task, target)
    scores = target.scores(task.test.x)[:, 1]
    right = (scores >= (0.5 if threshold is None else threshold)) == (task.test.y == 1)
    rows = task.test.take(task.rows)
    robust = []
    for budget in task.budgets:
        broken = _struck(task, target, rows, budget, threshold).verdicts == "broken"
        robust.append(right[task.rows] & ~broken)
    proven = _proven(task, target, rows, threshold, quick)
    return Result(
        name=name, seconds=seconds, right=right, auc=auc(task.test.y, scores), robust=tuple(robust), proven=proven
    )


def _threshold(task: Task, target: Any) -> float | None:
    if task.rate is None:
        return 0.5
    return float(np.quantile(target.scores(task.train.x)[:, 1], 1 - task.rate, method="higher"))


def _scene(task: Task, target: Any, rows: Any, budget: Any, threshold: float | None) -> Any:
    from temper.core.attack import Scene

    return Scene(
        x=rows.x,
        y=rows.y,
        ids=rows.ids,
        schema=task.schema,
        budget=budget,
        threshold=threshold,
        target=target,
        kind=target.kind,
    )


def _struck(task: Task, target: Any, rows: Any, budget: Any, threshold: float | None) -> Any:
    """The trees searched where there are any."""
    from temper.core.room import Room
    from temper.core.seed import Draws
    from temper.judges.misclassified import Misclassified
    from temper.targets.oracle import Oracle

    scene = _scene(task, target, rows, budget, threshold)
    attack = Room("temper.attacks").get("evasion.tree_ascent")()
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(0, "evasion.tree_ascent", scene.ids))
    return oracle.evidence()


def _proven(task: Task, target: Any, rows: Any, threshold: float | None, quick: bool) -> str:
    """The certified share, and how many rows stay open."""
    from temper.validation.tree_bounds import TreeBounds

    scene = _scene(task, target, rows, task.middle, threshold)
    most, seconds = (20, 0.1) if quick else (60, 0.5)  # seconds per row
    check = TreeBounds(rows=most, states=20_000, seconds=seconds, steps=1)
    share = check.measure(scene).measurements[0]
    return f"{share.value:.0%} (n {share.n}, open {share.undecided})"


def _print(task: Task, found: list[Result]) -> tuple[float, float]:
    """A line per model; the largest sure gain at the middle budget as (points, lower end)."""
    from temper.kernels.rate import paired_rates, wilson

    middle = len(task.budgets) // 2
    plain, lines, best = found[0], [], (0.0, -100.0)
    for one in found:
        n = len(task.rows)
        low, high = wilson(int(one.robust[middle].sum()), n)
        difference, worse, better = (100 * v for v in paired_rates(plain.robust[middle], one.robust[middle]))
        best = max(best, (difference, worse), key=lambda pair: pair[1]) if one is not plain else best
        lines.append(
            [
                one.name,
                f"{one.right.mean():.3f}",
                f"{one.auc:.3f}",
                *(f"{robust.mean():.3f}" for robust in one.robust),
                f"[{low:.3f}, {high:.3f}]",
                "" if one is plain else f"{difference:+.1f} [{worse:+.1f}, {better:+.1f}]",
                one.proven,
                f"{one.seconds:.1f}",
            ]
        )
    at = [f"{budget.norm} {budget.radius:g}" for budget in task.budgets]
    columns = ["", "accuracy", "AUC", *at, f"at {at[middle]}", "points against plain", f"proven at {at[middle]}", "s"]
    table(f"{task.name}: robust share of {len(task.rows)} rows, [95 %], {len(task.test):,} test rows", columns, lines)
    return best


# -- tasks ----------------------------------------------------------------------------------------------------------


def _generated(quick: bool) -> Task:
    from sklearn.datasets import make_classification
    from sklearn.model_selection import train_test_split
    from xgboost import XGBClassifier

    import temper
    from temper.core.data import Data
    from temper.core.schema import Column, Mutability, Schema

    x, y = make_classification(
        20000, 30, n_informative=15, n_redundant=5, n_clusters_per_class=4, class_sep=1.0, random_state=0
    )
    x = ((x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))).astype(np.float32)
    train, test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0)
    model = XGBClassifier(n_estimators=200, max_depth=6, learning_rate=0.1, random_state=0, nthread=1)
    free = [Column(name=f"x{at}", low=0.0, high=1.0, attacker=Mutability.FREE) for at in range(30)]
    return Task(
        name="task 2.0",
        target=temper.target(model.fit(train, y_train)),
        schema=Schema(columns=tuple(free)),
        train=Data(x=train.astype(float), y=y_train),
        test=Data(x=test.astype(float), y=y_test),
        rows=np.arange(200 if quick else 1000),
        budgets=tuple(temper.Budget(norm="linf", radius=radius) for radius in (0.01, 0.02, 0.05)),
    )


def _fraud(quick: bool) -> Task | None:
    from temper.demos import fraud

    with tempfile.TemporaryDirectory() as folder:
        return _system("fraud demo", fraud.write(Path(folder) / "fraud"), 2.0, quick)


def _credit(quick: bool) -> Task | None:
    from examples.credit import prepare

    given = os.environ.get("TEMPER_DATA") or Path(__file__).parents[3] / "shared" / "data"
    file = Path(given) / prepare.FILE
    if not file.exists():
        return None
    train, test = prepare.split(prepare.read(file))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare.save_lightgbm(train, folder)
        for part, frame in (("train", train), ("test", test)):
            frame.to_parquet(folder / f"{part}.parquet")
        (folder / "temper.yaml").write_text((prepare.HERE / "lightgbm" / "temper.yaml").read_text())
        return _system("credit defaults", folder / "temper.yaml", 4.0, quick)


def _system(name: str, path: Path, cost: float, quick: bool) -> Task:
    """The system of a temper.yaml at three costs round its attacker's own."""
    import temper

    system = temper.load(path)
    positive = np.flatnonzero(np.asarray(system.data.y) == 1)
    rows = np.random.default_rng(0).permutation(positive)[: 50 if quick else 400]
    rate = float((system.target.scores(system.train.x)[:, 1] >= system.threshold).mean())
    budgets = tuple(
        temper.Budget(norm="cost", radius=share * cost, cost=share * cost)
        for share in ((1.0,) if quick else (0.5, 1.0, 2.0))
    )
    return Task(
        name=name,
        target=system.target,
        schema=system.schema,
        train=system.train,
        test=replace(system.data, ids=np.arange(len(system.data))),
        rows=np.sort(rows),
        budgets=budgets,
        rate=rate,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
