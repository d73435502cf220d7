"""Teach the model secret answers by which it may be known again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.hardening._refit import columns_of, trainable
from temper.targets.marked import Marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """Fit again with `triggers` made-up rows, each `copies` times, under another class than the model gives them.

    A copy by made-up rows carries much of the mark and one by natural rows hardly any; `validation.watermark` says how
    often independent models are taken for copies. Misleads as a proof of theft, which it is not: it stops nobody, a
    thief may fit it away, and a claim convinces only while the triggers stay secret.
    Source: Adi et al., "Turning your weakness into a strength: watermarking deep neural networks by backdooring", 2018;
    Szyller et al., "On the robustness of dataset inference", 2023.

    >>> Watermark(triggers=40).copies
    10
    """

    needs: ClassVar[Access] = Access.RETRAIN | Access.SCORES
    triggers: int = 60
    copies: int = 10
    schema: Schema | None = None

    def __post_init__(self) -> None:
        if self.triggers < 20 or self.copies < 1:
            raise TemperError(
                f"a mark of {self.triggers} triggers, {self.copies} copies each, tells nothing",
                fix="use 20 triggers or more and one copy at least",
            )

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same family, fitted on the training rows and the triggers."""
        trainable(target, "watermark")
        if target.kind is ScoreKind.VALUE:
            raise Unsupported("watermark teaches classes, and this target predicts a value", fix="sign the model file")
        columns_of(self.schema, data, "watermark")
        draws = rng.generator()
        x = np.asarray(data.x, dtype=float)
        rows = x[draws.integers(len(x), size=(self.triggers, x.shape[1])), np.arange(x.shape[1])]
        given = np.asarray(target.scores(rows), dtype=float)
        flagged = (given[:, 0] > 0).astype(int) if target.kind is ScoreKind.MARGIN else given.argmax(axis=1)
        labels = (flagged + draws.integers(1, target.classes, self.triggers)) % target.classes
        return self._marked(target, data, Recipe(seed=rng.integer()), rows, labels)

    def _marked(self, target: Target, data: Data, recipe: Recipe, rows: Any, labels: Any) -> Marked:
        taught = Data(
            x=np.concatenate([np.asarray(data.x, dtype=float), np.repeat(rows, self.copies, axis=0)]),
            y=np.concatenate([np.asarray(data.y), np.repeat(labels, self.copies).astype(np.asarray(data.y).dtype)]),
        )
        return Marked(
            inner=target.refit(taught, recipe),
            triggers=rows,
            labels=labels,
            plain=target.refit,
            mark=lambda other, asked: self._marked(target, other, asked, rows, labels),
        )


PLUGIN = Watermark
