"""How the systems of a portfolio stand now: the newest run of each, how old, what of it is stale, risk, and drift.

`situation` is a function of what is known; `look` reads that: runs in short, windows and the last turn, never a model
or a table. A system that was assessed by itself since its last turn is as well known as one that was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temper.config.keeping import kept_of
from temper.config.reading import read
from temper.config.triggers import triggers_of
from temper.core.errors import TemperError
from temper.core.evidence import Evidence, Present, Triggers
from temper.core.fleet import Attempt, Entry, Situation, worst
from temper.core.outline import Outline
from temper.core.risk import Register
from temper.core.watch import Seen, Watched
from temper.monitoring.evidence import evidence, stale
from temper.monitoring.triggers import Validation, unloaded
from temper.store.attacks import attacks_digest
from temper.store.control import Control
from temper.store.database import Store

_LATEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was read of one system: its newest finished run in short, the seconds that the longest of the latest took
    (one that the store answered says nothing of the next), the evidence of each part and what that is held against, the
    newest window of its feed, and its last turn.
    """

    system: str = ""
    newest: Outline | None = None
    evidence: Mapping[str, Evidence] | None = None
    present: Present | None = None
    rules: Triggers = field(default_factory=Triggers)
    seconds: float = 0.0
    window: Watched | None = None
    turn: Attempt | None = None
    trouble: str = ""


def situation(entry: Entry, known: Known, now: float) -> Situation:
    """How a system stands, from what is known of it and from nothing else."""
    newest, turn = known.newest, known.turn
    present = known.present or Present(now=now, model="")
    found = Situation(
        entry=entry,
        system=known.system,
        stale=tuple(stale(known.evidence or {}, replace(present, now=now), known.rules)),
        drift=_drift(known.window),
        trouble=known.trouble or _failed(turn, newest),
    )
    if newest is not None:
        found = replace(
            found,
            run=newest.run,
            verdict=newest.kind,
            began=newest.began,
            age=max(now - newest.began, 0.0),
            seconds=known.seconds,
        )
    if turn is None:
        return found
    return replace(found, assessed=turn.run, unit=turn.unit, annual=turn.annual, p90=turn.p90, rating=turn.rating)


def _drift(window: Watched | None) -> str:
    """What the newest window alarms about."""
    if window is None or window.seen is not Seen.FAIL:
        return ""
    since = window.start if window.since is None else window.since
    what = window.kind.value if window.kind else ", ".join(window.troubles[:1]) or "something"
    return f"{what} since {datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M}"


def _failed(turn: Attempt | None, newest: Outline | None) -> str:
    """Why the last turn came to no verdict, while no run since then did."""
    if turn is None or turn.finished or (newest is not None and newest.began > turn.at + turn.seconds):
        return ""
    return turn.why or "it could not finish"


def look(entry: Entry, now: float, turn: Attempt | None = None, store: Store | None = None, model: str = "") -> Known:
    """What is known of this system, in the store beside its temper.yaml or in `store`, which several share. Nothing is
    made: without a store nothing was assessed. What cannot be read is a `trouble`, so that it stops no other system.
    With the digest of temper.yaml's `model`, which only who opened it knows, evidence of another one is stale.
    """
    config = Path(entry.config)
    try:
        document = read(config)
        system = document.section("system").text("name", config.absolute().parent.name)
        rules = triggers_of(document) or Triggers(age=entry.tier.age, suite=entry.tier.suite)
        kept = store or Store.there(config.absolute().parent, *kept_of(document))
        if kept is None:
            return Known(system=system, rules=rules, turn=turn)
        latest = kept.outlines(_LATEST, system=system, state="finished")
        known = Known(
            system=system,
            newest=latest[0] if latest else None,
            seconds=max((one.seconds for one in latest), default=0.0),
            rules=rules,
            turn=turn,
        )
        return _watched(config, kept, known, now, model)
    except TemperError as error:
        return Known(turn=turn, trouble=error.message)


def beside(config: Path) -> Store | None:
    """The store of this temper.yaml's own folder, None where nothing was ever kept there."""
    return Store.there(config.absolute().parent, *kept_of(read(config)))


def _watched(config: Path, kept: Store, known: Known, now: float, own: str) -> Known:
    """The same with its evidence, and with what its windows say where a monitor has kept any."""
    place = config.absolute().parent / ".temper" / "control.db"
    if not place.exists():
        present = Present(now=now, model=own, attacks=attacks_digest())
        return replace(known, evidence=evidence(kept.measured(known.system, own), own), present=present)
    control = Control.open(str(place))
    try:
        found = replace(unloaded(config, control, kept), own=own)
        model = found.model()
        parts = evidence(kept.measured(found.system, model), model)
        after = min((one.rows for one in parts.values()), default=now)
        windows = _latest(found, control)
        return replace(
            known,
            evidence=parts,
            present=found.present(now, model, after),
            window=windows[-1] if windows else None,
        )
    finally:
        control.close()


def _latest(found: Validation, control: Control) -> Sequence[Watched]:
    if found.watch is None:
        return ()
    return control.windows.latest(found.watch.feed, found.reference, found.width, 1)


def fleet(
    entries: Iterable[Entry], turns: Mapping[str, Attempt], now: float, store: Store | None = None
) -> list[Situation]:
    """How every system of a portfolio stands, in its order."""
    return [situation(one, look(one, now, turns.get(one.name), store), now) for one in entries]


def weighed(one: Situation, store: Store | None = None) -> Situation:
    """The same with the risk of its newest run, where its last turn was another one. A document of a run is read."""
    kept = store or beside(Path(one.entry.config))
    if not one.run or one.run == one.assessed or kept is None:
        return one
    register = kept.register(one.run)
    return one if register is None else replace(one, **_risk(one.run, register))


def _risk(run: str, register: Register) -> dict[str, Any]:
    total = register.total
    return {
        "assessed": run,
        "unit": register.unit,
        "annual": total.middle,
        "p90": total.p90,
        "rating": worst(register),
    }
