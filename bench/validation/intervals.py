"""How often intervals hold the truth over simulations, whether a perfect model passes and planted ones do not, and what
a bootstrap costs.

    python -m bench.validation.intervals [FAMILY ...] [--quick]

One line per family of figures, each on worlds whose truth is known in closed form: 1,000 simulations, 100 with --quick.
A word that a family's name holds asks for it alone; "perfect", "planted" and "cost" ask for these.
Goals: coverage not below 95 % less 3 standard errors; 2,000 replicates on 100,000 rows below 0.2 s; a perfect model
passes the calibration gate in 95 % of tries at 500 rows.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.table import goal, machine, median, table
from temper.core.attack import Scene
from temper.core.measure import Measurement
from temper.core.schema import Column, Schema
from temper.core.target import ScoreKind
from temper.kernels.calibration import bins_for, corrected, errors
from temper.kernels.counts import confusion, gap, ratio
from temper.kernels.rate import wilson
from temper.kernels.weighted import resamples
from temper.validation.calibration import Calibration
from temper.validation.intersections import Intersections
from temper.validation.performance import Performance
from temper.validation.selective import Selective

ROWS, REPLICATES = 500, 300
POLICY, ECE_LIMIT = 0.1, 0.02  # the default policy's limit, and a strict one
_SENSITIVE = (
    Column(name="a", type="category", categories=("0", "1"), sensitive=True),
    Column(name="b", type="category", categories=("0", "1"), sensitive=True),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Stated:
    """Answers with the first column as the probability of class 1, or with a margin."""

    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2

    def scores(self, x: Any) -> Any:
        return x[:, :1] if self.kind is ScoreKind.MARGIN else np.column_stack([1 - x[:, 0], x[:, 0]])


def _scene(x: Any, y: Any, kind: ScoreKind = ScoreKind.PROBABILITIES, **more: Any) -> Scene:
    columns = (Column(name="score"), *_SENSITIVE)[: x.shape[1]]
    settings: dict[str, Any] = {"kind": kind, "target": _Stated(kind), "ids": np.arange(len(x))} | more
    return Scene(x=x, y=y, schema=Schema(columns=columns), **settings)


def _find(measured: Any, metric: str) -> Measurement:
    found: Measurement = next(m for m in measured if m.metric == metric and m.slice == "all")
    return found


def _inside(m: Measurement, truth: float) -> bool:
    return m.low is not None and m.high is not None and m.low - 1e-12 <= truth <= m.high + 1e-12


def _claims(rng: np.random.Generator, n: int = ROWS, shift: float = 0.0) -> tuple[Any, Any]:
    p = 0.05 + 0.8 * rng.beta(1, 3, n)
    return p[:, None], (rng.random(n) < p + shift).astype(int)


def _auc(rng: np.random.Generator, seed: int) -> bool:
    """Two normals a unit apart."""
    y = (np.arange(ROWS) % 4 == 0).astype(int)
    x = (rng.normal(size=ROWS) + y)[:, None]
    measured = Performance(replicates=REPLICATES, seed=seed).measure(_scene(x, y, ScoreKind.MARGIN))
    return _inside(_find(measured, "auc"), 0.5 * math.erfc(-0.5))


def _recall(rng: np.random.Generator, seed: int) -> bool:
    """Class 1 is found in 70 of 100 cases."""
    y = (rng.random(ROWS) < 0.4).astype(int)
    x = np.where(rng.random(ROWS) < np.where(y == 1, 0.7, 0.2), 0.9, 0.1)[:, None]
    measured = Performance(replicates=REPLICATES, seed=seed).measure(_scene(x, y, threshold=0.5))
    return _inside(_find(measured, "recall"), 0.7)


def _brier(rng: np.random.Generator, seed: int) -> bool:
    """Mean of p (1 - p) when every score is true, p = .05 + .8 B, B Beta(1, 3)."""
    x, y = _claims(rng)
    measured = Calibration(replicates=REPLICATES, seed=seed).measure(_scene(x, y))
    first, second = 0.05 + 0.8 * 0.25, 0.05**2 + 2 * 0.05 * 0.8 * 0.25 + 0.8**2 * 0.1
    return _inside(_find(measured, "brier"), first - second)


def _ece(rng: np.random.Generator, seed: int) -> bool:
    """Every score is .1 too low."""
    x, y = _claims(rng, shift=0.1)
    return _inside(_find(Calibration(replicates=REPLICATES, seed=seed).measure(_scene(x, y)), "ece"), 0.1)


def _reliability(rng: np.random.Generator, seed: int) -> bool:
    """The same, squared."""
    x, y = _claims(rng, shift=0.1)
    return _inside(_find(Calibration(replicates=REPLICATES, seed=seed).measure(_scene(x, y)), "reliability"), 0.01)


def _gap(rng: np.random.Generator, seed: int) -> bool:
    """Three groups, one flagged .1 more often."""
    member = rng.integers(0, 3, ROWS)
    flag = rng.random(ROWS) < 0.3 + 0.1 * (member == 0)
    found = gap(confusion(member, flag, flag, 3), "selection", rng, replicates=REPLICATES)
    return found.low <= 0.1 <= found.high


def _ratio(rng: np.random.Generator, seed: int) -> bool:
    """Three groups flagged at .2, .3 and .4."""
    member = rng.integers(0, 3, ROWS)
    flag = rng.random(ROWS) < np.array([0.2, 0.3, 0.4])[member]
    _, low, high = ratio(confusion(member, flag, flag, 3), "selection", rng, replicates=REPLICATES)
    return low <= 0.5 <= high


def _pairs(rng: np.random.Generator, seed: int) -> bool:
    """Four pairs of groups, one flagged .25 more often than all others."""
    members = rng.integers(0, 2, (ROWS, 2))
    flag = rng.random(ROWS) < 0.2 + 0.25 * members.all(axis=1)
    x = np.column_stack([np.where(flag, 0.9, 0.1), members]).astype(float)
    check = Intersections(replicates=50, seed=seed, smallest=30)
    measured = check.measure(_scene(x, rng.integers(0, 2, ROWS), sensitive=("a", "b"), threshold=0.5))
    return _inside(_find(measured, "selection_gap"), 0.25)


def _risk(rng: np.random.Generator, seed: int) -> bool:
    """Sureness tells nothing: the area is the rate of mistakes, .3 (at a threshold below every score)."""
    x, y = 0.5 + 0.5 * rng.random((ROWS, 1)), (rng.random(ROWS) < 0.7).astype(int)
    measured = Selective(replicates=REPLICATES, seed=seed).measure(_scene(x, y, threshold=0.5))
    return _inside(_find(measured, "aurc"), 0.3)


FAMILIES: dict[str, Callable[[np.random.Generator, int], bool]] = {
    "AUC (bootstrap)": _auc,
    "recall (Wilson)": _recall,
    "Brier score (bootstrap)": _brier,
    "calibration error .1 (cross-fitted)": _ece,
    "reliability of the Brier score (bias-corrected)": _reliability,
    "gap of three groups (simultaneous)": _gap,
    "ratio of three groups (simultaneous)": _ratio,
    "two groups at once (simultaneous)": _pairs,
    "area under risk over coverage (bootstrap)": _risk,
}


def main(words: list[str]) -> int:
    """Print coverage, the perfect model, the planted ones and the cost."""
    print(machine("numpy", "scipy"))
    tries = 100 if "--quick" in words else 1000
    named = [word for word in words if not word.startswith("-")]
    lines, least = [], 1.0
    for name, held in FAMILIES.items():
        if named and not any(word in name for word in named):
            continue
        rng = np.random.Generator(np.random.Philox(key=[7, 0]))
        share = sum(held(rng, seed) for seed in range(tries)) / tries
        least = min(least, share)
        lines.append([name, str(tries), f"{share:.3f}"])
    if lines:
        table(f"Truth inside the 95 % interval, {ROWS} rows", ["family", "n", "share"], lines)
        goal("lowest coverage", least, 0.95 - 3 * math.sqrt(0.95 * 0.05 / tries), at_least=True, digits=3)
    if not named or "perfect" in named:
        _perfect(tries)
    if not named or "planted" in named:
        _planted(tries)
    if not named or "cost" in named:
        _cost(3 if "--quick" in words else 15)
    return 0


def _perfect(tries: int) -> None:
    """A model whose scores are the true probabilities, before two gates on its calibration error."""
    passed = failed = small = naive = 0
    rng = np.random.Generator(np.random.Philox(key=[8, 0]))
    for seed in range(tries):
        x, y = _claims(rng)
        m = _find(Calibration(replicates=REPLICATES, seed=seed).measure(_scene(x, y)), "ece")
        failed += (m.low or 0.0) > ECE_LIMIT
        passed += (m.high or 1.0) <= POLICY
        small += (m.value or 0.0) <= ECE_LIMIT
        naive += dict(m.baseline)["not corrected"] <= ECE_LIMIT
    table(
        f"A perfect model before the gate, {ROWS} rows",
        ["", "n", "share"],
        [
            [f"PASS at the default policy's limit of {POLICY:g}", str(tries), _share(passed, tries)],
            [f"no FAIL at a limit of {ECE_LIMIT:g}", str(tries), _share(tries - failed, tries)],
            [f"corrected error below {ECE_LIMIT:g}", str(tries), _share(small, tries)],
            [f"usual error below {ECE_LIMIT:g}", str(tries), _share(naive, tries)],
        ],
    )
    goal("perfect model passes", passed / tries, 0.95, at_least=True, digits=3)


def _share(count: int, n: int) -> str:
    low, high = wilson(count, n)
    return f"{count / n:.3f} [{low:.3f}, {high:.3f}]"


def _bent(p: Any, slope: float) -> Any:
    """The truth of a model whose log odds are too far out (slope below 1) or too near the middle."""
    return 1 / (1 + ((1 - p) / p) ** slope)


PLANTED: dict[str, Callable[[Any], Any]] = {
    "nothing: a perfect model": lambda p: p,
    "every score .1 too low": lambda p: p + 0.1,
    "every score .2 too low": lambda p: np.minimum(p + 0.2, 1.0),
    "too sure: log odds twice too far out": lambda p: _bent(p, 0.5),
    "much too sure: three times": lambda p: _bent(p, 0.3),
    "not sure enough: log odds half of the truth": lambda p: _bent(p, 2.0),
    ".15 up and down in fourths of the rows": lambda p: _bands(p, 4),
    ".15 up and down in tenths": lambda p: _bands(p, 10),
    ".15 up and down in fifteenths": lambda p: _bands(p, 15),
    ".15 up and down in thirtieths": lambda p: _bands(p, 30),
}
"""What is wrong with the scores: their truth, given the scores."""


def _bands(p: Any, bands: int) -> Any:
    rank = np.argsort(np.argsort(p)) * bands // len(p)
    return np.clip(p + np.where(rank % 2 == 0, 0.15, -0.15), 0.0, 1.0)


def _planted(tries: int) -> None:
    """What the gate says of planted miscalibrations, with as many bins as rows are worth, and with 15."""
    lines = []
    for name, truth in PLANTED.items():
        rng, error, told = np.random.Generator(np.random.Philox(key=[10, 0])), 0.0, np.zeros((2, 2), int)
        for _ in range(tries):
            p = 0.05 + 0.8 * rng.beta(1, 3, ROWS)
            true = truth(p)
            hit = (rng.random(ROWS) < true).astype(float)
            error += float(np.abs(true - p).mean()) / tries
            for at, bins in enumerate((15, bins_for(ROWS, 15))):
                drawn = np.concatenate([errors(p, hit, bins, w) for w in resamples(ROWS, REPLICATES, rng)])
                found = corrected(p, hit, bins, drawn, rng)
                told[at] += found.high <= POLICY, found.low > POLICY
        shares = [_share(int(count), tries) for count in (*told[:, 0], *told[:, 1])]
        lines.append([name, f"{error:.3f}", str(tries), *shares])
    columns = ["planted", "error", "n", "PASS, 15 bins", f"PASS, {bins_for(ROWS, 15)}", "FAIL, 15 bins"]
    table(
        f"A limit of {POLICY:g} on the calibration error, {ROWS} rows",
        [*columns, f"FAIL, {bins_for(ROWS, 15)}"],
        lines,
    )


def _cost(repeats: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=[9, 0]))
    member, y, flag = rng.integers(0, 6, 100_000), rng.integers(0, 2, 100_000), rng.random(100_000) < 0.1
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        gap(confusion(member, y, flag, 6), "tpr", rng, replicates=2000)
        seconds.append(time.process_time() - start)
    took = median(seconds)
    print(f"\n2,000 replicates of a gap of 6 groups on 100,000 rows, cpu: {took.show()} s, n {repeats}")
    goal("2,000 replicates on 100,000 rows", took.value, 0.2, "s", digits=3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
