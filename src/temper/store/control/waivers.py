"""Waivers that two people make: one proposes that a requirement is not met until a day, another approves it.

A policy's own waivers stand in its file, under whatever review that has. These are about one requirement, to the
letter, of one system: where it is written anew they count no more. Whoever had the run made, or proposed the waiver,
does not approve it, and the table says so again. Ending one takes one person: it leads back to what the policy asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from temper.core.errors import TemperError
from temper.core.requirement import Policy, Requirement
from temper.core.requirement import Waiver as Accepted
from temper.core.review import Conflict, Forbidden, Right
from temper.store.codec import dump, from_json, load, to_json
from temper.store.control import audit, wording
from temper.store.control.database import Database, Row, Transaction
from temper.store.control.people import allowed

PROPOSES, APPROVES = Right.PROPOSE, Right.APPROVE
DECISIONS = {"approve": "approved", "reject": "rejected", "end": "ended"}
_FIXED = ("key", "system", "requirement", "rule", "run", "maker", "owner", "reason", "until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A waiver that `author` proposed after `run`, which `maker` had made; `owner` answers for it until the end of
    `until`. `judge` approved or rejected it with the words `note`, `ender` ended it before its day, for `why`.
    """

    id: int
    key: str
    system: str
    requirement: str
    rule: Requirement
    run: str
    maker: str
    owner: str
    reason: str
    until: date
    author: str
    created: float
    state: str
    judge: str | None = None
    note: str | None = None
    decided: float | None = None
    ender: str | None = None
    why: str | None = None
    ended: float | None = None

    def lapsed(self, today: date) -> bool:
        """Whether its last day is over."""
        return today > self.until


class Waivers:
    """The waivers of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def propose(
        self,
        key: str,
        system: str,
        rule: Requirement,
        run: str,
        maker: str,
        accepted: Accepted,
        by: str,
        now: float,
    ) -> Waiver:
        """Propose that a requirement of a system is accepted. The same key is proposed once; one proposal of a
        requirement is open at a time.
        """
        wording.identifier(key, "the key of a waiver")
        _still(accepted.until, now)
        kept = {
            "key": key, "system": system, "requirement": rule.id, "rule": written(rule), "run": run, "maker": maker,
            "owner": wording.title(accepted.by), "reason": wording.reason(accepted.reason),
            "until": accepted.until.isoformat(),
        }  # fmt: skip
        with self._database.write() as tx:
            allowed(tx, by, PROPOSES)
            if (same := tx.one("SELECT * FROM waiver WHERE key = ?", key)) is not None:
                return _waiver(same)
            sql = "SELECT id FROM waiver WHERE system = ? AND requirement = ? AND state = 'open'"
            if (there := tx.one(sql, system, rule.id)) is not None:
                raise Conflict(f"waiver {there['id']} of {rule.id} waits for approval already", fix="decide that first")
            names, marks = ", ".join(kept), ", ".join("?" * len(kept))
            sql = f"INSERT INTO waiver ({names}, author, created) VALUES ({marks}, ?, ?) RETURNING id"
            new = tx.one(sql, *kept.values(), by, now)
            row = _row(tx, int(new["id"]) if new else 0)
            audit.write(tx, now, by, "waiver.propose", str(row["id"]), **_proposal(row))
            return _waiver(row)

    def decide(self, id: int, decision: str, by: str, note: str, now: float) -> Waiver:
        """Approve, reject or end. Raises `Forbidden` for whoever may not, `Conflict` where somebody was quicker."""
        note = wording.reason(note)
        with self._database.write() as tx:
            row = _row(tx, id)
            _entitled(tx, row, decision, by)
            _undecided(row, decision)
            if decision == "approve":
                _still(date.fromisoformat(row["until"]), now)
            who = "ender = ?, why = ?, ended = ?" if decision == "end" else "judge = ?, note = ?, decided = ?"
            tx.all(f"UPDATE waiver SET state = ?, {who} WHERE id = ?", DECISIONS[decision], by, note, now, id)
            audit.write(tx, now, by, f"waiver.{decision}", str(id), note=note)
            return _waiver(_row(tx, id))

    def get(self, id: int) -> Waiver:
        """One waiver; raises `TemperError` where there is none."""
        with self._database.read() as tx:
            return _waiver(_row(tx, id))

    def page(self, limit: int = 50, **wanted: str) -> list[Waiver]:
        """The newest first; `wanted` are a system, requirement, run or state."""
        if unknown := wanted.keys() - {"system", "requirement", "run", "state"}:
            raise TemperError(f"waivers are not told apart by {', '.join(sorted(unknown))}")
        where = "".join(f" AND {name} = ?" for name in wanted)
        with self._database.read() as tx:
            rows = tx.all(f"SELECT * FROM waiver WHERE true{where} ORDER BY id DESC LIMIT ?", *wanted.values(), limit)
        return [_waiver(row) for row in rows]

    def standing(self, system: str, today: date) -> list[Waiver]:
        """Those of a system that count on this day, of each requirement the one that was proposed last."""
        with self._database.read() as tx:
            sql = "SELECT * FROM waiver WHERE system = ? AND state = 'approved' AND until >= ? ORDER BY id"
            rows = tx.all(sql, system, today.isoformat())
        return list({row["requirement"]: _waiver(row) for row in rows}.values())

    def astray(self) -> list[str]:
        """Waivers that are not as the audit says; empty where all are."""
        with self._database.read() as tx:
            rows = tx.all("SELECT subject, who, action, at, detail FROM audit WHERE action LIKE 'waiver.%'")
            waivers = tx.all("SELECT * FROM waiver")
        told = {(row["subject"], row["who"], row["action"], row["at"], row["detail"]) for row in rows}
        there = {line for row in waivers for line in _lines(row)}
        return [f"waiver {number} was changed" for number in sorted({one[0] for one in told ^ there})]


def accepting(policy: Policy, waivers: list[Waiver], today: date) -> tuple[Policy, list[str]]:
    """The policy with these waivers where it has none of its own that counts; and those that are about a requirement
    as it is no longer written, in words.
    """
    found, astray = {one.requirement: one for one in waivers}, []

    def given(rule: Requirement) -> Requirement:
        one = found.get(rule.id)
        if one is None or (rule.waiver is not None and rule.waiver.until >= today):
            return rule
        if written(rule) != written(one.rule):
            astray.append(f"waiver {one.id} does not count: {rule.id} has been written anew since")
            return rule
        reason = f"{one.reason} (waiver {one.id}: proposed by {one.author}, approved by {one.judge})"
        return replace(rule, waiver=Accepted(by=one.owner, reason=reason, until=one.until))

    return replace(policy, requirements=tuple(map(given, policy.requirements))), astray


def written(rule: Requirement) -> str:
    """What a requirement asks, wherever it stands and whoever has waived it."""
    return to_json(dump(replace(rule, waiver=None, line=0)))


def day(now: float) -> date:
    """The day of a time, in UTC."""
    return datetime.fromtimestamp(now, UTC).date()


def _still(until: date, now: float) -> None:
    if until < day(now):
        raise TemperError(f"a waiver until {until} is over already", fix="give a day that is still to come")


def _entitled(tx: Transaction, row: Row, decision: str, by: str) -> None:
    """Whoever proposed it may take it back or end it, and approves it never."""
    if decision not in DECISIONS:
        raise TemperError(f"nobody can {decision[:20]!r} a waiver", fix=f"use one of {', '.join(DECISIONS)}")
    own = by == row["author"] and decision != "approve"
    allowed(tx, by, PROPOSES if own else APPROVES)
    if decision == "approve" and by in (row["maker"], row["author"]):
        what = f"had run {row['run']} made" if by == row["maker"] else f"proposed waiver {row['id']}"
        raise Forbidden(f"{by} {what}", fix="somebody else has to approve it")


def _undecided(row: Row, decision: str) -> None:
    if row["state"] != ("approved" if decision == "end" else "open"):
        who = row["ender"] or row["judge"] or "nobody"
        raise Conflict(f"waiver {row['id']} is {row['state']}, by {who}", fix="look at it again")


def _lines(row: Row) -> list[tuple[Any, ...]]:
    """The rows of the audit that belong to a waiver."""
    number = str(row["id"])
    lines = [(number, row["author"], "waiver.propose", row["created"], to_json(_proposal(row)))]
    if row["decided"] is not None:
        action = "waiver.reject" if row["state"] == "rejected" else "waiver.approve"
        lines.append((number, row["judge"], action, row["decided"], to_json({"note": row["note"]})))
    if row["ended"] is not None:
        lines.append((number, row["ender"], "waiver.end", row["ended"], to_json({"note": row["why"]})))
    return lines


def _proposal(row: Row) -> Mapping[str, Any]:
    return {name: row[name] for name in _FIXED}


def _row(tx: Transaction, id: int) -> Row:
    row = tx.one("SELECT * FROM waiver WHERE id = ?", id)
    if row is None:
        raise TemperError(f"there is no waiver {id}", fix="`temper waivers list` shows which there are")
    return row


def _waiver(row: Row) -> Waiver:
    rule, until = load(Requirement, from_json(row["rule"])), date.fromisoformat(row["until"])
    return Waiver(**{**row, "rule": rule, "until": until})
