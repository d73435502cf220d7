"""From the audit to the people: decisions that say REVIEW become cases, each once, whatever was down meanwhile."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from temper.core.review import Ruling
from temper.core.schema import Schema
from temper.core.stage import Level
from temper.gateway.tables.recall import Recall
from temper.store.control import Control
from temper.store.ledger import record as lines
from temper.store.ledger.personal import Personal
from temper.store.ledger.record import Decided
from temper.store.ledger.verify import handed_on, mark, records

Array = np.ndarray[Any, Any]
_COMMON = 0.005
_BYTES = 128 * 1024
"""Of rows, in a case."""
_BODY = msgspec.msgpack.Decoder(Decided)


@dataclass(slots=True, kw_only=True, eq=False)
class Relay:
    """Reads the journal at `path` from where it stopped, puts what waits for a person into the queue, and lets other
    workers know what was answered to requests with an id. A case is named by its record, so one that is put twice is
    one case; where it stopped is remembered only once the case is there. `due` seconds are given to a person, `eyes`
    people have to agree, and after that it is `overdue`.
    """

    path: Path
    personal: Personal
    control: Control
    recall: Recall
    shared: Callable[[], bool]
    """Whether there are other workers who should hear of answers."""
    schema: Schema
    reference: Mapping[str, Any]
    due: float = 3_600.0
    eyes: int = 1
    overdue: Ruling = Ruling.BLOCK
    wall: Callable[[], float]
    relayed: int = 0
    _mark: Path = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._mark = mark(self.path)

    def once(self) -> int:
        """How many cases were put before people."""
        since, many, answered, shared = self._since(), 0, [], self.shared()
        for seq, data in records(self.path, since):
            record = lines.decode(data)
            if record.kind == "decision":
                body = _BODY.decode(record.body)
                many += self._put(record.case(data), record.node, body)
                if shared and (told := self.recall.told(body, record.wall / 1e9)) is not None:
                    answered.append(told)
            since = seq + 1
        self.recall.tell(answered)
        if since > self._since():
            self._remember(since)
        self.relayed += many
        return many

    def _put(self, name: str, node: str, body: Decided) -> int:
        if body.level != Level.REVIEW.name:
            return 0
        opening = self.personal.open(body.commitment)
        now = self.wall()
        payload = {
            "request": body.request,
            "client": body.client,
            "score": max(body.scores, default=None),
            "source": body.source,
            "reasons": [f"{one.stage}: {one.reason}" for one in body.rulings],
            "rows": [] if opening is None else _fitting(shown(self.schema, opening.data)),
            "reference": self.reference,
            "policy": body.policy,
            "model": body.digest,
            "node": node,
        }
        due = now + self.due
        self.control.reviews.enqueue(name, payload, now, due=due, eyes=self.eyes, overdue=self.overdue)
        return 1

    def _since(self) -> int:
        return handed_on(self.path)

    def _remember(self, seq: int) -> None:
        beside = self._mark.with_suffix(".part")
        beside.write_text(str(seq), encoding="ascii")
        os.replace(beside, self._mark)


def shown(schema: Schema, data: bytes) -> list[dict[str, Any]]:
    """Rows as a person reads them, from their bytes in the Schema's matrix."""
    rows = np.frombuffer(data, dtype=np.float64).reshape((-1, len(schema.columns)))
    return [
        {column.name: _value(column, float(value)) for column, value in zip(schema.columns, row, strict=True)}
        for row in rows
    ]


def _fitting(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first rows, as many as a case may hold: one that is refused for its size would hold up all behind it."""
    sizes = np.cumsum([len(json.dumps(row)) for row in rows])
    return rows[: int(np.searchsorted(sizes, _BYTES, side="right"))]


def _value(column: Any, value: float) -> Any:
    if np.isnan(value):
        return None
    if column.type == "category":
        return column.categories[int(value)]
    return bool(value) if column.type == "boolean" else int(value) if column.type == "integer" else value


def reference(schema: Schema, rows: Array) -> dict[str, Any]:
    """What is usual in these rows: for a number its middle and where 98 in 100 lie, for a word the commonest and all
    that one row in 200 has.

    >>> from temper.core.schema import Column
    >>> reference(Schema(columns=(Column(name="n"),)), np.arange(101.0)[:, None])
    {'n': {'low': 1.0, 'high': 99.0, 'typical': 50.0}}
    """
    found: dict[str, Any] = {}
    for at, column in enumerate(schema.columns):
        values = rows[:, at][~np.isnan(rows[:, at])]
        if not len(values):
            continue
        if column.type in ("category", "boolean"):
            words = column.categories if column.type == "category" else (False, True)
            shares = np.bincount(values.astype(int), minlength=len(words)) / len(values)
            common = [word for word, share in zip(words, shares, strict=True) if share >= _COMMON]
            found[column.name] = {"typical": words[int(shares.argmax())], "values": common}
        else:
            low, middle, high = (float(f"{one:.4g}") for one in np.quantile(values, [0.01, 0.5, 0.99]))
            found[column.name] = {"low": low, "high": high, "typical": middle}
    return found
