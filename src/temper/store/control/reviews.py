"""The queue of cases that people decide.

A claim is a lease: it runs out, and then the case is anybody's again. Every change of hands raises the case's version,
and a decision names the version it is about, so that a slow browser decides nothing that has moved on (a fencing
token). With two pairs of eyes the second person does not see the first one's answer; where they differ, a third with
a higher role decides. Whatever is overdue gets what its policy says, the safe default, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from temper.core.errors import TemperError
from temper.core.review import DESK, Case, Conflict, Forbidden, Opinion, Person, Right, Role, Ruling, State
from temper.store.codec import to_json
from temper.store.control import agreement, audit, case, exercises, wording
from temper.store.control.agreement import Agreement
from temper.store.control.database import Database, Row, Transaction
from temper.store.control.people import allowed

LEASE = 300.0
LARGEST = 262_144
WAITING = "state NOT IN ('closed', 'expired')"
_CLAIM = (
    "UPDATE review SET owner = ?, lease = ?, version = version + 1, "
    "state = CASE state WHEN 'open' THEN 'claimed' ELSE state END "
    f"WHERE id = (SELECT id FROM review r WHERE {WAITING} AND lease <= ? AND level <= ? AND due > ? AND NOT EXISTS "
    "(SELECT 1 FROM decision d WHERE d.reviewer = ? AND d.review IN "
    "(r.id, (SELECT origin FROM exercise WHERE review = r.id))) AND NOT EXISTS "
    "(SELECT 1 FROM exercise e WHERE e.review = r.id AND e.author = ?) ORDER BY priority DESC, due, id LIMIT 1) "
    "RETURNING *"
)


class Reviews:
    """The review queue of a control store. A reviewer is the name of a person with the right to decide."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(
        self,
        request: str,
        payload: Mapping[str, Any],
        now: float,
        *,
        priority: int = 0,
        due: float | None = None,
        eyes: int = 1,
        overdue: Ruling | str = Ruling.BLOCK,
    ) -> int:
        """Put a request before people: the id of its case. Told twice of one request, it is one case, the first. What
        nobody decides until `due` (a day from now, where that is not said) gets `overdue`.
        """
        wording.identifier(request, "the id of a request")
        text, action = _fitting(payload), str(_ruling(overdue))
        if eyes not in (1, 2):
            raise TemperError(f"a case is decided by 1 or 2 people, not {eyes}", fix="give eyes=1 or eyes=2")
        with self._database.write() as tx:
            if old := tx.one("SELECT id FROM review WHERE request = ?", request):
                return int(old["id"])
            new = tx.one(
                "INSERT INTO review (request, payload, state, priority, due, eyes, overdue, created) "
                "VALUES (?, ?, 'open', ?, ?, ?, ?, ?) RETURNING id",
                *(request, text, priority, now + case.DUE if due is None else due, eyes, action, now),
            )
            identity = int(new["id"]) if new else 0
            audit.write(tx, now, "gateway", "review.enqueue", str(identity), request=request, eyes=eyes)
        return identity

    def claim(self, reviewer: str, now: float, *, lease: float = LEASE) -> Case | None:
        """The most urgent case this person may decide, theirs until the lease ends; None where there is none."""
        _positive(lease)
        with self._database.write() as tx:
            seniority = DESK.index(allowed(tx, reviewer, Right.DECIDE).role) + 1
            row = tx.one(_CLAIM, reviewer, now + lease, now, seniority, now, reviewer, reviewer)
            return _claimed(tx, row, reviewer, now) if row else None

    def claim_one(self, id: int, reviewer: str, now: float, *, lease: float = LEASE) -> Case:
        """This very case, theirs until the lease ends; their own again with a new version. Raises `Conflict`."""
        _positive(lease)
        with self._database.write() as tx:
            row = _waiting(tx, id, now)
            _senior(tx, reviewer, case.level(row))
            if row["lease"] > now and row["owner"] != reviewer:
                raise Conflict(f"case {id} is held by {row['owner']}", fix="take another, or wait for the lease to end")
            if tx.one("SELECT 1 AS given FROM decision WHERE review = ? AND reviewer = ?", id, reviewer):
                raise Conflict(f"{reviewer} has decided case {id} already", fix="leave it to somebody else")
            if exercises.barred(tx, id, reviewer):
                raise Conflict(f"case {id} is for others than {reviewer} to decide", fix="take another case")
            state = State.CLAIMED if row["state"] == State.OPEN else row["state"]
            sql = "UPDATE review SET owner = ?, lease = ?, version = version + 1, state = ? WHERE id = ? RETURNING *"
            taken = tx.one(sql, reviewer, now + lease, str(state), id)
            return _claimed(tx, taken or row, reviewer, now)

    def renew(self, id: int, reviewer: str, version: int, now: float, *, lease: float = LEASE) -> Case:
        """Hold a case for longer; the version stays, so that an open form stays good."""
        _positive(lease)
        with self._database.write() as tx:
            _held(tx, id, reviewer, version, now)
            tx.all("UPDATE review SET lease = ? WHERE id = ?", now + lease, id)
            audit.write(tx, now, reviewer, "review.renew", str(id))
            return case.read(tx, id, reviewer)

    def release(self, id: int, reviewer: str, version: int, now: float) -> Case:
        """Put a case back undecided."""
        with self._database.write() as tx:
            row = _held(tx, id, reviewer, version, now)
            state = State.OPEN if row["state"] == State.CLAIMED else row["state"]
            _moved(tx, id, str(state))
            audit.write(tx, now, reviewer, "review.release", str(id))
            return case.read(tx, id, reviewer)

    def decide(
        self,
        id: int,
        reviewer: str,
        verdict: Ruling | str,
        reason: str,
        token: str,
        version: int,
        now: float,
        *,
        seen: str = "",
        shows: Callable[[Case], str] | None = None,
    ) -> Case:
        """Answer a case that one holds. `token` names the form: sent twice, it counts once. `shows` gives the digest of
        what a page shows of a case and `seen` that of the page the answer was given on, which is kept with it.

        Raises `Conflict` where the lease has run out, the version is old, the case is closed or no longer what was
        seen, and `Forbidden` where the person may no longer decide.
        """
        ruling, reason = _ruling(verdict), wording.reason(reason)
        wording.identifier(token, "the token of a decision")
        with self._database.write() as tx:
            if not _said_before(tx, id, reviewer, ruling, token):
                row = _held(tx, id, reviewer, version, now)
                _senior(tx, reviewer, case.level(row))
                if shows is not None and shows(case.seen(tx, row, reviewer)) != seen:
                    raise Conflict(f"case {id} is not what this page showed any more", fix="look at it again")
                given = _given(tx, row, reviewer, (ruling, reason, token, seen if shows else ""), now)
                state = _settle(tx, row, ruling, now)
                detail = {"decision": given["seq"], "digest": audit.opinion_digest(given), "state": str(state)}
                audit.write(tx, now, reviewer, "review.decide", str(id), **detail, seen=given["seen"])
            return case.read(tx, id, reviewer)

    def expire(self, now: float) -> list[Case]:
        """Close what is overdue with what its policy says, held or not: the cases of clients that were closed so."""
        with self._database.write() as tx:
            rows = tx.all(
                "UPDATE review SET state = 'expired', outcome = overdue, closed = ?, owner = NULL, lease = 0, "
                f"version = version + 1 WHERE {WAITING} AND due <= ? RETURNING id, outcome",
                *(now, now),
            )
            rulings = {row["id"]: row["outcome"] for row in sorted(rows, key=lambda row: row["id"])}
            lapsed = {number for number in rulings if exercises.is_one(tx, number)}
            for number, ruling in rulings.items():
                action = "exercise.lapse" if number in lapsed else "review.expire"
                audit.write(tx, now, "clock", action, str(number), outcome=ruling)
            return [case.read(tx, number, None) for number in rulings if number not in lapsed]

    def get(self, id: int, viewer: str | None = None) -> Case:
        """A case as this person may see it, or as anybody may. Raises `TemperError` where there is none."""
        with self._database.read() as tx:
            return case.read(tx, id, viewer)

    def page(
        self, state: State | str | None = None, limit: int = 50, offset: int = 0, viewer: str | None = None
    ) -> list[Case]:
        """Cases in the order they are claimed in; `state=None` is all that wait for a person."""
        where, values = (WAITING, ()) if state is None else ("state = ?", (str(State(state)),))
        sql = f"SELECT * FROM review WHERE {where} ORDER BY priority DESC, due, id LIMIT ? OFFSET ?"
        with self._database.read() as tx:
            return [case.seen(tx, row, viewer) for row in tx.all(sql, *values, limit, offset)]

    def past(self, id: int, limit: int = 200) -> list[Case]:
        """What people have closed of late, to hold this case against; what only the clock decided is not among it."""
        with self._database.read() as tx:
            return case.past(tx, id, limit)

    def counts(self) -> dict[State, int]:
        """How many cases stand in each state."""
        with self._database.read() as tx:
            rows = tx.all("SELECT state, count(*) AS n FROM review GROUP BY state")
        found = {row["state"]: row["n"] for row in rows}
        return {state: found.get(str(state), 0) for state in State}

    def waiting(self, until: float) -> tuple[int, int]:
        """How many cases of clients wait for people, and how many of them are due by then, overdue ones among them."""
        sql = (
            "SELECT count(*) AS every, count(CASE WHEN due <= ? THEN 1 END) AS soon "
            f"FROM review WHERE {WAITING} AND {case.REAL}"
        )
        with self._database.read() as tx:
            row = tx.one(sql, until)
        return (int(row["every"]), int(row["soon"])) if row else (0, 0)

    def erase(self, requests: Sequence[str], by: str, now: float) -> int:
        """Let go for good of what clients sent in the cases of these records: how many of them there are. The audit
        says that it was done, and what was decided stays. Labels of them have no rows from then on.

        Misleads where copies exist: backups, labels that have left, old pages of the database until they are reused.
        """
        with self._database.write() as tx:
            return sum(case.erase(tx, request, by, now) for request in requests)

    def stuck(self) -> frozenset[int]:
        """Which cases of clients nobody may decide any more, unless a person comes: until they are due."""
        with self._database.read() as tx:
            return case.stuck(tx)

    def agreement(self) -> Agreement:
        """How far people agree where the second was blind, and how they answer cases whose answer is known."""
        with self._database.read() as tx:
            found = agreement.read(tx)
        return agreement.measured(found)


def _claimed(tx: Transaction, row: Row, reviewer: str, now: float) -> Case:
    audit.write(tx, now, reviewer, "review.claim", str(row["id"]), version=row["version"])
    return case.seen(tx, row, reviewer)


def _waiting(tx: Transaction, id: int, now: float) -> Row:
    row = case.row(tx, id)
    if State(row["state"]).final:
        raise Conflict(f"case {id} is {row['state']} with {row['outcome']}", fix="take another case")
    if row["due"] <= now:
        raise Conflict(f"case {id} is overdue and gets its default, {row['overdue']}", fix="take another case")
    return row


def _held(tx: Transaction, id: int, reviewer: str, version: int, now: float) -> Row:
    """The case, if this person holds it in this version at this time."""
    row = _waiting(tx, id, now)
    if row["owner"] != reviewer or row["lease"] <= now:
        raise Conflict(f"{reviewer} does not hold case {id} (any more)", fix="claim it again")
    if row["version"] != version:
        raise Conflict(f"case {id} has moved on from version {version} to {row['version']}", fix="load it again")
    return row


def _said_before(tx: Transaction, id: int, reviewer: str, ruling: Ruling, token: str) -> bool:
    row = tx.one("SELECT review, reviewer, verdict FROM decision WHERE token = ?", token)
    if row is None:
        return False
    if (row["review"], row["reviewer"], row["verdict"]) != (id, reviewer, str(ruling)):
        raise Conflict("this form was used for another decision", fix="load the case again")
    return True


def _given(tx: Transaction, row: Row, reviewer: str, answer: tuple[Ruling, str, str, str], now: float) -> Row:
    ruling, reason, token, seen = answer
    tx.all(
        "INSERT INTO decision (review, round, reviewer, verdict, reason, token, seen, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        *(row["id"], row["round"], reviewer, str(ruling), reason, token, seen, now),
    )
    # SQLite's RETURNING tells -1 for the number of a row whose table has a trigger before insertion.
    return tx.one("SELECT * FROM decision WHERE token = ?", token) or {}


def _settle(tx: Transaction, row: Row, ruling: Ruling, now: float) -> State:
    """Where the case stands after this decision."""
    number = row["id"]
    opinions = case.opinions(tx, number)
    if row["round"] < row["eyes"]:
        _moved(tx, number, "second", 2)
        return State.SECOND
    if row["round"] == 2 and opinions[0].verdict is not ruling:
        _moved(tx, number, "escalated", 3, _above(tx, opinions))
        return State.ESCALATED
    tx.all(
        "UPDATE review SET state = 'closed', outcome = ?, closed = ?, owner = NULL, lease = 0, version = version + 1 "
        "WHERE id = ?",
        *(str(ruling), now, number),
    )
    exercises.again(tx, row, now)
    return State.CLOSED


def _moved(tx: Transaction, id: int, state: str, turn: int | None = None, level: Role | None = None) -> None:
    """Nobody's, in another state, perhaps in another round that takes another role."""
    tx.all(
        "UPDATE review SET state = ?, owner = NULL, lease = 0, version = version + 1, "
        "round = coalesce(?, round), level = coalesce(?, level) WHERE id = ?",
        *(state, turn, None if level is None else DESK.index(level) + 1, id),
    )


def _above(tx: Transaction, opinions: list[Opinion]) -> Role:
    """The role that settles a disagreement: above both, or the highest there is."""
    rows = [tx.one("SELECT role FROM person WHERE name = ?", opinion.reviewer) for opinion in opinions]
    held = [Role(row["role"]) for row in rows if row]
    senior = max((DESK.index(role) for role in held if role in DESK), default=0)
    return DESK[min(senior + 1, len(DESK) - 1)]


def _senior(tx: Transaction, reviewer: str, level: Role) -> Person:
    """The person, if they may decide a case of this level; raises `Forbidden`."""
    person = allowed(tx, reviewer, Right.DECIDE)
    if not person.decides(level):
        raise Forbidden(
            f"this takes the role {level.label}, {reviewer} has {person.role.label}",
            fix="leave it to somebody who has it",
        )
    return person


def _ruling(verdict: Ruling | str) -> Ruling:
    try:
        return Ruling(verdict)
    except ValueError:
        raise TemperError(f"{verdict!r} is no verdict", fix="use allow or block") from None


def _fitting(payload: Mapping[str, Any]) -> str:
    try:
        text = to_json(dict(payload))
    except (TypeError, ValueError) as error:
        raise TemperError(f"the payload of a case is plain JSON: {error}", fix="leave out what is not") from error
    if len(text) > LARGEST:
        raise TemperError(f"the payload of a case has over {LARGEST} bytes", fix="keep what a person looks at")
    return text


def _positive(lease: float) -> None:
    if not 0.0 < lease < math.inf:
        raise TemperError(f"a lease lasts some seconds, not {lease}", fix="give a positive number")
