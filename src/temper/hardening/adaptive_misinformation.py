"""Answer rows unlike natural ones with the opposite of what the model says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind, Target
from temper.hardening._refit import columns_of
from temper.targets.flat import Flat
from temper.targets.misleading import Misled
from temper.targets.sklearn import Sklearn

_FEWEST, _MOST = 200, 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveMisinformation:
    """Put a judge of made-up rows beside the model, and tell the opposite wherever it is surer than on all but `misled`
    of natural rows.

    The judge is taught training rows beside copies of them with some columns of other rows. About `misled` of honest
    users get a wrong answer on purpose, which costs more than a refusal: their price is on held-out rows. Misleads
    as a defence against whoever has natural rows: they are answered truly, and their copy is as good as before. That
    attacker is tried beside the one who makes rows up.
    Source: Kariyappa & Qureshi, "Defending against model stealing attacks with adaptive misinformation", 2020.

    >>> AdaptiveMisinformation(misled=0.02).misled
    0.02
    """

    needs: ClassVar[Access] = Access.SCORES
    ladder: ClassVar[tuple[dict[str, Any], ...]] = ({"misled": 0.003}, {"misled": 0.03})
    misled: float = 0.01
    schema: Schema | None = None

    def __post_init__(self) -> None:
        if not 0 < self.misled < 0.5:
            raise TemperError(f"misinformation to a share of {self.misled:g}", fix="choose a number in (0, 0.5)")

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """The same model beside the judge."""
        if target.kind is ScoreKind.VALUE:
            raise Unsupported(
                "adaptive_misinformation turns classes round, and this target predicts a value", fix="use regularise"
            )
        columns_of(self.schema, data, "adaptive_misinformation")
        if len(data) < _FEWEST:
            raise Unsupported(
                f"{len(data)} training rows are too few to know natural rows by", fix=f"give {_FEWEST} or more"
            )
        draws = rng.generator()
        rows = np.asarray(data.x, dtype=float)[draws.permutation(len(data))[:_MOST]]
        taught, kept = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        judge = _judge(taught, _made_up(taught, rows, draws), rng.integer(1))
        surest = judge.scores(kept)[:, 1]
        return Misled(inner=target, judge=judge, cut=float(np.quantile(surest, 1.0 - self.misled)))


def _made_up(rows: Any, others: Any, draws: np.random.Generator) -> Any:
    """The rows with between none and all of their columns from other rows, each column from one of its own."""
    drawn = others[draws.integers(len(others), size=rows.shape), np.arange(rows.shape[1])]
    return np.where(draws.random(rows.shape) < draws.random((len(rows), 1)), drawn, rows)


def _judge(natural: Any, made_up: Any, seed: int) -> Flat:
    """A model of made-up rows (class 1), as flat trees: quick, and a file without code."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    truth = np.repeat([0, 1], (len(natural), len(made_up)))
    judge = HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=seed)
    fitted = Sklearn(model=judge.fit(np.concatenate([natural, made_up]), truth))
    return Flat(ensemble=fitted.trees(), kind=fitted.kind, classes=2)


PLUGIN = AdaptiveMisinformation
