"""From windows to alerts: the same windows give the same alerts, whenever and however often they are asked.

One rule finds one thing of a feed at a time, in however many columns and windows, and it lasts until a window says that
it is over. A window that cannot be judged says neither.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from temper.core.alert import Alert, Alerting, Burning, Silence
from temper.core.incident import Incident, Severity
from temper.core.outcome import Outcome
from temper.core.watch import Seen, Watched
from temper.kernels.burn import burning
from temper.report._inert import inert
from temper.report.outcomes import broken
from temper.report.watched import said, span

One = TypeVar("One", Watched, Outcome)
_LONGEST, _TEXT = 120, 600
_SHOWN = 5


def alerts(windows: Sequence[Watched], alerting: Alerting, feed: str) -> list[Alert]:
    """Everything that was or is wrong in these windows of a feed (the oldest first), in order of time."""
    states = {
        "drift": [True if one.alarms else False if one.seen is Seen.PASS else None for one in windows],
        "broken": [bool(one.troubles) if one.rows else None for one in windows],
        "absent": _absent(windows, alerting.absent),
        "stream": _streamed(windows),
    }
    if alerting.burn is not None:
        states["burn"] = _burnt(windows, alerting.burn, _verdicts)
    for rule in alerting.requests:
        burnt = zip(windows, _burnt(windows, rule, _answers), strict=True)
        # Where nothing was answered, nothing is said of how.
        states[f"requests-{rule.rate:g}x"] = [fast or (False if _answers(one)[0] else None) for one, fast in burnt]
    found = [_alert(rule, one, feed) for rule, state in states.items() for one in _spells(windows, state)]
    return sorted(found, key=lambda alert: (alert.starts, alert.key))


def of_outcomes(outcomes: Sequence[Outcome], feed: str) -> list[Alert]:
    """Everything that was or is wrong with the labels of these windows of a feed (the oldest first): a promise that was
    broken. It is over with a window in which all promises were kept; what cannot be decided says neither.
    """
    states = [{Seen.FAIL: True, Seen.PASS: False}.get(one.seen) for one in outcomes]
    name, key = _named(feed)
    return [
        Alert(
            key=f"{key}.labels",
            severity=Severity.MAJOR,
            title=f"{name}: labels show that a promise is broken",
            text=f"{_many(spell.wrong)}: {inert('; '.join(broken(spell.wrong[-1])), _TEXT)}",
            labels=(("feed", name), ("rule", "labels")),
            starts=spell.wrong[0].start,
            ends=spell.ends,
        )
        for spell in _spells(outcomes, states)
    ]


def of_incidents(incidents: Iterable[Incident]) -> list[Alert]:
    """Incidents that programs opened (a gateway whose breaker is open, say), as alerts; people know of their own."""
    return [
        Alert(
            key=f"incident.{one.id}",
            severity=one.severity,
            title=inert(one.title, _LONGEST),
            text=f"incident {one.id}, opened by {inert(one.by, _LONGEST)}: `temper incidents show {one.id}`",
            labels=(("rule", inert(one.source, _LONGEST)),),
            starts=one.opened,
            ends=one.closed,
        )
        for one in sorted(incidents, key=lambda incident: incident.id)
        if one.source
    ]


def quiet(alert: Alert, silences: Iterable[Silence], now: float) -> bool:
    """Whether somebody silenced it: by one of its labels, or every column that it is made of."""
    live = {(one.label, one.value) for one in silences if one.until > now}
    if ("key", alert.key) in live or not live.isdisjoint(alert.labels):
        return True
    return bool(alert.columns) and all(("column", name) in live for name in alert.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spell(Generic[One]):
    """Windows in a row in which one thing was wrong, and when the first came in which it was not."""

    wrong: tuple[One, ...]
    ends: float | None


def _spells(windows: Sequence[One], states: Sequence[bool | None]) -> Iterator[_Spell[One]]:
    """A state of None is neither wrong nor right: what was wrong goes on."""
    wrong: list[One] = []
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


def _streamed(windows: Sequence[Watched]) -> list[bool | None]:
    """What was seen of a stream is over when twice as many rows came without an alarm as the last one took to be sure:
    each alarm begins anew, so the next one takes a while although nothing has changed back.
    """
    states: list[bool | None] = []
    seen, took = 0, 0.0
    for one in windows:
        if one.shifts:
            seen, took = max(s.seen for s in one.shifts), max(s.seen - s.since for s in one.shifts)
            states.append(True)
        else:  # a stream that has fewer rows than before has begun anew
            goes_on = one.streamed is None or seen <= one.streamed < seen + 2.0 * took
            states.append(None if goes_on else False)
    return states


def _verdicts(one: Watched) -> tuple[int, int]:
    """A window that passed or failed is an event, of any other there is none."""
    return int(one.seen in (Seen.PASS, Seen.FAIL)), int(one.seen is Seen.PASS)


def _answers(one: Watched) -> tuple[int, int]:
    """Rows that were answered, and those of them that the model answered itself."""
    own = sum(version.rows for version in one.versions)
    return own + one.instead, own


def _burnt(
    windows: Sequence[Watched], rule: Burning, events: Callable[[Watched], tuple[int, int]]
) -> list[bool | None]:
    """Whether too large a part of these events is bad, over both whiles."""
    if not windows:
        return []
    first, width = windows[0].start, windows[0].ends - windows[0].start
    at = [round((one.start - first) / width) for one in windows]
    asked, good = np.zeros(at[-1] + 1), np.zeros(at[-1] + 1)
    for slot, one in zip(at, windows, strict=True):
        asked[slot], good[slot] = events(one)
    sizes = (math.ceil(rule.long / width), math.ceil(rule.short / width))
    speaks = burning(asked, good, 1.0 - rule.budget, rule.rate, sizes, rule.least)
    return [bool(speaks[slot]) for slot in at]


_SEVERITY = {
    **{"drift": Severity.MINOR, "stream": Severity.MINOR},
    **{"broken": Severity.MAJOR, "absent": Severity.MAJOR, "burn": Severity.MAJOR, "requests": Severity.MAJOR},
}


def _named(feed: str) -> tuple[str, str]:
    """Its name, and a key: two feeds of one name are told apart; the whole path is nobody's business outside."""
    name = inert(Path(feed).name, _LONGEST)
    return name, f"{name}.{hashlib.sha256(feed.encode()).hexdigest()[:6]}"


def _many(wrong: Sequence[Watched | Outcome]) -> str:
    many = "1 window" if len(wrong) == 1 else f"{len(wrong)} windows"
    return f"{many} since {span(wrong[0])}; the last, {span(wrong[-1])}"


def _alert(rule: str, spell: _Spell[Watched], feed: str) -> Alert:
    last, columns, (name, key) = spell.wrong[-1], _columns(rule, spell), _named(feed)
    kind = "" if last.kind is None else f"{last.kind.value}: "
    instead = f"{last.instead:,} of {_answers(last)[0]:,} rows were not answered by the model"
    return Alert(
        key=f"{key}.{rule}",
        severity=_SEVERITY[rule.partition("-")[0]],
        title=f"{name}: {_what(rule, columns)}",
        text=f"{_many(spell.wrong)}: {instead if rule.startswith('requests') else kind + said(last)}",
        labels=(("feed", name), ("rule", rule)),
        columns=columns,
        starts=spell.wrong[0].start,
        ends=spell.ends,
    )


def _columns(rule: str, spell: _Spell[Watched]) -> tuple[str, ...]:
    """The columns that moved, without those that moved only together."""
    if rule not in ("drift", "stream"):
        return ()
    names = {found.column for one in spell.wrong for found in (one.alarms if rule == "drift" else one.shifts)}
    return tuple(inert(name, _LONGEST) for name in sorted(names - {""}))


def _what(rule: str, columns: tuple[str, ...]) -> str:
    if rule in ("drift", "stream"):
        shown = ", ".join(columns[:_SHOWN]) or "columns together"
        what = "drift" if rule == "drift" else "a shift in the stream"
        return f"{what} in {shown}" + (f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else "")
    return {
        "broken": "columns are gone or of another type",
        "absent": "no rows come",
        "burn": "too many windows fail",
        "requests": "too many rows are answered by something other than the model",
    }[rule.partition("-")[0]]
