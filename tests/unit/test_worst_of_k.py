"""Training on the worst of some views: a turned camera finds less, the target stays as it was."""

from __future__ import annotations

import numpy as np
import pytest

import temper
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.hardening.worst_of_k import WorstOfK
from temper.testing.scenes import training
from temper.testing.toys import Trainable

torch = pytest.importorskip("torch")

BOX, SIDE = Schema.box(0.0, 1.0), 12


def bars(n: int, seed: int) -> Data:
    """Upright and lying bars in a corner where nothing else is; a net may learn the corner, or the bar."""
    rng = np.random.default_rng(seed)
    y, x = rng.integers(0, 2, n), 0.1 * rng.random((n, 1, SIDE, SIDE))
    for row, lying in enumerate(y):
        at = slice(3, 9), slice(5, 7)
        x[(row, 0, *(at[::-1] if lying else at))] = 0.9
    return Data(x=x.astype(np.float32), y=y)


def fitted(data: Data) -> object:
    """A net that has seen bars from one side only."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * (SIDE - 2) ** 2, 2)
        )
    adam = torch.optim.Adam(net.parameters(), lr=3e-3)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    for _ in range(30):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        adam.step()
    return net.eval()


def turned(model: object, rows: Data) -> float:
    budget = temper.Budget(queries=60)
    found = temper.attack(model, "evasion.spatial", rows.x, rows.y, budget=budget, schema=BOX, rotation=30.0)
    return float((found.verdicts == "broken").mean())


def test_fewer_rows_break_from_another_side_and_the_target_stays_as_it_was() -> None:
    train, test = bars(400, 0), bars(60, 1)
    target = temper.target(fitted(train))
    before, clean = turned(target, test), np.asarray(target.scores(test.x))
    hardened = WorstOfK(schema=BOX, epochs=12, views=4, rate=3e-3).apply(target, train, Draws(0, "views"))
    assert before > 0.6
    assert turned(hardened, test) < before - 0.4
    assert (np.asarray(hardened.scores(test.x)).argmax(1) == test.y).mean() > 0.95
    np.testing.assert_array_equal(clean, np.asarray(target.scores(test.x)))


def test_the_worst_view_is_taken_and_every_view_lies_in_the_box() -> None:
    train = bars(20, 0)
    target = temper.target(fitted(train))
    seen: list[np.ndarray] = []

    class Watched(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = target.model  # type: ignore[attr-defined]

        def forward(self, x: object) -> object:
            seen.append(x.detach().numpy().copy())  # type: ignore[attr-defined]
            return self.net(x)

    watched = temper.target(Watched())
    seen.clear()
    WorstOfK(schema=BOX, epochs=1, views=5, batch=20).apply(watched, train, Draws(0, "views"))
    views, taught = np.stack(seen[:5]), seen[5]
    assert views.min() >= 0.0
    assert views.max() <= 1.0
    order = [tuple(np.flatnonzero((views[:, row] == taught[row]).all(axis=(1, 2, 3)))) for row in range(20)]
    assert all(len(picked) == 1 for picked in order)
    assert len({picked[0] for picked in order}) > 1


@pytest.mark.parametrize("schema", [None, Schema.box(-np.inf, np.inf)])
def test_without_the_range_of_a_pixel_it_is_refused(schema: Schema | None) -> None:
    train = bars(20, 0)
    with pytest.raises(Unsupported, match="range of a pixel"):
        WorstOfK(schema=schema).apply(temper.target(fitted(train)), train, Draws(0, "views"))


def test_tables_have_no_views() -> None:
    with pytest.raises(Unsupported, match="images"):
        WorstOfK(schema=BOX).apply(Trainable.fitted(training()), training(), Draws(0, "views"))


def test_probabilities_and_logits_are_both_taught() -> None:
    train = bars(40, 0)
    model = torch.nn.Sequential(fitted(train), torch.nn.Softmax(dim=1))
    target = temper.target(model)
    assert target.kind in (ScoreKind.PROBABILITIES, ScoreKind.LOGITS)
    hardened = WorstOfK(schema=BOX, epochs=1, views=2).apply(target, train, Draws(0, "views"))
    assert hardened.kind is target.kind
