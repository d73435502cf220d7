"""`temper monitor`."""

from __future__ import annotations

import time
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _alerts, _triggers
from temper.cli import _options as options
from temper.cli._beside import Worker, beside
from temper.cli._control import PLACE, Store, duration, opened, tell

app = typer.Typer(help="Watch a model in service: windows of its predictions beside the rows it was assessed on.")
To = Annotated[Path | None, typer.Option(help="A file that is written as a whole; else it is printed.")]
app.command("alerts")(_alerts.alerts)
app.command("take")(_alerts.take)
app.command("silence")(_alerts.silence)
Engine = Annotated[str, typer.Option(help="Where files are counted: serial, processes or ray.")]
Every = Annotated[str, typer.Option(help="How often to look: 60s, 5m, 1h.")]


@app.command("run")
def run(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    json: options.Json = False,
    lenient: options.Lenient = False,
    engine: Engine = "serial",
    workers: options.Workers = None,
    address: options.Address = None,
    trust_pickle: options.Trust = False,
) -> None:
    """Judge every window that is over and was not judged yet: exit 1 with an alarm, 3 where one could not be judged."""
    from temper.engine.spread import spread
    from temper.monitoring.making import monitor_of
    from temper.report import outcomes, served
    from temper.report.watched import document, following, show
    from temper.store.codec import to_json

    with opened(store) as (control, _, now):
        quiet = (lambda text: None) if json else typer.echo
        counted = spread(engine, workers, address)
        monitor = monitor_of(config, control.windows, quiet, trust_pickle=trust_pickle, today=_day(now), spread=counted)
        opener, teller = _alerts.opener(config, monitor, control), _alerts.teller(config, monitor, control)
        evidence = _triggers.validation(config, control, monitor)
        looked = monitor.look(now)
        if json:
            told = [*document(looked.new), *outcomes.document(looked.outcomes), *served.document(looked.standings)]
            typer.echo(to_json(told))
        elif looked.new:
            show(looked.new)
        if not json:
            outcomes.show(looked.outcomes)
            served.show(looked.standings)
            typer.echo("\n  ".join(one for one in (looked.told, following(looked.new)) if one))
        _triggers.pull(evidence, time.time())
        _alerts.follow(opener)
        _alerts.tell(teller)
        raise typer.Exit(looked.code(lenient=lenient))


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A table with the columns of the feed.")],
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    json: options.Json = False,
    lenient: options.Lenient = False,
    trust_pickle: options.Trust = False,
) -> None:
    """Judge the rows of one file as one window, and keep nothing: for CI, before a feed or a model goes live. Exit 1
    with an alarm, 3 where there are too few rows.
    """
    from temper.monitoring.making import monitor_of
    from temper.report.watched import document, following, show
    from temper.store.codec import to_json

    with opened(store) as (control, _, now):
        quiet = (lambda text: None) if json else typer.echo
        monitor = monitor_of(config, control.windows, quiet, trust_pickle=trust_pickle, today=_day(now))
        looked = monitor.check(file)
        if json:
            typer.echo(to_json(document(looked.new)))
        else:
            show(looked.new)
            typer.echo("\n  ".join(one for one in (looked.told, following(looked.new)) if one))
        raise typer.Exit(looked.code(lenient=lenient))


@app.command("watch")
def watch(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    every: Every = "60s",
    worker: Worker = True,
    trust_pickle: options.Trust = False,
) -> None:
    """Look again and again until it is stopped; what was said of a window is kept, so it goes on where it was."""
    from temper.core.watch import Seen
    from temper.monitoring.making import monitor_of
    from temper.report import outcomes, served
    from temper.report.watched import show

    seconds = duration(every)
    helped = beside(store, trust_pickle=trust_pickle) if worker else nullcontext()
    with helped, opened(store) as (control, _, now):
        monitor = monitor_of(config, control.windows, typer.echo, trust_pickle=trust_pickle, today=_day(now))
        opener, teller = _alerts.opener(config, monitor, control), _alerts.teller(config, monitor, control)
        evidence = _triggers.validation(config, control, monitor)
        try:
            while True:
                before = control.audit.head()
                looked = monitor.look(time.time())
                if looked.new:
                    show(looked.new)
                outcomes.show([one for one in looked.outcomes if one.decided])
                served.show([one for one in looked.standings if one.seen is Seen.FAIL])
                _triggers.pull(evidence, time.time())
                _alerts.follow(opener)
                _alerts.tell(teller)
                if control.audit.head() != before:
                    tell(store, control)
                time.sleep(seconds)
        except KeyboardInterrupt:
            typer.echo("stopped: `temper monitor run` goes on with the next window")


@app.command("status")
def status(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    limit: Annotated[int, typer.Option(help="How many windows.")] = 20,
    json: options.Json = False,
) -> None:
    """The latest windows and what was said of them; of their labels, as far as they have come; where promises of a
    gateway's answers stand; and what of the last assessments is stale.
    """
    from temper.config.monitor import watch_of
    from temper.config.reading import read
    from temper.core.watch import Feed
    from temper.monitoring.objectives import standing_of
    from temper.report import outcomes, served
    from temper.report.watched import document, show
    from temper.store.codec import to_json

    place = read(config), config.absolute().parent
    watched = watch_of(*place)
    with opened(store) as (control, _, now):
        found = control.windows.page(watched.feed, limit)[::-1] if watched else []
        labelled = control.windows.outcomes.page(watched.feed, limit) if watched else []
        promised = standing_of(control.windows.served, watched.feed, now) if watched else []
        if json:
            typer.echo(to_json([*document(found), *outcomes.document(labelled), *served.document(promised)]))
        elif found or labelled or promised:
            show(found)
            outcomes.show(labelled)
            served.show(promised)
        else:
            typer.echo("nothing was looked at yet\n  next: temper monitor run")
        if not json and (watched is None or watched.kind is not Feed.EXCHANGES):
            _triggers.told(config, control, now)


@app.command("export")
def export(
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    store: Store = PLACE,
    prometheus: Annotated[bool, typer.Option("--prometheus", help="The newest window as Prometheus reads it.")] = False,
    grafana: Annotated[bool, typer.Option("--grafana", help="A dashboard for Grafana.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Alert rules for Prometheus.")] = False,
    to: To = None,
) -> None:
    """Write what Prometheus and Grafana need: figures of the newest window, a dashboard, or alert rules."""
    from temper.core.errors import TemperError

    if prometheus + grafana + rules != 1:
        raise TemperError("nothing says what to export", fix="give one of --prometheus, --grafana and --rules")
    text = _figures(config, store) if prometheus else _drawn() if grafana else _ruled()
    if to is None:
        typer.echo(text, nl=False)
        return
    beside = to.with_name(f".{to.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(to)


def _day(now: float) -> date:
    return datetime.fromtimestamp(now, UTC).date()


def _figures(config: Path, store: str) -> str:
    from temper.config.monitor import watch_of
    from temper.config.reading import read
    from temper.core.errors import ConfigError
    from temper.monitoring.objectives import standing_of
    from temper.report.exported import text

    document, base = read(config), config.absolute().parent
    watched = watch_of(document, base)
    if watched is None:
        raise ConfigError(f"{config} does not say what is watched", fix="add `monitor: {feed: ledger}`")
    with opened(store) as (control, _, now):
        newest = next(iter(control.windows.page(watched.feed, 1)), None)
        promised = standing_of(control.windows.served, watched.feed, now)
    return text(newest, watched, document.section("system").text("name", base.name), promised)


def _drawn() -> str:
    import json

    from temper.report.grafana import dashboard

    return json.dumps(dashboard(), indent=2) + "\n"


def _ruled() -> str:
    import yaml

    from temper.report.alerting import rules

    return yaml.safe_dump(rules(), sort_keys=False, width=120)
