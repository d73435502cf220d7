"""Cases that measure reviewers: a share of what one person closed comes again to somebody else, and cases with a known
answer are planted among the others.

Whoever decides them cannot tell: they wait, are claimed and are decided like every other, in the dress of a real one.
They are no labels, nobody's answer hangs on them, and where their time runs out they lapse.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from temper.core.errors import TemperError
from temper.core.review import Right, Ruling
from temper.store.codec import from_json, to_json
from temper.store.control import audit, case
from temper.store.control.database import Database, Row, Transaction
from temper.store.control.people import allowed

SHARE = "again"
"""The setting that says how many of the cases that one person closed come again."""
MODELS = 300
"""How many of the latest cases are looked at for the dress of a planted one."""
FEWEST = 6
HASH, LONGEST_HEAD = 16, 160
_ODDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A case with a known answer: its row, what is right, and the verdict its score is to lean to."""

    row: Mapping[str, Any] = field(repr=False)
    truth: Ruling
    lean: Ruling


class Exercises:
    """The exercises of a control store. Setting them up takes an approver."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def share(self) -> float:
        """The share of the cases closed by one person that come again to another; 0 until somebody sets it."""
        with self._database.read() as tx:
            return _share(tx)

    def set_share(self, share: float, by: str, now: float) -> None:
        """Say how many of the cases that one person closes from now on come again, from 0 to 1."""
        if not 0.0 <= share <= 1.0:
            raise TemperError(f"a share is 0 to 1, not {share}", fix="0.05 is one case in twenty")
        with self._database.write() as tx:
            allowed(tx, by, Right.APPROVE)
            sql = "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = ?"
            tx.all(sql, SHARE, repr(float(share)), repr(float(share)))
            audit.write(tx, now, by, "exercise.share", SHARE, share=float(share))

    def plant(self, cases: Sequence[Planted], by: str, now: float) -> list[int]:
        """Put cases with a known answer before people other than `by`: their ids.

        Each takes the looks of a real case of one row that the score alone sent here: its client, model and policy, the
        time it was given, and a score from the third of scores that leans to `lean`. The audit keeps a digest of the
        answers. Raises `TemperError` where there are too few real cases to look like.
        """
        with self._database.write() as tx:
            allowed(tx, by, Right.APPROVE)
            dresses = _dresses(tx)
            numbers = [_planted(tx, one, _like(one, dresses), by, now) for one in cases]
            told = [[number, str(one.truth), str(one.lean)] for number, one in zip(numbers, cases, strict=True)]
            digest = hashlib.sha256(to_json(told).encode()).hexdigest()
            audit.write(tx, now, by, "exercise.plant", "queue", many=len(numbers), digest=digest)
        return numbers


def again(tx: Transaction, row: Row, now: float) -> None:
    """Perhaps let the case of this row, which one person just closed, come again to somebody else."""
    if row["eyes"] != 1 or is_one(tx, row["id"]) or secrets.randbelow(_ODDS) >= _share(tx) * _ODDS:
        return
    number = _put(tx, row, row["payload"], now)
    sql = "INSERT INTO exercise (review, origin, author, at) VALUES (?, ?, 'queue', ?)"
    tx.all(sql, number, row["id"], now)
    audit.write(tx, now, "queue", "exercise.again", str(number))


def is_one(tx: Transaction, id: int) -> bool:
    """Whether this case only measures reviewers."""
    return tx.one("SELECT 1 AS found FROM exercise WHERE review = ?", id) is not None


def barred(tx: Transaction, id: int, reviewer: str) -> bool:
    """Whether this person planted the case, or decided it the first time."""
    sql = (
        "SELECT 1 AS found FROM exercise e WHERE e.review = ? AND (e.author = ? OR EXISTS "
        "(SELECT 1 FROM decision d WHERE d.review = e.origin AND d.reviewer = ?))"
    )
    return tx.one(sql, id, reviewer, reviewer) is not None


def _share(tx: Transaction) -> float:
    row = tx.one("SELECT value FROM setting WHERE name = ?", SHARE)
    return float(row["value"]) if row else 0.0


def _dresses(tx: Transaction) -> list[tuple[float, Row, dict[str, Any]]]:
    """Real cases of one row that came for their score alone, by score."""
    rows = tx.all(f"SELECT * FROM review WHERE {case.REAL} ORDER BY id DESC LIMIT ?", MODELS)
    found = [(row, from_json(row["payload"])) for row in rows if len(row["payload"]) <= case.COMPARED]
    fit = [(float(payload["score"]), row, payload) for row, payload in found if _fits(payload)]
    if len(fit) < FEWEST:
        raise TemperError(
            f"a planted case takes the looks of a real one, and {len(fit)} of one row came for their score",
            fix=f"let the gateway bring {FEWEST} first, by `decide: {{review: [low, high]}}`",
        )
    return sorted(fit, key=lambda one: (one[0], one[1]["id"]))


def _fits(payload: Mapping[str, Any]) -> bool:
    rows, score, reasons = (payload.get(name) for name in ("rows", "score", "reasons"))
    return (
        isinstance(rows, list)
        and len(rows) == 1
        and isinstance(rows[0], dict)
        and isinstance(score, float)
        and isinstance(reasons, list)
        and bool(reasons)
        and all(str(reason).startswith("decide:") for reason in reasons)
    )


def _like(one: Planted, dresses: list[tuple[float, Row, dict[str, Any]]]) -> tuple[Row, dict[str, Any]]:
    """A real case to look like: any of the third whose score leans there, with the same columns."""
    fitting = [(row, payload) for _, row, payload in dresses if set(payload["rows"][0]) == set(one.row)]
    third = max(1, len(fitting) // 3)
    leaning = fitting[-third:] if one.lean is Ruling.BLOCK else fitting[:third]
    if len(fitting) < FEWEST:
        raise TemperError("the rows have other columns than the cases", fix="plant rows of the data this model serves")
    return secrets.choice(leaning)


def _planted(tx: Transaction, one: Planted, like: tuple[Row, dict[str, Any]], by: str, now: float) -> int:
    row, payload = like
    dressed = payload | {"rows": [dict(one.row)], "request": _alike(str(payload.get("request", "")))}
    number = _put(tx, row, to_json(dressed), now)
    sql = "INSERT INTO exercise (review, truth, lean, author, at) VALUES (?, ?, ?, ?, ?)"
    tx.all(sql, number, str(one.truth), str(one.lean), by, now)
    return number


def _put(tx: Transaction, like: Row, payload: str, now: float) -> int:
    """A new case with the priority, the eyes and the time of another, and a name like its."""
    due = now + like["due"] - like["created"]
    new = tx.one(
        "INSERT INTO review (request, payload, state, priority, due, eyes, overdue, created) "
        "VALUES (?, ?, 'open', ?, ?, ?, ?, ?) RETURNING id",
        *(_named(like["request"]), payload, like["priority"]),
        *(due if now < due < math.inf else now + case.DUE, like["eyes"], like["overdue"], now),
    )
    return int(new["id"]) if new else 0


def _named(request: str) -> str:
    """A name like this one that no case has or will have: 64 bits are drawn anew where a gateway's has its hash."""
    head, dash, tail = request.rpartition("-")
    hashed = len(tail) >= HASH and set(tail) <= set("0123456789abcdef")
    return f"{head}{dash}{_alike(tail)}" if hashed else f"{request[:LONGEST_HEAD]}-{secrets.token_hex(8)}"


def _alike(text: str) -> str:
    """Another text of the same shape: every digit and every letter up to f is drawn anew."""
    letters = {"0123456789": "0123456789", "abcdef": "abcdef", "ABCDEF": "ABCDEF"}
    return "".join(next((secrets.choice(to) for of, to in letters.items() if char in of), char) for char in text)
