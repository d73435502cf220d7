"""Training texts that hold patterns of words their class should not hold that often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.measure import Better, Measurement, Status
from temper.core.target import ScoreKind
from temper.kernels.rate import wilson
from temper.kernels.text_patterns import Lifted, Suspicious, suspicious
from temper.validation._measured import missing, not_applicable

NAME = "text_triggers"
_SHOWN, _FEWEST = 3, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTriggers:
    """Look in each class of the training texts for words, pairs, beginnings and skeletons of sentences that are more
    frequent than in trusted texts of the class and than in other classes; suspect the texts that hold them.

    The held-out texts are the trusted ones: somebody must have read them. `rate` is the chance of any pattern at all
    among texts like them, `spare` the share of trusted texts of a class that may look as suspicious as a suspect.
    Misleads where training texts come from another time or place than the held-out ones: what came up since is a
    pattern too, if it came up in one class. Blind to a trigger in few texts (of 7,000, 35 with a rare word were
    missed and 69 found), to one that more than `spare` of trusted texts hold by nature, to style, and to poison that is
    in the held-out texts as well.
    Source: the syntactic trigger of Qi et al., "Hidden killer", 2021; rare words as in Kurita et al., 2020; lifts by
    exact tests with a false discovery rate (`kernels/text_patterns.py`).

    >>> TextTriggers().rate
    0.05
    """

    rate: float = 0.05
    spare: float = 0.05

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`suspect_share` of the training texts, beside the share of trusted ones that look like it."""
        train = scene.train
        if scene.schema.columns or not _texts(scene.x) or train is None or scene.kind is ScoreKind.VALUE:
            return not_applicable(NAME, "it reads labelled training texts and trusted ones, and here are none")
        few = min(len(scene.x), len(train))
        if few < _FEWEST:
            reason = (
                f"{few} texts are too few to say what is usual; it takes {_FEWEST} to learn from and as many held out"
            )
            return (missing(NAME, "suspect_share", Status.INCONCLUSIVE, reason, n=few, better=Better.LOWER),)
        trusted = Data(x=scene.x, y=scene.y, ids=scene.ids)
        return (self._told(suspicious(train, trusted, self.rate, self.spare)),)

    def _told(self, seen: Suspicious) -> Measurement:
        count, n = int(seen.suspects.sum()), len(seen.suspects)
        low, high = wilson(count, n)
        return Measurement(
            plugin=NAME,
            metric="suspect_share",
            value=count / n,
            low=low,
            high=high,
            n=n,
            count=count,
            better=Better.LOWER,
            method=f"exact tests of {seen.tried:,} patterns, discovery rate {self.rate:g}; Wilson over training texts",
            baseline=(("trusted texts that look like it", float(seen.usual.mean())),),
            caveats=_words(seen.found),
        )


def _words(found: tuple[Lifted, ...]) -> tuple[str, ...]:
    if not found:
        return ("no pattern of words is more frequent than in trusted texts of its class",)
    shown = [
        f"class {one.label}, {one.pattern!r}: {one.share:.1%} of training texts, {one.trusted:.1%} of trusted ones"
        for one in found[:_SHOWN]
    ]
    return f"{len(found)} patterns beyond chance", *shown


def _texts(x: Any) -> bool:
    return bool(np.ndim(x) == 1 and np.asarray(x).dtype.kind in "OU")


PLUGIN = TextTriggers
