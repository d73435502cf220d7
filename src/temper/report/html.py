"""The report as one static HTML file: no script, no network, light and dark, made to be printed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from temper.core.defence import Effect
from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.core.requirement import Judgement, Verdict
from temper.core.run import Record
from temper.report import assistants, charts, stressed
from temper.report._change import changes
from temper.report._claims import chance, claim_rows, tally
from temper.report._figure import (
    SEVERITIES,
    SYMBOLS,
    arrow,
    between,
    deciding,
    family,
    family_title,
    figure,
    finding_name,
    grouped,
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
from temper.report._inert import inert
from temper.report._story import counts, limits, sentences, worst_findings
from temper.report.risk import section as risk_section
from temper.report.tradeoff import tradeoff

SHOWN = 15
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
WORDS = {
    Verdict.PASS: "passed",
    Verdict.FAIL: "failed",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.ERROR: "could not run",
    Verdict.WAIVED: "waived",
}
HEADLINES = {
    Verdict.PASS: "Requirements met",
    Verdict.FAIL: "Requirements not met",
    Verdict.INCONCLUSIVE: "Not decided",
    Verdict.ERROR: "Could not be assessed",
    Verdict.WAIVED: "Met with accepted breaches",
}


def render(
    record: Record, *, before: Record | None = None, effects: Sequence[Effect] = (), tried: Sequence[Effect] = ()
) -> str:
    """The whole page. Every text from outside is escaped and cannot act; figures carry interval, n and baseline."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = _finalize
    environment.filters["row"] = _row
    compared = changes(record, before, effects)
    page = environment.from_string(_file("report.html")).render(
        style=Markup(_file("style.css")),
        record=record,
        before=before,
        headline=_headline(record),
        kind=_kind(record),
        symbols={verdict.name: symbol for verdict, symbol in SYMBOLS.items()},
        sentences=[_coded(line) for line in sentences(record)],
        tiles=[(verdict, counts(record)[verdict], WORDS[verdict]) for verdict in Verdict if _tile(record, verdict)],
        requirements=[_requirement(judgement, record) for judgement in record.judgements],
        findings=[_finding(finding) for finding in worst_findings(record)[:SHOWN]],
        more_findings=max(0, len(record.findings) - SHOWN),
        compared=compared,
        comparison=charts.comparison(compared),
        funnel=assistants.funnel(record),
        grids=assistants.grid(record),
        layers=assistants.layers(tried, effects[0].defence if effects else ""),
        titles=dict(record.titles),
        risk=risk_section(record.risk, before.risk if before else None),
        tradeoff=tradeoff(tried, effects[0].defence if effects else ""),
        sections=_sections(record),
        limits=limits(record),
        duration=_duration(record.seconds),
        scenarios=[_scenario(line) for line in record.scenarios],
        started=record.started.replace("T", " ").replace("+00:00", " UTC"),
        show=show,
        markup=Markup,
    )
    return page


def _duration(seconds: float) -> str:
    """How long it took; nothing for a record that holds no times."""
    if not seconds:
        return ""
    return f"{seconds:,.0f} s, " if seconds >= 10 else f"{seconds:.1f} s, "


def _sections(record: Record) -> list[dict[str, Any]]:
    """One section per kind of threat or check: its curves, its figures beside their baselines, and its blindness."""
    drawn = charts.curves(record.measurements)
    return [
        {
            "id": f"section-{at}",
            "title": family_title(name),
            "charts": drawn[name],
            "misleads": [pair for pair in record.misleads if family(pair[0]) == name],
            **(_stress(group) if name == "stress" else {"boards": [], "worst": None, "rows": group}),
        }
        for at, (name, group) in enumerate(grouped(record.measurements).items())
    ]


def _stress(group: Sequence[Measurement]) -> dict[str, Any]:
    """A line per stressor with its figures folded behind it, and open what speaks of several at once."""
    rest = stressed.beside(group)
    worst = next((m for m in rest if m.metric == "worst_combination_loss" and m.value is not None), None)
    return {"boards": stressed.boards(group), "worst": worst, "rows": [m for m in rest if m is not worst]}


def _finalize(value: Any) -> Any:
    """Everything that goes into the page and is not our own markup is made inert before it is escaped."""
    return value if hasattr(value, "__html__") else _kept(inert(value))


def _kept(text: str) -> str:
    """A figure and its percent sign stay on one line."""
    return text.replace(" %", "\u00a0%")


def _coded(text: str) -> Any:
    """A sentence with what stands between backticks set as code."""
    from markupsafe import Markup

    parts = _kept(inert(text)).split("`")
    if len(parts) % 2 == 0:
        return Markup("{}").format(_kept(inert(text)))
    tags = [Markup("<code>{}</code>") if at % 2 else Markup("{}") for at in range(len(parts))]
    return Markup("").join(tag.format(part) for tag, part in zip(tags, parts, strict=True))


def _file(name: str) -> str:
    return files("temper.report").joinpath("templates", name).read_text(encoding="utf-8")


def _headline(record: Record) -> str:
    if record.state != "finished":
        return f"Not complete: the run {record.state}"
    return HEADLINES[record.verdict] if record.judgements else "Nothing was judged"


def _kind(record: Record) -> str:
    """The verdict that colours the banner: a run that is not complete, or judged nothing, is never shown as passed."""
    if record.verdict is Verdict.PASS and (record.state != "finished" or not record.judgements):
        return Verdict.INCONCLUSIVE.name
    return record.verdict.name


def _tile(record: Record, verdict: Verdict) -> bool:
    return verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE) or counts(record)[verdict] > 0


def _scenario(line: str) -> tuple[str, str]:
    """Rating and text of a scenario line such as "[high] title"."""
    rating, bracket, rest = line.removeprefix("[").partition("] ")
    known = line.startswith("[") and bracket and rating in ("critical", "high", "medium", "low")
    return (rating, rest) if known else ("", line)


def _requirement(judgement: Judgement, record: Record) -> dict[str, Any]:
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
        "interval": between(low, high, rate) if low is not None and high is not None else "",
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


def _finding(finding: Finding) -> dict[str, Any]:
    examples = [
        {
            "example": example,
            "picture": example.picture if _BASE64.fullmatch(example.picture) else "",
            "moved": [change for change in example.changes if not change.derived],
            "follows": ", ".join(str(change).replace(" -> ", " → ") for change in example.changes if change.derived),
        }
        for example in finding.examples[:3]
    ]
    known = finding.severity in SEVERITIES
    return {
        "finding": finding,
        "name": finding_name(finding),
        "severity": finding.severity if known else "low",
        "examples": examples,
    }


def _row(measurement: Measurement) -> dict[str, Any]:
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
