"""Approvals of runs by two people or more: one had it made, one puts it up, others approve it with their own keys.

What is approved is one run, to the byte, of one model; who had the run made or put it up does not approve it, and the
table says so again. A signature is checked when it is given and whenever an approval is relied on. Where the policy
takes somebody's word for it, a console says what they would have signed, and that nobody did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from temper.core.errors import TemperError
from temper.core.review import Conflict, Forbidden, Right
from temper.store.codec import to_json
from temper.store.control import audit, wording
from temper.store.control.database import Database, Row, Transaction
from temper.store.control.people import allowed
from temper.store.control.signers import current
from temper.store.signed import opened, said

ASKS, APPROVES = Right.PROPOSE, Right.APPROVE
FORMAT = "temper.approval/1"
"""What a statement says it is."""
TYPE = "application/vnd.temper.approval+json"
"""The type of what is signed: a signature made for something else is none here."""
CONSOLE = "console"
"""Through what a statement without a signature was made."""
DECISIONS = {"approve": "approved", "reject": "rejected", "withdraw": "withdrawn"}
_ABOUT = ("run", "system", "digest", "model", "verdict", "maker")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is put up: a run, the SHA-256 of its stored document, its model and verdict, and who had it made."""

    run: str
    system: str
    digest: str
    model: str
    verdict: str
    maker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one person decided. `envelope` is the statement (DSSE), signed or not, "" for whoever only withdrew or
    rejected.
    """

    person: str
    decision: str
    reason: str
    envelope: str = field(repr=False)
    at: float

    @property
    def signed(self) -> bool:
        """Whether it carries a signature; whose that is, `standing` looks at."""
        return bool(self.envelope) and said(self.envelope, TYPE) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A run that was put up by `author` and takes `needs` approvals, each `signed` with a key of whoever gives it or
    also by their word; `version` grows with every vote.
    """

    id: int
    about: About
    author: str
    reason: str
    needs: int
    created: float
    state: str
    version: int
    signed: bool = True
    votes: tuple[Vote, ...] = ()

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who approved it."""
        return tuple(one.person for one in self.votes if one.decision == "approve")


class Approvals:
    """The approvals of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, about: About, needs: int, by: str, reason: str, now: float, *, signed: bool = True) -> Approval:
        """Put a run up for approval by so many people. One request of a run is open at a time."""
        reason = wording.reason(reason)
        with self._database.write() as tx:
            allowed(tx, by, ASKS)
            there = tx.one(
                "SELECT id FROM approval WHERE run = ? AND digest = ? AND state = 'open'", about.run, about.digest
            )
            if there is not None:
                raise Conflict(
                    f"run {about.run} is up for approval already, as number {there['id']}", fix="decide that"
                )
            new = tx.one(
                "INSERT INTO approval (run, system, digest, model, verdict, maker, author, reason, needs, created, "
                "signed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                *(getattr(about, name) for name in _ABOUT),
                *(by, reason, needs, now, int(signed)),
            )
            row = _row(tx, int(new["id"]) if new else 0)
            audit.write(tx, now, by, "approval.ask", str(row["id"]), **_request(row))
            return _approval(tx, row)

    def decide(
        self, id: int, decision: str, by: str, reason: str, envelope: str, now: float, *, version: int | None = None
    ) -> Approval:
        """Approve, reject or withdraw. An approval comes with its statement, signed where the request asks for it. With
        `version`, that of the request
        as it was seen, another vote in between is a `Conflict`, and nothing of it is lost.
        """
        reason = wording.reason(reason)
        with self._database.write() as tx:
            row = _row(tx, id)
            _unmoved(row, decision, version)
            _entitled(tx, row, decision, by)
            if decision == "approve":
                _signed(tx, row, by, reason, envelope)
            many = len([vote for vote in _votes(tx, id) if vote.decision == "approve"])
            state = DECISIONS[decision] if decision != "approve" or many + 1 >= row["needs"] else "open"
            tx.all("UPDATE approval SET state = ?, version = version + 1 WHERE id = ?", state, id)
            _voted(tx, row, decision, by, reason, envelope, now)
            return _approval(tx, _row(tx, id))

    def get(self, id: int) -> Approval:
        """One request with its votes; raises `TemperError` where there is none."""
        with self._database.read() as tx:
            return _approval(tx, _row(tx, id))

    def page(self, limit: int = 50) -> list[Approval]:
        """The newest first, whatever became of them."""
        with self._database.read() as tx:
            return _approvals(tx, tx.all("SELECT * FROM approval ORDER BY id DESC LIMIT ?", limit))

    def of(self, *, run: str = "", model: str = "") -> list[Approval]:
        """Every request of a run, or of a model, the newest first."""
        sql = "SELECT * FROM approval WHERE (run = ? OR ? = '') AND (model = ? OR ? = '') ORDER BY id DESC"
        with self._database.read() as tx:
            return _approvals(tx, tx.all(sql, run, run, model, model))

    def standing(self, model: str, *, signed: bool = True) -> list[Approval]:
        """The approvals of a model that hold: complete, withdrawn by nobody, each signature by a key of its person.
        Without `signed` the word of people counts too, where their request took it.
        """
        with self._database.read() as tx:
            rows = tx.all("SELECT * FROM approval WHERE model = ? AND state = 'approved' ORDER BY id DESC", model)
            keys = {row["key"]: row["person"] for row in tx.all("SELECT key, person FROM signer")}
            found = _approvals(tx, rows)
        return [one for one in found if all(_holds(one, vote, keys, signed) for vote in one.votes)]

    def astray(self) -> list[str]:
        """Votes that are not as the audit says; empty where all are."""
        with self._database.read() as tx:
            rows = tx.all("SELECT subject, who, action, at, detail FROM audit WHERE action LIKE 'approval.%'")
            votes = tx.all("SELECT * FROM approval_vote")
            asked = tx.all("SELECT * FROM approval")
        told = {(row["subject"], row["who"], row["action"], row["at"], row["detail"]) for row in rows}
        there = {_told(vote) for vote in votes} | {_asked(row) for row in asked}
        wrong = {(one[0], one[1]) for one in told ^ there}
        return [f"approval {number} was changed, by whoever it says {who} is" for number, who in sorted(wrong)]


def statement(
    one: Approval, decision: str, by: str, reason: str, at: float, ledger: Mapping[str, Any]
) -> dict[str, Any]:
    """What somebody signs: the run to the byte, its model and verdict, and the ledger as it stood."""
    return {
        "format": FORMAT,
        "approval": one.id,
        **{name: getattr(one.about, name) for name in _ABOUT},
        "author": one.author,
        "decision": decision,
        "by": by,
        "reason": reason,
        "at": at,
        "ledger": dict(ledger),
    }


def _unmoved(row: Row, decision: str, version: int | None) -> None:
    if decision not in DECISIONS:
        raise TemperError(f"nobody can {decision[:20]!r} a run", fix=f"use one of {', '.join(DECISIONS)}")
    if row["state"] != "open" and not (decision == "withdraw" and row["state"] == "approved"):
        raise Conflict(f"approval {row['id']} is {row['state']}", fix="put the run up again")
    if version is not None and version != row["version"]:
        raise Conflict(f"somebody else decided on approval {row['id']} meanwhile", fix="look at it again")


def _entitled(tx: Transaction, row: Row, decision: str, by: str) -> None:
    """Who put it up may take it back, and so may whoever approved it."""
    voted = [vote for vote in _votes(tx, row["id"]) if vote.person == by and vote.decision == "approve"]
    own = by == row["author"] and decision in ("reject", "withdraw")
    allowed(tx, by, ASKS if own else APPROVES)
    if decision != "approve":
        return
    if by in (row["maker"], row["author"]):
        what = "had run {} made" if by == row["maker"] else "put run {} up"
        raise Forbidden(f"{by} {what.format(row['run'])}", fix="somebody else has to approve it")
    if voted:
        raise Conflict(f"{by} has approved it already", fix="it takes somebody else")


def _signed(tx: Transaction, row: Row, by: str, reason: str, envelope: str) -> None:
    """The statement is about this run, by this person, under the key that is theirs now; or it says that nobody signed
    it, where that is enough.
    """
    word = said(envelope, TYPE)
    if word is not None and row["signed"]:
        raise Forbidden(
            f"approval {row['id']} takes a signature", fix=f"temper approve {row['run']} --as {by} --key {by}.key"
        )
    found = _under(tx, by, envelope) if word is None else word
    wanted = {name: row[name] for name in (*_ABOUT, "author")} | {
        "format": FORMAT, "approval": row["id"], "decision": "approve", "by": by, "reason": reason,
    } | ({} if word is None else {"through": CONSOLE})  # fmt: skip
    if off := sorted(name for name, value in wanted.items() if found.get(name) != value):
        raise Forbidden(f"what was signed is about something else: {', '.join(off)}", fix="sign what is put up")


def _under(tx: Transaction, by: str, envelope: str) -> dict[str, Any]:
    """What this person has signed with the key that is theirs now."""
    key = current(tx, by)
    if key is None:
        raise Forbidden(
            f"{by} has no key to sign with", fix=f"temper sign --new-key {by}; temper people key {by} {by}.pub"
        )
    found = opened(envelope, TYPE, key)
    if found is None:
        raise Forbidden(
            f"that is not signed by the key of {by}", fix="sign with the key that `temper people key` was given"
        )
    return found


def _voted(tx: Transaction, row: Row, decision: str, by: str, reason: str, envelope: str, now: float) -> None:
    last = tx.one("SELECT coalesce(max(seq), 0) AS seq FROM approval_vote")
    vote = {
        "seq": (last["seq"] if last else 0) + 1, "approval": row["id"], "person": by, "maker": row["maker"],
        "author": row["author"], "decision": decision, "reason": reason, "envelope": envelope, "at": now,
    }  # fmt: skip
    marks = ", ".join("?" * len(vote))
    tx.all(f"INSERT INTO approval_vote ({', '.join(vote)}) VALUES ({marks})", *vote.values())
    audit.write(tx, now, by, f"approval.{decision}", str(row["id"]), **_detail(vote))


def _detail(vote: Mapping[str, Any]) -> dict[str, Any]:
    told = {"vote": vote["seq"], "reason": vote["reason"], "envelope": sha256(vote["envelope"].encode()).hexdigest()}
    return told | ({} if said(vote["envelope"], TYPE) is None else {"through": CONSOLE})


def _request(row: Row) -> dict[str, Any]:
    """What the audit says of a request; that it takes people's word only where it does: older rows keep theirs."""
    told = {name: row[name] for name in (*_ABOUT, "needs", "reason")}
    return told | ({} if row["signed"] else {"signed": False})


def _told(vote: Row) -> tuple[Any, ...]:
    """The row of the audit that belongs to a vote."""
    text = to_json(_detail(vote))
    return str(vote["approval"]), vote["person"], f"approval.{vote['decision']}", vote["at"], text


def _asked(row: Row) -> tuple[Any, ...]:
    """The row of the audit that belongs to a request."""
    text = to_json(_request(row))
    return str(row["id"]), row["author"], "approval.ask", row["created"], text


def _holds(one: Approval, vote: Vote, keys: Mapping[str, str], signed: bool) -> bool:
    """Whether a key of this person signed it, one that has ended since included; or whether their word is enough."""
    if vote.decision != "approve" or not (vote.signed or signed or one.signed):
        return True
    return any(person == vote.person and opened(vote.envelope, TYPE, key) is not None for key, person in keys.items())


def _row(tx: Transaction, id: int) -> Row:
    row = tx.one("SELECT * FROM approval WHERE id = ?", id)
    if row is None:
        raise TemperError(f"there is no approval {id}", fix="`temper approvals list` shows which there are")
    return row


def _votes(tx: Transaction, id: int) -> tuple[Vote, ...]:
    rows = tx.all("SELECT * FROM approval_vote WHERE approval = ? ORDER BY seq", id)
    return tuple(
        Vote(**{name: row[name] for name in ("person", "decision", "reason", "envelope", "at")}) for row in rows
    )


def _approvals(tx: Transaction, rows: Iterable[Row]) -> list[Approval]:
    return [_approval(tx, row) for row in rows]


def _approval(tx: Transaction, row: Row) -> Approval:
    kept = {name: row[name] for name in ("id", "author", "reason", "needs", "created", "state", "version")}
    about = About(**{name: row[name] for name in _ABOUT})
    return Approval(about=about, votes=_votes(tx, row["id"]), signed=bool(row["signed"]), **kept)
