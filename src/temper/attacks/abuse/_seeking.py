"""What several moves share: the dresses that have worked, and a strategy followed for a turn."""

from __future__ import annotations

from collections.abc import Callable

from temper.core.abuse import Exposed, Heard
from temper.core.injection import Injection


def followed(
    field: Exposed,
    strategy: str,
    act: Callable[[Injection], Heard],
    *,
    typed: bool = False,
    coded: bool = False,
    keeps: bool = True,
) -> int:
    """Do what a strategy proposes until nothing is left of this turn; how many worked, which are kept as dresses."""
    found = 0
    tasks: tuple[str, ...] = () if typed else field.kept.get("read", ())
    while field.left > 0:
        proposed = field.propose(strategy, typed=typed, coded=coded, tasks=tasks)
        if proposed is None:
            break
        before = field.left
        if act(proposed).effect:
            found += 1
            keep(field, proposed) if keeps else None
        if field.left == before:  # the rest of this turn does not pay for it
            break
    return found


def keep(field: Exposed, injection: Injection) -> None:
    """One more dress that has worked."""
    known: tuple[Injection, ...] = field.kept.get("dresses", ())
    if injection not in known:
        field.kept["dresses"] = (*known, injection)
