"""The report after an incident as one static HTML file and as JSON: what happened, who did what, and what is open."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from temper.core.course import Course, course
from temper.core.incident import Entry, Incident, Kind
from temper.report import _incident as its
from temper.report._inert import inert
from temper.report.charts import BAD, GOOD, INK, Chart, inline, numbered, to_svg

_WIDE, _HIGH = 1_000, 70
_PHASES = (
    ("began", "opened", "not seen", BAD),
    ("opened", "contained", "seen, and spreading", "#b3541e"),
    ("contained", "recovered", "contained", "#8a6d00"),
    ("recovered", "closed", "the service is what it was", GOOD),
)
_TONES = {"minor": "waived", "major": "inconclusive", "critical": "fail"}
_UNITS = ((172_800.0, 86_400.0, "days"), (7_200.0, 3_600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


def document(incident: Incident, now: float, kept: Mapping[str, Any]) -> str:
    """Everything as JSON, times in seconds; `kept` is the incident as it is stored."""
    found = course(incident)
    told = {
        **kept,
        "at": now,
        "course": asdict(found),
        "seconds": {"detect": found.detect, "contain": found.contain, "recover": found.recover},
        "runs": [asdict(one) for one in its.runs(incident)],
        "evidence": [one.detail["evidence"] for one in incident.evidence],
        "tests": [one.detail["test"] for one in incident.tests],
        "open": list(its.missing(incident)),
    }
    return json.dumps(told, indent=1, allow_nan=False) + "\n"


def render(incident: Incident, now: float) -> str:
    """The whole page, without a script and without the network; text from outside is inert."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = lambda value: value if hasattr(value, "__html__") else inert(str(value))
    return environment.from_string(_file("incident.html")).render(
        style=Markup(_file("style.css")),
        incident=incident,
        tone=_TONES[incident.severity],
        state="open" if incident.closed is None else "closed",
        story=list(_story(incident, now)),
        times=its.times(incident),
        moments=its.moments(incident),
        chart=numbered(_drawn(incident, now), 0),
        lines=[_line(one, incident) for one in incident.timeline],
        runs=its.runs(incident),
        people=its.people(incident),
        missing=list(its.missing(incident)),
        clock=its.clock,
        markup=Markup,
    )


def _story(incident: Incident, now: float) -> Iterator[str]:
    first = incident.timeline[0].text if incident.timeline else ""
    yield f"{incident.by} saw: {first}" if first else f"Opened by {incident.by}."
    lasted = (now if incident.closed is None else incident.closed) - incident.opened
    end = "It is open" if incident.closed is None else "It was closed"
    yield f"{end} after {its.span(lasted)}."
    last = next((one.text for one in reversed(incident.timeline) if one.kind is Kind.CLOSED), "")
    if last:
        yield f"What ended it: {last}"


def _line(one: Entry, incident: Incident) -> dict[str, str]:
    sign = "+" if one.at >= incident.opened else "-"
    return {
        "at": its.clock(one.at),
        "after": f"{sign}{its.span(abs(one.at - incident.opened))}",
        "who": one.who,
        "kind": str(one.detail.get("remark", one.kind)),
        "text": one.text,
    }


def _drawn(incident: Incident, now: float) -> Chart:
    """The phases as one band, and every line of the timeline on it."""
    import altair as alt

    found = course(incident)
    end = max([now if incident.closed is None else incident.closed, *(one.at for one in incident.timeline)])
    unit, name = next((unit, name) for least, unit, name in _UNITS if end - found.began >= least)
    rows = list(_bands(found, end, unit))
    domain = [(at - found.opened) / unit for at in (found.began, end)]
    scale = alt.Scale(domain=domain, nice=False)
    x = alt.X("at:Q", title=f"{name} from when it was seen", scale=scale, axis=alt.Axis(tickCount=10))
    colors = alt.Scale(domain=[row["what"] for row in rows], range=[row.pop("color") for row in rows])
    legend = alt.Legend(title=None, orient="bottom", columns=4, symbolType="square")
    bands = alt.Chart(inline(rows)).mark_rect(height=26, opacity=0.85)
    bands = bands.encode(
        x=x, x2="end:Q", y=alt.value(_HIGH / 2), color=alt.Color("what:N", scale=colors, legend=legend)
    )
    ticks = [{"at": (one.at - found.opened) / unit} for one in incident.timeline]
    marks = alt.Chart(inline(ticks)).mark_rule(color=INK, strokeWidth=1.2)
    marks = marks.encode(x=x, y=alt.value(8), y2=alt.value(_HIGH - 8))
    drawn = (bands + marks).properties(width=_WIDE, height=_HIGH)
    caption = f"Lines are the {len(incident.timeline)} entries of the timeline; 0 is when it was seen."
    return Chart(title="Its course", caption=caption, svg=to_svg(drawn))


def _bands(found: Course, end: float, unit: float) -> Iterator[dict[str, Any]]:
    """What lasted from where to where; what has not come yet lasts to the end."""
    for first, last, what, color in _PHASES:
        since, until = getattr(found, first), getattr(found, last)
        if since is None:
            continue
        until = end if until is None else until
        if until > since:
            at = (since - found.opened) / unit
            yield {"at": at, "end": (until - found.opened) / unit, "what": what, "color": color}


def _file(name: str) -> str:
    return (files("temper.report") / "templates" / name).read_text(encoding="utf-8")
