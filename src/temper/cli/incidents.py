"""`temper incidents`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli._control import PLACE, Store, opened, when

app = typer.Typer(help="What happened, when, and who did what about it.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The number of the incident.")]
Text = Annotated[str, typer.Argument(help="A line for the timeline.")]
Title = Annotated[str, typer.Argument(help="What is wrong, in a few words.")]
Rank = Annotated[str, typer.Option(help="minor, major or critical.")]
Person = Annotated[str, typer.Option(help="The name of a person.")]
Every = Annotated[bool, typer.Option("--all", help="Those that are closed, too.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="As a review to be filled in, in Markdown.")]
To = Annotated[Path | None, typer.Option(help="The file it is written to; else it is printed.")]


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
    """Incidents that are open: number, severity, opened, closed, by, title."""
    from temper.report._inert import inert

    with opened(store) as (control, _, _):
        for one in control.incidents.page(open_only=not every, limit=1_000):
            words = (one.id, one.severity, when(one.opened), when(one.closed), one.by, inert(one.title))
            typer.echo("\t".join(map(str, words)))


@app.command()
def show(number: Number, markdown: Markdown = False, to: To = None, store: Store = PLACE) -> None:
    """An incident with its timeline, or its post-incident review in Markdown."""
    from temper.report._inert import inert
    from temper.report.incident import review

    with opened(store) as (control, _, now):
        found = control.incidents.get(number)
    if markdown:
        text = review(found, now)
    else:
        head = f"{found.id}: {inert(found.title)}\n{found.severity}, opened {when(found.opened)} by {inert(found.by)}, "
        parts = "".join(f"; {inert(person)} is {part}" for part, person in found.parts.items())
        lines = [f"{when(one.at)}  {inert(one.who)}  {one.kind}  {inert(one.text)}" for one in found.timeline]
        text = "\n".join([f"{head}{'open' if found.closed is None else f'closed {when(found.closed)}'}{parts}", *lines])
    if to is None:
        typer.echo(text)
    else:
        to.write_text(text + "\n", encoding="utf-8")


@app.command()
def note(number: Number, text: Text, store: Store = PLACE) -> None:
    """Add a line to the timeline, with the time and your name."""
    with opened(store) as (control, me, now):
        control.incidents.note(number, text, me, now)


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
