"""The threat model: every scenario says because, everything left out says which answer excluded it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from temper.attacks.injection._catalogue import goals
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.room import Room
from temper.core.schema import Column, Mutability, Schema
from temper.core.system import Exposure, Protected
from temper.core.target import ScoreKind
from temper.core.threat import Actor, Threat
from temper.engine.plan import LOAD, ROOMS
from temper.targets import open_target
from temper.threats.rules import answers, catalogue, scenarios
from temper.threats.shipped import in_words, table
from temper.threats.taxonomies import title

ANSWERS_OF_ASSISTANTS = [key for key in table("words") if key.startswith("assistant.")]


def system(**changes: object) -> Protected:
    columns = (Column(name="a", low=0, high=9, attacker=Mutability.FREE), Column(name="b", sensitive=True))
    target = open_target(
        lambda x: np.stack([1 - x[:, 0] / 9, x[:, 0] / 9], axis=1), kind=ScoreKind.PROBABILITIES, classes=2
    )
    data = Data(x=np.array([[8.0, 1.0], [1.0, 0.0]] * 20), y=np.array([1, 0] * 20))
    plain = Protected(name="toy", target=target, data=data, schema=Schema(columns=columns), threshold=0.5)
    return replace(plain, **changes)  # type: ignore[arg-type]


def law_is_tried_by_what_exists(threat: Threat) -> None:
    """Every plugin exists, and every aim of a red team; a threat that nothing tries is said to be untested."""
    aims = {goal.id for goal in goals()} | {"own"}
    for name in threat.plugins:
        head, _, rest = name.partition(".")
        room = ROOMS.get(head, Room("temper.attacks"))
        known = name == LOAD or (rest if head in ROOMS else name) in room.names() or name.removeprefix("goal:") in aims
        assert known, f"{threat.id} is tried by {name}, which there is not"


def law_says_where_it_is_known(threat: Threat) -> None:
    assert threat.references, f"{threat.id} has no reference"
    assert all(title(tag) for tag in threat.references)
    known = any(tag.startswith("atlas:AML.T") for tag in threat.references)
    assert bool(threat.maturity) == known, f"{threat.id} has another maturity than its techniques"


def law_says_because_and_why_not(threat: Threat) -> None:
    """What it requires are answers that rules know, each with words for every value."""
    asked = {"actor.knowledge", *answers(system()), *ANSWERS_OF_ASSISTANTS}
    for key, wanted in threat.requires:
        assert key in asked, f"{threat.id} requires {key}, which nobody answers"
        for value in wanted.split("|"):
            words = in_words(key, value)
            assert words != f"{key} is {value}" or key == "model.classes", f"{threat.id}: {key} {value} has no words"


def law_is_read_under_a_family(threat: Threat) -> None:
    assert threat.family in table("families"), f"{threat.id} has the family {threat.family!r}"
    assert all((threat.harm, threat.title, threat.asset)), threat.id


def law_has_defences_that_exist(threat: Threat) -> None:
    assert set(threat.defences) <= set(Room("temper.hardening").names()), threat.id


LAWS = [
    law_is_tried_by_what_exists,
    law_says_where_it_is_known,
    law_says_because_and_why_not,
    law_is_read_under_a_family,
    law_has_defences_that_exist,
]
SOUND = catalogue()[0]
BITES = {
    "law_is_tried_by_what_exists": replace(SOUND, plugins=("evasion.wishful",)),
    "law_says_where_it_is_known": replace(SOUND, references=()),
    "law_says_because_and_why_not": replace(SOUND, requires=(("exposure.publik", "yes"),)),
    "law_is_read_under_a_family": replace(SOUND, family="evasions"),
    "law_has_defences_that_exist": replace(SOUND, defences=("hope",)),
}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_every_threat_keeps_the_law(law: Callable[[Threat], None]) -> None:
    for threat in (*catalogue(), *catalogue("assistant")):
        law(threat)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_bites_its_culprit(law: Callable[[Threat], None]) -> None:
    with pytest.raises((AssertionError, TemperError)):
        law(BITES[law.__name__])


def test_ids_are_told_apart() -> None:
    ids = [threat.id for threat in (*catalogue(), *catalogue("assistant"))]
    assert len(ids) == len(set(ids))


def test_every_threat_is_either_a_scenario_or_left_out_with_the_answer() -> None:
    kept, left_out = scenarios(system())
    assert {s.threat.id for s in kept} | {e.threat.id for e in left_out} == {t.id for t in catalogue()}
    assert not {s.threat.id for s in kept} & {e.threat.id for e in left_out}
    assert all(s.because for s in kept)
    assert all(" is " in e.why for e in left_out)


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
