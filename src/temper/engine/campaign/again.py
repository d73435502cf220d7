"""What a campaign took, taken again: by the same seeds, means and techniques, of the system as it is now."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from temper.config.serving import Serving
from temper.core.campaign import Aim, Campaign, Technique
from temper.core.errors import RunStopped
from temper.core.finding import Finding
from temper.core.run import Record
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.waged import Came, Means
from temper.engine.campaign.door import Once, Told
from temper.engine.campaign.figures import came
from temper.engine.campaign.inside import Inside
from temper.engine.campaign.learning import Lessons
from temper.engine.campaign.order import ordered
from temper.engine.campaign.run import Job
from temper.engine.campaign.staged import ground, seeds, staged, techniques
from temper.engine.campaign.wage import Course, wage
from temper.engine.campaign.words import GATEWAY
from temper.store.database import Store
from temper.store.journal import Frames
from temper.targets.served import served


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of an objective then and now, and why nothing could be told now ("")."""

    then: Came
    now: Came
    why: str = ""

    @property
    def still(self) -> bool:
        """Whether it is reached, or the interval of what was measured reaches it: then nothing shows that it is not."""
        return self.now.value >= self.now.goal or (self.now.high is not None and self.now.high >= self.now.goal)


def retaken(system: Protected, store: Store, finding: Finding, run: str) -> Taken:
    """The objective of this finding, sought again. No kept answer is used, so that it speaks of what answers now."""
    record = store.run(run)
    then = _then(record, finding)
    job = ordered(system, datetime.now(UTC), record.suite, _played(record), record.seed)
    if job.place is not None or record.campaign is None or record.campaign.target.startswith(GATEWAY):
        raise RunStopped(f"{finding.id} was found through a gateway", fix="temper redteam wages it anew")
    if then.words not in [one.words for one in job.campaign.objectives]:
        raise RunStopped(f"campaign: no longer seeks {then.words}", fix="seek it again, or temper redteam")
    campaign = _with(job.campaign, record.campaign.means)
    chosen, _ = techniques(campaign)
    with TemporaryDirectory() as folder, Frames(Path(folder) / "answers.rows", Told) as journal:
        once = Once(journal=journal, scope=run)
        tried = [_sought(job, campaign, chosen, once, seed) for seed in seeds(record.seed, record.campaign.waged)]
    at = [one.words for one in campaign.objectives].index(then.words)
    best, _ = max(((found[at], why) for found, why in tried), key=lambda one: one[0].value)
    return Taken(then=then, now=best, why=next((why for _, why in tried if why), ""))


def _then(record: Record, finding: Finding) -> Came:
    """What the campaign that is shown came to; the words of an objective are the finding's detail."""
    told = record.campaign.objectives if record.campaign is not None else ()
    found = next((one for one in told if one.words == finding.detail and one.aim != Aim.MOVE.value), None)
    if found is None:
        raise RunStopped(f"{finding.id} is nothing that could be taken again", fix="temper redteam wages it anew")
    return found


def _played(record: Record) -> tuple[str, ...]:
    """The techniques of that campaign."""
    begins = "technique."
    return tuple(name.removeprefix(begins) for name, _ in record.misleads if name.startswith(begins))


def _with(campaign: Campaign, means: Means | None) -> Campaign:
    """The same attackers, whatever temper.yaml says of them since."""
    if means is None:
        return campaign
    change, money = (math.inf if end is None else end for end in (means.change, means.money))
    known, asked = means.knowledge, means.queries
    attacker = replace(campaign.attacker, knowledge=known, queries=asked, change=change, money=money)
    return replace(campaign, attacker=attacker)


def _sought(
    job: Job, campaign: Campaign, chosen: Mapping[str, Technique], once: Once, seed: int
) -> tuple[tuple[Came, ...], str]:
    """One campaign, and why it is no answer where it is none."""
    system = job.system
    model = served(system.target, system.data.x, system.threshold)
    dealt = staged(system, campaign, seed)
    lessons = Lessons(how=campaign.learning)
    door = Inside(system=system, serving=job.serving or Serving(), once=once, lessons=lessons)
    field, course = ground(system, campaign, dealt, door, seed), Course()
    try:
        wage(field, chosen, Draws(seed, "campaign"), course)
    finally:
        door.close()
    failed = next((f"{name} failed: {why}" for name, why in course.failed.items()), "")
    return came(field, course, dealt, system, model), failed or (course.ended if course.stopped else "")
