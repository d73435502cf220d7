"""Held-out rows that the model was fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.target import ScoreKind
from temper.kernels.equal_rows import numbered, times
from temper.kernels.rate import apart, measure_rate
from temper.validation._measured import missing, not_applicable

NAME = "duplicates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Rows that stand in more than one place: `across_splits`, held-out rows whose inputs are a training row's too.

    Where rows are coarse some are equal by chance, as often among training rows as across: `excess` is what the share
    across lies above the share of training rows that have a twin in their own table. `within` counts held-out rows
    that repeat one another; `contradicted` those with an equal row, here or in training, that carries another label,
    `contradicted_train` the share of training rows that another training row contradicts.
    Misleads for rows that were copied and then changed a little (a rounded amount, a resized picture): only equal
    values count. A training table whose own copies were added on purpose hides as many across.
    Source: Kapoor & Narayanan, "Leakage and the reproducibility crisis in machine-learning-based science", 2023;
    Barz & Denzler, "Do we train on test data? Purging CIFAR of near-duplicates", 2020.

    >>> Duplicates()
    Duplicates()
    """

    whole_train: ClassVar[bool] = True

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`across_splits`, `excess`, `within` and `contradicted` in shares of the held-out rows, and
        `contradicted_train` of the training rows.
        """
        if scene.train is None or not len(scene.train):
            return not_applicable(NAME, "there are no training rows to compare with")
        n = len(scene.x)
        if not n:
            return (missing(NAME, "across_splits", Status.INCONCLUSIVE, "there are no held-out rows"),)
        train = scene.train
        here, there = numbered(scene.x, train.x)
        shared, own = times(here, there) > 0, times(there, there) > 1
        usual = (("training rows with a twin in training", float(own.mean())),)
        told = (
            self._rate("across_splits", shared, usual),
            _excess(shared, own),
            self._rate("within", times(here, here) > 1, usual),
        )
        if scene.kind is ScoreKind.VALUE:
            return told
        nobody = np.zeros(0, dtype=np.int64)
        return (
            *told,
            self._rate("contradicted", _contradicted(scene.y, train.y, here, there), ()),
            self._rate("contradicted_train", _contradicted(train.y, nobody, there, nobody), ()),
        )

    def _rate(self, metric: str, mask: Any, baseline: tuple[tuple[str, float], ...]) -> Measurement:
        return measure_rate(NAME, metric, int(mask.sum()), len(mask), better=Better.LOWER, baseline=baseline)


def _excess(shared: Any, own: Any) -> Measurement:
    value, low, high = apart(int(shared.sum()), len(shared), int(own.sum()), len(own))
    count = f"{int(shared.sum()):,} of {len(shared):,} held-out rows are training rows too"
    return Measurement(
        plugin=NAME,
        metric="excess",
        value=value,
        low=low,
        high=high,
        n=len(shared),
        unit="difference of rates",
        better=Better.LOWER,
        method="Newcombe",
        baseline=(("held-out rows in training", float(shared.mean())), ("training rows twice", float(own.mean()))),
        caveats=(count,),
    )


def _contradicted(y: Any, trained: Any, here: Any, there: Any) -> Any:
    """Held-out rows with an equal row, anywhere, of another label."""
    label = np.concatenate([np.asarray(y), np.asarray(trained)]).astype(np.int64)
    number = np.concatenate([here, there])
    pair = number * (int(label.max(initial=0)) + 1) + label
    return times(here, number) > times(pair[: len(here)], pair)


PLUGIN = Duplicates
