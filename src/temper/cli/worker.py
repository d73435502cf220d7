"""`temper worker`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from temper.cli import _options as options
from temper.cli._control import PLACE, Store, duration, ledger, opened

_PERFORM = "from temper.api.job import main; main()"


def command(
    store: Store = PLACE,
    runs: options.Runs = "",
    once: Annotated[bool, typer.Option("--once", help="Carry out what is due, and end.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Wait for more; the default.")] = False,
    tied: Annotated[
        bool, typer.Option("--tied", help="End when standard input does: with whoever started it.")
    ] = False,
    every: Annotated[str, typer.Option(help="How often to look for jobs: 5s, 1m.")] = "5s",
    trust_pickle: options.Trust = False,
) -> None:
    """Carry out assessments that triggers, the console or people have ordered; as many workers as you like at once.

    Consoles and `temper monitor watch` start one beside them.
    """
    from temper.api.job import CONTROL, TRUST
    from temper.core.errors import TemperError
    from temper.engine.worker import Worker, named, until_told, with_input
    from temper.store.evidence.following import kept_up

    if once and watch:
        raise TemperError("a worker ends, or waits for more", fix="give one of --once and --watch")
    place = store if "://" in store else str(_absolute(store))
    with opened(place) as (control, _, _):
        worker = Worker(
            jobs=control.jobs,
            name=named(),
            command=(sys.executable, "-c", _PERFORM),
            clock=_now,
            environment={CONTROL: place, TRUST: str(int(trust_pickle))},
        )
        if tied:
            with_input(worker)
        with until_told(worker), kept_up(ledger(place), control, _wall):
            worker.work(typer.echo, duration(every), once=once)


def _absolute(place: str) -> object:
    from pathlib import Path

    return Path(place).absolute()


def _wall() -> int:
    import time

    return time.time_ns()


def _now() -> float:
    import time

    return time.time()
