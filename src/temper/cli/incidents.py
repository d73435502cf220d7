"""`temper incidents`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened, when

if TYPE_CHECKING:
    from temper.core.incident import Incident

app = typer.Typer(help="What happened, when, and who did what about it.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The number of the incident.")]
Text = Annotated[str, typer.Argument(help="A line for the timeline.")]
Title = Annotated[str, typer.Argument(help="What is wrong, in a few words.")]
Rank = Annotated[str, typer.Option(help="minor, major or critical.")]
Person = Annotated[str, typer.Option(help="The name of a person.")]
Every = Annotated[bool, typer.Option("--all", help="Those that are closed, too.")]
To = Annotated[
    Path, typer.Option(help="The file it is written to; its ending says how: .html, .md (to be filled in), .json.")
]
Phase = Annotated[str, typer.Argument(help="contained, eradicated or recovered.")]
As = Annotated[str, typer.Option("--as", help="cause: why it happened; todo: what is still to be done.")]
Settles = Annotated[int | None, typer.Option(help="The number of the todo that is done.")]


@app.command(name="open")
def open_(
    title: Title,
    severity: Rank = "major",
    text: Annotated[str, typer.Option(help="What was seen.")] = "",
    store: Store = PLACE,
) -> None:
    """Open an incident; gateways open theirs by themselves."""
    with opened(store) as (control, me, now):
        typer.echo(f"incident {control.incidents.open(title, severity, me, now, text)}")


@app.command(name="list")
def listed(every: Every = False, store: Store = PLACE) -> None:
    """Incidents that are open: number, severity, opened, closed, times to detect, contain and recover, by, title."""
    from temper.report._incident import times
    from temper.report._inert import inert

    with opened(store) as (control, _, _):
        for one in control.incidents.page(open_only=not every, limit=1_000, timelines=True):
            took = [span for _, span, _ in times(one)]
            words = (one.id, one.severity, when(one.opened), when(one.closed), *took, one.by, inert(one.title))
            typer.echo("\t".join(map(str, words)))


@app.command()
def show(number: Number, store: Store = PLACE) -> None:
    """An incident with its timeline, the times it took, and what is open; lines are numbered."""
    from temper.report._incident import missing, times, told
    from temper.report._inert import inert

    with opened(store) as (control, _, _):
        found = control.incidents.get(number)
    closed = "open" if found.closed is None else f"closed {when(found.closed)}"
    parts = "".join(f"; {inert(person)} is {part}" for part, person in found.parts.items())
    typer.echo(f"{found.id}: {inert(found.title)}")
    typer.echo(f"{found.severity}, opened {when(found.opened)} by {inert(found.by)}, {closed}{parts}")
    typer.echo("; ".join(f"{name} {took}" for name, took, _ in times(found)))
    for one in found.timeline:
        typer.echo(f"{one.seq:>4}  {when(one.at)}  {inert(one.who)}  {inert(told(one))}")
    for line in missing(found):
        typer.echo(f"open: {inert(line)}")
    if found.playbook and found.closed is None:
        typer.echo(f"next: temper respond run {inert(found.playbook)} --incident {found.id} --dry-run")


@app.command()
def report(number: Number, to: To, store: Store = PLACE) -> None:
    """Write the report after an incident: what happened, when, who did what, evidence, times, cause, what is open."""
    from temper.core.errors import TemperError
    from temper.report import postmortem
    from temper.report.incident import review
    from temper.store.codec import wrap

    def document(one: Incident, now: float) -> str:
        return postmortem.document(one, now, wrap("temper.incident", one))

    forms = {".html": postmortem.render, ".md": review, ".json": document}
    if to.suffix not in forms:
        raise TemperError(f"no report of an incident ends in {to.suffix!r}", fix=f"use one of {', '.join(forms)}")
    with opened(store) as (control, _, now):
        found = control.incidents.get(number)
    to.write_text(forms[to.suffix](found, now), encoding="utf-8")
    typer.echo(to)


@app.command()
def note(number: Number, text: Text, as_: As = "", settles: Settles = None, store: Store = PLACE) -> None:
    """Add a line to the timeline, with the time and your name."""
    with opened(store) as (control, me, now):
        control.incidents.note(number, text, me, now, remark=as_, settles=settles)


@app.command()
def reached(number: Number, phase: Phase, text: Text, store: Store = PLACE) -> None:
    """State that it is contained, that its cause is gone, or that the service is what it was, and how that is known."""
    with opened(store) as (control, me, now):
        control.incidents.reach(number, phase, text, me, now)


@app.command(name="test")
def regression(
    number: Number,
    rows: Annotated[
        list[Path], typer.Option(help="A table of rows with the target's column; repeat it for more.")
    ] = [],  # noqa: B006
    finding: Annotated[list[str], typer.Option(help="A finding whose rows were kept: F-7c1e.")] = [],  # noqa: B006
    windows: Annotated[bool, typer.Option("--windows", help="Rows of its windows whose labels have come.")] = False,
    cases: Annotated[bool, typer.Option("--cases", help="Rows of cases that people decided while it lasted.")] = False,
    most: Annotated[int, typer.Option(min=1, help="How many cases to keep.")] = 200,
    to: Annotated[Path | None, typer.Option(help="The folder; default: regressions/incident-N.")] = None,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    trust_pickle: options.Trust = False,
    store: Store = PLACE,
) -> None:
    """Make a regression test of it: rows that the model decides wrongly now, for pytest and for every assessment."""
    from temper import api
    from temper.engine.recurrence.command import Sources, make

    system = api.load(config, trust_pickle=trust_pickle)
    sources = Sources(tables=tuple(rows), findings=tuple(finding), windows=windows, cases=cases)
    with opened(store) as (control, me, now):
        for line in make(system, control, number, sources, lambda: api.open_store(None, system), to, most, me, now):
            typer.echo(line)


@app.command(name="set")
def set_(
    number: Number,
    severity: Rank = "",
    lead: Person = "",
    scribe: Person = "",
    contact: Person = "",
    store: Store = PLACE,
) -> None:
    """Say how bad it is, who decides, who writes down, who tells the others."""
    from temper.core.errors import TemperError

    parts = {name: person for name, person in (("lead", lead), ("scribe", scribe), ("contact", contact)) if person}
    if not (parts or severity):
        raise TemperError("nothing was said", fix="give --severity, --lead, --scribe or --contact")
    with opened(store) as (control, me, now):
        if severity:
            control.incidents.rank(number, severity, me, now)
        for part, person in parts.items():
            control.incidents.assign(number, part, person, me, now)


@app.command()
def close(number: Number, reason: Annotated[str, typer.Option(help="What ended it.")], store: Store = PLACE) -> None:
    """End an incident; it stays closed, and notes can still be added."""
    with opened(store) as (control, me, now):
        control.incidents.close(number, reason, me, now)
    typer.echo(f"incident {number} is closed")
