"""`temper layers`: a guarded table model attacked from outside, every layer asked, and what that comes to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.reading import read
from temper.config.serving import serving_of
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.depth import Depth, Limits
from temper.core.errors import TemperError
from temper.core.event import Event, Listener, silent
from temper.core.layers import Attempts
from temper.core.system import Protected
from temper.core.threat import Actor
from temper.engine.identity import data_digest, digest_of, folders_digest, library_versions, schema_digest
from temper.engine.layers.attempting import Attackers, attacks_of
from temper.engine.layers.choose import Prices
from temper.engine.layers.honest import honest, seconds
from temper.engine.layers.panel import OF_A_CLIENT, Panel
from temper.engine.layers.stopped import FORMAT, TASK
from temper.engine.layers.weigh import Terms, weighed
from temper.store.attacks import attacks_digest
from temper.store.codec import unwrap, wrap
from temper.store.database import Store

Rows = np.ndarray[Any, Any]
EFFORTS = {"quick": (40, 500), "standard": (120, 2_000), "deep": (400, 10_000)}
"""Rows that are attacked, and honest ones, at most."""
_OWN = ("core", "kernels", "detectors", "targets", "guard/serving", "engine/layers")
_EACH = 4
"""Rows of one attacker."""
_BY_SCORES, _BY_LABELS = ("evasion.coordinate", "evasion.moeva"), ("evasion.hopskipjump",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to measure: attacks ((): those that suit what is told), the column that says what an attempt is worth ("":
    as the system says), layers in shadow that count as if they did not, limits, what a request refused and one that a
    person looks at cost (None: nobody has said), effort and seed.
    """

    attacks: tuple[str, ...] = ()
    worth: str = ""
    as_if: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    refused: float | None = None
    asked: float | None = None
    suite: str = "standard"
    seed: int = 0


def depth_of(
    system: Protected, order: Order, store: Store, now: float, listener: Listener = silent, *, fresh: bool = False
) -> Depth:
    """The defence of this system, measured, or answered from the store where nothing has changed since."""
    if not Path(system.source).is_file():
        raise TemperError("layers are those of a temper.yaml, and this system has none", fix="write one: temper init")
    key = _key(system, order)
    kept = None if fresh else store.task(key)
    if kept is not None:
        listener(Event(kind="note", message="answered from the store: nothing has changed since"))
        return unwrap(FORMAT, Depth, kept[0])
    found = replace(_measured(system, order, listener), at=now)
    store.save_task(key, TASK, wrap(FORMAT, found))
    return found


def _measured(system: Protected, order: Order, listener: Listener) -> Depth:
    serving = serving_of(read(Path(system.source)), Path(system.source).absolute().parent)
    panel = Panel.of(system, serving, order.as_if)
    attackers, quiet = _attackers(panel, order), honest_rows(panel, order)
    listener(Event(kind="note", message=f"{len(attackers.scene.x)} rows attacked, layers: {', '.join(panel.names)}"))
    fixed = attackers.fixed()
    many = honest(panel, quiet, first=int(attackers.actor.max()) + 1)
    times = seconds(panel, quiet)
    terms = Terms(limits=order.limits, prices=prices(panel, order, fixed), seconds=times, seed=order.seed)

    def told(done: int, total: int) -> None:
        listener(Event(kind="progress", task="layers", room="layers", done=done, total=total, share=done / total))

    found = weighed(fixed.beside(many), attackers.known, terms, told)
    unit = system.schema.names[attackers.stake] if attackers.stake is not None else "attempts"
    return replace(
        found,
        system=system.name,
        layers=tuple(replace(one, crashed=panel.crashed[one.name]) for one in found.layers),
        queries=attackers.queries,
        attacks=tuple(name for name, _ in attackers.attacks),
        as_if=order.as_if,
        unit=unit,
        guard=system.stakes.guard,
        model=system.target.digest,
        seed=order.seed,
        simulated=system.simulated,
        notes=tuple(_notes(panel, order, attackers)),
    )


def _attackers(panel: Panel, order: Order) -> Attackers:
    """Rows of what the system looks for, dealt to actors as they stand beside each other in the table, so that what
    came together is one actor's.
    """
    system, most = panel.system, EFFORTS[order.suite][0]
    rows = np.flatnonzero(np.asarray(system.data.y) == 1)
    if len(rows) < 2 * _EACH:
        raise TemperError(f"there are {len(rows)} rows of class {system.positive}", fix="give more rows to attack")
    rows = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
    return Attackers(
        panel=panel,
        attacks=attacks_of(order.attacks or _suited(system)),
        scene=Scene(
            x=system.data.x[rows],
            y=np.ones(len(rows), dtype=np.int64),
            ids=system.data.ids[rows],
            schema=system.schema,
            budget=_budget(system),
            kind=system.target.kind,
            classes=2,
            threshold=panel.threshold,
            mode="first",
        ),
        actor=np.arange(len(rows)) // _EACH,
        stake=stake(system, order.worth),
        seed=order.seed,
    )


def _suited(system: Protected) -> tuple[str, ...]:
    """Attacks that need no more than what a client is told."""
    return _BY_SCORES if system.exposure.returns == "score" else _BY_LABELS


def _budget(system: Protected) -> Budget:
    """What the first actor who writes inputs may spend on a row."""
    usual = Actor(name="somebody", cost=1.0)
    actor = next((one for one in system.actors if "input" in one.writes), usual)
    if actor.cost is not None:
        return Budget(queries=actor.queries, norm="cost", radius=actor.cost)
    return Budget(queries=actor.queries, norm=actor.norm, radius=actor.radius)


def stake(system: Protected, named: str) -> int | None:
    """The column that says what an attempt is worth."""
    amount = system.cost.amount_column if system.cost is not None else ""
    amount = named or amount or (system.events.amount if system.events is not None else "")
    if named and named not in system.schema.names:
        raise TemperError(f"there is no column {named!r}", fix=f"there are {', '.join(system.schema.names)}")
    return system.schema.index(amount) if amount in system.schema.names else None


def honest_rows(panel: Panel, order: Order) -> Rows:
    """Rows of people who mean no harm, from all over the table."""
    rows = np.flatnonzero(np.asarray(panel.system.data.y) == 0)
    most = min(EFFORTS[order.suite][1], len(rows))
    return np.asarray(panel.system.data.x[rows[np.linspace(0, len(rows) - 1, most).astype(int)]])


def prices(panel: Panel, order: Order, fixed: Attempts) -> Prices | None:
    """What somebody has said that things cost."""
    cost = panel.system.cost
    refused = order.refused if order.refused is not None else (cost.false_positive if cost is not None else None)
    if refused is None and order.asked is None:
        return None
    loss = cost.false_negative if cost is not None and not cost.amount_column else 1.0
    share = float((np.asarray(panel.system.data.y) == 1).mean())
    worth = float(fixed.worth.mean()) * loss
    return Prices(refused=refused or 0.0, asked=order.asked or 0.0, loss=worth, attacks=share)


def _notes(panel: Panel, order: Order, attackers: Attackers) -> list[str]:
    """What the figures do not show."""
    remembers = [name for name in panel.names if name in OF_A_CLIENT]
    shadow = [name for name, mode, _ in panel.serving.stages if mode.value == "shadow" and name not in order.as_if]
    told = [f"{', '.join(shadow)} only looks on (shadow) and is no layer"] if shadow else []
    told += [f"{', '.join(order.as_if)} counts here as if it acted"] if order.as_if else []
    told += [
        f"{name} failed on {many} requests, which count as stopped" for name, many in panel.crashed.items() if many
    ]
    return [
        *told,
        "people are taken to recognise every case that they are handed: how many they do is in no figure",
        "what works against the bare model may have been found elsewhere: whoever knows the guard is taken to have it",
        f"rows are dealt to {len(np.unique(attackers.actor))} actors as they stand in the table: nobody knows who was "
        "behind them",
        *([f"each actor has one key: what {', '.join(remembers)} see of several is in no figure"] if remembers else []),
        "breaker, limiter, known rows and fallback act by the moment: drills measure them",
    ]


def _key(system: Protected, order: Order) -> str:
    """Everything it depends on."""
    rows = (data_digest(system.data), data_digest(system.train), schema_digest(system))
    actors = [str(asdict(one)) for one in system.actors]
    said = (system.target.digest, system.stakes.guard, repr(system.threshold), repr(system.cost), actors, repr(order))
    return digest_of(TASK, rows, said, attacks_digest(), folders_digest(*_OWN), library_versions())
