"""Coverage: which techniques people have tried on a system, which nobody has, and how far raters agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.core.probe import Outcome
from temper.report.probes import KINDS, render, table
from temper.store.codec import to_json
from temper.threats import tried
from temper.web import agreement, workbench
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

CAME = {
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
    rated, named = visit.control.probes.of(system), _named(visit)
    lines = tried.coverage(rated, named)
    kappa, pairs = tried.agreement(rated)
    kinds = [one for one in CAME if any(one in line.probes for line in lines)]
    return visit.page(
        "coverage.html",
        **workbench.tabs(visit),
        tab="/coverage",
        system=system,
        kinds=[(one.value, CAME[one]) for one in kinds],
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
    told = tried.document(system, rated, assumed, _named(visit), visit.now)
    kind = visit.request.query_params.get("format", "html")
    if kind not in KINDS:
        raise Refused(404, "No such report", f"There is one as {', '.join(KINDS)}.")
    headers = {"content-disposition": f'attachment; filename="probes.{kind}"'}
    if kind == "csv":
        text = table(told, None if visit.desk.bench is None else visit.desk.bench.system.schema)
    else:
        text = to_json(told) if kind == "json" else render(told)
    return PlainTextResponse(text, media_type=KINDS[kind], headers=headers)


def _named(visit: Visit) -> tuple[str, ...]:
    """The techniques that the threat model names."""
    own = None if visit.desk.bench is None else visit.desk.bench.system
    return tried.wanted(own, talks=visit.desk.spoken is not None)


def _line(line: tried.Line, kinds: list[Outcome]) -> dict[str, Any]:
    return {
        "technique": line.technique,
        "title": line.title,
        "wanted": line.wanted,
        "cells": [line.probes.get(kind, ()) for kind in kinds],
    }
