"""Place what has worked before, and wait for somebody to read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.core.abuse import Exposed
from temper.core.campaign import Aim, Tactic
from temper.core.injection import Injection
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Place wordings that have worked where a stranger's harmless task makes the assistant read them: the one that is
    drawn as the likeliest from what came of each, at home and away.

    What worked at home is believed as `home` trials were. Misleads where the first wordings that worked were lucky and
    the turn is short.
    Source: Greshake et al., 2023; Thompson, "On the likelihood that one unknown probability exceeds another", 1933.

    >>> Plant(home=2.0).needs
    ('dresses',)
    """

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.CALL, Aim.LEAK)
    needs: ClassVar[tuple[str, ...]] = ("dresses",)
    gives: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0051.001", "atlas:AML.T0053")
    home: float = 1.0

    def play(self, field: Exposed, rng: Draws) -> None:
        """One placed text after the other."""
        open_ = {way.task for way in field.ways}
        dresses = [one for one in field.kept["dresses"] if one.task in open_ and one.goal in field.goals]
        while dresses and field.left > 0:
            at = self._likeliest(field, dresses, rng.generator(len(field.tried)))
            before = field.left
            field.strike(dresses[at])
            if field.left == before:
                return

    def _likeliest(self, field: Exposed, dresses: Sequence[Injection], gen: np.random.Generator) -> int:
        drawn = []
        for one in dresses:
            came = [attempt for attempt in field.tried if attempt.injection == one and attempt.heard.answered]
            weight = [self.home if attempt.own else 1.0 for attempt in came]
            worked = sum(w for attempt, w in zip(came, weight, strict=True) if attempt.heard.effect)
            drawn.append(gen.beta(1.0 + worked, 1.0 + sum(weight) - worked))
        return int(np.argmax(drawn))


PLUGIN = Plant
