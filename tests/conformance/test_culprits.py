"""Every law bites: it is broken by a planted culprit, and kept by an innocent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conformance.culprits import abuse as abusers
from conformance.culprits import attack as evaders
from conformance.culprits import check as checkers
from conformance.culprits import cohort as figures
from conformance.culprits import comparison as compared
from conformance.culprits import defence as defenders
from conformance.culprits import detector as watchers
from conformance.culprits import edges, payload
from conformance.culprits import fault as faults
from conformance.culprits import injection as injectors
from conformance.culprits import judge as judges
from conformance.culprits import oracle as oracles
from conformance.culprits import plugin as plugins
from conformance.culprits import receiver as receivers
from conformance.culprits import scenario as scenarios
from conformance.culprits import serving as guards
from conformance.culprits import sign as signs
from conformance.culprits import stage as layers
from conformance.culprits import stressor as stressors
from conformance.culprits import stressor_unstructured as unstructured
from conformance.culprits import target as targets
from conformance.culprits import technique as techniques
from conformance.culprits import told as conversations
from temper.testing import (
    abuse,
    attack,
    check,
    cohort,
    comparison,
    defence,
    detector,
    extraction,
    fault,
    gate,
    injection,
    inversion,
    judge,
    oracle,
    plugin,
    poisoning,
    receiver,
    report,
    scenario,
    serving,
    sign,
    stage,
    store,
    stressor,
    stressor_unstructured,
    struck,
    target,
    technique,
    told,
)
from temper.testing.law import LawBroken
from temper.testing.scenes import table

Law = Callable[..., None]
TABLE = detector.rows_of_a_table()
# A name, the laws of that file, who breaks each of them, and one who keeps them all.
ROOMS: list[tuple[str, tuple[Law, ...], dict[Law, tuple[Any, ...]], Any]] = [
    ("plugin", plugin.LAWS, plugins.BITES, plugins.INNOCENT),
    ("attack", attack.LAWS, evaders.BITES, evaders.INNOCENT),
    ("oracle", oracle.LAWS, oracles.BITES, oracles.INNOCENT),
    ("target", target.LAWS, targets.BITES, targets.INNOCENT),
    ("judge", judge.LAWS, judges.BITES, judges.INNOCENT),
    ("told", told.LAWS, conversations.BITES, conversations.INNOCENT),
    ("detector", detector.LAWS, watchers.BITES, watchers.INNOCENT),
    ("comparison", comparison.LAWS, compared.BITES, compared.INNOCENT),
    ("sign", sign.LAWS, signs.BITES, signs.INNOCENT),
    ("cohort", cohort.LAWS, figures.BITES, figures.INNOCENT),
    ("receiver", receiver.LAWS, receivers.BITES, receivers.INNOCENT),
    ("stage", stage.LAWS, layers.BITES, layers.INNOCENT),
    ("serving", serving.LAWS, guards.BITES, guards.INNOCENT),
    ("stressor", stressor.LAWS, stressors.BITES, stressors.INNOCENT),
    ("scenario", scenario.LAWS, scenarios.BITES, scenarios.INNOCENT),
    ("stressor_unstructured", stressor_unstructured.LAWS, unstructured.BITES, unstructured.INNOCENT[0]),
    ("check", check.LAWS, checkers.BITES, checkers.INNOCENT),
    ("defence", defence.LAWS, defenders.BITES, defenders.INNOCENT),
    ("poisoning", poisoning.LAWS, payload.POISONING, payload.INNOCENT_POISONING),
    ("extraction", extraction.LAWS, payload.EXTRACTION, payload.INNOCENT_EXTRACTION),
    ("inversion", inversion.LAWS, payload.INVERSION, payload.INNOCENT_INVERSION),
    ("injection", injection.LAWS, injectors.BITES, injectors.INNOCENT),
    ("technique", technique.LAWS, techniques.BITES, techniques.INNOCENT),
    ("abuse", abuse.LAWS, abusers.BITES, abusers.INNOCENT),
    ("abuse.effects", abuse.EFFECTS, abusers.JUDGES, abusers.FAIR),
    ("fault.wire", fault.WIRE, faults.WIRE, faults.Late),
    ("fault.scores", fault.SCORES, faults.SCORES, faults.Halved),
    ("struck", struck.LAWS, faults.HOST, faults.Still),
    ("gate", gate.LAWS, edges.GATE, edges.INNOCENT_GATE),
    ("report", report.LAWS, edges.REPORT, edges.INNOCENT_REPORT),
    ("store", store.LAWS, edges.STORE, edges.INNOCENT_STORE),
]


def name(thing: Any) -> str:
    """A class or function by its name, anything else by its class."""
    return getattr(thing, "__name__", type(thing).__name__)


def given(room: str, thing: Any) -> tuple[Any, ...]:
    """What a law of this room is called with."""
    if room == "stressor_unstructured":
        return thing, thing.ground
    return (thing, *{"target": (table(8),), "told": (conversations.CASE,), "detector": (TABLE,)}.get(room, ()))


def planted() -> Iterator[Any]:
    for room, _, bites, _ in ROOMS:
        for law, culprits in bites.items():
            for at, culprit in enumerate(culprits):
                yield pytest.param(room, law, culprit, id=f"{room}-{law.__name__}-{name(culprit)}-{at}")


def innocent() -> Iterator[Any]:
    for room, laws, _, one in ROOMS:
        for law in laws:
            yield pytest.param(room, law, one, id=f"{room}-{law.__name__}")


@pytest.mark.parametrize(("room", "law", "culprit"), list(planted()))
def test_law_is_broken_by_its_culprit(room: str, law: Law, culprit: Any) -> None:
    with pytest.raises(LawBroken):
        law(*given(room, culprit))


@pytest.mark.parametrize(("room", "law", "one"), list(innocent()))
def test_law_is_kept_by_an_innocent(room: str, law: Law, one: Any) -> None:
    law(*given(room, one))


@pytest.mark.parametrize("law", stressor_unstructured.LAWS)
def test_law_of_stressors_is_kept_by_an_innocent_of_texts(law: Law) -> None:
    law(unstructured.INNOCENT[1], stressor_unstructured.TEXTS)


@pytest.mark.parametrize(("room", "laws", "bites"), [r[:3] for r in ROOMS], ids=[r[0] for r in ROOMS])
def test_every_law_has_a_culprit(room: str, laws: tuple[Law, ...], bites: dict[Law, tuple[Any, ...]]) -> None:
    assert set(bites) == set(laws)
    assert all(bites.values())


@pytest.mark.parametrize(
    "module",
    [
        plugin,
        attack,
        oracle,
        target,
        judge,
        detector,
        cohort,
        comparison,
        sign,
        receiver,
        stressor,
        stressor_unstructured,
        scenario,
        serving,
        check,
        defence,
        poisoning,
        injection,
    ],
)
def test_every_law_of_a_file_is_listed(module: Any) -> None:
    assert {law.__name__ for law in module.LAWS} == {word for word in vars(module) if word.startswith("law_")}


def test_every_file_of_laws_is_here() -> None:
    from pathlib import Path

    import temper.testing

    folder = Path(temper.testing.__file__).parent
    with_laws = {path.stem for path in folder.glob("*.py") if "\ndef law_" in path.read_text(encoding="utf-8")}
    assert with_laws == {room.partition(".")[0] for room, *_ in ROOMS}
