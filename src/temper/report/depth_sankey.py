"""Where traffic ends on its way through layers, as a picture: what each stops leaves the stream, the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from temper.core.depth import Depth, Flow
from temper.core.layers import PEOPLE
from temper.report._figure import percent
from temper.report._inert import inert
from temper.report.charts import BAD, GOOD, INK, MUTED, SERIES, Chart

_WIDE, _HIGH, _TOP, _LEFT, _RIGHT, _LOW = 1_000.0, 110.0, 58.0, 110.0, 130.0, 74.0
_LEAST = 0.0005
"""A share below which nothing is drawn."""
ASKED = SERIES[4]
_MOST = 12
"""Gates that have room; of more those at which least leaves are drawn as one."""


def sankey(depth: Depth, flow: Flow, *, harmless: bool) -> Chart:
    """One kind of traffic from left to right. Of attacks what is stopped is good and what gets through is bad; of
    honest requests the other way round.
    """
    of = "Each request counts alike." if harmless else "By worth, each actor once."
    size = f'viewBox="0 0 {_WIDE:.0f} {_TOP + _HIGH + _LOW:.0f}" style="max-width:{_WIDE:.0f}px"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif" font-size="13">'
    title = f"<title>{escape('; '.join(_said(depth, flow)))}</title>"
    return Chart(
        title=f"{flow.name[:1].upper()}{flow.name[1:]}: {_told(flow.through)} get through",
        caption=f"{of} n = {flow.n:,}. Of several layers that would stop a request the first one does."
        f"{_left_out(depth)}",
        svg=f"{head}{title}{''.join(_parts(depth, flow, harmless=harmless))}</svg>",
    )


def _left_out(depth: Depth) -> str:
    return " Layers at which least leaves are one, the others." if len(depth.layers) > _MOST else ""


def _said(depth: Depth, flow: Flow) -> Iterator[str]:
    """The picture in words."""
    for name, stopped, asked in zip(_names(depth), flow.stopped, flow.asked, strict=True):
        if stopped >= _LEAST:
            yield f"{name} stops {_told(stopped)}"
        if asked >= _LEAST:
            yield f"people have {_told(asked)}" if name == PEOPLE else f"{name} hands {_told(asked)} to people"
    yield f"{_told(flow.through)} get through"


def _told(share: float) -> str:
    return percent(round(share, 3))


def _names(depth: Depth) -> list[str]:
    return [inert(one.name, 24) for one in depth.layers]


def _gates(depth: Depth, flow: Flow) -> list[tuple[str, float, float]]:
    """The layers with what leaves at each; of very many those at which most does, and the others as one behind them."""
    every = list(zip(_names(depth), flow.stopped, flow.asked, strict=True))
    if len(every) <= _MOST:
        return every
    most = sorted(range(len(every)), key=lambda at: -sum(every[at][1:]))[: _MOST - 1]
    rest = [one for at, one in enumerate(every) if at not in most]
    return [every[at] for at in sorted(most)] + [("others", sum(one[1] for one in rest), sum(one[2] for one in rest))]


def _parts(depth: Depth, flow: Flow, *, harmless: bool) -> Iterator[str]:
    gates = _gates(depth, flow)
    step = (_WIDE - _LEFT - _RIGHT) / len(gates)
    through, stops = (GOOD, BAD) if harmless else (BAD, GOOD)
    left, end = 1.0, _WIDE - _RIGHT
    yield from _words(8, "honest" if harmless else "attacks", f"{flow.n:,} sent", INK)
    for at, (name, stopped, asked) in enumerate(gates):
        x = _LEFT + at * step
        yield _band(x - step if at else 80.0, x, left)
        yield _gate(x, name)
        word = "recognised" if name == PEOPLE and not harmless else "to people"
        ways = ((stopped, stops, 0.0, "stopped"), (asked, ASKED, float(stopped >= _LEAST), word))
        for share, colour, side, what in ways:
            if share >= _LEAST:
                left -= share
                yield _leaving(x, left, share, colour, side, what)
    yield _band(end - step, end, left, through if left >= _LEAST else MUTED)
    yield from _words(end + 8, _told(flow.through), "get through", through)


def _words(x: float, first: str, second: str, colour: str) -> Iterator[str]:
    """A figure above what it is."""
    yield _text(x, _TOP + 18, first, colour, "start", bold=True)
    yield _text(x, _TOP + 36, second, MUTED, "start")


def _band(x0: float, x1: float, share: float, colour: str = MUTED) -> str:
    high = max(share * _HIGH, 0.0)
    opacity = "0.75" if colour != MUTED else "0.35"
    place = f'x="{x0:.1f}" y="{_TOP:.1f}" width="{x1 - x0:.1f}" height="{high:.2f}"'
    return f'<rect {place} fill="{colour}" fill-opacity="{opacity}"/>'


def _gate(x: float, name: str) -> str:
    line = f'<path d="M{x:.1f} {_TOP - 8:.1f}V{_TOP + _HIGH + 6:.1f}" stroke="{INK}" stroke-width="2" fill="none"/>'
    return line + _text(x, _TOP - 16, name, INK, "middle", bold=True)


def _leaving(x: float, left: float, share: float, colour: str, side: float, word: str) -> str:
    """What leaves the stream at a gate bends down to what became of it."""
    top, thick = _TOP + left * _HIGH, max(share * _HIGH, 1.0)
    out, low = x + 10 + 62 * side, _TOP + _HIGH + 16.0
    wide = min(max(thick * 0.5, 4.0), 46.0)
    path = (
        f"M{x:.1f} {top:.2f}C{out + wide:.1f} {top:.2f} {out + wide:.1f} {top:.2f} {out + wide:.1f} {low:.1f}"
        f"H{out:.1f}C{out:.1f} {top + thick:.2f} {out:.1f} {top + thick:.2f} {x:.1f} {top + thick:.2f}Z"
    )
    shape = f'<path d="{path}" fill="{colour}" fill-opacity="0.75"/>'
    told = _text(out, low + 18, _told(share), colour, "start", bold=True)
    return shape + told + _text(out, low + 35, word, MUTED, "start")


def _text(x: float, y: float, words: str, colour: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="700"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'
