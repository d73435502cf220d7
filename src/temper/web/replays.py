"""A finding shown again: ordered once from its page, carried out by a worker, and told there."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from temper.core.finding import Finding
from temper.core.job import Job, JobState, Order
from temper.core.review import Right
from temper.web import jobs, run
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

KEPT = 5
"""Replays of a finding that its page shows."""
_KEY = re.compile(r"[0-9a-f]{16}")


def fragment(visit: Visit) -> Response:
    """The part of a finding's page that changes."""
    record = run.found(visit)
    return visit.page("replays.html", **context(visit, run.finding_in(visit, record)))


def order(visit: Visit) -> Response:
    """Order it; the form carries its key, so that one that is sent twice orders once. While one is on its way there is
    no other.
    """
    record = run.found(visit)
    one, word = run.finding_in(visit, record), visit.text("key")
    if not _KEY.fullmatch(word):
        raise Refused(422, "No such order", "Open the page again.")
    visit.assessed.store.evidence.refuse()
    here = f"/runs/{record.id}/findings/{one.id}"
    if any(_going(job) for job in _of(visit, one)):
        return visit.go(here)
    wanted = Order(
        key=f"{_begins(one)}{word}",
        why=f"show {one.id} again",
        config=str(visit.assessed.config),
        suite=record.suite,
        finding=one.id,
    )
    number = visit.control.jobs.put(wanted, visit.me.name, visit.now)
    return visit.go(here, "ordered" if number is not None else "")


def context(visit: Visit, one: Finding) -> dict[str, Any]:
    """What came of the latest replays, and whether another may be ordered."""
    found = _of(visit, one)
    return {
        "replays": [_told(job, visit.now) for job in found],
        "going": any(_going(job) for job in found),
        "may_replay": visit.may(Right.ORDER) and not visit.assessed.faults,
        "replay_key": secrets.token_hex(8),
        "finding_id": one.id,
    }


def _of(visit: Visit, one: Finding) -> list[Job]:
    return visit.control.jobs.beginning(_begins(one), KEPT)


def _begins(one: Finding) -> str:
    """What the keys of its replays begin with."""
    return f"replay:{one.id}:"


def _going(job: Job) -> bool:
    return job.state in (JobState.WAITING, JobState.RUNNING)


def _told(job: Job, now: float) -> dict[str, Any]:
    return jobs.line(job, now) | {
        "lines": str(job.result.get("text", "")).splitlines()[1:],
        "on": str(job.result.get("assessed", "")) or "the model of temper.yaml",
        "log": job.log.splitlines()[-3:] if job.state is JobState.FAILED else [],
    }
