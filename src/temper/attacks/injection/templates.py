"""Every goal in every dress."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from temper.attacks.injection._built import ways
from temper.attacks.injection._draw import (
    POSITIONS,
    carrier_family,
    grouped,
    in_codes,
    in_turn,
    shuffled,
    spread,
    wrapper_family,
)
from temper.core.injection import Ground, Injection, Play
from temper.core.seed import Draws
from temper.core.target import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Goal x wrapper x carrier x position, and every codec by itself; where the budget is smaller than that, a sample
    spread evenly over goals, then over families of wrappers (codecs are one), then over families of carriers.

    Misleads where an assistant falls only for what is fitted to it: it learns nothing from answers, so a low rate says
    little of an attacker who does.
    Source: Liu et al., "Formalizing and benchmarking prompt injection attacks and defenses", 2024; carriers and
    positions are crossed as in Yi et al., "Benchmarking and defending against indirect prompt injection", 2023.

    >>> Templates(batch=8)
    Templates(batch=8, codecs=True)
    """

    needs: ClassVar[Access] = Access.CHAT
    needs_attacker: ClassVar[bool] = False
    batch: int = 4_096
    codecs: bool = True

    def run(self, ground: Ground, rng: Draws) -> Play:
        """Batches in an order that is even however early it ends; between two, nothing is on its way."""
        gen = rng.generator()
        open_ways = {ways(ground, goal) for goal in ground.goals}
        dresses = {way: grouped(list(self._dresses(ground, way)), (_kind, _part)) for way in open_ways}
        rows = [
            [(goal.id, dress) for dress in spread(dresses[ways(ground, goal)], gen)[: ground.attempts]]
            for goal in shuffled(ground.goals, gen)
        ]
        tried = [replace(dress, goal=goal) for goal, dress in in_turn(rows)[: ground.attempts]]
        for start in range(0, len(tried), self.batch):
            yield tuple(tried[start : start + self.batch])

    def _dresses(self, ground: Ground, open_ways: tuple[tuple[str, str], ...]) -> Iterator[Injection]:
        """The whole product for a goal that has these ways in."""
        for carrier, task in open_ways:
            for name in ground.wrappers:
                for position in POSITIONS if carrier else ("end",):
                    yield Injection(goal="", carrier=carrier, task=task, wrapper=name, position=position)
            plain = Injection(goal="", carrier=carrier, task=task)
            for name in ground.codecs if self.codecs else ():
                yield in_codes(plain, (name,), ground)


def _kind(dress: Injection) -> str:
    return "codec" if dress.codecs else wrapper_family(dress.wrapper)


def _part(dress: Injection) -> str:
    return dress.codecs[0] if dress.codecs else carrier_family(dress.carrier)


PLUGIN = Templates
