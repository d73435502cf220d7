"""Do the proofs of privacy hold? One row in or out, hundreds of fits, and the least epsilon that explains what is seen.

    python -m bench.inversion.audit [--quick]

100 made-up rows; the row in question has a category and a flag that no other has. Half of the fits choose a threshold
on what the model adds for that flag, the other half count; the least epsilon is ln((found - delta) / false alarms),
both by Clopper-Pearson at 95 %. It must not be above the epsilon that is stated. Beside them what must be caught: the
same net without its noise, and a nominal column of interpret's private model, which knows a category as soon as one row
has it. "holds" means not refuted by so many fits.
"""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np

from bench.table import machine, table

N, SEEDS = 100, 400
Fits = Callable[[Any, int], float]


def main(words: list[str]) -> int:
    """Print the table; 1 where a proof is refuted or a culprit is not caught."""
    print(machine("numpy", "interpret-core", "torch", "opacus"))
    count, lines, wrong = (100 if "--quick" in words else SEEDS), [], []
    for title, epsilon, sound, fits in _cases():
        started = time.process_time()
        least = _least(fits, count)
        wrong += [title] if sound is (least > epsilon) else []
        told = "holds" if least <= epsilon else "refuted"
        lines.append([title, f"{epsilon:g}", f"{least:.2f}", told, f"{time.process_time() - started:.0f}"])
        print(" | ".join(lines[-1]), flush=True)
    table(f"one row of {N}, {count} fits with it and as many without", ["", "stated", "least", "", "CPU s"], lines)
    return bool(wrong)


def _least(fits: Fits, count: int) -> float:
    """The least epsilon by two-sided counts at the threshold chosen on the first half."""
    from temper.kernels.rate import clopper_pearson

    without, inside = _rows(), _rows(canary=True)
    seen = np.array(
        [[fits(data, 2 * seed + side) for seed in range(count)] for side, data in enumerate((without, inside))]
    )
    half = count // 2
    best = max(np.unique(seen[:, :half]), key=lambda t: _ratio(*(int((s >= t).sum()) for s in seen[:, :half]), half))
    alarms, found = (int((s >= best).sum()) for s in seen[:, half:])
    low, high = clopper_pearson(found, count - half, 0.95)[0], clopper_pearson(alarms, count - half, 0.95)[1]
    return math.log(max(low - _DELTA, 1e-9) / high)


def _ratio(alarms: int, found: int, n: int) -> float:
    from temper.kernels.rate import clopper_pearson

    return clopper_pearson(found, n, 0.95)[0] / clopper_pearson(alarms, n, 0.95)[1]


_DELTA = 1.0 / (10 * N)
_ROW = np.array([[0.0, 0.0, 3.0, 1.0]])


def _rows(canary: bool = False) -> Any:
    """Two numbers, a category and a flag; the last row is the one in question, or it is not there."""
    from temper.core.data import Data

    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=(N, 2)), rng.integers(0, 3, N), np.zeros(N)])
    y = (rng.random(N) < 0.1).astype(np.int64)
    keep = N + 1 if canary else N
    return Data(x=np.vstack([x, _ROW])[:keep], y=np.append(y, 1)[:keep])


def _cases() -> list[tuple[str, float, bool, Fits]]:
    """Title, epsilon, whether it must hold, and what a model of a seed says of the row."""
    cases: list[tuple[str, float, bool, Fits]] = []
    for epsilon in (1.0, 4.0):
        cases.append(("dp_ebm", epsilon, True, lambda data, seed, e=epsilon: _tree(data, seed, e)))
        cases.append(("dp_sgd", epsilon, True, lambda data, seed, e=epsilon: _net(data, seed, e)))
    cases.append(("dp_ebm, three classes", 1.0, True, lambda data, seed: _tree(_three(data), seed, 1.0, classes=3)))
    cases.append(("dp_sgd without its noise", 1.0, False, _noiseless))
    cases.append(("interpret, a nominal column", 1.0, False, _nominal))
    return cases


def _added(target: Any) -> float:
    """What the model adds to the log odds of the row for its flag."""
    p = np.asarray(target.scores(np.vstack([_ROW, _ROW * [1, 1, 1, 0]])))
    odds = np.log(p[:, 1]) - np.log(p[:, 0]) if p.min() > 0 and p.max() < 1 else p[:, 1] - p[:, 0]
    return float(odds[0] - odds[1])


def _three(data: Any) -> Any:
    """Rows of class 0 with a number above zero as a class of their own; the row in question is of class 1."""
    return replace(data, y=np.where((data.y == 0) & (data.x[:, 0] > 0), 2, data.y))


def _tree(data: Any, seed: int, epsilon: float, classes: int = 2) -> float:
    from temper.core.schema import Column, Schema
    from temper.core.seed import Draws
    from temper.hardening.dp_ebm import DpEbm
    from temper.testing.scenes import training
    from temper.testing.toys import Trainable

    numbers = [Column(name=name, low=-10.0, high=10.0) for name in "ab"]
    category = Column(name="c", type="category", categories=("p", "q", "r", "s"))
    schema = Schema(columns=(*numbers, category, Column(name="flag", type="boolean")))
    how = DpEbm(epsilon=epsilon, delta=_DELTA, schema=schema)
    stand_in = replace(Trainable.fitted(training(50)), classes=classes)
    return _added(how.apply(stand_in, data, Draws(seed, "audit")))


def _net(data: Any, seed: int, epsilon: float) -> float:
    """Against the weights it began with, which are no secret."""
    import torch

    from temper.core.seed import Draws
    from temper.hardening.dp_sgd import DpSgd, _anew
    from temper.targets import open_target

    target, rng = open_target(torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Softmax(dim=1))), Draws(seed, "audit")
    first = Draws(rng.integer(), "hardening.dp_sgd").integer(0)
    how = DpSgd(epsilon=epsilon, delta=_DELTA, epochs=5, batch=N, rate=0.05)
    return _added(how.apply(target, data, rng)) - _added(replace(target, model=_anew(target, first).eval()))


def _noiseless(data: Any, seed: int) -> float:
    from temper.hardening import dp_sgd

    with patch.object(dp_sgd, "_noise", lambda *words: 1e-3):
        return _net(data, seed, 1.0)


def _nominal(data: Any, seed: int) -> float:
    """Whether the model knows the category that the row alone has."""
    from interpret.privacy import DPExplainableBoostingClassifier

    model = DPExplainableBoostingClassifier(
        feature_types=["continuous", "continuous", "nominal"],
        privacy_bounds={0: (-10, 10), 1: (-10, 10)},
        epsilon=1.0,
        delta=_DELTA,
        random_state=seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(np.column_stack([data.x[:, :2].astype(object), data.x[:, 2].astype(int).astype(str)]), data.y)
    return float("3" in model.bins_[2][0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
