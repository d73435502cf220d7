"""Dresses bred from those that came furthest, one champion for every goal and family of carriers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from temper.attacks.injection._draw import carrier_family, crossed, drawn, mutated, one_of
from temper.attacks.injection._ladder import height
from temper.core.injection import Ground, Injection, Play, Shown
from temper.core.seed import Draws
from temper.core.target import Access

_Archive: TypeAlias = dict[tuple[str, str], tuple[float, Injection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Genetic:
    """MAP-Elites: wrapper, way in, place and codes are the genes; each goal and family of carriers keeps the injection
    that came highest, and children are a cross of two champions of a goal with one gene changed. The first `seeds` of
    the budget, and every tenth child, are drawn at random.

    Misleads where nothing comes higher than anything else: then it is a random sample.
    Source: Mouret & Clune, "Illuminating search spaces by mapping elites", 2015; Samvelyan et al., "Rainbow teaming",
    2024.

    >>> Genetic(seeds=0.5)
    Genetic(batch=32, seeds=0.5)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = False
    batch: int = 32
    seeds: float = 0.25

    def run(self, ground: Ground, rng: Draws) -> Play:
        """A generation per batch, goals in turn."""
        gen, archive, done = rng.generator(), _Archive(), 0
        while done < ground.attempts and ground.goals:
            size = min(self.batch, ground.attempts - done)
            young = done < self.seeds * ground.attempts
            tried = tuple(self._child(ground, archive, young, done + at, gen) for at in range(size))
            done += size
            for shown in (yield tried):
                _keep(archive, shown)

    def _child(self, ground: Ground, archive: _Archive, young: bool, turn: int, gen: np.random.Generator) -> Injection:
        goal = ground.goals[turn % len(ground.goals)]
        ours = [best for (name, _), (_, best) in archive.items() if name == goal.id]
        if young or not ours or gen.random() < 0.1:
            return drawn(ground, goal, gen)
        return mutated(crossed(_chosen(archive, goal.id, gen), _chosen(archive, "", gen), gen), ground, gen)


def _chosen(archive: _Archive, goal: str, gen: np.random.Generator) -> Injection:
    """The higher of two champions, of one goal or of all."""
    cells = [cell for name, cell in archive.items() if not goal or name[0] == goal]
    return max((one_of(cells, gen) for _ in range(2)), key=lambda cell: cell[0])[1]


def _keep(archive: _Archive, shown: Shown) -> None:
    """A champion gives way to one that comes as high: luck does not stay for ever."""
    cell, reached = (shown.injection.goal, carrier_family(shown.injection.carrier)), height(shown)
    if shown.valid and (cell not in archive or reached >= archive[cell][0]):
        archive[cell] = (reached, shown.injection)


PLUGIN = Genetic
