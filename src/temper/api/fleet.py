"""A portfolio of systems: assessed system by system, and how each stands."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from temper.core.errors import StoreError, TemperError
from temper.core.event import Event, Listener, silent
from temper.core.fleet import Fleet, Portfolio, Wanted
from temper.report import fleet as told
from temper.report.notebook import Shown, View
from temper.store.database import STORE

if TYPE_CHECKING:
    import pandas as pd

    from temper.engine.fleet.hands import Hands


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Systems(Fleet, Shown):
    """The systems of a portfolio: `situations`, `refused`, and, after an assessment, `attempts`, `left` and `code`."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each system: system, owner, tier, verdict, run, age, what is stale, drift, risk, trouble."""
        import pandas as pd

        return pd.DataFrame([told.row(one) for one in self.situations])

    def view(self) -> View:
        """A line for each system, the most pressing first, and what to do next."""
        return told.view(self)


def fleet_assess(
    portfolio: str | Path = "portfolio.yaml",
    *,
    tiers: Sequence[str] = (),
    only: Sequence[str] = (),
    suite: str = "",
    engine: str = "processes",
    workers: int | None = None,
    address: str | None = None,
    store: str | Path = "",
    minutes: float | None = None,
    seed: int = 0,
    stale: bool = False,
    resume: bool = False,
    fresh: bool = False,
    trust_pickle: bool = False,
    listener: Listener = silent,
) -> Systems:
    """Assess every system of a portfolio, each in a process of its own; one that fails stops no other.

    `tiers` and `only` (names, globs, owners, tags) leave systems out. `store` (or else TEMPER_STORE) is shared by
    all, with the answers of tasks; without it each has its own beside its temper.yaml. With `stale` only what is stale
    is measured again, `resume` goes on with an assessment of the fleet that was killed, `minutes` is all the time there
    is. `suite` goes before that of a tier.
    """
    from temper.api import whoever
    from temper.config.portfolio import load_portfolio

    if minutes is not None and minutes <= 0:
        raise TemperError(f"a budget of {minutes:g} minutes", fix="give minutes above 0")
    wanted = Wanted(
        suite=suite,
        seed=seed,
        store=_shared(store),
        stale=stale,
        resume=resume,
        fresh=fresh,
        trust_pickle=trust_pickle,
        author=whoever(),
    )
    until = math.inf if minutes is None else time.monotonic() + 60.0 * minutes
    carried_out = _Asked(tiers, only, until, lambda: _hands(engine, workers, address, listener), listener)
    return _assessed(load_portfolio(portfolio), wanted, carried_out)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which systems, until when, by whom, and who listens."""

    tiers: Sequence[str]
    only: Sequence[str]
    until: float
    hands: Callable[[], Hands]
    listener: Listener


def _assessed(portfolio: Portfolio, wanted: Wanted, asked: _Asked) -> Systems:
    from temper.api import open_store
    from temper.engine.fleet.drive import Course, drive
    from temper.engine.fleet.order import chosen, told_apart
    from temper.monitoring.fleet.kept import fleet
    from temper.store.fleet import writing

    source = Path(portfolio.source)
    with writing(source) as (log, turns):
        go_on = wanted.resume and not turns.over
        course = Course(
            fleet=turns.fleet if go_on else datetime.now(UTC).isoformat(timespec="milliseconds"),
            wanted=wanted,
            done=turns.done() if go_on else {},
            until=asked.until,
            away=_away,
            listener=asked.listener,
        )
        if wanted.store:
            course.reach(wanted.store)
        kept = open_store(wanted.store) if wanted.store else None
        now = fleet(source, portfolio.entries, turns.latest, time.time(), kept)
        systems, twins = told_apart(now, shared=kept is not None)
        driven = drive(chosen(systems, asked.tiers, asked.only), course, asked.hands(), log)
    latest = {**turns.latest, **{one.entry: one for one in driven.attempts}}
    return Systems(
        portfolio=portfolio,
        situations=tuple(fleet(source, [one.entry for one in systems], latest, time.time(), kept)),
        refused=(*portfolio.refused, *twins),
        attempts=driven.attempts,
        left=driven.left,
        seconds=driven.seconds,
    )


def fleet_status(portfolio: str | Path = "portfolio.yaml", *, store: str | Path = "") -> Systems:
    """How every system of a portfolio stands: last verdict, age, what is stale, risk, drift. Nothing is assessed."""
    from temper.api import open_store
    from temper.config.portfolio import load_portfolio
    from temper.monitoring.fleet.kept import fleet
    from temper.store.fleet import read

    path, shared = Path(portfolio), _shared(store)
    found, kept = load_portfolio(path), open_store(shared) if shared else None
    now = fleet(path, found.entries, read(path).latest, time.time(), kept)
    return Systems(portfolio=found, situations=tuple(now), refused=found.refused)


def _shared(store: str | Path) -> str:
    """The place of a store that several share: an address, or a path from the root, as turns begin elsewhere."""
    text = str(store) or os.environ.get(STORE, "")
    return text if not text or "://" in text else str(Path(text).absolute())


def _away(place: str) -> str:
    """Why the server of this store cannot be reached now, "" where it can or where there is none; what else is wrong
    with a store, a turn says better.
    """
    from temper.api import open_store
    from temper.store.control.database import Unreachable

    try:
        open_store(place)
    except Unreachable as error:
        return error.message
    except StoreError:
        return ""
    return ""


def _hands(engine: str, workers: int | None, address: str | None, listener: Listener) -> Hands:
    """Who carries turns out: one at a time, as many as there are cores here, or as many as a cluster has."""
    from temper.engine.executors import ENGINES

    if engine not in ENGINES:
        raise TemperError(f"unknown engine {engine!r}", fix=f"use one of {', '.join(ENGINES)}")
    if engine == "ray":
        from temper.engine.fleet.cluster import Cluster

        return Cluster(address, workers)
    from temper.engine.fleet.hands import Threads

    def heard(wanted: Wanted, words: str) -> None:
        done, _, rest = words.partition(" of ")
        share = int(done) / max(int(rest.partition(" ")[0]), 1)
        listener(Event(kind="progress", task=wanted.entry, share=share))

    return Threads(1 if engine == "serial" else workers or os.cpu_count() or 1, heard)
