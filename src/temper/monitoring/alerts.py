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
from temper.core.job import Job, JobState
from temper.core.outcome import Outcome
from temper.core.requirement import Verdict
from temper.core.served import LOOKED, Minute, Objective, Promise
from temper.core.watch import Kind, Seen, Watched
from temper.kernels.burn import burn, burning
from temper.monitoring.opening import OURS
from temper.report._inert import inert
from temper.report.outcomes import broken
from temper.report.watched import said, span

One = TypeVar("One", Watched, Outcome, Minute)
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


def of_minutes(minutes: Sequence[Minute], objectives: Sequence[Objective], feed: str) -> list[Alert]:
    """Every promise of a gateway's answers that was or is broken in these minutes of a feed (the oldest first). Where
    nothing came nothing is said: what is wrong goes on.

    Nothing is said of minutes older than `LOOKED`: of what a rule looks back at from there some may be gone.
    """
    found: list[Alert] = []
    since = minutes[-1].start - LOOKED if minutes else 0.0
    for objective in objectives:
        events = {one.start: objective.events(one.counts) for one in minutes}
        for rule in objective.rules:
            burnt = zip(minutes, _burnt(minutes, rule, lambda one: events[one.start]), strict=True)  # noqa: B023
            states = [
                None if one.start < since else fast or (False if events[one.start][0] else None) for one, fast in burnt
            ]
            found += [_promise(objective, rule, spell, feed) for spell in _spells(minutes, states)]
    return sorted(found, key=lambda alert: (alert.starts, alert.key))


def _promise(objective: Objective, rule: Burning, spell: _Spell[Minute], feed: str) -> Alert:
    name, key = _named(feed)
    asked, good = (sum(many) for many in zip(*(objective.events(one.counts) for one in spell.wrong), strict=True))
    word = f"{objective.promise}-{rule.rate:g}x"
    return Alert(
        key=f"{key}.{word}",
        severity=Severity.MAJOR if rule.rate > 1.0 else Severity.MINOR,
        title=f"{name}: {_PROMISES[objective.promise].format(within=1000.0 * objective.within)}",
        text=f"{asked - good:,} of {asked:,} in {_lasted(spell)}, {_times(asked, good, rule)}",
        labels=(("feed", name), ("rule", word)),
        starts=spell.wrong[0].start,
        ends=spell.ends,
    )


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


def of_jobs(jobs: Iterable[Job]) -> list[Alert]:
    """Jobs that could not be finished, until somebody lets them be made again; and assessments that failed, until one
    of the same parts of the same system that was ordered later does not.
    """
    ordered = sorted((one for one in jobs if one.ended is not None), key=lambda job: job.id)
    found = [_unfinished(one) for one in ordered if one.state is JobState.FAILED]
    judged = [one for one in ordered if one.state is JobState.DONE]
    for at, one in enumerate(judged):
        if one.code == Verdict.FAIL.code:
            later = (other for other in judged[at + 1 :] if _same(other, one) and other.code == Verdict.PASS.code)
            found.append(_broken(one, next(later, None)))
    return found


def _same(job: Job, other: Job) -> bool:
    return (job.order.config, job.order.only) == (other.order.config, other.order.only)


def _unfinished(job: Job) -> Alert:
    last = inert(job.log.splitlines()[-1], _LONGEST) if job.log else "it said nothing"
    return Alert(
        key=f"job.{job.id}",
        severity=Severity.MAJOR,
        title=f"job {job.id} could not be finished: {inert(job.order.why, _LONGEST)}",
        text=f"{job.attempts} attempts; the last: {last}; `temper jobs show {job.id}`",
        labels=(("rule", "job"),),
        starts=job.ended or 0.0,
    )


def _broken(job: Job, healed: Job | None) -> Alert:
    return Alert(
        key=f"verdict.{job.id}",
        severity=Severity.MAJOR,
        title=f"assessed again, and it FAILS: {inert(job.order.why, _LONGEST)}",
        text=f"run {inert(str(job.result.get('run', '')))}: `temper report {inert(str(job.result.get('run', '')))}`",
        labels=(("rule", "verdict"),),
        starts=job.ended or 0.0,
        ends=None if healed is None else healed.ended,
    )


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


def _burnt(windows: Sequence[One], rule: Burning, events: Callable[[One], tuple[int, int]]) -> list[bool | None]:
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


_PROMISES = {
    Promise.ERRORS: "too many requests fail",
    Promise.LATENCY: "too many answers take longer than {within:g} ms",
    Promise.OVERLOAD: "too many requests are turned away for want of room",
}
_SEVERITY = {
    **{"drift": Severity.MINOR, "stream": Severity.MINOR},
    **{"broken": Severity.MAJOR, "absent": Severity.MAJOR, "burn": Severity.MAJOR, "requests": Severity.MAJOR},
}


def _named(feed: str) -> tuple[str, str]:
    """Its name, and a key: two feeds of one name are told apart; the whole path is nobody's business outside."""
    name = inert(Path(feed).name, _LONGEST)
    return name, f"{name}.{hashlib.sha256(feed.encode()).hexdigest()[:6]}"


def _lasted(spell: _Spell[Minute]) -> str:
    minutes = round((spell.wrong[-1].ends - spell.wrong[0].start) / 60.0)
    return f"{minutes} minute{'s' if minutes > 1 else ''}"


def _times(asked: int, good: int, rule: Burning) -> str:
    return f"{burn(good, asked, 1.0 - rule.budget):.1f} times what a budget of {rule.budget:g} allows"


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
        title=f"{name}: {_what(rule, columns, last.kind)}",
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


def _what(rule: str, columns: tuple[str, ...], kind: Kind | None) -> str:
    if rule == "drift" and not columns and kind is Kind.ATTACK:
        return "signs of an attack"
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
