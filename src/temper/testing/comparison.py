"""Laws of comparisons of windows: rare alarms without drift, something is found, parts add up, no row is too strong.

The windows have a score with a threshold, and say whose rows are and when they came: of drift and of attacks alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.moved import Moved
from temper.core.watch import ATTEMPTS, EXCHANGES, REFUSED
from temper.monitoring.reference import Reference, Window
from temper.testing.law import LawBroken, require, same, sealed
from temper.testing.scenes import schema, table, table_model

_THRESHOLD, _CLIENT = 0.9, 50  # the model's score that is stopped, and how many rows in a row are of one client
_WINDOWS, _LEVEL, _SURE, _CLEAR = 24, 0.05, 1e-5, 2e-3
_N = 400
_EARLIER = (21, 17, 25, 19, 20, 15, 23, 18)  # of windows of so many rows
_BEFORE = tuple({REFUSED: many, ATTEMPTS: many, EXCHANGES: _N} for many in _EARLIER)


def law_no_drift_is_rarely_found(comparison: type[Any]) -> None:
    """Of windows of the reference's own distribution, no more have a p below a level than that level."""
    from scipy.special import bdtrc

    known = reference()
    # All columns of a window count once: they depend on each other.
    lowest = [found(comparison, window(known, scored(table(_N, seed)))) for seed in range(2, 2 + _WINDOWS)]
    alarms = sum(bool((one.p <= _LEVEL / max(len(one.p), 1)).any()) for one in lowest)
    require(not alarms or bdtrc(alarms - 1, _WINDOWS, _LEVEL) > _SURE, f"finds drift in {alarms} of {_WINDOWS} windows")


def law_something_is_found(comparison: type[Any]) -> None:
    """At least one way of drifting is found: moved, gone, of a new kind, coupled otherwise, crowded, walking, or beside
    requests that were refused or objected to.
    """
    known = reference()
    told = [found(comparison, window(known, rows)).p for rows in _drifted()]
    told.append(found(comparison, window(known, scored(table(_N, 1)), refused=1)).p)
    require(any((p < _CLEAR).any() for p in told), "finds no drift in rows that have drifted in every way")


def law_parts_make_the_whole(comparison: type[Any]) -> None:
    """Windows of nodes and days, added up, say what the window of all rows says."""
    known, rows = reference(), _drifted()[0]
    whole = window(known, rows)
    parts = [window(known, rows[at], at) for at in (np.arange(0, 150), np.arange(150, 151), np.arange(151, _N))]
    require(same(found(comparison, parts[2] + parts[0] + parts[1]), found(comparison, whole)), "parts say other things")


def law_copes_with_anything(comparison: type[Any]) -> None:
    """Whatever the rows are, and without any, p is a share, and one where there is nothing to compare."""
    known, rows = reference(), scored(table(20, 1))
    strange = [rows[:0], rows[:1], np.full_like(rows, np.nan), np.full_like(rows, np.inf), np.full_like(rows, 1e300)]
    for given in (*strange, np.full_like(rows, -np.inf), np.zeros_like(rows)):
        told = found(comparison, window(known, given))
        require(((told.p >= 0.0) & (told.p <= 1.0)).all(), f"p is {told.p}")
        require((told.p[np.isnan(told.values)] == 1.0).all(), "is sure of what it cannot compare")
    require((found(comparison, window(known, rows[:0])).p == 1.0).all(), "finds drift in no rows at all")


def law_one_row_decides_nothing(comparison: type[Any]) -> None:
    """One planted row neither makes drift of none nor hides what is there."""
    known, wild = reference(), np.full((1, len(schema().columns) + 1), 1e30)
    for rows in (scored(table(_N, 3)), *_drifted()):
        before = found(comparison, window(known, rows)).p
        after = found(comparison, window(known, np.concatenate([rows[:-1], wild]))).p
        require(not (after[before > 0.5] < _CLEAR).any(), "one row makes drift of none")
        require(not (after[before < _CLEAR / 100.0] > _LEVEL).any(), "one row hides drift")


def law_same_rows_same_answer(comparison: type[Any]) -> None:
    """Asked again, and with the rows in another order, it says the same."""
    known, rows = reference(), _drifted()[0]
    turned = np.arange(_N)[::-1]
    first, second = window(known, rows), window(known, rows[turned], turned)
    require(same(found(comparison, first), found(comparison, first)), "says something else the second time")
    require(same(found(comparison, first), found(comparison, second)), "depends on the order of rows")


def scored(rows: Any) -> Any:
    """The rows with what the model says of them as their last column."""
    return np.column_stack([rows, 1.0 / (1.0 + np.exp(-table_model().logit(np.nan_to_num(rows)) / 3.0))])


def reference() -> Reference:
    """What the windows of these laws are compared with."""
    return Reference.fit(sealed(scored(table(1_500))), schema(), ("score",), threshold=_THRESHOLD)


def window(known: Reference, rows: Any, ids: Any = None, refused: int = 20) -> Window:
    """These rows, in the order of their ids, so many in a row of one client. Beside every `refused` rows came one
    request without a key that holds, and to one of them a guard objected.
    """
    ids = np.arange(len(rows)) if ids is None else ids
    made = Window.of(known, sealed(rows), ids, ids.astype(float), ids // _CLIENT)
    many = int((ids % refused == 0).sum())
    return made.counted({REFUSED: many, ATTEMPTS: many}, _BEFORE)


def found(comparison: type[Any], window: Window) -> Moved:
    """What a comparison says of a window, if it is a Moved at all."""
    try:
        told = comparison().compare(window)
    except Exception as crash:
        raise LawBroken(f"fails with {type(crash).__name__}: {crash}") from crash
    require(isinstance(told, Moved), f"gives a {type(told).__name__}, expected a Moved")
    require(told.columns.shape == told.values.shape == told.p.shape, "has other numbers of columns and values")
    return told  # type: ignore[no-any-return]


def _drifted() -> list[Any]:
    """Rows that have moved, that lack values, that are of a kind which was not there, whose columns lost touch, whose
    scores crowd below the threshold, and of whom one client walks towards it.
    """
    amount, kind, note = (schema().index(name) for name in ("amount", "kind", "note"))
    moved, gone, new, apart, crowded, walking = (scored(table(_N, 1)) for _ in range(6))
    moved[:, amount] = 60.0 + 0.3 * moved[:, amount]
    gone[::2, note] = np.nan
    new[::3, kind] = 9.0
    apart[:, amount] = apart[::-1, amount]
    crowded[::10, -1] = np.nextafter(np.float32(_THRESHOLD), np.float32(0))
    walking[:_CLIENT] = walking[0]
    walking[:_CLIENT, -1] = np.linspace(0.999, _THRESHOLD, _CLIENT)
    return [moved, gone, new, apart, crowded, walking]


LAWS = (
    law_no_drift_is_rarely_found,
    law_something_is_found,
    law_parts_make_the_whole,
    law_copes_with_anything,
    law_one_row_decides_nothing,
    law_same_rows_same_answer,
)
