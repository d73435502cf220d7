"""Whether sets of answers that promise to hold the truth do so, for everybody and later too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.conformal import threshold
from temper.kernels.groups import groups
from temper.kernels.rate import measure_rate, wilson
from temper.kernels.weighted import resamples
from temper.validation._lapses import halves
from temper.validation._measured import estimate, missing, not_applicable, probabilities, scored

NAME = "conformal"
_FEWEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """Coverage of split-conformal sets: one half of the rows sets the limit that `promise` of them keep, the other half
    is asked how often its truth lies in the set (of values: in the interval).

    `coverage` of all judged rows; `class_coverage` and `group_coverage` of the class, and of the group of a sensitive
    column, that has least; `later_coverage` where the system says when a row came: the earlier half sets the limit, the
    later one is judged; `set_size` is the mean number of classes a set holds (of values `width`).
    Misleads where held-out rows are unlike tomorrow's: the promise is for rows of the same kind, and on average over
    them; a class of few rows can be left out altogether while it holds.
    Source: Vovk, Gammerman & Shafer, "Algorithmic learning in a random world", 2005; Sadinle, Lei & Wasserman, "Least
    ambiguous set-valued classifiers with bounded error levels", 2019.

    >>> Conformal().promise
    0.9
    """

    promise: float = 0.9
    bands: int = 4
    smallest: int = 50
    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """Coverages with their intervals, and how much a set says."""
        if scene.kind is ScoreKind.MARGIN:
            return not_applicable(NAME, "a margin orders rows for two classes and gives no score per class")
        n = len(scene.x)
        if n < _FEWEST:
            reason = f"{n} rows are too few, {_FEWEST} are needed"
            return (missing(NAME, "coverage", Status.INCONCLUSIVE, reason, n=n, better=Better.HIGHER),)
        answers = scored(scene)
        found = answers if scene.kind is ScoreKind.VALUE else probabilities(answers, scene.kind)
        odd = _odd(scene, found)
        here, there = halves(np.arange(n), scene, Draws(self.seed, NAME))
        limit = threshold(odd[here], 1 - self.promise).value
        return tuple(self._told(scene, found, odd <= limit, there, limit, odd))

    def _told(self, scene: Scene, found: Any, held: Any, there: Any, limit: float, odd: Any) -> Iterator[Measurement]:
        rows = np.flatnonzero(there)
        yield self._rate("coverage", held[rows], "half of the rows, drawn by their ids")
        if scene.kind is not ScoreKind.VALUE:
            y = np.asarray(scene.y)
            names = [f"class {label}" for label in range(scene.classes)]
            yield self._least("class_coverage", held[rows], [y[rows] == label for label in range(scene.classes)], names)
        if scene.sensitive:
            yield self._least("group_coverage", held[rows], *self._groups(scene, rows))
        if scene.time is not None:
            yield self._later(np.asarray(scene.time), odd)
        yield self._size(scene, found[rows], limit)

    def _rate(self, metric: str, held: Any, of: str) -> Measurement:
        count, n = int(held.sum()), len(held)
        base = (("promised", self.promise),)
        return measure_rate(NAME, metric, count, n, better=Better.HIGHER, baseline=base, caveats=(f"judged: {of}",))

    def _least(self, metric: str, held: Any, masks: list[Any], names: list[str]) -> Measurement:
        """The part with the lowest coverage; the interval holds the lowest true one of all parts."""
        kept = [at for at, mask in enumerate(masks) if mask.sum() >= self.smallest]
        if not kept:
            reason = f"no part has {self.smallest} judged rows"
            return missing(NAME, metric, Status.INCONCLUSIVE, reason, n=len(held), better=Better.HIGHER)
        counts = [(int(held[masks[at]].sum()), int(masks[at].sum())) for at in kept]
        ends = [wilson(count, n, 1 - 0.05 / len(kept)) for count, n in counts]
        worst = min(range(len(kept)), key=lambda at: counts[at][0] / counts[at][1])
        small = [names[at] for at in range(len(masks)) if at not in kept]
        left_out = (f"left out, fewer than {self.smallest} rows: {', '.join(small)}",) if small else ()
        return Measurement(
            plugin=NAME, metric=metric, value=counts[worst][0] / counts[worst][1], low=min(low for low, _ in ends),
            high=min(high for _, high in ends), n=counts[worst][1], unit="share", better=Better.HIGHER,
            method=f"Wilson, simultaneous over {len(kept)}", baseline=(("promised", self.promise),),
            caveats=(names[kept[worst]], *left_out),
        )  # fmt: skip

    def _groups(self, scene: Scene, rows: Any) -> tuple[list[Any], list[str]]:
        masks, names = [], []
        for name in scene.sensitive:
            at = scene.schema.index(name)
            member, labels = groups(np.asarray(scene.x)[:, at], scene.schema.columns[at], self.bands)
            masks += [member[rows] == number for number in range(len(labels))]
            names += [f"{name} {label}" for label in labels]
        return masks, names

    def _later(self, time: Any, odd: Any) -> Measurement:
        """The rows before the middle moment set the limit, the others are judged."""
        early = time < np.sort(time)[len(time) // 2]
        if early.sum() < _FEWEST // 2:
            reason = "most rows came at one moment"
            return missing(NAME, "later_coverage", Status.INCONCLUSIVE, reason, better=Better.HIGHER)
        limit = threshold(odd[early], 1 - self.promise).value
        return self._rate("later_coverage", odd[~early] <= limit, "the later half; the earlier one sets the limit")

    def _size(self, scene: Scene, found: Any, limit: float) -> Measurement:
        if scene.kind is ScoreKind.VALUE:
            wide = 2 * limit
            spread = float(np.ptp(np.quantile(np.asarray(scene.y), (0.5 - self.promise / 2, 0.5 + self.promise / 2))))
            return Measurement(
                plugin=NAME, metric="width", value=wide, low=wide, high=wide, n=len(found), better=Better.LOWER,
                method="twice the limit, the same for every row", baseline=(("without a model", spread),),
            )  # fmt: skip
        sizes = (1 - found <= limit).sum(axis=1).astype(float)
        rng = Draws(self.seed, f"{NAME}/size").generator()
        drawn = np.concatenate([w @ sizes / len(sizes) for w in resamples(len(sizes), self.replicates, rng)])
        base, empty = (("every class", float(scene.classes)),), f"{(sizes == 0).mean():.1%} of the sets are empty"
        more: dict[str, Any] = {"unit": "classes", "baseline": base, "caveats": (empty,)}
        return estimate(NAME, "set_size", float(sizes.mean()), drawn, len(sizes), Better.LOWER, **more)


def _odd(scene: Scene, found: Any) -> Any:
    """How badly each row's truth fits its answer: one minus its class's probability, or the absolute error."""
    y = np.asarray(scene.y)
    if scene.kind is ScoreKind.VALUE:
        return np.abs(y - found[:, 0])
    return 1 - found[np.arange(len(y)), y.astype(np.int64)]


PLUGIN = Conformal
