"""A campaign's own attempts: every request that it made, put to every layer, and weighed by what each layer says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.config.reading import read
from temper.config.serving import serving_of
from temper.core.depth import Depth, Desk
from temper.core.errors import TemperError
from temper.core.event import Listener, silent
from temper.core.layers import PEOPLE, Attempts
from temper.core.run import Record
from temper.core.stage import Level
from temper.core.system import Protected
from temper.engine.campaign.kept import Sent, sent
from temper.engine.layers.client import laid, layers_of
from temper.engine.layers.desk import agreement_of
from temper.engine.layers.honest import honest, seconds
from temper.engine.layers.panel import Panel
from temper.engine.layers.run import Order, honest_rows, judged, prices, stake, unsaid
from temper.engine.layers.stored import of_system
from temper.engine.layers.weigh import FIXED, Terms, weighed
from temper.store.database import Store

Rows = np.ndarray[Any, Any]


def depth_of_campaign(
    system: Protected, order: Order, store: Store, run: str, now: float, listener: Listener = silent
) -> Depth:
    """The layers of this guard, weighed by what the campaigns of a run sent. It enters no register: the run does."""
    record, path = of_system(store.run(run), system), Path(system.source)
    if not path.is_file():
        raise TemperError("layers are those of a temper.yaml, and this system has none", fix="write one: temper init")
    if order.attacks or order.accounts or order.run:
        raise TemperError("a campaign has its own attacks and accounts", fix="leave out attacks, accounts and the run")
    panel = Panel.of(system, serving_of(read(path), path.absolute().parent), order.as_if)
    people = agreement_of(panel.serving, listener)
    campaigns = list(sent(store, record))
    heard = [_heard(panel, number, one) for number, one in enumerate(campaigns)]
    quiet = honest_rows(panel, order)
    many, desk = judged(honest(panel, quiet, first=len(campaigns)), panel.serving, people)
    found = attempts(panel, campaigns, heard, stake(system, order.worth), desk)
    times = seconds(panel, quiet)
    terms = Terms(limits=order.limits, prices=prices(panel, order, found), seconds=times, desk=desk, seed=order.seed)
    depth = weighed(found.beside(many), terms=terms)
    at, asked = stake(system, order.worth), sum(len(one.x) for one in campaigns)
    return replace(
        depth,
        system=system.name,
        flows=tuple(replace(one, name=_named(record) if one.name == FIXED else one.name) for one in depth.flows),
        queries=asked,
        attacks=tuple(dict.fromkeys(turn.technique for turn in record.campaign.acted)) if record.campaign else (),
        as_if=order.as_if,
        unit=system.schema.names[at] if at is not None else "attempts",
        guard=system.stakes.guard,
        model=system.target.digest,
        at=now,
        seed=order.seed,
        simulated=system.simulated,
        campaign=record.id,
        notes=(*_notes(system, record, campaigns, heard), *(() if desk is None else unsaid(desk))),
    )


def attempts(
    panel: Panel, campaigns: Sequence[Sent], heard: Sequence[Rows], at: int | None = None, desk: Desk | None = None
) -> Attempts:
    """The best attempt at each wanted row that anything was sent for: the one that got through, else the one that
    fewest layers stop, the last of these. What failed by itself, although no layer stops it, is none.
    """
    chosen = [_best(one, levels) for one, levels in zip(campaigns, heard, strict=True)]
    rows = np.concatenate([one.x[best] for one, best in zip(campaigns, chosen, strict=True)])
    levels = np.concatenate([one[best] for one, best in zip(heard, chosen, strict=True)])
    if not len(rows):
        raise TemperError("this campaign sent nothing that a layer could have stopped", fix="seek to move rows")
    layers = layers_of(panel)
    looks = 1.0 if desk is None else 1.0 - desk.through(desk.misses.value)
    return Attempts(
        layers=layers,
        stops=laid(panel, levels >= Level.BLOCK),
        worth=np.ones(len(rows)) if at is None else np.maximum(np.nan_to_num(rows[:, at]), 0.0),
        actor=np.repeat(np.arange(len(campaigns)), [len(best) for best in chosen]),
        honest=np.zeros(len(rows), dtype=bool),
        adaptive=True,
        asks=laid(panel, levels == Level.REVIEW),
        looked=np.full(len(rows), looks) if PEOPLE in layers else None,
    )


def _heard(panel: Panel, number: int, one: Sent) -> Rows:
    """What each layer says (n, layers) of each request, in the order and at the time in which each account sent its
    own. A layer is asked about what one before it has stopped, too.
    """
    levels = np.zeros((len(one.x), len(panel.names)), dtype=np.int8)
    for account in np.unique(one.account):
        mine = one.account == account
        levels[mine] = panel.session(f"campaign {number}, account {account}").ask(one.x[mine], one.at[mine]).levels
    return levels


def _best(one: Sent, levels: Rows) -> Rows:
    """Positions of the best attempts."""
    many = (levels >= Level.REVIEW).sum(axis=1)
    counts = np.where(one.passed, -1, many)
    tried = np.flatnonzero((one.of >= 0) & (one.passed | (many > 0)))
    order = tried[np.lexsort((-tried, counts[tried], one.of[tried]))]
    return order[np.unique(one.of[order], return_index=True)[1]]


def _named(record: Record) -> str:
    return f"attempts of campaign {record.id}"


def _notes(system: Protected, record: Record, campaigns: Sequence[Sent], heard: Sequence[Rows]) -> list[str]:
    """What the figures do not show, and how far the layers say now what the campaign was told."""
    said = np.concatenate([(levels >= Level.REVIEW).any(axis=1) for levels in heard])
    was = np.concatenate([one.stopped for one in campaigns])
    digests = dict(record.digests)
    other = [
        name
        for name, now in (("guard", system.stakes.guard), ("model", system.target.digest))
        if digests.get(name, "") != now
    ]
    return [
        f"asked anew, the layers decide {int((said == was).sum()):,} of {len(was):,} requests as the campaign was told",
        *([f"it was waged against another {' and another '.join(other)} than stand there now"] if other else []),
        "each campaign is one actor, with all of its accounts; each wanted row counts by the best attempt at it",
        "who sent this had heard the guard's answers, and began anew for no set of layers: `temper layers` does that",
        "breaker, limiter, known rows and fallback act by the moment: drills measure them",
    ]
