"""An assurance case as a picture: goals, strategies and what stands beside them, from left to right; solutions as circles.

Shapes are those of the GSN Community Standard 3: rectangles are goals, parallelograms strategies, circles solutions,
rounded ones contexts, ovals assumptions (A) and justifications (J), a diamond marks what is undeveloped.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from temper.core.assurance import Case, Kind, Node, State
from temper.kernels.layered import lay_out
from temper.report._inert import inert
from temper.report.picture import with_style

WIDE, GAP, EDGE, LINE, PAD = 262.0, 66.0, 22.0, 15.5, 11.0
"""Width of a box, room between columns, room around everything, height of a line, room inside a box."""
_LETTERS, _LINES = 38, 4
_ROUND, _ROW, _TIGHT = 11.0, 30.0, 24.0
"""Radius of a solution, height of a row of them, what the layout leaves too much between two boxes."""
_PER_ROW = 8
_SLANT = 12.0
_CLASS = {State.SUPPORTED: "held", State.DEFEATED: "open", State.UNDEVELOPED: "bare"}
_MARKS = {State.SUPPORTED: "✓", State.DEFEATED: "✗", State.UNDEVELOPED: "◇"}


@dataclass(slots=True)
class _Sheet:
    """What is drawn, by column, and where the middle of each box lies."""

    case: Case
    column: dict[str, int] = field(default_factory=dict)
    lines: list[tuple[str, str, bool]] = field(default_factory=list)
    at: dict[str, tuple[float, float]] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0


def picture(case: Case) -> str:
    """Inert markup that reads in light, dark and on paper; its title and description say the same in words."""
    sheet = _laid(case)
    drawn = [case.by_id[id] for id in sheet.at]
    body = [*_lines(sheet), *(part for node in drawn for part in _box(node, sheet))]
    open_ = len(case.goals(State.DEFEATED)) + len(case.goals(State.UNDEVELOPED))
    title = f"Assurance case of {inert(case.system)}: {open_} of {_goals(case)} claims are not supported"
    return (
        f'<svg class="gsn" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {sheet.width:.0f} {sheet.height:.0f}" '
        f'role="img" aria-labelledby="gsn-title gsn-desc"><title id="gsn-title">{escape(title)}</title>'
        f'<desc id="gsn-desc">{escape(_said(case))}</desc>{_ARROWS}{"".join(body)}</svg>'
    )


_ARROWS = (
    '<defs><marker id="gsn-full" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="tip" d="M0 0 10 5 0 10z"/></marker><marker id="gsn-hollow" viewBox="0 0 10 10" refX="9" refY="5" '
    'markerWidth="7" markerHeight="7" orient="auto"><path class="tip hollow" d="M1 1 9 5 1 9z"/></marker></defs>'
)


def standalone(case: Case) -> str:
    """The picture as a file of its own."""
    return with_style(picture(case), ".gsn")


def _goals(case: Case) -> int:
    return sum(node.kind is Kind.GOAL for node in case.nodes)


def _said(case: Case) -> str:
    """The picture in words, goal by goal."""
    goals = (node for node in case.nodes if node.kind is Kind.GOAL)
    return inert(". ".join(f"{node.id} {case.state(node.id)}: {node.text}" for node in goals), 8_000)


def _laid(case: Case) -> _Sheet:
    sheet = _Sheet(case)
    _place(case.top, 0, sheet)
    ids = list(sheet.column)
    heights = [_high(case.by_id[id], case) - _TIGHT for id in ids]
    joined = [(ids.index(start), ids.index(end)) for start, end, _ in sheet.lines]
    laid = lay_out([sheet.column[id] for id in ids], heights, joined)
    for id, y in zip(ids, laid.x, strict=True):
        sheet.at[id] = (EDGE + sheet.column[id] * (WIDE + GAP) + WIDE / 2, EDGE + _TIGHT / 2 + y)
    sheet.width = 2 * EDGE + max(sheet.column.values()) * (WIDE + GAP) + WIDE
    sheet.height = max(y + _high(case.by_id[id], case) / 2 for id, (_, y) in sheet.at.items()) + EDGE
    return sheet


def _place(node: Node, column: int, sheet: _Sheet) -> None:
    """A goal and what stands beside it share a column with its strategy; what the strategy leads to is in the next."""
    if node.id in sheet.column:
        return
    sheet.column[node.id] = column
    under = [one for id in node.under if (one := sheet.case.by_id[id]).kind is not Kind.SOLUTION]
    for one in (*under, *(sheet.case.by_id[id] for id in node.beside)):
        same = node.kind is Kind.GOAL and one.kind is not Kind.GOAL
        sheet.lines.append((node.id, one.id, one.id in node.beside))
        _place(one, column if same else column + 1, sheet)


def _words(node: Node) -> list[str]:
    return textwrap.wrap(inert(f"{node.id}  {node.text}"), _LETTERS, max_lines=_LINES, placeholder=" …")


def _solutions(node: Node, case: Case) -> list[Node]:
    return [one for id in node.under if (one := case.by_id[id]).kind is Kind.SOLUTION]


def _body(node: Node) -> float:
    """Height of the box itself."""
    return len(_words(node)) * LINE + 2 * PAD


def _high(node: Node, case: Case) -> float:
    """Height of a box with the solutions that hang below it."""
    rows = -(-len(_solutions(node, case)) // _PER_ROW)
    return _body(node) + rows * _ROW


def _lines(sheet: _Sheet) -> Iterator[str]:
    for start, end, beside in sheet.lines:
        (x0, y0), (x1, y1) = (_middle(id, sheet) for id in (start, end))
        tip = "gsn-hollow" if beside else "gsn-full"
        if x0 == x1:
            side = 1 if y1 > y0 else -1
            x = x0 - WIDE / 2
            path = f"M{x:.1f} {y0:.1f}h-9V{y1:.1f}h9" if not _next(start, end, sheet) else (
                f"M{x0:.1f} {y0 + side * _body(sheet.case.by_id[start]) / 2:.1f}"
                f"V{y1 - side * _body(sheet.case.by_id[end]) / 2:.1f}"
            )  # fmt: skip
        else:
            left, right = x0 + WIDE / 2, x1 - WIDE / 2
            bend = (right - left) * 0.55
            path = f"M{left:.1f} {y0:.1f}C{left + bend:.1f} {y0:.1f} {right - bend:.1f} {y1:.1f} {right:.1f} {y1:.1f}"
        yield f'<path class="join" d="{path}" marker-end="url(#{tip})"/>'


def _next(start: str, end: str, sheet: _Sheet) -> bool:
    """Whether nothing lies between two boxes of a column, and no solutions hang in the way."""
    (x, y0), (_, y1) = sheet.at[start], sheet.at[end]
    between = [id for id, (other, y) in sheet.at.items() if other == x and min(y0, y1) < y < max(y0, y1)]
    return not between and not _solutions(sheet.case.by_id[start if y1 > y0 else end], sheet.case)


def _middle(id: str, sheet: _Sheet) -> tuple[float, float]:
    """The middle of the box itself, without what hangs below it."""
    x, y = sheet.at[id]
    node = sheet.case.by_id[id]
    return x, y - (_high(node, sheet.case) - _body(node)) / 2


def _box(node: Node, sheet: _Sheet) -> Iterator[str]:
    x, y = _middle(node.id, sheet)
    high, state = _body(node), sheet.case.state(node.id)
    left, top = x - WIDE / 2, y - high / 2
    yield f'<g class="{node.kind} {_CLASS[state]}">{_shape(node.kind, left, top, high)}'
    for at, line in enumerate(_words(node)):
        yield f'<text x="{left + 20:.1f}" y="{top + PAD + 11.5 + at * LINE:.1f}">{_bold(line, node.id if not at else "")}</text>'
    letter = {Kind.ASSUMPTION: "A", Kind.JUSTIFICATION: "J"}.get(node.kind, "")
    if letter:
        yield f'<text class="letter" x="{left + WIDE - 6:.1f}" y="{top + high + 4:.1f}">{letter}</text>'
    if node.kind is Kind.GOAL:
        yield _chip(left + WIDE - 13, top, state)
        if state is State.UNDEVELOPED and not node.under:
            yield f'<path class="diamond" d="M{x:.1f} {top + high:.1f}l7 8-7 8-7-8z"/>'
    yield "</g>"
    yield from _circles(node, sheet.case, left, top + high)


def _bold(line: str, id: str) -> str:
    """The id stands out in the first line."""
    return f"<tspan>{escape(id)}</tspan>{escape(line.removeprefix(id))}" if id else escape(line)


def _shape(kind: Kind, left: float, top: float, high: float) -> str:
    if kind is Kind.STRATEGY:
        return f'<path class="shape" d="M{left + _SLANT:.1f} {top:.1f}h{WIDE - _SLANT:.1f}l-{_SLANT:.0f} {high:.1f}h-{WIDE - _SLANT:.1f}z"/>'
    corner = {Kind.GOAL: 2.0, Kind.CONTEXT: 14.0}.get(kind, high / 2)
    return f'<rect class="shape" x="{left:.1f}" y="{top:.1f}" width="{WIDE:.0f}" height="{high:.1f}" rx="{corner:.1f}"/>'


def _chip(x: float, y: float, state: State) -> str:
    return (
        f'<circle class="stamp" cx="{x:.1f}" cy="{y:.1f}" r="9"/>'
        f'<text class="mark" x="{x:.1f}" y="{y + 4:.1f}">{_MARKS[state]}</text>'
    )


def _circles(node: Node, case: Case, left: float, top: float) -> Iterator[str]:
    """The solutions of a goal in rows below its box, each with what it says on pointing at it."""
    for at, one in enumerate(_solutions(node, case)):
        x = left + 18 + (at % _PER_ROW) * (WIDE - 36) / (_PER_ROW - 1)
        y = top + 5 + _ROUND + (at // _PER_ROW) * _ROW
        yield (
            f'<g class="solution {_CLASS[case.state(one.id)]}"><title>{escape(inert(f"{one.id} {one.text}", 300))}</title>'
            f'<circle class="shape" cx="{x:.1f}" cy="{y:.1f}" r="{_ROUND:.0f}"/>'
            f'<text x="{x:.1f}" y="{y + 3.2:.1f}">{escape(one.id.removeprefix("Sn"))}</text></g>'
        )
