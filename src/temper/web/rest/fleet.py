"""The fleet: every system of the portfolio, or of the store, as it stands."""

from __future__ import annotations

from pathlib import Path

from temper.core.fleet import Situation
from temper.report.fleet import pressing
from temper.web.fleet import board_of
from temper.web.rest import views
from temper.web.visit import Visit


def fleet(visit: Visit) -> views.Fleet:
    """The last look at all of them."""
    seen = board_of(visit).seen(visit.now)
    return views.Fleet(
        at=seen.at,
        name=seen.name,
        systems=tuple(map(_system, pressing(seen.situations))),
        refused=tuple(f"{Path(one.where).name}: {one.why}" for one in seen.refused),
        trouble=seen.trouble,
    )


def _system(one: Situation) -> views.System:
    return views.System(
        name=one.entry.name,
        owner=one.entry.owner,
        tier=one.entry.level.value,
        tags=one.entry.tags,
        run=one.run,
        verdict="" if one.verdict is None else one.verdict.value,
        age=one.age,
        stale=tuple(views.Aged(part=each.part, why=each.why, run=each.run) for each in one.stale),
        drift=one.drift,
        watched=one.watched,
        trouble=one.trouble,
        rating=one.rating,
        unit=one.unit,
        annual=one.annual,
        p90=one.p90,
    )
