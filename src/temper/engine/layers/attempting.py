"""Attempts at a guarded table model: found against the bare model and replayed, or made anew by who knows the guard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.layers import PEOPLE, Attempts
from temper.core.room import Room
from temper.core.stage import Level
from temper.engine.layers.client import Client, laid, layers_of
from temper.engine.layers.panel import OF_A_CLIENT, PACE, QUOTA, Panel
from temper.engine.layers.told import Told
from temper.engine.strike import strike
from temper.guard.serving.quota import Quota
from temper.targets._array import to_numpy

Rows = np.ndarray[Any, Any]
BROKEN = "broken"
_HANDED = 1e-9
"""By how much a request that people stop for certain is nearer than one that is refused."""


@dataclass(slots=True, kw_only=True, eq=False)
class Attackers:
    """Who tries the rows of `scene` with these attacks (name, plugin): `actor` (n,) says whose row each is, and rows of
    one actor come with so many `accounts`, to which he deals his requests in turn. `stake` (columns of the schema by
    position) is what a success is worth, None where each counts alike. People let `missed` of what they are handed
    pass. `queries` counts what has been asked since.
    """

    panel: Panel
    attacks: tuple[tuple[str, Any], ...]
    scene: Scene
    actor: Rows
    stake: int | None = None
    seed: int = 0
    accounts: int = 1
    missed: float = 0.0
    queries: int = 0
    _bare: list[Rows] = field(default_factory=list, init=False, repr=False)
    _tried: list[tuple[frozenset[str], frozenset[str], Attempts]] = field(default_factory=list, init=False, repr=False)

    def holding(self, accounts: int) -> Attackers:
        """The same actors with so many accounts each; what they found against the bare model they know."""
        other = replace(self, accounts=accounts, queries=0)
        other._bare = self._found()
        return other

    @property
    def layers(self) -> tuple[str, ...]:
        """What stands before them."""
        return layers_of(self.panel)

    @property
    def spare(self) -> int:
        """Queries that are kept back to send what was found: one for each attack against the guard and one for each
        that aimed at the bare model, and one for the row as it was.
        """
        return 2 * len(self.attacks) + 1

    def fixed(self) -> Attempts:
        """What the attacks find against the bare model, sent to every layer. A row on which nothing was found is sent
        as it is.
        """
        sent, best = self._found(), np.array(self.scene.x)
        for rows in reversed(sent):
            best = np.where(np.isnan(rows).all(axis=1, keepdims=True), best, rows)
        return self._answered(best, self.actor, adaptive=False)

    def sent(self, rows: Rows, actor: Rows) -> Attempts:
        """These rows as they are, sent by these actors to every layer."""
        return self._answered(rows, actor, adaptive=False)

    def known(self, standing: frozenset[str]) -> Attempts:
        """The same attacks against these layers, each query answered as a client is answered; then everything found,
        here or against the bare model, is sent until something gets through. Layers that do not stand say nothing.

        Of layers that never objected it cannot matter whether they stood there, so nothing is tried twice.
        """
        for stood, spoke, attempts in self._tried:
            if spoke <= standing <= stood:
                return attempts
        heard = set[str]()
        best, levels = np.array(self.scene.x), self._none(len(self.actor))
        for rows, client in self._clients(self.actor, standing):
            best[rows], levels[rows] = self._sent(rows, client)
            heard |= client.objected
            self.queries += client.asked
        attempts = self._attempts(best, self.actor, levels, adaptive=True)
        self._tried.append((standing, frozenset(heard), attempts))
        return attempts

    def _sent(self, rows: Rows, client: Client) -> tuple[Rows, Rows]:
        """What each of these rows ends as before one client's layers, and what they say of that. He searches, waits
        for a day, and sends what he has until something gets through for certain; what counts is what got furthest, and
        of what is stopped what is handed to people, who may err more than is known of them.
        """
        candidates = [self._searched(plugin, name, rows, client) for name, plugin in self.attacks]
        candidates += [found[rows] for found in self._found()]
        best, left = np.array(self.scene.x[rows]), np.arange(len(rows))
        levels, furthest = self._none(len(rows)), np.zeros(len(rows))
        client.rest()
        for found in (*candidates, best.copy()):
            tried = left[~np.isnan(found[left]).all(axis=1)]
            if not len(tried):
                continue
            heard = client.ask(found[tried]).levels
            sent = self._attempts(found[tried], tried, heard, adaptive=True)
            far = sent.passed(client.standing) + _HANDED * sent.met(client.standing)[1]
            further = tried[far >= furthest[tried]]
            best[further], levels[further] = found[further], heard[far >= furthest[tried]]
            furthest[tried] = np.maximum(furthest[tried], far)
            left = left[furthest[left] < 1.0]
        return best, levels

    def _searched(self, plugin: Any, name: str, rows: Rows, client: Client) -> Rows:
        """What one attack finds through this client; rows on which it found nothing are missing throughout."""
        scene = replace(self.scene, x=self.scene.x[rows], y=self.scene.y[rows], ids=self.scene.ids[rows])
        if scene.budget.queries is not None:
            left = max(scene.budget.queries - self.spare, 1)
            scene = replace(scene, budget=replace(scene.budget, queries=left))
        target = Told(inner=self.panel.system.target, session=client)
        return _broken(strike(plugin, target, replace(scene, mode="first"), self.seed, name))

    def _found(self) -> list[Rows]:
        """What each attack found against the bare model."""
        if not self._bare:
            scene = replace(self.scene, mode="first")
            for name, plugin in self.attacks:
                found = strike(plugin, self.panel.system.target, scene, self.seed, name)
                self.queries += int(found.queries.sum())
                self._bare.append(_broken(found))
        return self._bare

    def _clients(self, actor: Rows, standing: Any) -> Iterator[tuple[Rows, Client]]:
        """One client per actor where a layer remembers clients, else all of them as one."""
        idle = {QUOTA} if self._within_quota else set()
        names = [name for name in self.layers if name in standing and name not in idle]
        if not set(names) & set(OF_A_CLIENT):
            yield np.arange(len(actor)), Client(panel=self.panel, name="attackers", standing=names)
            return
        for one in np.unique(actor):
            client = Client(panel=self.panel, name=f"attacker {one}", standing=names, accounts=self.accounts)
            yield np.flatnonzero(actor == one), client

    @property
    def _within_quota(self) -> bool:
        """Whether no actor can ask so much that the quota would ever refuse him or let him wait: then it need not be
        asked, and all actors can search together.
        """
        of_one = int(np.bincount(self.actor).max()) * len(self.attacks)
        most = -(-of_one * ((self.scene.budget.queries or 0) + self.spare) // self.accounts)
        limits = self.panel.quota
        if limits is None or not self.scene.budget.queries:
            return limits is None
        quota = Quota(config=limits)
        return not any(quota.take("", PACE * (at + 1)) for at in range(most))

    def _none(self, many: int) -> Rows:
        return np.zeros((many, len(self.panel.names)), dtype=np.int8)

    def _answered(self, rows: Rows, actor: Rows, *, adaptive: bool) -> Attempts:
        levels = self._none(len(rows))
        for mine, client in self._clients(actor, self.layers):
            levels[mine] = client.ask(rows[mine]).levels
        return self._attempts(rows, actor, levels, adaptive=adaptive)

    def _attempts(self, rows: Rows, actor: Rows, levels: Rows, *, adaptive: bool) -> Attempts:
        worth = np.ones(len(rows)) if self.stake is None else np.maximum(np.nan_to_num(rows[:, self.stake]), 0.0)
        return Attempts(
            layers=self.layers,
            stops=laid(self.panel, levels >= Level.BLOCK),
            worth=worth,
            actor=actor,
            honest=np.zeros(len(rows), dtype=bool),
            adaptive=adaptive,
            asks=laid(self.panel, levels == Level.REVIEW),
            looked=np.full(len(rows), 1.0 - self.missed) if PEOPLE in self.layers else None,
        )


def attacks_of(names: Any) -> tuple[tuple[str, Any], ...]:
    """The plugins of these names."""
    room = Room("temper.attacks")
    return tuple((name, room.build(name, {})) for name in names)


def _broken(found: Any) -> Rows:
    """The rows that an attack broke, missing throughout where it did not."""
    rows = np.array(to_numpy(found.x_adv), dtype=np.float64)
    rows[found.verdicts != BROKEN] = np.nan
    return rows
