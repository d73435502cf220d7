"""Laws of scenarios of unusual behaviour: histories are rewritten, not columns, and nothing comes from the future."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.events import DAY, Aggregate, Events
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.stress.events._history import Cases, History
from temper.testing.law import LawBroken, only_reads, require, same, sealed

AGGREGATES = (
    Aggregate(name="paid_2d", key="customer", function="count", days=2),
    Aggregate(name="mean_7d", key="customer", function="mean", of="amount", days=7),
    Aggregate(name="seen_7d", key="shop", function="count", days=7, own=False, whole=True),
    Aggregate(name="late_14d", key="shop", function="mean", of="fraud", days=14, delay=2, own=False),
)
FORMULAS = (("km", "abs(home - place)"), ("share", "amount / mean_7d"))
NAMES = ("amount", *(a.name for a in AGGREGATES), "km", "share")


def payments(n: int = 600, seed: int = 0) -> Events:
    """Three weeks of payments of 25 customers at 12 shops on a line, every declared column as its history gives it."""
    rng = Draws(seed, "testing.payments").generator()
    time = np.sort(rng.integers(0, 21 * DAY, n))
    customer, shop = rng.integers(0, 25, n), rng.integers(0, 12, n)
    columns = {
        "customer": customer.astype(float),
        "shop": shop.astype(float),
        "amount": np.round(rng.lognormal(3, 1, n), 2),
        "home": (customer * 4.0),
        "place": (shop * 9.0),
        "fraud": (rng.random(n) < 0.2).astype(float),
    }
    made = Events(
        time=sealed(time),
        columns={name: sealed(values) for name, values in columns.items()},
        x=np.zeros((n, len(NAMES))),
        y=sealed(columns["fraud"].astype(np.int64)),
        entity="customer",
        counterparty="shop",
        amount="amount",
        aggregates=AGGREGATES,
        formulas=FORMULAS,
        moves=("place",),
        distance="km",
    )
    whole = Cases(events=made, rows=np.arange(n), schema=schema())
    return replace(made, x=sealed(whole.features(whole.history())))


def schema() -> Schema:
    """The columns of these payments."""
    return Schema(columns=tuple(Column(name=name) for name in NAMES))


def law_same_seed_same_history(scenario: type[Any]) -> None:
    """A rewritten history can be made again."""
    one, two = (_columns(_apply(scenario, 4)) for _ in range(2))
    require(same(one, two), "rewrites the history otherwise when run again with the same seed")


def law_leaves_the_history_alone(scenario: type[Any]) -> None:
    """The events it is given are as before."""
    cases = _cases()
    before = [values.copy() for values in cases.events.columns.values()]
    with only_reads(scenario.__name__):
        scenario().apply(cases, 5, Draws(0, "law", cases.rows))
    kept = all(np.array_equal(a, b) for a, b in zip(before, cases.events.columns.values(), strict=True))
    require(kept, "writes to the history it is given")


def law_judges_the_same_events(scenario: type[Any]) -> None:
    """Each world ends with the event it is about, at the moment when that happened."""
    cases = _cases()
    for severity in (1, 5):
        made = scenario().apply(cases, severity, Draws(0, "law", cases.rows))
        require(made.worlds == len(cases), f"gives {made.worlds} worlds for {len(cases)} events")
        require(np.array_equal(made.world[made.judged], np.arange(len(cases))), "mixes up the worlds")
        require(np.array_equal(made.source[made.judged], cases.rows), "judges other events")
        require(np.array_equal(made.time[made.judged], cases.events.time[cases.rows]), "moves the judged event in time")


def law_nothing_comes_from_the_future(scenario: type[Any]) -> None:
    """No world holds an event later than the one that is judged."""
    made = _apply(scenario, 5)
    require(bool((made.before >= 0).all()), "puts events into the future of the judged one")


def law_the_columns_follow(scenario: type[Any]) -> None:
    """What is computed from the history changes, and at severity 5 as widely as at severity 1."""
    cases = _cases()
    clean = cases.features(cases.history())
    moved = [int((cases.features(_apply(scenario, severity)) != clean).sum()) for severity in (1, 5)]
    require(moved[1] > 0, "changes no column at severity 5")
    require(moved[1] >= 0.9 * moved[0], f"changes {moved[0]} values at severity 1 and {moved[1]} at severity 5")


def law_refuses_other_severities(scenario: type[Any]) -> None:
    """Severities are 1 to 5."""
    for severity in (0, 6):
        try:
            _apply(scenario, severity)
        except TemperError:
            continue
        except Exception as crash:
            raise LawBroken(f"crashes at severity {severity}: {type(crash).__name__}: {crash}") from crash
        raise LawBroken(f"accepts severity {severity}")


def _cases() -> Cases:
    events = payments()
    return Cases(events=events, rows=np.arange(400, 440), schema=schema())


def _apply(scenario: type[Any], severity: int) -> History:
    cases = _cases()
    made: History = scenario().apply(cases, severity, Draws(0, "law", cases.rows))
    return made


def _columns(history: History) -> tuple[Any, ...]:
    return history.world, history.source, history.time, history.columns


LAWS = (
    law_same_seed_same_history,
    law_leaves_the_history_alone,
    law_judges_the_same_events,
    law_nothing_comes_from_the_future,
    law_the_columns_follow,
    law_refuses_other_severities,
)
