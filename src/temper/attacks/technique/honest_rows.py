"""Reconnaissance by honest rows: what an endpoint tells, and where it stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from temper.core.campaign import Aim, Field, Reply, Tactic
from temper.core.data import Array
from temper.core.seed import Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class HonestRows:
    """Ask about rows as they are, and learn whether scores are told, how fast one may ask, and from which score on rows
    are stopped: midway between the highest that passed and the lowest that did not.

    Misleads where a guard stops rows whose score is low: they would push the guess down, so the guess is the edge that
    puts the fewest answers on the wrong side. Where nothing was stopped, or everything, there is no guess.
    Source: MITRE ATLAS, AML.T0063 (discover AI model outputs), AML.T0014 (discover AI model family).

    >>> HonestRows(rows=40)
    HonestRows(rows=40)
    """

    tactic: ClassVar[Tactic] = Tactic.RECONNAISSANCE
    aims: ClassVar[tuple[Aim, ...]] = (Aim.MOVE, Aim.STEAL)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("threshold", "quiet")
    references: ClassVar[tuple[str, ...]] = ("atlas:AML.T0063", "atlas:AML.T0014")
    rows: int = 60

    def play(self, field: Field, rng: Draws) -> None:
        """A mix of rows that the attacker holds and those it wants to pass, each asked once over all turns."""
        if "threshold" in field.kept and "quiet" in field.kept:
            return
        held = np.concatenate([field.wanted.x, field.known.x])
        order = rng.generator().permutation(len(held))[: min(self.rows, field.left)]
        began, seen = field.clock, len(field.heard[1])
        reply = field.ask(held[order])
        if not reply.answered.any():
            return
        asked = int(reply.answered.sum())
        field.kept["quiet"] = max((field.clock - began) / asked, 0.0)
        tells = len(field.heard[1]) > seen
        field.say(f"{asked} honest rows answered, with {'scores' if tells else 'decisions alone'}")
        guess = _edge(reply)
        if guess is not None:
            field.kept["threshold"] = guess
            field.say(f"rows seem to be stopped from a score of {guess:.3f}")


def _edge(reply: Reply) -> float | None:
    """Where a score stops a row; without scores a decision is its own score, and stops from one half."""
    told, flagged = reply.answered & np.isfinite(reply.scores), reply.flagged[reply.answered]
    if not told.any():
        return 0.5 if flagged.any() and not flagged.all() else None
    scores, stopped = reply.scores[told], reply.flagged[told]
    if stopped.all() or not stopped.any():
        return None
    edges = np.unique(scores)
    between: Array = (edges[1:] + edges[:-1]) / 2.0
    wrong = [int(((scores >= edge) != stopped).sum()) for edge in between]
    return float(between[int(np.argmin(wrong))]) if len(between) else None


PLUGIN = HonestRows
