"""Gradient matching: labels stay, moves stay small, and pictures chosen beforehand are decided as wanted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Status
from temper.core.room import Room
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import Access, Recipe, Target
from temper.engine.fitting import fit_of
from temper.engine.rooms.poisoning import run
from temper.engine.task import Sizes, World
from temper.judges.backdoor import Backdoored
from temper.targets.load import open_target
from unit.payload_world import figure, task

torch = pytest.importorskip("torch")

NAME = "poisoning.gradient_matching"
SIZES = Sizes(rates=(0.2,), repeats=1)


def faint(n: int, seed: int) -> Data:
    """Pictures (n, 3, 16, 16) of four classes that each leave a faint mark in every pixel."""
    marks = Draws(7, "marks").generator().choice([-0.03, 0.03], (4, 3, 16, 16))
    rng = Draws(seed, "faint").generator()
    y = rng.integers(0, 4, n)
    x = np.clip(0.5 + marks[y] + rng.normal(0.0, 0.15, (n, 3, 16, 16)), 0.0, 1.0)
    return Data(x=x.astype(np.float32), y=y, ids=1_000 * seed + np.arange(n))


def fitted(train: Data, classes: int) -> Target:
    bare = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(train.x[0].size, 16), torch.nn.ReLU(), torch.nn.Linear(16, classes)
    )
    return fit_of(open_target(bare.eval()))(train, Recipe(seed=0))


@cache
def world() -> World:
    train, held = faint(600, 1), faint(100, 2)
    system = Protected(name="toy", data=held, schema=Schema.box(0.0, 1.0), target=fitted(train, 4), train=train)
    every = np.arange(len(held))
    return World(system=system, sizes=SIZES, seed=0, attacked=every[:5], held_out=every)


def planted(share: float = 0.1, seed: int = 0, scene: Scene | None = None, **options: object) -> Backdoored:
    scene = scene or world().scene(task(NAME, SIZES))
    scene = replace(scene, budget=Budget(share=share))
    made: Backdoored = Room("temper.attacks").build(NAME, options).run(None, scene, Draws(seed, NAME))
    return made


def test_pictures_moved_unseen_decide_for_others() -> None:
    part = run(replace(task(NAME, SIZES), options=(("targets", 8),)), world())
    excess = figure(part, "excess_success")
    assert part.status is Status.OK
    assert excess.n == 8
    assert excess.value is not None
    assert excess.value > 0.6
    assert excess.low is not None
    assert excess.low > 0.0
    assert dict(excess.baseline)["clean twin"] == 0.0
    (found,) = part.findings
    assert found.title.startswith("Changed training rows decide")
    lost = figure(part, "clean_accuracy_loss").value
    assert lost is not None
    assert lost < 0.1
    assert part.evidence["counts"].sum() == 8


def test_a_net_that_learns_nothing_new_decides_as_before() -> None:
    deaf = replace(world(), system=replace(world().system, defend=lambda data, recipe: world().target))
    part = run(replace(task(NAME, SIZES), options=(("targets", 8),)), deaf)
    excess = figure(part, "excess_success")
    assert (excess.value, excess.n) == (0.0, 8)
    assert excess.low < 0.0
    assert part.findings == ()


def test_no_value_moves_beyond_the_radius_and_no_label_moves_at_all() -> None:
    train = world().system.train
    assert train is not None
    made = planted(radius=8 / 255)
    moved = np.abs(made.data.x - train.x)
    assert 0.9 * 8 / 255 < moved.max() <= 8 / 255 + 1e-6
    assert np.array_equal(made.data.y, train.y)
    assert (made.data.x.min(), made.data.x.max()) == (train.x.min(), train.x.max())
    rows = np.flatnonzero(moved.reshape(len(moved), -1).any(axis=1))
    assert len(rows) == made.rows == 60
    assert set(np.asarray(train.y)[rows]) == set(made.into.tolist())


def test_it_aims_at_rows_that_are_decided_rightly_and_at_the_same_ones_whatever_the_seed_and_dose() -> None:
    held = world().system.data
    one, other, moved = planted(), planted(0.02, seed=1), planted(pick=1)
    assert np.array_equal(one.victims, other.victims)
    assert not np.array_equal(one.victims, moved.victims)
    rows = held.positions(one.victims)
    assert np.array_equal(world().target.scores(held.x[rows]).argmax(1), held.y[rows])
    assert (one.into != held.y[rows]).all()
    wanted = one.wanted(held.ids)
    assert (wanted[rows] == one.into).all()
    assert (wanted >= 0).sum() == len(rows) == one.landed(held.ids, held.x, held.x).sum()


def test_more_nets_are_fitted_where_they_are_asked_for() -> None:
    fits: list[int] = []

    def fit(subsets: list[Data], recipe: Recipe) -> list[Target]:
        fits.append(len(subsets))
        return [world().target for _ in subsets]

    scene = replace(world().scene(task(NAME, SIZES)), fit=fit)
    planted(0.01, scene=scene, fresh=2, targets=1)
    assert fits == [1, 1]


def test_rows_of_a_table_move_where_the_schema_lets_them() -> None:
    rng = Draws(0, "table").generator()
    x = rng.normal(size=(300, 3))
    data = Data(x=x, y=(x[:, 0] + x[:, 1] > 0).astype(int))
    free = Mutability.FREE
    schema = Schema(
        columns=(
            Column(name="a", attacker=free, low=-9, high=9),
            Column(name="b", attacker=free, low=-9, high=9),
            Column(name="c"),
        )
    )
    target = fitted(data, 2)
    scene = Scene(x=x, y=data.y, ids=data.ids, schema=schema, kind=target.kind, target=target, train=data)
    moved = np.abs(planted(scene=scene, spread=0.2).data.x - x)
    quarter, three = np.quantile(x, [0.25, 0.75], axis=0)
    assert (moved.max(axis=0)[:2] > 0.1 * (three - quarter)[:2]).all()
    assert (moved <= 0.2 * (three - quarter) + 1e-6).all()
    assert moved[:, 2].max() == 0.0


def test_what_cannot_be_done_is_said() -> None:
    for options in ({"radius": 0.0}, {"targets": 0}, {"steps": 0}, {"spread": 9.0}):
        with pytest.raises(TemperError):
            Room("temper.attacks").build(NAME, options)
    scene = world().scene(task(NAME, SIZES))
    with pytest.raises(Unsupported, match="decides no held-out row rightly"):
        planted(scene=replace(scene, y=(np.asarray(scene.y) + 1) % 4, x=scene.x[:0], ids=scene.ids[:0]))
    assert Access.GRADIENTS in Room("temper.attacks").get(NAME).needs
