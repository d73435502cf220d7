"""Whose turn is when, and with how many cores: by what is at stake, then what presses, then the longest first."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from temper.core.errors import TemperError
from temper.core.fleet import Level, Refused, Situation

_GUESS = {"quick": 30.0, "standard": 120.0, "deep": 600.0}
"""Seconds of a system that nobody has assessed yet; only the order depends on it."""
_WORTH = 20.0
"""Seconds below which several cores gain less than their start costs."""


def cost(one: Situation) -> float:
    """Seconds that its assessment is expected to take: as long as the last ones did."""
    return one.seconds or _GUESS[one.entry.tier.suite]


def ranked(fleet: Sequence[Situation]) -> list[Situation]:
    """The order of turns. Within a tier, what is stale, adrift, failing or never tried goes first, and of these the
    longest, so that short ones are left for the end, where they fill what the long ones leave idle.
    """
    return sorted(fleet, key=lambda one: (-one.entry.tier.priority, not one.urgent, -cost(one), one.entry.name))


def chosen(fleet: Sequence[Situation], tiers: Collection[str], only: Sequence[str]) -> list[Situation]:
    """Those of these tiers and of these names, globs, owners or tags; a word that means nothing is refused."""
    for tier in tiers:
        if tier not in tuple(Level):
            raise TemperError(f"--tier {tier}: there is no such tier", fix=f"use {', '.join(Level)}")
    for word in only:
        if not any(_means(word, one) for one in fleet):
            raise TemperError(f"--only {word}: no system has this name, owner or tag", fix="see `temper fleet status`")
    of_tiers = [one for one in fleet if not tiers or one.entry.level in tiers]
    return [one for one in of_tiers if not only or any(_means(word, one) for word in only)]


def _means(word: str, one: Situation) -> bool:
    entry = one.entry
    return fnmatchcase(entry.name, word) or word in (entry.owner, *entry.tags)


def cores(one: Situation, others: float, waiting: int, free: int, slots: int) -> int:
    """How many of the free cores it is given, where `waiting` systems of so many seconds, `others`, come after it. One,
    but where it would still be running when they are done, or where more cores are free than systems are left: then its
    tasks are spread.
    """
    mine = cost(one)
    if mine < _WORTH or free < 2:
        return 1
    alone = math.ceil(mine * slots / (mine + others))
    return max(1, min(free, max(alone, free // (1 + waiting))))


def told_apart(fleet: Sequence[Situation], *, shared: bool) -> tuple[list[Situation], list[Refused]]:
    """Those whose runs can be told apart in a store they share: runs go by the name of their system."""
    firsts: dict[str, Situation] = {}
    twins = []
    for one in fleet if shared else ():
        first = firsts.setdefault(one.system or one.entry.config, one)
        if first is not one:
            why = f"{one.entry.name}: {first.entry.where} is a system {one.system!r}, too, and they share a store"
            twins.append(Refused(where=one.entry.where, why=f"{why}; give each a `system: name:`"))
    return [*firsts.values()] if shared else [*fleet], twins
