"""From figures of a cohort to a verdict on what the policy promises: the bound decides, not the estimate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase

from temper.core.measure import Measurement, Status
from temper.core.requirement import Judgement, Policy, Requirement, Verdict
from temper.core.room import Room
from temper.monitoring.labels import Cohort

ACCURACY = Room("temper.monitoring.accuracy")
_WORST_FIRST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)


def measured(cohort: Cohort) -> tuple[Measurement, ...]:
    """Every figure of the room."""
    return tuple(one for name in ACCURACY.names() for one in ACCURACY.build(name).measure(cohort))


def kept(policy: Policy, figures: Sequence[Measurement], today: date) -> tuple[Judgement, ...]:
    """A judgement for every requirement that speaks of one of these figures; of several the worst decides.

    Requirements of other things (attacks, stress) are for an assessment, and have none. A breach that somebody accepts
    until some day is WAIVED until then.
    """
    judged = (one for requirement in policy.requirements for one in _worst(requirement, figures))
    return tuple(_waived(one, today) for one in judged)


def _waived(one: Judgement, today: date) -> Judgement:
    waiver = one.requirement.waiver
    if one.verdict is not Verdict.FAIL or waiver is None or waiver.until < today:
        return one
    return replace(one, verdict=Verdict.WAIVED, explanation=f"{one.explanation}; accepted by {waiver.by}")


def _worst(requirement: Requirement, figures: Sequence[Measurement]) -> Iterator[Judgement]:
    mine = [m for m in figures if fnmatchcase(m.name, requirement.metric) and fnmatchcase(m.slice, requirement.slice)]
    judged = [_judged(requirement, m) for m in mine if m.status is not Status.UNTRIED]
    if judged:
        yield min(judged, key=lambda one: _WORST_FIRST.index(one.verdict))


def _judged(requirement: Requirement, m: Measurement) -> Judgement:
    verdict, why = _verdict(requirement, m)
    return Judgement(
        requirement=requirement,
        verdict=verdict,
        measured=m.name,
        value=m.value,
        low=m.low,
        high=m.high,
        n=m.n,
        needed=_needed(requirement.limit, m) if verdict is Verdict.INCONCLUSIVE else None,
        explanation=why,
    )


def _verdict(requirement: Requirement, m: Measurement) -> tuple[Verdict, str]:
    if m.status is Status.ERROR:
        return Verdict.ERROR, m.reason
    if m.status is not Status.OK or m.value is None or m.low is None or m.high is None:
        return Verdict.INCONCLUSIVE, m.reason
    if (1.0 + m.confidence) / 2.0 < requirement.confidence - 1e-12:
        return Verdict.INCONCLUSIVE, f"measured at a confidence of {m.confidence:g}, which is too low for it"
    at_most = requirement.at_most is not None
    bad, good = (m.high, m.low) if at_most else (m.low, m.high)
    if bad <= requirement.limit if at_most else bad >= requirement.limit:
        return Verdict.PASS, f"even {bad:.4g} keeps it"
    if good > requirement.limit if at_most else good < requirement.limit:
        return Verdict.FAIL, f"even {good:.4g} breaks it"
    open_ = f", and {m.undecided:,} labels have not come" if m.undecided else ""
    return Verdict.INCONCLUSIVE, f"{requirement.limit:g} lies between the ends{open_}"


def _needed(limit: float, m: Measurement) -> int | None:
    """About how many rows would decide if they went on like these: ends draw together as the root of their number.

    None where labels have not come, which may decide by themselves.
    """
    if m.value is None or m.low is None or m.high is None or m.status is not Status.OK:
        return None
    if m.undecided or m.value == limit:
        return None
    reach = m.high - m.value if m.value < limit else m.value - m.low
    return max(m.n + 1, math.ceil(m.n * (reach / (m.value - limit)) ** 2))
