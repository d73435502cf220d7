"""How much better than chance an attacker tells training rows from others, with the checks that make it believable."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.judges._members import (
    LEVELS,
    at_rate,
    blind_area,
    called,
    chance_ends,
    exposed,
    groups,
    more_often,
    roc,
)
from temper.judges._pooled import area
from temper.kernels.rate import clopper_pearson
from temper.kernels.several import holm

Vector = np.ndarray[Any, Any]

LOWER_BOUND = "attack lower bound, not a guarantee: a better attack may find more"
TWIN = "same recipe, random halves"
_STRICT = 0.99


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guesses:
    """About one model: who is a member (n,), the attack's score, and the reference-free attack's."""

    member: Vector
    score: Vector
    loss: Vector


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Membership:
    """What a membership attack leaves: one score per pool row, high where it says "this row was trained on".

    `x` (n, ...), `y`, `ids`, `member` (n,): the pool and its truth. `score`: the attack; `loss`: the reference-free
    attack. `references`, `inside` (k, n): what each reference model gave the row's own class, and whether it was fitted
    on it; models 2j and 2j + 1 are fitted on complementary halves. `twin`: the same attack on reference 0.
    `duplicates`: rows dropped because both sides had them. `method`: which of several attacks was chosen.
    """

    x: Any
    y: Vector
    member: Vector
    score: Vector
    loss: Vector
    references: Vector
    inside: Vector
    ids: Vector = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    twin: Guesses | None = None
    duplicates: int = 0
    method: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advantage:
    """Area under the curve and true-positive rate at a low false-positive rate of a membership attack.

    Refuses to conclude when rows can be told apart without the model, or by a model that saw none of them, and does not
    report a rate that too few held-out rows could show. Misleads when read as a bound on privacy: it is what this
    attack found.
    Source: Carlini et al., "Membership inference attacks from first principles", 2022; blind baselines from Das,
    Zhang & Tramèr, "Blind baselines beat membership inference attacks for foundation models", 2024.

    >>> Advantage(plugin="inversion.membership").charged
    False
    """

    charged: ClassVar[bool] = False
    plugin: str = "inversion"
    confidence: float = 0.95
    rng: Draws = field(default_factory=lambda: Draws(0, "judges.advantage"))

    def judge(self, scene: Scene, outcome: Outcome) -> tuple[Measurement, ...]:
        """Measurements of the deployed model, and of its recipe on random halves, which any split allows."""
        seen = outcome.payload
        if not isinstance(seen, Membership):
            raise TemperError("advantage needs the evidence of a membership attack", fix="pass it as the payload")
        blind = blind_area(seen.x, seen.y, seen.member, self.rng.child("blind"), self.confidence)
        null = _null(seen)
        reason = _separable(blind) or _told_by_a_stranger(null)
        plain: tuple[tuple[str, float], ...] = (("without the model", blind[0]),)
        plain += (("null control", null[0]),) if null else ()
        deployed = Guesses(member=seen.member, score=seen.score, loss=seen.loss)
        found = self._figures(deployed, plain, reason, "all", _notes(seen))
        found += self._people(seen, reason)
        if seen.twin is not None:
            note = "a refit of the same recipe on a random half stands in for the deployed model"
            found += self._figures(seen.twin, (("without the model", 0.5),), "", TWIN, (note,))
        return tuple(found)

    def _figures(
        self, seen: Guesses, plain: tuple[tuple[str, float], ...], reason: str, rows: str, notes: tuple[str, ...]
    ) -> list[Measurement]:
        shared = self._shared(reason, rows, notes)
        chance = chance_ends(seen.member, seen.score, self.rng.child("permuted"), self.confidence)
        found = [self._area(seen, (*plain, ("permuted labels, upper end", chance["auc"])), shared)]
        others = int(np.count_nonzero(~seen.member))
        for metric, rate, needed in LEVELS:
            if others < needed:
                found.append(_too_few(self.plugin, metric, rows, others, needed))
            else:
                found.append(self._rate(seen, metric, rate, chance[metric], shared))
        usable = [(metric, rate) for metric, rate, needed in LEVELS if others >= needed]
        if usable:
            found.append(self._epsilon(seen, usable[-1][1], shared))
        return found

    def _shared(self, reason: str, rows: str, notes: tuple[str, ...]) -> dict[str, Any]:
        return {
            "plugin": self.plugin,
            "confidence": self.confidence,
            "slice": rows,
            "status": Status.INCONCLUSIVE if reason else Status.OK,
            "reason": reason,
            "better": Better.LOWER,
            "caveats": (LOWER_BOUND, *notes),
        }

    def _area(self, seen: Guesses, plain: tuple[tuple[str, float], ...], shared: dict[str, Any]) -> Measurement:
        value, low, high = area(seen.member, seen.score, self.confidence)
        return Measurement(
            metric="auc",
            value=value,
            low=low,
            high=high,
            n=len(seen.member),
            method="DeLong",
            baseline=(("loss attack", area(seen.member, seen.loss)[0]), *plain),
            **shared,
        )

    def _rate(self, seen: Guesses, metric: str, rate: float, chance: float, shared: dict[str, Any]) -> Measurement:
        hits, n, wrong, others = at_rate(seen.member, seen.score, rate)
        low, high = clopper_pearson(hits, n, self.confidence)
        least, most = clopper_pearson(wrong, others, self.confidence)
        realised = f"realised false positives {wrong}/{others:,} ({least:.2%} to {most:.2%} at {self.confidence:.0%})"
        plain = at_rate(seen.member, seen.loss, rate)
        return Measurement(
            metric=metric,
            value=hits / n,
            low=low,
            high=high,
            n=n,
            count=hits,
            method="Clopper-Pearson",
            baseline=(("chance", rate), ("loss attack", plain[0] / plain[1]), ("permuted labels, upper end", chance)),
            curve=roc(seen.member, seen.score, self.confidence) if metric == LEVELS[0][0] else None,
            **(shared | {"caveats": (*shared["caveats"], realised)}),
        )

    def _epsilon(self, seen: Guesses, rate: float, shared: dict[str, Any]) -> Measurement:
        hits, n, wrong, others = at_rate(seen.member, seen.score, rate)
        # Two one-sided statements at half the error each hold together at the stated confidence.
        each = 0.5 + self.confidence / 2.0
        least = clopper_pearson(hits, n, each, side="lower")[0]
        most = clopper_pearson(hits, n, each, side="upper")[1]
        rare = clopper_pearson(wrong, others, each, side="lower")[0]
        often = clopper_pearson(wrong, others, each, side="upper")[1]
        value = _log_ratio(least, often)
        note = (
            f"at {rate:.1%} false positives",
            "of all rows together: no statement about a single person",
            *(("no evidence of leakage",) if value == 0.0 else ()),
        )
        return Measurement(
            metric="epsilon_lower",
            value=value,
            low=value,
            high=_log_ratio(most, rare),
            n=n + others,
            method="ln(TPR / FPR), Clopper-Pearson on both",
            baseline=(("no leakage", 0.0),),
            **(shared | {"caveats": (*shared["caveats"], *note)}),
        )

    def _people(self, seen: Membership, reason: str) -> list[Measurement]:
        """Members that stand out one by one, and groups of them that are found more often than the rest."""
        metric, rate, needed = LEVELS[0]
        if np.count_nonzero(~seen.member) < needed:
            return []
        found = called(seen.member, seen.score, rate)
        n, alone = int(seen.member.sum()), len(exposed(seen.member, seen.score))
        low, high = clopper_pearson(alone, n, self.confidence)
        shared = self._shared(reason, "all", ("members that stand out one by one at a false discovery rate of 5 %",))
        lines = [
            Measurement(
                metric="exposed",
                value=alone / n,
                low=low,
                high=high,
                n=n,
                count=alone,
                method="Benjamini-Hochberg over p-values from the other rows",
                baseline=(("chance", 0.0),),
                **shared,
            )
        ]
        kinds = {name: who for name, who in groups(seen.x, seen.y).items() if (who & seen.member).any()}
        p = holm([more_often(who[seen.member], found[seen.member]) for who in kinds.values()])
        for (name, who), corrected in zip(kinds.items(), p, strict=True):
            note = f"found more often than other members: p {corrected:.2g} (Holm over {len(kinds)} groups)"
            lines.append(self._group(metric, who, seen.member, found, self._shared(reason, name, (note,))))
        return lines

    def _group(self, metric: str, who: Vector, member: Vector, found: Vector, shared: dict[str, Any]) -> Measurement:
        mine, theirs, rest = who & member, who & ~member, ~who & member
        hits, n = int(found[mine].sum()), int(mine.sum())
        low, high = clopper_pearson(hits, n, self.confidence)
        baseline = [("the other members", float(found[rest].mean()))] if rest.any() else []
        baseline += [("others of the group called members", float(found[theirs].mean()))] if theirs.any() else []
        return Measurement(
            metric=metric,
            value=hits / n,
            low=low,
            high=high,
            n=n,
            count=hits,
            method="Clopper-Pearson",
            baseline=tuple(baseline),
            **shared,
        )


def _null(seen: Membership) -> tuple[float, float, float] | None:
    """The same attack on a model that was fitted on none of the rows it is asked about: the twin, outside its half."""
    if seen.twin is None:
        return None
    strange = ~seen.twin.member
    member = seen.member[strange]
    if member.all() or not member.any():
        return None
    return area(member, seen.twin.score[strange], _STRICT)


def _told_by_a_stranger(null: tuple[float, float, float] | None) -> str:
    if null is None or null[1] <= 0.5:
        return ""
    return (
        f"a model that saw none of these rows tells them apart as well (AUC {null[0]:.3f}, {null[1]:.3f} to "
        f"{null[2]:.3f}): training and held-out rows differ by more than membership"
    )


def _separable(blind: tuple[float, float, float]) -> str:
    value, low, high = blind
    if low <= 0.5:
        return ""
    return (
        f"rows can be told apart without the model (AUC {value:.3f}, {low:.3f} to {high:.3f}): training and "
        "held-out rows differ by more than membership, so a high score would prove nothing"
    )


def _notes(seen: Membership) -> tuple[str, ...]:
    told = [f"{seen.duplicates:,} rows found on both sides were left out"] if seen.duplicates else []
    if len(seen.references) and seen.twin is None:
        told.append(f"no null control: {len(seen.references)} references are too few to attack a refit as well")
    if seen.method:
        told.append(f"attack: {' and '.join(seen.method)}, chosen on the other half of the rows")
    return tuple(told)


def _too_few(plugin: str, metric: str, rows: str, others: int, needed: int) -> Measurement:
    return Measurement(
        plugin=plugin,
        metric=metric,
        value=None,
        n=others,
        better=Better.LOWER,
        slice=rows,
        status=Status.UNTRIED,
        reason=f"{others:,} held-out rows cannot show this false-positive rate; it takes {needed:,}",
    )


def _log_ratio(upper: float, lower: float) -> float:
    return max(0.0, math.log(upper / lower)) if upper > 0.0 and lower > 0.0 else 0.0


PLUGIN = Advantage
