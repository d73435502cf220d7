"""The fraudster, SIMULATED in whom he is and not in what he does: a real attack on the guarded model, over the wire."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from temper import api
from temper.core.budget import Budget
from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.core.system import Protected
from temper.traffic.messages import body

Array = np.ndarray[Any, Any]
ATTACK = "evasion.coordinate"
RADIUS = 3.0
"""What he gives up at most, in the demo's own unit: a scale of a column each (three times 20 of loot, say)."""
_ROWS, _PATIENCE, _TRIES = 100, 60.0, 20
_BUSY = (429, 503, 504)


@dataclass(slots=True, kw_only=True, eq=False)
class Fraudster:
    """Asks the gateway with a stolen key, and is told scores; `asked` rows so far."""

    schema: Schema
    url: str
    key: str
    asked: int = field(default=0, init=False)

    def scores(self, x: Array) -> Array:
        """Scores (n, 2), as the gateway tells them."""
        parts = [self._scores(x[at : at + _ROWS]) for at in range(0, len(x), _ROWS)]
        found = np.concatenate([np.zeros(0), *parts])
        return np.column_stack([1.0 - found, found])

    def _scores(self, x: Array) -> Array:
        rows = b",".join(body(self.schema.columns, row) for row in x)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url, data=b'{"rows":[' + rows + b"]}", headers=headers)
        told = _told(request)
        self.asked += len(x)
        if told["source"] != "primary":
            raise TemperError(f"the gateway answered the attacker by {told['source']}", fix="look into gateway.log")
        return np.array([one["score"] for one in told["results"]])


def _told(request: urllib.request.Request) -> dict[str, Any]:
    """The answer; whoever is turned away because the gateway is busy asks again."""
    for left in reversed(range(_TRIES)):
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as refused:
            if refused.code not in _BUSY or not left:
                raise
            time.sleep(1.0)
    raise TemperError("the gateway turns the attacker away for ever", fix="look into gateway.log")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attacked:
    """What came of it: `tried` stolen cards that were stopped, the rows `moved` of those that pass now, and of each
    which of those tried it was.
    """

    tried: int
    moved: Array
    asked: int


def attacked(system: Protected, fraudster: Fraudster, most: int, queries: int, seed: int) -> Attacked:
    """Move the latest stopped frauds of the training days within what the Schema admits, until the gateway passes them.

    He knows the answers alone: which of his cards are stopped, and scores.
    """
    known = system.train
    if known is None or system.threshold is None:
        raise TemperError("the day needs training rows and a threshold", fix="use the demo's own temper.yaml")
    stopped = np.flatnonzero((known.y == 1) & (system.target.scores(known.x)[:, 1] >= system.threshold))[-most:]
    found = api.attack(
        api.target(fraudster.scores, schema=system.schema),
        ATTACK,
        known.x[stopped],
        known.y[stopped],
        budget=Budget(norm="cost", radius=RADIUS, queries=queries),
        seed=seed,
        schema=system.schema,
        threshold=system.threshold,
    )
    moved = found.x_adv[found.verdicts == "broken"]
    if not len(moved):
        raise TemperError("the attack found no row that passes", fix="give it more queries: there is no campaign")
    return Attacked(tried=len(stopped), moved=moved, asked=fraudster.asked)
