"""Whether guesses of a hidden column owe anything to the training data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status
from temper.judges._macro import Area, area_of, beyond, difference, paired
from temper.judges.advantage import TWIN
from temper.kernels.rate import clopper_pearson

Vector = np.ndarray[Any, Any]
COLUMN = "column:"
METRICS = ("auc", "leak", "gain", "precision_at_2pct")
_SUREST, _STRICT = 0.02, 0.99


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guessed:
    """One hidden column: per row whether the model was fitted on it, which value it has (n,), and how likely each value
    is by the attack and by imputation, a model of the column that never saw the victim (n, k each).
    """

    column: str
    shown: tuple[str, ...]
    ids: Vector
    member: Vector
    truth: Vector
    attack: Vector
    imputation: Vector
    queries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attributes:
    """What attribute inference leaves: its guesses column by column, about the deployed model and about a refit of the
    same recipe on a random half of the rows (`twin`).
    """

    columns: tuple[Guessed, ...]
    twin: tuple[Guessed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """How well a hidden column is guessed on training rows, beside imputation and beside rows the model never saw.

    `auc` on members, the mean over the values of how well each is told from the others; `gain`, attack minus imputation
    on the same members; `leak`, members minus others, net of what imputation differs there; `precision_at_2pct`, how
    often the surest guesses of the rarest value are right. Only `leak` and `gain` above zero together speak of the
    training data. Inconclusive where imputation alone does better or worse on members: then they differ by more than
    membership. Misleads as a bound: it is what this attack found.
    Source: Jayaraman & Evans, "Are attribute inference attacks just imputation?", 2022; intervals after DeLong, DeLong
    & Clarke-Pearson, 1988.

    >>> Attribute(plugin="inversion.attribute").charged
    False
    """

    charged: ClassVar[bool] = False
    plugin: str = "inversion.attribute"
    confidence: float = 0.95

    def judge(self, scene: Scene, outcome: Outcome) -> tuple[Measurement, ...]:
        """Four figures per column, headed by those of the column that leaks most; then the same of the twin."""
        seen = outcome.payload
        if not isinstance(seen, Attributes) or not seen.columns:
            raise TemperError("attribute needs the evidence of an attribute attack", fix="pass it as the payload")
        return (*self._headed(seen.columns, "all", ""), *self._headed(seen.twin, TWIN, f"{TWIN}, "))

    def _headed(self, columns: tuple[Guessed, ...], rows: str, before: str) -> tuple[Measurement, ...]:
        if not columns:
            return ()
        found = [self._column(one, len(columns), before) for one in columns]
        worst = max(found, key=lambda four: min(float(four[1].low or 0.0), float(four[2].low or 0.0)))
        word = f"the worst column: {column_of(worst[0])}"
        head = [replace(m, slice=rows, caveats=(word, *m.caveats)) for m in worst]
        return (*head, *(m for four in found for m in four))

    def _column(self, seen: Guessed, columns: int, before: str) -> tuple[Measurement, ...]:
        level = 1.0 - (1.0 - self.confidence) / columns
        attack, plain = (
            [area_of(seen.truth[side], score[side]) for side in (seen.member, ~seen.member)]
            for score in (seen.attack, seen.imputation)
        )
        gap = difference(plain[0], plain[1], _STRICT)
        reason = ""
        if gap[1] > 0.0 or gap[2] < 0.0:
            reason = (
                f"imputation alone, without the model, differs by {gap[0]:+.3f} ({gap[1]:+.3f} to {gap[2]:+.3f}) "
                "between training and held-out rows: they differ by more than membership"
            )
        shared: dict[str, Any] = {
            "plugin": self.plugin,
            "slice": f"{before}{COLUMN}{seen.column}",
            "better": Better.LOWER,
            "confidence": self.confidence,
            "status": Status.INCONCLUSIVE if reason else Status.OK,
            "reason": reason,
            "queries": seen.queries,
            "caveats": (
                f"{len(seen.shown)} values: {', '.join(seen.shown)}",
                *((f"interval corrected for {columns} columns",) if columns > 1 else ()),
            ),
        }
        return (*self._areas(attack, plain, level, shared), self._surest(seen, level, shared))

    def _areas(
        self, attack: list[Area], plain: list[Area], level: float, shared: dict[str, Any]
    ) -> tuple[Measurement, ...]:
        low, high = attack[0].interval(level)
        beside = (("imputation", plain[0].value), ("on others", attack[1].value), ("chance", 0.5))
        n, raw = len(attack[0].pull), attack[0].value - attack[1].value
        mine, others = (beyond(one, other) for one, other in zip(attack, plain, strict=True))
        leak = difference(mine, others, level)
        area = Measurement(
            metric="auc", value=attack[0].value, low=low, high=high, n=n, method="DeLong", baseline=beside, **shared
        )
        found = [area]
        for metric, value, count, line in (
            ("leak", leak, n + len(attack[1].pull), ("members minus others", raw)),
            ("gain", paired(plain[0], attack[0], level), n, ("no leak", 0.0)),
        ):
            found.append(
                Measurement(
                    metric=metric,
                    value=value[0],
                    low=value[1],
                    high=value[2],
                    n=count,
                    unit="AUC",
                    method="DeLong, paired" if metric == "gain" else "DeLong",
                    baseline=(line,),
                    **shared,
                )
            )
        return tuple(found)

    def _surest(self, seen: Guessed, level: float, shared: dict[str, Any]) -> Measurement:
        """How often the surest 2 % of guesses of the rarest value are right."""
        value = int(np.argmin(np.bincount(seen.truth[seen.member], minlength=len(seen.shown))))
        hits, n = surest(seen.truth, seen.attack, seen.member, value)
        low, high = clopper_pearson(hits, n, level)
        plain = surest(seen.truth, seen.imputation, seen.member, value)
        theirs = surest(seen.truth, seen.attack, ~seen.member, value)
        return Measurement(
            metric="precision_at_2pct",
            value=hits / n,
            low=low,
            high=high,
            n=n,
            count=hits,
            method="Clopper-Pearson",
            baseline=(
                ("base rate", float((seen.truth[seen.member] == value).mean())),
                ("imputation", plain[0] / plain[1]),
                ("on others", theirs[0] / theirs[1]),
            ),
            **(shared | {"caveats": (f"the rarest value: {seen.shown[value]}", *shared["caveats"])}),
        )


def column_of(m: Measurement) -> str:
    """Which column a measurement speaks of, "" where it speaks of the worst."""
    return m.slice.partition(COLUMN)[2]


def surest(truth: Vector, score: Vector, rows: Vector, value: int) -> tuple[int, int]:
    """(right, guesses) among the 2 % of these rows of which the value is likeliest, and those tied with them."""
    likely = score[rows, value]
    edge = np.sort(likely)[-max(1, round(_SUREST * len(likely)))]
    return int((truth[rows][likely >= edge] == value).sum()), int((likely >= edge).sum())


PLUGIN = Attribute
