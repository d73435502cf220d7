"""Rows that a stored run found, sent as they are to the layers of a guard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.depth import Replayed
from temper.core.errors import TemperError
from temper.core.finding import Finding
from temper.core.run import Record
from temper.core.system import Protected
from temper.engine.layers.attempting import Attackers
from temper.engine.layers.games import share, through
from temper.engine.memory import recall
from temper.store.database import Store

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """Rows (n, columns) behind one finding, and which row of the data each was made of (n,)."""

    finding: Finding
    rows: Rows
    of: Rows


def kept(system: Protected, store: Store, run: str) -> tuple[str, tuple[Kept, ...]]:
    """The id of this run (an assessment or a campaign), and the rows behind its findings, as far as they were made of
    what the system looks for.

    Raises `TemperError` where the run has kept no such rows, or is of another system.
    """
    record = of_system(store.run(run), system)
    shown = {one.task: one for one in record.findings if one.task}
    found = tuple(one for finding in shown.values() for one in _of(system, store, finding))
    if not found:
        raise TemperError(f"run {record.id} has kept no rows that got through", fix="name one whose attacks broke rows")
    return record.id, found


def of_system(record: Record, system: Protected) -> Record:
    """This run, unless it is of another system: then `TemperError`."""
    if record.system != system.name:
        raise TemperError(f"run {record.id} is of {record.system}", fix=f"name a run of {system.name}")
    return record


def replayed(attackers: Attackers, found: tuple[Kept, ...], confidence: float) -> Iterator[Replayed]:
    """What becomes of them before every layer. What was made of one row is one actor's."""
    for one in found:
        sent = attackers.sent(one.rows, one.of)
        worthy = sent.of(sent.worth > 0)
        if len(worthy.worth):
            passed = through(worthy, sent.layers, np.unique(worthy.actor))
            yield Replayed(
                plugin=one.finding.plugin,
                finding=one.finding.id,
                through=share(passed, confidence),
                objects=tuple(float(each) for each in worthy.objects.mean(axis=0)),
                n=len(worthy.worth),
            )


def _of(system: Protected, store: Store, finding: Finding) -> Iterator[Kept]:
    part, data = recall(store, finding.task), system.data
    if part is None or "x_adv" not in part.evidence:
        return
    broken = part.evidence["verdicts"] == "broken"
    rows, at = (
        np.asarray(part.evidence["x_adv"][broken], dtype=np.float64),
        data.positions(part.evidence["ids"][broken]),
    )
    there = (at >= 0) & (np.asarray(data.y)[at] == 1)
    if there.any() and rows.shape[1:] == data.x.shape[1:]:
        yield Kept(finding=finding, rows=rows[there], of=at[there])
