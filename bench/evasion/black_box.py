"""Attacks on decisions and scores alone, against ART at equal queries on the same rows, and against the exact share.

    python -m bench.evasion.black_box [--quick]

The task is `make_classification` (30 columns in [0, 1]) with XGBoost 200 x depth 6. Ours gets the queries per row that
ART spent. Times are processor time on one thread: ours over 100 rows in lock-step, ART's over the rows it is shown with
(it works row by row, so its time per row does not depend on them); distances are on the same rows. Square's truth is
exact search (Veritas). A peer that is missing is left out.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from bench.table import goal, machine, table

Array = Any
EPSILONS = (0.01, 0.02, 0.03, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What one attack did: processor milliseconds and queries per row, and how far it went."""

    ms: float
    queries: float
    broken: Array
    distance: Array


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    warnings.simplefilter("ignore")
    quick = "--quick" in words
    print(machine("numpy", "xgboost-cpu", "adversarial-robustness-toolbox", "dtai-veritas"))
    model, x, y = task(100)
    floor(model, x)
    pairs(model, x, y, 12 if quick else 40)
    square(model, x, y, seeds=1 if quick else 3)
    return 0


def task(rows: int) -> tuple[Any, Array, Array]:
    """The model, and the first rows it judges right."""
    from sklearn.datasets import make_classification
    from sklearn.model_selection import train_test_split
    from xgboost import XGBClassifier

    x, y = make_classification(
        20_000, 30, n_informative=15, n_redundant=5, n_clusters_per_class=4, class_sep=1.0, random_state=0
    )
    x = ((x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))).astype(np.float32)
    train, test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0)
    model = XGBClassifier(n_estimators=200, max_depth=6, learning_rate=0.1, random_state=0, nthread=1)
    model.fit(train, y_train)
    right = np.flatnonzero(model.predict(test) == y_test)[:rows]
    return model, test[right], y_test[right]


def floor(model: Any, x: Array) -> None:
    """What the model's own predict costs a row: no attack on its answers can be faster."""
    import temper

    target, asked = temper.target(model), np.tile(x, (64, 1))
    spent = []
    for _ in range(6):
        start = time.process_time()
        target.scores(asked)
        spent.append((time.process_time() - start) / len(asked))
    each = 1e6 * float(np.median(spent[1:]))
    print(
        f"predict alone: {each:.2f} us a row, {6.4 * each:.1f} ms for 6,400 and {0.3 * each:.2f} ms for 300 questions"
    )


# -- decisions alone --------------------------------------------------------------------------------------------------


def pairs(model: Any, x: Array, y: Array, rows: int) -> None:
    """Each of ours beside ART's at equal queries, on the same rows."""
    from temper.attacks.evasion.boundary import Boundary
    from temper.attacks.evasion.hopskipjump import HopSkipJump

    walk, jump = Boundary(steps=5_000), HopSkipJump(steps=200, most_probes=1_000)
    sides = [("HopSkipJump", "l2", jump, 6.0), ("HopSkipJump", "linf", jump, 8.0)]
    sides += [("Boundary", "l2", walk, 0.0), ("Boundary", "linf", walk, 0.0)]
    lines, goals, peers = [], [], {}
    for name, norm, attack, wanted in sides:
        kind = name if name == "Boundary" else f"{name} {norm}"
        if kind not in peers:
            peers[kind] = art(model, x[:rows], y[:rows], name, norm)
        peer = peers[kind]
        queries = round(peer.queries) if peer else 6_400
        own = first(struck(attack, model, x, y, norm=norm, queries=queries, mode="nearest"), rows)
        lines.append(shown(f"temper {name}", norm, own, own, x[:rows]))
        if peer:
            there = apart(peer, x[:rows], norm)
            lines.append(shown(f"ART {name}", norm, there, own, x[:rows]))
            goals.append((name, norm, own, there, wanted))
    columns = ["", "norm", "queries/row", "ms/row", "ratio", "success", "median distance", "n"]
    table("distance at equal queries, same rows", columns, lines)
    for name, norm, own, there, wanted in goals:
        share = float(np.median(own.distance) / np.median(there.distance))
        goal(f"{name} {norm} median distance over ART's", share, 1.0, digits=3)
        if wanted:
            goal(f"{name} {norm} ART's time over ours", there.ms / own.ms, wanted, at_least=True)


def shown(title: str, norm: str, hit: Hit, own: Hit, x: Array) -> list[str]:
    """One line of the table."""
    middle = f"{np.median(hit.distance):.4f}"
    ratio = f"{hit.ms / own.ms:.1f}x"
    return [title, norm, f"{hit.queries:.0f}", f"{hit.ms:.1f}", ratio, f"{hit.broken.mean():.0%}", middle, str(len(x))]


def first(hit: Hit, rows: int) -> Hit:
    """Broken and distance of the first rows; the times stay those of all."""
    return Hit(ms=hit.ms, queries=hit.queries, broken=hit.broken[:rows], distance=hit.distance[:rows])


def art(model: Any, x: Array, y: Array, name: str, norm: str) -> Hit | None:
    """The attack of ART, with its points in place of distances; None where ART is missing."""
    if find_spec("art") is None:
        print("ART is not installed: our side alone")
        return None
    from art.attacks.evasion import BoundaryAttack, HopSkipJump
    from art.estimators.classification import XGBoostClassifier

    np.random.seed(0)  # noqa: NPY002  ART draws from the global state
    wrapped = XGBoostClassifier(model=model, clip_values=(0, 1), nb_features=x.shape[1], nb_classes=2)
    if name == "HopSkipJump":
        order = 2 if norm == "l2" else np.inf
        attack = HopSkipJump(wrapped, norm=order, max_iter=20, max_eval=1000, verbose=False)
    else:
        attack = BoundaryAttack(wrapped, targeted=False, max_iter=200, num_trial=25, sample_size=20, verbose=False)
    asked: list[int] = []
    wrapped.predict = counted(wrapped.predict, asked)
    start = time.process_time()
    found = attack.generate(x)
    ms = (time.process_time() - start) * 1_000 / len(x)
    return Hit(ms=ms, queries=sum(asked) / len(x), broken=model.predict(found) != y, distance=found)


def counted(predict: Callable[..., Array], asked: list[int]) -> Callable[..., Array]:
    """The predict of ART, which notes how many rows it was asked for."""

    def answer(x: Array, **more: Any) -> Array:
        asked.append(len(x))
        return predict(x, **more)

    return answer


def apart(hit: Hit, x: Array, norm: str) -> Hit:
    """The same with distances in this norm, infinite where not broken."""
    delta = np.abs(hit.distance.astype(float) - x.astype(float))
    far = delta.max(axis=1) if norm == "linf" else np.sqrt((delta**2).sum(axis=1))
    return Hit(ms=hit.ms, queries=hit.queries, broken=hit.broken, distance=np.where(hit.broken, far, np.inf))


def struck(
    attack: Any,
    model: Any,
    x: Array,
    y: Array,
    *,
    norm: str,
    queries: int,
    mode: str,
    radius: Any = None,
    seed: int = 0,
) -> Hit:
    """One of ours through the oracle; one query of the budget goes to the last check."""
    from temper.core.attack import Scene
    from temper.core.budget import Budget
    from temper.core.schema import Column, Mutability, Schema
    from temper.core.seed import Draws
    from temper.judges.misclassified import Misclassified
    from temper.targets.load import open_target
    from temper.targets.oracle import Oracle

    columns = (Column(name=f"x{at}", low=0, high=1, attacker=Mutability.FREE) for at in range(x.shape[1]))
    scene = Scene(
        x=x.astype(float),
        y=y.astype(np.int64),
        ids=np.arange(len(x)),
        schema=Schema(columns=tuple(columns)),
        budget=Budget(norm=norm, radius=radius, queries=queries + 1),
        threshold=0.5,
        mode=mode,
    )
    target = open_target(model)
    start = time.process_time()
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(seed, "bench", scene.ids))
    found = oracle.evidence()
    ms = (time.process_time() - start) * 1_000 / len(x)
    return Hit(ms=ms, queries=found.queries.mean(), broken=found.verdicts == "broken", distance=found.distance)


# -- scores at a fixed radius -----------------------------------------------------------------------------------------


def square(model: Any, x: Array, y: Array, seeds: int) -> None:
    """Square, MOEVA and random search with 300 queries, beside what can be broken at all."""
    from temper.attacks.evasion.moeva import MOEVA
    from temper.attacks.evasion.random_search import RandomSearch
    from temper.attacks.evasion.square import Square

    lines, shares, times = [], {}, {}
    for epsilon in EPSILONS:
        exact = breakable(model, x, y, epsilon)
        for attack in (Square(), MOEVA(), RandomSearch()):
            setting = {"norm": "linf", "queries": 300, "mode": "first", "radius": epsilon}
            hits = [struck(attack, model, x, y, seed=seed, **setting) for seed in range(seeds)]
            success, ms = float(np.mean([hit.broken.mean() for hit in hits])), min(hit.ms for hit in hits)
            name = type(attack).__name__
            truth, part = ("", "") if exact is None else (f"{exact:.0%}", f"{success / exact:.2f}")
            line = [f"{name}", f"{epsilon}", f"{np.mean([hit.queries for hit in hits]):.0f}", f"{ms:.2f}"]
            lines.append([*line, f"{success:.1%}", truth, part, str(len(x) * seeds)])
            if name == "Square" and epsilon == 0.02:
                shares["share"], times["ms"] = (success / exact if exact else float("nan")), ms
    columns = ["300 queries, linf", "radius", "queries/row", "ms/row", "success", "exact", "share", "n"]
    table("success at a fixed radius", columns, lines)
    if not np.isnan(shares["share"]):
        goal("Square's share of the exact success at .02", shares["share"], 0.8, at_least=True)
    goal("Square at .02", times["ms"], 2.0, "ms/row")


def breakable(model: Any, x: Array, y: Array, epsilon: float) -> float | None:
    """The share of rows that some point of the box breaks, by Veritas."""
    if find_spec("veritas") is None:
        return None
    import veritas

    trees = veritas.get_addtree(model, silent=True)
    sides = trees, trees.negate_leaf_values()
    return float(np.mean([_found(veritas, sides[int(at)], row, epsilon) for row, at in zip(x, y, strict=True)]))


def _found(veritas: Any, trees: Any, row: Array, epsilon: float) -> bool:
    tops = np.nextafter(np.minimum(row + np.float32(epsilon), np.float32(1)), np.float32(2))
    box = [veritas.Interval(max(v - epsilon, 0.0), top) for v, top in zip(row, tops, strict=True)]
    config = veritas.Config(veritas.HeuristicType.MAX_OUTPUT)
    config.ignore_state_when_worse_than = 0.0
    config.stop_when_num_solutions_exceeds = 1
    config.max_focal_size, config.focal_eps = 1_000, 0.2
    search = config.get_search(trees.prune(box), box)
    search.step_for(60.0, 1_000)
    return bool(search.num_solutions() > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
