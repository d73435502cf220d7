"""The review after an incident, in Markdown: what is known is filled in, what people have to find out is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from temper.core.incident import PARTS, Entry, Incident, Kind
from temper.report._inert import inert

_ACTING = re.compile(r"([\\`*_{}\[\]()<>#+!|~&])")
_PARTS = {"lead": "decided", "scribe": "wrote down", "contact": "told the others"}
ASKED = (
    ("What clients noticed", "How many, for how long, what they were answered, and how it is known."),
    ("Why it happened", "What led to what. No names: what made the mistake easy, and nothing stop it?"),
    ("What went well", "What found it, what limited it, what shortened it."),
    ("What went badly", "What was missing, misleading or slow: an alarm, a playbook, a right, a person."),
    ("Where we were lucky", "What would have been worse on another day."),
)


def review(incident: Incident, now: float) -> str:
    """The document. Names and notes are made inert: they come from people and programs outside.

    >>> from temper.core.incident import Severity
    >>> one = Incident(id=3, title="a *b*", severity=Severity.MAJOR, source="", opened=0.0, by="ann", closed=90.0)
    >>> print(review(one, 100.0).splitlines()[0])
    # Incident 3: a \\*b\\*
    """
    return "\n".join(_lines(incident, now))


def _lines(incident: Incident, now: float) -> Iterator[str]:
    yield f"# Incident {incident.id}: {_text(incident.title)}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in _facts(incident, now):
        yield f"| {name} | {value} |"
    yield from ("", "## Summary", "", "*In three sentences, for somebody who was not there.*", "", "## Timeline", "")
    yield "| when (UTC) | after | who | what |"
    yield "|---|---|---|---|"
    for entry in incident.timeline:
        yield f"| {_clock(entry.at)} | {_span(entry.at - incident.opened)} | {_text(entry.who)} | {_told(entry)} |"
    for heading, question in ASKED:
        yield from ("", f"## {heading}", "", f"*{question}*")
    yield from ("", "## What is done about it", "", "| what | who | until when | how one sees that it helps |")
    yield from ("|---|---|---|---|", "| | | | |", "")


def _facts(incident: Incident, now: float) -> Iterator[tuple[str, str]]:
    yield "severity", str(incident.severity)
    yield "opened", f"{_clock(incident.opened)} by {_text(incident.by)}"
    if (first := _first_person(incident)) is not None:
        yield "first word of a person", f"{_clock(first.at)}, after {_span(first.at - incident.opened)}"
    if incident.closed is None:
        yield "closed", f"still open after {_span(now - incident.opened)}"
    else:
        yield "closed", f"{_clock(incident.closed)}, after {_span(incident.closed - incident.opened)}"
    for part in PARTS:
        yield f"{_PARTS[part]}", _text(incident.parts.get(part, "nobody was named"))
    runs = dict.fromkeys(str(one.detail["run"]) for one in incident.timeline if one.kind is Kind.PLAYBOOK)
    yield "playbook runs", ", ".join(f"`{_text(run)}`" for run in runs) or "none"


def _first_person(incident: Incident) -> Entry | None:
    """The first line that no program wrote of its own accord."""
    return next((one for one in incident.timeline if one.kind not in (Kind.OPENED, Kind.SIGNAL)), None)


def _told(entry: Entry) -> str:
    return f"{entry.kind}: {_text(entry.text)}"


def _text(text: str) -> str:
    return _ACTING.sub(r"\\\1", inert(text))


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
