"""Dresses bred from those that came furthest, one champion for every goal and family of carriers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeAlias

import numpy as np

from temper.attacks.injection._budget import within
from temper.attacks.injection._built import ways
from temper.attacks.injection._draw import carrier_family, crossed, drawn, mutated, one_of
from temper.attacks.injection._ladder import height
from temper.core.injection import Goal, Ground, Injection, Play, Shown
from temper.core.seed import Draws
from temper.core.target import Access

_Cell: TypeAlias = tuple[str, str]
_TIRED, _FRESH = 0.8, 0.1


@dataclass(slots=True)
class _Champion:
    """The injection of a cell, and how high it stands: a child that comes lower takes something of that away."""

    injection: Injection
    standing: float


@dataclass(slots=True)
class _Archive:
    """The champions, and the parents of what is being tried."""

    cells: dict[_Cell, _Champion] = field(default_factory=dict)
    parents: dict[Injection, tuple[_Champion, ...]] = field(default_factory=dict)

    def chosen(self, gen: np.random.Generator, goal: str = "") -> _Champion | None:
        """The highest of a few champions, of one goal or of all."""
        among = [one for cell, one in self.cells.items() if goal in ("", cell[0])]
        few = [one_of(among, gen) for _ in range(max(3, len(among) // 4))] if among else []
        return max(few, key=lambda one: one.standing, default=None)

    def keep(self, shown: Shown) -> None:
        """A champion gives way to one that comes as high as it stands."""
        if not shown.valid:
            return
        cell, reached = (shown.injection.goal, carrier_family(shown.injection.carrier)), height(shown)
        for parent in self.parents.pop(shown.injection, ()):
            parent.standing *= 1.0 if reached >= parent.standing else _TIRED
        if cell not in self.cells or reached >= self.cells[cell].standing:
            self.cells[cell] = _Champion(shown.injection, reached)


@dataclass(frozen=True, slots=True, kw_only=True)
class Genetic:
    """MAP-Elites: wrapper, way in, place and codes are the genes; each goal and family of carriers keeps the injection
    that came highest. A child is a champion of its goal in the dress of one of any goal, or one of any goal after this
    one, half the time with a gene changed; a champion whose children do worse sinks, so that luck does not reign. The
    first `seeds` of the budget, and every tenth child, are drawn at random.

    Misleads where nothing comes higher than anything else: then it is a random sample.
    Source: Mouret & Clune, "Illuminating search spaces by mapping elites", 2015; Samvelyan et al., "Rainbow teaming",
    2024.

    >>> Genetic(seeds=0.5)
    Genetic(batch=16, seeds=0.5)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = False
    batch: int = 16
    seeds: float = 0.25

    def run(self, ground: Ground, rng: Draws) -> Play:
        """A generation per batch, goals in turn."""
        return within(self._search(ground, rng.generator()), ground.attempts)

    def _search(self, ground: Ground, gen: np.random.Generator) -> Play:
        archive, done = _Archive(), 0
        while ground.goals:
            turns = [ground.goals[at % len(ground.goals)] for at in range(done, done + self.batch)]
            young = done < self.seeds * ground.attempts
            tried = tuple(drawn(ground, goal, gen) if young else _child(ground, archive, goal, gen) for goal in turns)
            done += self.batch
            for shown in (yield tried):
                archive.keep(shown)


def _child(ground: Ground, archive: _Archive, goal: Goal, gen: np.random.Generator) -> Injection:
    """A champion of this goal in the dress of any champion, or with its way in too, half of the time changed."""
    own, other = archive.chosen(gen, goal.id), archive.chosen(gen)
    if own is None or other is None or gen.random() < _FRESH:
        return drawn(ground, goal, gen)
    child = crossed(own.injection, other.injection, gen)
    if gen.random() < 0.5 and (other.injection.carrier, other.injection.task) in ways(ground, goal):
        child = replace(other.injection, goal=goal.id)
    child = mutated(child, ground, gen) if gen.random() < 0.5 else child
    archive.parents[child] = (own, other)
    return child


PLUGIN = Genetic
