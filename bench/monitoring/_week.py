"""A week with a rhythm of hours and days: what its hours promise as strata, beside hours that are pooled and none."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.monitoring._streams import COLUMNS, between, lengths, named, weekly
from bench.table import goal, table
from temper.detectors.stream.shift import Shift

Array = np.ndarray[Any, Any]
PER, N = 10_000, 20_000
WAYS = (
    ("every hour, reference 2,000", 2_000, 1, "hour"),
    ("every hour, reference 20,000", 20_000, 1, "hour"),
    ("24 neighbours as one, which have 200 rows, reference 2,000", 2_000, 24, "hour"),
    ("3 neighbours as one, which have 200 rows, reference 20,000", 20_000, 3, "hour"),
    ("no strata, reference 20,000", 20_000, 1, ""),
)


def week(quick: bool) -> None:
    """Alarms without a change, and rows until a quarter of a deviation in one column is seen."""
    streams, rows, worst = 3 if quick else 12, [], np.inf
    for name, reference, hours, clock in WAYS:
        alarms, late = 0, []
        for seed in range(streams):
            rng = np.random.default_rng([seed, reference, 13])
            first, still, moved = (_cut(weekly(rng, many), hours, clock) for many in (reference, N, N))
            alarms += int(_alarms(PER, clock, first, still).sum())
            moved[:, 7] += np.float32(0.25)
            found = _alarms(1_000_000, clock, first, moved)
            late.append(int(np.argmax(found)) + 1 if found.any() else N)
        length = lengths(alarms, streams * N)
        worst = min(worst, length[0]) if clock and hours == 1 else worst
        half = 1.96 * np.std(late) / streams**0.5
        seen = f"{np.mean(late):,.0f} [{np.mean(late) - half:,.0f}, {np.mean(late) + half:,.0f}]"
        rows.append([name, alarms, f"{streams * N // PER}", between(length), seen if clock else "-", streams])
    head = ["hours of the week as strata", "alarms", "allowed", "rows per alarm", "rows until .25 sd is seen", "n"]
    table(f"A week's rhythm, one false alarm per {PER:,} rows (1,000,000 to see); streams of {N:,} x 30", head, rows)
    print(f"[ ]: 95 %, Poisson for alarms, normal for rows until; not seen within {N:,} counts as {N:,}")
    goal("lower end of rows per alarm, every hour", worst, PER, "rows", at_least=True, digits=0)


def _cut(rows: Array, hours: int, clock: str) -> Array:
    """With so many hours as one; without a clock the hour is no column, only what it does to the others is there."""
    rows[:, COLUMNS] //= hours
    return rows if clock else rows[:, :COLUMNS]


def _alarms(per: int, clock: str, first: Array, rows: Array) -> Array:
    watch = Shift(one_false_alarm_per=per, clock=clock)
    return np.asarray(watch.step(watch.fit(first, named(bool(clock))), rows)[1].alarms)
