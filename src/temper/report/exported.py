"""The newest window of predictions for Prometheus: names that dashboards and alerts may speak of, and their text."""

from __future__ import annotations

from collections.abc import Iterator

from temper.core.watch import Seen, Watch, Watched
from temper.report.prometheus import Labels, head, shown

NAMES = {
    "monitor_rows": "Rows of the newest window.",
    "monitor_seen": "What the newest window says: 1 for one of the states, 0 for all others.",
    "monitor_distance": "How far each column of the newest window has moved, from 0 to 1.",
    "monitor_alarms": "Comparisons of the newest window that found drift, by column.",
    "monitor_troubles": "What no row of the newest window was right in, such as columns that are gone.",
    "monitor_window_end_seconds": "When the newest window ended, in seconds since 1970.",
    "monitor_due_seconds": "When the next window can be judged, in seconds since 1970.",
    "monitor_window_seconds": "How long a window is.",
}
"""Every name that is exported, without `temper_`. Times are absolute: an age in a file that nobody writes any more
would stand still, and silence would not be seen.
"""
TOGETHER = "(all)"
"""The column of what was found in all columns together."""


def text(newest: Watched | None, watch: Watch, system: str) -> str:
    """All of it in Prometheus' text format; of no window there is nothing, which `absent()` sees."""
    if newest is None:
        return ""
    own = (("system", system),)
    lines: list[str] = []
    for name, about in NAMES.items():
        lines += head(name, about, "gauge")
        lines += [f"temper_{name}{shown((*own, *more))} {value:.15g}" for more, value in _values(name, newest, watch)]
    return "\n".join(lines) + "\n"


def _values(name: str, newest: Watched, watch: Watch) -> Iterator[tuple[Labels, float]]:
    if name == "monitor_seen":
        yield from (((("state", one.value),), float(newest.seen is one)) for one in Seen)
    elif name == "monitor_distance":
        yield from (((("column", column),), value) for column, value in newest.moved)
    elif name == "monitor_alarms":
        columns = [alarm.column for alarm in newest.alarms]
        for column in dict.fromkeys([*(column for column, _ in newest.moved), *columns, ""]):
            yield (("column", column or TOGETHER),), columns.count(column)
    else:
        yield (), _plain(newest, watch)[name]


def _plain(newest: Watched, watch: Watch) -> dict[str, float]:
    return {
        "monitor_rows": newest.rows,
        "monitor_troubles": len(newest.troubles),
        "monitor_window_end_seconds": newest.ends,
        "monitor_due_seconds": newest.ends + watch.window + watch.grace,
        "monitor_window_seconds": watch.window,
    }
