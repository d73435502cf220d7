"""A defence turns a target and its data into a hardened target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from temper.core.data import Data
from temper.core.seed import Draws
from temper.core.target import Target


class Defence(Protocol):
    """A frozen keyword-only dataclass in one file of `hardening/`.

    Fields the engine hands in where they exist: `schema`, `inner` (an attack on training rows), `budget` (the ball to
    train for), `threshold` (the operating point). `ladder: ClassVar` lists other settings, mild to strong, that are
    worth trying; `needs: ClassVar` the `Access` without which it cannot even be tried. `of_data: ClassVar` True says
    that it changes what a model is fitted on, so that the model of clean data may stay as it is.
    """

    def apply(self, target: Target, data: Data, rng: Draws) -> Target:
        """A hardened target; the one passed in is unchanged. Raises `Unsupported` where it cannot be applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a defence did to one metric on the same rows: before, after, the paired difference and its interval."""

    defence: str
    metric: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    n: int
    p_value: float | None = None
    better: str = "lower"
    verdict: str = "no clear change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a hardening tried on the system of the run `before`, kept by the run of what it made: the effects of every
    defence, which were `taken`, in words what became of each, and of those that could not be tried why not.
    """

    before: str
    taken: tuple[str, ...]
    effects: tuple[Effect, ...]
    outcomes: tuple[tuple[str, str], ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
