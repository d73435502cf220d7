"""Labels on their way out: one for each case that people closed, numbered in the order they were closed.

The database writes the row in the transaction that closes the case, so no decision is without it and none that was not
kept has one. Numbers are given under the store's one lock: whoever has seen one has seen all before it, and a cursor
misses nothing. A label never changes, so telling it again tells the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from temper.core.review import Label
from temper.store.codec import dump, to_json, wrap
from temper.store.control import case
from temper.store.control.database import Database

FORMAT = "temper.label"
PAGE = 200


class Leaving(NamedTuple):
    """A label with its number, which is the cursor of whoever has it, and its case."""

    cursor: int
    case: int
    label: Label

    def line(self) -> str:
        """The label as one line of JSON."""
        return to_json(wrap(FORMAT, {"cursor": self.cursor, "case": self.case, **dump(self.label)}))


class Outbox:
    """The labels of a control store. A receiver is a name for whoever is told them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def after(self, cursor: int) -> Iterator[Leaving]:
        """Every label after this number, up to the last there is when it comes to it."""
        while page := self._page(cursor):
            yield from page
            cursor = page[-1].cursor

    def at(self, cursor: int) -> Leaving | None:
        """The label of this very number."""
        return next((one for one in self._page(cursor - 1, 1) if one.cursor == cursor), None)

    def reached(self, receiver: str) -> int:
        """The number of the last label this receiver has taken; 0 where it has none."""
        with self._database.read() as tx:
            row = tx.one("SELECT seq FROM receiver WHERE name = ?", receiver)
        return int(row["seq"]) if row else 0

    def taken(self, receiver: str, cursor: int, now: float) -> None:
        """This receiver has taken every label up to this number; it never goes back."""
        with self._database.write() as tx:
            tx.all(
                "INSERT INTO receiver (name, seq, at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
                "SET seq = excluded.seq, at = excluded.at WHERE excluded.seq > receiver.seq",
                *(receiver, cursor, now),
            )

    def _page(self, cursor: int, many: int = PAGE) -> list[Leaving]:
        sql = (
            "SELECT o.seq, o.review, r.* FROM outbox o JOIN review r ON r.id = o.review "
            "WHERE o.seq > ? ORDER BY o.seq LIMIT ?"
        )
        with self._database.read() as tx:
            return [Leaving(row["seq"], row["review"], case.label(row)) for row in tx.all(sql, cursor, many)]
