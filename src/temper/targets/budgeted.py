"""A model that answers each client so many rows and then no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temper.core.target import Target
from temper.targets._wrapper import Alike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Budgeted(Alike):
    """Answers as `inner` does. Whoever serves it answers a client `rows` rows in the time the budget is for, then none.

    Who a client is, and when the time starts anew, is the service's business: a model does not know who asks. What is
    attacked here is a thief with `clients` identities. `volumes` are the rows that honest clients asked in that time.
    """

    rows: int
    clients: int
    volumes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "volumes", tuple(self.volumes))  # a file has lists

    @property
    def digest(self) -> str:
        """Of the inner model and the budget."""
        return self._digest(b"budgeted", repr((self.rows, self.clients)).encode())

    @property
    def within(self) -> int:
        """The rows a thief gets answered."""
        return self.rows * self.clients


def budget_of(target: Target) -> Budgeted | None:
    """The tightest budget that stands before a model, behind whatever else does; None where there is none."""
    found: list[Budgeted] = []
    held: Any = target
    while held is not None:
        found += [held] if isinstance(held, Budgeted) else []
        held = getattr(held, "inner", None)
    return min(found, key=lambda one: one.within, default=None)
