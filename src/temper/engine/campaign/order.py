"""A campaign as a temper.yaml orders it: what is sought, by whom, by which rules, and the guard that stands there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from temper.config.alerting import alerting_of
from temper.config.campaign import campaign_of
from temper.config.monitor import watch_of
from temper.config.reading import read
from temper.config.serving import serving_of
from temper.core.errors import TemperError
from temper.core.system import Protected
from temper.engine.campaign.outside import Place
from temper.engine.campaign.run import Job


def ordered(
    system: Protected, now: datetime, suite: str = "standard", only: Sequence[str] = (), seed: int = 0, author: str = ""
) -> Job:
    """The job of this system's campaign, `only` with these techniques where any are named."""
    if not system.source:
        raise TemperError("a campaign needs the temper.yaml that sets the guard", fix="load the system from one")
    path = Path(system.source)
    document, base = read(path), path.absolute().parent
    campaign, reached = campaign_of(document, system)
    place = Place(url=reached.url, keys=reached.keys, authorised_by=reached.authorised_by) if reached.url else None
    watch = watch_of(document, base)
    return Job(
        system=system,
        campaign=replace(campaign, only=tuple(only)) if only else campaign,
        now=now,
        serving=serving_of(document, base),
        place=place,
        suite=suite,
        seed=seed,
        author=author,
        watch=watch if watch is not None and watch.score else None,
        alerting=alerting_of(document, base),
    )
