"""Security events: signs of an attack in every window, scores about the threshold, and what the guard has stopped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from temper.core.watch import Alarm, Seen, Watched
from temper.report.watched import moved, span
from temper.web import drawing, feeds, figures
from temper.web.drift import ends, probability
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PATH = "/monitoring/security"
SIGNS = {
    "bunching": ("Bunching", "scores crowd just below the threshold, more than both their neighbours promise"),
    "trains": ("Trains", "one client tries one case again and again, ever closer to the threshold"),
    "movable": ("Movable", "only columns that an attacker sets have moved"),
    "attempts": ("Attempts", "the guard of an assistant objected to more exchanges than the windows before promise"),
    "refused": ("Refused keys", "requests came without a key that holds, more than the windows before promise"),
}
EVENTS = 12


def show(visit: Visit) -> Response:
    """The whole page."""
    return feeds.page(visit, "security.html", PATH, **_context(visit))


def fragment(visit: Visit) -> Response:
    """The part that changes."""
    return feeds.page(visit, "security_now.html", PATH, **_context(visit))


def _context(visit: Visit) -> dict[str, Any]:
    asked = feeds.asked(visit, PATH)
    gateway = figures.asked(visit.desk.metrics, visit.now) if visit.desk.metrics else None
    if asked is None:
        return {"asked": None, "again": f"{PATH}/now", "gateway": gateway}
    struck = [one for one in asked.windows if _of(one.alarms)]
    at = asked.at if asked.at is not asked.windows[-1] or not struck else struck[-1]
    shapes = visit.control.windows.shapes(asked.watching, at.start) if at.seen is Seen.FAIL else ()
    return {
        "asked": asked,
        "again": asked.again(PATH),
        "gateway": gateway,
        "row": feeds.row(asked.windows, PATH, asked.watching.feed, at),
        "rows": _rows(asked.windows, at),
        "ends": ends(asked.windows),
        "events": [_event(one, asked.watching.feed) for one in reversed(struck)][:EVENTS],
        "more": max(0, len(struck) - EVENTS),
        "picture": next((drawing.drawn(shape) for shape in shapes if shape.part), None),
        "of": span(at),
        "measured": any(one.signs or _of(one.alarms) for one in asked.windows),
    }


def _of(alarms: Sequence[Alarm]) -> list[Alarm]:
    return [alarm for alarm in alarms if alarm.comparison in SIGNS]


def _rows(windows: Sequence[Watched], at: Watched) -> list[dict[str, Any]]:
    """The signs below each other: how surely each showed in every window."""
    found = []
    for sign, (name, about) in SIGNS.items():
        cells = [_cell(sign, one, at) for one in windows]
        found.append({"name": name, "about": about, "cells": cells, "many": sum(cell["alarm"] for cell in cells)})
    return found


def _cell(sign: str, one: Watched, at: Watched) -> dict[str, Any]:
    """A shade for every power of ten of p; nothing where nothing was measured."""
    alarm = any(found.comparison == sign for found in one.alarms)
    measured = next((found for found in (*one.alarms, *one.signs) if found.comparison == sign), None)
    if measured is None:
        return {"shade": "none", "alarm": False, "said": f"{span(one)}: not measured", "here": one is at}
    shade = min(10, max(0, math.floor(-math.log10(max(measured.p, 1e-300)))))
    told = f"{span(one)}: {measured.value:.3g}, p {probability(measured.p)}{', alarm' if alarm else ''}"
    return {"shade": f"{shade}", "alarm": alarm, "said": told, "here": one is at}


def _event(one: Watched, feed: str) -> dict[str, Any]:
    return {
        "window": span(one),
        "href": feeds.link(PATH, feed, one.start),
        "drift": feeds.link("/monitoring/drift", feed, one.start),
        "signs": [
            {"name": SIGNS[alarm.comparison][0], "said": moved(alarm), "p": probability(alarm.p)}
            for alarm in _of(one.alarms)
        ],
        "rows": f"{one.rows:,}",
        "kind": one.kind.value if one.kind else "",
    }
