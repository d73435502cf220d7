"""Drills: begun, followed while they run, ended, and then never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from temper.core.drill import Drill, Slot, Turn
from temper.core.errors import TemperError
from temper.store.codec import from_json, to_json
from temper.store.control import audit, wording
from temper.store.control.database import Database, Row, Transaction


class Drills:
    """The drills of a control store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, name: str, fault: str, seconds: float, rate: float, width: float, by: str, now: float) -> int:
        """A drill that starts now: its number. `width` is how many seconds one slot of answers lasts."""
        wording.name(name, "the name of a drill")
        with self._database.write() as tx:
            last = tx.one("SELECT coalesce(max(id), 0) AS id FROM drill")
            new = int(last["id"] if last else 0) + 1
            tx.all(
                "INSERT INTO drill (id, name, fault, author, started, seconds, rate, width) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                *(new, name, wording.title(fault), by, now, float(seconds), float(rate), float(width)),
            )
            audit.write(tx, now, by, "drill.begin", str(new), name=name, fault=fault)
        return new

    def follow(self, id: int, slots: Sequence[Slot], turns: Mapping[Turn, float]) -> None:
        """Slots that are over and turns that have come; one that was told already stays as it was."""
        with self._database.write() as tx:
            for one in slots:
                tx.all(
                    "INSERT INTO drill_slot (drill, slot, answered, other, failed) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (drill, slot) DO NOTHING",
                    *(id, one.at, one.full, one.other, one.failed),
                )
            for turn, at in turns.items():
                sql = "INSERT INTO drill_turn (drill, turn, at) VALUES (?, ?, ?) ON CONFLICT (drill, turn) DO NOTHING"
                tx.all(sql, id, str(turn), float(at))

    def end(self, id: int, held: bool, figures: Mapping[str, Any], by: str, now: float) -> None:
        """What came of it."""
        text = to_json(dict(figures))
        with self._database.write() as tx:
            sql = "UPDATE drill SET ended = ?, held = ?, figures = ? WHERE id = ?"
            tx.all(sql, now, int(held), text, id)
            audit.write(tx, now, by, "drill.end", str(id), held=held)

    def get(self, id: int) -> Drill:
        """A drill with all its answers. Raises `TemperError` where there is none."""
        with self._database.read() as tx:
            row = tx.one("SELECT * FROM drill WHERE id = ?", id)
            if row is None:
                raise TemperError(f"there is no drill {id}", fix="`temper drill list` shows which there are")
            slots = tx.all("SELECT * FROM drill_slot WHERE drill = ? ORDER BY slot", id)
            return _drill(tx, row, tuple(map(_slot, slots)))

    def page(self, limit: int = 10) -> list[Drill]:
        """The latest drills without their answers, the newest first."""
        with self._database.read() as tx:
            return [_drill(tx, row) for row in tx.all("SELECT * FROM drill ORDER BY id DESC LIMIT ?", limit)]


def _slot(row: Row) -> Slot:
    return Slot(at=row["slot"], full=row["answered"], other=row["other"], failed=row["failed"])


def _drill(tx: Transaction, row: Row, slots: tuple[Slot, ...] = ()) -> Drill:
    turns = tx.all("SELECT turn, at FROM drill_turn WHERE drill = ? ORDER BY at", row["id"])
    kept = {name: row[name] for name in ("id", "name", "fault", "started", "seconds", "rate", "width", "ended")}
    return Drill(
        by=row["author"],
        held=None if row["held"] is None else bool(row["held"]),
        figures=from_json(row["figures"]),
        turns={Turn(one["turn"]): one["at"] for one in turns},
        slots=slots,
        **kept,
    )
