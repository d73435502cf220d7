"""Training rows that came after the rows a model is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.kernels.rate import measure_rate
from temper.kernels.weighted import Ranked, resamples
from temper.validation._measured import estimate, missing, not_applicable

NAME = "time_leakage"
_CELLS = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLeakage:
    """Whether the model was fitted on what came later than what it is judged on.

    `later_pairs`: of all pairs of a training and a held-out row, the share in which the training row came later (equal
    moments count half): 0 for a split by time, a half for a random one. `overlapped`: the share of held-out rows that
    came no later than the last training row.
    Misleads where time does not matter; and a table that was split by time can still carry later knowledge in its
    columns (a status as it is today), which nobody sees here.
    Source: Kapoor & Narayanan, "Leakage and the reproducibility crisis in machine-learning-based science", 2023
    (temporal leakage).

    >>> TimeLeakage(replicates=200).replicates
    200
    """

    whole_train: ClassVar[bool] = True
    replicates: int = 1000
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`later_pairs` and `overlapped`."""
        trained = None if scene.train is None else scene.train.time
        if scene.time is None or trained is None:
            return not_applicable(NAME, "nothing says when training and held-out rows came (data.time)")
        if not (len(trained) and len(scene.time)):
            return (missing(NAME, "later_pairs", Status.INCONCLUSIVE, "there are no rows on one side"),)
        moments = np.concatenate([trained, scene.time])
        place = np.unique(moments, return_inverse=True)[1]
        n, m = len(moments), len(trained)
        ranked, rng = Ranked.of(np.arange(n) < m, place), Draws(self.seed, NAME).generator()
        count = int(min(self.replicates, max(100, _CELLS // n)))
        drawn = np.concatenate([ranked.auc(w) for w in resamples(n, count, rng)])
        share, last = float(ranked.auc(np.ones((1, n)))[0]), place[:m].max()
        when = f"the last training row came at {moments[place == last][0]}, the first held-out row at "
        about = (when + str(np.min(scene.time)),)
        base = (("split by time", 0.0), ("random split", 0.5))
        more = {"unit": "share of pairs", "baseline": base, "caveats": about}
        before = int((place[m:] <= last).sum())
        return (
            estimate(NAME, "later_pairs", share, drawn, n, Better.LOWER, **more),
            measure_rate(NAME, "overlapped", before, n - m, better=Better.LOWER, caveats=about),
        )


PLUGIN = TimeLeakage
