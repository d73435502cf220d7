"""Assumptions: what a system is believed to hold to, who has challenged that, and whether it stands."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from temper.core.probe import Assumption, Standing
from temper.core.review import Right
from temper.report._inert import inert
from temper.web import moments, workbench
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

TONES = {Standing.OPEN: "nothing", Standing.STANDS: "pass", Standing.FALLEN: "fail"}
_KEY = re.compile(r"[0-9a-f]{16}")


def show(visit: Visit) -> Response:
    """All of them, with every challenge."""
    system = workbench.system_of(visit)
    found = visit.control.probes.assumptions(system)
    return visit.page(
        "assumptions.html",
        **workbench.tabs(visit),
        tab="/assumptions",
        system=system,
        assumptions=[_line(one, visit.now) for one in found],
        standings=[(one, sum(other.standing is one for other in found), TONES[one]) for one in Standing],
        may_write=visit.may(Right.ORDER),
        key=secrets.token_hex(8),
    )


def write(visit: Visit) -> Response:
    """Write one down; the form carries its key, so that one that is sent twice is written once."""
    key = visit.text("key")
    if not _KEY.fullmatch(key):
        raise Refused(422, "No such assumption", "Open the page again.")
    system = workbench.system_of(visit)
    visit.control.probes.assume(f"console:{key}", system, visit.line("text"), visit.me.name, visit.now)
    return visit.go("/assumptions", "assumed")


def challenge(visit: Visit) -> Response:
    """Say that one stood or has fallen."""
    number, word = int(visit.request.path_params["id"]), visit.text("standing")
    if number not in {one.id for one in visit.control.probes.assumptions(workbench.system_of(visit))}:
        raise Refused(404, "No such assumption", "There is none with this number.")
    if word not in (Standing.STANDS, Standing.FALLEN):
        raise Refused(422, "No such word", "An assumption stands, or has fallen.")
    probe = visit.whole("probe") if visit.form.get("probe", "").strip() else 0
    reason = visit.text("reason")
    visit.control.probes.challenge(number, Standing(word), reason, probe, visit.me.name, visit.now)
    return visit.go("/assumptions", "challenged")


def _line(one: Assumption, now: float) -> dict[str, Any]:
    return {
        "id": one.id,
        "text": inert(one.text, 400),
        "author": one.author,
        "when": moments.ago(one.made, now),
        "standing": one.standing.value,
        "tone": TONES[one.standing],
        "challenges": [
            {"by": each.by, "standing": each.standing.value, "tone": TONES[each.standing], "probe": each.probe}
            | {"reason": inert(each.reason, 400), "when": moments.ago(each.at, now)}
            for each in one.challenges
        ],
    }
