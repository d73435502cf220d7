"""`temper monitor`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _alerts
from temper.cli import _options as options
from temper.cli._control import PLACE, Store, duration, opened

app = typer.Typer(help="Watch a model in service: windows of its predictions beside the rows it was assessed on.")
app.command("alerts")(_alerts.alerts)
app.command("take")(_alerts.take)
app.command("silence")(_alerts.silence)
Every = Annotated[str, typer.Option(help="How often to look: 60s, 5m, 1h.")]


@app.command("run")
def run(
    config: options.Config = Path("temper.yaml"),
    store: Store = PLACE,
    json: options.Json = False,
    lenient: options.Lenient = False,
    trust_pickle: options.Trust = False,
) -> None:
    """Judge every window that is over and was not judged yet: exit 1 with an alarm, 3 where one could not be judged."""
    from temper.monitoring.run import monitor_of
    from temper.report.watched import document, following, show
    from temper.store.codec import to_json

    with opened(store) as (control, _, now):
        quiet = (lambda text: None) if json else typer.echo
        monitor = monitor_of(config, control.windows, quiet, trust_pickle=trust_pickle)
        teller = _alerts.teller(config, monitor, control)
        looked = monitor.look(now)
        if json:
            typer.echo(to_json(document(looked.new)))
        elif looked.new:
            show(looked.new)
        if not json:
            typer.echo("\n  ".join(one for one in (looked.told, following(looked.new)) if one))
        _alerts.tell(teller)
        raise typer.Exit(looked.code(lenient=lenient))


@app.command("watch")
def watch(
    config: options.Config = Path("temper.yaml"),
    store: Store = PLACE,
    every: Every = "60s",
    trust_pickle: options.Trust = False,
) -> None:
    """Look again and again until it is stopped; what was said of a window is kept, so it goes on where it was."""
    from temper.monitoring.run import monitor_of
    from temper.report.watched import show

    seconds = duration(every)
    with opened(store) as (control, _, _):
        monitor = monitor_of(config, control.windows, typer.echo, trust_pickle=trust_pickle)
        teller = _alerts.teller(config, monitor, control)
        try:
            while True:
                if (looked := monitor.look(time.time())).new:
                    show(looked.new)
                _alerts.tell(teller)
                time.sleep(seconds)
        except KeyboardInterrupt:
            typer.echo("stopped: `temper monitor run` goes on with the next window")


@app.command("status")
def status(
    config: options.Config = Path("temper.yaml"),
    store: Store = PLACE,
    limit: Annotated[int, typer.Option(help="How many windows.")] = 20,
    json: options.Json = False,
) -> None:
    """The latest windows, and what was said of them."""
    from temper.config.monitor import watch_of
    from temper.config.reading import read
    from temper.report.watched import document, show
    from temper.store.codec import to_json

    watched = watch_of(read(config), config.absolute().parent)
    with opened(store) as (control, _, _):
        found = control.windows.page(watched.feed, limit)[::-1] if watched else []
        if json:
            typer.echo(to_json(document(found)))
        elif found:
            show(found)
        else:
            typer.echo("nothing was looked at yet\n  next: temper monitor run")
