"""Who was in the training data, by what the endpoint tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.attacks.technique._asking import sent
from temper.core.campaign import Aim, Field, Reply, Tactic
from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.seed import Draws

_END, _FEWEST = 1e-4, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Ask about every suspect once, and call those members of which the model is surer than models of the attacker's
    own, fitted to the rows held: the upper `share` by the difference of log odds. Where no score is told, ask about
    changed copies as far as the quota goes: members are those whose decision holds.

    Plays once the quota of a turn holds a question for every suspect; it goes on where an earlier turn stopped.
    Misleads where the attacker's rows are few or of another kind: then the difference is one of models, not of
    membership; and about rare rows, which every model is sure of.
    Source: Zarifzadeh, Liu & Shokri, "Low-cost high-power membership inference attacks", 2024; Choquette-Choo et al.,
    "Label-only membership inference attacks", 2021.

    >>> Member(twins=2).share
    0.5
    """

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.LEARN,)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("members", "suspected")
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0024.000",)
    twins: int = 4
    share: float = 0.5
    swapped: float = 0.15
    copies: int = 12

    def __post_init__(self) -> None:
        if self.twins < 1 or self.copies < 1 or not 0 < self.share < 1 or not 0 < self.swapped < 1:
            raise TemperError(f"{self} cannot be meant", fix="twins and copies from 1, shares between 0 and 1")

    def play(self, field: Field, rng: Draws) -> None:
        """Questions about those who were not asked yet; guesses once everybody was."""
        suspects = np.asarray(field.suspects, dtype=float)
        if not len(suspects) or "members" in field.kept:
            return
        signal = list(field.kept.get("suspected", []))
        part = suspects[len(signal) :][: field.left]
        reply = sent(field, part)
        if len(part) and not reply.answered.all():
            part = part[: int(reply.answered.argmin())]
        if not len(part):
            return
        told = reply.scores[: len(part)]
        signal += (told if not np.isnan(told).any() else self._held(field, part, reply, rng)).tolist()
        field.kept["suspected"] = signal
        if len(signal) == len(suspects):
            field.kept["members"] = self._guessed(field, suspects, np.array(signal), rng).tolist()

    def _guessed(self, field: Field, suspects: Array, signal: Array, rng: Draws) -> Array:
        """The upper share: surer of its own decision than the attacker's own models are."""
        own = _line(signal)
        others = np.mean([_line(one) for one in self._twins(field, suspects, rng)] or [np.zeros(len(own))], axis=0)
        surer = np.sign(own) * (own - others)
        order = np.argsort(-surer, kind="stable")
        members = np.zeros(len(own), dtype=bool)
        members[order[: round(self.share * len(own))]] = True
        return members

    def _twins(self, field: Field, suspects: Array, rng: Draws) -> list[Array]:
        """What models fitted to halves of the rows held say of the suspects; none where one class is all there is."""
        x, y = np.asarray(field.known.x, dtype=float), np.asarray(field.known.y, dtype=float)
        said = []
        for turn in range(self.twins):
            half = rng.child("twin").generator(turn).permutation(len(x))[: max(len(x) // 2, 1)]
            if len(half) >= _FEWEST and 0 < y[half].mean() < 1:
                said.append(np.asarray(field.fit_copy(x[half], y[half]).scores(suspects), dtype=float))
        return said

    def _held(self, field: Field, x: Array, reply: Reply, rng: Draws) -> Array:
        """The share of changed copies that are decided as the row is, as a score on that side; each value of a copy is
        that of another suspect with probability `swapped`.
        """
        n, d = x.shape
        each = min(self.copies, field.left // max(n, 1))
        rows, own = np.arange(n), np.asarray(reply.flagged[:n])
        kept = np.zeros(n)
        for turn in range(each):
            other = rng.integers(rows, 2 * turn, n, (d,))
            swap = rng.uniform(rows, 2 * turn + 1, (d,)) < self.swapped
            kept += sent(field, np.where(swap, np.take_along_axis(x, other, axis=0), x)).flagged == own
        held = (kept + 0.5) / (each + 1.0)
        return np.where(own, 0.5 + held / 2, 0.5 - held / 2)


def _line(p: Array) -> Array:
    return np.asarray(np.log(np.clip(p, _END, 1 - _END)) - np.log(np.clip(1 - p, _END, 1 - _END)))


PLUGIN = Member
