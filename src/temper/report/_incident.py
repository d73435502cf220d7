"""What every form of the report after an incident says, from its timeline alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from temper.core.course import Course, course
from temper.core.incident import PARTS, Entry, Incident, Kind, Phase

DONE = {"lead": "decided", "scribe": "wrote down", "contact": "told the others"}
_STEPS = (
    ("began", "began", "the first window that shows it"),
    ("opened", "seen", "the incident was opened"),
    ("taken", "taken", "the first word of a person"),
    ("contained", "contained", "it spread no further"),
    ("eradicated", "eradicated", "its cause was gone"),
    ("recovered", "recovered", "the service was what it was"),
    ("closed", "closed", ""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One point of its course: its name, what that means, when ("" not yet), and how long after it was seen."""

    name: str
    means: str
    at: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A run of a playbook for it: its title, and how it ended ("" it has not)."""

    run: str
    title: str
    ended: str


def moments(incident: Incident) -> list[Moment]:
    """When what came, in the order of a course."""
    found = course(incident)
    return [
        Moment(
            name=name, means=means, at="" if at is None else clock(at), after="" if at is None else _after(at, found)
        )
        for field, name, means in _STEPS
        for at in (getattr(found, field),)
    ]


def times(incident: Incident) -> list[tuple[str, str, str]]:
    """The three times people are measured by: name, span, and from where to where."""
    found = course(incident)
    return [
        ("time to detect", span(found.detect), "from when it began to when it was seen"),
        ("time to contain", _or_not(found.contain), "from when it was seen to when it spread no further"),
        ("time to recover", _or_not(found.recover), "from when it was seen to when the service was what it was"),
    ]


def runs(incident: Incident) -> list[Ran]:
    """The playbooks that were run for it, the oldest first."""
    found: dict[str, Ran] = {}
    for one in incident.timeline:
        if one.kind is Kind.PLAYBOOK:
            run = str(one.detail["run"])
            before = found.get(run, Ran(run=run, title=one.text.partition(": ")[2], ended=""))
            ended = one.text.partition(": ")[2] if one.text.startswith("ended:") else before.ended
            found[run] = Ran(run=run, title=before.title, ended=ended)
    return list(found.values())


def people(incident: Incident) -> dict[str, str]:
    """Who had which part, and "" for a part that nobody had."""
    return {DONE[part]: incident.parts.get(part, "") for part in PARTS}


def missing(incident: Incident) -> Iterator[str]:
    """What is still open: todos of people, and what a whole incident has and this one does not."""
    yield from (f"{one.text} (todo {one.seq})" for one in incident.todos)
    found = course(incident)
    if incident.closed is None:
        yield "it is not closed"
    if PARTS[0] not in incident.parts:
        yield "nobody leads it" if incident.closed is None else "nobody led it"
    yield from (f"nobody has stated that it is {one}" for one in Phase if getattr(found, one) is None)
    if not incident.causes:
        yield "why it happened is not written down"
    if not incident.evidence:
        yield "no evidence was kept"
    if not incident.tests:
        yield "there is no regression test of it"


def told(entry: Entry) -> str:
    """A line in words."""
    if "remark" in entry.detail:
        return f"{entry.detail['remark']}: {entry.text}"
    return f"{entry.kind}: {entry.text}"


def clock(at: float) -> str:
    """A moment as people in an incident say it, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """How long something took.

    >>> span(59.7), span(3_725.0), span(90_000.0)
    ('1 min 0 s', '1 h 2 min', '1 d 1 h')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _or_not(seconds: float | None) -> str:
    return "not yet" if seconds is None else span(seconds)


def _after(at: float, found: Course) -> str:
    return f"{span(found.opened - at)} before" if at < found.opened else span(at - found.opened)
