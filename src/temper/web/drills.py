"""Drills on the dashboard: who answered in each short time, drawn as it happens, and what came of those before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from temper.core.drill import Drill, Turn
from temper.core.errors import TemperError
from temper.web import moments
from temper.web.drawing import ticks
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

WIDE, HIGH, LEFT, TOP, FOOT = 960.0, 190.0, 46.0, 30.0, 26.0
"""Of the drawing, in its own units: the plot, and what lies left of it, above and below."""
EARLIER = 8
TURNS = {
    Turn.FAULT: "the fault begins",
    Turn.OTHER: "the first answer by the fallback",
    Turn.OPEN: "the breaker is seen open",
    Turn.BACK: "the fault is over",
    Turn.CLOSED: "the breaker is seen closed",
    Turn.FULL: "full quality for everybody again",
}


def fragment(visit: Visit) -> Response:
    """The latest drill and those before, asked for every second."""
    return visit.page("drill.html", **panel(visit))


def show(visit: Visit) -> Response:
    """One drill of the past."""
    number = int(visit.request.path_params["id"])
    try:
        found = visit.control.drills.get(number) if number < 2**63 else None
    except TemperError as error:
        if type(error) is not TemperError:
            raise
        found = None
    if found is None:
        raise Refused(404, "No such drill", "There is none with this number.")
    return visit.page("drills.html", drill=drawn(found, visit.now), earlier=[])


def panel(visit: Visit) -> dict[str, Any]:
    """What the dashboard's panel shows."""
    latest = visit.control.drills.page(limit=EARLIER)
    drill = visit.control.drills.get(latest[0].id) if latest else None
    return {
        "drill": None if drill is None else drawn(drill, visit.now),
        "earlier": [_line(one, visit.now) for one in latest[1:]],
        "mean": _mean(latest),
    }


def _mean(drills: Sequence[Drill]) -> str:
    """Mean times to detect and to restore, over those that came so far."""
    told = []
    for word, end in (("detect", Turn.OPEN), ("restore", Turn.FULL)):
        times = [one for drill in drills if (one := drill.between(Turn.FAULT, end)) is not None]
        if times:
            told.append(f"to {word} {_span(sum(times) / len(times))} ({len(times)})")
    return f"Mean time {', '.join(told)}" if told else ""


def drawn(drill: Drill, now: float) -> dict[str, Any]:
    """A drill as its page draws it."""
    length = max(drill.seconds, len(drill.slots) * drill.width)
    most = _round(max((one.full + one.other + one.failed for one in drill.slots), default=0) / drill.width)
    return {
        **_line(drill, now),
        "bars": list(_bars(drill, length, most)),
        "away": _away(drill, length),
        "marks": list(_marks(drill, length)),
        "across": [(_x(at, length), f"{at:g} s") for at in ticks(0.0, length, 8)],
        "up": [(_y(at, most), f"{at:g}") for at in ticks(0.0, most, 3)],
        "width": WIDE + LEFT + 14,
        "height": HIGH + TOP + FOOT,
        "left": LEFT,
        "top": TOP,
        "right": LEFT + WIDE,
        "bottom": TOP + HIGH,
        "figures": list(_figures(drill)),
        "said": _said(drill),
    }


def _line(drill: Drill, now: float) -> dict[str, Any]:
    running = drill.running(now)
    verdict = "running" if running else {True: "held", False: "not held", None: "interrupted"}[drill.held]
    return {
        "id": drill.id,
        "name": drill.name,
        "fault": drill.fault,
        "by": drill.by,
        "started": moments.clock(drill.started),
        "running": running,
        "verdict": verdict,
        "tone": {"running": "state-claimed", "held": "pass", "not held": "fail", "interrupted": "fail"}[verdict],
        "remains": max(0.0, drill.started + drill.seconds - now),
        "failed": f"{drill.figures['failed']:,}" if "failed" in drill.figures else "",
        "detected": _span(drill.between(Turn.FAULT, Turn.OPEN)),
        "restored": _span(drill.between(Turn.FAULT, Turn.FULL)),
    }


def _bars(drill: Drill, length: float, most: float) -> Iterator[dict[str, Any]]:
    """One stack for each slot: the model below, the fallback on it, failures on top."""
    for slot in drill.slots:
        x, end = _x(slot.at * drill.width, length), _x((slot.at + 1) * drill.width, length)
        below = 0.0
        for kind, many in (("full", slot.full), ("other", slot.other), ("failed", slot.failed)):
            if many:
                y, foot = _y((below + many) / drill.width, most), _y(below / drill.width, most)
                yield {"kind": kind, "x": x, "y": y, "wide": round(end - x, 2), "high": round(foot - y, 2)}
                below += many


def _away(drill: Drill, length: float) -> tuple[float, float] | None:
    """From where to where the model was away, as far as it is drawn."""
    if Turn.FAULT not in drill.turns:
        return None
    end = drill.turns.get(Turn.BACK, len(drill.slots) * drill.width)
    x = _x(drill.turns[Turn.FAULT], length)
    return x, max(0.0, round(_x(end, length) - x, 2))


def _marks(drill: Drill, length: float) -> Iterator[dict[str, Any]]:
    """Turns by number, those that come close together side by side."""
    before, turns = -math.inf, sorted(drill.turns.items(), key=lambda one: one[1])
    numbers = {turn: number for number, (turn, _) in enumerate(turns, start=1)}
    for turn, at in turns:
        x = _x(at, length)
        before = max(x, before + 22.0)
        yield {
            "number": numbers[turn],
            "x": x,
            "label": round(before, 2),
            "at": f"{at:.2f} s",
            "what": TURNS[turn],
            "after": _after(drill, turn, numbers),
        }


def _after(drill: Drill, turn: Turn, numbers: Mapping[Turn, int]) -> str:
    since = {Turn.OTHER: Turn.FAULT, Turn.OPEN: Turn.FAULT, Turn.CLOSED: Turn.BACK, Turn.FULL: Turn.BACK}.get(turn)
    if since is None or since not in numbers:
        return ""
    return f"{_span(drill.between(since, turn))} after {numbers[since]}"


def _figures(drill: Drill) -> Iterator[tuple[str, str]]:
    """What one wants to know of it, so far."""
    answered = sum(one.full + one.other for one in drill.slots)
    other, failed = sum(one.other for one in drill.slots), sum(one.failed for one in drill.slots)
    yield "answered", f"{answered:,}"
    yield "by the fallback", f"{other:,}"
    yield "failed", f"{drill.figures.get('failed', failed):,}"
    yield "time to detect", _span(drill.between(Turn.FAULT, Turn.OPEN))
    yield "to the first fallback", _span(drill.between(Turn.FAULT, Turn.OTHER))
    yield "time to restore", _span(drill.between(Turn.FAULT, Turn.FULL))
    yield "since the model was back", _span(drill.between(Turn.BACK, Turn.FULL))


def _said(drill: Drill) -> str:
    """The drawing in a sentence, for whoever does not see it."""
    other, failed = sum(one.other for one in drill.slots), sum(one.failed for one in drill.slots)
    return f"Answers over {drill.seconds:g} seconds: {other:,} by the fallback, {failed:,} failed."


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{1e3 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _x(at: float, length: float) -> float:
    return round(LEFT + WIDE * at / length, 2) if length else LEFT


def _y(rate: float, most: float) -> float:
    return round(TOP + HIGH * (1.0 - rate / most), 2) if most else TOP + HIGH


def _round(most: float) -> float:
    """A round number at or above this one, with a little room."""
    if not most > 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(most))
    return next(size * one for one in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12) if size * one >= 1.05 * most)
