"""The newest window of predictions for Prometheus: names that dashboards and alerts may speak of, and their text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from temper.core.served import Standing
from temper.core.watch import Seen, Watch, Watched
from temper.report.prometheus import Labels, head, shown
from temper.report.served import figures

NAMES = {
    "monitor_rows": "Rows of the newest window.",
    "monitor_seen": "What the newest window says: 1 for one of the states, 0 for all others.",
    "monitor_distance": "How far each column of the newest window has moved, from 0 to 1.",
    "monitor_alarms": "Comparisons of the newest window that found drift, by column.",
    "monitor_troubles": "What no row of the newest window was right in, such as columns that are gone.",
    "monitor_window_end_seconds": "When the newest window ended, in seconds since 1970.",
    "monitor_due_seconds": "When the next window can be judged, in seconds since 1970.",
    "monitor_window_seconds": "How long a window is.",
    "monitor_requests_per_second": "Requests of the newest window by second, where a gateway counted them.",
    "monitor_failed_share": "Share of them that failed.",
    "monitor_overload_share": "Share of them that were turned away for want of room.",
    "monitor_latency_p99_seconds": "How long 99 of 100 answers of the newest window took at most.",
    "monitor_promise": "Where a promise of a gateway's answers stands: 1 for one of the states, 0 for all others.",
    "monitor_burn": "How many times as fast as it may its budget burns, over the long and the short while of a rule.",
}
"""Every name that is exported, without `temper_`. Times are absolute: an age in a file that nobody writes any more
would stand still, and silence would not be seen.
"""
TOGETHER = "(all)"
"""The column of what was found in all columns together."""


def text(newest: Watched | None, watch: Watch, system: str, standings: Sequence[Standing] = ()) -> str:
    """All of it in Prometheus' text format; of what was not counted there is nothing, which `absent()` sees."""
    own = (("system", system),)
    lines: list[str] = []
    for name, about in NAMES.items():
        values = [*(_values(name, newest, watch) if newest else ()), *_promised(name, standings)]
        if values:
            lines += head(name, about, "gauge")
            lines += [f"temper_{name}{shown((*own, *more))} {value:.15g}" for more, value in values]
    return "\n".join(lines) + "\n" if lines else ""


def _promised(name: str, standings: Sequence[Standing]) -> Iterator[tuple[Labels, float]]:
    for one in standings:
        promise = ("promise", one.objective.name)
        if name == "monitor_promise":
            yield from (((promise, ("state", seen.value)), float(one.seen is seen)) for seen in Seen)
        elif name == "monitor_burn":
            for rate in one.rates:
                rule = promise, ("rule", f"{rate.rule.rate:g}x")
                yield (*rule, ("while", "long")), rate.long
                yield (*rule, ("while", "short")), rate.short


def _values(name: str, newest: Watched, watch: Watch) -> Iterator[tuple[Labels, float]]:
    if name == "monitor_seen":
        yield from (((("state", one.value),), float(newest.seen is one)) for one in Seen)
    elif name == "monitor_distance":
        yield from (((("column", column),), value) for column, value in newest.moved)
    elif name == "monitor_alarms":
        columns = [alarm.column for alarm in newest.alarms]
        for column in dict.fromkeys([*(column for column, _ in newest.moved), *columns, ""]):
            yield (("column", column or TOGETHER),), columns.count(column)
    elif (value := _plain(newest, watch).get(name)) is not None:
        yield (), value


def _plain(newest: Watched, watch: Watch) -> dict[str, float]:
    service = figures(dict(newest.events), newest.ends - newest.start)
    return {f"monitor_{name}": value for name, value in service.items()} | {
        "monitor_rows": newest.rows,
        "monitor_troubles": len(newest.troubles),
        "monitor_window_end_seconds": newest.ends,
        "monitor_due_seconds": newest.ends + watch.window + watch.grace,
        "monitor_window_seconds": watch.window,
    }
