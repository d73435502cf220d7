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
_FOLLOWED = "INSERT INTO audit_told (store, seq) VALUES (?, ?) ON CONFLICT (store) DO UPDATE SET seq = excluded.seq"
Row = tuple[int, str, bytes]
"""Time, kind and body of an entry."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The entries in a database, in their order."""

    place: Place

    def put(self, entries: Sequence[tuple[str, Any]], wall: int) -> None:
        """Entries at the end."""
        self.place.write(lambda rows: append(rows, entries, wall))

    def followed(self, store: str) -> int:
        """The row up to which the audit of this control store was told, 0 where nothing of it was."""
        return self.place.read(lambda rows: _followed(rows, store))

    def put_changes(self, changes: Sequence[said.Change], wall: int) -> int:
        """Changes of one control store at the end; what another machine told meanwhile is not told twice."""
        if not changes:
            return 0
        store = changes[0].store

        def work(rows: Transaction) -> int:
            after = _followed(rows, store)
            new = [(said.CHANGE, one) for one in changes if one.seq > after]
            append(rows, new, wall)
            rows.all(_FOLLOWED, store, max(after, changes[-1].seq))
            return len(new)

        return self.place.write(work)

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


def _followed(rows: Transaction, store: str) -> int:
    """As it is noted; of a ledger of before that was, as the ledger says."""
    noted = rows.one("SELECT seq FROM audit_told WHERE store = ?", store)
    if noted is not None:
        return int(noted["seq"])
    told = (said.change_in(row["body"]) for row in rows.all("SELECT body FROM evidence WHERE kind = ?", said.CHANGE))
    return max((one.seq for one in told if one.store == store), default=0)


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
