"""`temper jobs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, opened, when

app = typer.Typer(help="Assessments that wait for `temper worker`, are at one, or are over.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The number of the job.")]
Key = Annotated[str, typer.Option(help="What it is for: the same key is ordered once.")]
Why = Annotated[str, typer.Option(help="Why, in a few words.")]


@app.command(name="list")
def listed(
    store: Store = PLACE,
    limit: Annotated[int, typer.Option(help="How many.")] = 20,
    json: options.Json = False,
) -> None:
    """The latest jobs, the newest first: number, state, attempts, ordered, ended, how far or which verdict, why."""
    from temper.report._inert import inert
    from temper.store.codec import dump, to_json

    with opened(store) as (control, _, _):
        found = control.jobs.page(limit)
    if json:
        typer.echo(to_json(dump(found)))
        return
    for one in found:
        far = one.result.get("verdict") or one.progress or "-"
        words = (one.id, one.state, one.attempts, when(one.made), when(one.ended), far, one.order.why)
        typer.echo("\t".join(inert(str(word), 160) for word in words))


@app.command()
def show(number: Number, store: Store = PLACE) -> None:
    """A job with what it printed."""
    from temper.report._inert import inert

    with opened(store) as (control, _, _):
        one = control.jobs.get(number)
    parts = "the layers of the guard" if one.order.depth else ", ".join(one.order.only) or "everything"
    typer.echo(f"job {one.id}, {one.state}: {inert(one.order.why)}\nkey {inert(one.order.key)}, by {inert(one.by)}")
    typer.echo(f"{inert(one.order.config)}: {inert(parts)}, suite {inert(one.order.suite)}")
    typer.echo(
        f"ordered {when(one.made)}, begun {when(one.begun)} by {inert(one.worker) or '-'}, ended {when(one.ended)}"
    )
    typer.echo(f"attempts {one.attempts}, exit code {'-' if one.code is None else one.code}, {inert(one.progress)}")
    for name, value in one.result.items():
        typer.echo(f"{inert(name)}: {inert(str(value))}")
    for line in one.log.splitlines():
        typer.echo(f"  {inert(line)}")


@app.command()
def put(
    key: Key,
    why: Why,
    config: options.Config = Path("temper.yaml"),
    runs: options.Runs = "",
    suite: options.Suite = "standard",
    only: options.Only = None,
    seed: options.Seed = 0,
    engine: options.Engine = "processes",
    store: Store = PLACE,
) -> None:
    """Order an assessment of the model that answers."""
    from temper.core.errors import ConfigError
    from temper.core.job import Order

    if not config.is_file():
        raise ConfigError(f"there is no {config}", fix="name the temper.yaml with --config")
    order = Order(
        key=key,
        why=why,
        config=str(config.absolute()),
        suite=suite,
        only=tuple(only or ()),
        seed=seed,
        engine=engine,
    )
    with opened(store) as (control, me, now):
        number = control.jobs.put(order, me, now)
    typer.echo("there is a job of this key already" if number is None else f"job {number}\nnext: temper worker")


@app.command()
def again(number: Number, store: Store = PLACE) -> None:
    """Let a job that is over be made anew."""
    with opened(store) as (control, me, now):
        control.jobs.again(number, me, now)
