"""A copy of the model, within the account's quota."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.attacks._queries import invent
from temper.attacks.technique._asking import Lessons, level, sent
from temper.core.campaign import Aim, Field, Tactic
from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Steal:
    """Ask about rows held and rows made up, once there is a copy half of them where it is least sure, fit a copy to all
    that was ever answered, and keep it with the threshold that the answers show.

    Where the guard holds up what is made up and lets held rows pass, only held rows are asked from then on. Misleads as
    a bound where the attacker holds few rows, and about linear models, which fewer questions solve exactly
    (`extraction.equation_solving`).
    Source: Tramèr et al., "Stealing machine learning models via prediction APIs", 2016; active sampling from Pal et
    al., "ActiveThief", 2020.

    >>> Steal(natural=1.0).near
    0.5
    """

    tactic: ClassVar[Tactic] = Tactic.STAGING
    aims: ClassVar[tuple[Aim, ...]] = (Aim.MOVE, Aim.STEAL)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("copy", "threshold", "natural")
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0005", "atlas:AML.T0024.002")
    natural: float = 0.5
    near: float = 0.5
    wide: float = 0.1
    mixed: float = 0.5
    pool: int = 10

    def __post_init__(self) -> None:
        shares = all(0.0 <= share <= 1.0 for share in (self.natural, self.near, self.wide, self.mixed))
        if not shares or self.pool < 1:
            raise TemperError(f"{self} cannot be meant", fix="natural, near, wide and mixed are shares, pool from 1")

    def play(self, field: Field, rng: Draws) -> None:
        """Everything this turn has goes into one batch of questions."""
        lessons, draws = Lessons.of(field), rng.generator(len(field.heard[0]))
        x, made = self._questions(field, field.left, draws)
        if not len(x):
            return
        reply = sent(field, x)
        edge = float(field.kept.get("threshold", level(reply.scores, reply.flagged & ~reply.held)))
        lessons.learn(x, reply, edge)
        if _held_up(reply.held, made):
            field.kept["natural"] = True
            field.say("rows that are made up are held up: only held rows are asked from now on")
        if (copy := lessons.copy(field)) is not None:
            field.kept["copy"], field.kept["threshold"] = copy, edge

    def _questions(self, field: Field, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Rows to ask about, and which of them are made up: those of the attacker's own that nobody was asked yet come
        first.
        """
        known = np.asarray(field.known.x, dtype=float)
        share = 1.0 if field.kept.get("natural") or len(known) < 2 else self.natural
        own = known[~_among(known, field.heard[0])]
        own = own[rng.permutation(len(own))][: round(share * n)]
        if share == 1.0 or len(own) == n:
            return own, np.zeros(len(own), dtype=bool)
        invented = self._invented(field, known, n - len(own), rng)
        return np.concatenate([own, invented]), np.arange(len(own) + len(invented)) >= len(own)

    def _invented(self, field: Field, known: Array, n: int, rng: np.random.Generator) -> Array:
        copy = field.kept.get("copy")
        close = round(self.near * n) if copy is not None else 0
        fresh = invent(field.schema, known, n - close, rng, self.wide, self.mixed)
        if copy is None or not close:
            return fresh
        many = invent(field.schema, known, self.pool * close, rng, self.wide, self.mixed)
        unsure = np.abs(copy.scores(many) - float(field.kept.get("threshold", 0.5)))
        return np.concatenate([fresh, many[np.argsort(unsure, kind="stable")[:close]]])


def _held_up(held: Array, made: Array) -> bool:
    """Whether the guard holds up made-up rows, most of them and far more than held ones."""
    usual = float(held[~made].mean()) if (~made).any() else 0.0
    return bool(made.any()) and float(held[made].mean()) > 0.5 + usual / 2


def _among(x: Array, others: Array) -> Array:
    """Which rows are among the others."""
    there = {row.tobytes() for row in np.ascontiguousarray(others, dtype=float)}
    return np.array([row.tobytes() in there for row in np.ascontiguousarray(x, dtype=float)], dtype=bool)


PLUGIN = Steal
