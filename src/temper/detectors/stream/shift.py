"""Columns of a stream that have moved away from their reference, at a false-alarm rate the user chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.detector import Signal
from temper.core.errors import ConfigError
from temper.core.schema import Schema
from temper.core.watch import Shifted
from temper.detectors._ordinary import categories, dealt, none, served
from temper.kernels.shift import Bins, Found, Payable, begun, binned, bins, counted, followed, payable
from temper.kernels.shift_bets import CATEGORY, NUMBER
from temper.kernels.strata import HOURS, Strata, hourly, strata, stratum

Array = np.ndarray[Any, Any]
_FEWEST, _CUT_BY, _MOST, _NAMED, _LISTED, _WIDE = 200, 8_192, 100_000, 3, 5, 2.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watch:
    """The reference, what was learnt since, and the evidence: `counts` and what is `payable` for bets, per stratum and
    column; `rows` since the beginning; `names` of all columns.
    """

    bins: Bins
    strata: Strata
    counts: Array
    payable: Payable
    evidence: Array
    names: Array
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Alarms when the values, categories or gaps of a column are no longer distributed as before, and says which
    column, how it changed and since which row; while nothing changes, it does so once in `one_false_alarm_per` rows at
    most, on average and over all columns.

    Rows must be exchangeable within a stratum: no trend, no cycle, no clusters. What cycles belongs into `strata`,
    columns whose values together say where a row belongs (an hour of the week, a segment); they are not watched
    themselves, and strata with fewer than 200 reference rows are pooled. `clock` is a column with the hour of the week,
    0 to 167: each is a stratum of its own, however few rows of reference it has. Clustered rows (several per customer)
    break the promise: aggregate them first. `tolerance` is the largest harmless shift, as the share of rows that lie
    elsewhere; a normal column moved by a tenth of its standard deviation is 0.04. Every column is watched twice, by
    ranks that learn from the stream, which see the smallest shifts, and by ranks in the reference alone, which a slow
    poisoning cannot move, and which allow for the reference's own error (with a probability of 99 % over references).
    Misleads where columns change only together, and where a change is slower than the stream is learnt from and
    smaller than that error.
    Source: Shin, Ramdas & Rinaldo, "E-detectors", 2024; Wang & Ramdas, "False discovery rate control with e-values",
    2022 (e-BH, which columns are named).

    >>> rng = np.random.Generator(np.random.Philox(key=0))
    >>> watch = Shift(one_false_alarm_per=1_000_000)
    >>> state = watch.fit(rng.normal(size=(5_000, 2)), Schema())
    >>> state, signal = watch.step(state, rng.normal(size=(1_000, 2)) + [[0.0, 1.0]])
    >>> bool(signal.alarms[:20].any()), bool(signal.alarms[:80].any()), signal.reason.split(" since")[0]
    (False, True, 'column 1 is higher')
    """

    one_false_alarm_per: int = 1_000_000
    tolerance: float = 0.0
    strata: tuple[str, ...] = ()
    clock: str = ""

    def fit(self, x: Array, schema: Schema) -> Watch:
        """A part of the rows says where bins begin and end, and the rest is counted."""
        if self.one_false_alarm_per < 1 or not 0.0 <= self.tolerance < 1.0:
            raise ConfigError(
                f"one false alarm per {self.one_false_alarm_per} rows, tolerance {self.tolerance:g}",
                fix="give a positive number of rows and a share of rows from 0 up to 1",
            )
        rows, aside = dealt(x, schema), np.array([schema.index(name) for name in self.strata], dtype=np.int64)
        hour = [schema.index(self.clock)] if self.clock else []
        watched = np.setdiff1d(np.arange(rows.shape[1]), [*aside, *hour])
        cut = min(len(rows) // 4, _CUT_BY)
        made = bins(rows[:cut], watched, categories(schema, rows.shape[1])[watched])
        levels = strata(rows[cut:], aside, _FEWEST)
        many = levels.many * (HOURS + 1 if self.clock else 1)
        if not len(watched) or many * len(watched) > _MOST:
            raise ConfigError(
                f"{len(watched)} columns to watch in {many:,} strata",
                fix=f"leave a column to watch, and strata times columns below {_MOST:,}",
            )
        names = np.array(schema.names or [f"column {at}" for at in range(rows.shape[1])])
        counts = counted(binned(made, rows[cut:]), self._where(levels, names, rows[cut:]), many)
        return Watch(
            bins=made,
            strata=levels,
            counts=counts,
            payable=payable(made, counts, self.tolerance),
            evidence=begun(len(watched)),
            names=names,
        )

    def step(self, state: Watch, batch: Array) -> tuple[Watch, Signal]:
        """The logarithm of the evidence after each row; an alarm is one of `log(one_false_alarm_per)` or more."""
        rows = served(batch, len(state.names))
        per, found = self.one_false_alarm_per, binned(state.bins, rows)
        where = self._where(state.strata, state.names, rows)
        evidence, named, beside = followed(found, where, state.counts, state.payable, state.evidence, per, state.rows)
        state = replace(state, rows=state.rows + len(rows))
        values = np.log(evidence)
        if not named:
            return state, Signal(values=values, alarms=none(len(values)))
        shifts, columns = _shifts(state, named), [state.bins.columns[at] for at in np.flatnonzero(beside)]
        reason = _told(shifts, [str(state.names[column]) for column in columns])
        return state, Signal(values=values, alarms=evidence >= per, reason=reason, shifts=shifts)

    def _where(self, levels: Strata, names: Array, rows: Array) -> Array:
        """The stratum of each row."""
        number = stratum(levels, rows)
        return hourly(number, rows[:, int(np.argmax(names == self.clock))]) if self.clock else number


def _shifts(state: Watch, found: Sequence[Found]) -> tuple[Shifted, ...]:
    """Each column once, by its first alarm."""
    first: dict[int, Found] = {}
    for one in sorted(found, key=lambda one: (one.row, one.at, -one.kept)):
        first.setdefault(one.at, one)
    return tuple(_shifted(state, one) for one in first.values())


def _shifted(state: Watch, one: Found) -> Shifted:
    kinds = CATEGORY if state.bins.category[one.at] else NUMBER
    verb = "has" if kinds is CATEGORY and "missing" not in kinds[one.bet] else "is"
    against = "" if one.kept else " against the first reference"
    since = one.row - one.age
    return Shifted(
        column=str(state.names[state.bins.columns[one.at]]),
        how=f"{verb} {kinds[one.bet]}{against}",
        since=since,
        low=max(since - _WIDE * one.spread, 0.0),
        high=min(since + _WIDE * one.spread, float(one.row)),
        seen=one.row,
    )


def _told(shifts: Sequence[Shifted], beside: Sequence[str]) -> str:
    """The first ones in full; then those that had no alarm of their own."""
    words = [_one(shift) for shift in shifts[:_NAMED]]
    known = [shift.column for shift in shifts]
    others = [*known[_NAMED:], *(name for name in beside if name not in known)]
    more = [f"and {len(others) - _LISTED} more"] if len(others) > _LISTED else []
    return "; ".join([*words, *(["with it " + ", ".join([*others[:_LISTED], *more])] if others else [])])


def _one(shift: Shifted) -> str:
    """`amount is higher since row 1,020 (990 to 1,050), seen at row 1,100`."""
    return (
        f"{shift.column} {shift.how} since row {shift.since:,.0f} ({shift.low:,.0f} to {shift.high:,.0f}), "
        f"seen at row {shift.seen:,}"
    )


PLUGIN = Shift
