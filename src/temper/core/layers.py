"""Attempts at a guarded system, and which of its layers stop each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.errors import TemperError

Array = np.ndarray[Any, Any]
PEOPLE, MODEL = "people", "model"
"""Layers of these names: who looks at what others hand on, and the model's own threshold."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attempts:
    """What every layer says of every attempt, whether or not one before it has stopped it.

    `layers` stand in the order in which an attempt meets them. `stops` (n, layers) says which of them stop it by
    themselves. `worth` (n,) is what it costs those it harms where nothing stops it: 0 where it fails by itself; of an
    attempt that is `honest` (n,), what it costs that it is refused. `actor` (n,) numbers who is behind it: attempts of
    one actor fail and succeed together, so intervals draw actors, not attempts. `asks` (n, layers) says which layers
    hand it to a person rather than refuse it (None: none does): that stops an attempt that harms, and delays an honest
    one. `adaptive`: the actors knew the layers that stood there and had asked them. `exclusive`: what was tried one way
    cannot be tried another way as well, so whoever has several ways has to choose one before he knows how it goes.

    Where people are a layer of their own (`PEOPLE`, before `MODEL`, which decides nothing that they are asked), `stops`
    are refusals alone, and `looked` (n,) says which part of an attempt people stop where it is handed to them: they may
    err. Without them nobody looks, and what is handed on goes on.

    >>> two = Attempts(
    ...     layers=("quota", "anomaly"),
    ...     stops=np.array([[True, False], [False, False]]),
    ...     worth=np.array([10.0, 5.0]),
    ...     actor=np.array([0, 1]),
    ...     honest=np.array([False, False]),
    ... )
    >>> two.passed(["anomaly"]).tolist(), two.passed(["quota", "anomaly"]).tolist()
    ([True, True], [False, True])
    """

    layers: tuple[str, ...]
    stops: Array
    worth: Array
    actor: Array
    honest: Array
    adaptive: bool = False
    exclusive: bool = False
    asks: Array | None = None
    looked: Array | None = None

    def __post_init__(self) -> None:
        n = len(self.worth)
        if self.stops.shape != (n, len(self.layers)) or len(self.actor) != n or len(self.honest) != n:
            raise TemperError(f"{n} attempts at {len(self.layers)} layers do not have {self.stops.shape} answers")
        if self.asks is not None and self.asks.shape != self.stops.shape:
            raise TemperError(f"{self.stops.shape} answers do not have {self.asks.shape} questions to people")
        if (PEOPLE in self.layers) != (self.looked is not None):
            raise TemperError("people are a layer where it is said what they recognise, and nowhere else")

    def passed(self, standing: Collection[str]) -> Array:
        """Which attempts (n,) none of these layers stops; where people err, which part of each."""
        if self.looked is not None:
            first, asked = self.met(standing)
            return np.where(asked, 1.0 - self.looked, first < 0)
        at = [self.layers.index(name) for name in standing]
        through: Array = np.logical_not(self.stops[:, at].any(axis=1))
        return through

    def met(self, standing: Collection[str]) -> tuple[Array, Array]:
        """What becomes of each attempt before these layers: the position (n,) of the first that stops it or hands it to
        a person, -1 where none does, and whether a person is asked. Where people are a layer, they are that position.
        """
        asks = np.zeros_like(self.stops) if self.asks is None else self.asks
        there = np.array([name in standing for name in self.layers])
        acts = (self.stops if self.looked is not None else self.stops | asks) & there
        if self.looked is not None and PEOPLE in standing:
            acts[:, self.layers.index(PEOPLE)] = (asks & there).any(axis=1)
        first = np.where(acts.any(axis=1), acts.argmax(axis=1), -1)
        if self.looked is not None:
            return first, first == self.layers.index(PEOPLE)
        return first, (first >= 0) & asks[np.arange(len(first)), first]

    @property
    def objects(self) -> Array:
        """Which layers (n, layers) stop an attempt or hand it on."""
        return self.stops if self.asks is None else self.stops | self.asks

    def beside(self, other: Attempts) -> Attempts:
        """These attempts and those of `other`, before the same layers."""
        names = ("stops", "worth", "actor", "honest", *(("looked",) if self.looked is not None else ()))
        both: dict[str, Any] = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names}
        asks = [np.zeros_like(one.stops) if one.asks is None else one.asks for one in (self, other)]
        return replace(self, **both, asks=np.concatenate(asks))

    def of(self, chosen: Array) -> Attempts:
        """Only the attempts that this mask (n,) names."""
        names = ("stops", "worth", "actor", "honest", "asks", "looked")
        rows: dict[str, Any] = {}
        for name in names:
            rows[name] = None if (kept := getattr(self, name)) is None else kept[chosen]
        return replace(self, **rows)


Against = Callable[[frozenset[str]], Attempts]
"""What is attempted anew where these layers stand, and no others: actors who know them are asked for every set."""
