"""Techniques, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.campaign import Aim, Field, Tactic
from temper.core.seed import Draws
from temper.testing import technique

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Asks about rows it holds, and submits some as they are."""

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.MOVE,)
    needs: ClassVar[tuple[str, ...]] = ("threshold",)
    gives: ClassVar[tuple[str, ...]] = ("quiet",)
    references: ClassVar[tuple[str, ...]] = ()

    def play(self, field: Field, rng: Draws) -> Any:
        asked = field.ask(field.known.x[: field.left])
        if asked.answered.any():
            field.kept["quiet"] = field.kept["threshold"]
        rows = field.open[: field.left]
        field.submit(field.wanted.x[rows], rows)


class Burglar(Honest):
    """Asks the model by the back door."""

    def play(self, field: Field, rng: Draws) -> Any:
        field.door.ask(field.known.x[0], "one", 0.0)


class Boaster(Honest):
    """Says how well it did."""

    def play(self, field: Field, rng: Draws) -> Any:
        return {"success_rate": 0.93}


class Hoarder(Honest):
    """Keeps a success of its own."""

    def play(self, field: Field, rng: Draws) -> Any:
        field.kept["reached"] = True


class Endless(Honest):
    """Goes on when nothing is left."""

    def play(self, field: Field, rng: Draws) -> Any:
        while len(field.open):
            field.submit(field.wanted.x[[0]], [0])


class Forger(Honest):
    """Gives itself more."""

    def play(self, field: Field, rng: Draws) -> Any:
        field.left = 1_000


class Moody(Honest):
    """Begins elsewhere each time."""

    def play(self, field: Field, rng: Draws) -> Any:
        field.ask(field.known.x[[next(CALLS) % len(field.known)]])


class Scribbler(Honest):
    """Changes the rows it holds."""

    def play(self, field: Field, rng: Draws) -> Any:
        field.wanted.x[0, 0] = 0.0


class Liar(Honest):
    """Has found something although nobody answered."""

    def play(self, field: Field, rng: Draws) -> Any:
        field.ask(field.known.x[:1])
        field.kept["quiet"] = 1.0


class Sheltered(Honest):
    """Takes for granted that scores are told."""

    def play(self, field: Field, rng: Draws) -> Any:
        reply = field.ask(field.known.x[:5])
        if np.isnan(reply.scores[reply.answered]).any():
            raise technique.LawBroken("a score is missing")


class Trespasser(Honest):
    """Moves a column that is out of scope."""

    def play(self, field: Field, rng: Draws) -> Any:
        x = field.wanted.x[:1].copy()
        x[0, 1] = (x[0, 1] + 1) % 24
        field.submit(x, [0])


class Surprised(Honest):
    """Uses a copy that it does not say it needs."""

    def play(self, field: Field, rng: Draws) -> Any:
        field.kept["copy"].scores(field.known.x)


INNOCENT = Honest
BITES = {
    technique.law_reaches_only_the_field: (Burglar,),
    technique.law_reports_no_success: (Boaster, Hoarder),
    technique.law_ends_with_its_turn: (Endless, Forger),
    technique.law_same_seed_asks_the_same: (Moody,),
    technique.law_leaves_rows_alone: (Scribbler,),
    technique.law_copes_with_silence: (Liar,),
    technique.law_copes_with_bare_decisions: (Sheltered,),
    technique.law_stays_in_scope: (Trespasser,),
    technique.law_needs_what_it_says: (Surprised,),
}
