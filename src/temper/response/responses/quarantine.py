"""A client kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.errors import ConfigError
from temper.core.incident import Acted
from temper.response.context import Context
from temper.response.responses._policy import policy_of
from temper.response.responses._put import put

ANSWERS = ("review", "block")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Lets people look at every request of a client (`review`), or lets none of them reach the model (`block`), by the
    group of its key or its name.

    Reviewed requests wait for people, and a client that asks much fills their queue. Other keys it has are not known.
    """

    risky: ClassVar[bool] = True
    client: str = ""
    answer: str = "review"

    def __post_init__(self) -> None:
        if self.answer not in ANSWERS:
            raise ConfigError(f"a client kept apart cannot get {self.answer!r}", fix=f"use {' or '.join(ANSWERS)}")

    def act(self, context: Context) -> Acted:
        if not self.client:
            raise ConfigError(
                "no client is named", fix="name one as the ledger does: the group of its key, or its name"
            )
        policy = policy_of(context)
        options = dict(policy.get("quarantine") or {})
        kept = list(options.get("clients", ()) if options.get("mode") == "enforce" else ())
        if self.client in kept and options.get("answer", ANSWERS[0]) == self.answer:
            return Acted(found=f"{self.client} is kept apart already, with {self.answer}")
        clients = [*dict.fromkeys([*kept, self.client])]
        stage = options | {"mode": "enforce", "clients": clients, "answer": self.answer}
        others = f", as {', '.join(kept)} are" if set(kept) - {self.client} else ""
        found = f"{len(kept)} clients are kept apart"
        does = f"{self.client} is kept apart with {self.answer}{others}"
        return put(context, "policy", policy | {"quarantine": stage}, found, does)


PLUGIN = Quarantine
