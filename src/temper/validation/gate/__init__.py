"""From measurements to a verdict: the bound decides, not the estimate."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

import numpy as np

from temper.core.measure import Measurement, Status
from temper.core.requirement import Claim, Judgement, Policy, Requirement, Verdict
from temper.kernels.clustered import anytime_mean, bounded_mean, clusters_needed
from temper.kernels.rate import clopper_pearson, rows_needed
from temper.validation.gate._claims import Pair, claims, read

NOT_APPLICABLE = "not_applicable"
"""The metric of an UNTRIED measurement whose condition cannot occur here (no category columns, no groups)."""
WHOLE = "all"
"""The metric of a measurement that stands for all metrics of a plugin that could not run."""
ACTOR = "actor:"
"""How the slice of a figure begins that speaks of all rows and one of several actors."""
_WORST_FIRST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.WAIVED, Verdict.PASS)
_EFFECTS = {Verdict.PASS: "keeps", Verdict.FAIL: "breaks", Verdict.INCONCLUSIVE: "does not settle"}
_SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ends:
    """Where the figure lies for sure: the end that is bad for the requirement and the end that is good for it."""

    bad: float
    good: float


def judge(
    policy: Policy, measurements: Sequence[Measurement], today: date, skipped: Collection[str] = ()
) -> tuple[Judgement, ...]:
    """One judgement per requirement, in the policy's order.

    `skipped` are globs of plugins that the plan left out; a requirement that speaks of nothing else is left out too,
    and so is one whose plugin found that its condition cannot occur here. Any other requirement without a measurement
    is INCONCLUSIVE. Where several measurements match, the worst decides: the whole passes when each of them does, and
    fails when one does although it was picked from many (Holm). `claims` say what holds of each beside all the others.
    """
    judgements = (_judge_one(requirement, measurements, today, skipped) for requirement in policy.requirements)
    return tuple(judgement for judgement in judgements if judgement is not None)


def overall(judgements: Sequence[Judgement]) -> Verdict:
    """The worst of all: FAIL, ERROR, INCONCLUSIVE, WAIVED, PASS; without any judgement INCONCLUSIVE.

    A waived breach makes the whole WAIVED, never PASS: somebody accepted it, nobody fixed it.

    >>> overall([]).value
    'inconclusive'
    """
    found = {judgement.verdict for judgement in judgements}
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.INCONCLUSIVE)


def _judge_one(
    requirement: Requirement, measurements: Sequence[Measurement], today: date, skipped: Collection[str]
) -> Judgement | None:
    matching = [m for m in measurements if _matches(requirement, m)]
    if not matching:
        if _left_out(requirement, measurements, skipped):
            return None
        return _waived(_undecided(requirement, None, "nothing was measured for it"), today)
    judged = [(_decide(requirement, m), m) for m in matching]
    said = claims(requirement, judged)
    judged = [_corrected(pair, said, requirement) for pair in judged]
    worst = min(judged, key=lambda pair: (_WORST_FIRST.index(pair[0].verdict), -_harm(requirement, pair[1])))[0]
    if len(matching) > 1:
        worst = replace(worst, explanation=f"{worst.explanation} It is the worst of {len(matching)} measurements.")
    return _waived(replace(worst, claims=said), today)


def _corrected(pair: Pair, said: Sequence[Claim], requirement: Requirement) -> Pair:
    """One breach among many measurements may be chance: it fails the whole only where Holm's correction lets it."""
    judgement, m = pair
    claim = next((one for one in said if (one.measured, one.slice) == (m.name, m.slice)), None)
    if judgement.verdict is not Verdict.FAIL or claim is None or claim.verdict is Verdict.FAIL or len(said) < 2:
        return pair
    words = (
        f"{judgement.explanation} By itself that fails; among {len(said)} claims made at once it may be chance "
        f"(p = {claim.corrected:.2g} by Holm)."
    )
    return replace(judgement, verdict=Verdict.INCONCLUSIVE, explanation=words), m


# -- which measurement ----------------------------------------------------------------------------------------------


def _matches(requirement: Requirement, m: Measurement) -> bool:
    anybody = requirement.slice == "all" and m.slice.startswith(ACTOR)  # all rows, whoever attacks
    if m.metric == NOT_APPLICABLE or not (anybody or fnmatchcase(m.slice, requirement.slice)):
        return False
    plugin = requirement.metric.rpartition(".")[0]
    whole = m.metric == WHOLE and m.status is not Status.OK and fnmatchcase(_plain(m.plugin), _plain(plugin))
    return whole or fnmatchcase(_plain(m.name), _plain(requirement.metric))


def _left_out(requirement: Requirement, measurements: Sequence[Measurement], skipped: Collection[str]) -> bool:
    plugin, _, metric = _plain(requirement.metric).rpartition(".")
    absent = {_plain(name) for name in skipped}
    absent |= {_plain(m.plugin) for m in measurements if m.metric == NOT_APPLICABLE}
    return any(fnmatchcase(plugin, name) or fnmatchcase(f"{name}.{metric}", f"{plugin}.{metric}") for name in absent)


def _plain(name: str) -> str:
    """The name without its room, where the room is not part of it: "validation.performance" is "performance"."""
    return name.removeprefix("validation.")


# -- one measurement ------------------------------------------------------------------------------------------------


def _decide(requirement: Requirement, m: Measurement) -> Judgement:
    if m.status is Status.ERROR:
        text = f"{m.name} could not be measured: {m.reason}."
        return Judgement(requirement=requirement, verdict=Verdict.ERROR, measured=m.name, n=m.n, explanation=text)
    if m.status is not Status.OK:
        return _despite_doubt(requirement, m) or _undecided(requirement, m, m.reason)
    ends = _ends(requirement, m)
    if isinstance(ends, str):
        return _undecided(requirement, m, ends)
    verdict = _verdict(requirement, ends)
    needed = _needed(requirement, m, ends) if verdict is Verdict.INCONCLUSIVE else None
    low, high = sorted((ends.bad, ends.good))
    return Judgement(
        requirement=requirement,
        verdict=verdict,
        measured=m.name,
        value=m.value,
        low=low,
        high=high,
        n=m.n,
        needed=needed,
        counts=m.counts,
        explanation=_explain(requirement, m, ends, verdict, needed),
    )


def _despite_doubt(requirement: Requirement, m: Measurement) -> Judgement | None:
    """FAIL where the broken rows alone already break the limit: a failed power check only makes silence worthless."""
    if m.status is not Status.INCONCLUSIVE or m.count is None or requirement.at_most is None:
        return None
    trusted = replace(m, status=Status.OK, reason="", undecided=m.n - m.count)
    judged = _decide(requirement, trusted)
    return judged if judged.verdict is Verdict.FAIL else None


def _ends(requirement: Requirement, m: Measurement) -> _Ends | str:
    if m.clusters:
        return _cluster_ends(requirement, m)
    return _rate_ends(requirement, m) if m.count is not None else _interval_ends(requirement, m)


def _cluster_ends(requirement: Requirement, m: Measurement) -> _Ends:
    """Ends of a mean over clusters, each one-sided at the requirement's confidence; undecided ones count against it."""
    high, low = (_mean(*read(m, undecided), requirement.confidence, m.anytime) for undecided in (1.0, 0.0))
    if requirement.at_most is not None:
        return _Ends(bad=high[2], good=low[1])
    return _Ends(bad=low[1], good=high[2])


def _mean(
    values: Sequence[float], counts: Sequence[int], confidence: float, anytime: bool
) -> tuple[float, float, float]:
    both = 2 * confidence - 1
    return anytime_mean(values, counts, both) if anytime else bounded_mean(np.repeat(values, counts), both, "gate")


def _rate_ends(requirement: Requirement, m: Measurement) -> _Ends | str:
    """Exact ends, each one-sided at the requirement's confidence; undecided rows count against whoever profits."""
    if not m.n or m.value is None:
        return "no row was decided"
    count = m.count or 0
    if not 0 <= count <= count + m.undecided <= m.n:
        return f"its counts contradict each other: {count} events and {m.undecided} undecided among {m.n} rows"
    high = clopper_pearson(count + m.undecided, m.n, requirement.confidence, "upper")[1]
    low = clopper_pearson(count, m.n, requirement.confidence, "lower")[0]
    return _Ends(bad=high, good=low) if requirement.at_most is not None else _Ends(bad=low, good=high)


def _interval_ends(requirement: Requirement, m: Measurement) -> _Ends | str:
    """The ends of the interval, if it is wide enough: 95 % two-sided carries 97.5 % one-sided."""
    if m.undecided:  # a rate can be read both ways; another figure says nothing of rows it does not hold
        return f"{m.undecided:,} of its {m.n:,} rows were never decided"
    if m.value is None or m.low is None or m.high is None:
        return "it has no interval"
    if math.isnan(m.value) or not m.low <= m.high:
        return f"its interval [{m.low}, {m.high}] around {m.value} is none"
    one_sided = (1 + m.confidence) / 2
    if one_sided < requirement.confidence - _SLACK:
        return f"its {m.confidence:.0%} interval does not carry the {requirement.confidence:.1%} asked for"
    return _Ends(bad=m.high, good=m.low) if requirement.at_most is not None else _Ends(bad=m.low, good=m.high)


def _verdict(requirement: Requirement, ends: _Ends) -> Verdict:
    if not requirement.kept(ends.good):
        return Verdict.FAIL
    return Verdict.PASS if requirement.kept(ends.bad) else Verdict.INCONCLUSIVE


def _needed(requirement: Requirement, m: Measurement, ends: _Ends) -> int | None:
    """Rows that would decide it if the estimate stayed; None where no number of rows would."""
    value, limit = m.value or 0.0, requirement.limit
    if m.undecided:
        return None
    if m.clusters:
        values, counts = zip(*m.clusters, strict=True)
        return clusters_needed(values, counts, limit, requirement.confidence, m.anytime) if 0 < limit < 1 else None
    if m.count is not None:
        needed = rows_needed(m.count / m.n, limit, requirement.confidence) if 0 <= limit <= 1 else None
        return needed if needed is None else max(needed, m.n + 1)
    margin = abs(value - limit)
    width = abs((ends.bad if requirement.kept(value) else ends.good) - value)
    if margin <= _SLACK or not m.n or not math.isfinite(width):
        return None
    return math.ceil(m.n * (width / margin) ** 2 - 1e-6)


def _harm(requirement: Requirement, m: Measurement) -> float:
    """How far the unfavourable end lies beyond the limit, to find the worst of several."""
    worst = m.high if requirement.at_most is not None else m.low
    worst = m.value if worst is None else worst
    if worst is None:
        return math.inf
    return worst - requirement.limit if requirement.at_most is not None else requirement.limit - worst


# -- words ----------------------------------------------------------------------------------------------------------


def _explain(requirement: Requirement, m: Measurement, ends: _Ends, verdict: Verdict, needed: int | None) -> str:
    end = ends.good if verdict is Verdict.FAIL else ends.bad
    bound = "at most" if end == max(ends.bad, ends.good) else "at least"
    said = (
        f"{m.name} is {m.value:.4g} (n = {m.n:,}); at {requirement.confidence:.4g} confidence it is {bound} {end:.4g}"
    )
    said += f", which {_EFFECTS[verdict]} {_limit(requirement)}"
    if verdict is not Verdict.INCONCLUSIVE:
        return said + "."
    if m.undecided:
        return f"{said}: {m.undecided:,} of its rows were never decided."
    if needed is None:
        return f"{said}: no number of {m.counts} would decide it at this value."
    if not requirement.kept(m.value or 0.0):
        return (
            f"{said}: no number of {m.counts} makes it pass at this value; about {needed:,} would show that it fails."
        )
    there = sum(many for _, many in m.clusters) or m.n
    return f"{said}: about {needed:,} {m.counts} would decide it, {max(1, needed - there):,} more than there are."


def _limit(requirement: Requirement) -> str:
    word = "at most" if requirement.at_most is not None else "at least"
    return f"the limit of {word} {requirement.limit:g}"


def _undecided(requirement: Requirement, m: Measurement | None, reason: str) -> Judgement:
    name = m.name if m is not None else requirement.metric
    return Judgement(
        requirement=requirement,
        verdict=Verdict.INCONCLUSIVE,
        measured=m.name if m is not None else "",
        value=m.value if m is not None else None,
        n=m.n if m is not None else 0,
        explanation=f"{name} is not decided: {reason}.",
    )


def _waived(judgement: Judgement, today: date) -> Judgement:
    """A valid waiver accepts a breach, shown or possible; it does not accept that nobody could measure."""
    waiver = judgement.requirement.waiver
    if waiver is None or judgement.verdict in (Verdict.PASS, Verdict.ERROR):
        return judgement
    if today > waiver.until:
        note = f" Its waiver by {waiver.by} lapsed on {waiver.until.isoformat()}."
        return replace(judgement, explanation=judgement.explanation + note)
    note = f" Accepted by {waiver.by} until {waiver.until.isoformat()}: {waiver.reason}"
    return replace(judgement, verdict=Verdict.WAIVED, explanation=judgement.explanation + note)
