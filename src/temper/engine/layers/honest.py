"""Honest requests through the same layers: who is refused, who waits for a person, and how long each layer takes."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import numpy as np

from temper.core.layers import MODEL, PEOPLE, Attempts
from temper.core.serving import Scoring
from temper.core.stage import Level
from temper.engine.layers.client import laid, layers_of
from temper.engine.layers.panel import OF_A_CLIENT, Panel

Rows = np.ndarray[Any, Any]
OF_ONE = 50
"""Requests of one honest client."""
_TIMED = 200


def honest(panel: Panel, rows: Rows, first: int = 0) -> Attempts:
    """These rows (n, columns) as requests of clients who mean no harm; their actors are numbered from `first`. A layer
    that hands one to a person delays it, and does not stop it: where people err is for others to say (`looked`).
    """
    client = np.arange(len(rows)) // OF_ONE
    if set(panel.names) & set(OF_A_CLIENT):
        each = [panel.session(f"client {one}").ask(rows[client == one]).levels for one in np.unique(client)]
        levels = np.concatenate(each)
    else:
        levels = panel.session("clients").ask(rows).levels
    layers = layers_of(panel)
    return Attempts(
        layers=layers,
        stops=laid(panel, levels >= Level.BLOCK),
        worth=np.ones(len(rows)),
        actor=first + client,
        honest=np.ones(len(rows), dtype=bool),
        asks=laid(panel, levels == Level.REVIEW),
        looked=np.zeros(len(rows)) if PEOPLE in layers else None,
    )


def seconds(panel: Panel, rows: Rows) -> dict[str, float]:
    """The median time of one request of one row, for each layer that takes any: measured here and now, so it is of this
    machine and of nothing else.
    """
    found, some = dict.fromkeys(panel.names, 0.0), np.ascontiguousarray(rows[:_TIMED], dtype=np.float64)
    scores = panel.model.score(some)
    for name, stage in panel.session("clock").stages.items():
        found[name] = _median(lambda at, stage=stage: stage.check(_request(some, scores, at)), len(some))
    found[MODEL] = _median(lambda at: panel.model.score(some[at : at + 1]), len(some))
    return found


def _request(rows: Rows, scores: Rows, at: int) -> Scoring:
    one = Scoring(rows=rows[at : at + 1], client="clock", request="", at=float(at), deadline=at + 1.0)
    one.scores = scores[at : at + 1]
    return one


def _median(call: Any, many: int) -> float:
    taken = []
    for at in range(many):
        began = time.perf_counter()
        with suppress(Exception):  # a layer that fails is counted where it is asked; here only its time matters
            call(at)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))
