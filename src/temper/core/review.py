"""People and the cases they decide: who may do what, where a case stands, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from temper.core.errors import TemperError


class Conflict(TemperError):
    """Somebody or something else was quicker: a lease ran out, a version is old, a case is closed."""


class Forbidden(TemperError):
    """This person may not: their role has not the right, the account is closed, or the case is not theirs to decide."""


class Right(StrEnum):
    """What an address of the console or a change of the control store takes, one word for each."""

    READ = "read"
    """See runs, findings, jobs, cases, monitoring and incidents."""
    ORDER = "order"
    """Start assessments, and have findings tried again."""
    PROPOSE = "propose"
    """Put up what others have to approve: policies, waivers, runs."""
    DECIDE = "decide"
    """Claim and decide cases of clients, and take alerts."""
    AUDIT = "audit"
    """Read who did what, and how far people agree."""
    RESPOND = "respond"
    """Open, change and close incidents, silence alerts, try playbooks without effect."""
    APPROVE = "approve"
    """Put in force what somebody else proposed, and plant cases that measure people."""
    OPERATE = "operate"
    """Set breaker and kill switch, run playbooks, take a model back."""
    ADMINISTER = "administer"
    """See people and keys, and speak for others."""


class Role(Enum):
    """A named set of rights, `RIGHTS` says which. Roles have no order: ask for a right."""

    VIEWER = "viewer"
    TESTER = "tester"
    VALIDATOR = "validator"
    ANALYST = "analyst"
    APPROVER = "approver"
    ADMIN = "admin"

    @property
    def label(self) -> str:
        """The role as people write it.

        >>> Role.ADMIN.label
        'admin'
        """
        return self.value


_TESTS = frozenset({Right.READ, Right.ORDER, Right.PROPOSE})
RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.TESTER: _TESTS,
    Role.VALIDATOR: _TESTS | {Right.AUDIT},
    Role.ANALYST: _TESTS | {Right.DECIDE},
    Role.APPROVER: _TESTS | {Right.DECIDE, Right.AUDIT, Right.RESPOND, Right.APPROVE},
    Role.ADMIN: frozenset(Right),
}
"""Who may do what: the one table that says it."""

DESK = (Role.ANALYST, Role.APPROVER, Role.ADMIN)
"""Who decides cases, the junior first: where two differ, somebody above both does."""


class State(StrEnum):
    """Where a case stands. In `second` and `escalated` an owner may hold it too: `owner` and `lease` say so."""

    OPEN = "open"
    CLAIMED = "claimed"
    SECOND = "second"
    ESCALATED = "escalated"
    CLOSED = "closed"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """Whether nothing more can be decided."""
        return self in (State.CLOSED, State.EXPIRED)


class Ruling(StrEnum):
    """A reviewer's verdict on a case (`Verdict` is what Temper says of a model)."""

    ALLOW = "allow"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who signs in. `disabled` people can do nothing and stay in the records."""

    name: str
    role: Role
    disabled: bool = False
    created: float = 0.0

    def may(self, right: Right) -> bool:
        """Whether their role has this right."""
        return right in RIGHTS[self.role]

    def decides(self, level: Role) -> bool:
        """Whether they may decide a case of this level.

        >>> [Person(name="ann", role=role).decides(Role.APPROVER) for role in (Role.ANALYST, Role.ADMIN, Role.TESTER)]
        [False, True, False]
        """
        return self.may(Right.DECIDE) and DESK.index(self.role) >= DESK.index(level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One reviewer's decision on a case, in the round it was given.

    `seen` is the SHA-256 of the case as the page showed it, "" where no page did.
    """

    review: int
    round: int
    reviewer: str
    verdict: Ruling
    reason: str
    at: float
    seen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request that waits for a person, as one viewer may see it.

    `version` is the fencing token: whoever decides names the version they claimed. `owner` holds the case until
    `lease` (seconds since 1970); a lease that has run out holds nothing. `decisions` stays empty for whoever has not
    decided while a second, blind answer is wanted. `outcome` is there once the case is closed or expired, but not for
    whoever may be asked to look at it again. `level` is the role it takes to decide,
    `overdue` what becomes of it if nobody decides by `due`.
    """

    id: int
    request: str
    payload: Mapping[str, Any] = field(repr=False)
    state: State
    priority: int
    due: float | None
    eyes: int
    round: int
    level: Role
    owner: str | None
    lease: float
    version: int
    created: float
    outcome: Ruling | None
    closed: float | None
    overdue: Ruling = Ruling.BLOCK
    decisions: tuple[Opinion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What people found about a request, to be learnt from. `agreed` is None where one person alone decided."""

    request: str
    payload: Mapping[str, Any] = field(repr=False)
    verdict: Ruling
    agreed: bool | None
    at: float
