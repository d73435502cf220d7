"""The review after an incident, in Markdown: what is known is filled in, what people have to find out is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from temper.core.incident import Entry, Incident
from temper.report import _incident as its
from temper.report._inert import inert

_ACTING = re.compile(r"([\\`*_{}\[\]()<>#+!|~&])")
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
    yield from ("", "## Summary", "", "*In three sentences, for somebody who was not there.*", "", "## Times", "")
    yield from ("| | | measured |", "|---|---|---|")
    yield from (f"| {name} | {took} | {means} |" for name, took, means in its.times(incident))
    yield from ("", "## Timeline", "", "| when (UTC) | after | who | what |", "|---|---|---|---|")
    for entry in incident.timeline:
        after = its.span(entry.at - incident.opened)
        yield f"| {its.clock(entry.at)} | {after} | {_text(entry.who)} | {_text(its.told(entry))} |"
    yield from _section("Evidence", [_kept(one) for one in incident.evidence], "none was kept")
    yield from _section("Cause", [_text(one.text) for one in incident.causes], "it is not written down")
    yield from _section("Regression test", [_text(str(one.detail["test"])) for one in incident.tests], "there is none")
    yield from _section("What is open", [_text(one) for one in its.missing(incident)], "nothing")
    for heading, question in ASKED:
        yield from ("", f"## {heading}", "", f"*{question}*")
    yield from ("", "## What is done about it", "", "| what | who | until when | how one sees that it helps |")
    yield from ("|---|---|---|---|", "| | | | |", "")


def _section(heading: str, lines: list[str], none: str) -> Iterator[str]:
    yield from ("", f"## {heading}", "", *(f"- {line}" for line in lines or [none]))


def _kept(entry: Entry) -> str:
    return f"{_text(str(entry.detail['evidence']))}, by {_text(entry.who)} at {its.clock(entry.at)}"


def _facts(incident: Incident, now: float) -> Iterator[tuple[str, str]]:
    yield "severity", str(incident.severity)
    yield "opened", f"{its.clock(incident.opened)} by {_text(incident.by)}"
    if taken := next((one for one in its.moments(incident) if one.name == "taken" and one.at), None):
        yield "first word of a person", f"{taken.at}, after {taken.after}"
    if incident.closed is None:
        yield "closed", f"still open after {its.span(now - incident.opened)}"
    else:
        yield "closed", f"{its.clock(incident.closed)}, after {its.span(incident.closed - incident.opened)}"
    for name, person in its.people(incident).items():
        yield name, _text(person or "nobody was named")
    yield "playbook runs", ", ".join(f"`{_text(one.run)}`" for one in its.runs(incident)) or "none"


def _text(text: str) -> str:
    return _ACTING.sub(r"\\\1", inert(text))
