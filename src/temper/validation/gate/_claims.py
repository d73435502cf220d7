"""What one requirement says of each of several measurements, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from temper.core.measure import Measurement, Status
from temper.core.requirement import Claim, Judgement, Requirement, Verdict
from temper.kernels.clustered import p_over, p_under
from temper.kernels.rate import at_most
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
    kept, broken = together([one.kept for *_, one in found]), together([one.broken for *_, one in found])
    return tuple(
        _claim(requirement, pair[0], pair[1], pair[2], (kept[at], broken[at])) for at, pair in enumerate(found)
    )


def _claim(
    requirement: Requirement, judgement: Judgement, m: Measurement, chances: _Chances, corrected: tuple[float, float]
) -> Claim:
    alpha = 1 - requirement.confidence
    verdict = Verdict.PASS if corrected[0] <= alpha else Verdict.FAIL if corrected[1] <= alpha else Verdict.INCONCLUSIVE
    value = m.value or 0.0
    kept = value <= requirement.limit if requirement.at_most is not None else value >= requirement.limit
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
    )


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
