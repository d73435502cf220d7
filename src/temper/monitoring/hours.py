"""The hour of the week in which rows came, and what a stream is told of by it."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.data import Data
from temper.core.errors import ConfigError
from temper.core.watch import HOUR_OF_WEEK
from temper.detectors.stream.shift import Watch as State
from temper.kernels.shift import enough
from temper.kernels.strata import HOURS

Array = np.ndarray[Any, Any]
_SINCE, _UPTO = 631_152_000, 4_102_444_800
"""1990 and 2100: numbers outside of that are other times than seconds since 1970."""


def hours_of(at: Array, zone: str) -> Array:
    """The hour of the week (n,) in a time zone, of times (n,) in seconds since 1970; 0 begins on Monday at midnight.

    >>> hours_of(np.array([0.0, 345_600.0, 345_599.5]), "UTC"), hours_of(np.array([0.0]), "Asia/Tokyo")
    (array([ 72,   0, 167]), array([81]))
    """
    import pandas as pd

    seconds = np.floor(at).astype(np.int64).astype("datetime64[s]")
    there = pd.DatetimeIndex(seconds).tz_localize("UTC").tz_convert(zone)
    return np.asarray(there.day_of_week * 24 + there.hour, dtype=np.int64)


def clock_of(data: Data) -> Array:
    """When the rows of an assessment came, in seconds since 1970. Raises `ConfigError` where that is not known."""
    if data.time is None:
        raise ConfigError(
            f"the rows of the assessment say no time, and strata: {HOUR_OF_WEEK} needs one",
            fix=f"name their column of times as `data: {{time: ...}}`, or leave {HOUR_OF_WEEK} out",
        )
    if np.issubdtype(data.time.dtype, np.datetime64):
        return np.asarray(data.time.astype("datetime64[s]").astype(np.int64))
    if len(data.time) and not (data.time.min() >= _SINCE and data.time.max() < _UPTO):
        raise ConfigError(
            f"the times of the assessment, {data.time.min():g} to {data.time.max():g}, are not seconds since 1970,"
            f" and strata: {HOUR_OF_WEEK} needs a date",
            fix="give dates such as 2027-01-31 12:00",
        )
    return np.asarray(data.time)


def unsure(state: State) -> tuple[str, ...]:
    """What the hours of a stream's reference are too few for, in words; nothing where they do."""
    counts = state.counts[:, 0, :, -1]
    rows = counts[0].reshape(-1, HOURS + 1)[:, :HOURS].max(axis=0)
    needed = int(np.ceil(enough(counts.size)))
    none, few = int((rows == 0).sum()), int((rows < needed).sum())
    if not few:
        return ()
    return (
        f"the stream begins: {few} of {HOURS} hours of the week have fewer than {needed:,} rows of reference,"
        f" {none} of them none; there only what changes faster than the stream learns is seen",
    )
