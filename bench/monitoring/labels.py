"""Figures of predictions beside those who publish them, on the same rows in one run.

python -m bench.monitoring.labels [cbpe|performance|fairness ...] [--quick]

cbpe         six figures without labels, window by window, beside NannyML, which calibrates by isotonic regression where
             its own test says that helps (ours always does). Its area is of cumulative sums rounded to five digits
performance  what labels say, beside scikit-learn
fairness     the largest gaps between groups, beside fairlearn

`make watchers` makes both peers; BENCH_NANNYML and BENCH_FAIRLEARN name their Pythons. TEMPER_DATA names the real rows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import goal, machine, table
from temper.core.schema import Column, Schema
from temper.kernels import ranking
from temper.kernels.cbpe import FIGURES, Calibrator, expected, spread
from temper.kernels.counts import confusion, events
from temper.monitoring.accuracy.fairness import Fairness
from temper.monitoring.accuracy.performance import Performance
from temper.monitoring.labels import Cohort

Array = np.ndarray[Any, Any]
CHUNK = 10_000
_THEIRS = {"auc": "roc_auc"}
_PARTS = ("reference", "analysis", "analysis_target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Scores of class 1, which rows were flagged, and what they were."""

    score: Array
    flag: Array
    y: Array

    def take(self, rows: Array) -> Predictions:
        """Those rows alone."""
        return Predictions(score=self.score[rows], flag=self.flag[rows], y=self.y[rows])


def synthetic(n: int, turn: int) -> Predictions:
    """Scores that are too sure of themselves; no two are equal."""
    rng = np.random.Generator(np.random.Philox(key=turn))
    place = rng.normal(size=n)
    score = 1.0 / (1.0 + np.exp(-2.0 * place))
    y = (rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-place))).astype(int)
    return Predictions(score=score, flag=score >= 0.5, y=y)


def employment(folder: Path) -> tuple[Predictions, Predictions, Any]:
    """The year 2015 with its labels, and the years after; and the table of 2015."""
    import pandas as pd

    known, asked, labels = (pd.read_parquet(folder / f"employment_MA_{part}.pq") for part in _PARTS)
    asked = asked.merge(labels, on="id")
    made = [
        Predictions(
            score=part["predicted_probability"].to_numpy(),
            flag=part["prediction"].to_numpy() == 1,
            y=part["employed"].to_numpy(),
        )
        for part in (known, asked)
    ]
    return made[0], made[1], known


def cbpe(quick: bool, data: Path | None) -> None:
    """Ours and NannyML's, on made rows and on real ones."""
    if not (python := os.environ.get("BENCH_NANNYML", "")):
        print("NannyML is not here: `make watchers`, and BENCH_NANNYML names its Python")
        return
    n = 20_000 if quick else 100_000
    pairs = {"made up (SIMULATED)": (synthetic(n // 2, 0), synthetic(n, 1))}
    if data is not None:
        known, asked, _ = employment(data / "drift_employment_ma")
        pairs["employment_ma (REAL)"] = known, asked.take(np.arange(n)) if quick else asked
    Calibrator.fit(np.arange(2.0), np.arange(2))  # what it imports is no part of its time, as NannyML's is not
    lines, apart, ratios = [], [], []
    for name, (reference, window) in pairs.items():
        told, began = _nannyml(python, reference, window), time.process_time()
        calibrator = Calibrator.fit(reference.score, reference.y)
        ours = _estimated(window, np.clip(calibrator(window.score), 0.0, 1.0))
        seconds = time.process_time() - began
        if not told["calibrates"]:
            ours = _estimated(window, window.score)
        far = [float(np.abs(ours[one] - np.array(told[_THEIRS.get(one, one)])).max()) for one in FIGURES]
        apart += far
        ratios.append(told["seconds"] / seconds)
        shown = (f"{max(far[:-1]):.1e}", f"{far[-1]:.1e}", f"{seconds:.2f}", f"{told['seconds']:.2f}")
        lines.append((name, "yes" if told["calibrates"] else "no", len(ours["auc"]), *shown))
    columns = (
        "rows",
        "calibrated",
        f"windows of {CHUNK:,}",
        "five figures apart by",
        "AUC apart by",
        "processor s",
        "NannyML's",
    )
    table("CBPE beside NannyML: the largest difference", columns, lines)
    goal("CBPE, largest difference from NannyML, in 1e-9", 1e9 * max(apart), 1.0)
    goal("CBPE, times less processor time than NannyML", min(ratios), 5.0, at_least=True)


def _estimated(window: Predictions, probability: Array) -> dict[str, Array]:
    """Each figure, window by window; the ends are drawn as well, as they always are."""
    found = []
    for at in range(0, len(window.score), CHUNK):
        part = slice(at, at + CHUNK)
        found.append(expected(probability[part], window.flag[part], window.score[part]))
        spread(probability[part], window.flag[part])
    return {name: np.array([one[name] for one in found]) for name in FIGURES}


def _nannyml(python: str, reference: Predictions, window: Predictions) -> dict[str, Any]:
    return _told(
        python,
        "nannyml",
        figures=np.array([_THEIRS.get(name, name) for name in FIGURES]),
        chunk=np.array(CHUNK),
        reference_score=reference.score,
        reference_flag=reference.flag,
        reference_y=reference.y,
        window_score=window.score,
        window_flag=window.flag,
    )


def _told(python: str, peer: str, **arrays: Array) -> Any:
    """What a peer makes of these arrays."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = f"{folder}/in.npz", f"{folder}/out.json"
        np.savez(given, **arrays)  # type: ignore[arg-type]
        script = str(Path(__file__).with_name("_label_peers.py"))
        subprocess.run([python, script, peer, given, made], check=True, stdout=subprocess.DEVNULL)
        return json.loads(Path(made).read_text(encoding="utf-8"))


def performance(quick: bool, data: Path | None) -> None:
    """Figures of labelled rows beside scikit-learn's."""
    from sklearn import metrics

    sets = {"made up (SIMULATED)": synthetic(20_000 if quick else 100_000, 2)}
    if data is not None:
        sets["employment_ma (REAL), 2015"] = employment(data / "drift_employment_ma")[0]
    lines, apart = [], []
    for name, one in sets.items():
        y, flag, score = one.y, one.flag.astype(int), one.score
        watched = {m.metric: m.value for m in Performance().measure(_cohort(one, Schema(), np.zeros((len(y), 0))))}
        pairs = {
            "accuracy": (watched["accuracy"], metrics.accuracy_score(y, flag)),
            "recall": (watched["recall"], metrics.recall_score(y, flag)),
            "precision": (watched["precision"], metrics.precision_score(y, flag)),
            "F1": (ranking.f1(y, flag), metrics.f1_score(y, flag)),
            "AUC": (ranking.auc(y, score), metrics.roc_auc_score(y, score)),
            "average precision": (ranking.average_precision(y, score), metrics.average_precision_score(y, score)),
            "Brier": (ranking.brier(y, score), metrics.brier_score_loss(y, score)),
            "kappa": (ranking.kappa(y, flag), metrics.cohen_kappa_score(y, flag)),
        }
        far = {figure: abs(float(ours or 0.0) - float(theirs)) for figure, (ours, theirs) in pairs.items()}
        worst = max(far, key=lambda figure: far[figure])
        apart.append(far[worst])
        lines.append((name, len(y), len(far), f"{far[worst]:.1e}", worst))
    table("figures beside scikit-learn", ("rows", "n", "figures", "largest difference", "of"), lines)
    goal("figures, largest difference, in 1e-12", 1e12 * max(apart), 1.0, digits=6)


def fairness(quick: bool, data: Path | None) -> None:
    """The gaps of two columns of each of three real tables beside fairlearn's."""
    python = os.environ.get("BENCH_FAIRLEARN", "")
    if not python or data is None:
        print("fairlearn or the real rows are not here: `make watchers`, BENCH_FAIRLEARN, TEMPER_DATA")
        return
    lines, apart = [], []
    for name, one, people in _of_people(data):
        theirs = _told(
            python, "fairlearn", y=one.y, flag=one.flag, columns=np.array(list(people)),
            **{f"in_{column}": codes for column, codes in people.items()},
        )  # fmt: skip
        schema = Schema(columns=tuple(Column(name=column, type="integer", sensitive=True) for column in people))
        cohort = _cohort(one, schema, np.column_stack(list(people.values())).astype(float))
        # Bands are for ages: codes are groups as they are. fairlearn leaves no group out.
        watched = {
            (m.slice, m.metric): m.value for m in Fairness(bands=len(one.y), smallest=1).measure(cohort) if m.value
        }
        for column, codes in people.items():
            group = np.unique(codes, return_inverse=True)[1]
            counts = confusion(group, one.y, one.flag, int(group.max()) + 1)
            rates = {rate: np.divide(*events(counts, rate)) for rate in ("selection", "tpr", "fpr")}
            far = [abs(float(np.ptp(value)) - theirs[column][rate]) for rate, value in rates.items()]
            far += [
                abs(float(watched[f"column:{column}", f"{rate}_gap"] or 0.0) - theirs[column][rate])
                for rate in ("tpr", "fpr")
            ]
            apart += far
            shown = (f"{theirs[column][rate]:.4f}" for rate in ("selection", "tpr", "fpr"))
            lines.append((name, column, len(one.y), int(group.max()) + 1, *shown, f"{max(far):.1e}"))
    columns = ("rows (REAL)", "groups by", "n", "groups", "selection gap", "TPR gap", "FPR gap", "largest difference")
    table("gaps beside fairlearn", columns, lines)
    goal("gaps, largest difference, in 1e-12", 1e12 * max(apart), 1.0, digits=6)


def _of_people(data: Path) -> list[tuple[str, Predictions, dict[str, Array]]]:
    """Real decisions about people: a model's, and two rules that anybody can read."""
    import pandas as pd

    _, _, work = employment(data / "drift_employment_ma")
    adult = pd.read_csv(data / "adult" / "adult.csv.gz")
    credit = pd.read_csv(data / "credit_default_uci" / "credit-card-clients.csv.gz")
    found = []
    for name, frame, truth, flag, by in (
        ("employment_ma, a model", work, "employed", work["prediction"] == 1, ("SEX", "RAC1P")),
        ("adult, schooling >= 13", adult, "income", adult["education-num"] >= 13, ("sex", "race")),
        ("credit, late by 2 months", credit, "default payment", credit["PAY_0"] >= 2, ("SEX", "EDUCATION")),
    ):
        one = Predictions(score=flag.to_numpy(float), flag=flag.to_numpy(), y=frame[truth].to_numpy(int))
        people = {column: pd.factorize(frame[column], sort=True)[0] for column in by}
        # A rate of no rows is none here and nought in fairlearn: such groups are left out on both sides.
        rows = np.flatnonzero(np.all([_both(one.y, codes) for codes in people.values()], axis=0))
        found.append((name, one.take(rows), {column: codes[rows] for column, codes in people.items()}))
    return found


def _both(y: Array, codes: Array) -> Array:
    """Rows whose group has rows of both classes."""
    return np.isin(codes, codes[y == 1]) & np.isin(codes, codes[y == 0])


def _cohort(one: Predictions, schema: Schema, x: Array) -> Cohort:
    n = len(one.y)
    return Cohort(
        ids=np.arange(n), x=x, score=one.score, flagged=one.flag, at=np.zeros(n), y=one.y.astype(int), schema=schema
    )


PARTS = {"cbpe": cbpe, "performance": performance, "fairness": fairness}


def main(words: list[str]) -> None:
    """The parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="bench.monitoring.labels")
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(words)
    data = os.environ.get("TEMPER_DATA")
    print(machine("numpy", "scipy", "scikit-learn"))
    for name in given.parts or PARTS:
        print(f"\n## {name}\n")
        PARTS[name](given.quick, Path(data) if data else None)


if __name__ == "__main__":
    main(sys.argv[1:])
