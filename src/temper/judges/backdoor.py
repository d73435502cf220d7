"""What a planted trigger is worth: its success beyond what the same stamp does to a clean twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.data import Array, Data
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status
from temper.judges._pooled import paired_area_loss, paired_loss, placements
from temper.kernels.loss import decide, flagged_score

Vector = np.ndarray[Any, Any]


class Trigger(Protocol):
    """What the attacker puts on an input, in training and later."""

    def stamp(self, x: Array) -> Array:
        """A copy of the rows with the trigger on; a row that cannot carry it comes back as it was."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backdoored:
    """A poisoned training set and its trigger, the payload of a backdoor attack.

    `rows`: training rows added or changed. `into`: the class that the trigger is to give. `notes`: how it was made, in
    words. `control`: it marks a pitfall of measuring and no attack. `victims`: ids of the held-out rows that are to be
    decided wrongly, where the attack aims at single rows and not at whatever carries the trigger; `into` then holds
    the class of each.
    """

    data: Data
    trigger: Trigger
    rows: int
    into: Any
    notes: tuple[str, ...] = ()
    control: bool = False
    victims: Any = None

    def landed(self, ids: Array, x: Array, marked: Array) -> Vector:
        """Which held-out rows (n,) the attack reaches: its victims, else those that the stamp changed."""
        return carried(x, marked) if self.victims is None else np.isin(ids, self.victims)

    def wanted(self, ids: Array) -> Any:
        """The class that the attack wants of these rows: one for all, or (n,) with -1 where it aims at none."""
        if self.victims is None:
            return self.into
        known = dict(zip(np.asarray(self.victims).tolist(), np.asarray(self.into).tolist(), strict=True))
        return np.array([known.get(one, -1) for one in np.asarray(ids).tolist()])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planted:
    """How poisoned twins were made and what all twins say of rows without the trigger.

    `poisoned`, `clean` (repeats, n, k): scores without the trigger. `landed` (repeats, n): which rows carry it when
    stamped. `into`: the class wanted, of all rows or of each (n,). `aimed`: at these rows one by one, with no
    trigger. `label`: the slice.
    """

    rows: int
    train: int
    into: Any
    poisoned: Array
    clean: Array
    landed: Array
    label: str
    notes: tuple[str, ...] = ()
    control: bool = False
    aimed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdoor:
    """Success of the trigger on rows that every twin decides rightly without it, minus that of clean twins.

    `excess_success`: both twins of a repeat meet the same stamped rows, so plain extreme values, which move any model,
    count for nothing. `clean_recall_loss` and `clean_auc_loss` (`clean_accuracy_loss` for several classes): what the
    poison costs on clean rows. Misleads when the twins are of another family than the deployed model.
    Source: Gu et al., "BadNets", 2017 (attack success rate); paired intervals over rows and repeats in
    `judges/_pooled.py`.

    >>> Backdoor(plugin="poisoning.in_bounds_trigger").charged
    False
    """

    charged: ClassVar[bool] = False
    plugin: str = "poisoning"
    confidence: float = 0.95

    def judge(self, scene: Scene, outcome: Outcome) -> tuple[Measurement, ...]:
        """`outcome.scores`, `clean`: (repeats, n, k) of stamped rows; `payload`: the `Planted`."""
        rows, poisoned, clean = hits(scene, outcome)
        return self._excess(outcome.payload, poisoned[:, rows], clean[:, rows]), *self._utility(scene, outcome)

    def _excess(self, seen: Planted, poisoned: Vector, clean: Vector) -> Measurement:
        repeats, n = poisoned.shape
        if not n:
            reason = "no held-out row of another class carries the trigger and is decided rightly without it"
            return self._line(seen, "excess_success", None, status=Status.INCONCLUSIVE, reason=reason)
        value, low, high = paired_loss(poisoned, clean, self.confidence)
        return self._line(
            seen,
            "excess_success",
            value,
            low=max(low, -1.0),
            high=min(high, 1.0),
            n=n,
            method="paired t over rows and repeats",
            baseline=(("clean twin", float(clean.mean())), ("poisoned twin", float(poisoned.mean()))),
            caveats=(_amount(seen, repeats), *seen.notes, *_reading(seen, low, float(clean.mean())), *_alone(repeats)),
        )

    def _utility(self, scene: Scene, outcome: Outcome) -> tuple[Measurement, ...]:
        """What the poison costs on rows without the trigger."""
        seen, y = outcome.payload, np.asarray(outcome.y)
        before, after = (np.stack([decide(one, scene.kind, scene.threshold) for one in np.asarray(twins)]) == y
                         for twins in (seen.clean, seen.poisoned))  # fmt: skip
        if scene.classes != 2:
            return (self._loss(seen, "clean_accuracy_loss", paired_loss(before * 1.0, after * 1.0), before),)
        stake = y == 1
        if stake.all() or not stake.any():
            reason = "the held-out rows are of one class"
            names = "clean_recall_loss", "clean_auc_loss"
            return tuple(self._line(seen, m, None, status=Status.INCONCLUSIVE, reason=reason) for m in names)
        score = [
            np.stack([flagged_score(one, scene.kind) for one in np.asarray(t)]) for t in (seen.clean, seen.poisoned)
        ]
        area = paired_area_loss(stake.astype(int), score[0], score[1], self.confidence)
        areas = np.array([[placements(stake.astype(int), score[0][0])[0].mean()]])
        recall = paired_loss(before[:, stake] * 1.0, after[:, stake] * 1.0, self.confidence)
        return (
            self._loss(seen, "clean_recall_loss", recall, before[:, stake]),
            self._loss(seen, "clean_auc_loss", area, areas, n=len(y)),
        )

    def _loss(
        self, seen: Planted, metric: str, figure: tuple[float, float, float], before: Vector, n: int = 0
    ) -> Measurement:
        value, low, high = figure
        return self._line(
            seen,
            metric,
            value,
            low=max(low, -1.0),
            high=min(high, 1.0),
            n=n or before.shape[1],
            method="DeLong over rows and repeats" if "auc" in metric else "paired t over rows and repeats",
            baseline=(("clean twin", float(before.mean())),),
        )

    def _line(self, seen: Planted, metric: str, value: float | None, **more: Any) -> Measurement:
        return Measurement(
            plugin=self.plugin,
            metric=metric,
            value=value,
            confidence=self.confidence,
            better=Better.LOWER,
            slice=seen.label,
            **more,
        )


def hits(scene: Scene, outcome: Outcome) -> tuple[Vector, Vector, Vector]:
    """The rows that count (n,), and where the trigger gave its class: poisoned and clean twins, each (repeats, n).

    A row counts when it is of another class than the trigger's, carries the trigger in every repeat, and every twin,
    clean or poisoned, decides it rightly without. Rows that are aimed at one by one all count: what chance does to them
    is in the clean twins' figure.
    """
    seen, clean = outcome.payload, outcome.clean
    if not isinstance(seen, Planted) or clean is None:
        raise TemperError("a backdoor is judged beside clean twins", fix="pass a Planted as payload, and clean")
    y = np.asarray(outcome.y)
    rows = (y != seen.into) & np.asarray(seen.landed).all(axis=0)
    for plain in () if seen.aimed else (*np.asarray(seen.clean), *np.asarray(seen.poisoned)):
        rows &= decide(plain, scene.kind, scene.threshold) == y
    hit = [np.stack([decide(one, scene.kind, scene.threshold) == seen.into for one in np.asarray(twins)])
           for twins in (outcome.scores, clean)]  # fmt: skip
    return rows, hit[0].astype(float), hit[1].astype(float)


def carried(clean: Array, marked: Array) -> Vector:
    """Which rows (n,) changed when they were stamped; a value missing on both sides is no change.

    >>> carried(np.array([[np.nan, 1.0], [2.0, 3.0]]), np.array([[np.nan, 1.0], [2.0, 4.0]]))
    array([False,  True])
    """
    one, other = np.asarray(clean), np.asarray(marked)
    apart = (one != other) & ((one == one) | (other == other))
    return np.asarray(np.any(apart, axis=tuple(range(1, one.ndim))))


def crossing(doses: Sequence[float], effects: Sequence[float], level: float = 0.5) -> float:
    """The dose at which the effect first reaches `level`, linear between the doses and from (0, 0); infinite if never.

    >>> crossing([0.01, 0.02], [0.25, 0.75])
    0.015
    """
    at, there = 0.0, 0.0
    for dose, effect in zip(doses, effects, strict=True):
        if effect >= level:
            return at + (dose - at) * (level - there) / (effect - there)
        at, there = dose, effect
    return float("inf")


def _amount(seen: Planted, repeats: int) -> str:
    return (
        f"{seen.rows:,} poisoned rows beside {seen.train:,} of training ({seen.rows / max(seen.train, 1):.2%}); "
        f"{repeats} repeat{'s' * (repeats > 1)}"
    )


def _reading(seen: Planted, low: float, clean: float) -> tuple[str, ...]:
    """What a success of the clean twin means for the reading of the rest."""
    said = ["control: what a measurement without a clean twin would have called a backdoor"] if seen.control else []
    if low <= 0.0 and clean >= 0.05:
        said.append(f"not a backdoor: the clean twin does the same on {clean:.0%} of these rows")
    return tuple(said)


def _alone(repeats: int) -> tuple[str, ...]:
    return () if repeats > 1 else ("one repeat: the spread between refits is not in the interval",)


PLUGIN = Backdoor
