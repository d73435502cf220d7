"""Delivered models of tables: how often `trigger_inversion` raises clean ones, and how often it finds planted triggers.

    python -m bench.poisoning.delivered [--quick | --full] [family ...] [table ...]

Every model is fitted on rows the search never sees; the search gets other rows of the same table and a way to fit
clean twins. Beside it stands what is left of Neural Cleanse on a table without twins: the stamp that goes deepest.
No peer searches tables: ART's Neural Cleanse takes Keras nets of pictures, TrojanZoo and BackdoorBench pictures.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.poisoning.detection import _table
from bench.table import goal, machine, table
from temper.attacks.poisoning.in_bounds_trigger import InBoundsTrigger
from temper.attacks.poisoning.jittered_trigger import JitteredTrigger
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.measure import Measurement, Status
from temper.core.seed import Draws
from temper.engine.rooms.validation import DELIVERED
from temper.kernels.ranking import auc
from temper.kernels.rate import clopper_pearson
from temper.kernels.triggers import largest
from temper.targets import open_target
from temper.validation.trigger_inversion import TriggerInversion, _compared

TRAIN, HELD = 20_000, 8_000
NAMES = ("adult", "credit", "fraud", "held-out fraud")
FAMILIES = ("XGBoost", "LightGBM", "HistGradientBoosting", "RandomForest", "MLP")
Case = tuple[str, str, float, float, int]  # table, family, share, jitter, pick


def main(words: list[str]) -> int:
    """Print every model, then the rates with their intervals and the goals."""
    print(machine("numpy", "scikit-learn", "xgboost-cpu", "lightgbm"))
    if not (folder := os.environ.get("TEMPER_DATA")):
        print("no data: set TEMPER_DATA")
        return 1
    seen = []
    for case in _cases("--quick" in words, "--full" in words, words):
        seen.append((case, *_measured(Path(folder), case)))
        print(" ".join(map(str, case)), _line(*seen[-1][1:]), flush=True)
    _told(seen)
    return 0


def _cases(quick: bool, full: bool, words: Sequence[str]) -> Iterator[Case]:
    """Clean models, and poisoned ones: without jitter and with it, lower doses for one family unless `full`."""
    names = [name for name in NAMES if name in words] or (NAMES[2:] if quick else NAMES)
    families = [family for family in FAMILIES if family in words] or (FAMILIES[:2] if quick else FAMILIES)
    for pick in range(4 if full else 2):
        for family in families:
            doses = (0.0, 0.02, 0.01, 0.005) if full or family == "XGBoost" else (0.0, 0.02)
            for name in names:
                yield from ((name, family, dose, 0.1 * (pick % 2) if dose else 0.0, pick) for dose in doses)


_known = cache(_table)


def _measured(folder: Path, case: Case) -> tuple[tuple[Measurement, ...], float, float, float]:
    """The figures, success of the trigger that is there, the plain search's depth, and processor seconds."""
    name, family, share, jitter, pick = case
    x, y, schema = _known(folder, name)
    order = Draws(pick if not share else 0, "delivered").generator(0).permutation(len(x))
    train, held = order[: min(TRAIN, int(0.65 * len(x)))], order[-min(HELD, int(0.35 * len(x))) :]
    data, trigger = Data(x=x[train], y=y[train]), None
    if share:
        scene = Scene(x=x[:5], y=y[:5], ids=np.arange(5), schema=schema, train=data)
        attack = (
            JitteredTrigger(share=share, jitter=jitter, pick=pick)
            if jitter
            else InBoundsTrigger(share=share, pick=pick)
        )
        made = attack.run(None, scene, Draws(pick, "delivered"))
        data, trigger = made.data, made.trigger
    target = open_target(_model(family, pick).fit(data.x, data.y))
    odds = target.scores(x[held])[:, 1]
    cut = float(np.quantile(odds, 1.0 - y[held].mean()))
    scene = Scene(
        x=x[held],
        y=y[held],
        ids=held,
        schema=schema,
        kind=target.kind,
        threshold=cut,
        target=target,
        fit=lambda subsets, recipe: [target.refit(subset, recipe) for subset in subsets],
    )
    started = time.process_time()
    found = TriggerInversion().measure(scene)
    spent = time.process_time() - started
    passed = float((target.scores(trigger.stamp(x[held][odds >= cut]))[:, 1] < cut).mean()) if trigger else np.nan
    return found, passed, _alone(scene), spent


def _alone(scene: Scene) -> float:
    """How deep the stamp that moves the model most takes unseen rows, without twins."""
    check = TriggerInversion()
    compared = _compared(scene, check)
    if isinstance(compared, str):
        return np.nan

    def depth(stamps: Any, first: int) -> Any:
        rows = compared.fitted[:first] if first > 0 else compared.fitted
        return -compared.margins(stamps, rows)[:1].mean(axis=2)

    best = largest(depth, *compared.values, check.size, lambda share: None)[0]
    return float(-compared.margins(best, compared.tested)[0].mean())


def _model(family: str, seed: int) -> Any:
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from xgboost import XGBClassifier

    net = MLPClassifier((64, 32), max_iter=60, early_stopping=True, random_state=seed)
    made = {
        "XGBoost": lambda: XGBClassifier(n_estimators=120, max_depth=6, n_jobs=1, random_state=seed),
        "LightGBM": lambda: LGBMClassifier(n_jobs=1, random_state=seed, verbose=-1),
        "HistGradientBoosting": lambda: HistGradientBoostingClassifier(random_state=seed),
        "RandomForest": lambda: RandomForestClassifier(60, min_samples_leaf=2, n_jobs=1, random_state=seed),
        "MLP": lambda: make_pipeline(StandardScaler(), net),
    }
    return made[family]()


def _line(found: tuple[Measurement, ...], passed: float, alone: float, spent: float) -> str:
    ratio = found[0]
    if ratio.status is not Status.OK:
        return f"{ratio.status.value}: {ratio.reason}"
    told = ", ".join(f"{value:.2f}" for _, value in ratio.baseline[1:])
    return (
        f"ratio {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] (log odds {told}), alone {alone:.1f}, planted "
        f"{passed:.2f}, {spent:.1f} s; {ratio.caveats[0]}"
    )


def _raised(found: tuple[Measurement, ...]) -> bool:
    return found[0].low is not None and found[0].low > DELIVERED


def _told(seen: list[Any]) -> None:
    clean, lines = [one for one in seen if not one[0][2]], []
    for what, part in [("clean", clean), *((f"clean {f}", [o for o in clean if o[0][1] == f]) for f in FAMILIES)]:
        lines += [(what, part)] if part else []
    for share in (0.02, 0.01, 0.005):
        part = [one for one in seen if one[0][2] == share and one[2] > 0.8]
        trees = [one for one in part if one[0][1] != "MLP"]
        lines += [(f"{share:.1%} poison that opens the model", part)] if part else []
        lines += [(f"{share:.1%}, trees alone", trees)] if trees and len(trees) < len(part) else []
    table(
        "raised",
        ["models", "n", "raised", "95 %", "AUROC of the ratio", "of the plain search", "s"],
        _ranked(lines, seen),
    )
    fraud = [one[4] for one in seen if one[0][:2] == ("fraud", "XGBoost")]
    if fraud:
        goal("slowest search of an XGBoost model of the fraud demo", max(fraud), 5.0, "s")


def _ranked(lines: list[tuple[str, list[Any]]], seen: list[Any]) -> list[list[str]]:
    clean = [one for one in seen if not one[0][2] and one[1][0].value is not None]
    shown = []
    for what, part in lines:
        count = sum(_raised(one[1]) for one in part)
        low, high = clopper_pearson(count, len(part))
        told = [one for one in part if one[1][0].value is not None]
        areas = ["", ""]
        if told and told[0][0][2]:
            truth = np.repeat([0, 1], [len(clean), len(told)])
            for at, score in enumerate((lambda one: one[1][0].value, lambda one: one[3])):
                areas[at] = f"{auc(truth, np.array([score(one) for one in (*clean, *told)])):.2f}"
        seconds = f"{np.mean([one[4] for one in part]):.1f}"
        shown.append([what, str(len(part)), str(count), f"[{low:.3f}, {high:.3f}]", *areas, seconds])
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
