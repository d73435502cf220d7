"""The risk register of the newest run: what each scenario may cost, what that rests on, and what holds of it today."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from temper.config.reading import read
from temper.config.risk import stakes_of
from temper.core.errors import TemperError
from temper.core.evidence import part_of
from temper.core.review import Right
from temper.core.risk import Acceptance, Register, Risk, Standing
from temper.core.run import Record
from temper.report.risk import section
from temper.web import assessed
from temper.web.threats import TABS, belongs, drawing, evidence, finding, run_of, shown_in
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

SMALL = ("low", "very low")
"""Ratings that are folded away."""
BADGES = {
    Standing.UNTESTED: "fail",
    Standing.INCONCLUSIVE: "inconclusive",
    Standing.STALE: "inconclusive",
    Standing.MEASURED: "pass",
}
SOON = 30
"""Days before its end from which an acceptance is said to end soon."""
_RUN = re.compile(r"\brun (\d+)\b")


def show(visit: Visit) -> Response:
    """The whole page, as the register stood when the run ended, beside what is known to have changed since."""
    record = visit.assessed.newest()
    about = {"tabs": TABS, "tab": "/risk", "system": visit.assessed.system, "run": run_of(record)}
    if record is None or record.risk is None or not record.risk.risks:
        return visit.page("risk.html", **about, register=None)
    found, earlier = assessed.standing(visit), _before(visit.assessed, record)
    told = section(record.risk, earlier.risk if earlier else None) or {}
    joined, old = evidence(visit, record, found), {one.part: one.why for one in reversed(found.stale)}
    rows = [_row(line, joined, found, old) for line in told["lines"]]
    accepted, trouble = _accepted(visit, record.risk)
    return visit.page(
        "risk.html",
        **about,
        register=record.risk,
        words=told["words"],
        unit=told["unit"],
        rows=[row for row in rows if row["risk"].rating not in SMALL],
        rest=[row for row in rows if row["risk"].rating in SMALL],
        charts=[(chart.title, chart.caption, drawing(chart.svg)) for chart in told["charts"]],
        notes=told["notes"],
        accepted=accepted,
        trouble=trouble or found.trouble,
        before=earlier.id if earlier else "",
        aged=[row["number"] for row in rows if row["aged"]],
        may_order=visit.may(Right.ORDER),
        stale=assessed.renewals(found),
    )


def ready(what: assessed.Assessed) -> None:
    """Draw the charts of the newest register, which takes seconds in a process that has drawn none, so that nobody has
    to wait for them.
    """
    record = what.newest()
    if record is not None and record.risk is not None:
        earlier = _before(what, record)
        section(record.risk, earlier.risk if earlier else None)


def _before(what: assessed.Assessed, record: Record) -> Record | None:
    """The newest finished run of another model, whose curve stands beside this one's."""
    run = what.store.before(record.system, dict(record.digests).get("model", ""))
    return what.record(run) if run else None


def _row(line: dict[str, Any], record: Record, found: assessed.Standing, old: dict[str, str]) -> dict[str, Any]:
    """A line of the register with where it comes from, and why its measurement has aged since, where it has."""
    risk: Risk = line["risk"]
    concerns = list(enumerate(record.threats.concerns if record.threats else (), 1))
    number, concern = next(((at, one) for at, one in concerns if belongs(risk.scenario, one)), (0, None))
    ways = concern.ways if concern else ()
    threat = risk.scenario.partition("@")[0]
    parts = {part_of(name) for way in ways if way.threat == threat for name in way.plugins}
    aged = next((old[part] for part in sorted(parts) if part in old), "")
    return line | {
        "concern": number,
        "badge": BADGES[risk.standing],
        "because": [list(_linked(words)) for words in risk.because],
        "findings": [
            finding(one, shown_in(one.plugin, found, record.id))
            for one in record.findings
            if one.scenario == risk.scenario
        ],
        "aged": aged if risk.standing is Standing.MEASURED else "",
        "was_chance": "" if line["chance"].startswith(f"{line['chance_before']} (") else line["chance_before"],
        "was_annual": "" if line["annual"].startswith(f"{line['annual_before']} (") else line["annual_before"],
    }


def _linked(words: str) -> Iterator[tuple[str, str]]:
    """A sentence in pieces, each with the address of the run that it names."""
    at = 0
    for named in _RUN.finditer(words):
        yield words[at : named.start()], ""
        yield named[0], f"/runs/{named[1]}"
        at = named.end()
    yield words[at:], ""


def _accepted(visit: Visit, register: Register) -> tuple[list[dict[str, Any]], str]:
    """The acceptances of temper.yaml as they hold today, or why they cannot be read."""
    try:
        every = stakes_of(read(visit.assessed.config)).accepted
    except TemperError as error:
        return [], error.message
    today = datetime.fromtimestamp(visit.now, UTC).date()
    return [_acceptance(one, register.risks, today) for one in every], ""


def _acceptance(one: Acceptance, risks: Sequence[Risk], today: date) -> dict[str, Any]:
    left = (one.until - today).days
    return {
        "by": one.by,
        "reason": one.reason,
        "until": one.until,
        "tone": "fail" if left < 0 else "inconclusive" if left < SOON else "pass",
        "state": f"lapsed {-left} days ago" if left < 0 else f"{left} days left",
        "of": [(at, risk.title, risk.rating) for at, risk in enumerate(risks, 1) if _covers(one, risk)],
        "threat": one.threat,
    }


def _covers(one: Acceptance, risk: Risk) -> bool:
    threat, _, actor = risk.scenario.partition("@")
    return fnmatchcase(threat, one.threat) and fnmatchcase(actor, one.actor)
