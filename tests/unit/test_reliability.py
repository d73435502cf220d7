"""Reliability beyond calibration: abstaining, conformal sets, the parts of the Brier score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from temper.core.measure import Status
from temper.core.schema import Column
from temper.core.target import ScoreKind
from temper.kernels.calibration import brier_parts
from temper.kernels.selective import area, best_area, risks
from temper.validation.calibration import Calibration
from temper.validation.conformal import Conformal
from temper.validation.selective import Selective
from unit.test_validation import FEW, Toy, claims, find, scene, stated


def test_the_area_is_the_mean_risk_of_the_surest_rows_over_every_share_answered() -> None:
    rng = np.random.default_rng(0)
    sure, wrong = rng.random(60), rng.random(60) < 0.3
    order = np.argsort(-sure)
    by_hand = np.mean([wrong[order][:k].mean() for k in range(1, 61)])
    assert area(sure, wrong, np.ones((1, 60)))[0] == pytest.approx(by_hand, abs=1e-12)
    tied = np.round(sure, 1)  # ties: the mean over random orders within them
    drawn = [area(tied + 1e-6 * rng.random(60), wrong, np.ones((1, 60)))[0] for _ in range(200)]
    assert area(tied, wrong, np.ones((1, 60)))[0] == pytest.approx(np.mean(drawn), abs=0.006)
    covered, risk = risks(sure, wrong, np.ones((1, 60)))
    assert (covered[0, -1], risk[0, -1]) == (1.0, pytest.approx(wrong.mean()))
    assert best_area(wrong, np.ones((1, 60)))[0] <= by_hand


def test_weights_of_a_bootstrap_are_rows_drawn_twice() -> None:
    rng = np.random.default_rng(1)
    sure, wrong = rng.random(40).round(1), rng.random(40) < 0.4
    weights = rng.multinomial(40, np.full(40, 1 / 40)).astype(float)
    drawn = np.repeat(np.arange(40), weights.astype(int))
    by_rows = area(sure[drawn], wrong[drawn], np.ones((1, 40)))[0]
    assert area(sure, wrong, weights[None])[0] == pytest.approx(by_rows, abs=1e-12)


def test_a_model_that_is_surest_where_it_is_wrong_is_told() -> None:
    x, y = claims(600, 0)
    gain = find(Selective(replicates=FEW).measure(scene(Toy(lambda x: stated(1 - x)), x, y)), "gain")
    assert (gain.high or 1.0) < 0.0


def test_a_calibrated_model_saves_mistakes_by_not_answering() -> None:
    x, y = claims(600, 0)
    measured = Selective(replicates=FEW).measure(scene(Toy(stated), x, y))
    assert (find(measured, "gain").low or 0.0) > 0.2
    risk = find(measured, "risk")
    assert (risk.value or 1.0) < dict(risk.baseline)["all rows answered"]
    curve = find(measured, "aurc").curve
    assert curve is not None
    assert curve.points[-1].n == 600


def three(x: Any) -> Any:
    """Softmax over three columns."""
    return np.exp(x[:, :3]) / np.exp(x[:, :3]).sum(axis=1, keepdims=True)


def rows_of_three(n: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1.5, (n, 3))
    return x, (x + rng.gumbel(size=(n, 3))).argmax(axis=1)


def quick(seed: int) -> Conformal:
    return Conformal(seed=seed, replicates=50)


def test_sets_of_a_sound_model_hold_the_truth_as_often_as_promised() -> None:
    held = [
        find(quick(seed).measure(scene(Toy(three, classes=3), *rows_of_three(600, seed))), "coverage").value
        for seed in range(20)
    ]
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)


def test_a_model_that_forgets_a_class_leaves_it_uncovered() -> None:
    x, y = rows_of_three(1500, 0)
    x[:, 2] -= 4 * (y == 2)  # sure, and wrong, about class 2 alone
    x[:, 0] += 3 * (y == 0)
    x[:, 1] += 3 * (y == 1)
    kept = np.flatnonzero((y != 2) | (np.arange(1500) % 5 == 0))
    measured = Conformal(replicates=FEW).measure(scene(Toy(three, classes=3), x[kept], y[kept]))
    worst = find(measured, "class_coverage")
    assert worst.caveats[0] == "class 2"
    assert (worst.high or 1.0) < 0.8
    assert (find(measured, "coverage").low or 0.0) > 0.8


def test_sets_that_were_right_earlier_are_wrong_later() -> None:
    x, y = rows_of_three(1500, 0)
    time = np.arange(1500.0)
    steady = find(Conformal(replicates=FEW).measure(scene(Toy(three, classes=3), x, y, time=time)), "later_coverage")
    assert steady.low is not None
    assert steady.low < 0.9 < (steady.high or 0.0) + 0.02
    aged = np.where(time > 900, (y + 1) % 3, y)
    found = find(Conformal(replicates=FEW).measure(scene(Toy(three, classes=3), x, aged, time=time)), "later_coverage")
    assert (found.high or 1.0) < 0.85


def test_values_have_intervals_of_one_width_and_groups_their_own_coverage() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=1200), rng.integers(0, 2, 1200)])
    y = x[:, 0] + rng.normal(size=1200) * np.where(x[:, 1] == 1, 2.0, 0.2)
    columns = (Column(name="a"), Column(name="sex", type="category", categories=("f", "m"), sensitive=True))
    target = Toy(lambda x: x[:, :1], ScoreKind.VALUE, 1)
    measured = Conformal(replicates=FEW).measure(scene(target, x, y, columns, sensitive=("sex",)))
    assert find(measured, "group_coverage").caveats[0] == "sex m"
    assert (find(measured, "group_coverage").high or 1.0) < 0.9
    assert find(measured, "width").value < dict(find(measured, "width").baseline)["without a model"]


def test_few_rows_promise_nothing() -> None:
    x, y = claims(60, 0)
    assert Conformal().measure(scene(Toy(stated), x, y))[0].status is Status.INCONCLUSIVE
    assert Selective().measure(scene(Toy(stated), x[:20], y[:20]))[0].status is Status.INCONCLUSIVE


def test_the_parts_of_the_brier_score_add_up_and_speak_of_what_was_planted() -> None:
    rng = np.random.default_rng(0)
    p = rng.choice([0.1, 0.3, 0.6, 0.9], 4000)
    for shift in (0.0, 0.08):
        hit = (rng.random(4000) < p + shift).astype(float)
        reliability, resolution, uncertainty = (float(part[0]) for part in brier_parts(p, hit, 4, np.ones((1, 4000))))
        brier = float(((p - hit) ** 2).mean())
        assert reliability - resolution + uncertainty == pytest.approx(brier, abs=1e-12)
        assert reliability == pytest.approx(shift**2, abs=0.0015)
    measured = Calibration(replicates=200).measure(scene(Toy(lambda x: stated(np.sqrt(x))), *claims(800, 0)))
    assert (find(measured, "reliability").low or 0.0) > 0.01
    sound = Calibration(replicates=200).measure(scene(Toy(stated), *claims(800, 0)))
    assert (find(sound, "reliability").low or 0.0) <= 0.001
    assert (find(sound, "resolution").low or 0.0) > 0.0
