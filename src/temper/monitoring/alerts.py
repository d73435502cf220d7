"""From windows to alerts: the same windows give the same alerts, whenever and however often they are asked.

One rule finds one thing of a feed at a time, in however many columns and windows, and it lasts until a window says that
it is over. A window that cannot be judged says neither.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from temper.core.alert import Alert, Alerting, Burning, Silence
from temper.core.incident import Incident, Severity
from temper.core.watch import Seen, Watched
from temper.kernels.burn import burning
from temper.monitoring.opening import OURS
from temper.report._inert import inert
from temper.report.watched import said, span

_LONGEST = 120
_SHOWN = 5


def alerts(windows: Sequence[Watched], alerting: Alerting, feed: str) -> list[Alert]:
    """Everything that was or is wrong in these windows of a feed (the oldest first), in order of time."""
    states = {
        "drift": [True if one.alarms else False if one.seen is Seen.PASS else None for one in windows],
        "broken": [bool(one.troubles) if one.rows else None for one in windows],
        "absent": _absent(windows, alerting.absent),
    }
    if alerting.burn is not None:
        states["burn"] = _burnt(windows, alerting.burn)
    found = [_alert(rule, one, feed) for rule, state in states.items() for one in _spells(windows, state)]
    return sorted(found, key=lambda alert: (alert.starts, alert.key))


def of_incidents(incidents: Iterable[Incident]) -> list[Alert]:
    """Incidents that programs opened (a gateway whose breaker is open, say), as alerts; people know of their own. What
    windows opened is told by their alerts, until nobody took it. Of all others where somebody has asked for it.
    """
    return [
        Alert(
            key=f"incident.{one.id}",
            severity=one.severity,
            was=one.was,
            title=inert(one.title, _LONGEST),
            text=f"incident {one.id}, opened by {inert(one.by, _LONGEST)}: `temper incidents show {one.id}`",
            labels=(("rule", inert(one.source or "incident", _LONGEST)),),
            starts=one.opened,
            ends=one.closed,
        )
        for one in sorted(incidents, key=lambda incident: incident.id)
        if one.noted or (one.source and (one.was or not one.source.startswith(OURS)))
    ]


def quiet(alert: Alert, silences: Iterable[Silence], now: float) -> bool:
    """Whether somebody silenced it: by one of its labels, or every column that it is made of."""
    live = {(one.label, one.value) for one in silences if one.until > now}
    if ("key", alert.key) in live or not live.isdisjoint(alert.labels):
        return True
    return bool(alert.columns) and all(("column", name) in live for name in alert.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spell:
    """Windows in a row in which one thing was wrong, and when the first came in which it was not."""

    wrong: tuple[Watched, ...]
    ends: float | None


def _spells(windows: Sequence[Watched], states: Sequence[bool | None]) -> Iterator[_Spell]:
    """A state of None is neither wrong nor right: what was wrong goes on."""
    wrong: list[Watched] = []
    for one, state in zip(windows, states, strict=True):
        if state:
            wrong.append(one)
        elif wrong and state is False:
            yield _Spell(wrong=tuple(wrong), ends=one.start)
            wrong = []
    if wrong:
        yield _Spell(wrong=tuple(wrong), ends=None)


def _absent(windows: Sequence[Watched], least: int) -> list[bool | None]:
    """Empty windows are wrong where so many stand in a row."""
    states: list[bool | None] = []
    run = 0
    for one in windows:
        run = run + 1 if one.seen is Seen.NOTHING else 0
        states.append(None if run else False)
        if run >= least:
            states[-run:] = [True] * run
    return states


def _burnt(windows: Sequence[Watched], rule: Burning) -> list[bool | None]:
    """Windows that passed or failed are the events."""
    if not windows:
        return []
    first, width = windows[0].start, windows[0].ends - windows[0].start
    at = [round((one.start - first) / width) for one in windows]
    asked, good = np.zeros(at[-1] + 1), np.zeros(at[-1] + 1)
    for slot, one in zip(at, windows, strict=True):
        asked[slot] = one.seen in (Seen.PASS, Seen.FAIL)
        good[slot] = one.seen is Seen.PASS
    sizes = (math.ceil(rule.long / width), math.ceil(rule.short / width))
    speaks = burning(asked, good, 1.0 - rule.budget, rule.rate, sizes, rule.least)
    return [bool(speaks[slot]) for slot in at]


_SEVERITY = {"drift": Severity.MINOR, "broken": Severity.MAJOR, "absent": Severity.MAJOR, "burn": Severity.MAJOR}


def _alert(rule: str, spell: _Spell, feed: str) -> Alert:
    last = spell.wrong[-1]
    columns = _columns(spell) if rule == "drift" else ()
    # Two feeds of one name are told apart; the whole path is nobody's business outside.
    name = inert(Path(feed).name, _LONGEST)
    kind = "" if last.kind is None else f"{last.kind.value}: "
    many = "1 window" if len(spell.wrong) == 1 else f"{len(spell.wrong)} windows"
    return Alert(
        key=f"{name}.{hashlib.sha256(feed.encode()).hexdigest()[:6]}.{rule}",
        severity=_SEVERITY[rule],
        title=f"{name}: {_what(rule, columns)}",
        text=f"{many} since {span(spell.wrong[0])}; the last, {span(last)}: {kind}{said(last)}",
        labels=(("feed", name), ("rule", rule)),
        columns=columns,
        starts=spell.wrong[0].start,
        ends=spell.ends,
    )


def _columns(spell: _Spell) -> tuple[str, ...]:
    """The columns that moved, without those that moved only together."""
    names = {alarm.column for one in spell.wrong for alarm in one.alarms}
    return tuple(inert(name, _LONGEST) for name in sorted(names - {""}))


def _what(rule: str, columns: tuple[str, ...]) -> str:
    if rule == "drift":
        shown = ", ".join(columns[:_SHOWN]) or "columns together"
        return f"drift in {shown}" + (f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else "")
    return {
        "broken": "columns are gone or of another type",
        "absent": "no rows come",
        "burn": "too many windows fail",
    }[rule]
