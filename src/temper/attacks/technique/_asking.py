"""How the techniques of a campaign ask, and what they make of what they are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper.core.campaign import Copy, Field, Reply
from temper.core.data import Array

Rows = np.ndarray[Any, Any]
_TURNED, _FEWEST = 3, 10
"""How often in a row somebody who is turned away comes again; how many answers make a copy."""


def sent(on: Field, x: Array, rows: Rows | None = None) -> Reply:
    """Ask about these rows, or submit them as the wanted `rows`; who is turned away comes again after the time that was
    named. What was never answered has level -1.
    """
    told = Reply(scores=np.full(len(x), np.nan), levels=np.full(len(x), -1), flagged=np.ones(len(x), dtype=bool))
    at, turned = 0, 0
    while at < len(x) and on.left > 0:
        reply = on.ask(x[at:]) if rows is None else on.submit(x[at:], rows[at:])
        there = np.flatnonzero(reply.answered)
        for name in ("scores", "levels", "flagged"):
            getattr(told, name)[at + there] = np.asarray(getattr(reply, name))[there]
        at += int(there.max(initial=-1)) + 1
        turned = 0 if len(there) else turned + 1
        if at == len(x) or (not len(there) and (turned > _TURNED or not reply.after)):
            break
        on.wait(reply.after)
    return told


def level(scores: Rows, flagged: Rows) -> float:
    """The score from which on rows are flagged, as far as these answers tell: where the fewest contradict it, in the
    middle between two of them. 0.5 where none is flagged or all are.

    >>> level(np.array([0.1, 0.2, 0.6, 0.9]), np.array([False, False, True, True]))
    0.4
    """
    told = ~np.isnan(scores)
    order = np.argsort(scores[told], kind="stable")
    s, stopped = scores[told][order], np.asarray(flagged)[told][order]
    if not stopped.any() or stopped.all():
        return 0.5
    wrong = np.concatenate([[0], np.cumsum(stopped)]) + np.concatenate([np.cumsum(~stopped[::-1])[::-1], [0]])
    at = int(wrong[1:-1].argmin()) + 1
    return float((s[at - 1] + s[at]) / 2)


@dataclass(slots=True, kw_only=True)
class Lessons:
    """All that a copy can be taught: rows, their scores, and how often each counts."""

    x: list[Array] = field(default_factory=list)
    scores: list[Rows] = field(default_factory=list)

    @classmethod
    def of(cls, on: Field) -> Lessons:
        """What was heard before."""
        x, scores = on.heard
        return cls(x=[x], scores=[scores]) if len(x) else cls()

    def learn(self, x: Array, reply: Reply, edge: float, times: int = 1) -> None:
        """Answers of now; a decision without a score is a score on that side of the threshold."""
        told = np.where(np.asarray(reply.flagged), (1.0 + edge) / 2.0, edge / 2.0)
        told = np.where(np.isnan(reply.scores), told, reply.scores)
        there = np.repeat(np.flatnonzero(reply.answered), times)
        self.x.append(x[there])
        self.scores.append(told[there])

    def copy(self, on: Field) -> Copy | None:
        """A copy of all of it, None while there is too little to learn from."""
        if sum(len(x) for x in self.x) < _FEWEST:
            return None
        return on.fit_copy(np.concatenate(self.x), np.concatenate(self.scores))
