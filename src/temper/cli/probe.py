"""`temper probe`."""

from __future__ import annotations

import secrets
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened, signed_in, when

if TYPE_CHECKING:
    from temper.api.probes import Tried
    from temper.core.probe import Draft

app = typer.Typer(
    help="Try rows or a conversation by hand: see score, stages, rules and cost; keep them with what you expect.",
    invoke_without_command=True,
)
Number = Annotated[int, typer.Argument(help="The number of the probe.")]
Who = Annotated[str, typer.Option("--as", help="Who it is that does this; their password is asked for.")]
Reason = Annotated[str, typer.Option(help="Why, in a few words.")]


Row = Annotated[int | None, typer.Option(help="The held-out row to start from; a row from nothing without it.")]
From = Annotated[int | None, typer.Option("--from", help="The probe to go on from, by its number.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="column=value; repeat it for more.")]
Csv = Annotated[
    Path | None, typer.Option(help="A CSV file of many rows: the model's columns, and row: the held-out row changed.")
]
Lines = Annotated[
    list[int] | None, typer.Option("--line", help="Of --csv: this line alone; repeat it for more. --set changes one.")
]
Say = Annotated[
    list[str] | None, typer.Option(help="Of an assistant: what the user says; repeat it for further turns.")
]
Outsider = Annotated[
    list[str] | None, typer.Option(help="What an outsider wrote, brought by a tool: the first with the first --say.")
]
Turn = Annotated[
    int, typer.Option(help="Of --from: say this turn otherwise and go on from there, not behind the last.")
]
Ask = Annotated[bool, typer.Option("--ask", help="Ask the assistant itself too, not only its guard.")]
Save = Annotated[bool, typer.Option("--save", help="Keep it; takes --hypothesis and --as.")]
Hypothesis = Annotated[str, typer.Option(help="What you expect, and why.")]
Technique = Annotated[str, typer.Option(help="The technique it tries, by its id of ATLAS: AML.T0015.")]
Assumption = Annotated[list[int] | None, typer.Option(help="The number of an assumption that it challenges.")]


@app.callback()
def tried(
    context: typer.Context,
    row: Row = None,
    of: From = None,
    settings: Settings = None,
    csv: Csv = None,
    lines: Lines = None,
    say: Say = None,
    outsider: Outsider = None,
    turn: Turn = 0,
    ask: Ask = False,
    save: Save = False,
    hypothesis: Hypothesis = "",
    technique: Technique = "",
    assumption: Assumption = None,
    who: Who = "",
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    json: options.Json = False,
    trust_pickle: options.Trust = False,
) -> None:
    """Try a row by hand, many of a CSV file, or a conversation; it is sent nowhere but to the model of temper.yaml."""
    if context.invoked_subcommand is not None:
        return
    from temper.api import probes

    earlier = None if of is None else _earlier(of, who, store)
    if csv is not None:
        found = _of_file(config, csv, lines or [], settings or [], json, trust_pickle)
    elif say or outsider or turn or (earlier is not None and earlier.subject.text):
        turns = [*zip_longest(say or [], outsider or [], fillvalue="")]
        found = [_shown(probes.said(config, turns, earlier, turn, asked=ask), json)]
    else:
        subject = None if earlier is None else earlier.subject
        one = probes.tried(config, row, subject, settings or [], trust_pickle=trust_pickle)
        found = [_shown(one, json)]
    if save and found:
        drafts = [one.draft(hypothesis, technique, tuple(assumption or ())) for one in found]
        typer.echo(_kept(drafts, who, store), err=json)


def _earlier(number: int, who: str, store: str) -> Draft:
    with opened(store) as (control, me, _):
        return control.probes.seen(number, who or me).probe.draft


def _kept(drafts: list[Draft], who: str, store: str) -> str:
    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        kept = control.probes.save_all(f"cli:{secrets.token_hex(8)}", drafts, who, now)
    return f"probe {kept[0].id} is saved" if len(kept) == 1 else f"probes {kept[0].id} to {kept[-1].id} are saved"


def _shown(found: Tried, json: bool) -> Tried:
    """One, after it was told."""
    from temper.report._inert import inert
    from temper.report.probe import text
    from temper.store.codec import dump, to_json

    if json:
        typer.echo(to_json(dump(found.look)))
        return found
    typer.echo(text(found.look, found.subject.origin, found.missing, found.subject.text))
    if found.reply:
        typer.echo(f"  no answer  {inert(found.reply, 400)}")
    return found


def _of_file(
    config: Path, csv: Path, lines: list[int], settings: list[str], json: bool, trust_pickle: bool
) -> list[Tried]:
    """The lines of a CSV file that can be read, of those that were chosen; told as a table, one alone in full."""
    from temper.api import probes
    from temper.core.errors import TemperError
    from temper.report._inert import inert
    from temper.report.probe import line
    from temper.store.codec import dump, to_json

    bench, every = probes.brought(config, csv, trust_pickle=trust_pickle)
    if absent := sorted(set(lines) - {one.line for one in every}):
        raise TemperError(f"{csv} has no row on line {absent[0]}", fix="the first line of a file names its columns")
    chosen = [one for one in every if not lines or one.line in lines]
    if len(chosen) == 1:
        return [_shown(probes.of_line(bench, chosen[0], settings), json)]
    if settings:
        raise TemperError("--set changes one row", fix="name it with --line")
    if json:
        told = [{"line": one.line, "wrong": one.wrong, "look": dump(one.look)} for one in chosen]
        typer.echo(to_json(told))
    for one in chosen if not json else ():
        wrong = f"{one.line}\tcannot be read: {inert(one.wrong, 300)}"
        typer.echo(wrong if one.look is None else line(one.line, one.look))
    return [probes.of_line(bench, one) for one in chosen if one.look is not None]


@app.command(name="list")
def listed(
    who: Who = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    json: options.Json = False,
) -> None:
    """The newest first: number, when, by whom (- while you may rate it), technique, what was seen, hypothesis."""
    from temper.api import probes
    from temper.report._inert import inert
    from temper.store.codec import dump, to_json

    with opened(store) as (control, me, _):
        found = control.probes.page(probes.system(config), who or me, limit)
    if json:
        typer.echo(to_json(dump(found)))
        return
    for one in found:
        draft = one.probe.draft
        seen = "through" if draft.look.through else "turned" if draft.look.turned else "stays"
        seen = draft.look.outcome.value if draft.subject.text else seen
        words = (one.probe.id, when(one.probe.made), one.probe.author or "-", draft.technique or "-", seen)
        typer.echo("\t".join(inert(str(word), 200) for word in (*words, draft.hypothesis)))


@app.command()
def show(number: Number, who: Who = "", store: Store = PLACE, json: options.Json = False) -> None:
    """A probe: what was expected, what was seen, and what others say of it, once you have rated it."""
    from temper.report._inert import inert
    from temper.report.probe import text
    from temper.store.codec import dump, to_json

    with opened(store) as (control, me, _):
        found = control.probes.seen(number, who or me)
    if json:
        typer.echo(to_json(dump(found)))
        return
    draft = found.probe.draft
    typer.echo(f"probe {number}: {inert(draft.hypothesis)}")
    typer.echo(text(draft.look, draft.subject.origin, said=draft.subject.text))
    for one in found.ratings:
        typer.echo(f"  rated      {one.severity} by {inert(one.by)}: {inert(one.reason, 200)}")
    if found.blind:
        typer.echo(f"rate it to see whose it is: temper probe rate {number} --severity major --reason WHY --as NAME")


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="Where to write it: a file that ends in .html, .json or .csv.")],
    who: Who = "",
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    trust_pickle: options.Trust = False,
) -> None:
    """All that was tried on a system as one file: hypotheses, what was seen, assumptions, coverage, agreement."""
    from temper import api
    from temper.api import probes

    system = api.load(config, trust_pickle=trust_pickle)
    with opened(store) as (control, me, now):
        text = probes.report(system, control, who or me, out.suffix, now)
    out.write_text(text, encoding="utf-8", newline="")
    typer.echo(str(out))


@app.command()
def assume(
    text: Annotated[str, typer.Argument(help="What the system is believed to hold to.")],
    who: Who,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
) -> None:
    """Write down what the system is believed to hold to."""
    from temper.api.probes import system

    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        one = control.probes.assume(f"cli:{secrets.token_hex(8)}", system(config), text, who, now)
    typer.echo(f"assumption {one.id} is written down")


@app.command()
def challenge(
    number: Annotated[int, typer.Argument(help="The number of the assumption.")],
    standing: Annotated[str, typer.Option(help="What was found: stands or fallen.")],
    reason: Reason,
    who: Who,
    probe: Annotated[int, typer.Option(help="The number of the probe that shows it.")] = 0,
    store: Store = PLACE,
) -> None:
    """Say that an assumption stood, or has fallen."""
    from temper.api.probes import standing_of

    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        control.probes.challenge(number, standing_of(standing), reason, probe, who, now)
    typer.echo(f"assumption {number}: {standing}")


@app.command()
def assumptions(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    json: options.Json = False,
) -> None:
    """What the system is believed to hold to: number, how it stands, by whom challenged last, what it says."""
    from temper.api.probes import system
    from temper.report._inert import inert
    from temper.store.codec import dump, to_json

    with opened(store) as (control, _, _):
        found = control.probes.assumptions(system(config))
    if json:
        typer.echo(to_json(dump(found)))
        return
    for one in found:
        last = one.challenges[-1].by if one.challenges else "-"
        typer.echo("\t".join(inert(str(word), 200) for word in (one.id, one.standing, last, one.text)))


@app.command()
def rate(
    number: Number,
    severity: Annotated[str, typer.Option(help="none, minor, major or critical.")],
    reason: Reason,
    who: Who,
    store: Store = PLACE,
) -> None:
    """Say how bad somebody else's probe is, once, before you see what others said."""
    from temper.api.probes import severity_of

    with opened(store) as (control, _, now):
        signed_in(control, who, now)
        control.probes.rate(number, severity_of(severity), reason, who, now)
    typer.echo(f"probe {number} is rated {severity}")


@app.command()
def hand(
    number: Number,
    to: Annotated[str, typer.Option(help="minimal, neighbours, transfer or test.")],
    order: Annotated[bool, typer.Option("--order", help="Leave it to a worker instead.")] = False,
    who: Who = "",
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    trust_pickle: options.Trust = False,
) -> None:
    """Hand a probe to the machine: the smallest change, how large the region is, other models, a regression test."""
    from temper import api
    from temper.api import probes
    from temper.report._inert import inert

    doing = probes.hand_of(to)
    with opened(store) as (control, me, now):
        if order:
            job = control.jobs.put(probes.order(number, doing, config, f"cli:{secrets.token_hex(8)}"), who or me, now)
            typer.echo(f"job {job} is ordered")
            return
        one = control.probes.seen(number, who or me).probe
        found = probes.carried(api.load(config, trust_pickle=trust_pickle), one, doing, control)
    for line in found.text.splitlines():
        typer.echo(inert(line, 400))
    raise typer.Exit(1 if found.there else 0)
