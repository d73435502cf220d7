"""Rows that a stored run found, sent as they are to the layers of a guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from temper.core.depth import Replayed
from temper.core.errors import TemperError
from temper.core.finding import Finding
from temper.engine.layers.attempting import Attackers
from temper.engine.layers.games import share, through
from temper.engine.memory import recall
from temper.store.database import Store

Rows = np.ndarray[Any, Any]


def replayed(attackers: Attackers, store: Store, run: str, confidence: float) -> tuple[str, tuple[Replayed, ...]]:
    """The rows behind the findings of this run (an assessment or a campaign), each kind by itself; the run's own id
    first. What was made of one row is one actor's. A row counts where it is of what the system looks for.

    Raises `TemperError` where the run has kept no such rows, or is of another system.
    """
    record, system = store.run(run), attackers.panel.system
    if record.system != system.name:
        raise TemperError(f"run {record.id} is of {record.system}", fix=f"name a run of {system.name}")
    shown = {one.task: one for one in record.findings if one.task}
    found = tuple(one for finding in shown.values() for one in _sent(attackers, store, finding, confidence))
    if not found:
        raise TemperError(f"run {record.id} has kept no rows that got through", fix="name one whose attacks broke rows")
    return record.id, found


def _sent(attackers: Attackers, store: Store, finding: Finding, confidence: float) -> Iterator[Replayed]:
    part, data = recall(store, finding.task), attackers.panel.system.data
    if part is None or "x_adv" not in part.evidence:
        return
    broken = part.evidence["verdicts"] == "broken"
    rows, at = (
        np.asarray(part.evidence["x_adv"][broken], dtype=np.float64),
        data.positions(part.evidence["ids"][broken]),
    )
    kept = (at >= 0) & (np.asarray(data.y)[at] == 1)
    if not kept.any() or rows.shape[1:] != data.x.shape[1:]:
        return
    sent = attackers.sent(rows[kept], at[kept])
    worthy = sent.of(sent.worth > 0)
    if not len(worthy.worth):
        return
    passed = through(worthy, sent.layers, np.unique(worthy.actor))
    objects = tuple(float(one) for one in worthy.objects.mean(axis=0))
    told = share(passed, confidence)
    yield Replayed(plugin=finding.plugin, finding=finding.id, through=told, objects=objects, n=len(worthy.worth))
