"""Defences against copying: what they answer, to whom, at whose price, and how a thief who knows of them fares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.system import Exposure
from temper.core.target import ScoreKind
from temper.core.threat import Actor
from temper.engine.rooms.extraction import effects, run
from temper.engine.task import Sizes
from temper.hardening.adaptive_misinformation import AdaptiveMisinformation
from temper.hardening.noise import Noise
from temper.targets.misleading import Misled, Noised
from temper.testing.toys import Linear
from unit.payload_world import Boosted, figure, rows, schema, task, world

NAME = "extraction.surrogate"
SMALL = Sizes(students=300, replicates=200)


def tied(n: int, seed: int) -> Data:
    """Rows whose columns hang together, so that made-up ones can be told from natural ones."""
    data = rows(n, seed)
    x = data.x.copy()
    x[:, 3:8] = x[:, :1] * np.array([1.0, -1.0, 0.5, 2.0, 1.5]) + 0.05 * x[:, 3:8]
    return Data(x=np.clip(x, -6.0, 6.0), y=data.y, ids=np.arange(n) + 10_000 * seed)


@pytest.fixture(scope="module")
def victim() -> Boosted:
    return Boosted.fitted(tied(3_000, 1))


def misled(victim: Boosted, share: float = 0.02) -> Any:
    return AdaptiveMisinformation(misled=share, schema=schema()).apply(victim, tied(3_000, 1), Draws(0, "t"))


def test_natural_rows_are_answered_truly_and_made_up_ones_are_not(victim: Boosted) -> None:
    target, natural = misled(victim), tied(2_000, 2)
    assert target.strange(natural.x).mean() == pytest.approx(0.02, abs=0.015)
    rng = np.random.default_rng(0)
    made_up = np.stack([rng.permutation(column) for column in natural.x.T], axis=1)
    strange = target.strange(made_up)
    assert strange.mean() > 0.9
    np.testing.assert_allclose(target.scores(made_up)[strange], victim.scores(made_up)[strange][:, ::-1])
    np.testing.assert_allclose(target.scores(made_up)[~strange], victim.scores(made_up)[~strange])


@pytest.mark.slow
def test_a_copy_of_made_up_rows_is_misled_and_one_of_natural_rows_is_not(victim: Boosted) -> None:
    held = tied(1_500, 2)
    insider = (Actor(name="insider", knowledge="grey-box"),)
    here = world(victim, tied(3_000, 1), tied(4_000, 3), actors=insider)
    here = replace(here, held_out=np.arange(len(held)))
    before = run(task(NAME, SMALL), here)
    after = run(task(NAME, SMALL), replace(here, system=replace(here.system, target=misled(victim))))
    by_metric = {effect.metric: effect for effect in effects("adaptive_misinformation", before, after)}
    assert next(iter(by_metric)) == "extraction.any.f1", "the better copy decides"
    assert by_metric[f"{NAME}.f1"].high < -0.2
    assert abs(by_metric[f"{NAME}.natural_f1"].difference) < 0.1
    deciding = by_metric["extraction.any.f1"]
    assert deciding.after >= by_metric[f"{NAME}.natural_f1"].after - 1e-9
    assert deciding.verdict != "better" or deciding.after > 0.5


def test_the_thief_who_knows_holds_as_many_rows_as_his_actor_and_pays_for_them(victim: Boosted) -> None:
    here = world(victim, tied(3_000, 1), tied(2_000, 3))
    few = run(task(NAME, SMALL), here)
    assert few.queries == 300 + 20 + 200, "the copy, the rows asked again, the 200 natural rows he holds"
    assert "natural" in few.evidence
    nobody = run(task(NAME, SMALL), replace(here, system=replace(here.system, train=None)))
    assert "natural" not in nobody.evidence
    assert nobody.queries == 320
    assert figure(nobody, "f1").value == figure(few, "f1").value, "the figure is the same"


@given(st.integers(0, 1_000), st.floats(0.1, 2.0))
def test_noise_is_the_same_for_the_same_row_and_has_its_size(seed: int, spread: float) -> None:
    model, x = Linear(weights=(1.0, -0.5)), np.random.default_rng(seed).normal(size=(400, 2))
    target = Noised(inner=model, spread=spread, seed=seed)
    said = target.scores(x)
    np.testing.assert_array_equal(said, target.scores(x))
    np.testing.assert_array_equal(said[::-1], target.scores(x[::-1]))
    np.testing.assert_allclose(said.sum(axis=1), 1.0)
    moved = np.log(said[:, 1] / said[:, 0]) - model.logit(x)
    assert moved.std() == pytest.approx(np.sqrt(2) * spread, rel=0.2)
    assert abs(moved.mean()) < 0.3 * spread


def test_nought_is_nought_and_a_gap_is_a_gap_whatever_their_bits() -> None:
    target = Noised(inner=Linear(weights=(1.0, 1.0)), spread=1.0, seed=3)
    signs = target.scores(np.array([[0.0, 1.0], [-0.0, 1.0]]))
    np.testing.assert_array_equal(signs[0], signs[1])
    gaps = target.scores(np.array([[np.nan, 1.0], [-np.nan, 1.0]]))
    np.testing.assert_array_equal(gaps[0], gaps[1])


@pytest.mark.parametrize("which", ["noised", "misled"])
def test_the_slope_is_that_of_what_is_told(which: str, victim: Boosted) -> None:
    model = Linear(weights=(0.7, *(0.1,) * 11))
    judge = misled(victim)
    target = {
        "noised": Noised(inner=model, spread=0.5, seed=1),
        "misled": Misled(inner=model, judge=judge.judge, cut=judge.cut),
    }[which]
    rng = np.random.default_rng(4)
    x = np.concatenate([tied(20, 5).x, rng.normal(size=(20, 12))])
    pull = rng.normal(size=(40, 2))
    scores, slope = target.gradient(x, lambda said: pull)
    np.testing.assert_allclose(scores, target.scores(x))
    step = 1e-6
    inner_gain = (model.scores(x + step * np.eye(12)[0]) - model.scores(x - step * np.eye(12)[0])) / (2 * step)
    if which == "misled":
        turned = np.where(target.strange(x)[:, None], inner_gain[:, ::-1], inner_gain)
        np.testing.assert_allclose(slope[:, 0], (pull * turned).sum(axis=1), atol=1e-6)
    else:
        p = model.scores(x)
        jacobian = scores[:, :, None] * (np.eye(2)[None] - scores[:, None, :]) / p[:, None, :]
        np.testing.assert_allclose(
            slope[:, 0], np.einsum("nk,nkj,nj->n", pull, jacobian, inner_gain), rtol=1e-5, atol=1e-8
        )


def test_a_margin_is_turned_by_its_sign_and_several_classes_by_their_ends() -> None:
    class Sure(Linear):
        def scores(self, x: Any) -> Any:
            return np.tile([0.0, 1.0], (len(x), 1))

    class Three(Linear):
        def scores(self, x: Any) -> Any:
            return np.tile([0.7, 0.2, 0.1], (len(x), 1))

    class Edge(Linear):
        def scores(self, x: Any) -> Any:
            return np.full((len(x), 1), 2.5)

    x = np.zeros((2, 1))
    of_three = Misled(inner=Three(weights=(1.0,), classes=3), judge=Sure(weights=(1.0,)), cut=0.5)
    np.testing.assert_allclose(of_three.scores(x), [[0.1, 0.2, 0.7]] * 2)
    of_edge = Misled(inner=Edge(weights=(1.0,), kind=ScoreKind.MARGIN), judge=Sure(weights=(1.0,)), cut=0.5)
    np.testing.assert_allclose(of_edge.scores(x), [[-2.5]] * 2)


def test_what_they_cannot_do_is_refused_in_a_sentence() -> None:
    with pytest.raises(TemperError, match="above zero"):
        Noise(spread=0.0)
    with pytest.raises(TemperError, match=r"\(0, 0.5\)"):
        AdaptiveMisinformation(misled=0.7)
    with pytest.raises(Unsupported, match="logits"):
        Noise().apply(Linear(weights=(1.0,), kind=ScoreKind.MARGIN), rows(10, 1), Draws(0, "t"))
    with pytest.raises(Unsupported, match="too few"):
        AdaptiveMisinformation(schema=schema()).apply(Linear(weights=(1.0,) * 12), rows(50, 1), Draws(0, "t"))


def test_decisions_can_be_misled_too(victim: Boosted) -> None:
    here = world(misled(victim), tied(3_000, 1), tied(1_500, 3), exposure=Exposure(returns="label"))
    part = run(task(NAME, SMALL), here)
    assert "decisions only" in figure(part, "f1").caveats[0]
