"""Attacks that read trees, against exact search (Veritas) and the black-box attacks of ART, on the same rows.

    python -m bench.evasion.trees [--quick]

The task is `make_classification` (30 columns in [0, 1]) with XGBoost 200 x depth 6; LightGBM and a forest follow on it,
then models of card fraud and of credit defaults where there is a data folder (TEMPER_DATA, else ../shared/data). Times
are processor time on one thread, without compiling (printed once). Every row is judged right when clean. Peers that are
missing are left out.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.evasion.tree_cases import Case, first_case, other_cases
from bench.table import goal, machine, table

EPSILONS = (0.01, 0.02, 0.03, 0.05)
CLOSE, PATIENCE = 0.004, 3.0
Array = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What one attack did to the rows: processor milliseconds per row, which are broken, how far it went."""

    ms: float
    broken: Array
    distance: Array
    queries: float
    unknown: int = 0


def main(words: list[str]) -> int:
    """Print the tables and the goals."""
    warnings.simplefilter("ignore")
    quick = "--quick" in words
    print(machine("numpy", "numba", "xgboost-cpu", "lightgbm", "scikit-learn", "dtai-veritas"))
    rows = 40 if quick else 100
    first = first_case(rows)
    _warm_up(first)
    _fixed(first, quick)
    _nearest(first, quick)
    for case in other_cases(30 if quick else rows):
        _repeat(case, quick)
    for name, module in (("fraud", "temper.demos.fraud"), ("held out", "temper.demos.held_out")):
        _demo(name, import_module(module), 40 if quick else 100)
    return 0


# -- tables ---------------------------------------------------------------------------------------------------------


def _fixed(case: Case, quick: bool) -> None:
    """Success inside a box, against the exact share and against ART's HopSkipJump."""
    peer = _art(case, "hopskip", 5 if quick else 20)
    lines, gaps, slowest, ratio = [], [], 0.0, np.inf
    for epsilon in EPSILONS:
        ours = _ours(case, "tree_ascent", norm="linf", radius=epsilon)
        exact = None if quick and epsilon > 0.03 else _exact(case, epsilon)
        slowest = max(slowest, ours.ms)
        line = [f"{epsilon}", f"{ours.broken.mean():.1%}", f"{np.nanmedian(_reached(ours)):.4f}", f"{ours.ms:.3f}"]
        gaps += [100 * (exact.broken.mean() - ours.broken.mean())] if exact and not exact.unknown else []
        line += [_share(exact), f"{exact.ms:.2f}"] if exact else ["", ""]
        if peer:
            ratio = min(ratio, peer.ms / ours.ms)
            line += [f"{(peer.distance <= epsilon).mean():.0%}", f"{peer.ms / ours.ms:.0f}x"]
        lines.append([*line, len(case.x)])
    names = ["linf", "broken", "median", "ms/row", "exact", "Veritas ms/row"]
    names += ["ART HSJ broken", "ART ms / ours"] if peer else []
    table(f"{case.name}: evasion.tree_ascent in a box", [*names, "n"], lines)
    if peer:
        print(
            f"ART HopSkipJump linf (20 x 1000): {peer.ms:.0f} ms/row, {peer.queries:.0f} queries, n {len(peer.broken)}"
        )
        goal("ART HopSkipJump's time over ours", ratio, 200, at_least=True, digits=0)
    if gaps:
        goal("points of success below exact", max(gaps), 1.0 + 1e-9)
    goal("tree_ascent per row", slowest, 0.6, "ms", digits=3)


def _nearest(case: Case, quick: bool) -> None:
    """The nearest success: l2 against ART's Boundary attack, linf against the exact distance."""
    l2 = _ours(case, "tree_nearest", norm="l2")
    peer = _art(case, "boundary", 5 if quick else 20)
    own = np.median(l2.distance[: len(peer.distance)]) if peer else np.median(l2.distance)
    lines = [["tree_nearest l2", f"{l2.broken.mean():.0%}", f"{own:.4f}", f"{l2.distance.mean():.4f}", f"{l2.ms:.2f}"]]
    if peer:
        median, mean = np.median(peer.distance), peer.distance.mean()
        lines.append(["ART Boundary", f"{peer.broken.mean():.0%}", f"{median:.4f}", f"{mean:.4f}", f"{peer.ms:.1f}"])
    linf = _ours(case, "tree_nearest", norm="linf")
    lines.append(_line("tree_nearest linf", linf))
    exact = _exact_distance(case, linf.distance[: 10 if quick else 40])
    if exact is not None:
        lines.append(
            [
                "Veritas linf",
                "100%",
                f"{np.median(exact.distance):.4f}",
                f"{exact.distance.mean():.4f}",
                f"{exact.ms:.0f}",
            ]
        )
    lines += [_line(f"tree_nearest {norm}", _ours(case, "tree_nearest", norm=norm)) for norm in ("l1", "l0")]
    table(f"{case.name}: the nearest success (n {len(case.x)}; medians beside ART on its rows)", _NAMES, lines)
    if peer:
        goal("median l2 over ART Boundary's", own / np.median(peer.distance), 0.75)
        goal("ART Boundary's time over ours", peer.ms / l2.ms, 10, at_least=True, digits=0)
    if exact is not None:
        share = linf.distance[: len(exact.distance)] / exact.distance
        goal("mean linf over exact", float(share.mean()), 1.02, digits=4)
        print(f"  worst {share.max():.3f}, nearest {share.min():.4f}, n {len(share)}")
    goal("tree_nearest linf per row", linf.ms, 40, "ms")


def _demo(name: str, module: Any, rows: int) -> None:
    """A schema with relations and derived columns, a budget of cost: beside the searches that see scores alone."""
    from bench.search import _budget, _opened
    from temper.core.room import Room
    from temper.engine.plan import draw
    from temper.engine.task import SUITES, Task
    from temper.judges.misclassified import Misclassified
    from temper.targets.oracle import Oracle

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        system, chosen = _opened(module.write(Path(folder) / "demo"), rows)
        world = draw(system, SUITES["standard"], 0)
        for plugin in ("coordinate", "random_search", "tree_ascent", "tree_nearest"):
            task = Task(room="attacks", plugin=f"evasion.{plugin}", budget=replace(_budget(system), queries=200))
            attack = Room("temper.attacks").build(task.plugin)
            scene = world.scene(task, chosen, mode="nearest" if plugin == "tree_nearest" else "first")
            start = time.process_time()
            oracle = Oracle(system.target, scene, Misclassified(), attack.needs)
            attack.run(oracle, scene, world.rng(task, scene.ids))
            found = oracle.evidence()
            hit = Hit(
                ms=_ms(start, len(chosen)),
                broken=found.verdicts == "broken",
                distance=found.distance,
                queries=float(found.queries.mean()),
            )
            lines.append([*_line(plugin, hit), f"{hit.queries:.1f}"])
    table(f"{name} demo (SIMULATED), cost {_budget(system).cost:g}, 200 queries, n {rows}", [*_NAMES, "queries"], lines)


_NAMES = ["", "broken", "median", "mean", "ms/row"]


def _repeat(case: Case, quick: bool) -> None:
    """The same on another model: success in boxes beside exact, and the nearest success."""
    lines = []
    for epsilon in (EPSILONS[1],) if quick else EPSILONS[:3]:
        ours, exact = _ours(case, "tree_ascent", norm="linf", radius=epsilon), _exact(case, epsilon)
        truth = f"{_share(exact)} in {exact.ms:.1f} ms" if exact else "unknown"
        lines.append([f"linf {epsilon}", f"{ours.broken.mean():.1%}", "", "", f"{ours.ms:.2f}", truth])
    for norm in ("linf", "l2"):
        lines.append([*_line(f"nearest {norm}", _ours(case, "tree_nearest", norm=norm)), ""])
    table(f"{case.name} (n {len(case.x)})", [*_NAMES, "exact"], lines)


def _line(name: str, hit: Hit) -> list[str]:
    far = hit.distance[hit.broken] if hit.broken.any() else np.array([np.nan])
    return [name, f"{hit.broken.mean():.0%}", f"{np.median(far):.4f}", f"{far.mean():.4f}", f"{hit.ms:.2f}"]


def _share(exact: Hit) -> str:
    """The exact share, and how many rows the peer ran out of patience on."""
    return f"{exact.broken.mean():.1%}" + (f" + {exact.unknown} unknown" if exact.unknown else "")


def _reached(hit: Hit) -> Array:
    return np.where(hit.broken, hit.distance, np.nan)


# -- sides ----------------------------------------------------------------------------------------------------------


def _ours(case: Case, name: str, **budget: Any) -> Hit:
    """One of our attacks through the oracle; reading the model is part of the time."""
    import temper
    from temper.core.attack import Scene
    from temper.core.room import Room
    from temper.core.schema import Schema
    from temper.core.seed import Draws
    from temper.judges.misclassified import Misclassified
    from temper.targets.oracle import Oracle

    target, attack = temper.target(case.model), Room("temper.attacks").get(f"evasion.{name}")()
    scene = Scene(
        x=case.x,
        y=case.y,
        ids=np.arange(len(case.x)),
        schema=Schema.box(0.0, 1.0),
        budget=temper.Budget(**budget),
        mode="first" if name == "tree_ascent" else "nearest",
        threshold=0.5,
        kind=target.kind,
        classes=target.classes,
    )
    target.trees()
    start = time.process_time()
    oracle = Oracle(target, scene, Misclassified(), attack.needs)
    attack.run(oracle, scene, Draws(0, name, scene.ids))
    ms = _ms(start, len(case.x))
    found = oracle.evidence()
    return Hit(ms=ms, broken=found.verdicts == "broken", distance=found.distance, queries=float(found.queries.mean()))


def _warm_up(case: Case) -> None:
    """Compile, or load what was compiled before."""
    start = time.process_time()
    few = Case(name="", model=case.model, x=case.x[:2], y=case.y[:2])
    _ours(few, "tree_ascent", norm="linf", radius=0.01)
    print(f"compiling, or loading what was compiled: {time.process_time() - start:.1f} s of processor time")


def _art(case: Case, which: str, rows: int) -> Hit | None:
    """ART's HopSkipJump (linf) or Boundary (l2) on the first rows."""
    if find_spec("art") is None:
        print("ART is not installed: our side alone")
        return None
    from art.attacks.evasion import BoundaryAttack, HopSkipJump
    from art.estimators.classification import XGBoostClassifier

    np.random.seed(0)  # noqa: NPY002  ART draws from the global state
    wrapped = XGBoostClassifier(model=case.model, clip_values=(0, 1), nb_features=case.x.shape[1], nb_classes=2)
    if which == "hopskip":
        attack = HopSkipJump(wrapped, norm=np.inf, max_iter=20, max_eval=1000, verbose=False)
    else:
        attack = BoundaryAttack(wrapped, targeted=False, max_iter=200, num_trial=25, sample_size=20, verbose=False)
    x, asked = case.x[:rows].astype(np.float32), [0]
    predict = wrapped.predict
    wrapped.predict = lambda x, **more: _counted(asked, x, predict, more)
    start = time.process_time()
    found = attack.generate(x)
    ms = _ms(start, rows)
    delta = np.abs(found.astype(float) - x.astype(float))
    far = delta.max(axis=1) if which == "hopskip" else np.sqrt((delta**2).sum(axis=1))
    broken = case.model.predict(found) != case.y[:rows]
    return Hit(ms=ms, broken=broken, distance=np.where(broken, far, np.inf), queries=asked[0] / rows)


def _counted(asked: list[int], x: Array, predict: Callable[..., Array], more: dict[str, Any]) -> Array:
    asked[0] += len(x)
    return predict(x, **more)


def _exact(case: Case, epsilon: float) -> Hit | None:
    """Which rows can be broken at all, by Veritas."""
    trees = _veritas(case)
    if trees is None:
        return None
    start = time.process_time()
    told = [_breakable(trees, x, y, epsilon) for x, y in zip(case.x, case.y, strict=True)]
    ms, broken = _ms(start, len(case.x)), np.array([bool(one) for one in told])
    far = np.where(broken, epsilon, np.inf)
    return Hit(ms=ms, broken=broken, distance=far, queries=0.0, unknown=sum(one is None for one in told))


def _exact_distance(case: Case, found: Array) -> Hit | None:
    """The exact distance in linf to 0.4 %: nothing nearer than what was `found`, else bisected below it."""
    trees = _veritas(case)
    if trees is None:
        return None
    start, exact = time.process_time(), []
    for x, y, far in zip(case.x, case.y, found, strict=False):
        low, high = far * (1 - CLOSE), far
        if _breakable(trees, x, y, low):
            low, high = 0.0, low
        while high - low > CLOSE * high:
            middle = (low + high) / 2
            low, high = (low, middle) if _breakable(trees, x, y, middle) else (middle, high)
        exact.append(high)
    broken = np.ones(len(exact), dtype=bool)
    return Hit(ms=_ms(start, len(exact)), broken=broken, distance=np.array(exact), queries=0.0)


def _veritas(case: Case) -> Any:
    """The ensemble and its negative, in Veritas' form, or None where Veritas is missing or cannot read the model."""
    if find_spec("veritas") is None:
        return None
    import veritas

    try:
        trees = veritas.get_addtree(case.model, silent=True)
    except Exception as crash:
        print(f"Veritas does not read {case.name}: {crash}")
        return None
    return trees, trees.negate_leaf_values()


def _breakable(trees: Any, x: Array, y: int, epsilon: float) -> bool | None:
    """Veritas as a decision procedure on the box of one row; None when out of patience."""
    import veritas

    box = [
        veritas.Interval(max(v - epsilon, 0.0), np.nextafter(np.float32(min(v + epsilon, 1.0)), np.float32(2)))
        for v in x
    ]
    config = veritas.Config(veritas.HeuristicType.MAX_OUTPUT)
    config.ignore_state_when_worse_than = 0.0
    config.stop_when_num_solutions_exceeds = 1
    config.max_focal_size, config.focal_eps = 1000, 0.2
    search = config.get_search(trees[int(y)].prune(box), box)
    why = search.step_for(PATIENCE, 1000)
    return None if why == veritas.StopReason.OUT_OF_TIME else bool(search.num_solutions() > 0)


def _ms(start: float, rows: int) -> float:
    return 1e3 * (time.process_time() - start) / rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
