"""Accuracy: what labels say of every window once they have matured, and what is expected of it before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from temper.core.measure import Measurement
from temper.core.outcome import Outcome
from temper.core.requirement import Judgement, Verdict
from temper.core.watch import Seen, Watched
from temper.report._figure import to_decide
from temper.report.watched import span
from temper.web import drawing, feeds, moments
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PATH = "/monitoring/accuracy"
EXPECTED = "cbpe"
USUAL = ("performance.accuracy", "performance.recall", "performance.precision")
"""Figures that are drawn even where nothing is promised of them."""
NAMES = {"performance": "", "cost": "cost: ", "calibration": "calibration: ", "fairness": "fairness: "}
WIDE, HIGH, LEFT, RIGHT, TOP, FOOT = 430.0, 150.0, 50.0, 46.0, 10.0, 24.0
LINES, SLOTS = 12, 8
"""Windows that are told in words, and for how many a picture has room at least, so that few do not lie far apart."""


def show(visit: Visit) -> Response:
    """The whole page."""
    return feeds.page(visit, "accuracy.html", PATH, **_context(visit))


def fragment(visit: Visit) -> Response:
    """The part that changes."""
    return feeds.page(visit, "accuracy_now.html", PATH, **_context(visit))


def _context(visit: Visit) -> dict[str, Any]:
    asked = feeds.asked(visit, PATH)
    outcomes = visit.control.windows.outcomes.page(asked.watching.feed, feeds.MANY) if asked else []
    if asked is None or not outcomes:
        return {"asked": asked, "again": asked.again(PATH) if asked else f"{PATH}/now", "lines": []}
    return {
        "asked": asked,
        "again": asked.again(PATH),
        "lines": [_line(one, visit.now) for one in outcomes[: -LINES - 1 : -1]],
        "more": max(0, len(outcomes) - LINES),
        "pictures": [_picture(name, outcomes, visit.now) for name in _drawn(outcomes)],
        "maturity": _maturity(outcomes, visit.now),
        "blind": _blind(outcomes),
    }


def _drawn(outcomes: Sequence[Outcome]) -> list[str]:
    """What is promised first, then what is usual; a figure that no window has is left out."""
    promised = [judgement.measured for one in outcomes for judgement in one.judgements]
    there = {figure.name for one in outcomes for figure in one.figures}
    there |= {f"performance.{figure.metric}" for one in outcomes for figure in one.figures if figure.plugin == EXPECTED}
    return [name for name in dict.fromkeys([*promised, *USUAL]) if name in there]


def _maturity(outcomes: Sequence[Outcome], now: float) -> dict[str, Any]:
    mature = [one for one in outcomes if _mature(one, now)]
    rows, labelled = (sum(getattr(one, name) for one in mature) for name in ("rows", "labelled"))
    young = [one for one in outcomes if not _mature(one, now)]
    due = min((one.matures for one in young if one.matures is not None), default=math.inf)
    return {
        "share": round(100.0 * labelled / rows, 2) if rows else 0.0,
        "facts": [
            ("Labels", f"{labelled:,} of {rows:,} matured rows" if rows else "no window has matured yet"),
            ("Matured", f"{len(mature)} of {len(outcomes)} windows"),
            ("Next", f"matures {moments.due(due, now)}" if young else "no window waits"),
        ],
    }


def _mature(one: Outcome, now: float) -> bool:
    return one.matures is None or one.matures <= now


def _blind(outcomes: Sequence[Outcome]) -> str:
    """What the estimate itself says that it cannot see."""
    return next((caveat for one in outcomes for m in one.figures if m.plugin == EXPECTED for caveat in m.caveats), "")


def _line(one: Outcome, now: float) -> dict[str, Any]:
    mature = _mature(one, now)
    promises = [_promise(judgement) for judgement in one.judgements]
    return {
        "window": _span(one),
        "state": one.seen.value if mature else "not mature",
        "tone": feeds.TONES[one.seen] if mature else "nothing",
        "rows": f"{one.rows:,}",
        "labelled": drawing.percent(one.labelled / one.rows) if one.rows else "–",
        "share": round(100.0 * one.labelled / one.rows, 2) if one.rows else 0.0,
        "promises": promises,
        "expected": ", ".join(f"{m.metric} {m.value:.3f}" for m in _expected(one)),
        "told": one.told,
        "due": "" if mature or one.matures is None else f"labels count {moments.due(one.matures, now)}",
    }


def _expected(one: Outcome) -> list[Measurement]:
    """The estimates of what is drawn anyway."""
    wanted = {name.partition(".")[2] for name in USUAL}
    return [m for m in one.figures if m.plugin == EXPECTED and m.metric in wanted and m.value is not None]


def _promise(one: Judgement) -> dict[str, Any]:
    wanted = one.requirement
    known = one.value is not None and one.low is not None and one.high is not None
    return {
        "name": _called(one.measured),
        "limit": f"{'at most' if wanted.at_most is not None else 'at least'} {wanted.limit:g}",
        "seen": f"{one.value:.4g} ({one.low:.4g} to {one.high:.4g}) of {one.n:,}" if known else f"of {one.n:,}",
        "verdict": one.verdict.value,
        "tone": one.verdict.value,
        "why": "" if one.verdict is Verdict.PASS else _why(one),
    }


def _why(one: Judgement) -> str:
    return one.explanation + (f"; {to_decide(one)}" if one.needed else "")


def _called(measured: str) -> str:
    """A figure as people call it.

    >>> _called("performance.recall"), _called("cost.per_row")
    ('recall', 'cost: per row')
    """
    plugin, _, metric = measured.partition(".")
    return NAMES.get(plugin, f"{plugin}: ") + metric.replace("_", " ")


def _picture(name: str, outcomes: Sequence[Outcome], now: float) -> dict[str, Any]:
    """A figure over windows: what labels say with its ends, what was expected, and what is promised."""
    seen = [next((m for m in one.figures if m.name == name and m.slice == "all"), None) for one in outcomes]
    stated = [_estimate(one, name) for one in outcomes]
    limit = next((j.requirement.limit for o in reversed(outcomes) for j in o.judgements if j.measured == name), None)
    low, high = _range([*seen, *stated], limit)
    marks = [
        _mark(at, figure, guess, one, (low, high), len(outcomes), now) | {"tone": _tone(one, name)}
        for at, (figure, guess, one) in enumerate(zip(seen, stated, outcomes, strict=True))
    ]
    last = next((m for m in reversed(seen) if m is not None and m.value is not None), None)
    return {
        "name": _called(name),
        "said": _told(last, limit),
        "marks": marks,
        "limit": None if limit is None else _y(limit, low, high),
        "up": [(_y(at, low, high), f"{at:g}") for at in drawing.ticks(low, high, 4)],
        "across": [(_x(at, len(outcomes)), f"{_day(outcomes[at])}") for at in _shown(len(outcomes))],
        "left": LEFT,
        "right": LEFT + WIDE,
        "top": TOP,
        "bottom": TOP + HIGH,
        "width": LEFT + WIDE + RIGHT,
        "height": TOP + HIGH + FOOT,
    }


def _estimate(one: Outcome, name: str) -> Measurement | None:
    plugin, _, metric = name.partition(".")
    found = (m for m in one.figures if m.plugin == EXPECTED and m.metric == metric and m.value is not None)
    return next(found, None) if plugin == "performance" else None


def _range(figures: Sequence[Measurement | None], limit: float | None) -> tuple[float, float]:
    """From the lowest to the highest of what is drawn, with a little room."""
    ends = [end for m in figures if m is not None and m.value is not None for end in (m.low, m.value, m.high)]
    known = [*(end for end in ends if end is not None), *([] if limit is None else [limit])]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = 0.08 * (high - low) or 0.05
    share = all(m is None or m.unit == "share" for m in figures)
    return (max(0.0, low - room), min(1.0, high + room)) if share else (low - room, high + room)


def _mark(
    at: int,
    seen: Measurement | None,
    stated: Measurement | None,
    one: Outcome,
    scale: tuple[float, float],
    many: int,
    now: float,
) -> dict[str, Any]:
    """One window: a dot with its ends, a diamond for what was expected, and whether labels count yet."""
    known = seen is not None and seen.value is not None
    return {
        "x": _x(at, many),
        "wide": round(WIDE / max(many, SLOTS), 2),
        "young": not _mature(one, now),
        "said": f"{_span(one)}: " + (_told(seen, None) if known else "no label counts yet"),
        "dot": _y(seen.value, *scale) if seen is not None and seen.value is not None else None,
        "ends": _interval(seen, scale),
        "diamond": _y(stated.value, *scale) if stated is not None and stated.value is not None else None,
        "guess": _interval(stated, scale),
    }


def _tone(one: Outcome, name: str) -> str:
    """How a figure kept its own promise; plain where nothing is promised of it."""
    return next((j.verdict.value for j in one.judgements if j.measured == name), "plain-tone")


def _interval(figure: Measurement | None, scale: tuple[float, float]) -> tuple[float, float] | None:
    if figure is None or figure.low is None or figure.high is None:
        return None
    return _y(figure.high, *scale), _y(figure.low, *scale)


def _told(figure: Measurement | None, limit: float | None) -> str:
    """A figure with its ends in words."""
    promised = "" if limit is None else f"; promised {limit:g}"
    if figure is None or figure.value is None:
        return f"no label counts yet{promised}"
    ends = f" ({figure.low:.3f} to {figure.high:.3f})" if figure.low is not None and figure.high is not None else ""
    return f"{figure.value:.3f}{ends} of {figure.n:,}{promised}"


def _shown(many: int) -> list[int]:
    """Which windows have their day written below: few enough to be read."""
    step = max(1, math.ceil(many / 4))
    return list(range(many - 1, -1, -step))[::-1]


def _day(one: Outcome) -> str:
    said = _span(one)
    return said[5:10] if len(said) == 10 else said[5:16]


def _span(one: Outcome) -> str:
    return span(Watched(start=one.start, ends=one.ends, rows=one.rows, seen=Seen.NOTHING, tests=0, needed=None))


def _x(at: int, many: int) -> float:
    return round(LEFT + WIDE * (at + 0.5) / max(many, SLOTS), 2)


def _y(value: float, low: float, high: float) -> float:
    return round(TOP + HIGH * (1.0 - (min(max(value, low), high) - low) / (high - low)), 2)
