"""The report as one static HTML file: no script, no network, light and dark, made to be printed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from temper.core.assurance import Case
from temper.core.defence import Effect
from temper.core.measure import Measurement
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.report import assistants, assurance, charts, stressed
from temper.report._change import changes
from temper.report._figure import SYMBOLS, family, family_title, grouped, show
from temper.report._inert import inert
from temper.report._story import counts, limits, sentences, worst_findings
from temper.report.campaign import section as campaign_section
from temper.report.history import Outdated
from temper.report.risk import section as risk_section
from temper.report.rows import finding_of, requirement, row
from temper.report.threats import Threats, part
from temper.report.tradeoff import tradeoff

if TYPE_CHECKING:
    from jinja2 import Environment

_PARTS = ("threats_part.html", "case_part.html", "campaign_part.html", "report.html")
SHOWN = 15
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
    record: Record,
    *,
    before: Record | None = None,
    effects: Sequence[Effect] = (),
    tried: Sequence[Effect] = (),
    outdated: Sequence[Outdated] = (),
    case: Case | None = None,
) -> str:
    """The whole page. Every text from outside is escaped and cannot act; figures carry interval, n and baseline.

    `outdated` is what of it no longer counts on the day it is written, `case` the assurance case over it.
    """
    from markupsafe import Markup

    compared = changes(record, before, effects)
    page = (
        environment()
        .from_string("".join(shipped(name) for name in _PARTS))
        .render(
            style=Markup(shipped("style.css")),
            threats=part(Threats(model=record.threats, record=record)) if record.threats else None,
            record=record,
            before=before,
            headline=headline(record),
            kind=record.kind.name,
            symbols={verdict.name: symbol for verdict, symbol in SYMBOLS.items()},
            sentences=[_coded(line) for line in sentences(record)],
            tiles=[(verdict, counts(record)[verdict], WORDS[verdict]) for verdict in Verdict if _tile(record, verdict)],
            requirements=[requirement(judgement, record) for judgement in record.judgements],
            findings=[finding_of(finding) for finding in worst_findings(record)[:SHOWN]],
            more_findings=max(0, len(record.findings) - SHOWN),
            compared=compared,
            comparison=charts.comparison(compared),
            funnel=assistants.funnel(record),
            campaign=campaign_section(record.campaign),
            grids=assistants.grid(record),
            layers=assistants.layers(tried, effects[0].defence if effects else ""),
            titles=dict(record.titles),
            case=assurance.section(case) if case else None,
            risk=risk_section(record.risk, before.risk if before else None),
            tradeoff=tradeoff(tried, effects[0].defence if effects else ""),
            sections=_sections(record),
            limits=limits(record),
            outdated=outdated,
            duration=_duration(record.seconds),
            scenarios=[_scenario(line) for line in record.scenarios],
            started=record.started.replace("T", " ").replace("+00:00", " UTC"),
            show=show,
            markup=Markup,
        )
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
    groups = grouped(record.measurements).items()
    heads = [family_title(name).split(":")[0] for name, _ in groups]
    return [
        {
            "id": f"section-{at}",
            "title": family_title(name),
            "short": heads[at] if heads.count(heads[at]) == 1 else family_title(name),
            "charts": drawn[name],
            "misleads": [pair for pair in record.misleads if family(pair[0]) == name],
            **(_stress(group) if name == "stress" else {"boards": [], "worst": None, "rows": group}),
        }
        for at, (name, group) in enumerate(groups)
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


def environment() -> Environment:
    """Where pages are made: every text from outside is inert and escaped, a name that is missing is an error."""
    from jinja2 import Environment as Pages
    from jinja2 import StrictUndefined

    made = Pages(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.finalize = _finalize
    made.filters["row"] = row
    return made


def shipped(name: str) -> str:
    """A template or style sheet of Temper's own."""
    return files("temper.report").joinpath("templates", name).read_text(encoding="utf-8")


def headline(record: Record) -> str:
    """The verdict in a few words; a run that is not complete has none."""
    if record.state != "finished":
        return f"Not complete: the run {record.state}"
    return HEADLINES[record.verdict] if record.judgements else "Nothing was judged"


def _tile(record: Record, verdict: Verdict) -> bool:
    return verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE) or counts(record)[verdict] > 0


def _scenario(line: str) -> tuple[str, str]:
    """Rating and text of a scenario line such as "[high] title"."""
    rating, bracket, rest = line.removeprefix("[").partition("] ")
    known = line.startswith("[") and bracket and rating in ("critical", "high", "medium", "low")
    return (rating, rest) if known else ("", line)
