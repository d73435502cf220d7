"""What one requirement says of each of several measurements, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from temper.core.measure import Measurement, Status
from temper.core.requirement import Claim, Judgement, Requirement, Verdict
from temper.kernels.clustered import clusters_needed, p_over, p_under
from temper.kernels.rate import at_most, rows_needed
from temper.kernels.several import together

Pair = tuple[Judgement, Measurement]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chances:
    """p-values of the claims that the limit is kept and that it is broken."""

    kept: float
    broken: float


def claims(requirement: Requirement, judged: Sequence[Pair]) -> tuple[Claim, ...]:
    """One claim per measurement whose p-value is known, in their order; each verdict holds beside all the others."""
    found = [(judgement, m, chances) for judgement, m in judged if (chances := _chances(requirement, m)) is not None]
    corrected = together([one.kept for *_, one in found]), together([one.broken for *_, one in found])
    return tuple(
        _claim(requirement, (judgement, m), chances, (corrected[0][at], corrected[1][at]), len(found))
        for at, (judgement, m, chances) in enumerate(found)
    )


def _claim(requirement: Requirement, pair: Pair, chances: _Chances, corrected: tuple[float, float], many: int) -> Claim:
    judgement, m = pair
    alpha = 1 - requirement.confidence
    verdict = Verdict.PASS if corrected[0] <= alpha else Verdict.FAIL if corrected[1] <= alpha else Verdict.INCONCLUSIVE
    value, limit = m.value or 0.0, requirement.limit
    kept = requirement.kept(value)
    needed = judgement.needed or _needed(m, limit, 1 - alpha / many) if verdict is Verdict.INCONCLUSIVE else None
    return Claim(
        measured=m.name,
        slice=m.slice,
        verdict=verdict,
        kept=kept,
        value=m.value,
        low=m.low,
        high=m.high,
        n=m.n,
        p=chances.kept if kept else chances.broken,
        corrected=corrected[0] if kept else corrected[1],
        needed=needed,
        counts=judgement.counts,
    )


def _needed(m: Measurement, limit: float, confidence: float) -> int | None:
    """How many would decide what is decided alone and not among so many."""
    if m.undecided or not 0 < limit < 1:
        return None
    if m.clusters:
        return clusters_needed(*read(m, 1.0), limit, confidence, m.anytime)
    return rows_needed(m.count / m.n, limit, confidence) if m.count is not None else None


def read(m: Measurement, undecided: float) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """A measurement's clusters as values and their numbers, what nobody decided read as `undecided`."""
    values, counts = zip(*m.clusters, strict=True)
    return ((*values, undecided), (*counts, m.undecided)) if m.undecided else (values, counts)


def _chances(requirement: Requirement, m: Measurement) -> _Chances | None:
    """The two p-values; None where the measurement holds no counts. What nobody decided speaks for neither claim."""
    if m.status is not Status.OK or m.value is None or not m.n:
        return None
    if m.clusters:
        under = p_under(*read(m, 1.0), requirement.limit, m.anytime)
        over = p_over(*read(m, 0.0), requirement.limit, m.anytime)
    elif m.count is not None and 0 <= requirement.limit <= 1 and 0 <= m.count <= m.count + m.undecided <= m.n:
        under = at_most(m.count + m.undecided, m.n, requirement.limit)
        over = 1 - at_most(m.count - 1, m.n, requirement.limit) if m.count else 1.0
    else:
        return None
    return _Chances(kept=under, broken=over) if requirement.at_most is not None else _Chances(kept=over, broken=under)
