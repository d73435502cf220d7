"""A sensitive column guessed through the model, beside imputation, people it never saw, and ART's black-box attack.

    TEMPER_DATA=PATH python -m bench.inversion.attribute [--quick]

8,000 rows a table, half of them training rows: a made-up table whose flag `cross` (6 % of rows) follows from nothing
else (SIMULATED), credit and adult (REAL). ART (bench extra) gets what our attack gets, the true values of half of the
members, and besides the class every record was given; it answers with values, so both are compared in balanced
accuracy on members. `--quick`: no ART and no forests.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.inversion._tables import read, scene
from bench.table import goal, machine, table

ROWS = 8_000
HELD = {"max_depth": 3, "n_estimators": 60, "learning_rate": 0.1, "min_child_weight": 30}


def main(words: list[str]) -> int:
    """Print the table and the goals."""
    print(machine("numpy", "scikit-learn", "xgboost-cpu", "adversarial-robustness-toolbox"))
    if not (folder := os.environ.get("TEMPER_DATA")):
        print("no data: set TEMPER_DATA")
        return 1
    quick = "--quick" in words
    lines, gains = [], {}
    for data, column, name in CASES[:3] if quick else CASES:
        made = cross() if data == "simulated" else read(Path(folder), data, ROWS)
        cells, gains[data, column, name] = _measured(made, column, models()[name], art=not quick)
        lines.append([f"{data} {column} {name}", *cells])
        print(" ".join(map(str, lines[-1])), flush=True)
    columns = [
        "",
        "base",
        "AUC",
        "imputed",
        "others",
        "Fredrikson",
        "gain [95 %]",
        "leak [95 %]",
        "surest 2 %",
        "CPU s",
        "balanced",
    ]
    table(f"a hidden column, n = {ROWS // 2:,} members and as many others", [*columns, "ART gb", "rf"], lines)
    told, quiet = gains["simulated", "cross", "xgboost"], gains["simulated", "cross", "held"]
    goal("gain on an overfit model, lower end", told[0], 0.0, "AUC", at_least=True, digits=3)
    goal("leak of a restrained model, lower end", quiet[1], 0.0, "AUC", digits=3)
    return 0


CASES = (
    ("simulated", "cross", "xgboost"),
    ("simulated", "cross", "held"),
    ("credit", "SEX", "xgboost"),
    ("credit", "SEX", "held"),
    ("credit", "SEX", "forest"),
    ("credit", "MARRIAGE", "xgboost"),
    ("credit", "AGE", "xgboost"),
    ("adult", "sex", "xgboost"),
    ("adult", "race", "forest"),
    ("adult", "marital-status", "xgboost"),
)


def models() -> dict[str, Any]:
    """Defaults, and one that is restrained."""
    import xgboost
    from sklearn.ensemble import RandomForestClassifier

    return {
        "xgboost": xgboost.XGBClassifier(n_jobs=1),
        "held": xgboost.XGBClassifier(n_jobs=1, **HELD),
        "forest": RandomForestClassifier(n_jobs=1, random_state=0),
    }


def cross() -> tuple[Any, Any, list[str]]:
    """Eleven numbers and a flag that depends on none of them and moves the outcome a little."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 12))
    x[:, 11] = rng.random(ROWS) < 0.06
    signal = 1.5 * x[:, 0] + x[:, 1] * x[:, 2] + 0.8 * x[:, 3] + 0.6 * x[:, 11] + 1.5 * rng.normal(size=ROWS)
    return x, (signal > 1.8).astype(np.int64), [*(f"n{at}" for at in range(11)), "cross"]


def _measured(made: Any, column: str, model: Any, *, art: bool) -> tuple[list[object], tuple[float, float]]:
    from temper.attacks.inversion._attribute import confidence, hidden, likelihood
    from temper.attacks.inversion.attribute import AttributeInference
    from temper.core.attack import Outcome
    from temper.core.data import Data
    from temper.core.seed import Draws
    from temper.judges._macro import area_of
    from temper.judges.attribute import Attribute

    x, y, names = made
    here = scene(model, x, y, ROWS // 2, names)
    started = time.process_time()
    seen = AttributeInference(columns=(column,)).run(None, here, Draws(0, "bench"))
    area, leak, gain, surest = Attribute().judge(here, Outcome(scores=None, y=here.y, payload=seen))[:4]
    spent = time.process_time() - started
    (one,) = seen.columns
    mine = one.member
    prior = np.bincount(one.truth) / len(one.truth)
    unknown = hidden(here.schema, column, here.train.x, 10)
    alone = likelihood(confidence(unknown, Data(x=here.train.x, y=here.train.y), here.target, here.kind), prior)
    kept = unknown.truth >= 0
    base, plain = dict(area.baseline), dict(surest.baseline)
    cells = [
        f"{prior.max():.3f}",
        f"{area.value:.3f}",
        f"{base['imputation']:.3f}",
        f"{base['on others']:.3f}",
        f"{area_of(unknown.truth[kept], alone[kept]).value:.3f}",
        *(f"{m.value:+.3f} [{m.low:+.3f}, {m.high:+.3f}]" for m in (gain, leak)),
        f"{surest.value:.2f} ({plain['imputation']:.2f}, {plain['base rate']:.2f})",
        f"{spent:.1f}",
        f"{_balanced(one.truth[mine], one.attack[mine].argmax(axis=1)):.3f}",
    ]
    cells += [_art(here, names.index(column), unknown, kind) for kind in ("gb", "rf")] if art else ["", ""]
    return cells, (float(gain.low or 0.0), float(leak.low or 0.0))


def _art(here: Any, at: int, unknown: Any, kind: str) -> str:
    """Balanced accuracy on members of one half, taught on the other half, and the other way."""
    from art.attacks.inference.attribute_inference import AttributeInferenceBlackBox
    from art.estimators.classification import BlackBoxClassifier

    kept = unknown.truth >= 0
    x, truth = here.train.x[kept].copy(), unknown.truth[kept]
    y = np.eye(here.classes, dtype=np.float32)[here.train.y[kept]]
    x[:, at] = unknown.values[truth, 0]
    victim = BlackBoxClassifier(lambda rows: here.target.scores(rows), (x.shape[1],), here.classes)
    values, fold, found = unknown.values[:, 0].tolist(), np.arange(len(x)) % 2, np.empty(len(x))
    for side in (0, 1):
        taught, asked = fold != side, fold == side
        attack = AttributeInferenceBlackBox(victim, attack_model_type=kind, attack_feature=at)
        attack.fit(x[taught].astype(np.float32), y[taught])
        rest = np.delete(x[asked], at, axis=1).astype(np.float32)
        found[asked] = attack.infer(
            rest, y[asked], pred=victim.predict(x[asked]).argmax(axis=1)[:, None], values=values
        ).ravel()
    return f"{_balanced(truth, np.searchsorted(unknown.values[:, 0], found - 1e-6)):.3f}"


def _balanced(truth: Any, guess: Any) -> float:
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(truth, guess))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
