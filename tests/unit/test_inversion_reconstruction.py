"""Model inversion: rows learned by heart are approached, and of many rows there is only a prototype."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from temper.attacks.inversion.reconstruction import Reconstruction
from temper.core.attack import Outcome
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.measure import Status
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.engine.rooms.inversion import effects, run
from temper.engine.task import Part, World
from temper.judges.nearness import Nearness, Reconstructions, nearest
from temper.targets.load import open_target
from unit.payload_world import figure, rows, task, world

torch = pytest.importorskip("torch")
NAME = "inversion.reconstruction"


def pictures(first: int, last: int) -> Data:
    """Handwritten digits of eight by eight pixels (scikit-learn's own)."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))[first:last]
    return Data(x=(found.images[order, None] / 16.0).astype(np.float32), y=found.target[order])


@cache
def here(many: int, epochs: int) -> World:
    """A net fitted on so many digits, and 700 it never saw."""
    data = pictures(0, many)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
        )
        adam = torch.optim.Adam(net.parameters(), 3e-3)
        x, y = torch.tensor(data.x), torch.tensor(data.y)
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(64):
                adam.zero_grad()
                torch.nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
                adam.step()
    return world(open_target(net), data, pictures(1_097, 1_797), schema=Schema.box(0.0, 1.0), threshold=None)


def audit(many: int, epochs: int) -> Part:
    return run(task(NAME), here(many, epochs))


def test_a_net_that_learned_few_rows_by_heart_gives_them_away() -> None:
    part = audit(40, 300)
    ratio = figure(part, "ratio")
    assert ratio.high < 0.97
    assert dict(ratio.baseline)["starting points"] > ratio.high
    assert ratio.n == 10
    assert part.queries == 80 * 301
    assert "distance ratio" in part.findings[0].title


def test_a_net_fitted_on_many_rows_shows_a_prototype() -> None:
    part = audit(1_000, 30)
    ratio = figure(part, "ratio")
    assert ratio.low < 1.0 < ratio.high
    assert part.findings == ()
    assert "prototype" in ratio.caveats[0]


def test_the_ascent_ends_where_the_net_is_surest() -> None:
    side = here(1_000, 30)
    seen = Reconstruction(starts=2).run(None, side.scene(task(NAME)), Draws(0, "x"))
    assert seen.confidence.min() > 0.9
    assert seen.x.shape == (20, 1, 8, 8)
    assert 0.0 <= seen.x.min() <= seen.x.max() <= 1.0
    assert np.array_equal(np.unique(seen.wanted), np.arange(10))


def test_no_gradient_no_training_data_and_two_classes_are_said() -> None:
    from temper.testing.toys import Trainable
    from unit.payload_world import Boosted

    train, others = rows(300, 1), rows(300, 2)
    assert "gradients" in run(task(NAME), world(Boosted.fitted(train), train, others)).reason
    assert "no training data" in run(task(NAME), world(Trainable.fitted(train), None, others)).reason
    ratio = figure(run(task(NAME), world(Trainable.fitted(train), train, others)), "ratio")
    assert ratio.status is Status.INCONCLUSIVE
    assert "takes 5" in ratio.reason


def test_the_nearest_of_some_is_the_average_over_all_ways_to_draw_them() -> None:
    from itertools import combinations

    rng = np.random.default_rng(0)
    made, records = rng.normal(size=(3, 2)), rng.normal(size=(7, 2))
    every = np.linalg.norm(made[:, None] - records[None], axis=2)
    for many in (1, 3, 7):
        slow = np.mean([every[:, list(kept)].min(axis=1) for kept in combinations(range(7), many)], axis=0)
        assert nearest(made, records, many) == pytest.approx(slow)


def made(side: World, x: Any, wanted: Any) -> tuple[Any, ...]:
    seen = Reconstructions(x=x, start=x, wanted=wanted, confidence=np.ones(len(x)))
    return Nearness().judge(side.scene(task(NAME)), Outcome(scores=None, y=None, payload=seen))


def test_copies_of_training_records_have_a_ratio_near_zero_and_of_held_out_ones_near_infinity() -> None:
    side = here(1_000, 30)
    assert side.system.train is not None
    for data, low, high in ((side.system.train, 0.0, 0.3), (side.system.data, 5.0, np.inf)):
        first = np.array([np.flatnonzero(data.y == kind)[0] for kind in range(10)])
        ratio, _ = made(side, np.asarray(data.x[first], dtype=float), data.y[first])
        assert low <= ratio.value <= high


def test_records_that_are_drawn_alike_are_equally_near() -> None:
    side = here(1_000, 30)
    noise = np.random.default_rng(0).random((40, 1, 8, 8))
    ratio, _ = made(side, noise, np.repeat(np.arange(10), 4))
    assert ratio.value == pytest.approx(1.0, abs=0.02)


def test_the_judge_asks_for_its_own_evidence() -> None:
    with pytest.raises(TemperError, match="reconstruction"):
        Nearness().judge(None, Outcome(scores=None, y=None, payload=1))


def test_what_changes_is_paired_over_classes() -> None:
    before, after = audit(40, 300), audit(1_000, 30)
    (effect,) = effects("more rows", before, after)
    assert effect.verdict == "better"
    assert effect.low > 0
    (same,) = effects("nothing", before, before)
    assert same.verdict == "no clear change"
