"""Smoothing: what is certified holds, what is not asked is not claimed, and early stopping saves what it says."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Measurement, Status
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind
from temper.hardening.smoothing import Smoothing as Defence
from temper.kernels.loss import decide
from temper.targets import open_target
from temper.targets._noise import Noise
from temper.targets.smoothed import Smoothed
from temper.testing.scenes import schema, table, table_model, trained_scene, training
from temper.testing.toys import Constant, Linear, Trainable
from temper.validation.smoothing import Smoothing

BOX = Schema.box(-9.0, 9.0)


@dataclass(frozen=True, kw_only=True)
class Kinds(Linear):
    """The linear toy with its scores in another kind."""

    shown: ScoreKind = ScoreKind.LOGITS

    def scores(self, x: Any) -> Any:
        logit = self.logit(x)
        return logit[:, None] if self.shown is ScoreKind.MARGIN else np.stack([-logit / 2, logit / 2], axis=1)


def scene(x: Any, target: Any, radius: float, norm: str = "l2", **more: Any) -> Scene:
    y = np.asarray(decide(target.scores(x), target.kind, 0.5))
    fields = {"schema": BOX, "threshold": 0.5, "target": target, "kind": target.kind} | more
    return Scene(x=x, y=y, ids=np.arange(len(x)) + 5, budget=Budget(norm=norm, radius=radius), **fields)


def figure(found: Any, metric: str) -> Measurement:
    return next(m for m in found.measurements if m.metric == metric)


def lines(n: int, d: int = 4) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).normal(size=(n, d))


PLANE = Linear(weights=(0.6, 0.8, 0.0, 0.0))


@pytest.mark.parametrize("method", ["sequential", "fixed"])
@pytest.mark.parametrize(("norm", "unit"), [("l2", 1.0), ("l1", 1.0), ("linf", 2.0)])
def test_a_half_space_is_certified_up_to_its_distance_and_never_beyond(method: str, norm: str, unit: float) -> None:
    # Smoothing leaves a half-space as it is: the true l2 radius is the distance to the plane.
    x = lines(120)
    found = Smoothing(sigma=0.5, method=method, samples=4_000).measure(scene(x, PLANE, 0.2, norm))
    distance = np.abs(PLANE.logit(x)) / unit
    radius = found.certificate.radius
    assert (radius <= distance).all()
    share = figure(found, "certified_share")
    assert share.count == int((radius >= 0.2).sum())
    assert share.count >= int((distance > 0.35).sum())
    if method == "fixed":
        near = (distance > 0.1) & (distance < 0.5 / unit)
        assert np.median(distance[near] - radius[near]) < 0.05


def test_certified_rows_are_wrong_no_more_often_than_alpha() -> None:
    # Rows just nearer than the radius: every certificate is an error.
    x = np.zeros((600, 4))
    x[:, :2] = np.array([0.6, 0.8]) * 0.199
    found = Smoothing(sigma=0.25, samples=2_000, alpha=0.05, rows=600).measure(scene(x, PLANE, 0.2))
    assert figure(found, "certified_share").count <= stats.binom.ppf(0.999, 600, 0.05)  # type: ignore[operator]


def test_rows_the_vote_gets_wrong_are_not_certified_and_cost_no_further_draw() -> None:
    x = lines(40)
    wrong = scene(x, PLANE, 0.2)
    found = Smoothing(selection=100).measure(replace(wrong, y=1 - wrong.y))
    # A row on the plane may be voted either way; all others are surely wrong now.
    assert (figure(found, "certified_share").value, figure(found, "accuracy").value) == (0.0, pytest.approx(0, abs=0.1))
    far = np.abs(PLANE.logit(x)) > 1.0
    assert (found.certificate.radius[far] == 0).all()
    assert (found.certificate.limit[far] == 0).all()


def test_the_figures_of_a_row_do_not_depend_on_its_neighbours() -> None:
    x = lines(60)
    whole = scene(x, PLANE, 0.2)
    one = Smoothing().measure(whole).certificate
    some = np.array([50, 3, 17])
    few = Smoothing().measure(replace(whole, x=x[some], y=whole.y[some], ids=whole.ids[some])).certificate
    place = dict(zip(one.ids.tolist(), one.radius.tolist(), strict=True))
    assert [place[i] for i in few.ids.tolist()] == few.radius.tolist()


def test_a_table_s_noise_is_on_movable_numbers_and_derived_columns_follow() -> None:
    domain, x = schema(), table(50)
    noise = Noise(schema=domain, sigma=0.5)
    noisy = noise.on(x, Draws(0, "t"), np.arange(50), np.zeros(50, dtype=int))
    moved = {domain.names[at] for at in np.flatnonzero((noisy != x)[~np.isnan(x).any(axis=1)].any(axis=0))}
    assert moved == {"amount", "limit", "note", "total"}
    np.testing.assert_allclose(noisy[:, 9], noisy[:, 0] + 10 * noisy[:, 2])
    assert (np.isnan(noisy) == np.isnan(x)).all()
    assert noise.still == 0.5  # one count more is half a scale
    amount = noise.on(np.tile(x[:1], (4_000, 1)), Draws(1, "t"), np.arange(4_000), np.zeros(4_000, dtype=int))[:, 0]
    assert np.std(amount) == pytest.approx(0.5 * 10, rel=0.1)


def test_a_radius_beyond_the_smallest_other_step_speaks_of_numbers_alone() -> None:
    within = Smoothing(radius=0.4).measure(trained_scene(80))
    beyond = Smoothing(radius=0.8, sigma=0.5).measure(trained_scene(80))
    assert within.certificate.subject == "smoothed, sigma 0.25"
    assert (within.certificate.radius <= 0.5).all()
    assert beyond.certificate.subject == "smoothed, sigma 0.5, number columns only"
    assert any("number only" in said for said in figure(beyond, "certified_share").caveats)


def test_a_weak_model_is_caught_and_a_sound_one_passes() -> None:
    """The twins of the check: a model that turns within a tenth of a scale, and one that looks at nothing."""
    x = np.random.default_rng(3).uniform(-1, 1, size=(150, 4))
    checkers = open_target(
        lambda rows: np.eye(2)[(np.floor(rows[:, 0] / 0.05) % 2).astype(int)],
        kind=ScoreKind.PROBABILITIES,
        classes=2,
        version="1",
    )
    weak = figure(Smoothing().measure(scene(x, checkers, 0.2)), "certified_share")
    sound = figure(Smoothing().measure(scene(x, Constant(), 0.2)), "certified_share")
    assert weak.high is not None
    assert weak.high < 0.05
    assert sound.value == 1.0


def test_where_the_question_does_not_arise_there_is_a_reason_and_no_figure() -> None:
    x = lines(10)
    fixed = Schema(columns=tuple(Column(name=n) for n in "abcd"))
    valued = replace(Constant(), kind=ScoreKind.VALUE)
    cases = [
        (scene(x, PLANE, 0.2, schema=fixed), "no movable column"),
        (scene(x, PLANE, 2, norm="l0"), "l0"),
        (replace(scene(x, PLANE, 0.2), kind=ScoreKind.VALUE, target=valued), "regression"),
    ]
    for case, words in cases:
        found = Smoothing().measure(case)
        assert [m.status for m in found.measurements] == [Status.UNTRIED]
        assert words in found.measurements[0].reason


# -- the smoothed target -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ScoreKind.PROBABILITIES, ScoreKind.LOGITS, ScoreKind.MARGIN])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_the_decision_is_the_majority_whatever_the_kind_of_scores(kind: ScoreKind, threshold: float | None) -> None:
    plain = Linear(weights=(1.0, 0.5, 0.0, 0.0))
    shown = Kinds(weights=plain.weights, kind=kind, shown=kind)
    inner = plain if kind is ScoreKind.PROBABILITIES else shown
    x = lines(200) * 2
    level = threshold if kind is not ScoreKind.MARGIN or threshold is None else 0.7
    smoothed = Smoothed(inner=inner, schema=BOX, sigma=0.3, samples=101, threshold=level)
    votes = smoothed._votes(x)
    assert (votes.sum(axis=1) == 101).all()
    decided = decide(smoothed.scores(x), kind, level)
    np.testing.assert_array_equal(decided, votes.argmax(axis=1))
    np.testing.assert_array_equal(
        decided[votes.max(axis=1) == 101], decide(inner.scores(x), kind, level)[votes.max(axis=1) == 101]
    )


def test_the_same_row_gets_the_same_answer_alone_or_in_company_and_from_a_copy() -> None:
    smoothed = Smoothed(inner=table_model(), schema=schema(), samples=20)
    x = table(30)
    whole = smoothed.scores(x)
    np.testing.assert_array_equal(smoothed.scores(x[7:8]), whole[7:8])
    copy = pickle.loads(pickle.dumps(smoothed))
    np.testing.assert_array_equal(copy.scores(x), whole)
    assert copy.digest == smoothed.digest != replace(smoothed, sigma=0.5).digest
    assert not smoothed.stochastic


def test_a_vote_near_a_tie_abstains() -> None:
    x = np.zeros((2, 4))
    x[1, :2] = 3.0
    assert Smoothed(inner=PLANE, schema=BOX).abstains(x).tolist() == [True, False]


@pytest.mark.parametrize("tensors", [False, True])
def test_the_gradient_is_the_mean_of_the_inner_ones_under_noise(tensors: bool) -> None:
    x = lines(6)
    cotangent = lambda scores: scores * 0 + np.array([-1.0, 1.0]) if not tensors else _ones(scores)  # noqa: E731
    if tensors:
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)
        inner: Any = open_target(torch.nn.Sequential(torch.nn.Linear(4, 2)))
        given: Any = torch.as_tensor(x, dtype=torch.float32)
    else:
        inner, given = PLANE, x
    smoothed = Smoothed(inner=inner, schema=BOX, sigma=1e-9, samples=4)
    scores, slope = smoothed.gradient(given, cotangent)
    assert type(scores) is type(given)
    np.testing.assert_allclose(slope, inner.gradient(given, cotangent)[1], rtol=1e-4, atol=1e-6)


def _ones(scores: Any) -> Any:
    return scores * 0 + scores.new_tensor([-1.0, 1.0])


def test_trees_are_no_longer_offered_and_a_refit_stays_smoothed() -> None:
    inner = Trainable.fitted(training())
    smoothed = Smoothed(inner=replace(inner, access=inner.access | Access.TREES), schema=schema())
    assert smoothed.access == inner.access
    fitted = smoothed.refit(training(seed=4), Recipe())
    assert isinstance(fitted, Smoothed)
    assert fitted.digest != smoothed.digest


def test_the_defence_wraps_and_refuses_what_it_cannot_smooth() -> None:
    target, data = Trainable.fitted(training()), training()
    hardened = Defence(schema=schema(), sigma=0.5).apply(target, data, Draws(0, "d"))
    assert isinstance(hardened, Smoothed)
    assert (hardened.sigma, hardened.inner) == (0.5, target)
    nothing = Schema(columns=(Column(name="a", attacker=Mutability.FREE, type="integer"),))
    for defence in (Defence(), Defence(schema=nothing), Defence(schema=schema(), sigma=0.0)):
        with pytest.raises(Unsupported):
            defence.apply(target, data, Draws(0, "d"))
    with pytest.raises(Unsupported, match="regression"):
        Defence(schema=schema()).apply(replace(Constant(), kind=ScoreKind.VALUE), data, Draws(0, "d"))


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(TemperError, match="sequentail"):
        Smoothing(method="sequentail").measure(scene(lines(5), PLANE, 0.2))


# -- a real model --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_on_real_digits_early_stopping_saves_25_times_the_draws_and_pgd_breaks_no_certified_row() -> None:
    torch = pytest.importorskip("torch")
    folder = Path(os.environ.get("TEMPER_DATA", "/nowhere")) / "mnist_t10k"
    if not folder.exists():
        pytest.skip("no mnist_t10k in TEMPER_DATA")
    from bench.evasion.smoothing import digits, trained

    (train_x, train_y), (x, y) = digits(folder)
    model = trained(train_x, train_y, 0.5, epochs=1)
    some = Data(x=x[:60], y=y[:60], ids=np.arange(60))
    target = open_target(model)
    case = Scene(
        x=some.x,
        y=some.y,
        ids=some.ids,
        schema=Schema.box(0.0, 1.0),
        budget=Budget(norm="l2", radius=0.5),
        kind=target.kind,
        classes=10,
        target=target,
    )
    quick = Smoothing(sigma=0.5).measure(case)
    assert (figure(quick, "samples").value or np.inf) <= 100_000 / 25
    held = quick.certificate.radius >= 0.5
    assert held.mean() > 0.3
    smoothed = Smoothed(inner=target, schema=case.schema, sigma=0.5, samples=200)
    at, clean = torch.as_tensor(x[:60][held], dtype=torch.float32), torch.as_tensor(x[:60][held], dtype=torch.float32)
    labels = torch.as_tensor(y[:60][held])
    for _ in range(10):
        _, slope = smoothed.gradient(at, lambda s: -torch.nn.functional.one_hot(labels, 10).to(s.dtype))
        step = slope / slope.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None, None] * 0.125
        away = at + step - clean
        at = clean + away * (0.5 / away.flatten(1).norm(dim=1).clamp(min=1e-12)).clamp(max=1)[:, None, None, None]
    assert (smoothed.scores(at).argmax(1) == labels).all()
