"""Membership by the loss alone: what most tools run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from temper.attacks.inversion._signals import gather, payload
from temper.core.attack import Scene
from temper.core.seed import Draws
from temper.core.target import Access
from temper.judges.advantage import Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Calls a row a member when the model is sure of its own class; asks nothing but the model.

    A baseline. Misleads: it cannot tell an easy row from a remembered one and reports no leak on models that leak. Its
    area under the curve is the gap between training and test accuracy in other words.
    Source: Yeom et al., "Privacy risk in machine learning: analyzing the connection to overfitting", 2018.

    >>> Loss()
    Loss()
    """

    needs: ClassVar[Access] = Access.SCORES

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Membership:
        """Scores of all training rows (members) and of the scene's own rows (others)."""
        signals = gather(scene, rng, 0)
        return payload(signals, signals.answers.own)


PLUGIN = Loss
