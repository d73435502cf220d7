"""A requirement, a finding and a figure as pages show them: every one with its interval, its n and its baseline."""

from __future__ import annotations

import math
import re
from typing import Any

from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.core.requirement import Judgement
from temper.core.run import Record
from temper.report._claims import chance, claim_rows, tally
from temper.report._figure import (
    SEVERITIES,
    SYMBOLS,
    arrow,
    deciding,
    ends,
    figure,
    finding_name,
    interval,
    is_rate,
    judged,
    judged_as_rate,
    limit,
    percent,
    plain_name,
    rows_to_decide,
    show,
)

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def requirement(judgement: Judgement, record: Record) -> dict[str, Any]:
    """A requirement with its verdict and the figure that decided it."""
    measurement = deciding(judgement, record.measurements)
    rate = judged_as_rate(judgement, measurement)
    rule = judgement.requirement
    low, high = (judgement.low, judgement.high) if measurement is None else (measurement.low, measurement.high)
    return {
        "judgement": judgement,
        "rule": rule,
        "verdict": judgement.verdict,
        "symbol": SYMBOLS[judgement.verdict],
        "metric": plain_name(measurement.name if measurement else rule.metric),
        "slice": measurement.slice if measurement else rule.slice,
        "measured": judged(judgement, measurement),
        "interval": ends(low, high, rate),
        "confidence": percent(measurement.confidence if measurement else rule.confidence),
        "gate": percent(rule.confidence),
        "rows": rows_to_decide(judgement),
        "claims": claim_rows(judgement, rate),
        "tally": tally(judgement.claims),
        "chance": chance(judgement.claims[0].corrected) if len(judgement.claims) == 1 else "",
        "limit": limit(rule, rate),
        "baseline": _baseline(measurement) if measurement else [],
        "track": _track(low, high, judgement.value, rule.limit) if rate else None,
    }


def _track(low: float | None, high: float | None, value: float | None, limit: float) -> dict[str, str] | None:
    """Positions in percent for the small picture of an interval against its limit."""
    places = (low, high, value, limit)
    if any(place is None or not math.isfinite(place) or not 0 <= place <= 1 for place in places):
        return None
    start, end, point, rule = (100 * (place or 0.0) for place in places)
    return {
        "low": f"{start:.2f}",
        "width": f"{max(end - start, 0.6):.2f}",
        "value": f"{point:.2f}",
        "limit": f"{rule:.2f}",
    }


def finding_of(finding: Finding, most: int = 3) -> dict[str, Any]:
    """A finding with its first examples, each with what moved and what follows from that."""
    examples = [
        {
            "example": example,
            "picture": example.picture if _BASE64.fullmatch(example.picture) else "",
            "moved": [change for change in example.changes if not change.derived],
            "follows": ", ".join(str(change).replace(" -> ", " → ") for change in example.changes if change.derived),
        }
        for example in finding.examples[:most]
    ]
    known = finding.severity in SEVERITIES
    return {
        "finding": finding,
        "name": finding_name(finding),
        "severity": finding.severity if known else "low",
        "examples": examples,
    }


def row(measurement: Measurement) -> dict[str, Any]:
    """A figure with its interval, its n, what it is read beside and what it cost."""
    m = measurement
    return {
        "plugin": m.plugin,
        "metric": m.metric.replace("_", " "),
        "slice": "" if m.slice == "all" else m.slice,
        "figure": figure(m),
        "interval": interval(m),
        "confidence": percent(m.confidence),
        "n": f"{m.n:,}" if m.n else "–",
        "baseline": _baseline(m),
        "status": m.status.value,
        "ok": m.status is Status.OK,
        "reason": m.reason,
        "method": m.method,
        "better": arrow(m.better),
        "spent": _spent(m),
        "caveats": m.caveats,
        "simulated": m.simulated,
    }


def _baseline(measurement: Measurement) -> list[str]:
    return [f"{name}: {show(value, is_rate(measurement))}" for name, value in measurement.baseline]


def _spent(measurement: Measurement) -> str:
    parts = [f"{measurement.queries:,} queries"] if measurement.queries else []
    parts += [f"{measurement.seconds:,.1f} s"] if measurement.seconds else []
    return ", ".join(parts)
