"""What `temper monitor` tells of alerts: sent after each look, listed, taken and silenced."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, duration, opened, when

if TYPE_CHECKING:
    from temper.monitoring.run import Monitor
    from temper.monitoring.telling import Teller
    from temper.store.control import Control

Key = Annotated[str, typer.Argument(help="The key of an alert, or LABEL=VALUE with the label feed, rule or column.")]
For = Annotated[str, typer.Option("--for", help="For how long: 30m, 2h, 7d.")]
Why = Annotated[str, typer.Option(help="Why nobody needs to be told.")]


def teller(config: Path, monitor: Monitor, control: Control) -> Teller | None:
    """Who is told of what this monitor finds, ready before its first look; None where temper.yaml names nobody."""
    from temper.config.alerting import alerting_of
    from temper.config.reading import read
    from temper.monitoring.telling import teller_of

    alerting = alerting_of(read(config), config.absolute().parent)
    if alerting is None:
        return None
    labels = monitor.matured.truth.kept_as if monitor.matured else ""
    found = teller_of(alerting, monitor.watch, monitor.digest, control, labels)
    found.begin(time.time())
    return found


def tell(teller: Teller | None) -> None:
    """Send what is due, and say so; nothing here is part of the output for programs."""
    if teller is not None and (text := teller.tell(time.time).text):
        typer.echo(text, err=True)


def alerts(
    store: Store = PLACE,
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    json: options.Json = False,
) -> None:
    """The alerts that last: key, severity, since when, who took it, messages sent and waiting, and what is wrong."""
    from temper.report._inert import inert
    from temper.store.codec import dump, to_json

    with opened(store) as (control, _, now):
        found, waiting = control.alerts.page(open_only=not every, limit=1_000), control.alerts.waiting()
        if json:
            typer.echo(to_json(dump({"alerts": found, "waiting": waiting})))
            return
        for one in found:
            a = one.alert
            words = (a.key, a.severity, when(a.starts), when(a.ends), one.taker or "-", f"{one.sent}+{one.waiting}")
            typer.echo("\t".join(map(inert, (*words, a.title))))
        for late in waiting:
            typer.echo(
                f"{late.many} wait for {inert(late.receiver)}, next {when(late.due)}: {inert(late.fault)}", err=True
            )
        for silence in control.alerts.silences(now):
            told = (silence.label, silence.value, when(silence.until), silence.by, silence.why)
            typer.echo("silenced\t" + "\t".join(map(inert, told)))


def take(key: Annotated[str, typer.Argument(help="The key of an alert.")], store: Store = PLACE) -> None:
    """You look after this alert: it does not become worse because nobody took it."""
    with opened(store) as (control, me, now):
        control.alerts.take(key, me, now)


def silence(key: Key, lasts: For, why: Why, store: Store = PLACE) -> None:
    """Send nothing of these alerts for a time; a column is silenced where it alone drifts. They are still listed."""
    from temper.core.alert import Silence

    label, _, value = key.partition("=") if "=" in key else ("key", "", key)
    with opened(store) as (control, me, now):
        until = now + duration(lasts)
        control.alerts.silence(Silence(label=label, value=value, until=until, by=me, why=why, at=now))
        typer.echo(f"silent until {when(until)}")
