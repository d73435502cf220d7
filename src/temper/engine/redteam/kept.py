"""What a campaign leaves in the store: the attacks that worked, for replays, hardening and tests of your own, and what
came of every attempt, so that runs can be compared attempt by attempt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from temper.core.errors import TemperError
from temper.core.injection import Injection
from temper.core.run import Record
from temper.engine.redteam.answers import packed
from temper.engine.redteam.attempts import Attempt
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


TASK, TWIN = "task", "twin"
"""What tries nothing: an honest user's task, and the benign twin of an attack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one injection (of a strategy, or a twin) or task: per trial "1" yes, "0" no, "-" nobody can say.

    `key` is the same in every run that tries the same; `hits`, `served` and `blocked` say whether the goal was reached,
    whether the user's task was done and whether a guard stopped something.
    """

    by: str
    key: str
    goal: str = ""
    wrapper: str = ""
    carrier: str = ""
    codecs: tuple[str, ...] = ()
    hits: str = ""
    served: str = ""
    blocked: str = ""


def tried(found: Found) -> tuple[Tried, ...]:
    """Everything that was tried, in the order in which it was."""
    groups = [*sorted(found.attempts.items()), (TWIN, found.twins)]
    attacks = [_of(name, injection, one) for name, all_ in groups for injection, one in by_injection(all_).items()]
    tasks: dict[str, str] = {}
    for one in found.served:
        tasks[one.task] = tasks.get(one.task, "") + _mark(None if one.invalid else one.done)
    return (*attacks, *(Tried(by=TASK, key=name, served=marks) for name, marks in tasks.items()))


def _of(name: str, injection: Injection, attempts: Sequence[Attempt]) -> Tried:
    return Tried(
        by=name,
        key=hashlib.blake2b(packed(dump(injection)), digest_size=8).hexdigest(),
        goal=injection.goal,
        wrapper=injection.wrapper,
        carrier=injection.carrier,
        codecs=injection.codecs,
        hits=_marks(one.hit if one.valid else None for one in attempts),
        served=_marks(one.served if one.valid else None for one in attempts),
        blocked=_marks(bool(one.blocked) if one.valid else None for one in attempts),
    )


def _marks(events: Iterable[bool | None]) -> str:
    return "".join(map(_mark, events))


def _mark(event: bool | None) -> str:
    return "-" if event is None else str(int(event))


def keep(store: Store, key: str, found: Found, fresh: bool = False) -> None:
    """Write them under the key that findings name, and whether everything was asked anew for them."""
    kept = {"worked": [dump(one) for one in worked(found)], "tried": [dump(one) for one in tried(found)]}
    store.save_task(key, "redteam", kept | {"fresh": fresh})


def was_fresh(store: Store, record: Record) -> bool:
    """Whether a run asked everything anew: what belongs to it is then not to be answered from older runs."""
    kept = store.task(record.tasks[0]) if record.tasks else None
    return kept is not None and bool(kept[0].get("fresh", False))


def attempts(store: Store, key: str) -> tuple[Tried, ...]:
    """What a run tried; nothing where it kept none."""
    kept = store.task(key)
    return tuple(load(Tried, plain) for plain in kept[0].get("tried", ())) if kept is not None else ()


def recalled(store: Store, key: str) -> tuple[Worked, ...]:
    """What a run left under this key."""
    kept = store.task(key)
    if kept is None:
        raise TemperError("the attacks of that run are no longer in the store", fix="run temper redteam again")
    return tuple(load(Worked, plain) for plain in kept[0]["worked"])
