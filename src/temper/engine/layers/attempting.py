"""Attempts at a guarded table model: found against the bare model and replayed, or made anew by who knows the guard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.layers import Attempts
from temper.core.room import Room
from temper.engine.layers.panel import OF_A_CLIENT, PACE, QUOTA, Panel, Session
from temper.engine.layers.told import Told
from temper.engine.strike import strike
from temper.guard.serving.quota import Quota
from temper.targets._array import to_numpy

Rows = np.ndarray[Any, Any]
BROKEN = "broken"


@dataclass(slots=True, kw_only=True, eq=False)
class Attackers:
    """Who tries the rows of `scene` with these attacks (name, plugin): `actor` (n,) says whose row each is, and rows of
    one actor come with one key. `stake` (columns of the schema by position) is what a success is worth, None where each
    counts alike. `queries` counts what has been asked since.
    """

    panel: Panel
    attacks: tuple[tuple[str, Any], ...]
    scene: Scene
    actor: Rows
    stake: int | None = None
    seed: int = 0
    queries: int = 0
    _bare: list[Rows] = field(default_factory=list, init=False, repr=False)
    _tried: list[tuple[frozenset[str], frozenset[str], Attempts]] = field(default_factory=list, init=False, repr=False)

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
        levels = [(rows, session.ask(best[rows])) for rows, session in self._sessions(self.panel.names)]
        stops, asks = (self._laid([(rows, getattr(one, name)) for rows, one in levels]) for name in ("stops", "asks"))
        return self._attempts(best, stops, asks, adaptive=False)

    def known(self, standing: frozenset[str]) -> Attempts:
        """The same attacks against these layers, each query answered as a client is answered; then everything found,
        here or against the bare model, is sent until something gets through. Layers that do not stand say nothing.

        Of layers that never objected it cannot matter whether they stood there, so nothing is tried twice.
        """
        for stood, spoke, attempts in self._tried:
            if spoke <= standing <= stood:
                return attempts
        heard = set[str]()
        best, stops, asks = np.array(self.scene.x), self._none(), self._none()
        for rows, session in self._sessions(standing):
            best[rows], stops[rows], asks[rows] = self._sent(rows, session)
            heard |= session.objected
            self.queries += session.asked
        attempts = self._attempts(best, stops, asks, adaptive=True)
        self._tried.append((standing, frozenset(heard), attempts))
        return attempts

    def _sent(self, rows: Rows, session: Session) -> tuple[Rows, Rows, Rows]:
        """What each of these rows ends as before one client's layers, and what they say of that. He searches, waits
        for a day, and sends what he has.
        """
        candidates = [self._searched(plugin, name, rows, session) for name, plugin in self.attacks]
        candidates += [found[rows] for found in self._found()]
        best, left = np.array(self.scene.x[rows]), np.arange(len(rows))
        width = len(self.panel.names)
        stops, asks = np.zeros((len(rows), width), dtype=bool), np.zeros((len(rows), width), dtype=bool)
        session.rest()
        for found in (*candidates, best.copy()):
            tried = left[~np.isnan(found[left]).all(axis=1)]
            if not len(tried):
                continue
            heard = session.ask(found[tried])
            best[tried], stops[tried], asks[tried] = found[tried], heard.stops, heard.asks
            left = np.setdiff1d(left, tried[~heard.stops.any(axis=1)])
        return best, stops, asks

    def _searched(self, plugin: Any, name: str, rows: Rows, session: Session) -> Rows:
        """What one attack finds through this client; rows on which it found nothing are missing throughout."""
        scene = replace(self.scene, x=self.scene.x[rows], y=self.scene.y[rows], ids=self.scene.ids[rows])
        if scene.budget.queries is not None:
            left = max(scene.budget.queries - self.spare, 1)
            scene = replace(scene, budget=replace(scene.budget, queries=left))
        target = Told(inner=self.panel.system.target, session=session)
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

    def _sessions(self, standing: Any) -> Iterator[tuple[Rows, Session]]:
        """One client per actor where a layer remembers clients, else all of them as one."""
        idle = {QUOTA} if self._within_quota else set()
        names = tuple(name for name in self.panel.names if name in standing and name not in idle)
        if not set(names) & set(OF_A_CLIENT):
            yield np.arange(len(self.actor)), self.panel.session("attackers", names)
            return
        for one in np.unique(self.actor):
            yield np.flatnonzero(self.actor == one), self.panel.session(f"attacker {one}", names)

    @property
    def _within_quota(self) -> bool:
        """Whether no actor can ask so much that the quota would ever refuse him or let him wait: then it need not be
        asked, and all actors can search together.
        """
        of_one = int(np.bincount(self.actor).max())
        most = of_one * len(self.attacks) * ((self.scene.budget.queries or 0) + self.spare)
        limits = self.panel.quota
        if limits is None or not self.scene.budget.queries:
            return limits is None
        quota = Quota(config=limits)
        return not any(quota.take("", PACE * (at + 1)) for at in range(most))

    def _none(self) -> Rows:
        return np.zeros((len(self.actor), len(self.panel.names)), dtype=bool)

    def _laid(self, pieces: list[tuple[Rows, Rows]]) -> Rows:
        found = self._none()
        for rows, values in pieces:
            found[rows] = values
        return found

    def _attempts(self, rows: Rows, stops: Rows, asks: Rows, *, adaptive: bool) -> Attempts:
        worth = np.ones(len(rows)) if self.stake is None else np.maximum(np.nan_to_num(rows[:, self.stake]), 0.0)
        return Attempts(
            layers=self.panel.names,
            stops=stops,
            worth=worth,
            actor=self.actor,
            honest=np.zeros(len(rows), dtype=bool),
            adaptive=adaptive,
            asks=asks,
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
