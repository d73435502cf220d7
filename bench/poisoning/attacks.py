"""Backdoors in pictures, ours and ART's, at the same number of poisoned rows.

    TEMPER_DATA=PATH python -m bench.poisoning.attacks [digits mnist gtsrb] [--full]

scikit-learn's handwritten digits, MNIST and traffic signs (all REAL), a small convolutional net trained by the loop
that fits twins, 1 % of the rows, three seeds (`--full`: three shares, ten seeds). ART's patches are `add_pattern_bd`,
in a square as large as ours, and `add_single_bd`, one pixel; without ART its lines are left out. Success is of held-out
pictures of other classes that a clean twin of the same seed decides rightly; [ ]: the range over seeds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from bench.poisoning._pictures import Split, fitted, pictures
from bench.table import goal, machine, table

Array = Any
INTO = 0
PATTERN = "ART, pattern"
Poison = Callable[[Array, Array, int, int], tuple[Array, Array, Callable[[Array], Array]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Success of the poisoned and of the clean twin on stamped pictures, accuracy of the former, seconds of both."""

    hit: float
    without: float
    right: float
    seconds: float


def ours(name: str) -> Poison:
    """An attack of this project as a function: training rows in, training rows and a stamp out."""

    def made(x: Array, y: Array, many: int, seed: int) -> tuple[Array, Array, Callable[[Array], Array]]:
        from temper.core.attack import Scene
        from temper.core.budget import Budget
        from temper.core.data import Data
        from temper.core.room import Room
        from temper.core.schema import Schema
        from temper.core.seed import Draws

        data = Data(x=x, y=y)
        box, budget = Schema.box(0.0, 1.0), Budget(share=many / len(x))
        scene = Scene(x=x, y=y, ids=data.ids, schema=box, train=data, classes=int(y.max()) + 1, budget=budget)
        payload: Any = Room("temper.attacks").build(name, {"into": INTO}).run(None, scene, Draws(seed, "bench"))
        return payload.data.x, payload.data.y, payload.trigger.stamp

    return made


def theirs(name: str) -> Poison:
    """ART's backdoor: copies of other classes' pictures with its pattern, added to the training rows as ours are."""

    def made(x: Array, y: Array, many: int, seed: int) -> tuple[Array, Array, Callable[[Array], Array]]:
        from art.attacks.poisoning import PoisoningAttackBackdoor, perturbations

        def stamp(clean: Array) -> Array:
            return np.moveaxis(getattr(perturbations, name)(np.moveaxis(clean, 1, 3)), 3, 1)

        rows = np.random.default_rng(seed).permutation(np.flatnonzero(y != INTO))[:many]
        wanted = np.eye(int(y.max()) + 1)[INTO]
        marked, labels = PoisoningAttackBackdoor(stamp).poison(x[rows], y=wanted, broadcast=True)
        grown = np.concatenate([x, marked.astype(np.float32)]), np.concatenate([y, labels.argmax(axis=1)])
        return *grown, lambda clean: stamp(clean).astype(np.float32)

    return made


def cases(split: Split, shares: tuple[float, ...], seeds: int) -> Iterator[tuple[str, float, list[Result]]]:
    """Every attack at each share."""
    train, test = split
    clean = [fitted(*train, int(train[1].max()) + 1, seed) for seed in range(seeds)]
    attacks: dict[str, Poison] = {f"poisoning.{name}": ours(f"poisoning.{name}") for name in ("badnets", "blended")}
    if find_spec("art"):
        attacks |= {PATTERN: theirs("add_pattern_bd"), "ART, single pixel": theirs("add_single_bd")}
    for share in shares:
        for name, poison in attacks.items():
            yield name, share, [one(poison, train, test, clean[seed], share, seed) for seed in range(seeds)]


def one(poison: Poison, train: Any, test: Any, clean: Any, share: float, seed: int) -> Result:
    """One attack, one seed."""
    started = time.process_time()
    x, y, stamp = poison(*train, round(share * len(train[0])), seed)
    twin = fitted(x, y, int(train[1].max()) + 1, seed)
    rows = (test[1] != INTO) & (clean.scores(test[0]).argmax(1) == test[1])
    marked = stamp(test[0][rows].copy())
    hit, without = (float((each.scores(marked).argmax(1) == INTO).mean()) for each in (twin, clean))
    right = float((twin.scores(test[0]).argmax(1) == test[1]).mean())
    return Result(hit=hit, without=without, right=right, seconds=time.process_time() - started)


def main(words: list[str]) -> None:
    """A row per set of pictures, attack and share."""
    print(machine("numpy", "torch", "adversarial-robustness-toolbox"))
    shares, seeds = ((0.005, 0.01, 0.02), 10) if "--full" in words else ((0.01,), 3)
    wanted = [word for word in words if not word.startswith("-")] or ["digits", "mnist", "gtsrb"]
    for source in wanted:
        if (split := pictures(source)) is None:
            print(f"no {source}: set TEMPER_DATA")
            continue
        best = _table(source, split, shares, seeds)
        for share in shares:
            if (PATTERN, share) in best:
                ahead = best["poisoning.badnets", share] - best[PATTERN, share]
                goal(f"{source}: badnets minus ART's pattern at {share:.1%}", ahead, 0.0, at_least=True)


def _table(source: str, split: Split, shares: tuple[float, ...], seeds: int) -> dict[tuple[str, float], float]:
    lines, best = [], {}
    for name, share, found in cases(split, shares, seeds):
        excess = [each.hit - each.without for each in found]
        best[name, share] = float(np.mean(excess))
        lines.append(
            (
                name,
                f"{share:.1%}",
                f"{np.mean(excess):.1%} [{min(excess):.1%}, {max(excess):.1%}]",
                f"{np.mean([each.without for each in found]):.1%}",
                f"{np.mean([each.right for each in found]):.1%}",
                f"{np.mean([each.seconds for each in found]):.1f}",
            )
        )
        print(source, *lines[-1], flush=True)
    columns = ("attack", "rows", "excess success", "clean twin", "accuracy", "CPU s")
    table(f"{source}, {len(split[0][1]):,} training pictures, {seeds} seeds", columns, lines)
    return best


if __name__ == "__main__":
    main(sys.argv[1:])
