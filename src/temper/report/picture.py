"""The data-flow picture of a threat model as SVG: trust boundaries as bands, concerns as numbers on their flows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from itertools import pairwise

from temper.core.description import Flow
from temper.core.threat_model import Element, ThreatModel
from temper.kernels.layered import lay_out
from temper.report._inert import inert

Point = tuple[float, float]
HIGH, BETWEEN, EDGE, TOP = 58.0, 124.0, 26.0, 30.0
"""Height of a box, room between bands, room around everything, room for a band's name."""
_WIDE, _LETTER, _SMALL = 132.0, 7.3, 5.9
_TRIES = (0.5, 0.38, 0.62, 0.28, 0.72, 0.18, 0.82)
_KINDS = {"actor": "somebody", "source": "somebody", "interface": "interface", "process": "process", "store": "store"}


@dataclass(slots=True)
class _Sheet:
    """Where boxes lie, and what is taken already by boxes and labels."""

    model: ThreatModel
    at: dict[str, Point] = field(default_factory=dict)
    wide: dict[str, float] = field(default_factory=dict)
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def picture(model: ThreatModel) -> str:
    """Inert markup that reads in light, dark and on paper; its title and description say the same in words."""
    if not model.elements:
        return ""
    sheet, lines = _laid(model)
    body = [*_bands(sheet), *(_box(one, sheet) for one in model.elements), *_flows(sheet, lines)]
    title = f"Data flows of {inert(model.system)} across {len(model.boundaries)} trust boundaries"
    return (
        f'<svg class="flows" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {sheet.width:.0f} {sheet.height:.0f}" '
        f'role="img" aria-labelledby="flows-title flows-desc"><title id="flows-title">{escape(title)}</title>'
        f'<desc id="flows-desc">{escape(_said(model))}</desc>{_ARROWS}{"".join(body)}</svg>'
    )


_ARROWS = (
    '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="head" d="M0 0 10 5 0 10z"/></marker><marker id="arrow-hot" viewBox="0 0 10 10" refX="9" refY="5" '
    'markerWidth="7" markerHeight="7" orient="auto"><path class="head hot" d="M0 0 10 5 0 10z"/></marker></defs>'
)


def standalone(model: ThreatModel) -> str:
    """The picture as a file of its own."""
    return with_style(picture(model), ".flows")


def with_style(markup: str, name: str) -> str:
    """A picture with the part of the page's style that speaks of it: the lines that begin with this class."""
    style = files("temper.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
    colours = style[: style.index("* {")]
    own = "".join(line for line in style.splitlines(keepends=True) if line.startswith(name))
    return markup.replace("<title", f"<style>{colours}{own}</style><title", 1)


def numbers(model: ThreatModel) -> dict[int, tuple[int, ...]]:
    """Which concerns, by their number in the list, travel each flow."""
    return {
        at: tuple(n for n, concern in enumerate(model.concerns, 1) if at in concern.flows)
        for at in range(len(model.flows))
    }


def _said(model: ThreatModel) -> str:
    """The picture in words, flow by flow."""
    on = numbers(model)
    told = [
        f"{flow.source} to {flow.to}: {flow.carries}" + (f" (concerns {', '.join(map(str, on[at]))})" if on[at] else "")
        for at, flow in enumerate(model.flows)
    ]
    return inert(". ".join(told), 8_000)


def _laid(model: ThreatModel) -> tuple[_Sheet, tuple[tuple[tuple[int, float], ...], ...]]:
    sheet, names = _Sheet(model), [one.name for one in model.elements]
    sheet.wide = {one.name: _width(one) for one in model.elements}
    bands = [model.boundaries.index(one.boundary) for one in model.elements]
    joined = [(names.index(flow.source), names.index(flow.to)) for flow in model.flows]
    rooms = [_label_width(flow, ()) + 34 for flow in model.flows]
    laid = lay_out(bands, [sheet.wide[name] for name in names], joined, rooms)
    left = EDGE * 2
    for name, band, x in zip(names, bands, laid.x, strict=True):
        sheet.at[name] = (left + x, _y(band))
        half = sheet.wide[name] / 2
        sheet.taken.append((left + x - half, _y(band) - HIGH / 2, left + x + half, _y(band) + HIGH / 2))
    sheet.width = laid.width + 2 * left
    sheet.height = _y(len(model.boundaries) - 1) + HIGH / 2 + 2 * EDGE
    through = tuple(tuple((band, left + x) for band, x in path) for path in laid.through)
    return sheet, through


def _y(band: int) -> float:
    return EDGE + TOP + HIGH / 2 + band * (HIGH + BETWEEN)


def _width(element: Element) -> float:
    longest = max(len(inert(element.name, 40)) * _LETTER, len(inert(element.told, 40)) * _SMALL)
    return max(_WIDE, longest + 30)


def _bands(sheet: _Sheet) -> Iterator[str]:
    """A dashed line around everything that lies inside one trust boundary."""
    for band, name in enumerate(sheet.model.boundaries):
        top = _y(band) - HIGH / 2 - TOP + 4
        yield (
            f'<rect class="boundary" x="{EDGE:.0f}" y="{top:.1f}" width="{sheet.width - 2 * EDGE:.1f}" '
            f'height="{HIGH + TOP + 8:.1f}" rx="12"/>'
            f'<text class="boundary-name" x="{EDGE + 14:.0f}" y="{top + 17:.1f}">{escape(inert(name, 60))}</text>'
        )
        sheet.taken.append((EDGE, top, EDGE + 30 + len(name) * _LETTER, top + 22))


def _box(element: Element, sheet: _Sheet) -> str:
    x, y = sheet.at[element.name]
    wide, kind = sheet.wide[element.name], _KINDS.get(element.kind, "process")
    left, top = x - wide / 2, y - HIGH / 2
    corner = {"interface": HIGH / 2, "process": HIGH / 2}.get(kind, 3)
    size = f'x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{HIGH:.1f}" rx="{corner:.0f}"'
    shape = f'<rect class="element {kind}" {size}/>'
    if kind == "store":
        shape += (
            f'<path class="rim" d="M{left:.1f} {top + 7:.1f}h{wide:.1f}M{left:.1f} {top + HIGH - 7:.1f}h{wide:.1f}"/>'
        )
    low = y + (5 if not element.told else -3)
    words = f'<text class="element-name" x="{x:.1f}" y="{low:.1f}">{escape(inert(element.name, 40))}</text>'
    if element.told:
        words += f'<text class="told" x="{x:.1f}" y="{y + 15:.1f}">{escape(inert(element.told, 40))}</text>'
    return shape + words


def _flows(sheet: _Sheet, through: Sequence[Sequence[tuple[int, float]]]) -> Iterator[str]:
    """All lines first, then their labels above them."""
    paths = [_path(at, sheet, through[at]) for at in range(len(sheet.model.flows))]
    on = numbers(sheet.model)
    for at, points in enumerate(paths):
        hot = " hot" if on[at] else ""
        yield f'<path class="flow{hot}" d="{_curve(points)}" marker-end="url(#arrow{"-hot" if hot else ""})"/>'
    for at, points in enumerate(paths):
        yield _label(sheet, at, points, on[at])


def _path(at: int, sheet: _Sheet, through: Sequence[tuple[int, float]]) -> list[Point]:
    flow = sheet.model.flows[at]
    (x0, y0), (x1, y1) = sheet.at[flow.source], sheet.at[flow.to]
    if y0 == y1:
        return _beside(at, sheet)
    down = 1 if y1 > y0 else -1
    middle = [(x, _y(band) + side * (HIGH / 2 + 8)) for band, x in through for side in (-down, down)]
    toward = [middle[0][0] if middle else x1, middle[-1][0] if middle else x0]
    start = (_port(at, flow.source, toward[0], down, sheet), y0 + down * HIGH / 2)
    end = (_port(at, flow.to, toward[1], -down, sheet), y1 - down * HIGH / 2)
    return [start, *middle, end]


def _beside(at: int, sheet: _Sheet) -> list[Point]:
    """Two boxes of one band: straight where they are neighbours, else below what lies between."""
    flow, y = sheet.model.flows[at], sheet.at[sheet.model.flows[at].source][1]
    (x0, _), (x1, _) = sheet.at[flow.source], sheet.at[flow.to]
    right = 1 if x1 > x0 else -1
    between = [n for n, (x, other) in sheet.at.items() if other == y and min(x0, x1) < x < max(x0, x1)]
    if between:
        low = y + HIGH / 2
        return [(x0, low), (x0 + right * 30, low + 34), (x1 - right * 30, low + 34), (x1, low)]
    twins = [n for n, one in enumerate(sheet.model.flows) if {one.source, one.to} == {flow.source, flow.to}]
    shift = (twins.index(at) - (len(twins) - 1) / 2) * 36
    return [(x0 + right * sheet.wide[flow.source] / 2, y + shift), (x1 - right * sheet.wide[flow.to] / 2, y + shift)]


def _port(at: int, name: str, toward: float, down: int, sheet: _Sheet) -> float:
    """Where on its side a line leaves a box: all lines of that side spread out, in the order of where they go."""
    y, level = sheet.at[name][1], []
    for other, flow in enumerate(sheet.model.flows):
        if name not in (flow.source, flow.to):
            continue
        far_x, far_y = sheet.at[flow.to if flow.source == name else flow.source]
        if far_y != y and (1 if far_y > y else -1) == down:
            level.append((far_x, other))
    place = [other for _, other in sorted(level)].index(at)
    room = sheet.wide[name] * 0.78
    return sheet.at[name][0] - room / 2 + room * (place + 0.5) / len(level)


def _curve(points: Sequence[Point]) -> str:
    """Straight between neighbours of a band, else leaving and reaching every band upright."""
    told = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    if points[0][1] == points[-1][1]:
        return told + "".join(f"L{x:.1f} {y:.1f}" for x, y in points[1:])
    for (x0, y0), (x1, y1) in pairwise(points):
        bend = (y1 - y0) * 0.45
        told += f"C{x0:.1f} {y0 + bend:.1f} {x1:.1f} {y1 - bend:.1f} {x1:.1f} {y1:.1f}"
    return told


def _label(sheet: _Sheet, at: int, points: Sequence[Point], on: Sequence[int]) -> str:
    """What flows and which concerns travel there, where nothing lies yet."""
    flow = sheet.model.flows[at]
    words, marks = _words(flow), " ".join(map(str, on))
    wide, high = _label_width(flow, on), 30.0 if marks else 15.0
    x, y = _free(sheet, _longest(points), wide, high)
    sheet.taken.append((x - wide / 2, y - high / 2, x + wide / 2, y + high / 2))
    top = y - high / 2
    told = f'<text class="carries" x="{x:.1f}" y="{top + 11:.1f}">{escape(words)}</text>'
    if marks:
        chip = len(marks) * 6.6 + 12
        told += (
            f'<rect class="chip" x="{x - chip / 2:.1f}" y="{top + 15:.1f}" width="{chip:.1f}" height="15" rx="7.5"/>'
            f'<text class="chip-text" x="{x:.1f}" y="{top + 26:.1f}">{marks}</text>'
        )
    return told


def _words(flow: Flow) -> str:
    return inert(flow.carries + (f" ({flow.told})" if flow.told else ""), 34)


def _label_width(flow: Flow, on: Sequence[int]) -> float:
    return max(len(_words(flow)) * _SMALL, len(" ".join(map(str, on))) * 6.6 + 12) + 6


def _longest(points: Sequence[Point]) -> tuple[Point, Point]:
    pairs = list(pairwise(points))
    return max(pairs, key=lambda pair: abs(pair[1][0] - pair[0][0]) + abs(pair[1][1] - pair[0][1]))


def _free(sheet: _Sheet, line: tuple[Point, Point], wide: float, high: float) -> Point:
    """A place on the line that no box and no label has; the middle where there is none."""
    (x0, y0), (x1, y1) = line
    for share in _TRIES:
        bend = share * share * (3 - 2 * share) if y0 != y1 else share  # the curve leaves and arrives upright
        x, y = x0 + (x1 - x0) * bend, y0 + (y1 - y0) * share
        left, top, right, bottom = x - wide / 2, y - high / 2, x + wide / 2, y + high / 2
        if not any(left < x3 and right > x2 and top < y3 and bottom > y2 for x2, y2, x3, y3 in sheet.taken):
            return x, y
    return (x0 + x1) / 2, (y0 + y1) / 2
