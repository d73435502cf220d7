"""Whether the model becomes worse as time goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.kernels.rate import apart, wilson
from temper.kernels.trend import ahead, armitage
from temper.validation._lapses import Lapse, lapses
from temper.validation._measured import missing, not_applicable

NAME = "periods"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Series:
    """Mistakes and rows per period, with the periods' names."""

    names: tuple[str, ...]
    events: Any
    rows: Any

    @property
    def curve(self) -> tuple[Point, ...]:
        """The rate of each period with its interval."""
        ends = [wilson(int(k), int(n)) for k, n in zip(self.events, self.rows, strict=True)]
        each = zip(self.events / self.rows, ends, self.rows, strict=True)
        return tuple(
            Point(at=at, value=float(rate), low=low, high=high, n=int(n))
            for at, (rate, (low, high), n) in enumerate(each, start=1)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """Rates of mistakes from period to period of the held-out rows, for systems that say when a row came.

    `..._rise`: the worst later period minus the first one, its interval holding for all of them at once; `..._trend`:
    change per period along a straight line, with the Cochran-Armitage test; `..._next`: the rate that a row of periods
    like these lets expect in the next one, an EXTRAPOLATION. There are `count` periods of equal numbers of rows; rows
    of one moment stay together.
    Misleads where held-out rows are few days: a trend over a week is a weekday. A change that comes at once is no
    straight line: read the curve. What is expected next holds while the next period continues the line.
    Source: Armitage, "Tests for linear trends in proportions and frequencies", 1955.

    >>> Periods(count=4).smallest
    20
    """

    count: int = 6
    smallest: int = 20

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """Three figures for `misses` and `alarms` (or `errors`, `large_errors`), in shares."""
        if scene.time is None:
            return not_applicable(NAME, "no column says when a row came (data.time)")
        if not len(scene.x):
            return (missing(NAME, "misses_rise", Status.INCONCLUSIVE, "there are no held-out rows"),)
        period, names = _cut(np.asarray(scene.time), self.count)
        return tuple(m for lapse in lapses(scene) for m in self._of(lapse, period[lapse.rows], names))

    def _of(self, lapse: Lapse, period: Any, names: tuple[str, ...]) -> Iterator[Measurement]:
        rows = np.bincount(period, minlength=len(names))
        kept = np.flatnonzero(rows >= self.smallest)
        if len(kept) < 3:
            why = f"{len(kept)} periods have {self.smallest} {lapse.among}, three are needed"
            for metric in ("rise", "trend", "next"):
                full = f"{lapse.metric}_{metric}"
                yield missing(NAME, full, Status.INCONCLUSIVE, why, n=len(period), better=Better.LOWER)
            return
        events = np.bincount(period, lapse.hit, minlength=len(names)).astype(np.int64)
        series = _Series(names=tuple(names[at] for at in kept), events=events[kept], rows=rows[kept])
        yield _rise(lapse, series)
        yield from _line(lapse, series)


def _cut(time: Any, count: int) -> tuple[Any, tuple[str, ...]]:
    """Period number per row, by time, and the name of each period: its first and its last moment."""
    moments, place, sizes = np.unique(time, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes / 2
    of_moment = np.minimum((middle / len(time) * count).astype(int), count - 1)
    used, of_moment = np.unique(of_moment, return_inverse=True)
    names = []
    for number in range(len(used)):
        inside = moments[of_moment == number]
        names.append(f"{_show(inside[0])} to {_show(inside[-1])}")
    return of_moment[place], tuple(names)


def _show(moment: Any) -> str:
    if np.issubdtype(np.asarray(moment).dtype, np.datetime64):
        return str(np.datetime_as_string(moment, unit="D"))
    return f"{float(moment):,.6g}"


def _rise(lapse: Lapse, series: _Series) -> Measurement:
    """The later period whose rise is largest for sure."""
    later = range(1, len(series.rows))
    sure = 1 - 0.05 / len(later)
    first = int(series.events[0]), int(series.rows[0])
    rises = [apart(int(series.events[at]), int(series.rows[at]), *first, sure) for at in later]
    worst = max(later, key=lambda at: rises[at - 1][1])
    value, low, _high = rises[worst - 1]
    return Measurement(
        plugin=NAME,
        metric=f"{lapse.metric}_rise",
        value=value,
        low=low,
        high=max(rise[2] for rise in rises),
        n=int(series.rows.sum()),
        unit="difference of rates",
        better=Better.LOWER,
        method=f"Newcombe, simultaneous over {len(later)} later periods",
        baseline=(("first period", first[0] / first[1]), ("worst period", float(series.curve[worst].value))),
        caveats=(f"{series.names[worst]} against {series.names[0]}", f"among {lapse.among}"),
        curve=Curve(
            name=lapse.metric,
            axis=f"period ({series.names[0]} ... {series.names[-1]})",
            unit=f"share of {lapse.among}",
            points=series.curve,
        ),
    )


def _line(lapse: Lapse, series: _Series) -> Iterator[Measurement]:
    line = armitage(series.events, series.rows)
    shared: dict[str, Any] = {"plugin": NAME, "n": int(series.rows.sum()), "better": Better.LOWER}
    bent = (f"the periods do not lie on a line (p = {line.bent:.2g})",) if line.bent < 0.05 else ()
    yield Measurement(
        metric=f"{lapse.metric}_trend",
        value=line.slope,
        low=line.low,
        high=line.high,
        unit="change per period",
        method=f"Cochran-Armitage, p = {line.p:.2g}",
        caveats=(f"{len(series.rows)} periods, among {lapse.among}", *bent),
        **shared,
    )
    value, low, high = ahead(series.events, series.rows)
    yield Measurement(
        metric=f"{lapse.metric}_next",
        value=value,
        low=low,
        high=high,
        unit=f"share of {lapse.among}",
        method="EXTRAPOLATION of a straight line, with the spread of the periods about it",
        baseline=(("last period", float(series.events[-1] / series.rows[-1])),),
        caveats=("an extrapolation: it holds while the next period continues the line", *bent),
        **shared,
    )


PLUGIN = Periods
