"""Figures measured while labels are on their way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.measure import Status
from temper.core.schema import Column, Schema
from temper.core.target import Access, ScoreKind
from temper.kernels.ranking import auc
from temper.validation.label_delay import LabelDelay


class Model:
    """Scores are the first column."""

    name, access, stochastic, digest, classes, kind = "m", Access.SCORES, False, "d", 2, ScoreKind.MARGIN

    def scores(self, x: Any) -> Any:
        return x[:, :1]


def scene(n: int = 4000, shift: float = 3.0) -> Scene:
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.1).astype(int)
    model: Any = Model()
    x = rng.normal(size=(n, 1)) + shift * y[:, None]
    return Scene(x=x, y=y, ids=np.arange(n), schema=Schema(columns=(Column(name="a"),)), target=model, kind=model.kind)


def test_a_good_model_reads_worse_the_more_labels_are_late() -> None:
    figure = LabelDelay().measure(scene())[0]
    assert figure.curve is not None
    values = [point.value for point in figure.curve.points]
    assert values == sorted(values, reverse=True)
    assert figure.low is not None
    assert figure.value is not None
    assert figure.high is not None
    assert figure.low < figure.value < figure.high < 0
    score, y = scene().x[:, 0], scene().y == 1
    by_then = y & (np.arange(len(y)) < len(y) - 400)
    assert figure.value == pytest.approx(auc(by_then, score) - auc(y, score))


def test_a_model_that_knows_nothing_reads_as_before() -> None:
    figure = LabelDelay().measure(scene(shift=0.0))[0]
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < 0 < figure.high


def test_where_class_one_is_all_late_nothing_can_be_said() -> None:
    given = scene()
    given.y[:] = 0
    given.y[-50:] = 1
    assert LabelDelay().measure(given)[0].status is Status.INCONCLUSIVE
