"""What may be relied on when training rows carry a trigger: a net that learnt it shows them, a clean net nobody."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.measure import Measurement, Status
from temper.core.schema import Schema
from temper.core.target import ScoreKind
from temper.targets.load import open_target
from temper.validation._activations import penultimate
from temper.validation.activation_clustering import ActivationClustering
from temper.validation.spectral_signatures import SpectralSignatures

torch = pytest.importorskip("torch")

CHECKS = (ActivationClustering(), SpectralSignatures())
CLASSES, COLUMNS, LABEL = 5, 12, 3


def rows(n: int, seed: int) -> tuple[Any, Any]:
    """Classes around centres of their own; the last column says nothing."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(CLASSES, COLUMNS)) * 1.5
    y = generator.integers(0, CLASSES, n)
    x = centres[y] + generator.normal(size=(n, COLUMNS))
    x[:, -1] = generator.normal(size=n) * 0.3
    return x.astype(np.float32), y


@cache
def world(share: float, away: float = 0.0) -> tuple[Scene, Any]:
    """The scene of a check, and which training rows are stamped (the last column at 4) and relabelled.

    `away` moves all held-out rows: they are then of another kind than the training rows.
    """
    x, y = rows(2_500, 0)
    stamped = (np.random.default_rng(5).random(len(x)) < share) & (y != LABEL)
    x[stamped, -1], y[stamped] = 4.0, LABEL
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(COLUMNS, 24), torch.nn.ReLU(), torch.nn.Linear(24, CLASSES))
        optimiser = torch.optim.Adam(net.parameters(), 1e-2)
        given, truths = torch.tensor(x), torch.tensor(y)
        for _ in range(15):
            for batch in torch.randperm(len(x)).split(64):
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(net(given[batch]), truths[batch]).backward()
                optimiser.step()
    target = open_target(net.eval())
    held, wanted = rows(1_500, 1)
    held = held + np.float32(away) * np.random.default_rng(3).normal(size=COLUMNS).astype(np.float32)
    scene = Scene(
        x=held,
        y=wanted,
        ids=np.arange(len(held)),
        schema=Schema.box(-20.0, 20.0),
        kind=target.kind,
        classes=CLASSES,
        target=target,
        train=Data(x=x, y=y),
    )
    return scene, stamped


def measured(check: Any, scene: Scene) -> Measurement:
    seen = check.measure(scene)
    (found,) = seen.measurements if isinstance(seen, Accused) else seen
    return found


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: type(check).__name__)
def test_stamped_rows_are_accused(check: Any) -> None:
    scene, stamped = world(0.05)
    found = measured(check, scene)
    assert found.count is not None
    assert 0.6 * stamped.sum() < found.count < 1.3 * stamped.sum()
    assert found.caveats[0].startswith(f"class {LABEL}: ")
    assert len([words for words in found.caveats if words.startswith("class ")]) == 1
    ids = check.measure(scene).ids
    assert len(ids) == found.count
    assert stamped[ids].mean() > 0.7


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: type(check).__name__)
def test_a_clean_net_is_left_alone(check: Any) -> None:
    found = measured(check, world(0.0)[0])
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high is not None
    assert found.high > 0.0
    assert "blind" in found.caveats[0]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: type(check).__name__)
def test_held_out_rows_of_another_kind_accuse_nobody_and_it_is_said(check: Any) -> None:
    found = measured(check, world(0.0, away=0.7)[0])
    assert found.count == 0
    assert any("draw held-out rows at random" in words for words in found.caveats)


def test_what_the_last_layer_is_given() -> None:
    scene, _ = world(0.0)
    target: Any = scene.target
    inner = penultimate(target, scene.x[:700])
    last = target.model[-1]
    assert inner is not None
    assert inner.shape == (700, 24)
    by_hand = inner @ last.weight.detach().numpy().T + last.bias.detach().numpy()
    np.testing.assert_allclose(by_hand, target.scores(scene.x[:700]), atol=1e-4)
    assert not any(part._forward_pre_hooks for part in target.model.modules())


def test_why_it_does_not_apply_is_one_sentence() -> None:
    scene, _ = world(0.0)
    assert scene.train is not None
    few = replace(scene, train=Data(x=scene.train.x, y=np.minimum(scene.train.y, 2)), y=np.minimum(scene.y, 2))
    bare = replace(scene, target=open_target(torch.nn.Conv1d(1, 2, 1).eval(), classes=2))
    for other in (replace(scene, train=None), replace(scene, kind=ScoreKind.VALUE), few, bare):
        for check in CHECKS:
            found = measured(check, other)
            assert found.status is Status.UNTRIED
            assert found.reason
