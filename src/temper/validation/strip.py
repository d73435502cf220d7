"""Training pictures whose class no other picture laid over them can shake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Measurement
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.kernels.loss import decide
from temper.kernels.rate import wilson
from temper.targets._array import to_numpy
from temper.validation._certified import chosen
from temper.validation._mask import patchable
from temper.validation._measured import not_applicable, probabilities

NAME = "strip"
Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Lay other pictures over each training picture and see how sure the model stays: one with a trigger stays sure.

    The share of training pictures that stay surer than all but `rate` of trusted held-out ones; about `rate` of them do
    by nature. Misleads where the trigger does not survive being laid over (faint or spread out), where the model
    answers the trigger only together with its source class, and where training pictures are learnt by heart: these stay
    surer than held-out ones without any trigger, which is why the class that most of them are given is named.
    Source: Gao et al., "STRIP: a defence against trojan attacks on deep neural networks", 2019.

    >>> Strip(overlays=16).rate
    0.01
    """

    rows: int = 1_000
    overlays: int = 32
    rate: float = 0.01
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`sure_share`, beside what held-out pictures do by nature."""
        if scene.target is None or scene.train is None or not patchable(scene.kind, scene.x):
            return not_applicable(NAME, "it lays pictures over training pictures, and here are none")
        if scene.kind is ScoreKind.MARGIN or len(scene.x) < 100:
            return not_applicable(NAME, "it takes probabilities and a hundred held-out pictures")
        train = scene.train
        drawn = Draws(self.seed, f"{NAME}/training", ids=train.ids).uniform(np.arange(len(train)), 0)
        mine = np.sort(np.argsort(drawn, kind="stable")[: self.rows])
        own = chosen(scene, self.rows, self.seed, NAME)
        trusted, tried = _beside(
            self._entropy(scene, scene.x[own], np.asarray(scene.ids)[own]),
            self._entropy(scene, train.x[mine], np.asarray(train.ids)[mine]),
            *(
                np.asarray(decide(np.asarray(scene.target.scores(x)), scene.kind))
                for x in (scene.x[own], train.x[mine])
            ),
        )
        sure = tried < np.quantile(trusted, self.rate)
        return (self._told(sure, np.asarray(train.y)[mine]),)

    def _entropy(self, scene: Scene, x: Any, ids: Rows) -> Rows:
        """The mean entropy (n,) of what the model says of each picture with others laid over it."""
        target: Any = scene.target
        draws = Draws(self.seed, f"{NAME}/overlays", ids=ids)
        other = (draws.uniform(np.arange(len(x)), 0, (self.overlays,)) * len(scene.x)).astype(np.int64)
        total = np.zeros(len(x))
        for step in range(self.overlays):
            # Added, not averaged: a trigger at half its brightness is another trigger.
            blended = np.clip(to_numpy(x) + to_numpy(scene.x[other[:, step]]), scene.schema.low, scene.schema.high)
            said = probabilities(np.asarray(target.scores(blended), dtype=float), scene.kind)
            total -= (said * np.log(np.maximum(said, 1e-12))).sum(axis=1)
            scene.progress((step + 1) / self.overlays)
        return total / self.overlays

    def _told(self, sure: Rows, labels: Rows) -> Measurement:
        count, n = int(sure.sum()), len(sure)
        low, high = wilson(count, n)
        names, of = np.unique(labels[sure], return_counts=True)
        most = f"{of.max()} of the {count} have label {names[of.argmax()]}" if count else "none does"
        return Measurement(
            plugin=NAME,
            metric="sure_share",
            value=count / n,
            low=low,
            high=high,
            n=n,
            count=count,
            better=Better.LOWER,
            method=f"{self.overlays} pictures laid over each; Wilson over training pictures",
            baseline=(("held-out pictures, by nature", self.rate),),
            caveats=(most,),
        )


def _beside(trusted: Rows, tried: Rows, of_trusted: Rows, of_tried: Rows) -> tuple[Rows, Rows]:
    """Entropies beside what is usual for the class the model decides for: some classes stay sure by nature."""
    said = [np.array(trusted), np.array(tried)]
    for label in np.unique(of_trusted):
        usual = trusted[of_trusted == label]
        middle, spread = np.median(usual), max(float(np.median(np.abs(usual - np.median(usual)))), 1e-9)
        for part, of in zip(said, (of_trusted, of_tried), strict=True):
            part[of == label] = (part[of == label] - middle) / spread
    return said[0], said[1]


PLUGIN = Strip
