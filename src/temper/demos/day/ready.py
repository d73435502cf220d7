"""A day that is ready to be shown: its parts, put together around a gateway that answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from temper.config.system import load_system
from temper.core.system import Protected
from temper.demos import fraud
from temper.demos.day.attacker import Fraudster
from temper.demos.day.caller import Caller
from temper.demos.day.desk import ANALYST, Desk
from temper.demos.day.mended import hardened
from temper.demos.day.payments import payments
from temper.demos.day.plan import HOUR, Chapter, Hour, day
from temper.demos.day.regression import Regression, missed, regression
from temper.demos.day.run import Day, Made
from temper.demos.day.stack import Model
from temper.demos.day.told import Screen
from temper.demos.day.watching import watcher
from temper.store.control import Control

_AHEAD = 180.0
"""About how many seconds after its beginning the day comes to the model's failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How large the day is: payments an hour, seconds that an hour takes at least, stolen cards that are tried, and
    questions for each.
    """

    payments: int = 450
    seconds: float = 4.0
    cards: int = 60
    queries: int = 100


PACE = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it is shown: the demo's temper.yaml, the gateway's address, and keys of the bank and of a partner."""

    path: Path
    host: str
    port: int
    key: str
    stolen: str

    @property
    def url(self) -> str:
        """The gateway's."""
        return f"http://{self.host}:{self.port}"


def ready(
    place: Place,
    model: Model,
    control: Control,
    console: Any,
    asked: Callable[[str], bool],
    alive: Callable[[], None],
    wall: Callable[[], float],
    *,
    seed: int,
    pace: Pace,
) -> Day:
    """The day, hour by hour by the clock of its feed, and most of it behind us: cases that a playbook opens are not due
    before they are there.
    """
    hours = day(pace.payments)
    system, folder, screen = load_system(place.path), place.path.parent, Screen(console=console)
    watched = watcher(place.path, control, screen.say)
    return Day(
        system=system,
        hours=hours,
        payments=payments(system, folder, seed),
        caller=Caller(
            schema=system.schema,
            host=place.host,
            port=place.port,
            key=place.key,
            folder=folder,
            begins=begins(hours, wall()),
        ),
        fraudster=Fraudster(schema=system.schema, url=f"{place.url}/v1/score", key=place.stolen),
        model=model,
        watcher=watched,
        desk=Desk(
            config=place.path,
            url=place.url,
            control=control,
            feed=watched.monitor.watch.feed,
            threshold=system.threshold,
            asked=asked,
            say=screen.quiet,
        ),
        screen=screen,
        alive=alive,
        wall=wall,
        audit=folder / ".temper" / "audit",
        tested=partial(_tested, system, place.path, control, pace, seed),
        seconds=pace.seconds,
        cards=pace.cards,
        queries=pace.queries,
    )


def begins(hours: Sequence[Hour], now: float) -> float:
    """When the day's feed begins, in seconds since 1970: so that the hour in which the model fails is that on the wall.

    The gateway opens an incident of its own then, and it knows the wall's clock alone. What came before lies behind it
    in every list, as it has to.

    >>> from datetime import UTC, datetime
    >>> now = datetime(2026, 5, 4, 9, 30, tzinfo=UTC).timestamp()
    >>> f"{datetime.fromtimestamp(begins(day(1), now), UTC):%d %H:%M}"
    '03 13:00'
    """
    fails = next(one.number for one in hours if one.chapter is Chapter.FAILURE)
    return (now + _AHEAD) // HOUR * HOUR - HOUR * fails


def _tested(system: Protected, path: Path, control: Control, pace: Pace, seed: int, made: Made) -> Regression:
    """The test of an incident, asked of the model of the day and of a hardened one."""
    frame = missed(path.parent, made.hours, made.low, float(system.threshold or 0.5))
    new = hardened(system, path, fraud.rows(frame), pace.queries, seed)
    return regression(system, control, made.incident, frame, new, ANALYST, made.clock)
