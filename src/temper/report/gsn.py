"""An assurance case as a picture, from left to right: goals, strategies, what stands beside them, solutions as circles.

Shapes are those of the GSN Community Standard 3: rectangles are goals, parallelograms strategies, circles solutions,
rounded ones contexts, ovals assumptions (A) and justifications (J), a diamond marks what is undeveloped.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from temper.core.assurance import Case, Kind, Node, State
from temper.kernels.layered import lay_out
from temper.report._inert import inert
from temper.report.picture import with_style

WIDE, GAP, EDGE, LINE, PAD = 262.0, 66.0, 22.0, 15.5, 11.0
"""Width of a box, room between columns, room around everything, height of a line, room inside a box."""
_LETTERS, _LINES = 34, 5
_ROUND, _ROW, _TIGHT, _DROP = 11.0, 30.0, 24.0, 22.0
"""Radius of a solution, height of a row of them, what the layout leaves too much between two boxes, room between a goal
and its strategy.
"""
_PER_ROW, _DIAMOND = 8, 18.0
_SLANT = 12.0
_CLASS = {State.SUPPORTED: "held", State.DEFEATED: "open", State.UNDEVELOPED: "bare"}
_SIGNED = {Kind.ASSUMPTION: "A", Kind.JUSTIFICATION: "J"}
_MARKS = {State.SUPPORTED: "✓", State.DEFEATED: "✗", State.UNDEVELOPED: "◇"}


@dataclass(slots=True)
class _Sheet:
    """What is drawn, by column, and where the middle of each box lies."""

    case: Case
    column: dict[str, int] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)
    at: dict[str, tuple[float, float]] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0


def picture(case: Case) -> str:
    """Inert markup that reads in light, dark and on paper; its title and description say the same in words."""
    sheet = _laid(case)
    drawn = [case.by_id[id] for id in sheet.at]
    body = [*_lines(sheet)]
    for node in drawn:
        body += [part for one, top in _tops(node, sheet) for part in _box(one, top, sheet, sheet.at[node.id][0])]
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
    joined = [(ids.index(start), ids.index(end)) for start, end in sheet.lines]
    laid = lay_out([sheet.column[id] for id in ids], heights, joined)
    for id, y in zip(ids, laid.x, strict=True):
        sheet.at[id] = (EDGE + sheet.column[id] * (WIDE + GAP) + WIDE / 2, EDGE + _TIGHT / 2 + y)
    sheet.width = 2 * EDGE + max(sheet.column.values()) * (WIDE + GAP) + WIDE
    sheet.height = max(y + _high(case.by_id[id], case) / 2 for id, (_, y) in sheet.at.items()) + EDGE
    return sheet


def _place(node: Node, column: int, sheet: _Sheet) -> None:
    """Each goal in a column with its strategy right below it; what that leads to, and what stands beside it, in the
    next. What stands beside the whole shares the first column.
    """
    if node.id in sheet.column:
        return
    sheet.column[node.id] = column
    for one in (sheet.case.by_id[id] for id in node.beside):
        sheet.lines.append((node.id, one.id))
        _place(one, column + (column > 0), sheet)
    for leader in (node, *_strategies(node, sheet.case)):
        for one in (sheet.case.by_id[id] for id in leader.under):
            if one.kind is Kind.GOAL:
                sheet.lines.append((node.id, one.id))
                _place(one, column + 1, sheet)


def _strategies(node: Node, case: Case) -> list[Node]:
    return [one for id in node.under if (one := case.by_id[id]).kind is Kind.STRATEGY]


def _words(node: Node) -> list[str]:
    return textwrap.wrap(inert(f"{node.id}  {node.text}"), _LETTERS, max_lines=_LINES, placeholder=" …")


def _solutions(node: Node, case: Case) -> list[Node]:
    return [one for id in node.under if (one := case.by_id[id]).kind is Kind.SOLUTION]


def _body(node: Node) -> float:
    """Height of the box itself."""
    return len(_words(node)) * LINE + 2 * PAD


def _hung(node: Node, case: Case) -> float:
    """Height of a box with the solutions, or the diamond of a claim without any, that hang below it."""
    bare = _DIAMOND if node.kind is Kind.GOAL and not node.under else 0.0
    return _body(node) - (-len(_solutions(node, case)) // _PER_ROW) * _ROW + bare


def _high(node: Node, case: Case) -> float:
    """Height of a goal with everything that hangs below it, its strategies among that."""
    return _hung(node, case) + sum(_DROP + _hung(one, case) for one in _strategies(node, case))


def _tops(node: Node, sheet: _Sheet) -> Iterator[tuple[Node, float]]:
    """A node and its strategies, each with the upper edge of its box."""
    top = sheet.at[node.id][1] - _high(node, sheet.case) / 2
    for one in (node, *_strategies(node, sheet.case)):
        yield one, top
        top += _hung(one, sheet.case) + _DROP


def _lines(sheet: _Sheet) -> Iterator[str]:
    for start, end in sheet.lines:
        first, other = sheet.case.by_id[start], sheet.case.by_id[end]
        beside = other.kind is not Kind.GOAL
        from_, top = [*_tops(first, sheet)][0 if beside else -1]
        x0, y0 = sheet.at[start][0], top + _body(from_) / 2
        x1, y1 = sheet.at[end][0], next(_tops(other, sheet))[1] + _body(other) / 2
        yield _join(x0, y0, x1, y1, "gsn-hollow" if beside else "gsn-full")
    for id in sheet.at:
        for (goal, top), (_, below) in pairwise(_tops(sheet.case.by_id[id], sheet)):
            yield _arrow(f"M{sheet.at[id][0]:.1f} {top + _body(goal):.1f}V{below:.1f}", "gsn-full")


def _join(x0: float, y0: float, x1: float, y1: float, tip: str) -> str:
    """A line to the next column, or around the left of the same one."""
    if x0 == x1:
        return _arrow(f"M{x0 - WIDE / 2:.1f} {y0:.1f}h-9V{y1:.1f}h9", tip)
    left, right = x0 + WIDE / 2, x1 - WIDE / 2
    bend = (right - left) * 0.55
    return _arrow(
        f"M{left:.1f} {y0:.1f}C{left + bend:.1f} {y0:.1f} {right - bend:.1f} {y1:.1f} {right:.1f} {y1:.1f}", tip
    )


def _arrow(path: str, tip: str) -> str:
    return f'<path class="join" d="{path}" marker-end="url(#{tip})"/>'


def _box(node: Node, top: float, sheet: _Sheet, x: float) -> Iterator[str]:
    high, state, left = _body(node), sheet.case.state(node.id), x - WIDE / 2
    yield f'<g class="{node.kind} {_CLASS[state]}">{_shape(node.kind, left, top, high)}'
    for at, line in enumerate(_words(node)):
        place = f'x="{left + 20:.1f}" y="{top + PAD + 11.5 + at * LINE:.1f}"'
        yield f"<text {place}>{_bold(line, '' if at else node.id)}</text>"
    if node.kind in _SIGNED:
        yield f'<text class="letter" x="{left + WIDE - 6:.1f}" y="{top + high + 4:.1f}">{_SIGNED[node.kind]}</text>'
    if node.kind is Kind.GOAL:
        yield _chip(left + WIDE - 13, top, state)
        if not node.under:
            yield f'<path class="diamond" d="M{x:.1f} {top + high:.1f}l7 8-7 8-7-8z"/>'
    yield "</g>"
    yield from _circles(node, sheet.case, left, top + high)


def _bold(line: str, id: str) -> str:
    """The id stands out in the first line."""
    return f"<tspan>{escape(id)}</tspan>{escape(line.removeprefix(id))}" if id else escape(line)


def _shape(kind: Kind, left: float, top: float, high: float) -> str:
    if kind is Kind.STRATEGY:
        long = WIDE - _SLANT
        path = f"M{left + _SLANT:.1f} {top:.1f}h{long:.1f}l-{_SLANT:.0f} {high:.1f}h-{long:.1f}z"
        return f'<path class="shape" d="{path}"/>'
    corner = {Kind.GOAL: 2.0, Kind.CONTEXT: 14.0}.get(kind, high / 2)
    place = f'x="{left:.1f}" y="{top:.1f}" width="{WIDE:.0f}" height="{high:.1f}"'
    return f'<rect class="shape" {place} rx="{corner:.1f}"/>'


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
        told = escape(inert(f"{one.id} {one.text}", 300))
        yield (
            f'<g class="solution {_CLASS[case.state(one.id)]}"><title>{told}</title>'
            f'<circle class="shape" cx="{x:.1f}" cy="{y:.1f}" r="{_ROUND:.0f}"/>'
            f'<text x="{x:.1f}" y="{y + 3.2:.1f}">{escape(one.id.removeprefix("Sn"))}</text></g>'
        )
