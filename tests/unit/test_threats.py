"""The threat model: every scenario says because, everything left out says which answer excluded it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.room import Room
from temper.core.schema import Column, Mutability, Schema
from temper.core.system import Exposure, Protected
from temper.core.target import ScoreKind
from temper.core.threat import Actor
from temper.engine.plan import ROOMS
from temper.targets import open_target
from temper.threats.rules import answers, catalogue, scenarios


def system(**changes: object) -> Protected:
    columns = (Column(name="a", low=0, high=9, attacker=Mutability.FREE), Column(name="b", sensitive=True))
    target = open_target(
        lambda x: np.stack([1 - x[:, 0] / 9, x[:, 0] / 9], axis=1), kind=ScoreKind.PROBABILITIES, classes=2
    )
    data = Data(x=np.array([[8.0, 1.0], [1.0, 0.0]] * 20), y=np.array([1, 0] * 20))
    plain = Protected(name="toy", target=target, data=data, schema=Schema(columns=columns), threshold=0.5)
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_the_catalogue_names_plugins_that_exist() -> None:
    for threat in catalogue():
        for name in threat.plugins:
            head, _, rest = name.partition(".")
            room = ROOMS.get(head, Room("temper.attacks"))
            assert (rest if head in ROOMS else name) in room.names(), name
        assert threat.references, threat.id


def test_every_threat_is_either_a_scenario_or_left_out_with_the_answer() -> None:
    kept, left_out = scenarios(system())
    assert {s.threat.id for s in kept} | {e.threat.id for e in left_out} == {t.id for t in catalogue()}
    assert not {s.threat.id for s in kept} & {e.threat.id for e in left_out}
    assert all(s.because for s in kept)
    assert all(" is " in e.why for e in left_out)
    assert len(kept) <= 12


@pytest.mark.parametrize(
    ("change", "threat"),
    [
        ({"exposure": Exposure(public=False)}, "evasion-scores"),
        ({"exposure": Exposure(returns="label")}, "evasion-scores"),
        ({"schema": Schema(columns=(Column(name="a"), Column(name="b")))}, "evasion-scores"),
        ({"exposure": Exposure(retrained=False)}, "poisoning-labels"),
        ({"exposure": Exposure(personal_data=False)}, "membership"),
        ({"schema": Schema(columns=(Column(name="a"), Column(name="b")))}, "unequal-treatment"),
    ],
)
def test_one_answer_excludes_a_threat_and_is_named(change: dict[str, object], threat: str) -> None:
    _, left_out = scenarios(system(**change))
    (why,) = [entry.why for entry in left_out if entry.threat.id == threat]
    key = why.split(" is ")[0]
    assert answers(system(**change))[key] in why


def test_every_actor_gets_a_scenario_under_its_own_budget() -> None:
    actors = (Actor(name="one", queries=10, cost=1.0), Actor(name="two", queries=500))
    kept, _ = scenarios(system(actors=actors))
    budgets = {s.actor.name: s.budget for s in kept if s.threat.id == "evasion-scores"}
    assert (budgets["one"].queries, budgets["one"].cost, budgets["two"].queries) == (10, 1.0, 500)


def test_a_file_comes_from_whoever_writes_to_the_store_or_its_dependencies() -> None:
    """Rated like every other attack; those who only ask, or write rows, are not the ones."""
    asker, poisoner = Actor(name="asker", writes=("input",)), Actor(name="poisoner", writes=("training data",))
    builder, keeper = Actor(name="builder", writes=("dependencies",)), Actor(name="keeper", writes=("model store",))

    def raised(*actors: Actor) -> dict[str, str]:
        kept, _ = scenarios(system(actors=actors, criticality="critical"))
        found = [s for s in kept if s.threat.goal == "supply chain"]
        assert all(s.budget == Budget() for s in found)
        return {s.id: s.rating for s in found}

    def by(*names: str) -> dict[str, str]:
        return {f"{threat}@{name}": "critical" for threat in ("artifact", "backdoor-delivered-table") for name in names}

    assert raised() == by("supplier")
    assert raised(asker, poisoner) == by("supplier")
    assert raised(asker, builder, keeper) == by("builder", "keeper")


def test_criticality_sets_the_prior_rating_until_something_is_measured() -> None:
    low = {s.threat.id: s.rating for s in scenarios(system(criticality="low"))[0]}
    top = {s.threat.id: s.rating for s in scenarios(system(criticality="critical"))[0]}
    assert (low["evasion-scores"], top["evasion-scores"], top["bad-data"]) == ("low", "critical", "high")
