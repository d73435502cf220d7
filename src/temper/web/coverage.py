"""Coverage: which techniques people have tried on a system, which nobody has, and how far raters agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.core.probe import Outcome
from temper.report.probes import render
from temper.store.codec import to_json
from temper.threats import tried
from temper.web import agreement, workbench
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

KINDS = {
    Outcome.THROUGH: "Through",
    Outcome.LET_BY: "Let by",
    Outcome.SEEN: "Seen",
    Outcome.BLOCKED: "Blocked",
    Outcome.HELD_BACK: "Held back",
    Outcome.STAYS: "Stays",
    Outcome.BROKEN: "Breaks",
}
"""What a column of the table counts, and its name where there is little room."""


def show(visit: Visit) -> Response:
    """The whole page."""
    system = workbench.system_of(visit)
    rated = visit.control.probes.of(system)
    named = tried.wanted(
        None if visit.desk.bench is None else visit.desk.bench.system, talks=visit.desk.spoken is not None
    )
    lines = tried.coverage(rated, named)
    kappa, pairs = tried.agreement(rated)
    kinds = [one for one in KINDS if any(one in line.probes for line in lines)]
    return visit.page(
        "coverage.html",
        **workbench.tabs(visit),
        tab="/coverage",
        system=system,
        kinds=[(one.value, KINDS[one]) for one in kinds],
        lines=[_line(one, kinds) for one in lines if one.probes],
        untried=[one for one in lines if one.wanted and not one.tried],
        wanted=len(named),
        loose=sum(not probe.draft.technique for probe, _ in rated),
        whole=agreement.kappa(kappa),
        pairs=[{"one": one.one, "two": one.two} | agreement.kappa(one.kappa) for one in pairs],
        may_export=visit.may(workbench.RIGHT),
    )


def document(visit: Visit) -> Response:
    """All of it as a file; whoever may still rate something has to do that first, since it names everybody."""
    from starlette.responses import PlainTextResponse

    system = workbench.system_of(visit)
    blind = visit.control.probes.unrated(system, visit.me.name)
    if blind:
        raise Refused(409, "Rate what is left first", f"The report names everybody. Not rated by you: {blind} probes.")
    rated, assumed = visit.control.probes.of(system), visit.control.probes.assumptions(system)
    named = tried.wanted(
        None if visit.desk.bench is None else visit.desk.bench.system, talks=visit.desk.spoken is not None
    )
    told = tried.document(system, rated, assumed, named, visit.now)
    as_json = visit.request.query_params.get("format") == "json"
    kind = "json" if as_json else "html"
    headers = {"content-disposition": f'attachment; filename="probes.{kind}"'}
    text = to_json(told) if as_json else render(told)
    return PlainTextResponse(text, media_type="application/json" if as_json else "text/html", headers=headers)


def _line(line: tried.Line, kinds: list[Outcome]) -> dict[str, Any]:
    return {
        "technique": line.technique,
        "title": line.title,
        "wanted": line.wanted,
        "cells": [line.probes.get(kind, ()) for kind in kinds],
    }
