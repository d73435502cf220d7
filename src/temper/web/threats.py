"""The threat model: where things flow, each concern with why, what tried it and what answers it, and what is open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from temper.config.description import description_digest
from temper.config.reading import read
from temper.core.description import Description
from temper.core.errors import TemperError
from temper.core.evidence import part_of
from temper.core.finding import Finding
from temper.core.outline import moment
from temper.core.run import Record
from temper.core.threat_model import Concern
from temper.monitoring.evidence import PARTS
from temper.report._figure import SEVERITIES
from temper.report.coverage import STATES, UNTESTED, Line, Test
from temper.report.threats import Threats, part
from temper.threats.age import outdated
from temper.threats.taxonomies import taxonomies
from temper.web import assessed, moments
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

TABS = (("/threats", "Threats"), ("/risk", "Risk"))
NOTHING = "–"
"""What a concern that nothing tries has for a test."""
FINDINGS = 4
_SIZE = re.compile(r' style="max-width:[0-9.]+px"')
"""Pages take their style from the sheet alone."""


def show(visit: Visit) -> Response:
    """The whole page, as the newest run keeps the model and as the evidence stands now."""
    record = visit.assessed.newest()
    if record is None or record.threats is None:
        return visit.page("threats.html", tabs=TABS, tab="/threats", system=visit.assessed.system, run=run_of(record))
    found = assessed.standing(visit)
    joined = evidence(visit, record, found)
    old = {one.part: one.why for one in reversed(found.stale)}
    told = part(
        Threats(
            model=record.threats,
            record=joined,
            old=lambda name: old.get(part_of(name), ""),
            warnings=tuple(_warnings(visit, record)),
            titles=titles(),
        )
    )
    shown = [_concern(line, words, seen, joined, found) for line, words, seen in told["lines"]]
    return visit.page(
        "threats.html",
        tabs=TABS,
        tab="/threats",
        system=visit.assessed.system,
        run=run_of(record),
        model=record.threats,
        picture=drawing(told["picture"]),
        concerns=shown,
        heads=_heads(told["lines"]),
        gaps=told["gaps"],
        changes=told["changes"],
        warnings=told["warnings"],
        titles=told["titles"],
        marks=told["marks"],
        trouble=found.trouble,
    )


def titles() -> dict[str, str]:
    """What the ids of taxonomies are called."""
    return {f"{key}:{id}": words for key, table in taxonomies().items() for id, words in table.titles.items()}


def evidence(visit: Visit, newest: Record, found: assessed.Standing) -> Record:
    """The newest run, with the figures, verdicts, findings and reasons of every part from the run that is the evidence
    of this part: a run that renews one part leaves the others as they were.
    """
    known = {name: one.run for name, one in found.known.items()}
    runs = [newest, *(visit.assessed.record(run) for run in sorted({*known.values()} - {newest.id}))]

    def counts(name: str, run: Record) -> bool:
        return known.get(part_of(name), newest.id) == run.id

    return replace(
        newest,
        measurements=tuple(m for run in runs for m in run.measurements if counts(m.plugin, run)),
        judgements=tuple(j for run in runs for j in run.judgements if counts(j.measured or j.requirement.metric, run)),
        findings=tuple(f for run in runs for f in run.findings if counts(f.plugin, run)),
        skipped=tuple(s for run in runs for s in run.skipped if counts(s.name, run)),
    )


def belongs(scenario: str, concern: Concern) -> bool:
    """Whether this scenario ("threat@actor") is folded into the concern."""
    threat, _, actor = scenario.partition("@")
    return concern.id.partition("@")[2] in ("", actor) and any(way.threat == threat for way in concern.ways)


def finding(one: Finding, run: str) -> dict[str, str]:
    """A finding as a link to its rows."""
    return {"href": f"/runs/{run}/findings/{one.id}", "title": one.title, "severity": one.severity}


def shown_in(name: str, found: assessed.Standing, newest: str) -> str:
    """The run that is the evidence of what this plugin measures."""
    known = found.known.get(part_of(name))
    return known.run if known else newest


def run_of(record: Record | None) -> dict[str, str] | None:
    """The run that a page is about."""
    if record is None:
        return None
    return {
        "id": record.id,
        "at": moments.clock(moment(record.started)),
        "simulated": "yes" if record.simulated else "",
    }


def drawing(svg: str) -> Any:
    """A picture of Temper's own, in which every word was made inert; its size is the page's to say."""
    from markupsafe import Markup

    return Markup(_SIZE.sub("", svg, count=1))


def _warnings(visit: Visit, record: Record) -> Iterator[str]:
    """What speaks against the description, as far as can be told without opening the model."""
    model = record.threats
    if model is None or not model.digest:
        return
    try:
        if description_digest(read(visit.assessed.config)) != model.digest:
            yield (
                f"the description in temper.yaml has changed since run {record.id}, and this is what followed from it "
                "then: `temper threats` shows what follows now, the next assessment brings it here"
            )
            return
    except TemperError as error:
        yield f"temper.yaml cannot be read: {error.message}"
        return
    name = "model" if "model" in dict(record.digests) else "assistant"
    was = dict(record.digests).get(name, "")
    before = visit.assessed.store.before(record.system, was)
    runs = ([visit.assessed.record(before)] if before else []) + [record]
    answers = visit.assessed.validation(visit.control).model() or was
    yield from filter(None, [outdated(Description(digest=model.digest), answers, runs, name=name)])


def _concern(line: Line, words: str, seen: str, record: Record, found: assessed.Standing) -> dict[str, Any]:
    """A concern as the page shows it, with a cell for each part that tries it."""
    concern = line.concern
    mine = [one for one in record.findings if belongs(one.scenario, concern)]
    rank = {name: at for at, name in enumerate(SEVERITIES)}
    every = [finding(one, shown_in(one.plugin, found, record.id)) for one in mine]
    every.sort(key=lambda one: rank.get(one["severity"], len(rank)))
    tests = [_test(test, shown_in(test.name, found, record.id)) for test in line.tests]
    return {
        "number": line.number,
        "concern": concern,
        "who": f"by {' or '.join(concern.actors)}" if concern.actors else "without an adversary",
        "seen": seen,
        "state": line.state,
        "told": words,
        "tests": tests,
        "cells": dict(_cells(line.tests)),
        "verdicts": [(assessed.badge(one), many) for one, many in Counter(line.verdicts).items()],
        "said": line.told,
        "placed": line.placed,
        "possible": line.possible,
        "findings": every[:FINDINGS],
        "more": max(0, len(every) - FINDINGS),
        "risk": _risk(concern, record),
    }


def _test(test: Test, run: str) -> dict[str, str]:
    kind = test.name.removeprefix("validation.").partition(".")[0]
    measured = test.state != UNTESTED and not test.name.startswith("goal:")
    href = f"/runs/{run}/figures?kind={kind}" if measured else ""
    return {"name": test.name, "state": test.state, "why": test.why, "href": href}


def _cells(tests: Sequence[Test]) -> Iterator[tuple[str, dict[str, Any]]]:
    """By part, how many of its tests are measured, and one word for them."""
    parts: dict[str, list[Test]] = {}
    for test in tests:
        if test.name != NOTHING:
            parts.setdefault(part_of(test.name), []).append(test)
    for name, some in parts.items():
        many = Counter(test.state for test in some)
        state = next(iter(many)) if len(many) == 1 else "partly"
        said = ", ".join(f"{many[word]} {word}" for word in STATES if many[word])
        yield name, {"state": state, "measured": many["measured"], "of": len(some), "said": said}


def _heads(lines: Sequence[tuple[Line, str, str]]) -> list[str]:
    """The parts that try any of the concerns, in the order of the lifecycle."""
    tried = {part_of(test.name) for line, _, _ in lines for test in line.tests if test.name != NOTHING}
    return [name for name in PARTS if name in tried]


def _risk(concern: Concern, record: Record) -> Mapping[str, str] | None:
    """The worst rating that measurements leave of its scenarios, and where it stands in the register."""
    if record.risk is None:
        return None
    for at, risk in enumerate(record.risk.risks, 1):  # the dearest first
        if belongs(risk.scenario, concern):
            return {"rating": risk.rating, "standing": risk.standing.value, "href": f"/risk#risk-{at}"}
    return None
