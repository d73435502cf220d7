"""The first severity at which a requirement of the policy is no longer kept, by the verdict's own arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from temper.core.measure import Better, Measurement, Point, Status
from temper.core.requirement import Judgement, Policy, Requirement, Verdict
from temper.engine.rooms._stress_trial import GATED
from temper.validation.gate import judge


def breaks(measured: Sequence[Measurement], policy: Policy) -> tuple[Measurement, ...]:
    """One figure per requirement and curve over severities that it speaks of and does not pass to the end."""
    curved = [m for m in measured if m.status is Status.OK and m.curve is not None and m.curve.axis == "severity"]
    found = ((requirement, m, list(_verdicts(requirement, m))) for requirement in policy.requirements for m in curved)
    told = (_told(requirement, m, verdicts) for requirement, m, verdicts in found)
    return tuple(figure for figure in told if figure is not None)


def _verdicts(requirement: Requirement, m: Measurement) -> Iterable[tuple[float, Verdict]]:
    """The verdict at each severity; nothing where the requirement does not speak of this figure."""
    for point in m.curve.points if m.curve is not None else ():
        judged = _judged(replace(requirement, waiver=None), _at(m, point))
        if judged is not None and judged.measured:
            yield point.at, judged.verdict


def _judged(requirement: Requirement, m: Measurement) -> Judgement | None:
    return next(iter(judge(Policy(name="", requirements=(requirement,)), [m], date.max)), None)


def _at(m: Measurement, point: Point) -> Measurement:
    """The figure as it would be if this severity were the one that requirements speak of."""
    if point.at == GATED:
        return replace(m, curve=None)
    count = None if m.count is None else round(point.value * point.n)
    return replace(m, value=point.value, low=point.low, high=point.high, n=point.n, count=count, curve=None)


def _told(requirement: Requirement, m: Measurement, verdicts: Sequence[tuple[float, Verdict]]) -> Measurement | None:
    broken = [at for at, verdict in verdicts if verdict is Verdict.FAIL]
    unsure = [at for at, verdict in verdicts if verdict is not Verdict.PASS]
    if not unsure:
        return None
    return Measurement(
        plugin=m.plugin,
        metric="breaking_severity",
        value=unsure[0],
        n=m.n,
        unit="severity",
        better=Better.HIGHER,
        slice=f"{requirement.id}: {m.metric}",
        method=f"verdict at each severity; at {GATED} the figure of the run, else the band of its curve",
        caveats=(f"fails at severity {broken[0]:g}" if broken else "fails at none: more rows would decide it",),
        simulated=m.simulated,
    )
