"""Policies of the guard: proposed by one person, approved by another, and followed by every gateway on this store.

What is approved is what was looked at: a proposal never changes, and one that was made against another policy than the
one that holds now is refused. Going back takes one person, because it leads only to what two have agreed on before. A
playbook may override in an emergency, and that is shown until somebody goes back or approves another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from temper.core.errors import TemperError
from temper.core.review import Conflict, Forbidden, Right
from temper.store.codec import from_json, to_json
from temper.store.control import audit, wording
from temper.store.control.database import Database, Row, Transaction
from temper.store.control.people import allowed
from temper.store.control.records import Record, latest, unchanged, write

PROPOSES, APPROVES = Right.PROPOSE, Right.APPROVE
STATES = ("open", "approved", "rejected", "retired")
LARGEST = 65_536
KIND = "policy"
_NEWEST = "SELECT * FROM policy WHERE state = 'approved' ORDER BY record DESC LIMIT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a difference; None where there is nothing on that side."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A policy somebody proposed. `digest` is what decisions under it would name with the model of that day, `judge`
    who approved or rejected it with the words `note`, `record` the record that put it in force.
    """

    id: int
    value: Mapping[str, Any] = field(repr=False)
    before: Mapping[str, Any] = field(repr=False)
    base: int
    digest: str
    author: str
    reason: str
    created: float
    state: str
    judge: str | None
    note: str | None
    decided: float | None
    record: int | None

    def changes(self) -> list[Change]:
        """What it changes, by the name of each option."""
        old, new = dict(_flat(self.before)), dict(_flat(self.value))
        return [
            Change(path=path, before=old.get(path), after=new.get(path))
            for path in sorted(old.keys() | new.keys())
            if old.get(path) != new.get(path)
        ]


class Policies:
    """The policies of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def propose(
        self, value: Mapping[str, Any], before: Mapping[str, Any], digest: str, by: str, reason: str, now: float
    ) -> Proposal:
        """Propose a whole policy against the one that holds, `before`. It has been seen to work; here it is kept."""
        reason, text, old = wording.reason(reason), _fitting(value), _fitting(before)
        if text == old:
            raise TemperError("this policy is the one that holds", fix="change something in it")
        with self._database.write() as tx:
            allowed(tx, by, PROPOSES)
            base = _in_force(tx)
            new = tx.one(
                "INSERT INTO policy (value, before, base, digest, author, reason, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
                *(text, old, base, digest, by, reason, now),
            )
            number = int(new["id"]) if new else 0
            audit.write(tx, now, by, "policy.propose", str(number), value=from_json(text), base=base, reason=reason)
            return _proposal(_row(tx, number))

    def approve(self, id: int, by: str, note: str, now: float) -> Proposal:
        """Put a proposal in force. Raises `Forbidden` for whoever proposed it, `Conflict` where it is open no more or
        another policy holds than the one it was compared with.
        """
        note = wording.reason(note)
        with self._database.write() as tx:
            allowed(tx, by, APPROVES)
            row = _open(tx, id)
            if row["author"] == by:
                raise Forbidden(f"{by} proposed policy {id}", fix="somebody else has to approve it")
            if row["base"] != _in_force(tx):
                raise Conflict(f"the policy has changed since {id} was proposed", fix="propose it again")
            seq = write(tx, KIND, row["value"], by, note, now)
            _decide(tx, id, "approved", by, note, now, seq)
            audit.write(tx, now, by, "policy.approve", str(id), record=seq, author=row["author"], note=note)
            return _proposal(_row(tx, id))

    def reject(self, id: int, by: str, note: str, now: float) -> Proposal:
        """Turn a proposal down; whoever made it may take it back so."""
        note = wording.reason(note)
        with self._database.write() as tx:
            row = _open(tx, id)
            allowed(tx, by, PROPOSES if row["author"] == by else APPROVES)
            _decide(tx, id, "rejected", by, note, now, None)
            audit.write(tx, now, by, "policy.reject", str(id), author=row["author"], note=note)
            return _proposal(_row(tx, id))

    def rollback(self, by: str, reason: str, now: float, *, after: int | None = None) -> Proposal | None:
        """Go back to the policy approved before the one that holds: what holds now, None for that of temper.yaml. Where
        one holds that no second person saw, it is back to the last that was approved. `after` as for `Records.put`.
        """
        reason = wording.reason(reason)
        with self._database.write() as tx:
            allowed(tx, by, APPROVES)
            unchanged(tx, KIND, after)
            approved = tx.all("SELECT * FROM policy WHERE state = 'approved' ORDER BY record DESC LIMIT 2")
            overridden = _unseen(tx, approved)
            if not (approved or overridden):
                raise TemperError(
                    "no policy is in force that could be taken back", fix="`temper policy list` shows all"
                )
            if not overridden:
                tx.all("UPDATE policy SET state = 'retired' WHERE id = ?", approved.pop(0)["id"])
            back = approved[0] if approved else None
            seq = write(tx, KIND, back["value"] if back else to_json(None), by, reason, now)
            to = back["id"] if back else None
            audit.write(tx, now, by, "policy.rollback", str(seq), to=to, overridden=bool(overridden), reason=reason)
            return _proposal(back) if back else None

    def override(self, value: Mapping[str, Any] | None, by: str, reason: str, now: float) -> Record:
        """Set a policy without a second person, for a playbook in an emergency: it is told apart from an approved one
        until somebody goes back or approves another.
        """
        reason, text = wording.reason(reason), to_json(None) if value is None else _fitting(value)
        with self._database.write() as tx:
            seq = write(tx, KIND, text, by, reason, now)
            audit.write(tx, now, by, "policy.override", str(seq), reason=reason)
        return Record(seq=seq, kind=KIND, value=from_json(text), by=by, reason=reason, at=now)

    def overridden(self) -> Record | None:
        """The policy that holds, where no second person saw it."""
        with self._database.read() as tx:
            return _unseen(tx, tx.all(_NEWEST))

    def get(self, id: int) -> Proposal:
        """One proposal; raises `TemperError` where there is none."""
        with self._database.read() as tx:
            return _proposal(_row(tx, id))

    def page(self, limit: int = 50) -> list[Proposal]:
        """The newest proposals first, whatever became of them."""
        with self._database.read() as tx:
            return [_proposal(row) for row in tx.all("SELECT * FROM policy ORDER BY id DESC LIMIT ?", limit)]

    def in_force(self) -> Proposal | None:
        """The proposal that holds now; None where temper.yaml's own policy does, or one that no second person saw."""
        with self._database.read() as tx:
            rows = tx.all(_NEWEST)
            return None if not rows or _unseen(tx, rows) else _proposal(rows[0])

    def record(self) -> Record | None:
        """What gateways follow; its value None, or no record at all, is the policy of temper.yaml."""
        with self._database.read() as tx:
            return latest(tx, KIND)


def _unseen(tx: Transaction, approved: list[Row]) -> Record | None:
    """The record that holds, if it is neither what was approved last nor the way back to temper.yaml."""
    record = latest(tx, KIND)
    seen = from_json(approved[0]["value"]) if approved else None
    return record if record is not None and record.value != seen else None


def _in_force(tx: Transaction) -> int:
    record = latest(tx, KIND)
    return 0 if record is None else record.seq


def _row(tx: Transaction, id: int) -> Row:
    row = tx.one("SELECT * FROM policy WHERE id = ?", id)
    if row is None:
        raise TemperError(f"there is no policy {id}", fix="`temper policy list` shows which there are")
    return row


def _open(tx: Transaction, id: int) -> Row:
    row = _row(tx, id)
    if row["state"] != "open":
        raise Conflict(f"policy {id} was {row['state']} by {row['judge']}", fix="propose it again")
    return row


def _decide(tx: Transaction, id: int, state: str, by: str, note: str, now: float, record: int | None) -> None:
    sql = "UPDATE policy SET state = ?, judge = ?, note = ?, decided = ?, record = ? WHERE id = ?"
    tx.all(sql, state, by, note, now, record, id)


def _fitting(value: Mapping[str, Any]) -> str:
    try:
        text = to_json(dict(value))
    except (TypeError, ValueError) as error:
        raise TemperError(
            f"a policy is plain JSON: {error}", fix="use text, finite numbers, lists, mappings"
        ) from error
    if len(text) > LARGEST:
        raise TemperError(f"a policy of {len(text):,} bytes", fix=f"keep to {LARGEST:,}")
    return text


def _flat(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, inner in value.items():
        path = f"{above}{name}"
        if isinstance(inner, Mapping) and inner:
            yield from _flat(inner, f"{path}.")
        else:
            yield path, inner if isinstance(inner, str) else to_json(inner)


def _proposal(row: Row) -> Proposal:
    kept = {name: row[name] for name in row if name not in ("value", "before")}
    return Proposal(value=from_json(row["value"]), before=from_json(row["before"]), **kept)
