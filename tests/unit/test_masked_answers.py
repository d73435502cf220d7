"""What one may rely on in answers that are less sure of themselves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.hardening.masked import Masked
from temper.kernels.ranking import auc
from temper.testing.scenes import training
from temper.testing.toys import Linear, Trainable

RNG = Draws(0, "hardening.masked")
TOY = Trainable.fitted(training())


def masked(temperature=3.0, clip=0.0, target=TOY):
    return Masked(temperature=temperature, clip=clip).apply(target, training(), RNG)


@given(st.floats(1.0, 20.0), arrays(float, (5, 16), elements=st.floats(-1, 1)))
def test_a_temperature_divides_the_logit(temperature, x):
    inner = Linear(weights=(1.0,) * 16)
    p = masked(temperature, target=inner).scores(x)
    np.testing.assert_allclose(np.log(p[:, 1] / p[:, 0]), inner.logit(x) / temperature, atol=1e-6)


def test_a_temperature_keeps_the_order_and_a_clip_the_sum():
    data = training()
    plain, flat, cut = (t.scores(data.x) for t in (TOY, masked(5.0), masked(1.0, 0.1)))
    assert auc(data.y, flat[:, 1]) == auc(data.y, plain[:, 1])
    np.testing.assert_allclose(cut.sum(axis=1), 1.0)
    assert cut.min() == pytest.approx(0.1)
    inside = (plain.min(axis=1) > 0.1) & (plain.max(axis=1) < 0.9)
    np.testing.assert_allclose(cut[inside], plain[inside])


def test_its_slope_is_that_of_what_is_served():
    target, x = masked(3.0), np.nan_to_num(training().x[:6])
    pull = np.random.default_rng(0).normal(size=(6, 2))
    _, slope = target.gradient(x, lambda scores: pull)
    step = 1e-5
    for at in range(x.shape[1]):
        moved = np.eye(x.shape[1])[at] * step
        found = ((target.scores(x + moved) - target.scores(x - moved)) * pull).sum(axis=1) / (2 * step)
        np.testing.assert_allclose(slope[:, at], found, atol=1e-6)


@pytest.mark.parametrize("settings", [{"temperature": 0.5}, {"clip": 0.5}, {"clip": -0.1}])
def test_a_mask_that_cannot_be_meant_is_refused(settings):
    with pytest.raises(TemperError, match="masks nothing"):
        Masked(**settings)


def test_what_are_no_probabilities_are_refused():
    with pytest.raises(Unsupported, match="these are none"):
        masked(target=replace(TOY, kind=ScoreKind.LOGITS))
