"""Whether people of two groups at once, or of more, are judged unlike everybody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.counts import confusion, events
from temper.kernels.groups import groups
from temper.kernels.loss import decide
from temper.kernels.rate import apart
from temper.kernels.several import discoveries
from temper.validation._measured import missing, not_applicable, scored

NAME = "intersections"
RATES = {"selection_gap": "selection", "tpr_gap": "tpr", "fpr_gap": "fpr"}
_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cell:
    """The people of two groups or more: their name, and events and rows of theirs and of all others."""

    name: str
    hits: int
    rows: int
    others: int
    rest: int

    @property
    def p(self) -> float:
        """Fisher's exact test, two-sided by doubling, that the rate is everybody's."""
        from scipy.stats import hypergeom

        of = self.rows + self.rest, self.hits + self.others, self.rows
        return min(1.0, 2 * float(min(hypergeom.sf(self.hits - 1, *of), hypergeom.cdf(self.hits, *of))))

    def gap(self, confidence: float) -> tuple[float, float, float]:
        """The size of the difference, whichever way it lies, with its interval."""
        value, low, high = apart(self.hits, self.rows, self.others, self.rest, confidence)
        return abs(value), max(0.0, low, -high), max(abs(low), abs(high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Intersections:
    """How far the rate of being flagged (of all, of class 1, of class 0) of the people who belong to two groups at once
    lies from everybody else's; all pairs of sensitive columns, with `columns` above 2 also three and more at once.

    Slice "all" is the people whose gap is largest for sure; a "sex f x age below 30" is another one that holds while no
    more than `level` of such claims are false on average. Intervals hold for all that are looked at, together: more
    columns make each of them wider. Beside each gap stands the largest one that permuted groups show. Groups of fewer
    than `smallest` rows are left out.
    Misleads as gaps between groups do: when the truth is biased, equal rates are not fair. People of more columns than
    are asked for, and groups that nobody recorded, stay unseen.
    Source: Crenshaw, "Demarginalizing the intersection of race and sex", 1989; Kearns et al., "Preventing fairness
    gerrymandering", 2018; Benjamini & Yekutieli, "The control of the false discovery rate in multiple testing under
    dependency", 2001.

    >>> Intersections(smallest=30).level
    0.05
    """

    bands: int = 4
    smallest: int = 50
    columns: int = 2
    level: float = 0.05
    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`selection_gap`, `tpr_gap` and `fpr_gap`."""
        if len(scene.sensitive) < 2:
            return not_applicable(NAME, "the schema names fewer than two sensitive columns")
        if scene.kind is ScoreKind.VALUE or scene.classes != 2:
            return not_applicable(NAME, "gaps need a decision between two classes")
        if not len(scene.x):
            return (missing(NAME, "selection_gap", Status.INCONCLUSIVE, "there are no rows", better=Better.LOWER),)
        flag = np.asarray(decide(scored(scene), scene.kind, scene.threshold)) == 1
        tables = list(self._tables(scene, flag))
        rng = Draws(self.seed, NAME).generator()
        return tuple(m for metric in RATES for m in self._gaps(metric, tables, rng))

    def _tables(self, scene: Scene, flag: Any) -> Iterator[tuple[list[str], Any]]:
        """Per set of columns the names of its groups, and their counts (groups, 2, 2)."""
        member = {}
        for name in scene.sensitive:
            at = scene.schema.index(name)
            member[name] = groups(np.asarray(scene.x)[:, at], scene.schema.columns[at], self.bands)
        sizes = range(2, max(self.columns, 2) + 1)
        for chosen in (some for size in sizes for some in combinations(scene.sensitive, size)):
            at, names = member[chosen[0]][0], [f"{chosen[0]} {label}" for label in member[chosen[0]][1]]
            for name in chosen[1:]:
                number, labels = member[name]
                at, names = at * len(labels) + number, [f"{one} x {name} {label}" for one in names for label in labels]
            yield names, confusion(at, np.asarray(scene.y), flag, len(names))

    def _gaps(self, metric: str, tables: Any, rng: np.random.Generator) -> list[Measurement]:
        cells = [cell for names, counts in tables for cell in self._cells(names, counts, RATES[metric])]
        if not cells:
            reason = f"no two groups have {self.smallest} rows together"
            return [missing(NAME, metric, Status.INCONCLUSIVE, reason, better=Better.LOWER)]
        chance = self._chance(tables, RATES[metric], rng)
        harmonic = float((1 / np.arange(1, len(cells) + 1)).sum())  # Benjamini-Yekutieli: groups share rows
        held = set(discoveries([cell.p for cell in cells], self.level / harmonic).tolist())
        sure = 1 - 0.05 / len(cells)
        order = sorted(range(len(cells)), key=lambda at: (-cells[at].gap(sure)[1], -cells[at].gap(sure)[0]))
        told = [(order[0], "all"), *((at, cells[at].name) for at in order[1 : _SHOWN + 1] if at in held)]
        return [self._told(metric, cells[at], where, at in held, len(cells), chance) for at, where in told]

    def _cells(self, names: list[str], counts: Any, rate: str) -> Iterator[_Cell]:
        hits, rows = events(counts, rate)
        for at, name in enumerate(names):
            others, rest = int(hits.sum() - hits[at]), int(rows.sum() - rows[at])
            if rows[at] >= self.smallest and rest >= self.smallest:
                yield _Cell(name=name, hits=int(hits[at]), rows=int(rows[at]), others=others, rest=rest)

    def _chance(self, tables: Any, rate: str, rng: np.random.Generator) -> Any:
        """Largest gaps (replicates,) when the same events fall on rows whatever their groups."""
        largest = np.zeros(self.replicates)
        for _, counts in tables:
            hits, rows = (np.asarray(part, dtype=np.int64) for part in events(counts, rate))
            kept = (rows >= self.smallest) & (rows.sum() - rows >= self.smallest)
            if kept.any():
                total, n = int(hits.sum()), int(rows.sum())
                drawn = rng.multivariate_hypergeometric(rows, total, size=self.replicates, method="marginals")[:, kept]
                gaps = np.abs(drawn / rows[kept] - (total - drawn) / (n - rows[kept]))
                largest = np.maximum(largest, gaps.max(axis=1))
        return largest

    def _told(self, metric: str, cell: _Cell, where: str, held: bool, tried: int, chance: Any) -> Measurement:
        value, low, high = cell.gap(1 - 0.05 / tried)
        doubt = "holds" if held else f"chance may show as much (p = {cell.p:.2g} before correction)"
        return Measurement(
            plugin=NAME, metric=metric, value=value, low=low, high=high, n=cell.rows, unit="difference of rates",
            better=Better.LOWER, slice=where,
            method=f"Newcombe, simultaneous over {tried} {_words(self.columns)}; Benjamini-Yekutieli at {self.level:g}",
            baseline=(
                ("their rate", cell.hits / cell.rows), ("rate of all others", cell.others / cell.rest),
                ("largest of permuted groups, 95 %", float(np.quantile(chance, 0.95))),
            ),
            caveats=(cell.name, doubt),
        )  # fmt: skip


def _words(columns: int) -> str:
    return "pairs of groups" if columns < 3 else f"sets of 2 to {columns} groups"


PLUGIN = Intersections
