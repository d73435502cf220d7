"""From comparisons of a window to what is said of it: few false alarms over all columns, and no small window passes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from temper.core.moved import TOGETHER, Moved
from temper.core.room import Room
from temper.core.watch import ATTEMPTS, PERSISTENT, Alarm, Feed, Seen, Watch, Watched
from temper.kernels.several import discoveries
from temper.monitoring.crowd import gathered, persistent
from temper.monitoring.reference import Window

COMPARISONS = (Room("temper.monitoring.drift"), Room("temper.monitoring.security"))
_FAMILIES = 3
_OF_FEW_ROWS = ("missing", "unseen", "bunching", PERSISTENT)  # what matters though a distribution hardly moves
_MISSED = 0.1  # the share of windows with a shift worth an alarm in which none may be found


def judged(
    window: Window,
    watch: Watch,
    start: float,
    ends: float,
    troubles: Iterable[str] = (),
    notes: Iterable[str] = (),
    before: Watched | None = None,
) -> Watched:
    """What this window says: FAIL with an alarm or a trouble, INCONCLUSIVE where it is too small to say PASS.

    Alarms are those whose p survives Benjamini and Hochberg's rate, a third of `false_alarms` for each family: columns
    one by one, rows as wholes, signs of an attack. So a window without any alarms at a rate of `false_alarms` at most,
    and a few comparisons that answer another question are not drowned by those of many columns. What the window
    `before` had gathered goes on, and begins anew once it was told.
    """
    drift, security = ({name: room.build(name).compare(window) for name in room.names()} for room in COMPARISONS)
    wholes = {name: one for name, one in drift.items() if (one.columns == TOGETHER).any()}
    columns = {name: one for name, one in drift.items() if name not in wholes}
    evidence = gathered(window, before.gathered if before else ())
    security[PERSISTENT] = persistent(evidence, window.reference)
    small = _small(drift["ks"], watch.smallest)
    alarms = tuple(one for family in (columns, wholes, security) for one in _alarms(family, window, watch, small))
    tests = [sum(len(one.p) for one in family.values()) for family in (columns, wholes, security)]
    needed = rows_needed(window.reference.tally.rows, tests[0], watch) if watch.kind is not Feed.EXCHANGES else None
    if len(security[ATTEMPTS].p):  # the windows before promise something, however few exchanges this one has
        needed = 0
    rows = window.tally.rows
    wrong = tuple(troubles)
    return Watched(
        start=start,
        ends=ends,
        rows=rows,
        seen=_seen(rows, needed, bool(alarms or wrong)),
        tests=sum(tests),
        needed=needed,
        alarms=alarms,
        troubles=wrong,
        notes=tuple(notes),
        moved=_moved(drift, window),
        signs=tuple(one for name, moved in security.items() for one in _signs(name, moved, window)),
        events=tuple(sorted(window.events.items())),
        gathered=() if any(one.comparison == PERSISTENT for one in alarms) else evidence,
    )


def rows_needed(reference: int, tests: int, watch: Watch) -> int | None:
    """How many rows find a shift of the smallest size worth an alarm, nine times in ten; None: no number of rows does.

    By Massart's bound on both samples, at the level of one test among all.
    """
    level = watch.false_alarms / _FAMILIES / max(tests, 1)
    found = math.sqrt(-math.log(level / 2.0) / 2.0) + math.sqrt(-math.log(_MISSED) / 2.0)
    together = (found / watch.smallest) ** 2
    return math.ceil(together * reference / (reference - together)) if reference > together else None


def _seen(rows: int, needed: int | None, wrong: bool) -> Seen:
    if wrong:
        return Seen.FAIL
    if not rows:
        return Seen.NOTHING
    return Seen.PASS if needed is not None and rows >= needed else Seen.INCONCLUSIVE


def _alarms(found: dict[str, Moved], window: Window, watch: Watch, small: set[int]) -> tuple[Alarm, ...]:
    """The smallest p first."""
    names = [name for name, one in found.items() for _ in one.p]
    columns = np.concatenate([one.columns for one in found.values()])
    values = np.concatenate([one.values for one in found.values()])
    p = np.concatenate([one.p for one in found.values()])
    return tuple(
        Alarm(
            comparison=names[at],
            column=window.reference.names[columns[at]] if columns[at] >= 0 else "",
            value=float(values[at]),
            p=float(p[at]),
        )
        for at in discoveries(p, watch.false_alarms / _FAMILIES)
        if not (int(columns[at]) in small and names[at] not in _OF_FEW_ROWS)
    )


def _moved(found: dict[str, Moved], window: Window) -> tuple[tuple[str, float], ...]:
    """Columns in their order; one without values on either side has not been measured, and is left out."""
    far = dict(zip(found["g_test"].columns.tolist(), found["g_test"].values.tolist(), strict=True))
    far |= zip(found["ks"].columns.tolist(), found["ks"].values.tolist(), strict=True)
    return tuple((window.reference.names[at], far[at]) for at in sorted(far) if math.isfinite(far[at]))


def _signs(name: str, found: Moved, window: Window) -> Iterator[Alarm]:
    """What a comparison of the security room measured; one that had nothing to measure is left out."""
    for column, value, p in zip(found.columns.tolist(), found.values.tolist(), found.p.tolist(), strict=True):
        if math.isfinite(value):
            yield Alarm(comparison=name, column=window.reference.names[column] if column >= 0 else "", value=value, p=p)


def _small(distances: Moved, smallest: float) -> set[int]:
    """Columns of numbers whose distribution functions lie closer together than is worth an alarm."""
    return {int(column) for column, value in zip(distances.columns, distances.values, strict=True) if value < smallest}
