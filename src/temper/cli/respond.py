"""`temper respond`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _options as options
from temper.core.errors import ConfigError

if TYPE_CHECKING:
    from temper.response.context import Context
    from temper.response.playbook import Playbook

app = typer.Typer(help="Playbooks for when something is wrong: shown, tried without effect, run.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A playbook of `temper respond list`, or a .yaml file.")]
Set = Annotated[list[str], typer.Option("--set", help="key=value of a setting; repeat it for more.")]
Gateway = Annotated[str, typer.Option(envvar="TEMPER_GATEWAY", help="The gateway whose figures are looked at.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Say what every step would change, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Ask nobody. Checks that do not fit stop it; notes stay undone.")]
For = Annotated[int | None, typer.Option("--incident", help="The incident whose timeline has every step.")]
HERE = "http://127.0.0.1:8080"


@app.command(name="list")
def listed() -> None:
    """The playbooks there are, and when each is for."""
    from temper.response.playbook import names, playbook

    width = max(map(len, names()))
    for name in names():
        found = playbook(name)
        typer.echo(f"{name:<{width}}  {found.severity:<8}  {found.title}")


@app.command()
def show(name: Name) -> None:
    """A playbook as people read it: when, settings, checks, steps, how one sees that it worked, how it is undone."""
    from temper.response.playbook import playbook

    found = playbook(name)
    for line in _shown(found):
        _say(line)


@app.command()
def run(
    name: Name,
    dry_run: Dry = False,
    set_: Set = [],  # noqa: B006
    config: options.Config = Path("temper.yaml"),
    gateway: Gateway = HERE,
    yes: Yes = False,
    incident: For = None,
) -> None:
    """Run a playbook: its checks, then its steps, each risky one after a yes; exit 1 where it stops or fails."""
    import secrets

    from temper.response.playbook import playbook
    from temper.response.run import Run

    found = playbook(name)
    settings = found.set(dict(map(_pair, set_)))
    context = _context(config, gateway, secrets.token_hex(4), yes)
    context.incident = incident
    typer.echo(f"{found.name}: {found.title}{'  (dry run: nothing is changed)' if dry_run else ''}")
    one = Run(playbook=found, context=context, say=_say, settings=settings)
    try:
        if not dry_run:
            typer.echo(f"run {context.run}, by {context.by}")
        well = one.dry() if dry_run else one.real()
    finally:
        context.close()
    if not dry_run:
        typer.echo("WORKED" if well else "STOPPED")
    raise typer.Exit(0 if well else 1)


@app.command()
def resume(
    run: Annotated[str, typer.Argument(help="The run, as `temper respond run` named it.")],
    config: options.Config = Path("temper.yaml"),
    gateway: Gateway = HERE,
    yes: Yes = False,
) -> None:
    """Go on with a run that stopped or was killed: what is done is left out, what was under way is done again."""
    from temper.response.run import resumed

    context = _context(config, gateway, run, yes)
    try:
        well = resumed(context, _say).real()
    finally:
        context.close()
    typer.echo("WORKED" if well else "STOPPED")
    raise typer.Exit(0 if well else 1)


@app.command()
def undo(
    run: Annotated[str, typer.Argument(help="The run, as `temper respond run` named it.")],
    config: options.Config = Path("temper.yaml"),
) -> None:
    """Take back what a run changed, also one that was killed under way. What was set since then stays."""
    from temper.response.run import undo as taken_back

    context = _context(config, HERE, run, yes=True)
    try:
        well = taken_back(context, _say)
    finally:
        context.close()
    raise typer.Exit(0 if well else 1)


def _context(config: Path, gateway: str, run: str, yes: bool) -> Context:
    import getpass
    import time

    from temper.config.monitor import watch_of
    from temper.config.reading import read
    from temper.gateway.tables.deploy import guard
    from temper.guard.serving.parts import PARTS
    from temper.response.context import Context
    from temper.response.figures import checked

    document = read(config)
    watch = watch_of(document, config.absolute().parent)
    found = Context(
        serving=guard(config),
        config=str(config),
        feed="" if watch is None else watch.feed,
        threshold=document.section("model").maybe("threshold"),
        hand=_say,
        parts=PARTS,
        by=getpass.getuser(),
        run=run,
        clock=time.time,
        wait=time.sleep,
        asked=(lambda question: None) if yes else _asked,
        gateway=checked(gateway),
    )
    found.tell = _teller(config, found)
    return found


def _teller(config: Path, context: Context) -> Callable[[], str] | None:
    """What tells the receivers of this temper.yaml; None where it names none."""
    from temper.config.alerting import alerting_of
    from temper.config.reading import read
    from temper.monitoring.telling import teller_of

    alerting = alerting_of(read(config), config.absolute().parent)
    if alerting is None:
        return None

    def tell() -> str:
        teller = teller_of(alerting, None, "", context.control)
        teller.begin(context.clock())
        return teller.tell(context.clock).text

    return tell


def _asked(question: str) -> bool:
    *before, last = question.split("\n")
    for line in before:
        _say(line)
    return typer.confirm(_inert(last), default=False)


def _say(line: str) -> None:
    import shutil
    import textwrap

    width = max(60, min(100, shutil.get_terminal_size((100, 24)).columns))
    hang = " " * (len(line) - len(line.lstrip()) + 4)
    typer.echo(textwrap.fill(_inert(line), width, subsequent_indent=hang, break_on_hyphens=False))


def _inert(text: str) -> str:
    """What a store or a gateway says may be hostile: no control characters reach the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def _pair(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not found or not key:
        raise ConfigError(f"--set {text[:80]!r} is no setting", fix="write it as --set key=value")
    return key, value


def _shown(found: Playbook) -> list[str]:
    lines = [f"{found.name}: {found.title}", f"severity  {found.severity}", f"when      {found.when}"]
    if found.settings:
        lines.append("settings")
        for one in found.settings:
            usual = "must be set" if one.usual is None else f"usually {one.usual or 'empty'}"
            lines.append(f"  {one.name}: {one.about} ({usual})")
    for part in ("checks", "steps", "worked"):
        lines.append(part)
        for at, step in enumerate(getattr(found, part), start=1):
            lines.append(f"  {at} {step.name} [{step.do}]{_given(step.section.plain())}")
            lines += [f"      {step.why}"] if step.why else []
    return [*lines, f"undone    {found.undone}"]


def _given(plain: dict[str, object]) -> str:
    told = {key: value for key, value in plain.items() if key not in ("name", "do", "why")}
    return "".join(f" {key}={' '.join(str(value).split())}" for key, value in told.items())
