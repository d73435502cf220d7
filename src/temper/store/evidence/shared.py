"""The ledger of a store that many machines share: its entries are rows beside the runs, told in their transactions.

Each machine follows them into a ledger of its own and signs that. The database alone can be changed by whoever runs it;
not without every machine that follows it seeing that its copy says something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from temper.core.run import Record
from temper.store.control.database import Transaction
from temper.store.evidence import said
from temper.store.ledger.record import Record as Line
from temper.store.ledger.record import packed
from temper.store.place import Place

PAGE = 500
Row = tuple[int, str, bytes]
"""Time, kind and body of an entry."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The entries in a database, in their order."""

    place: Place

    def put(self, entries: Sequence[tuple[str, Any]], wall: int) -> None:
        """Entries at the end."""
        self.place.write(lambda rows: append(rows, entries, wall))

    def since(self, seq: int) -> Iterator[list[Row]]:
        """The entries from this one on, in pages."""
        sql = "SELECT wall, kind, body FROM evidence WHERE seq >= ? ORDER BY seq LIMIT ?"
        while page := self.place.read(lambda rows, at=seq: rows.all(sql, at, PAGE)):  # type: ignore[misc]
            yield [(row["wall"], row["kind"], bytes(row["body"])) for row in page]
            seq += len(page)

    def size(self) -> int:
        """How many entries there are."""
        found = self.place.read(lambda rows: rows.one("SELECT coalesce(max(seq) + 1, 0) AS size FROM evidence"))
        return int(found["size"]) if found else 0


def append(rows: Transaction, entries: Sequence[tuple[str, Any]], wall: int) -> None:
    """Entries at the end, in a transaction that is alone."""
    last = rows.one("SELECT coalesce(max(seq) + 1, 0) AS size FROM evidence")
    for seq, (kind, body) in enumerate(entries, last["size"] if last else 0):
        rows.all("INSERT INTO evidence (seq, wall, kind, body) VALUES (?, ?, ?, ?)", seq, wall, kind, packed(body))


def tell_run(rows: Transaction, record: Record, text: str) -> None:
    """A run, after the tasks that were finished since the last one."""
    untold = rows.all("SELECT key, document, arrays FROM tasks WHERE NOT told ORDER BY rowid")
    found = {row["key"]: said.of_task(row["document"], row["arrays"]) for row in untold}
    tasks = [(said.TASKS, said.Tasks(found=found))] if found else []
    append(rows, [*tasks, (said.RUN, said.of_run(text))], said.ended(record))
    rows.all("UPDATE tasks SET told = TRUE WHERE NOT told")


def tell_again(rows: Transaction, key: str, found: bytes) -> None:
    """A task that was measured again, where the ledger knows of it. The time is that of the entry before."""
    row = rows.one("SELECT document, arrays FROM tasks WHERE key = ? AND told", key)
    if row is not None and said.of_task(row["document"], row["arrays"]) != found:
        last = rows.one("SELECT wall FROM evidence ORDER BY seq DESC LIMIT 1")
        append(rows, [(said.TASKS, said.Tasks(found={key: found}))], last["wall"] if last else 0)


def astray(shared: Shared, lines: Sequence[Line]) -> Iterator[str]:
    """Entries of the database that are not as this machine followed them."""
    at = 0
    for page in shared.since(0):
        for row, line in zip(page, lines[at : at + len(page)], strict=False):
            if row != (line.wall, line.kind, bytes(line.body)):
                yield f"entry {line.seq} of the shared ledger was changed in the database"
        at += len(page)
    if at < len(lines):
        yield f"the shared ledger has {at:,} entries, and this machine followed {len(lines):,}"
