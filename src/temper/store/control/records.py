"""What people set for the gateway to follow: the breaker, the kill switch, the policy, the model. Nothing is erased."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temper.core.errors import StoreError, TemperError
from temper.core.review import Conflict, Forbidden
from temper.store.codec import from_json, to_json
from temper.store.control import audit, wording
from temper.store.control.database import Database, Row, Transaction

KINDS = ("breaker", "kill", "policy", "model")
APPROVED = "policy"
"""The kind that takes two people: it is put by `Policies` alone."""
SWITCHES: dict[str, tuple[bool | str, ...]] = {"kill": (True, False), "breaker": ("automatic", "open", "closed")}
"""Every value that a switch can have: one that the gateway would read as something else is not written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What holds since `at`, until the next of its kind."""

    seq: int
    kind: str
    value: Any
    by: str
    reason: str
    at: float


class Records:
    """The records of a control store, in the order they were put."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, kind: str, value: Any, by: str, reason: str, now: float, *, after: int | None = None) -> Record:
        """Set what holds from now on. Going back is putting the earlier value again. With `after`, the seq of the
        record that was seen to hold (0 for none), another one in between is a `Conflict`.

        `value` is one of SWITCHES for the breaker and the kill switch, and plain JSON for the rest. A policy takes two
        people and is none of them: `Policies`.
        """
        text, reason = _json(value), wording.reason(reason)
        _switchable(_known(kind), text)
        if kind == APPROVED:
            raise Forbidden("a policy takes two people", fix="propose it, and let somebody else approve it")
        with self._database.write() as tx:
            unchanged(tx, kind, after)
            seq = write(tx, kind, text, by, reason, now)
        return Record(seq=seq, kind=kind, value=from_json(text), by=by, reason=reason, at=now)

    def current(self, kind: str) -> Record | None:
        """What holds; None where nothing was ever put."""
        with self._database.read() as tx:
            return latest(tx, kind)

    def history(self, kind: str) -> list[Record]:
        """Everything that was put, the newest first."""
        with self._database.read() as tx:
            return [
                _record(row) for row in tx.all("SELECT * FROM record WHERE kind = ? ORDER BY seq DESC", _known(kind))
            ]

    def version(self) -> int:
        """A number that grows with every put: one small read tells a worker whether to look again."""
        with self._database.read() as tx:
            row = tx.one("SELECT coalesce(max(seq), 0) AS seq FROM record")
        return int(row["seq"]) if row else 0


def write(tx: Transaction, kind: str, text: str, by: str, reason: str, now: float) -> int:
    """Add a record in a transaction that changes more than that; gives its seq. `text` is its value as JSON."""
    last = tx.one("SELECT coalesce(max(seq), 0) AS seq FROM record")
    seq = (last["seq"] if last else 0) + 1
    sql = "INSERT INTO record (seq, kind, value, author, reason, at) VALUES (?, ?, ?, ?, ?, ?)"
    tx.all(sql, seq, kind, text, by, reason, now)
    audit.write(tx, now, by, f"record.{kind}", str(seq), value=from_json(text), reason=reason)
    return seq


def unchanged(tx: Transaction, kind: str, after: int | None) -> None:
    """Raises `Conflict` where another record of a kind holds than the one that was seen."""
    record = latest(tx, kind)
    if after is not None and after != (0 if record is None else record.seq):
        raise Conflict(f"the {kind} was set meanwhile", fix="look at it again")


def latest(tx: Transaction, kind: str) -> Record | None:
    """What holds of a kind; None where nothing was ever put."""
    row = tx.one("SELECT * FROM record WHERE kind = ? ORDER BY seq DESC LIMIT 1", _known(kind))
    return _record(row) if row else None


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise TemperError(f"there is no record of kind {kind!r}", fix=f"use one of {', '.join(KINDS)}")
    return kind


def _switchable(kind: str, text: str) -> None:
    if kind in SWITCHES and text not in (choices := [to_json(value) for value in SWITCHES[kind]]):
        raise TemperError(f"a record of kind {kind} cannot be {text[:80]}", fix=f"use one of {', '.join(choices)}")


def _json(value: Any) -> str:
    try:
        return to_json(value)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"a record is plain JSON: {error}", fix="use text, finite numbers, lists and mappings"
        ) from error


def _record(row: Row) -> Record:
    kept = {name: row[name] for name in ("seq", "kind", "reason", "at")}
    return Record(value=from_json(row["value"]), by=row["author"], **kept)
