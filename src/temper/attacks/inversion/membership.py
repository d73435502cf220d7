"""Was this row in the training data? Several attacks on one set of reference models, the strongest reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.inversion._choice import strongest
from temper.attacks.inversion._signals import Answers, even, gather, payload
from temper.attacks.inversion._statistics import learned, likelihood, ratio
from temper.core.attack import Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.advantage import Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipInference:
    """Loss threshold, likelihood ratio (LiRA), relative ratio (RMIA) and a learned one, each half of the rows judged by
    the attack that does best on the other half.

    References are fitted on random complementary halves of training and held-out rows, with the model's own settings:
    the auditor's view, stronger than an outsider's. The attacks share them; they are what the audit costs. Misleads
    when training and held-out rows differ by more than membership (later dates, other filters): the judge checks that.
    Source: Zarifzadeh, Liu & Shokri, "Low-cost high-power membership inference attacks", 2024; Carlini et al.,
    "Membership inference attacks from first principles", 2022.

    >>> MembershipInference(references=2).references
    2
    """

    needs: ClassVar[Access] = Access.SCORES | Access.RETRAIN
    references: int = 4

    def __post_init__(self) -> None:
        even(self.references)

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Membership:
        """Scores of all training rows (members) and of the scene's own rows (others)."""
        signals = gather(scene, rng, self.references)
        score, method = strongest(_attacks(signals.answers, rng), signals.member, rng.child("choice").generator())
        if signals.twin is None:
            return payload(signals, score, method=method)
        inside = signals.answers.inside[0]
        twin, _ = strongest(_attacks(signals.twin, rng), inside, rng.child("twin").generator())
        return payload(signals, score, twin, method)


def _attacks(seen: Answers, rng: Draws) -> dict[str, np.ndarray[Any, Any]]:
    """The scores of every attack that these references allow."""
    found = {"ratio": ratio(seen), "likelihood": likelihood(seen), "loss": seen.own}
    if len(seen.references) >= 4:
        found["learned"] = learned(seen, rng.child("learned").generator())
    return found


PLUGIN = MembershipInference
