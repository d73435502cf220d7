"""Planted defences, through the whole choice: one that helps is taken, a placebo and a hider of gradients are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.schema import Schema
from temper.core.system import Protected
from temper.core.target import Access
from temper.engine import harden as engine
from temper.engine.harden import ANY, Hardened
from temper.engine.reattack import Reattack
from temper.engine.task import Sizes, Task, World
from temper.targets._wrapper import Wrapper
from temper.testing.scenes import SHAPE
from temper.testing.toys import Linear

BALL = Budget(norm="linf", radius=0.1, queries=200)
ROWS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Helps:
    """Looks at the one pixel that differs by more than an attacker can change."""

    def apply(self, target: Any, data: Data, rng: Any) -> Any:
        return Linear(weights=(20.0, *(0.0,) * 15), bias=-10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placebo:
    """Fits the same model again with another seed."""

    def apply(self, target: Any, data: Data, rng: Any) -> Any:
        return fragile(seed=rng.integer())


@dataclass(frozen=True, slots=True, kw_only=True)
class Hides:
    """The same model without the slope that attacks follow."""

    def apply(self, target: Any, data: Data, rng: Any) -> Any:
        return Flat(inner=target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closes:
    """The same model, whose gradients nobody may ask for any more."""

    def apply(self, target: Any, data: Data, rng: Any) -> Any:
        return replace(target, access=target.access & ~Access.GRADIENTS)


class Flat(Wrapper):
    """Answers as before, and says that no pixel matters."""

    @property
    def digest(self) -> str:
        return self._digest(b"flat")

    def scores(self, x: Any) -> Any:
        return self.inner.scores(x)

    def gradient(self, x: Any, cotangent: Any) -> tuple[Any, Any]:
        scores, slope = self.inner.gradient(x, cotangent)
        return scores, slope * 0.0


PLANTED = {"helps": Helps, "placebo": Placebo, "hides": Hides, "closes": Closes}


class Planted:
    """The room of these four."""

    def names(self) -> tuple[str, ...]:
        return tuple(PLANTED)

    def get(self, name: str) -> type[Any]:
        return PLANTED[name]

    def build(self, name: str, options: Any = None) -> Any:
        return PLANTED[name](**(options or {}))


def pictures(n: int = 400) -> Data:
    """The first pixel tells the classes apart by 0.6, each other one by 0.1 and noise."""
    numbers = np.random.default_rng(0)
    y = np.arange(n) % 2
    x = 0.5 + 0.05 * (2 * y - 1)[:, None] * np.ones(16) + 0.03 * numbers.normal(size=(n, 16))
    x[:, 0] = np.where(y == 1, 0.8, 0.2) + 0.03 * numbers.normal(size=n)
    return Data(x=x.reshape((n, *SHAPE)), y=y, ids=np.arange(n))


def fragile(seed: int = 0) -> Linear:
    """Adds up the fifteen pixels that differ by less than an attacker can change; weights worn by the seed."""
    worn = 4.0 * (1 + 0.1 * np.random.default_rng(seed).normal(size=15))
    return Linear(weights=(0.0, *worn.tolist()), bias=-0.5 * float(worn.sum()))


def test_gradients_that_nobody_has_the_queries_to_measure_prove_nothing(monkeypatch: Any) -> None:
    monkeypatch.setitem(globals(), "budget_of", lambda attack: replace(BALL, queries=60))
    found = hardened(monkeypatch, ("hides", "helps"), ("evasion.pgd",))
    assert found.chosen is not None
    assert found.chosen.defence == "helps"
    assert "cannot judge" in found.skipped[0].why


def test_one_attack_that_knows_the_model_and_one_that_only_asks_decide() -> None:
    attacks = ("evasion.random_search", "evasion.fgsm", "evasion.pgd", "evasion.square", "evasion.tree_ascent")
    assert [task.plugin for task in reattack(attacks).decisive().tasks] == ["evasion.fgsm", "evasion.square"]


def budget_of(attack: str) -> Budget:
    """Whoever holds the model does not count queries."""
    return replace(BALL, queries=None) if attack == "evasion.pgd" else BALL


def reattack(attacks: Sequence[str], seed: int = 0) -> Reattack:
    data = pictures()
    system = Protected(
        name="twin", target=fragile(), data=data, train=data, schema=Schema.box(0, 1), threshold=0.5, version="1"
    )
    right = np.flatnonzero((data.y == 1) & (fragile().scores(data.x)[:, 1] >= 0.5))[:ROWS]
    sizes = Sizes(attacked=ROWS)
    world = World(system=system, sizes=sizes, seed=seed, attacked=right, held_out=np.arange(len(data)))
    tasks = [Task(room="attacks", plugin=name, budget=budget_of(name), sizes=sizes, seed=seed) for name in attacks]
    return Reattack(world=world, tasks=tasks)


def hardened(monkeypatch: Any, defences: Sequence[str], attacks: Sequence[str], seed: int = 0) -> Hardened:
    monkeypatch.setattr(engine, "DEFENCES", Planted())
    every = reattack(attacks, seed)
    system = every.world.system
    return engine.harden(
        system, evaluate=every.decisive(), confirm=every.elsewhere(), defences=defences, train=system.train, seed=seed
    )


def test_a_defence_that_helps_is_taken_and_confirmed_on_other_rows(monkeypatch: Any) -> None:
    found = hardened(monkeypatch, ("placebo", "helps", "hides"), ("evasion.pgd", "evasion.square"))
    assert found.chosen is not None
    assert found.chosen.defence == "helps"
    gain, other = found.chosen.effect(ANY), found.chosen.confirmed
    assert gain is not None
    assert gain.high < -0.5
    assert other is not None
    assert other.n == ROWS
    assert other.high < -0.5


@pytest.mark.parametrize("seed", range(8))
def test_a_refit_with_another_seed_is_never_taken(monkeypatch: Any, seed: int) -> None:
    found = hardened(monkeypatch, ("placebo",), ("evasion.square",), seed)
    assert found.chosen is None
    assert "no sure reduction" in found.trials[0].outcome


@pytest.mark.parametrize("attacks", [("evasion.pgd",), ("evasion.pgd", "evasion.square")])
def test_a_defence_that_only_hides_gradients_is_unmasked(monkeypatch: Any, attacks: Sequence[str]) -> None:
    """By the attacks that ask for answers alone, and by slopes measured where there is no other attack."""
    found = hardened(monkeypatch, ("hides",), attacks)
    gain = found.trials[0].effect(ANY)
    assert found.chosen is None
    assert gain is not None
    assert gain.before > 0.9
    assert gain.after > 0.9


def test_a_defence_that_closes_what_the_attacker_used_is_not_judged_by_less(monkeypatch: Any) -> None:
    found = hardened(monkeypatch, ("closes",), ("evasion.pgd", "evasion.square"))
    assert found.chosen is None
    assert not found.trials
    assert "hides its gradients" in found.skipped[0].why
