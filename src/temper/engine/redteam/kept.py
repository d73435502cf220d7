"""What a campaign leaves in the store: the attacks that worked, for replays, hardening and tests of your own."""

from __future__ import annotations

from dataclasses import dataclass

from temper.core.errors import TemperError
from temper.core.injection import Injection
from temper.engine.redteam.campaign import Found, by_injection
from temper.store.codec import dump, load
from temper.store.database import Store

_MOST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """An injection that reached its goal: how often, who found it, and whether it is the smallest form for its aim."""

    injection: Injection
    by: str
    hits: int
    valid: int
    smallest: bool = False


def worked(found: Found) -> tuple[Worked, ...]:
    """The attacks that worked, the smallest form of each aim first, then the rest by how often they did."""
    small = [
        Worked(
            injection=one.minimal or one.injection,
            by=one.by,
            hits=sum(a.hit for a in one.minimal_fresh or one.fresh),
            valid=sum(a.valid for a in one.minimal_fresh or one.fresh),
            smallest=True,
        )
        for one in found.strongest.values()
        if any(a.hit for a in one.fresh)
    ]
    rest = [
        Worked(injection=injection, by=name, hits=sum(a.hit for a in tried), valid=sum(a.valid for a in tried))
        for name, attempts in found.attempts.items()
        for injection, tried in by_injection(attempts).items()
        if any(a.hit for a in tried)
    ]
    rest.sort(key=lambda one: -one.hits / one.valid)
    return (*small, *rest[:_MOST])


def keep(store: Store, key: str, found: Found) -> None:
    """Write them under the key that findings name."""
    store.save_task(key, "redteam", {"worked": [dump(one) for one in worked(found)]})


def recalled(store: Store, key: str) -> tuple[Worked, ...]:
    """What a run left under this key."""
    kept = store.task(key)
    if kept is None:
        raise TemperError("the attacks of that run are no longer in the store", fix="run temper redteam again")
    return tuple(load(Worked, plain) for plain in kept[0]["worked"])
