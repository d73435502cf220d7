"""`temper layers`: a guarded table model attacked from outside, every layer asked, and what that comes to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.document import Section
from temper.config.reading import read
from temper.config.serving import Serving, serving_of
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.depth import Depth, Desk, Limits, Share, Spread
from temper.core.errors import TemperError
from temper.core.event import Event, Listener, silent
from temper.core.layers import Attempts
from temper.core.system import Protected
from temper.core.threat import Actor
from temper.engine.identity import data_digest, digest_of, folders_digest, library_versions, schema_digest
from temper.engine.layers.attempting import Attackers, attacks_of
from temper.engine.layers.choose import Prices
from temper.engine.layers.desk import agreement_of, desk_of
from temper.engine.layers.games import share, through
from temper.engine.layers.honest import honest, seconds
from temper.engine.layers.panel import OF_A_CLIENT, Panel
from temper.engine.layers.stored import Kept, kept, replayed
from temper.engine.layers.weigh import Terms, weighed
from temper.store.attacks import attacks_digest
from temper.store.codec import unwrap, wrap
from temper.store.control.agreement import Agreement
from temper.store.database import Store
from temper.store.depths import FORMAT, TASK

Rows = np.ndarray[Any, Any]
EFFORTS = {"quick": (40, 500), "standard": (120, 2_000), "deep": (400, 10_000)}
"""Rows that are attacked, and honest ones, at most."""
_OWN = ("core", "kernels", "detectors", "targets", "guard/serving", "store/control", "engine/layers")
_EACH = 4
"""Rows of one attacker."""
_BY_SCORES, _BY_LABELS = ("evasion.coordinate", "evasion.moeva"), ("evasion.hopskipjump",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to measure: attacks ((): those that suit what is told), the column that says what an attempt is worth ("":
    as the system says), layers in shadow that count as if they did not, limits, what a request refused and one that a
    person looks at cost (None: nobody has said), how many accounts an attacker holds ((): one, and as many as the
    attacker of `campaign:` has; the most of them attack every set), a stored run whose rows are sent, effort and seed.
    """

    attacks: tuple[str, ...] = ()
    worth: str = ""
    as_if: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    refused: float | None = None
    asked: float | None = None
    accounts: tuple[int, ...] = ()
    run: str = ""
    suite: str = "standard"
    seed: int = 0


def depth_of(
    system: Protected, order: Order, store: Store, now: float, listener: Listener = silent, *, fresh: bool = False
) -> Depth:
    """The defence of this system, measured, or answered from the store where nothing has changed since."""
    if not Path(system.source).is_file():
        raise TemperError("layers are those of a temper.yaml, and this system has none", fix="write one: temper init")
    if any(one < 1 for one in order.accounts):
        raise TemperError("an attacker without an account asks nothing", fix="give --accounts 1 or more")
    document = read(Path(system.source))
    serving = serving_of(document, Path(system.source).absolute().parent)
    order = replace(order, accounts=tuple(sorted({*(order.accounts or _written(document))})))
    people = agreement_of(serving, listener)
    run, rows = kept(system, store, order.run) if order.run else ("", ())
    order = replace(order, run=run)
    key = _key(system, order, people)
    known = None if fresh else store.task(key)
    if known is not None:
        listener(Event(kind="note", message="answered from the store: nothing has changed since"))
        return unwrap(FORMAT, Depth, known[0])
    panel = Panel.of(system, serving, order.as_if)
    found = replace(_measured(panel, order, rows, people, listener), at=now)
    store.save_task(key, TASK, wrap(FORMAT, found))
    return found


def _measured(
    panel: Panel, order: Order, rows: tuple[Kept, ...], people: Agreement | None, listener: Listener
) -> Depth:
    system, quiet = panel.system, honest_rows(panel, order)
    many, desk = judged(honest(panel, quiet), panel.serving, people)
    attackers = _attackers(panel, order, desk)
    holds = order.accounts if set(panel.names) & set(OF_A_CLIENT) else (1,)
    most = attackers.holding(holds[-1])
    listener(Event(kind="note", message=f"{len(most.scene.x)} rows attacked, layers: {', '.join(most.layers)}"))
    fixed = most.fixed()
    times = seconds(panel, quiet)
    terms = Terms(limits=order.limits, prices=prices(panel, order, fixed), seconds=times, desk=desk, seed=order.seed)

    def told(done: int, total: int) -> None:
        listener(Event(kind="progress", task="layers", room="layers", done=done, total=total, share=done / total))

    many = replace(many, actor=many.actor + int(attackers.actor.max()) + 1)
    found = weighed(fixed.beside(many), most.known, terms, told)
    fewer = [attackers.holding(one) for one in holds[:-1]]
    spread = [Spread(accounts=one.accounts, through=_whole(one, order.limits)) for one in fewer]
    unit = system.schema.names[attackers.stake] if attackers.stake is not None else "attempts"
    return replace(
        found,
        system=system.name,
        layers=tuple(replace(one, crashed=panel.crashed[one.name]) for one in found.layers),
        queries=attackers.queries + sum(one.queries for one in (most, *fewer)),
        attacks=tuple(name for name, _ in attackers.attacks),
        as_if=order.as_if,
        unit=unit,
        guard=system.stakes.guard,
        model=system.target.digest,
        seed=order.seed,
        simulated=system.simulated,
        spread=(*spread, Spread(accounts=holds[-1], through=found.residual)) if spread else (),
        run=order.run,
        replayed=tuple(replayed(most, rows, order.limits.confidence)),
        notes=tuple(_notes(panel, order, most, desk)),
    )


def _written(document: Section) -> tuple[int, ...]:
    """One account, and as many as the attacker of a campaign is written to hold."""
    named = document.section("campaign").section("attacker").texts("accounts")
    return (1, len(named)) if len(named) > 1 else (1,)


def judged(many: Attempts, serving: Serving, people: Agreement | None) -> tuple[Attempts, Desk | None]:
    """Honest requests as people judge those that are handed to them, and who these people are."""
    if many.looked is None:
        return many, None
    desk = desk_of(serving, people, float(many.met(many.layers)[1].mean()))
    return replace(many, looked=np.full(len(many.worth), desk.refuses)), desk


def _whole(attackers: Attackers, limits: Limits) -> Share:
    """What gets through all layers by these attackers."""
    fixed, anew = attackers.fixed(), attackers.known(frozenset(attackers.layers))
    actors = np.unique(fixed.actor[fixed.worth > 0])
    return share(np.maximum(*(through(one, one.layers, actors) for one in (fixed, anew))), limits.confidence)


def _attackers(panel: Panel, order: Order, desk: Desk | None) -> Attackers:
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
        missed=0.0 if desk is None else desk.through(desk.misses.value),
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


def _notes(panel: Panel, order: Order, attackers: Attackers, desk: Desk | None) -> list[str]:
    """What the figures do not show."""
    remembers = [name for name in panel.names if name in OF_A_CLIENT]
    shadow = [name for name, mode, _ in panel.serving.stages if mode.value == "shadow" and name not in order.as_if]
    told = [f"{', '.join(shadow)} only looks on (shadow) and is no layer"] if shadow else []
    told += [f"{', '.join(order.as_if)} counts here as if it acted"] if order.as_if else []
    told += [
        f"{name} failed on {many} requests, which count as stopped" for name, many in panel.crashed.items() if many
    ]
    one_key = f"each actor has one account: what {', '.join(remembers)} see of several is in no figure (--accounts)"
    return [
        *told,
        *([] if desk is None else unsaid(desk)),
        "what works against the bare model may have been found elsewhere: whoever knows the guard is taken to have it",
        f"rows are dealt to {len(np.unique(attackers.actor))} actors as they stand in the table: nobody knows who was "
        "behind them",
        *([one_key] if remembers and attackers.accounts == 1 else []),
        "breaker, limiter, known rows and fallback act by the moment: drills measure them",
    ]


def unsaid(desk: Desk) -> Iterator[str]:
    """What nobody knows of people."""
    what = ("let no attack pass that they look at", "refuse no honest request that they look at", "look at every case")
    if taken := [one for one, said in zip(what, desk.said, strict=True) if said == "assumed"]:
        yield (
            f"people are assumed to {', to '.join(taken)}: plant cases (temper reviews plant), or write what is known "
            "under guard: people:"
        )
    yield "a case that is sent again has the same answer: who tries people until one errs is in no figure"


def _key(system: Protected, order: Order, people: Agreement | None) -> str:
    """Everything it depends on."""
    rows = (data_digest(system.data), data_digest(system.train), schema_digest(system))
    actors = [str(asdict(one)) for one in system.actors]
    told = (system.name, repr(system.exposure), "" if system.events is None else system.events.amount)
    said = (system.target.digest, system.stakes.guard, repr(system.threshold), repr(system.cost), actors, repr(order))
    judged = "" if people is None else repr((people.missed, people.wronged, people.lapsed))
    return digest_of(TASK, rows, said, told, judged, attacks_digest(), folders_digest(*_OWN), library_versions())
