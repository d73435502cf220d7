"""Drift: which columns have moved, since when, how far and how surely, what kind of change it is, and how it looks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from temper.core.watch import Alarm, Kind, Seen, Shape, Watched
from temper.report.watched import by_column, following, moved, said, span
from temper.web import drawing, feeds, moments
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PATH = "/monitoring/drift"
COLUMNS = 16
"""Columns of the table of all windows: those that moved most."""
KINDS = {
    Kind.ATTACK: "it looks like an attack",
    Kind.NATURAL: "customers have changed, as far as one sees",
    Kind.PIPELINE: "what fills the feed is broken",
    Kind.UNKNOWN: "the evidence fits no kind",
}
SAID = {
    Seen.PASS: "Nothing moved further than chance explains and than is worth an alarm.",
    Seen.INCONCLUSIVE: "Too few rows to say that nothing has moved.",
    Seen.NOTHING: "No rows came. That is no pass: nobody knows.",
}


def show(visit: Visit) -> Response:
    """The whole page."""
    return feeds.page(visit, "drift.html", PATH, **context(visit))


def fragment(visit: Visit) -> Response:
    """The part that changes."""
    return feeds.page(visit, "drift_now.html", PATH, **context(visit))


def context(visit: Visit) -> dict[str, Any]:
    """What the page says of the window that is asked for, or of the newest."""
    asked = feeds.asked(visit, PATH)
    if asked is None:
        return {"asked": None, "again": f"{PATH}/now"}
    at, watching = asked.at, asked.watching
    shapes = visit.control.windows.shapes(watching, at.start) if at.seen is Seen.FAIL else ()
    return {
        "asked": asked,
        "again": asked.again(PATH),
        "row": feeds.row(asked.windows, PATH, watching.feed, at),
        "window": _window(at, visit.now),
        "columns": list(_columns(asked.windows, at, shapes)),
        "pictures": [drawing.drawn(shape) for shape in shapes],
        "matrix": matrix(asked.windows, at),
        "newest": at is asked.windows[-1],
    }


def _window(at: Watched, now: float) -> dict[str, Any]:
    since = at.since is not None and at.since < at.start
    return {
        "span": span(at),
        "state": at.seen.value,
        "tone": feeds.TONES[at.seen],
        "kind": at.kind.value if at.kind else "",
        "heading": KINDS[at.kind] if at.kind else SAID.get(at.seen, said(at)),
        "since": moments.clock(at.since or 0.0) if since else "",
        "why": at.why,
        "told": said(at),
        "next": following([at]).removeprefix("next: "),
        "facts": [
            ("Rows", f"{at.rows:,}"),
            ("Comparisons", f"{at.tests:,}"),
            ("Rows needed", "no number would do" if at.needed is None else f"{at.needed:,}"),
            ("Ended", f"{moments.clock(at.ends)}, {moments.ago(at.ends, now)}"),
        ],
        "notes": [*at.troubles, *at.notes],
    }


def _columns(windows: Sequence[Watched], at: Watched, shapes: Sequence[Shape]) -> Iterator[dict[str, Any]]:
    """The columns that alarmed in a window, what says most of each first."""
    rows = {shape.column: (sum(shape.before), sum(shape.now)) for shape in shapes if not shape.part}
    for name, alarms in by_column(at.alarms).items():
        before, now = rows.get(name, (0, at.rows))
        yield {
            "name": name or "all together",
            "said": moved(alarms[0]),
            "p": probability(min(alarm.p for alarm in alarms)),
            "n": f"{now:,} against {before:,}" if before else f"{now:,}",
            "since": span(_first(windows, at, alarms[0])),
            "by": [f"{alarm.comparison} {alarm.value:.3g}, p {probability(alarm.p)}" for alarm in alarms],
        }


def probability(p: float) -> str:
    """A p-value as it is told.

    >>> probability(0.0), probability(3.21e-12), probability(0.0421)
    ('under 1e-300', '3e-12', '0.042')
    """
    return "under 1e-300" if p < 1e-300 else f"{p:.0e}" if p < 0.001 else f"{p:.2g}"


def _first(windows: Sequence[Watched], at: Watched, found: Alarm) -> Watched:
    """The first window in a row, up to this one, in which the column alarmed; rows as wholes in the same comparison."""
    first = at
    for one in reversed([one for one in windows if one.start < at.start]):
        if one.ends != first.start or not any(_same(alarm, found) for alarm in one.alarms):
            break
        first = one
    return first


def _same(one: Alarm, other: Alarm) -> bool:
    return one.column == other.column and (bool(one.column) or one.comparison == other.comparison)


def matrix(windows: Sequence[Watched], at: Watched) -> dict[str, Any]:
    """How far every column had moved in every window: columns below each other, those that moved most first."""
    most: dict[str, float] = {}
    for one in windows:
        for name, far in one.moved:
            most[name] = max(most.get(name, 0.0), far)
    alarmed = [{alarm.column for alarm in one.alarms} for one in windows]
    shown = sorted(most, key=lambda name: (-sum(name in names for names in alarmed), -most[name]))[:COLUMNS]
    distances = [dict(one.moved) for one in windows]
    rows = [
        {
            "name": name,
            "cells": [
                _cell(values.get(name), name in names, one, at)
                for values, names, one in zip(distances, alarmed, windows, strict=True)
            ],
        }
        for name in shown
    ]
    return {"rows": rows, "more": max(0, len(most) - len(shown)), "ends": ends(windows)}


def ends(windows: Sequence[Watched]) -> tuple[str, str]:
    """The first and the last window in a row, in words."""
    return span(windows[0]), span(windows[-1])


def _cell(value: float | None, alarm: bool, one: Watched, at: Watched) -> dict[str, Any]:
    """Ten shades up to a distance of .5; nothing where nothing was measured."""
    shade = "none" if value is None else f"{min(10, math.floor(20.0 * value))}"
    told = "not measured" if value is None else f"{value:.2f}"
    said_ = f"{span(one)}: {told}{', alarm' if alarm else ''}"
    return {"shade": shade, "alarm": alarm, "said": said_, "here": one is at}
