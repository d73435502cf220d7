"""What analysts have tried of what could be tried, how far they agree on it, and all of it as one document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from temper.core.probe import Assumption, Outcome, Probe, Rating, Severity
from temper.core.system import Protected
from temper.store.codec import dump
from temper.store.control.agreement import Kappa, Pair, pairs, whole
from temper.threats.rules import catalogue, scenarios
from temper.threats.taxonomies import taxonomies

FORMAT = "temper.probes/1"
ATLAS = "atlas:"
Rated = Sequence[tuple[Probe, Sequence[Rating]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A technique, the numbers of the probes that try it by what came of them, and whether the threat model of the
    system asks for it.
    """

    technique: str
    title: str
    wanted: bool
    probes: Mapping[Outcome, tuple[int, ...]]

    @property
    def tried(self) -> bool:
        """Whether somebody has tried it within the rules."""
        return any(numbers for outcome, numbers in self.probes.items() if outcome is not Outcome.BROKEN)


@cache
def techniques() -> Mapping[str, str]:
    """Every technique of ATLAS by its id; its parts are left to it."""
    titles = taxonomies()["atlas"].titles
    return {id: title for id, title in titles.items() if id.startswith("AML.T") and id.count(".") == 1}


def wanted(system: Protected | None, *, talks: bool = False) -> tuple[str, ...]:
    """The techniques that the scenarios of a system name, or all that any threat does to a model, or to an assistant
    that `talks`, where no system is loaded.
    """
    of = "assistant" if talks else ""
    threats = catalogue(of) if system is None else [one.threat for one in scenarios(system)[0]]
    named = {tag.removeprefix(ATLAS) for one in threats for tag in one.references if tag.startswith(ATLAS)}
    return tuple(sorted({".".join(id.split(".")[:2]) for id in named}))


def coverage(rated: Rated, named: Sequence[str]) -> list[Line]:
    """Every technique that is asked for or was tried; what nobody has tried comes first."""
    found: dict[str, dict[Outcome, tuple[int, ...]]] = {id: {} for id in named}
    for probe, _ in rated:
        own, outcome = probe.draft.technique, probe.draft.look.outcome
        if own:
            kept = found.setdefault(own, {})
            kept[outcome] = (*kept.get(outcome, ()), probe.id)
    lines = [
        Line(technique=id, title=techniques().get(id, ""), wanted=id in named, probes=kept)
        for id, kept in found.items()
    ]
    return sorted(lines, key=lambda line: (line.tried, not line.wanted, line.technique))


def agreement(rated: Rated) -> tuple[Kappa, tuple[Pair, ...]]:
    """How far those agree who rate the same probes, before any of them has seen what another said."""
    cases = [{one.by: one.severity.value for one in ratings} for _, ratings in rated if len(ratings) > 1]
    words = [one.value for one in Severity]
    return whole([list(case.values()) for case in cases], words), pairs(cases, words)


def document(system: str, rated: Rated, assumptions: Sequence[Assumption], named: Sequence[str], now: float) -> Any:
    """All that was tried on a system, with what was expected, seen and said of it: plain values for JSON."""
    kappa, two = agreement(rated)
    return {
        "format": FORMAT,
        "system": system,
        "at": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        "probes": [_probe(probe, ratings) for probe, ratings in rated],
        "assumptions": [dump(one) | {"standing": one.standing.value} for one in assumptions],
        "coverage": [
            {"technique": line.technique, "title": line.title, "wanted": line.wanted, "tried": line.tried}
            | {"probes": {outcome.value: list(numbers) for outcome, numbers in line.probes.items()}}
            for line in coverage(rated, named)
        ],
        "agreement": _kappa(kappa) | {"pairs": [{"one": one.one, "two": one.two} | _kappa(one.kappa) for one in two]},
    }


def _probe(probe: Probe, ratings: Sequence[Rating]) -> dict[str, Any]:
    plain = {name: value for name, value in dump(probe.draft).items() if name != "system"}
    about = {"id": probe.id, "author": probe.author, "made": probe.made, "outcome": probe.draft.look.outcome.value}
    return about | plain | {"ratings": [dump(one) for one in ratings]}


def _kappa(kappa: Kappa) -> dict[str, Any]:
    known = {name: value if math.isfinite(value := getattr(kappa, name)) else None for name in ("value", "low", "high")}
    return known | {"agreed": kappa.agreed.count, "n": kappa.agreed.n}
