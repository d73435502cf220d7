"""Whoever asks a guarded model: by one account or several, with people at the desk or without."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from temper.core.layers import MODEL, PEOPLE
from temper.core.stage import Level
from temper.engine.layers.panel import QUOTA, SCHEMA, Heard, Panel

Rows = np.ndarray[Any, Any]


class Client:
    """Requests of one row each, dealt in turn to so many accounts, each of which the layers know by itself. What they
    hand on goes through as it is where no people stand (`standing`, all layers unless told otherwise).
    """

    def __init__(self, *, panel: Panel, name: str, standing: Collection[str] | None = None, accounts: int = 1) -> None:
        self.panel, self.standing = panel, frozenset(layers_of(panel) if standing is None else standing)
        self.objected = set[str]()
        own = [one for one in panel.names if one in self.standing]
        names = [name, *(f"{name} by account {at}" for at in range(2, accounts + 1))]
        self._sessions = [panel.session(one, own) for one in names]
        self._turn = 0

    @property
    def asked(self) -> int:
        """How many requests there were."""
        return sum(one.asked for one in self._sessions)

    def ask(self, rows: Rows) -> Heard:
        """What every standing layer of the panel says of each row."""
        turns = (self._turn + np.arange(len(rows))) % len(self._sessions)
        self._turn += len(rows)
        levels, scores = np.zeros((len(rows), len(self.panel.names)), dtype=np.int8), np.zeros(len(rows))
        for at, session in enumerate(self._sessions):
            if (mine := turns == at).any():
                heard = session.ask(rows[mine])
                levels[mine], scores[mine] = heard.levels, heard.scores
        if PEOPLE not in self.standing:
            levels[levels == Level.REVIEW] = Level.ALLOW
        self.objected |= {self.panel.names[at] for at in np.flatnonzero(levels.any(axis=0))}
        self.objected |= {PEOPLE} if (levels == Level.REVIEW).any() else set()
        return Heard(levels=levels, scores=scores)

    def rest(self) -> None:
        """Ask nothing for as long as anybody waits."""
        for session in self._sessions:
            session.rest()


def layers_of(panel: Panel) -> tuple[str, ...]:
    """The layers that are weighed: those of the panel and, where one of them may hand a request on, people before the
    model, which is not asked about what they were.
    """
    if not set(panel.names) - {SCHEMA, QUOTA, MODEL}:
        return panel.names
    return (*(one for one in panel.names if one != MODEL), PEOPLE, MODEL)


def laid(panel: Panel, answers: Rows) -> Rows:
    """Answers (n, layers of the panel) as answers of all layers that are weighed: people stop nothing by themselves."""
    layers = layers_of(panel)
    return np.insert(answers, layers.index(PEOPLE), 0, axis=1) if PEOPLE in layers else answers
