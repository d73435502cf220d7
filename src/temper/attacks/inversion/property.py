"""Does the model tell how large a share of its training rows belong to a group?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.inversion._attribute import grouped
from temper.attacks.inversion._pool import own_class, pool
from temper.attacks.inversion._statistics import logit
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe
from temper.judges.share import Rung, Shares

Vector = np.ndarray[Any, Any]
_AT_ONCE, _FOLDS, _FEWEST, _BLOCK, _EDGE, _VALUES = 4, 4, 30, 100, 0.02, 10
_SHRINKAGE = 0.9  # a few dozen models say little about how hundreds of answers vary together


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyInference:
    """Fits models on rows with a small and with a large share of a group, and learns from their answers to fixed rows
    which is which.

    The rows are cut into `blocks` that share none (fewer where they would have less than 100 rows); each gives one
    model of either share, and a model is judged by a classifier that learned on other blocks. `gaps` between the shares
    are tried from the widest while they are told apart. The group is `column` (else the first sensitive one) = `value`
    (else the one nearest to half of the rows), numbers above their median. Misleads as a bound: models of whole
    training sets, ten times larger, may tell more; and a share of anything that moves with the outcome always shows,
    because the base rate does.
    Source: Ateniese et al., "Hacking smart machines with smarter ones", 2015; Suri & Evans, "Formalizing and estimating
    distribution inference risks", 2022.

    >>> PropertyInference(blocks=8).blocks
    8
    """

    needs: ClassVar[Access] = Access.SCORES | Access.RETRAIN
    gives: ClassVar[type[Shares]] = Shares
    column: str = ""
    value: str = ""
    gaps: tuple[float, ...] = (0.6, 0.3, 0.15)
    blocks: int = 16
    probes: int = 400
    rows: int = 2_000

    def __post_init__(self) -> None:
        if self.blocks < 2 * _FOLDS or not self.gaps or not all(0.0 < gap < 0.95 for gap in self.gaps):
            raise TemperError(f"{self} cannot be meant", fix=f"blocks from {2 * _FOLDS}, gaps in (0, 0.95)")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Shares:
        """Which share each of the fitted models had, and what the attack made of it, per gap."""
        if scene.train is None or scene.fit is None:
            raise TemperError("property inference needs training rows and a way to fit")
        column = self.column or next(iter(scene.sensitive), "")
        if not scene.schema.columns or not column:
            raise Unsupported(
                "no column is called sensitive, so there is no group whose share could be told",
                fix="mark a column `sensitive: true` in the schema, or name one in the option `column`",
            )
        rows, _, _, _ = pool(scene.train, Data(x=scene.x, y=scene.y, ids=scene.ids))
        words, group = grouped(scene.schema, column, self.value, np.asarray(rows.x, dtype=float), _VALUES)
        order = rng.generator(0).permutation(len(rows))
        probes, kept = np.split(order, [min(self.probes, len(rows) // 5)])
        many = max(2 * _FOLDS, min(self.blocks, len(kept) // _BLOCK))
        blocks = _blocks(kept[group[kept]], kept[~group[kept]], many)
        found: list[Rung] = []
        for at, gap in enumerate(sorted(self.gaps, reverse=True)):
            found.append(
                self._rung(scene, rows, blocks, probes, _shares(float(group.mean()), gap), rng.child(f"{gap}"))
            )
            scene.progress((at + 1) / (len(self.gaps) + 1))
            if not found[-1].told_apart:
                break
        return Shares(group=words, share=float(group.mean()), rungs=tuple(found))

    def _rung(
        self, scene: Scene, rows: Data, blocks: list[tuple[Vector, Vector]], probes: Vector, shares: Any, rng: Draws
    ) -> Rung:
        """Two models per block, told apart by what was learned on the other blocks."""
        size = min(min(len(inside) / shares[1], len(outside) / (1.0 - shares[0])) for inside, outside in blocks)
        size = int(min(size, self.rows))
        if size < _FEWEST:
            raise Unsupported(
                f"{size} rows per model is too few to fit one on; it takes {_FEWEST}",
                fix="give more rows, or fewer blocks",
            )
        subsets = [
            _drawn(rng.generator(at), *block, share, size) for at, block in enumerate(blocks) for share in shares
        ]
        _both_classes(rows, subsets)
        asked, answers = rows.take(probes), []
        for start in range(0, len(subsets), _AT_ONCE):
            batch = [rows.take(subset) for subset in subsets[start : start + _AT_ONCE]]
            for model in _fitted(scene, batch, rng.integer(1_000 + start)):
                answers.append(logit(own_class(model.scores(asked.x), asked.y, scene.kind)))
        shown, truth = np.stack(answers), np.tile([False, True], len(blocks))
        block = np.repeat(np.arange(len(blocks)), 2)
        # Of models of one share nothing is to be told; the same classifier on labels dealt out to whole blocks.
        dealt = np.repeat(_dealt(len(blocks), rng.generator(2_000)), 2)
        return Rung(
            shares=shares,
            rows=size,
            truth=truth,
            guess=_learned(shown, truth, block % _FOLDS),
            dealt=dealt,
            null=_learned(shown, dealt, block // 2 % _FOLDS),
        )


def _shares(own: float, gap: float) -> tuple[float, float]:
    """Two shares so far apart, around the group's own where there is room."""
    middle = min(max(own, gap / 2.0 + _EDGE), 1.0 - gap / 2.0 - _EDGE)
    return middle - gap / 2.0, middle + gap / 2.0


def _blocks(inside: Vector, outside: Vector, many: int) -> list[tuple[Vector, Vector]]:
    return list(zip(np.array_split(inside, many), np.array_split(outside, many), strict=True))


def _drawn(rng: np.random.Generator, inside: Vector, outside: Vector, share: float, size: int) -> Vector:
    """Rows of one block, `share` of them in the group."""
    many = round(share * size)
    return np.concatenate([rng.permutation(inside)[:many], rng.permutation(outside)[: size - many]])


def _both_classes(rows: Data, subsets: list[Vector]) -> None:
    every = len(np.unique(rows.y))
    if any(len(np.unique(np.asarray(rows.y)[subset])) < every for subset in subsets):
        raise Unsupported("some classes are so rare that a model fitted on part of the rows would not see them")


def _fitted(scene: Scene, subsets: list[Data], seed: int) -> Iterator[Any]:
    if scene.fit is None:
        raise TemperError("property inference needs a way to fit")
    yield from scene.fit(subsets, Recipe(seed=seed))


def _dealt(many: int, rng: np.random.Generator) -> Vector:
    """Labels for blocks, as many of the one as of the other in every pair of neighbours."""
    first = rng.integers(0, 2, (many + 1) // 2).astype(bool)
    return np.stack([first, ~first], axis=1).ravel()[:many]


def _learned(shown: Vector, truth: Vector, fold: Vector) -> Vector:
    """What a classifier says of the models (n,) whose fold it did not see."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    found = np.zeros(len(truth), dtype=bool)
    if not np.ptp(shown, axis=0).any():
        return found  # every model answers alike
    for side in np.unique(fold):
        taught = fold != side
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=_SHRINKAGE).fit(shown[taught], truth[taught])
        found[~taught] = model.predict(shown[~taught])
    return found


PLUGIN = PropertyInference
