"""What a requirement says of each measurement, as rows of a table and as a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temper.core.requirement import Claim, Judgement, Verdict
from temper.core.run import Record
from temper.report._figure import (
    SYMBOLS,
    deciding,
    ends,
    judged,
    judged_as_rate,
    limit,
    number,
    rows_to_decide,
    show,
)

_ORDER = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


def said(judgement: Judgement, record: Record) -> str:
    """Measured value, interval, n, limit and the explanation in one line."""
    measurement = deciding(judgement, record.measurements)
    rate = judged_as_rate(judgement, measurement)
    told = judged(judgement, measurement)
    words = told if judgement.value is None else f"measured {told}"
    if judgement.low is not None and judgement.high is not None:
        span = ends(judgement.low, judgement.high, rate)
        words += f" ({f'{span}, ' if span else ''}n = {judgement.n:,})"
    words += f", asked {limit(judgement.requirement, rate)}"
    if judgement.explanation:
        words += f": {judgement.explanation}"
    if waiver := judgement.requirement.waiver:
        words += f"; waived by {waiver.by} until {waiver.until}: {waiver.reason}"
    if rows := rows_to_decide(judgement):
        words += f"; {rows}"
    return words


def claim_rows(judgement: Judgement, rate: bool) -> list[dict[str, Any]]:
    """One row per claim, what fails first, the clearest first; none where there is but one claim."""
    if len(judgement.claims) < 2:
        return []
    several = len({one.measured for one in judgement.claims}) > 1
    ordered = sorted(judgement.claims, key=lambda one: (_ORDER.index(one.verdict), one.corrected, one.slice))
    return [
        {
            "verdict": one.verdict,
            "symbol": SYMBOLS[one.verdict],
            "name": _name(one, several),
            "figure": show(one.value, rate) if one.value is not None else "not measured",
            "interval": ends(one.low, one.high, rate),
            "n": f"{one.n:,}",
            "p": chance(one.corrected),
            "needed": f"{one.needed:,} {one.counts}" if one.needed and one.verdict is Verdict.INCONCLUSIVE else "",
        }
        for one in ordered
    ]


def tally(claims: Sequence[Claim]) -> str:
    """How many claims have which verdict, empty where there is but one."""
    if len(claims) < 2:
        return ""
    many = {verdict: sum(one.verdict is verdict for one in claims) for verdict in _ORDER}
    words = {Verdict.FAIL: "fail", Verdict.INCONCLUSIVE: "open", Verdict.PASS: "pass"}
    said = ", ".join(f"{count} {words[verdict]}" for verdict, count in many.items() if count)
    return f"{len(claims)} claims at once: {said}"


def chance(p: float) -> str:
    """A p-value as people write it.

    >>> chance(0.0312), chance(1e-9), chance(1.0)
    ('0.031', '< 0.001', '1')
    """
    return "< 0.001" if p < 0.001 else number(float(f"{p:.2g}"))


def _name(claim: Claim, several: bool) -> str:
    """The slice; with the plugin where claims are about several."""
    plugin = claim.measured.rpartition(".")[0]
    return f"{plugin} [{claim.slice}]" if several and claim.slice != "all" else plugin if several else claim.slice
