"""What the tables themselves tell of single people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.target import ScoreKind
from temper.kernels.equal_rows import numbered, times
from temper.kernels.rate import measure_rate
from temper.validation._measured import missing, not_applicable, scored

NAME = "privacy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """How far people stand alone by `columns` that others may know of them (by default the sensitive ones).

    Of the training rows: `singled_out` share no values with anybody, `below_k` with fewer than `k` - 1 others, and
    `below_l` lie in a class of equal values where fewer than `labels` labels occur, so that knowing these values is
    knowing the label. `linkable`: held-out rows whose values point to exactly one training row. `answers_single_out`:
    held-out rows that no other row shares its values and its answer with, as the model gives it.
    Misleads in both directions: a person alone in a sample need not be alone in the population, and columns that are
    not named here identify as well.
    Source: Sweeney, "k-anonymity: a model for protecting privacy", 2002; Machanavajjhala et al., "l-diversity: privacy
    beyond k-anonymity", 2007.

    >>> Privacy(columns=("age", "postcode")).k
    5
    """

    whole_train: ClassVar[bool] = True
    columns: tuple[str, ...] = ()
    k: int = 5
    labels: int = 2

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """Shares of rows, in `singled_out`, `below_k`, `below_l`, `linkable` and `answers_single_out`."""
        names = self.columns or scene.sensitive
        if not names or np.ndim(scene.x) != 2:
            return not_applicable(NAME, "no column is known that others may know of a person (mark it sensitive)")
        if not len(scene.x):
            return (missing(NAME, "singled_out", Status.INCONCLUSIVE, "there are no rows"),)
        at = [scene.schema.index(name) for name in names]
        known = np.asarray(scene.x)[:, at]
        kept = (scene.x, scene.y) if scene.train is None else (scene.train.x, scene.train.y)
        here, there = numbered(known, np.asarray(kept[0])[:, at])
        by = f"by {', '.join(names)}"
        told = list(self._structure(there, np.asarray(kept[1]), scene.kind, by))
        if scene.train is not None:
            told.append(_share("linkable", times(here, there) == 1, by))
        return (*told, _answers(scene, known, here, by))

    def _structure(self, number: Any, y: Any, kind: ScoreKind, by: str) -> list[Measurement]:
        alike = times(number, number)
        told = [_share("singled_out", alike == 1, by), _share("below_k", alike < self.k, f"{by}; k = {self.k}")]
        if kind is not ScoreKind.VALUE:
            label = np.unique(y, return_inverse=True)[1]
            pairs = np.unique(np.stack([number, label], axis=1), axis=0)
            few = times(number, pairs[:, 0]) < self.labels
            told.append(_share("below_l", few, f"{by}; l = {self.labels}", _most(label)))
        return told


def _most(label: Any) -> tuple[tuple[str, float], ...]:
    """Guessing the most frequent label is right as often as this, whatever is known."""
    return (("guessing the label", float(np.bincount(label).max() / len(label))),)


def _share(metric: str, mask: Any, by: str, baseline: tuple[tuple[str, float], ...] = ()) -> Measurement:
    return measure_rate(
        NAME, metric, int(mask.sum()), len(mask), better=Better.LOWER, caveats=(by,), baseline=baseline
    )  # fmt: skip


def _answers(scene: Scene, known: Any, here: Any, by: str) -> Measurement:
    """Rows that stand alone once the answer is known as well, beside those that do without it."""
    (told,) = numbered(np.column_stack([known, scored(scene)]))
    alone = float((times(here, here) == 1).mean())
    return _share("answers_single_out", times(told, told) == 1, by, (("without the answer", alone),))


PLUGIN = Privacy
