"""The history behind the rows: `data.history` and `stress.events` of temper.yaml, held against the schema."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.document import Section, as_number
from temper.config.rows import moments
from temper.config.table import header, read_table, require
from temper.config.truth import encode
from temper.core.errors import ConfigError, TemperError
from temper.core.events import CLOCK, DAY, FUNCTIONS, Aggregate, Events
from temper.core.expression import parse
from temper.core.system import Protected
from temper.targets.frame import to_matrix

_ROLES = ("time", "entity", "counterparty", "amount")
_KNOWN = ("from", "moves_with_counterparty", "distance", "formulas", "aggregates")
_AGGREGATE = ("key", "function", "of", "days", "delay", "own", "whole_days")


def read_events(section: Section, data: Section, base: Path, system: Protected) -> Events:
    """The events of `stress.events`; their table (data.history) holds the schema's columns, the target, and what the
    section names.

    Raises `ConfigError` with file and line for what is missing, unknown, or no number.
    """
    section.only(*_ROLES, *_KNOWN)
    file, target = data.needed("history"), data.needed("target")
    roles = {role: section.needed(role) for role in _ROLES}
    aggregates = tuple(_aggregate(section.section("aggregates"), name, roles) for name in _keys(section, "aggregates"))
    if not aggregates:
        raise section.error("stress.events declares no aggregates", fix="say how the columns of a history are computed")
    formulas = tuple((name, section.section("formulas").text(name)) for name in _keys(section, "formulas"))
    moves = section.texts("moves_with_counterparty")
    try:
        found = _frame(base / file, system, target, roles, aggregates, formulas, moves)
    except TemperError as error:
        raise data.error(error.message, "history", error.fix) from error
    frame, time, named = found
    order = np.argsort(time, kind="stable")
    x = to_matrix(frame, system.schema)[order]
    y = encode(frame[target], system.classes)[order]
    columns = {name: x[:, at] for at, name in enumerate(system.schema.names)}
    columns |= {name: _numbers(frame[name], name, roles)[order] for name in named if name not in columns}
    columns[target] = y.astype(np.float64)
    _refuse_unknown(section, aggregates, formulas, moves, columns)
    return Events(
        time=time[order],
        columns=columns,
        x=x,
        y=y,
        entity=roles["entity"],
        counterparty=roles["counterparty"],
        amount=roles["amount"],
        aggregates=aggregates,
        formulas=formulas,
        moves=moves,
        distance=section.text("distance"),
        start=_start(section),
    )


def _keys(section: Section, key: str) -> tuple[str, ...]:
    return tuple(section.section(key).entries)


def _aggregate(aggregates: Section, name: str, roles: dict[str, str]) -> Aggregate:
    section = aggregates.section(name).only(*_AGGREGATE)
    delay = section.number("delay", 0.0)
    settings: dict[str, Any] = {
        "key": section.text("key", roles["entity"]),
        "function": section.word("function", FUNCTIONS, "count"),
        "of": section.text("of"),
        "days": section.number("days", 0.0),
        "delay": delay,
        "own": section.flag("own", not delay),
        "whole": section.flag("whole_days", False),
    }
    try:
        return Aggregate(name=name, **settings)
    except ConfigError as error:
        raise aggregates.error(error.message, name, error.fix) from error


def _frame(
    file: Path,
    system: Protected,
    target: str,
    roles: dict[str, str],
    aggregates: tuple[Aggregate, ...],
    formulas: tuple[tuple[str, str], ...],
    moves: tuple[str, ...],
) -> tuple[Any, Any, list[str]]:
    """The table, its times in seconds, and the columns it holds besides the schema's."""
    names, schema = header(file), system.schema
    asked = {name for _, text in formulas for name in parse(text).every_name} - set(CLOCK)
    asked |= {a.key for a in aggregates} | {a.of for a in aggregates if a.of}
    made = {name for name, _ in formulas} | {a.name for a in aggregates}
    named = list(dict.fromkeys((roles["entity"], roles["counterparty"], roles["amount"], *moves, *sorted(asked))))
    named = [n for n in named if n != target and (n in names or n not in made)]
    wanted = list(dict.fromkeys((*schema.names, *named, roles["time"], target)))
    for name in wanted:
        require(name, names, file.name)
    text = [column.name for column in schema.columns if column.type == "category"]
    frame = read_table(file, wanted, text)
    time = moments(frame[roles["time"]], roles["time"])
    days = np.issubdtype(time.dtype, np.floating)
    seconds = np.round(time * DAY) if days else time.astype("datetime64[s]")
    return frame, seconds.astype(np.int64), named


def _numbers(column: Any, name: str, roles: dict[str, str]) -> Any:
    """Keys as codes, everything else as it is."""
    if name in (roles["entity"], roles["counterparty"]):
        return np.unique(column.astype(str).to_numpy(dtype=str), return_inverse=True)[1].astype(np.float64)
    try:
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the column {name!r} of the history is no number", fix="code it as a number") from error


def _refuse_unknown(
    section: Section,
    aggregates: tuple[Aggregate, ...],
    formulas: tuple[tuple[str, str], ...],
    moves: tuple[str, ...],
    columns: dict[str, Any],
) -> None:
    """Columns that nobody computes, and averages of what is computed later."""
    late = {aggregate.name for aggregate in aggregates}
    for name, text in formulas:
        late |= {name} if parse(text).every_name & late else set()
    keys = section.text("entity"), section.text("counterparty")
    for aggregate in aggregates:
        if aggregate.key not in keys:
            raise section.error(
                f"{aggregate.name} is kept per {aggregate.key!r}", fix=f"its key can be {keys[0]} or {keys[1]}"
            )
        if aggregate.of in late:
            raise section.error(f"{aggregate.name} is of {aggregate.of}, which is itself computed from aggregates")
    distance = section.text("distance")
    if distance and distance not in dict(formulas):
        raise section.error(f"no formula computes the distance {distance!r}", "distance", fix="add it to formulas")
    for name in moves:
        require(name, list(columns), "the history")


def _start(section: Section) -> int:
    """The first judged moment in seconds: a date, or a number of days."""
    if not section.has("from"):
        return -(2**62)
    text = section.text("from")
    days = as_number(text)
    if days is not None:
        return round(days * DAY)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise section.error(f"stress.events.from is {text!r}, expected a date or a number of days", "from") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
