"""One run: its verdict and findings, its figures, and what changed since another run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.core.comparison import Comparison, Difference, compare
from temper.core.errors import StoreError, TemperError
from temper.core.finding import Finding
from temper.core.measure import Measurement
from temper.core.outline import moment
from temper.core.requirement import Judgement, Verdict
from temper.core.run import Record
from temper.report._change import signed
from temper.report._figure import family_title, grouped, is_rate, plain_name
from temper.report._figure import figure as figure_of
from temper.report._story import counts, limits, sentences, worst_findings
from temper.report.html import WORDS, headline
from temper.report.rows import finding_of, requirement, row
from temper.store.evidence import waiving
from temper.web import assessed, moments, waivers
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

AT_ONCE = 150
"""Figures that are shown without choosing a kind."""
OTHERS = 40
"""Runs that are offered for a comparison."""
ALWAYS = (Verdict.PASS, Verdict.FAIL)
"""Verdicts that are told also of no requirement."""


def show_run(visit: Visit) -> Response:
    """The verdict: what was required, what was found, and what it does not show."""
    record = found(visit)
    many = counts(record)
    faults = visit.assessed.faults
    return page(
        visit,
        record,
        "run.html",
        "",
        kind=assessed.badge(record.kind),
        headline=headline(record),
        sentences=sentences(record),
        tiles=[
            (one.value, many[one], WORDS[one]) for one in Verdict if many[one] or one in (Verdict.PASS, Verdict.FAIL)
        ],
        requirements=[requirement_of(one, record) for one in record.judgements],
        waivers=waivers.of_requirement(visit, record.system),
        may_waive=visit.may(waivers.PROPOSES) and record.state == "finished" and not faults,
        findings=[_short(one) for one in worst_findings(record)],
        limits=limits(record),
        digests=record.digests,
        facts=record.facts,
        scenarios=record.scenarios,
        skipped=record.skipped,
    )


def figures(visit: Visit) -> Response:
    """What was measured, by kind of threat or check."""
    record = found(visit)
    groups = grouped(record.measurements)
    few = len(record.measurements) <= AT_ONCE
    asked = visit.request.query_params.get("kind", "" if few else next(iter(groups), ""))
    shown = {name: group for name, group in groups.items() if asked in ("", name)}
    return page(
        visit,
        record,
        "run_figures.html",
        "/figures",
        kinds=[(name, family_title(name).partition(":")[0], len(group)) for name, group in groups.items()],
        asked=asked,
        few=few,
        kinds_shown=[_section(record, name, group) for name, group in shown.items()],
    )


def finding_in(visit: Visit, record: Record) -> Finding:
    """The finding of this address."""
    name = str(visit.request.path_params["finding"])
    one = next((one for one in record.findings if one.id == name), None)
    if one is None:
        raise Refused(404, "No such finding", "This run has none of this id.")
    return one


def compared(visit: Visit) -> Response:
    """What changed between another run and this one."""
    record, store = found(visit), visit.assessed.store
    others = [one for one in store.outlines(OTHERS, system=record.system) if one.run != record.id]
    asked = visit.request.query_params.get("with", "")
    before = next((one.run for one in others if one.run < record.id and one.state == "finished"), "")
    other = _run(visit, asked or before) if asked or before else None
    return page(
        visit,
        record,
        "run_compare.html",
        "/compare",
        other=other,
        since=moments.clock(moment(other.started)) if other else "",
        others=[assessed.line(one, assessed.Standing(known={}, stale=()), "") for one in others],
        **(_told(compare(other, record)) if other else {"groups": [], "lists": [], "same": 0}),
    )


def document(visit: Visit) -> Response:
    """The HTML report that was written when the run was made, as a file: it is not shown as a page of the console."""
    from starlette.responses import PlainTextResponse

    path = _report(visit, found(visit))
    if not path.is_file():
        raise Refused(404, "No report here", "It is written with `temper report`.")
    name = {"content-disposition": f'attachment; filename="run-{path.parent.name}.html"'}
    return PlainTextResponse(path.read_text(encoding="utf-8"), media_type="text/html", headers=name)


def found(visit: Visit) -> Record:
    """The run of this address."""
    return _run(visit, str(visit.request.path_params["run"]))


def _run(visit: Visit, name: str) -> Record:
    try:
        return visit.assessed.store.run(name)
    except StoreError:
        raise
    except TemperError:
        raise Refused(404, "No such run", "There is none of this number, or more than one.") from None


def page(visit: Visit, record: Record, template: str, tab: str, /, **context: Any) -> Response:
    """A page of a run, with its head and its tabs."""
    where = f"/runs/{record.id}"
    return visit.page(
        template,
        record=record,
        where=where,
        run_tabs=[
            (where, "Verdict"),
            (f"{where}/figures", "Figures"),
            (f"{where}/compare", "Compare"),
            (f"{where}/evidence", "Evidence"),
        ],
        run_tab=where + ("" if tab == "/findings" else tab),
        verdict=assessed.badge(record.kind),
        began=moments.clock(moment(record.started)),
        took=moments.span(record.seconds) if record.seconds else "",
        model=assessed.model(dict(record.digests).get("model", "")),
        report=_report(visit, record).is_file(),
        **context,
    )


def _report(visit: Visit, record: Record) -> Any:
    return visit.assessed.config.parent / "runs" / record.id / "report.html"


def requirement_of(judgement: Judgement, record: Record) -> dict[str, Any]:
    """A requirement as pages show it, with whether it can be waived."""
    told = requirement(judgement, record)
    return told | {"badge": assessed.badge(judgement.verdict), "open": judgement.verdict in waiving.OPEN}


def _short(one: Finding) -> dict[str, Any]:
    told = finding_of(one, 1)
    return told | {"first": told["examples"][0] if told["examples"] else None, "rows": len(one.examples)}


def _section(record: Record, name: str, group: list[Measurement]) -> dict[str, Any]:
    return {
        "name": name,
        "title": family_title(name),
        "rows": [row(one) for one in group],
        "misleads": [(plugin, words) for plugin, words in record.misleads if plugin.partition(".")[0] == name],
    }


def _told(found: Comparison) -> dict[str, Any]:
    """Figures by what became of them, and findings by whether they are still there."""
    groups = []
    for name, words, tone in (
        ("Worse", ("worse",), "fail"),
        ("Better", ("better",), "pass"),
        ("Moved", ("higher", "lower"), "plain"),
        ("Not comparable", ("not comparable",), "inconclusive"),
        ("Measured only now", ("new",), "plain"),
        ("Measured only before", ("gone",), "plain"),
    ):
        if some := [moved(one) for one in found.figures if one.change in words]:
            groups.append({"name": name, "tone": tone, "rows": some, "folded": tone in ("plain", "inconclusive")})
    lists = [
        ("New", "fail", found.new),
        ("Fixed", "pass", found.fixed),
        ("Still there", "fail", found.unchanged),
        ("Not looked for again, or not with success", "inconclusive", found.unknown),
    ]
    same = sum(one.change == "unchanged" for one in found.figures)
    return {"groups": groups, "lists": [one for one in lists if one[2]], "same": same}


def moved(one: Difference) -> dict[str, Any]:
    """A figure of two runs as a table shows it."""
    rate = any(m is not None and is_rate(m) for m in (one.before, one.after))
    known = one.difference is not None and one.low is not None and one.high is not None
    return {
        "name": plain_name(one.name),
        "slice": "" if one.slice == "all" else one.slice,
        "before": figure_of(one.before) if one.before else "–",
        "after": figure_of(one.after) if one.after else "–",
        "n": f"{(one.after or one.before).n:,}",  # type: ignore[union-attr]
        "change": signed(one.difference, rate) if one.difference is not None else "",
        "ends": f"{_end(one.low, rate)} to {_end(one.high, rate)}" if known else "",
        "why": one.why,
        "tone": one.change,
    }


def _end(value: float | None, rate: bool) -> str:
    return "" if value is None else signed(value, rate)
