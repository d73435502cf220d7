"""Point values beside scikit-learn, fairlearn, shap, netcal and MAPIE, on three real data sets.

    python -m bench.validation.equal [--quick]

Data: credit_default_uci, adult and german_credit (TEMPER_DATA), a gradient boosting on the first two thirds of the
rows, judged on the rest. Each line is the largest difference over the figures it names. A peer that is not installed
is said to be absent: fairlearn, netcal and MAPIE are in no extra (netcal brings torch and pyro); bench/README.md says
how to put them beside the others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, table
from temper.core.attack import Scene
from temper.core.schema import Column, Schema
from temper.core.target import ScoreKind
from temper.kernels.calibration import errors
from temper.kernels.conformal import threshold
from temper.kernels.counts import confusion, events, ratio
from temper.kernels.selective import area
from temper.kernels.shapley import of_trees
from temper.kernels.trees import margins
from temper.validation.performance import Performance

SETS = {
    "credit_default_uci": ("credit-card-clients.csv.gz", "sex"),
    "adult": ("adult.csv.gz", "sex"),
    "german_credit": ("german_data_credit.csv.gz", "sex"),
}
LIMIT = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Held-out rows with truth, probabilities, group numbers, and the model that answered."""

    name: str
    x: Any
    y: Any
    p: Any
    group: Any
    model: Any

    @property
    def flag(self) -> Any:
        """The decisions at the threshold that flags as many rows as are of class 1."""
        return self.p[:, 1] >= np.quantile(self.p[:, 1], 1 - self.y.mean())


def main(words: list[str]) -> int:
    """Print the table of differences; the exit code is 0 even where a goal is missed."""
    print(machine("numpy", "scikit-learn", "fairlearn", "shap", "netcal", "mapie"))
    sets = list(_sets())
    if not sets:
        print("no rows: set TEMPER_DATA")
        return 0
    lines, worst = [], 0.0
    for label, peer, compare in PEERS:
        if find_spec(peer) is None:
            lines.append([label, peer, *["absent"] * len(sets)])
            continue
        found = [compare(rows) for rows in sets]
        worst = max([worst, *(found if peer != "shap" else ())])
        lines.append([label, peer, *[f"{one:.1e}" for one in found]])
    table("Largest difference from the peer", ["figures", "peer", *[rows.name for rows in sets]], lines)
    goal("largest difference but for shap", worst, LIMIT, digits=16)
    if find_spec("shap"):
        _additive(sets)
    return 0


def _sets() -> Iterator[Rows]:
    folder = Path(os.environ.get("TEMPER_DATA", ""))
    for name, (file, sensitive) in SETS.items():
        path = folder / name / file
        if path.is_file():
            yield _rows(name, path, sensitive)


def _rows(name: str, path: Path, sensitive: str) -> Rows:
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = pd.read_csv(path)
    truth = next(c for c in frame if "default" in c.lower() or c in ("income", "class-label"))
    group = next(c for c in frame if c.lower() == sensitive)
    y = pd.Categorical(frame[truth]).codes.astype(int)
    coded = frame.drop(columns=truth).apply(lambda c: c if c.dtype.kind in "if" else pd.Categorical(c).codes)
    x, cut = coded.to_numpy(dtype=float), 2 * len(frame) // 3
    order = np.random.Generator(np.random.Philox(key=0)).permutation(len(x))
    x, y, members = x[order], y[order], pd.Categorical(frame[group]).codes[order]
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(x[:cut], y[:cut])
    return Rows(name, x[cut:], y[cut:], model.predict_proba(x[cut:]), members[cut:].astype(int), model)


class _Answers:
    """The probabilities of the rows, as a target gives them."""

    def __init__(self, p: Any) -> None:
        self.p = p

    def scores(self, x: Any) -> Any:
        return self.p


def _performance(rows: Rows) -> float:
    from sklearn import metrics

    limit = float(np.quantile(rows.p[:, 1], 1 - rows.y.mean()))
    columns = tuple(Column(name=f"c{at}") for at in range(rows.x.shape[1]))
    scene = Scene(
        x=rows.x, y=rows.y, ids=np.arange(len(rows.y)), schema=Schema(columns=columns), threshold=limit,
        kind=ScoreKind.PROBABILITIES, target=_Answers(rows.p),  # type: ignore[arg-type]
    )  # fmt: skip
    ours = {m.metric: m.value for m in Performance(replicates=200).measure(scene)}
    theirs = {
        "auc": metrics.roc_auc_score(rows.y, rows.p[:, 1]),
        "average_precision": metrics.average_precision_score(rows.y, rows.p[:, 1]),
        "recall": metrics.recall_score(rows.y, rows.flag),
        "precision": metrics.precision_score(rows.y, rows.flag),
        "f1": metrics.f1_score(rows.y, rows.flag),
    }
    return max(abs((ours[name] or 0.0) - value) for name, value in theirs.items())


def _brier(rows: Rows) -> float:
    from sklearn.metrics import brier_score_loss

    return abs(float(((rows.p[:, 1] - rows.y) ** 2).mean()) - brier_score_loss(rows.y, rows.p[:, 1]))


def _fairness(rows: Rows) -> float:
    from fairlearn import metrics as fair
    from sklearn.metrics import precision_score, recall_score

    counts = confusion(rows.group, rows.y, rows.flag, int(rows.group.max()) + 1)
    rates = {name: np.divide(*events(counts, name)) for name in ("selection", "tpr", "fpr", "ppv")}
    frame = fair.MetricFrame(
        metrics={
            "selection": fair.selection_rate, "tpr": recall_score, "fpr": fair.false_positive_rate,
            "ppv": precision_score,
        },
        y_true=rows.y, y_pred=rows.flag.astype(int), sensitive_features=rows.group,
    )  # fmt: skip
    off = [np.abs(frame.by_group[name].to_numpy() - rates[name][frame.by_group.index]).max() for name in rates]
    off += [abs(frame.difference()[name] - float(np.ptp(rates[name]))) for name in rates]
    rng = np.random.Generator(np.random.Philox(key=1))
    smallest = fair.demographic_parity_ratio(rows.y, rows.flag.astype(int), sensitive_features=rows.group)
    return float(max(*off, abs(ratio(counts, "selection", rng, replicates=50)[0] - smallest)))


def _shapley(rows: Rows) -> float:
    ours, theirs = _both(rows)
    return float(np.abs(ours - theirs).max())


def _both(rows: Rows) -> tuple[Any, Any]:
    """Shapley values of 40 rows beside 20 references, ours and those of shap."""
    import shap

    import temper

    target = temper.target(rows.model)
    margin = margins(target.trees(), target.kind, 0)[0]  # type: ignore[attr-defined]
    x, references = rows.x[:40], rows.x[40:60]
    theirs = shap.TreeExplainer(rows.model, references, feature_perturbation="interventional")
    ours = of_trees(margin, x, references, [[at] for at in range(rows.x.shape[1])])
    return ours, np.asarray(theirs.shap_values(x, check_additivity=False))


def _additive(sets: list[Rows]) -> None:
    """How far the values of each side miss the model's own log odds, less the references' mean."""
    lines: list[list[str]] = [["ours"], ["shap"]]
    for rows in sets:
        answered = rows.model.decision_function(rows.x[:60])
        away = answered[:40] - answered[40:].mean()
        for line, values in zip(lines, _both(rows), strict=True):
            line.append(f"{np.abs(values.sum(axis=1) - away).max():.1e}")
    table("Shapley values against the model's own log odds", ["", *[rows.name for rows in sets]], lines)


def _error(rows: Rows) -> float:
    from netcal.metrics import ECE

    theirs = ECE(bins=15, equal_intervals=False).measure(rows.p[:, 1], rows.y)
    return abs(float(errors(rows.p[:, 1], rows.y, 15, np.ones((1, len(rows.y))))[0]) - float(theirs))


def _conformal(rows: Rows) -> float:
    from mapie.classification import SplitConformalClassifier

    half = len(rows.y) // 2
    theirs = SplitConformalClassifier(rows.model, confidence_level=0.9, conformity_score="lac", prefit=True)
    theirs.conformalize(rows.x[:half], rows.y[:half])
    _, sets = theirs.predict_set(rows.x[half:])
    odd = 1 - rows.p[np.arange(len(rows.y)), rows.y]
    ours = 1 - rows.p[half:] <= threshold(odd[:half], 0.1).value
    return float(np.abs(ours.mean(axis=0) - np.asarray(sets)[:, :, 0].mean(axis=0)).max())


def _risk(rows: Rows) -> float:
    """Against the definition itself: the mean over k of the risk among the k surest, ties broken at random."""
    sure, wrong = rows.p.max(axis=1), rows.p.argmax(axis=1) != rows.y
    order = np.lexsort((np.random.Generator(np.random.Philox(key=2)).random(len(sure)), -sure))
    apart = np.arange(len(sure))[::-1].astype(float)  # the same order without a tie
    plain = float(np.mean(np.cumsum(wrong[order]) / np.arange(1, len(sure) + 1)))
    return abs(float(area(apart, wrong[order], np.ones((1, len(sure))))[0]) - plain)


Compare = Callable[[Rows], float]
PEERS: tuple[tuple[str, str, Compare], ...] = (
    ("AUC, average precision, recall, precision, F1", "sklearn", _performance),
    ("Brier score", "sklearn", _brier),
    ("selection, TPR, FPR, PPV: by group, gaps, ratio", "fairlearn", _fairness),
    ("Shapley values of trees", "shap", _shapley),
    ("calibration error, 15 bins of equal count", "netcal", _error),
    ("conformal sets, 90 %", "mapie", _conformal),
    ("area under risk over coverage", "numpy", _risk),
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
