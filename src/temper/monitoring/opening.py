"""From windows to incidents: the same windows show the same symptoms, whenever and however often they are asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from temper.core.alert import Opening
from temper.core.incident import Severity, Symptom
from temper.core.watch import ATTEMPTS, REFUSED, Kind, Seen, Watch, Watched
from temper.monitoring.kinds import EVASION
from temper.report._inert import inert
from temper.report.watched import said, span
from temper.store.control import Control

BY = "temper monitor"
OURS = "monitor."
"""How the sources of incidents begin that windows have opened: their alerts are told already."""
_LONGEST = 120
_WINDOWS = 5_000
_SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What a kind of change opens: its word in a source, how bad it is, the playbook, and its title."""

    word: str
    severity: Severity
    playbook: str
    title: str


_RULES = {
    Kind.ATTACK: _Rule(word="attack", severity=Severity.MAJOR, playbook="evasion", title="looks like an attack"),
    Kind.PIPELINE: _Rule(
        word="pipeline", severity=Severity.MAJOR, playbook="pipeline-fault", title="what fills the feed is broken"
    ),
    Kind.NATURAL: _Rule(word="natural", severity=Severity.MINOR, playbook="drift", title="rows have changed"),
    Kind.UNKNOWN: _Rule(
        word="unknown", severity=Severity.MINOR, playbook="drift", title="rows have changed, and nothing says why"
    ),
}
_INJECTED = _Rule(
    word="injection", severity=Severity.MAJOR, playbook="injection", title="somebody tries to inject instructions"
)
_KEYS = _Rule(word="keys", severity=Severity.MAJOR, playbook="guessed-keys", title="keys that do not hold are tried")
_ABSENT = _Rule(word=_SILENT, severity=Severity.MAJOR, playbook="feed-silent", title="no rows come")


def symptoms(windows: Sequence[Watched], absent: int, feed: str) -> Iterator[Symptom]:
    """What these windows of a feed show (the oldest first), in order of time. An INCONCLUSIVE window says neither that
    something is wrong nor that it is over.
    """
    empty: list[Watched] = []
    for one in windows:
        empty = [*empty, one] if one.seen is Seen.NOTHING else []
        if len(empty) >= absent:
            yield _wrong(_ABSENT, one, feed, empty[0].start)
        if one.rows:
            yield _over(_SILENT, one, feed)
        if any(sign.comparison == REFUSED for sign in one.signs) and not _guessed(one):
            yield _over(_KEYS.word, one, feed)
        if one.seen is Seen.FAIL:
            yield from (_wrong(rule, one, feed, since) for rule, since in _found(one))
        elif one.seen is Seen.PASS:
            yield from (_over(rule.word, one, feed) for rule in (*_RULES.values(), _INJECTED))


def _rule(one: Watched) -> _Rule:
    if any(alarm.comparison == ATTEMPTS for alarm in one.alarms):
        return _INJECTED
    return _RULES[one.kind or Kind.UNKNOWN]


def _found(one: Watched) -> Iterator[tuple[_Rule, float]]:
    """What a window that fails opens, and since when. Requests without a key are no rows: they are an incident of their
    own, and what its rows show is another.
    """
    names = {alarm.comparison for alarm in one.alarms}
    if _guessed(one):
        yield _KEYS, one.start
    if not _guessed(one) or names - {REFUSED} or one.shifts or one.troubles:
        by_keys_alone = one.kind is Kind.ATTACK and _guessed(one) and not names & {*EVASION, ATTEMPTS}
        rule = _RULES[Kind.UNKNOWN] if by_keys_alone else _rule(one)
        yield rule, one.start if one.since is None else one.since


def _guessed(one: Watched) -> bool:
    return any(alarm.comparison == REFUSED for alarm in one.alarms)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opener:
    """Opens incidents for what is found in a feed."""

    opening: Opening
    watch: Watch
    digest: str
    control: Control

    def begin(self) -> None:
        """To be called before the first look: what was over before is no news."""
        before = self.control.windows.latest(self.watch.feed, self.digest, self.watch.window, 1)
        self.control.incidents.begin(self.watch.feed, before[-1].ends if before else 0.0)

    def follow(self, now: float) -> str:
        """Write what every window that was looked at shows, and what nobody took in time; in a line, "" of nothing."""
        feed, incidents = self.watch.feed, self.control.incidents
        windows = self.control.windows.latest(feed, self.digest, self.watch.window, _WINDOWS)
        new: list[int] = []
        if windows:
            found = list(symptoms(windows, self.opening.absent, feed))
            new = incidents.follow(feed, found, windows[-1].ends, BY, now)
        late = incidents.escalate(self.opening.escalate, BY, now) if self.opening.escalate else []
        told = [f"opened incident {number}: `temper incidents show {number}`" for number in new]
        told += [f"incident {number} is critical now: nobody took it" for number in late]
        return "; ".join(told)


def _wrong(rule: _Rule, one: Watched, feed: str, since: float) -> Symptom:
    name = inert(Path(feed).name, _LONGEST)
    why = "".join(f"; {inert(text, _LONGEST)}" for text in one.why[:3])
    kind = "" if one.kind is None else f"{one.kind.value}, "
    return Symptom(
        source=_source(feed, rule.word),
        at=one.ends,
        start=one.start,
        since=since,
        text=f"window {span(one)} ({one.rows:,} rows): {kind}{said(one)}{why}",
        title=f"{name}: {rule.title}",
        severity=rule.severity,
        playbook=rule.playbook,
    )


def _over(word: str, one: Watched, feed: str) -> Symptom:
    text = f"window {span(one)}: rows come again" if word == _SILENT else f"window {span(one)}: {said(one)}"
    return Symptom(source=_source(feed, word), at=one.ends, start=one.start, text=text, over=True)


def _source(feed: str, word: str) -> str:
    return f"{OURS}{hashlib.sha256(feed.encode()).hexdigest()[:12]}.{word}"
