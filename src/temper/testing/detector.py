"""Laws of detectors: ordinary rows pass at the promised rate, a state is a value, one row is like a thousand."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.detector import Signal, from_arrays, to_arrays
from temper.core.schema import Schema
from temper.testing.law import LawBroken, only_reads, require, same, sealed
from temper.testing.scenes import schema, table

_CUTS, _MANY, _SURE = (1, 7, 40), 1_500, 1e-6
_PER, _DEALS = 500, 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """What a detector is tried on: ordinary rows to fit it, and fresh ones."""

    rows: Array
    fresh: Array
    schema: Schema


def rows_of_a_table() -> Case:
    """Rows with every kind of column, as they are served."""
    return Case(rows=sealed(table(8_000)), fresh=sealed(table(3_000, seed=1).astype(np.float32)), schema=schema())


def scores_of_a_model() -> Case:
    """Scores between nought and one."""
    rng = np.random.Generator(np.random.Philox(key=5))
    fresh = sealed(rng.uniform(0.01, 0.99, (3_000, 1)).astype(np.float32))
    return Case(rows=sealed(np.linspace(0, 1, 8_000)[:, None]), fresh=fresh, schema=Schema())


def law_ordinary_rows_rarely_alarm(detector: type[Any], case: Case) -> None:
    """No more alarms at fresh ordinary rows than the rate it promises allows, if it promises one."""
    from scipy.special import bdtrc

    found = _steps(detector, case, case.fresh)
    alarms, n = int(found.alarms.sum()), len(case.fresh)
    rate = getattr(detector(), "rate", 0.0)
    require(not alarms or (rate and bdtrc(alarms - 1, n, rate) > _SURE), f"alarms at {alarms} of {n} ordinary rows")


def law_false_alarms_are_as_rare_as_chosen(detector: type[Any], case: Case) -> None:
    """Where one alarm per so many rows can be chosen, there are no more than that among ordinary rows."""
    from scipy.special import pdtrc

    if "one_false_alarm_per" not in {field.name for field in fields(detector)}:
        return
    watch, alarms = detector(one_false_alarm_per=_PER), 0
    rows = np.concatenate([case.rows.astype(np.float32), case.fresh])
    for deal in range(_DEALS):
        dealt = rows[np.random.Generator(np.random.Philox(key=deal)).permutation(len(rows))]
        _, found = watch.step(watch.fit(dealt[:_MANY], case.schema), dealt[_MANY:])
        alarms += int(found.alarms.sum())
    allowed = _DEALS * (len(rows) - _MANY) / _PER
    require(not alarms or pdtrc(alarms - 1, allowed) > _SURE, f"has {alarms} alarms where {allowed:.0f} are allowed")


def law_something_alarms(detector: type[Any], case: Case) -> None:
    """Rows far out, or rows without a value, are alarmed at sooner or later."""
    far = case.fresh[:200] * np.float32(1e4) + np.arange(200, dtype=np.float32)[:, None]
    gone = np.full_like(case.fresh[:3], np.nan)
    require(any(_steps(detector, case, rows).alarms.any() for rows in (far, gone)), "alarms at nothing")


def law_says_why(detector: type[Any], case: Case) -> None:
    """A reason where there is an alarm, and only there."""
    for rows in (*_hostile(case), case.fresh[:50]):
        found = _steps(detector, case, rows)
        require(bool(found.reason) == bool(found.alarms.any()), f"has alarms {found.alarms.any()}: {found.reason!r}")


def law_a_state_is_a_value(detector: type[Any], case: Case) -> None:
    """Stored as plain arrays and read again, it goes on as if nothing had been."""
    watch, kind = detector(), type(detector().fit(case.rows, case.schema))
    rows = _lively(case)
    whole = _steps(detector, case, rows).values
    for cut in _CUTS:
        state, first = watch.step(watch.fit(case.rows, case.schema), rows[:cut])
        state = _stored(kind, state)
        _, second = watch.step(state, rows[cut:])
        require(same(np.concatenate([first.values, second.values]), whole), f"goes on otherwise after row {cut}")


def law_one_row_is_like_many(detector: type[Any], case: Case) -> None:
    """Rows one by one get the values they get together."""
    watch, rows = detector(), _lively(case)
    state, values = watch.fit(case.rows, case.schema), []
    for at in range(len(rows)):
        state, signal = watch.step(state, rows[at : at + 1])
        values.append(signal.values[0])
    require(same(np.array(values), _steps(detector, case, rows).values), "gives a row other values alone")


def law_copes_with_anything(detector: type[Any], case: Case) -> None:
    """Whatever stands in a row, and without any row, there are a number and an answer per row."""
    for rows in (*_hostile(case), case.fresh[:0]):
        found = _steps(detector, case, rows)
        require(found.values.shape == found.alarms.shape == (len(rows),), f"gives {found.values.shape} values")
        require(not np.isnan(found.values).any(), "gives a value that is no number")


def law_leaves_inputs_alone(detector: type[Any], case: Case) -> None:
    """Rows are read, and nothing else is done to them."""
    before = case.rows.tobytes(), case.fresh.tobytes()
    with only_reads(detector.__name__):
        _steps(detector, case, case.fresh)
        _steps(detector, replace(case, rows=np.array(case.rows)), np.array(case.fresh))
    require((case.rows.tobytes(), case.fresh.tobytes()) == before, "writes to the rows it is given")


def law_a_state_is_bounded(detector: type[Any], case: Case) -> None:
    """It does not grow with the number of rows seen."""
    watch = detector()
    state, _ = watch.step(watch.fit(case.rows, case.schema), case.fresh[:_MANY])
    size = _size(state)
    state, _ = watch.step(state, case.fresh[_MANY:])
    require(_size(state) <= size, f"grows from {size} to {_size(state)} bytes")


def law_same_rows_same_signals(detector: type[Any], case: Case) -> None:
    """Fitted and asked again it says the same."""
    one, two = (_steps(detector, case, _lively(case)) for _ in range(2))
    require(same(one, two), "says something else the second time")


def _steps(detector: type[Any], case: Case, rows: Array) -> Signal:
    watch = detector()
    try:
        _, found = watch.step(watch.fit(case.rows, case.schema), rows)
    except Exception as crash:
        if "read-only" in str(crash):
            raise
        raise LawBroken(f"fails with {type(crash).__name__}: {crash}") from crash
    require(isinstance(found, Signal), f"gives a {type(found).__name__}, expected a Signal")
    return found  # type: ignore[no-any-return]


def _lively(case: Case) -> Array:
    """Ordinary rows, some again, some with other columns, some far out."""
    rows = np.array(case.fresh[:60])
    rows[20:25] = rows[:5]
    rows[30:40] = rows[10:20, ::-1]
    rows[50:55] *= 100.0
    return sealed(rows)


def _hostile(case: Case) -> list[Array]:
    """Rows of each value that is none, everywhere and in one column at a time."""
    strange = (np.nan, np.inf, -np.inf, 1e308, -1e308, 3e38, 1e-45, 5e-324, -0.0, 2.0**53 + 1)
    everywhere = np.repeat(np.array(strange)[:, None], case.fresh.shape[1], axis=1)
    single = np.repeat(case.fresh[:1].astype(float), len(strange) * case.fresh.shape[1], axis=0)
    for at in range(len(single)):
        single[at, at % case.fresh.shape[1]] = strange[at // case.fresh.shape[1]]
    return [sealed(everywhere), sealed(single)]


def _stored(kind: type[Any], state: Any) -> Any:
    file = io.BytesIO()
    try:
        np.savez(file, **to_arrays(state))  # type: ignore[arg-type]
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return from_arrays(kind, dict(arrays))
    except Exception as crash:
        raise LawBroken(f"cannot be stored as plain arrays: {crash}") from crash


def _size(state: Any) -> int:
    return sum(value.nbytes for value in to_arrays(state).values())


LAWS = (
    law_ordinary_rows_rarely_alarm,
    law_false_alarms_are_as_rare_as_chosen,
    law_something_alarms,
    law_says_why,
    law_a_state_is_a_value,
    law_one_row_is_like_many,
    law_copes_with_anything,
    law_leaves_inputs_alone,
    law_a_state_is_bounded,
    law_same_rows_same_signals,
)
