"""A probe handed to the machine: ordered from its page, carried out by a worker, and told there."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.core.job import Job, JobState, Order
from temper.core.probe import Hand, Probe
from temper.core.review import Right
from temper.web import jobs, probes
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

KEPT = 12
"""Results of a probe that its page shows."""
DOES = {
    Hand.MINIMAL: "Make it minimal: the cheapest change that gets the same",
    Hand.NEIGHBOURS: "Find neighbours: how large the region is that gets the same",
    Hand.TRANSFER: "Try it on other models: the challenger, and what was deployed",
    Hand.TEST: "Turn it into a regression test",
}
_KEY = re.compile(r"[0-9a-f]{16}")


def fragment(visit: Visit) -> Response:
    """The part of a probe's page that changes."""
    return visit.page("machine.html", **context(visit, probes.found_in(visit).probe))


def order(visit: Visit) -> Response:
    """Order it; the form carries its key, so that one that is sent twice orders once. What is on its way is not ordered
    again.
    """
    one, word, hand = probes.found_in(visit).probe, visit.text("key"), visit.text("hand")
    if not _KEY.fullmatch(word) or hand not in set(Hand):
        raise Refused(422, "No such order", f"A machine does {', '.join(Hand)}. Open the page again.")
    if visit.desk.assessed is not None:
        visit.assessed.store.evidence.refuse()
    here = f"/probes/{one.id}"
    if any(_going(job) and job.order.hand == hand for job in _of(visit, one)):
        return visit.go(here)
    wanted = Order(
        key=f"{_begins(one)}{word}", why=f"probe {one.id}: {hand}", config=_config(visit), probe=one.id, hand=hand
    )
    number = visit.control.jobs.put(wanted, visit.me.name, visit.now)
    return visit.go(here, "ordered" if number is not None else "")


def context(visit: Visit, one: Probe) -> dict[str, Any]:
    """What came of the latest orders, and whether another may be given."""
    found, look = _of(visit, one), one.draft.look
    return {
        "orders": [_told(job, visit) for job in found],
        "may_hand": visit.may(Right.ORDER) and look.turned and not look.broken,
        "hands": DOES,
        "hand_key": secrets.token_hex(8),
        "machine": f"/probes/{one.id}/machine",
    }


def _config(visit: Visit) -> str:
    bench = visit.desk.bench
    return str(visit.assessed.config if bench is None else Path(bench.system.source).absolute())


def _of(visit: Visit, one: Probe) -> list[Job]:
    return visit.control.jobs.beginning(_begins(one), KEPT)


def _begins(one: Probe) -> str:
    """What the keys of its orders begin with."""
    return f"probe:{one.id}:"


def _going(job: Job) -> bool:
    return job.state in (JobState.WAITING, JobState.RUNNING)


def _told(job: Job, visit: Visit) -> dict[str, Any]:
    return jobs.line(job, visit.now) | {
        "does": DOES[Hand(job.order.hand)].partition(":")[0],
        "lines": str(job.result.get("text", "")).splitlines()[1:],
        "on": str(job.result.get("assessed", "")) or "the model of temper.yaml",
        "log": job.log.splitlines()[-3:] if job.state is JobState.FAILED else [],
        "row": bool(job.result.get("row")) and visit.desk.bench is not None and visit.may(Right.ORDER),
    }
