"""A payment far from home."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from temper.core.errors import Unsupported
from temper.core.expression import parse
from temper.core.seed import Draws
from temper.stress._choice import level
from temper.stress.events._history import Cases, History

_DONORS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Travel:
    """The event happens at a counterparty far away, and half an hour before it the customer still paid near home.

    Severity 1-5 picks the 50, 75, 90, 97, 100 % most distant of 64 counterparties that were active before. Distance,
    category and whatever else belongs to the counterparty move together. `impossible=False` leaves the payment near
    home out: plain travel.
    Misleads where customers announce journeys, or where card and person are known to travel apart.
    Source: Bolton & Hand, "Statistical fraud detection: a review", 2002.

    >>> Travel(impossible=False).far[0]
    0.5
    """

    far: tuple[float, ...] = (0.5, 0.75, 0.9, 0.97, 1.0)
    impossible: bool = True

    def apply(self, cases: Cases, severity: int, rng: Draws) -> History:
        """The histories in which the event is elsewhere; `Unsupported` where no formula says how far that is."""
        events = cases.events
        formula = dict(events.formulas).get(events.distance, "")
        if not formula:
            raise Unsupported("no formula says how far a counterparty is (stress.events.distance)")
        rows, share = np.arange(len(cases)), level(self.far, severity)
        donors = (np.asarray(rng.uniform(rows, 1, (_DONORS,))) * np.asarray(cases.rows)[:, None]).astype(np.int64)
        moved = {*events.moves, events.counterparty}
        here = {
            name: values[donors] if name in moved else np.repeat(values[cases.rows][:, None], _DONORS, axis=1)
            for name, values in events.columns.items()
        }
        km = np.broadcast_to(np.asarray(parse(formula).value(here, here), dtype=np.float64), donors.shape)
        at = np.argsort(km, axis=1, kind="stable")[:, round(share * (_DONORS - 1))]
        history = cases.history(donors[rows, at])
        if not self.impossible:
            return history
        of = np.arange(len(history.world))[history.judged]
        home = {name: values[cases.rows] for name, values in events.columns.items()}
        return history.with_copies(of, history.time[of] - 1800, **home)


PLUGIN = Travel
