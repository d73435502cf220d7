"""What each defence leaves of membership inference, and what it costs: with references behind the same defence.

    TEMPER_DATA=PATH python -m bench.inversion.defences [--quick|--full]

Credit (REAL), XGBoost with its defaults and a net of 64 hidden units, 10,500 training rows and as many others;
`--quick`: XGBoost alone; `--full`: adult as well, 15,000, and every epsilon for the net. Each defence goes the way of
`temper harden`: the reference models are fitted behind it, so the attack (`inversion.membership`, K = 4) is one that
knows the defence. What masks the answers stands beside what changes the fit. The ranges of the schema are read off all
rows and stand in for public knowledge.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.inversion.membership import FILES
from bench.table import machine, table

NAME = "inversion.membership"
MASKS: list[tuple[str, dict[str, Any]]] = [
    ("rounded", {"digits": 2}),
    ("rounded", {"digits": 1}),
    ("masked", {"temperature": 3.0, "clip": 0.0}),
    ("masked", {"temperature": 1.0, "clip": 0.05}),
    ("label_only", {}),
]
FITS: list[tuple[str, dict[str, Any]]] = [
    ("regularise", {"strength": 0.35}),
    ("regularise", {"strength": 0.7}),
    ("regularise", {"strength": 1.0}),
    ("self_distillation", {}),
    ("ebm", {}),
    *(("dp_ebm", {"epsilon": epsilon}) for epsilon in (8.0, 4.0, 1.0)),
]
NETS: list[tuple[str, dict[str, Any]]] = [("dp_sgd", {"epsilon": epsilon}) for epsilon in (8.0, 4.0, 1.0)]
COLUMNS = ("", "TPR@1% [95 %]", "@0.1% [95 %]", "attack AUC", "model AUC", "price [95 %]", "CPU s")


def main(words: list[str]) -> int:
    """Print a table per data set and model."""
    print(machine("scikit-learn", "xgboost-cpu", "interpret-core", "torch", "opacus"))
    if not (folder := os.environ.get("TEMPER_DATA")):
        print("no data: set TEMPER_DATA")
        return 1
    quick, full = "--quick" in words, "--full" in words
    side = 15_000 if full else 10_500
    models = {"XGBoost": (_boosted, [*MASKS, *FITS]), "net 64": (_net, NETS if full else NETS[1:2])}
    for data in ["credit", "adult"] if full else ["credit"]:
        frame = _Frame.read(Path(folder) / FILES[data], side)
        for title, (system, defences) in list(models.items())[: 1 if quick else None]:
            told = f"{data}, {title}: members found, {side:,} members and as many others"
            table(told, COLUMNS, _tried(system(frame), defences))
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """A table drawn once, the first half to train on; the ranges of its schema stand in for public knowledge."""

    schema: Any
    train: Any
    others: Any

    @staticmethod
    def read(path: Path, side: int) -> _Frame:
        import pandas as pd

        from temper.config.guess import columns
        from temper.core.data import Data
        from temper.core.schema import Schema
        from temper.targets.frame import to_matrix

        frame = pd.read_csv(path)
        truth = frame.pop(frame.columns[-1]).astype("category").cat.codes.to_numpy(dtype=np.int64)
        schema = Schema(columns=columns(frame))
        x, rows = to_matrix(frame, schema), np.random.default_rng(0).permutation(len(frame))
        parts = (rows[:side], rows[side : 2 * side])
        train, others = (Data(x=x[part], y=truth[part]) for part in parts)
        return _Frame(schema=schema, train=train, others=others)


def _boosted(frame: _Frame) -> Any:
    import xgboost

    from temper.core.system import Protected
    from temper.targets import open_target

    target = open_target(xgboost.XGBClassifier(n_jobs=1).fit(frame.train.x, frame.train.y))
    return Protected(
        name="bench", target=target, data=frame.others, train=frame.train, schema=frame.schema, threshold=0.5
    )


def _net(frame: _Frame) -> Any:
    """A plain net that can be trained again, so that the attack on it as it is has references too."""
    import torch

    from temper.core.seed import Draws
    from temper.core.system import Protected
    from temper.core.target import Access, Recipe
    from temper.hardening._training import Course, train
    from temper.targets import open_target
    from temper.targets.torch import Torch

    class Squashed(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.asinh(x / torch.as_tensor(frame.schema.scales, dtype=x.dtype))

    class Net(Torch):
        @property
        def access(self) -> Access:
            return super().access | Access.RETRAIN

        def refit(self, data: Any, recipe: Any) -> Any:
            course = Course(epochs=60, fresh=True)
            return train(self, data, Draws(recipe.seed, "bench"), course, lambda batch: iter([batch.loss(batch.x)]))

    layers = [torch.nn.Linear(len(frame.schema.columns), 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)]
    bare = open_target(torch.nn.Sequential(Squashed(), *layers))
    target = Net(model=bare.model).refit(frame.train, Recipe())
    return Protected(
        name="bench", target=target, data=frame.others, train=frame.train, schema=frame.schema, threshold=0.5
    )


def _tried(system: Any, defences: list[tuple[str, dict[str, Any]]]) -> list[list[str]]:
    from temper.engine.harden import build, named
    from temper.engine.harden_goal import _try, besiege
    from temper.engine.task import Sizes, Task, World

    every = np.arange(len(system.data))
    sizes = Sizes(trained=len(every), held_out=len(every))
    world = World(system=system, sizes=sizes, seed=0, attacked=every[:1], held_out=every)
    started = time.process_time()
    siege = besiege(world, [Task(room="attacks", plugin=NAME, sizes=sizes)])
    lines, spent = [], time.process_time() - started
    for name, options in defences:
        started = time.process_time()
        trial = _try(siege, named(name, options), build(system, name, None, options), None)
        if not lines:
            lines.append(_line("none", trial, spent, before=True))
        lines.append(_line(trial.defence, trial, time.process_time() - started))
        print(" | ".join(lines[-1]), flush=True)
    return lines


def _line(told: str, trial: Any, spent: float, before: bool = False) -> list[str]:
    rates = [_rate(trial.effect(f"{NAME}.{metric}"), before) for metric in ("tpr_at_1pct", "tpr_at_01pct")]
    attack, model = trial.effect(f"{NAME}.auc"), trial.effect("auc")
    ends = [f"{(effect.before if before else effect.after):.3f}" for effect in (attack, model)]
    cost = "" if before else f"{model.difference:+.3f} [{model.low:+.3f}, {model.high:+.3f}]"
    return [told, *rates, *ends, cost, f"{spent:.1f}"]


def _rate(effect: Any, before: bool) -> str:
    from temper.kernels.rate import clopper_pearson

    if effect is None:
        return "too few rows"
    value = effect.before if before else effect.after
    low, high = clopper_pearson(round(value * effect.n), effect.n, 0.95)
    return f"{100 * value:.2f} [{100 * low:.2f}, {100 * high:.2f}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
