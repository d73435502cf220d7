"""Where the rows of an incident come from: a table, labels of its windows, cases that people decided, a finding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.monitor import truth_of, watch_of
from temper.config.reading import read
from temper.config.table import header, read_columns, require
from temper.config.truth import label_text
from temper.core.course import course
from temper.core.errors import ConfigError, TemperError
from temper.core.incident import Incident
from temper.core.review import Ruling
from temper.core.system import Protected
from temper.engine.memory import recall
from temper.monitoring.coded import coded
from temper.monitoring.feed import arrived, labels_of
from temper.store.control import Control
from temper.store.database import Store

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """`x` (n, d) in the Schema's order, the class `y` (n,) each belongs to, and who says so."""

    x: Array
    y: Array
    origin: str


def of_table(path: Path, system: Protected) -> Rows:
    """The rows of a table with the columns of the schema and the target's."""
    target = read(Path(system.source)).section("data").text("target")
    names = header(path)
    for name in (*system.schema.names, target):
        require(name, names, path)
    words = [column.name for column in system.schema.columns if column.type == "category"]
    frame = read_columns(path, [*system.schema.names, target], words)
    x, troubles, _ = coded(frame, system.schema)
    if troubles:
        raise ConfigError(f"{path}: {troubles[0]}", fix="give the rows as they came")
    y = np.array([_class(value, system) for value in frame[target]])
    if (y < 0).any():
        wrong = frame[target].iloc[int(np.argmax(y < 0))]
        raise ConfigError(f"{path}: {wrong!r} is none of the classes {', '.join(system.classes)}", fix="correct it")
    return Rows(x=x, y=y, origin=f"table {path.name}")


def of_windows(system: Protected, incident: Incident, control: Control, now: float) -> Rows:
    """The rows of the incident's windows whose labels have come."""
    config = Path(system.source)
    document, base = read(config), config.absolute().parent
    watch, truth = watch_of(document, base), truth_of(document, base)
    if watch is None or truth is None:
        raise ConfigError("rows of windows need labels", fix="add `monitor: labels:`, or give --rows")
    spans = [
        (float(one.detail["start"]), float(one.detail["ends"]))
        for one in incident.timeline
        if "start" in one.detail and not one.detail.get("over")
    ]
    labels, _ = labels_of(truth, watch, system.classes)
    come = labels.at <= now
    order = np.argsort(labels.at[come], kind="stable")  # the latest label of a row comes last, and stays
    known = dict(zip(labels.ids[come][order].tolist(), labels.y[come][order].tolist(), strict=True))
    found: list[Array] = []
    for part in arrived(watch, system.schema):
        inside = np.logical_or.reduce(
            [(part.at >= a) & (part.at < b) for a, b in spans] or [np.zeros(len(part.at), bool)]
        )
        rows = [at for at in np.flatnonzero(inside) if int(part.ids[at]) in known]
        y = np.array([known[int(part.ids[at])] for at in rows], dtype=np.float64)
        found.append(np.column_stack([part.x[rows][:, : len(system.schema.names)], y]))
    both = np.concatenate(found) if found else np.zeros((0, len(system.schema.names) + 1))
    return Rows(x=both[:, :-1], y=both[:, -1].astype(np.int64), origin="labels of its windows")


def of_cases(system: Protected, incident: Incident, control: Control, now: float) -> Rows:
    """The rows of cases that people have decided while it lasted, and whose rows were kept."""
    import pandas as pd

    went = course(incident)
    until = now if incident.closed is None else incident.closed
    rows: list[Any] = []
    y: list[int] = []
    for one in control.outbox.after(0):
        if went.began <= one.label.at <= until:
            kept = one.label.payload.get("rows") or []
            rows += kept
            y += [int(one.label.verdict is Ruling.BLOCK)] * len(kept)
    if system.target.classes != 2:
        raise TemperError("people say block or allow, and this model has more classes", fix="give --rows")
    frame = pd.DataFrame(rows, columns=list(system.schema.names))
    return Rows(x=coded(frame, system.schema)[0], y=np.array(y, dtype=np.int64), origin="cases that people decided")


def of_finding(system: Protected, store: Store, name: str) -> Rows:
    """The adversarial rows that a finding has kept, with the truth of the rows they were made from."""
    finding, _ = store.finding(name)
    part = recall(store, finding.task) if finding.task else None
    if part is None or "x_adv" not in part.evidence:
        raise TemperError(f"finding {finding.id} has kept no rows", fix="give one of an evasion attack")
    broken = part.evidence["verdicts"] == "broken"
    at = system.data.positions(part.evidence["ids"][broken])
    x = np.asarray(part.evidence["x_adv"][broken], dtype=np.float64)[at >= 0]
    return Rows(x=x, y=np.asarray(system.data.y)[at[at >= 0]].astype(np.int64), origin=f"finding {finding.id}")


def _class(value: Any, system: Protected) -> int:
    text = label_text(value)
    return system.classes.index(text) if text in system.classes else -1
