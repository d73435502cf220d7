"""Laws of comparisons of windows: rare alarms without drift, something is found, parts add up, no row is too strong."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.shift import Shift
from temper.monitoring.reference import Reference, Window
from temper.testing.law import LawBroken, require, same, sealed
from temper.testing.scenes import schema, table

_WINDOWS, _LEVEL, _SURE, _CLEAR = 24, 0.05, 1e-5, 2e-3
_N = 400


def law_no_drift_is_rarely_found(comparison: type[Any]) -> None:
    """Of windows of the reference's own distribution, no more have a p below a level than that level."""
    from scipy.special import bdtrc

    known = _reference()
    # All columns of a window count once: they depend on each other.
    lowest = [_found(comparison, _window(known, table(_N, seed))) for seed in range(2, 2 + _WINDOWS)]
    alarms = sum(bool((one.p <= _LEVEL / max(len(one.p), 1)).any()) for one in lowest)
    require(not alarms or bdtrc(alarms - 1, _WINDOWS, _LEVEL) > _SURE, f"finds drift in {alarms} of {_WINDOWS} windows")


def law_something_is_found(comparison: type[Any]) -> None:
    """At least one way of drifting is found: moved, spread, gone, of a new kind, or coupled otherwise."""
    known = _reference()
    found = [_found(comparison, _window(known, rows)).p for rows in _drifted()]
    require(any((p < _CLEAR).any() for p in found), "finds no drift in rows that have drifted in every way")


def law_parts_make_the_whole(comparison: type[Any]) -> None:
    """Windows of nodes and days, added up, say what the window of all rows says."""
    known, rows = _reference(), _drifted()[0]
    whole = _window(known, rows)
    parts = [_window(known, rows[at], at) for at in (np.arange(0, 150), np.arange(150, 151), np.arange(151, _N))]
    require(
        same(_found(comparison, parts[2] + parts[0] + parts[1]), _found(comparison, whole)), "parts say other things"
    )


def law_copes_with_anything(comparison: type[Any]) -> None:
    """Whatever the rows are, and without any, p is a share, and one where there is nothing to compare."""
    known, rows = _reference(), table(20, 1)
    strange = [rows[:0], rows[:1], np.full_like(rows, np.nan), np.full_like(rows, np.inf), np.full_like(rows, 1e300)]
    for given in (*strange, np.full_like(rows, -np.inf), np.zeros_like(rows)):
        found = _found(comparison, _window(known, given))
        require(((found.p >= 0.0) & (found.p <= 1.0)).all(), f"p is {found.p}")
        require((found.p[np.isnan(found.values)] == 1.0).all(), "is sure of what it cannot compare")
    require((_found(comparison, _window(known, rows[:0])).p == 1.0).all(), "finds drift in no rows at all")


def law_one_row_decides_nothing(comparison: type[Any]) -> None:
    """One planted row neither makes drift of none nor hides what is there."""
    known, wild = _reference(), np.full((1, len(schema().columns)), 1e30)
    for rows in (table(_N, 3), *_drifted()):
        before = _found(comparison, _window(known, rows)).p
        after = _found(comparison, _window(known, np.concatenate([rows[:-1], wild]))).p
        require(not (after[before > 0.5] < _CLEAR).any(), "one row makes drift of none")
        require(not (after[before < _CLEAR / 100.0] > _LEVEL).any(), "one row hides drift")


def law_same_rows_same_answer(comparison: type[Any]) -> None:
    """Asked again, and with the rows in another order, it says the same."""
    known, rows = _reference(), _drifted()[0]
    turned = np.arange(_N)[::-1]
    first, second = _window(known, rows), _window(known, rows[turned], turned)
    require(same(_found(comparison, first), _found(comparison, first)), "says something else the second time")
    require(same(_found(comparison, first), _found(comparison, second)), "depends on the order of rows")


def _reference() -> Reference:
    return Reference.fit(sealed(table(1_500)), schema())


def _window(known: Reference, rows: Any, ids: Any = None) -> Window:
    return Window.of(known, sealed(rows), np.arange(len(rows)) if ids is None else ids)


def _found(comparison: type[Any], window: Window) -> Shift:
    try:
        found = comparison().compare(window)
    except Exception as crash:
        raise LawBroken(f"fails with {type(crash).__name__}: {crash}") from crash
    require(isinstance(found, Shift), f"gives a {type(found).__name__}, expected a Shift")
    require(found.columns.shape == found.values.shape == found.p.shape, "has other numbers of columns and values")
    return found  # type: ignore[no-any-return]


def _drifted() -> list[Any]:
    """Rows that have moved, that lack values, that are of a kind which was not there, and whose columns lost touch."""
    amount, kind, note = (schema().index(name) for name in ("amount", "kind", "note"))
    moved, gone, new, apart = (table(_N, 1) for _ in range(4))
    moved[:, amount] = 60.0 + 0.3 * moved[:, amount]
    gone[::2, note] = np.nan
    new[::3, kind] = 9.0
    apart[:, amount] = apart[::-1, amount]
    return [moved, gone, new, apart]


LAWS = (
    law_no_drift_is_rarely_found,
    law_something_is_found,
    law_parts_make_the_whole,
    law_copes_with_anything,
    law_one_row_decides_nothing,
    law_same_rows_same_answer,
)
