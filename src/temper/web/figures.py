"""What a gateway says of itself at /metrics, read for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from temper.report._inert import inert
from temper.response.figures import number, series, text
from temper.web import state
from temper.web.sheet import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line: what is counted, for which labels, and how many."""

    name: str
    labels: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How often a stage said something else than ALLOW; in shadow nothing came of it."""

    stage: str
    level: str
    mode: str
    many: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """`lines` in the gateway's order; `stopped` is what its stages said, `quantiles` are read off its histogram and
    `state` off all of it. `trouble` says why there are none.
    """

    lines: list[Figure] = field(default_factory=list)
    state: state.State | None = None
    stopped: list[Stopped] = field(default_factory=list)
    quantiles: list[tuple[str, str]] = field(default_factory=list)
    trouble: str = ""


def asked(url: str, now: float) -> Figures:
    """The figures at this address; a gateway that cannot be reached is a sentence, never an error."""
    try:
        return read(text(url), now)
    except (OSError, ValueError):
        return Figures(trouble=f"The gateway at {urlsplit(url).netloc} did not answer.")


def read(told: str, now: float = 0.0) -> Figures:
    """Figures of Prometheus' text format, seen at a time.

    >>> found = read('# TYPE temper_x counter\\ntemper_x{status="200"} 3\\n')
    >>> found.lines
    [Figure(name='x', labels='status 200', value='3')]
    """
    every = list(series(told))
    lines, bars, stopped = [], [], []
    for name, labels, value in every:
        if name == "temper_request_seconds_bucket":
            bars.append((number(labels.get("le", "")), value))
        elif name.startswith("temper_") and not name.startswith("temper_request_seconds"):
            lines.append(_figure(name, labels, value))
        if name == "temper_stage_decisions_total":
            words = (inert(labels.get(key, ""), 40) for key in ("stage", "level", "mode"))
            stopped.append(Stopped(**dict(zip(("stage", "level", "mode"), words, strict=True)), many=shown(value)))
    return Figures(lines=lines, stopped=stopped, quantiles=_quantiles(bars), state=state.read(every, now))


def _figure(name: str, labels: Mapping[str, str], value: float) -> Figure:
    words = name.removeprefix("temper_").removesuffix("_total").replace("_", " ")
    told = ", ".join(f"{key} {label}" for key, label in labels.items())
    return Figure(name=inert(words, 80), labels=inert(told, 160), value=shown(value))


def _quantiles(bars: list[tuple[float, float]]) -> list[tuple[str, str]]:
    """Upper ends of the bars in which the median and the 99th of 100 lie: no more is known from a histogram."""
    total = max((many for _, many in bars), default=0.0)
    if not total > 0:
        return []
    ends = [next(end for end, many in sorted(bars) if many >= share * total) for share in (0.5, 0.99)]
    return [(name, _at_most(end)) for name, end in zip(("half of the answers", "99 of 100"), ends, strict=True)]


def _at_most(end: float) -> str:
    return f"within {1e3 * end:g} ms" if math.isfinite(end) else "slower than the last bar"
