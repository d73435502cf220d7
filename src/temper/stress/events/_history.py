"""Histories that are rewritten: one small world per judged event, and the columns that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.events import CLOCK, DAY, Events
from temper.core.expression import parse
from temper.core.schema import Schema
from temper.kernels.windows import Timeline

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Worlds side by side: in each the events of the judged event's entity and counterparty, the judged ones last.

    `world` (m,) is the number of the world, `source` (m,) the position of the event it is or copies, `time` (m,)
    seconds, `columns` the numbers of each event. The last `worlds` rows are the judged events, world by world.
    """

    events: Events
    world: Any
    source: Any
    time: Any
    columns: dict[str, Any]
    worlds: int

    @property
    def judged(self) -> slice:
        """Where the judged events are."""
        return slice(len(self.world) - self.worlds, None)

    @property
    def past(self) -> Mask:
        """Everything but the judged events."""
        return np.arange(len(self.world)) < len(self.world) - self.worlds

    def shares(self, column: str) -> Mask:
        """Which events have the same entity, counterparty or whatever else as the judged event of their world."""
        return np.asarray(self.columns[column] == self.columns[column][self.judged][self.world])

    @property
    def before(self) -> Any:
        """Days from each event to the judged event of its world."""
        return (self.time[self.judged][self.world] - self.time) / DAY

    def without(self, gone: Mask) -> History:
        """The worlds without these events; judged ones stay."""
        kept = ~gone | ~self.past
        columns = {name: values[kept] for name, values in self.columns.items()}
        return replace(self, world=self.world[kept], source=self.source[kept], time=self.time[kept], columns=columns)

    def with_copies(self, of: Any, time: Any, **changed: Any) -> History:
        """Copies of the events at positions `of`, at these times, with some columns changed; they come before the
        judged events.
        """
        at = len(self.world) - self.worlds
        columns = {name: np.insert(values, at, changed.get(name, values[of])) for name, values in self.columns.items()}
        return replace(
            self,
            world=np.insert(self.world, at, self.world[of]),
            source=np.insert(self.source, at, self.source[of]),
            time=np.insert(self.time, at, np.asarray(time, dtype=np.int64)),
            columns=columns,
        )

    def with_judged(self, **changed: Any) -> History:
        """The judged events with some columns changed."""
        columns = {name: values.copy() for name, values in self.columns.items()}
        for name, values in changed.items():
            columns[name][self.judged] = values
        return replace(self, columns=columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cases:
    """The events that are judged, at positions `rows` of the history, with the model's schema."""

    events: Events
    rows: Any
    schema: Schema

    def __len__(self) -> int:
        return len(self.rows)

    def history(self, donors: Any = None) -> History:
        """A world per case with all that its aggregates need. With `donors` (positions of other events) each case
        happens at the counterparty of its donor: what belongs to the counterparty comes from there.
        """
        events, rows = self.events, np.asarray(self.rows)
        place = rows if donors is None else np.asarray(donors)
        keys = {events.entity: rows, events.counterparty: place}
        found = np.unique(np.concatenate([self._shared(name, which) for name, which in keys.items()]))
        world, source = np.divmod(found, len(events.time))  # in order of worlds, then of time
        world, source = (np.concatenate(part) for part in ((world, np.arange(len(rows))), (source, rows)))
        columns = {name: values[source] for name, values in events.columns.items()}
        made = History(
            events=events, world=world, source=source, time=events.time[source], columns=columns, worlds=len(rows)
        )
        if donors is None:
            return made
        moved = (events.counterparty, *events.moves)
        return made.with_judged(**{name: events.columns[name][place] for name in moved})

    def features(self, history: History) -> Array:
        """The model's input (n, d) of the judged events, every declared column computed again from this history."""
        events, now = self.events, history.columns | _clock(history.time)
        late = {aggregate.name for aggregate in events.aggregates}
        before = {name: values[self.rows] for name, values in events.columns.items()} | self._clock_before
        for name, expression in self._formulas:
            if expression.every_name & late:
                late.add(name)
            else:
                now[name] = np.asarray(expression.value(now, before), dtype=np.float64)
        made = _aggregates(history, now)
        now = {name: values[history.judged] for name, values in now.items()} | made
        for name, expression in self._formulas:
            if name in late:
                now[name] = np.asarray(expression.value(now, before), dtype=np.float64)
        return self._matrix(now, before)

    def agreement(self) -> dict[str, float]:
        """Per declared column the share of cases whose own value is what the untouched history gives."""
        x, known = self.features(self.history()), self.events.x[self.rows]
        declared = [*(a.name for a in self.events.aggregates), *(name for name, _ in self.events.formulas)]
        at = {name: self.schema.index(name) for name in declared if name in self.schema.names}
        return {
            name: float(np.isclose(x[:, i], known[:, i], rtol=1e-4, atol=1e-6, equal_nan=True).mean())
            for name, i in at.items()
        }

    def _matrix(self, now: dict[str, Any], before: dict[str, Any]) -> Array:
        """The rows with what was declared, and the schema's own derived columns moved by their formulas."""
        x, told = (
            self.events.x[self.rows].copy(),
            {a.name for a in self.events.aggregates} | dict(self._formulas).keys(),
        )
        changed = {name: i for i, name in enumerate(self.schema.names) if name in now}
        for name, at in changed.items():
            x[:, at] = now[name]
        was = {name: self.events.x[self.rows][:, i] for i, name in enumerate(self.schema.names)}
        present = {name: x[:, i] for i, name in enumerate(self.schema.names)}
        for name, expression in self.schema.formulas:
            if name not in told:
                moved = expression.value(present, was) - expression.value(was, was)
                present[name] = x[:, self.schema.index(name)] = was[name] + moved
        return x

    @cached_property
    def _formulas(self) -> tuple[tuple[str, Any], ...]:
        return tuple((name, parse(text)) for name, text in self.events.formulas)

    @cached_property
    def _clock_before(self) -> dict[str, Any]:
        return _clock(self.events.time[self.rows])

    @cached_property
    def _sorted(self) -> dict[str, tuple[Any, Any]]:
        """Per key column the events by its value and then by time, and both joined to one rising number."""
        found = {}
        for name in (self.events.entity, self.events.counterparty):
            values = self.events.columns[name].astype(np.int64)
            order = np.argsort(values, kind="stable")
            found[name] = order, values[order] * (len(values) + 1) + order
        return found

    def _shared(self, column: str, which: Any) -> Any:
        """world * n + position of the earlier events, as far back as needed, with the value of `column` that the events
        `which` have.
        """
        events, rows = self.events, np.asarray(self.rows)
        values = events.columns[column].astype(np.int64)
        order, flat = self._sorted[column]
        first = np.searchsorted(events.time, events.time[rows] - events.reach, "left")
        start, end = (np.searchsorted(flat, values[which] * (len(values) + 1) + edge) for edge in (first, rows))
        sizes = np.maximum(end - start, 0)
        offset = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        found = order[np.repeat(start, sizes) + offset]
        return np.repeat(np.arange(len(rows)), sizes) * len(values) + found


def _aggregates(history: History, now: dict[str, Any]) -> dict[str, Any]:
    """The declared aggregates of the judged events, each over its own world."""
    at = np.arange(len(history.world))[history.judged]
    lines: dict[str, Timeline] = {}
    made = {}
    for a in history.events.aggregates:
        if a.key not in lines:
            codes = np.unique(now[a.key], return_inverse=True)[1]
            lines[a.key] = Timeline.of(history.world * (int(codes.max(initial=0)) + 1) + codes, history.time)
        value = now[a.of] if a.of else np.zeros(len(history.world))
        count, total = lines[a.key].window(value, at, a.days, delay=a.delay, own=a.own, whole=a.whole)
        mean = total / np.maximum(count, 1)
        made[a.name] = {"count": count, "sum": total, "mean": mean}[a.function]
    return made


def _clock(time: Any) -> dict[str, Any]:
    days = np.asarray(time) // DAY
    return dict(zip(CLOCK, ((time - days * DAY) / 3600.0, (days + 3.0) % 7, days * 1.0), strict=True))
