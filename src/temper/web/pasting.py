"""The workbench of many rows: pasted or brought as CSV, seen as a table, one picked to be edited, all or some kept."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from temper.core.errors import TemperError
from temper.core.probe import Draft
from temper.core.stage import Level
from temper.guard.serving.pasted import MOST_BYTES, MOST_ROWS, ROW, Pasted, pasted
from temper.report._inert import inert
from temper.report.probe import objecting
from temper.web import probes, workbench
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

FIELDS, BYTES = MOST_ROWS + 100, 3 * MOST_BYTES
"""Fields and bytes of a form: a box to tick for each row, and what is pasted, of which every comma is three bytes."""
_TICK = "line-"


def show(visit: Visit) -> Response:
    """Nothing yet."""
    _columns(visit)
    return _page(visit, "", [])


def look(visit: Visit) -> Response:
    """What was pasted as a table; or the line that somebody has picked, to be edited."""
    raw = _raw(visit)
    try:
        lines = pasted(visit.bench, raw)
    except TemperError as error:
        return _page(visit, _shown(raw), [], wrong=inert(f"{error.message}: {error.fix}.", 400))
    if picked := visit.form.get("edit", ""):
        one = next((one for one in lines if str(one.line) == picked), None)
        if one is None:
            raise Refused(422, "No such line", "Paste the rows again.")
        columns = enumerate(visit.bench.system.schema.names)
        return workbench.edit(
            visit, one.start, {f"c{at}": one.given[name] for at, name in columns if name in one.given}
        )
    return _page(visit, _shown(raw), lines)


def save(visit: Visit) -> Response:
    """Keep the lines that are ticked, all under one hypothesis: all of them or none."""
    key, (hypothesis, technique, assumptions) = probes.kept(visit)
    bench = visit.bench
    drafts = [
        Draft(
            system=bench.name,
            hypothesis=hypothesis,
            subject=one.posed.subject(bench.system.schema.names),
            look=one.look,
            technique=technique,
            assumptions=assumptions,
        )
        for one in pasted(bench, _raw(visit))
        if one.posed is not None and one.look is not None and visit.form.get(f"{_TICK}{one.line}")
    ]
    if not drafts:
        raise Refused(422, "Nothing is chosen", "Tick the rows that are to be kept.")
    visit.control.probes.save_all(key, drafts, visit.me.name, visit.now)
    return visit.go("/probes", "many")


def _page(visit: Visit, text: str, lines: list[Pasted], wrong: str = "") -> Response:
    bench = visit.bench
    schema = bench.system.schema
    return visit.page(
        "pasting.html",
        **workbench.tabs(visit),
        **workbench.keeping(visit, bench.name),
        tab="/workbench",
        system=bench.system,
        policy=workbench.policy(visit, bench.policy),
        text=text,
        wrong=wrong,
        lines=[_line(one) for one in lines],
        readable=sum(one.look is not None for one in lines),
        most=MOST_ROWS,
        columns=schema.names,
        row="" if ROW in schema.names else ROW,
        tick=_TICK,
    )


def _line(one: Pasted) -> dict[str, Any]:
    told: dict[str, Any] = {"line": one.line, "start": one.start, "wrong": inert(one.wrong, 300), "look": one.look}
    if one.look is None:
        return told
    seen = workbench.seen(one.look, (), "")
    told |= {name: seen[name] for name in ("before", "after", "outcome", "broken")}
    return told | {
        "objects": [
            (each.stage, each.level, workbench.TONES[Level[each.level]] if each.counts else "nothing")
            for each in objecting(one.look.told)
        ]
    }


def _columns(visit: Visit) -> None:
    if not visit.bench.system.schema.columns:
        raise Refused(404, "No rows here", "This model takes pictures: bring one at the workbench.")


def _raw(visit: Visit) -> bytes:
    """The file that was brought, else what was pasted."""
    _columns(visit)
    try:
        return b64decode(visit.form.get("file", ""), validate=True) or visit.form.get("text", "").encode()
    except binascii.Error:
        raise Refused(422, "No such file", "Bring it again.") from None


def _shown(raw: bytes) -> str:
    """What stands in the field again: as much of it as is text."""
    return raw[:MOST_BYTES].decode("utf-8-sig", "replace").replace("\0", "")
