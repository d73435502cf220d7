"""Injections drawn and changed at random: the moves that strategies without a model share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import zip_longest
from typing import Any, TypeVar

import numpy as np

from temper.attacks.injection._built import ways
from temper.attacks.injection._catalogue import carriers, wrappers
from temper.core.injection import Goal, Ground, Injection
from temper.kernels.codecs import alphabets, bases, ciphers, hidden, markup, spelling
from temper.kernels.codecs.table import codec

Item = TypeVar("Item")
POSITIONS = ("start", "middle", "end")
_MOST_CODECS, _SHED = 2, 0.7


def one_of(items: Sequence[Item], gen: np.random.Generator) -> Item:
    """One of them, each as probable as the others."""
    return items[int(gen.integers(len(items)))]


def shuffled(items: Sequence[Item], gen: np.random.Generator) -> list[Item]:
    """The same in random order."""
    return [items[at] for at in gen.permutation(len(items))]


def interleaved(items: Sequence[Item], keys: Sequence[Callable[[Item], Any]], gen: np.random.Generator) -> list[Item]:
    """A random order whose every beginning is spread evenly over the first key, within it over the second, and on."""
    return spread(grouped(items, keys), gen)


def grouped(items: Sequence[Item], keys: Sequence[Callable[[Item], Any]]) -> Any:
    """Lists of items in a tree of dicts, one level per key."""
    if not keys:
        return items
    groups: dict[Any, list[Item]] = {}
    for item in items:
        groups.setdefault(keys[0](item), []).append(item)
    return {name: grouped(group, keys[1:]) for name, group in groups.items()}


def spread(tree: Any, gen: np.random.Generator) -> list[Any]:
    """What `grouped` made, in a random order that takes one of every branch in turn."""
    if not isinstance(tree, dict):
        return shuffled(tree, gen)
    return in_turn([spread(tree[name], gen) for name in shuffled(list(tree), gen)])


def in_turn(rows: Sequence[Sequence[Item]]) -> list[Item]:
    """The first of every row, then the second of every row that has one, and on."""
    gap = object()
    return [item for column in zip_longest(*rows, fillvalue=gap) for item in column if item is not gap]  # type: ignore[misc]


def wrapper_family(name: str) -> str:
    """The family of a wrapper."""
    return wrappers()[name].family


def carrier_family(name: str) -> str:
    """The family of a carrier, "user" for what is typed."""
    return carriers()[name].family if name else "user"


@cache
def _families() -> dict[str, str]:
    parts = {"base": bases, "cipher": ciphers, "alphabet": alphabets, "hidden": hidden, "markup": markup,
             "spelling": spelling}  # fmt: skip
    return {one.name: family for family, part in parts.items() for one in part.CODECS}


def codec_family(name: str) -> str:
    """The family of a codec, "none" for no codec."""
    return _families().get(name, "other") if name else "none"


def drawn(ground: Ground, goal: Goal, gen: np.random.Generator, coded: float = 0.3) -> Injection:
    """An injection for this goal: a wrapper, a way in and a place by families, codecs with the chance `coded`."""
    carrier, task = drawn_way(ground, goal, gen)
    injection = Injection(
        goal=goal.id,
        wrapper=of_a_family(ground.wrappers, wrapper_family, gen),
        carrier=carrier,
        task=task,
        position=one_of(POSITIONS, gen) if carrier else "end",
    )
    if ground.codecs and gen.random() < coded:
        injection = in_codes(injection, (of_a_family(ground.codecs, codec_family, gen),), ground)
    return injection


def drawn_way(ground: Ground, goal: Goal, gen: np.random.Generator) -> tuple[str, str]:
    """A way in for this goal, its family first."""
    return of_a_family(ways(ground, goal), lambda way: carrier_family(way[0]), gen)


def of_a_family(items: Sequence[Item], family: Callable[[Item], str], gen: np.random.Generator) -> Item:
    """One of them, every family as probable as the others."""
    chosen = one_of(sorted({family(item) for item in items}), gen)
    return one_of([item for item in items if family(item) == chosen], gen)


def in_codes(injection: Injection, codecs: tuple[str, ...], ground: Ground) -> Injection:
    """The injection written in these codes; where they are not read at sight, a bare order is said to be coded."""
    told = injection.wrapper == "plain" and not all(codec(name).readable for name in codecs)
    told = told and "decode" in ground.wrappers
    return replace(injection, codecs=codecs, wrapper="decode" if told else injection.wrapper)


def mutated(injection: Injection, ground: Ground, gen: np.random.Generator) -> Injection:
    """The same with one part changed: wrapper, way in, place or codes."""
    goal = next(goal for goal in ground.goals if goal.id == injection.goal)
    move = int(gen.integers(4))
    if move == 0:
        return replace(injection, wrapper=of_a_family(ground.wrappers, wrapper_family, gen))
    if move == 1:
        carrier, task = drawn_way(ground, goal, gen)
        return replace(injection, carrier=carrier, task=task, position=injection.position if carrier else "end")
    if move == 2 and injection.carrier:
        return replace(injection, position=one_of(POSITIONS, gen))
    return replace(injection, codecs=_other_codes(injection.codecs, ground, gen))


def crossed(one: Injection, other: Injection, gen: np.random.Generator) -> Injection:
    """The first in the dress of the second: wrapper and codes together, as they work together, mostly the place too."""
    place = other.position if one.carrier and other.carrier and gen.random() < 0.8 else one.position
    return replace(one, wrapper=other.wrapper, codecs=other.codecs, position=place)


def _other_codes(codecs: tuple[str, ...], ground: Ground, gen: np.random.Generator) -> tuple[str, ...]:
    """One code fewer, more often than one more."""
    if codecs and (gen.random() < _SHED or len(codecs) >= _MOST_CODECS):
        gone = int(gen.integers(len(codecs)))
        return codecs[:gone] + codecs[gone + 1 :]
    return (*codecs, of_a_family(ground.codecs, codec_family, gen)) if ground.codecs else codecs
