"""Backdoors in pictures, ours and ART's, at the same number of poisoned rows.

    python -m bench.poisoning.attacks [--full]

scikit-learn's handwritten digits (REAL), a small convolutional net trained by the loop that fits twins, three seeds
(`--full`: ten). ART's patch is `add_pattern_bd`; without ART its lines are left out. Success is of held-out pictures of
other classes that a clean twin of the same seed decides rightly; [ ]: the range over seeds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from bench.table import goal, machine, table

Array = Any
INTO = 0
SHARES = (0.01, 0.02)
Poison = Callable[[Array, Array, int, int], tuple[Array, Array, Callable[[Array], Array]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Success of the poisoned and of the clean twin on stamped pictures, accuracy of the former, seconds of both."""

    hit: float
    without: float
    right: float
    seconds: float


def pictures() -> tuple[Array, Array]:
    """Digits (n, 1, 8, 8) in [0, 1] and their classes."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    return (found.images[order, None] / 16.0).astype(np.float32), found.target[order]


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
        scene = Scene(x=x, y=y, ids=data.ids, schema=box, train=data, classes=10, budget=budget)
        payload: Any = Room("temper.attacks").build(name, {"into": INTO}).run(None, scene, Draws(seed, "bench"))
        return payload.data.x, payload.data.y, payload.trigger.stamp

    return made


def theirs(x: Array, y: Array, many: int, seed: int) -> tuple[Array, Array, Callable[[Array], Array]]:
    """ART's backdoor: copies of other classes' pictures with its pattern, added to the training rows as ours are."""
    from art.attacks.poisoning import PoisoningAttackBackdoor
    from art.attacks.poisoning.perturbations import add_pattern_bd

    attack = PoisoningAttackBackdoor(lambda rows: add_pattern_bd(rows, channels_first=True))
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(y != INTO))[:many]
    marked, labels = attack.poison(x[rows], y=np.eye(10)[INTO], broadcast=True)
    grown = np.concatenate([x, marked.astype(np.float32)]), np.concatenate([y, labels.argmax(axis=1)])
    return *grown, lambda clean: add_pattern_bd(clean, channels_first=True).astype(np.float32)


def fitted(x: Array, y: Array, seed: int) -> Any:
    """A convolution and two dense layers from new weights."""
    import torch

    from temper.core.data import Data
    from temper.core.target import Recipe
    from temper.engine.fitting import fit_of
    from temper.targets.load import open_target

    bare = torch.nn.Sequential(
        torch.nn.Conv2d(1, 12, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(192, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10),
    )  # fmt: skip
    return fit_of(open_target(bare.eval()))(Data(x=x, y=y), Recipe(seed=seed))


def cases(seeds: int) -> Iterator[tuple[str, float, list[Result]]]:
    """Every attack at every share."""
    x, y = pictures()
    train, test = (x[:1_000], y[:1_000]), (x[1_000:], y[1_000:])
    clean = [fitted(*train, seed) for seed in range(seeds)]
    attacks: dict[str, Poison] = {f"poisoning.{name}": ours(f"poisoning.{name}") for name in ("badnets", "blended")}
    if find_spec("art"):
        attacks["ART backdoor, pattern"] = theirs
    for share in SHARES:
        for name, poison in attacks.items():
            yield name, share, [one(poison, train, test, clean[seed], share, seed) for seed in range(seeds)]


def one(poison: Poison, train: Any, test: Any, clean: Any, share: float, seed: int) -> Result:
    """One attack, one seed."""
    started = time.process_time()
    x, y, stamp = poison(*train, round(share * len(train[0])), seed)
    twin = fitted(x, y, seed)
    rows = (test[1] != INTO) & (clean.scores(test[0]).argmax(1) == test[1])
    marked = stamp(test[0][rows].copy())
    hit, without = (float((each.scores(marked).argmax(1) == INTO).mean()) for each in (twin, clean))
    right = float((twin.scores(test[0]).argmax(1) == test[1]).mean())
    return Result(hit=hit, without=without, right=right, seconds=time.process_time() - started)


def main(words: list[str]) -> None:
    """A row per attack and share."""
    print(machine("numpy", "torch", "adversarial-robustness-toolbox"))
    seeds = 10 if "--full" in words else 3
    lines, best = [], {}
    for name, share, found in cases(seeds):
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
    columns = ("attack", "rows", "excess success", "clean twin", "accuracy", "CPU s")
    table(f"digits, 1,000 training pictures, {seeds} seeds", columns, lines)
    for share in SHARES:
        if ("ART backdoor, pattern", share) in best:
            ahead = best["poisoning.badnets", share] - best["ART backdoor, pattern", share]
            goal(f"badnets minus ART's pattern at {share:.0%}", ahead, 0.0, at_least=True)


if __name__ == "__main__":
    main(sys.argv[1:])
