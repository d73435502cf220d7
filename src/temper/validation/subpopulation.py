"""How bad the model becomes when the mixture of those it judges shifts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.seed import Draws
from temper.kernels.groups import groups
from temper.kernels.mixture import mixed, most_frequent, within_chi_square
from temper.kernels.slices import parts
from temper.validation._lapses import Lapse, halves, lapses
from temper.validation._measured import missing, not_applicable

NAME = "subpopulation"
_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Counted:
    """Mistakes and rows per group, on the half where the mixture is chosen and on the half where it is judged."""

    labels: tuple[str, ...]
    least: int
    chosen: Any
    chosen_rows: Any
    judged: Any
    judged_rows: Any

    @property
    def usable(self) -> Any:
        """Groups with enough rows on both halves."""
        return (self.chosen_rows >= self.least) & (self.judged_rows >= self.least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subpopulation:
    """The rate of mistakes under the worst mixture of groups that a bound allows.

    Slice "all": the groups are the leaves of a shallow tree cut where mistakes differ most; "column:name": those of a
    sensitive column. `misses` and `alarms` (or `errors`, `large_errors`): no group becomes more than `times` as
    frequent as it is in the held-out rows; `..._chi2`: the mixtures within a chi-square distance of `radius`. Groups
    and mixture are chosen on half of the rows and judged on the other half, so the figure is not pushed up by choosing;
    the worst mixture may be worse still. Groups with fewer than `smallest` / 2 rows in a half are left out.
    Misleads when rows change inside their groups: only the mixture is shifted here. It says nothing of rows that the
    held-out table does not hold at all.
    Source: Rockafellar & Uryasev, "Optimization of conditional value-at-risk", 2000; Namkoong & Duchi, "Variance-based
    regularization with convex objectives", 2017; Subbaswamy, Adams & Saria, "Evaluating model robustness and
    stability to dataset shift", 2021.

    >>> Subpopulation(times=2.0).depth
    3
    """

    times: float = 4.0
    radius: float = 1.0
    depth: int = 3
    smallest: int = 40
    bands: int = 4
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """Rates under the worst mixture, in shares of the rows where the mistake can happen."""
        if not scene.schema.columns:
            return not_applicable(NAME, "groups are cut from tables with columns")
        return tuple(m for lapse in lapses(scene) for m in self._of(lapse, scene))

    def _of(self, lapse: Lapse, scene: Scene) -> Iterator[Measurement]:
        for where, counted in self._groupings(lapse, scene):
            if counted.usable.sum() < 2:
                n = len(lapse.rows)
                why = f"fewer than two groups have {counted.least} rows in each half of {n:,} {lapse.among}"
                yield missing(NAME, lapse.metric, Status.INCONCLUSIVE, why, n=n, better=Better.LOWER, slice=where)
                continue
            yield self._frequent(lapse, where, counted)
            yield self._near(lapse, where, counted)

    def _groupings(self, lapse: Lapse, scene: Scene) -> Iterator[tuple[str, _Counted]]:
        x, columns = np.asarray(scene.x)[lapse.rows], scene.schema.columns
        here, there = halves(lapse.rows, scene, Draws(self.seed, NAME))
        rules = parts(x[here], lapse.hit[here], columns, depth=self.depth, least=self.smallest)
        masks = [rule.mask(x) for rule in rules]
        least = self.smallest // 2
        yield "all", _count(masks, [rule.words(columns) for rule in rules], lapse.hit, here, there, least)
        for name in scene.sensitive:
            at = scene.schema.index(name)
            group, labels = groups(np.asarray(scene.x)[:, at], columns[at], self.bands)
            masks = [group[lapse.rows] == number for number in range(len(labels))]
            said = [f"{name} {label}" for label in labels]
            yield f"column:{name}", _count(masks, said, lapse.hit, here, there, least)

    def _frequent(self, lapse: Lapse, where: str, counted: _Counted) -> Measurement:
        q = _shifted(counted, lambda p, r: most_frequent(p, r, self.times))
        curve = tuple(_point(t, counted, _shifted(counted, lambda p, r, t=t: most_frequent(p, r, t))) for t in _STEPS)
        return _measurement(
            lapse.metric,
            lapse,
            where,
            counted,
            q,
            said=f"no group more than {self.times:g} times as frequent as now",
            curve=Curve(
                name=lapse.metric,
                axis="times as frequent as now, at most",
                unit=f"share of {lapse.among}",
                points=curve,
            ),
        )

    def _near(self, lapse: Lapse, where: str, counted: _Counted) -> Measurement:
        q = _shifted(counted, lambda p, r: within_chi_square(p, r, self.radius))
        said = f"mixtures within a chi-square distance of {self.radius:g}"
        return _measurement(f"{lapse.metric}_chi2", lapse, where, counted, q, said=said, curve=None)


def _count(masks: list[Any], labels: list[str], hit: Any, here: Any, there: Any, least: int) -> _Counted:
    table = np.array(
        [[(m & h & hit).sum() for m in masks] + [(m & h).sum() for m in masks] for h in (here, there)], dtype=np.int64
    )
    size = len(masks)
    return _Counted(
        labels=tuple(labels),
        least=least,
        chosen=table[0, :size],
        chosen_rows=table[0, size:],
        judged=table[1, :size],
        judged_rows=table[1, size:],
    )


def _shifted(counted: _Counted, worst: Any) -> Any:
    """The worst mixture by the half where it is chosen, over all groups; one with too few rows gets no weight."""
    usable = counted.usable
    q = np.zeros(len(usable))
    q[usable] = worst(counted.chosen_rows[usable], counted.chosen[usable] / counted.chosen_rows[usable])
    return q


def _point(times: float, counted: _Counted, q: Any) -> Point:
    value, low, high = mixed(q, counted.judged, counted.judged_rows)
    return Point(at=times, value=value, low=low, high=high, n=int(counted.judged_rows[q > 0].sum()))


def _measurement(
    metric: str, lapse: Lapse, where: str, counted: _Counted, q: Any, *, said: str, curve: Curve | None
) -> Measurement:
    value, low, high = mixed(q, counted.judged, counted.judged_rows)
    now = counted.judged.sum() / counted.judged_rows.sum()
    largest = sorted(np.flatnonzero(q > 0), key=lambda at: -q[at] * counted.judged[at] / counted.judged_rows[at])[:2]
    told = (f"{100 * q[at]:.0f} % where {counted.labels[at]}" for at in largest)
    return Measurement(
        plugin=NAME,
        metric=metric,
        value=value,
        low=low,
        high=high,
        n=int(counted.judged_rows[q > 0].sum()),
        unit=f"share of {lapse.among}",
        better=Better.LOWER,
        slice=where,
        method=f"{said}; chosen on {int(counted.chosen_rows.sum()):,} other rows; MOVER over Wilson",
        baseline=(("as the rows are mixed now", float(now)),),
        caveats=(f"{'; '.join(told)}", f"{int(counted.usable.sum())} groups, {said}"),
        curve=curve,
    )


PLUGIN = Subpopulation
