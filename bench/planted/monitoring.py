"""What comes to a model in service and is not what it was assessed on: one file, held against the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from bench.planted import _system
from bench.planted._case import Case, Setting
from bench.planted._commands import run

Change = Callable[[Any], None]


def checked(change: Change, setting: Setting) -> Sequence[str]:
    """`temper monitor check` of 3,000 rows that were changed, or of 3,000 as before: an alarm is exit code 1."""
    _system.written(setting.folder, "monitor: {feed: predictions, time: at}\n")
    (setting.folder / "predictions").mkdir()
    x = _system.rows(3_000, 100 + setting.seed)
    if setting.weak:
        change(x)
    at = np.arange(len(x)) * 20.0
    path = _system.table(setting.folder / "day.csv", x, (*_system.COLUMNS, "at"), at[:, None])
    code, said = run("monitor", "check", str(path), at=setting.folder)
    if code not in (0, 1):
        raise RuntimeError(f"exit {code}: {said}")
    return [said] if code else []


def _older(x: Any) -> None:
    x[:, 3] = np.clip(x[:, 3] + 6, 18, 99)


def _cents(x: Any) -> None:
    x[::4, 0] = np.clip(100 * x[::4, 0], 0, 5_000)


def _empty(x: Any) -> None:
    x[::12, 3] = np.nan


def _frozen(x: Any) -> None:
    x[len(x) // 2 :, 2] = x[len(x) // 2, 2]


def _swapped(x: Any) -> None:
    x[:, [0, 2]] = x[:, [2, 0]]
    x[:, 0] = np.clip(x[:, 0], 0, 5_000)


def _one_hour(x: Any) -> None:
    x[::6, 1] = 9


def _bunched(x: Any) -> None:
    """Whoever tries the model ends just below one amount."""
    x[::25, 0] = 299.5
    x[::25, 1] = 13


def _coarse(x: Any) -> None:
    x[:, 3] = 10 * np.round(x[:, 3] / 10)


_CHANGES = {
    "older customers": ("people are six years older", _older),
    "cents": ("a quarter of the amounts come in cents", _cents),
    "empty ages": ("a twelfth of the ages is missing", _empty),
    "frozen limits": ("a feed stands still from noon on", _frozen),
    "swapped columns": ("amounts and limits are swapped", _swapped),
    "all at nine": ("a sixth of the hours says nine", _one_hour),
    "bunched": ("one row of 25 is what passes: one amount at one hour", _bunched),
    "coarse ages": ("ages come in tens", _coarse),
}
CASES = tuple(
    Case(room="monitoring", name=name, about=about, told=partial(checked, change))
    for name, (about, change) in _CHANGES.items()
)
