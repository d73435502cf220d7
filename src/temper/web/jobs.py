"""Jobs: assessments that wait, run or are over, why each was ordered and by whom; and ordering one by hand."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from temper.core.depth import Limits
from temper.core.errors import StoreError, TemperError
from temper.core.job import Job, JobState, Order
from temper.core.requirement import Verdict
from temper.core.review import Right
from temper.monitoring.evidence import PARTS
from temper.store.control.wording import title
from temper.web import assessed, moments
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PAGE = 30
SUITES = {
    "quick": "Quick: minutes, wide intervals",
    "standard": "Standard: what a verdict needs",
    "deep": "Deep: hours, narrow intervals",
}
NAMES = {
    JobState.WAITING: ("waiting", "nothing"),
    JobState.RUNNING: ("running", "waived"),
    JobState.DONE: ("ended", "pass"),
    JobState.FAILED: ("given up", "fail"),
}
LATE = 60.0
"""Seconds after which a job that nobody takes is said to wait for a worker."""
OWN, DEPTHS = "console:", "console:layers:"
"""What keys of orders from here begin with, and those of layers to be weighed."""
_FAR = re.compile(r"(\d+) of (\d+)")
_KEY = re.compile(r"[0-9a-f]{16}")


def show(visit: Visit) -> Response:
    """The whole page."""
    asked = visit.request.query_params.get("part", "")
    return _page(
        visit,
        "jobs.html",
        **_context(visit),
        again=f"/jobs/now?page={visit.number('page')}",
        may_order=visit.may(Right.ORDER),
        faults=visit.assessed.faults,
        system=visit.assessed.system,
        suites=SUITES,
        order_parts=PARTS,
        chosen=asked,
        key=secrets.token_hex(8),
    )


def fragment(visit: Visit) -> Response:
    """The part that changes."""
    return _page(visit, "jobs_now.html", **_context(visit))


def order(visit: Visit) -> Response:
    """Order an assessment; the form carries its key, so that one that is sent twice orders once."""
    parts = tuple(part for part in PARTS if visit.form.get(f"part-{part}"))
    one, new = ordered(visit, visit.text("key"), visit.text("suite"), visit.line("why"), parts)
    return visit.go(f"/jobs/{one.id}", "ordered" if new else "")


def ordered(
    visit: Visit, word: str, suite: str, why: str, parts: Sequence[str] = (), depth: Limits | None = None
) -> tuple[Job, bool]:
    """The job of this order, and whether it is new: the same key orders once. With `depth` the layers of the guard are
    weighed against these limits.
    """
    if not _KEY.fullmatch(word) or suite not in SUITES:
        raise Refused(422, "No such order", f"A suite is {', '.join(SUITES)}, a key 16 hexadecimal digits.")
    if unknown := sorted(set(parts) - set(PARTS)):
        raise Refused(422, "No such order", f"There is no part {unknown[0][:40]!r}: there are {', '.join(PARTS)}.")
    if depth is not None and not (0.0 <= depth.residual <= 1.0 and 0.0 <= depth.refused <= 1.0):
        raise Refused(422, "No such order", "A limit is a share, from 0 to 1.")
    if not why.strip():
        raise Refused(422, "Something is missing", "Say why it is ordered.")
    visit.assessed.store.evidence.refuse()
    key, said = f"{OWN if depth is None else DEPTHS}{word}", title(why)
    config, only = str(visit.assessed.config), tuple(parts)
    one = Order(key=key, why=said, config=config, suite=suite, only=only, depth=depth)
    new = visit.control.jobs.put(one, visit.me.name, visit.now)
    known = visit.control.jobs.called(key)
    if known is None:  # jobs are never taken away
        raise StoreError("an order was lost while it was written")
    return known, new is not None


def again(visit: Visit) -> Response:
    """Let a job that is over be made anew."""
    one = found(visit)
    visit.control.jobs.again(one.id, visit.me.name, visit.now)
    return visit.go(f"/jobs/{one.id}", "ordered")


def one(visit: Visit) -> Response:
    """One job with what it printed."""
    return _page(
        visit, "job.html", job=_full(found(visit), visit), again=f"/jobs/{visit.request.path_params['id']}/now"
    )


def one_now(visit: Visit) -> Response:
    """The part of it that changes."""
    return _page(visit, "job_now.html", job=_full(found(visit), visit))


def found(visit: Visit) -> Job:
    """The job of this address."""
    number = int(visit.request.path_params["id"])
    if number < 2**63:
        try:
            return visit.control.jobs.get(number)
        except TemperError as error:
            if type(error) is not TemperError:
                raise
    raise Refused(404, "No such job", "There is none with this number.")


def line(job: Job, now: float) -> dict[str, Any]:
    """What a list shows of a job."""
    word, tone = NAMES[job.state]
    verdict = str(job.result.get("verdict", ""))
    return {
        "id": job.id,
        "why": job.order.why,
        "by": job.by,
        "parts": _parts(job.order),
        "again": bool(job.order.finding or job.order.probe),
        "suite": job.order.suite,
        "state": word,
        "tone": tone,
        "verdict": assessed.badge(Verdict(verdict)) if verdict in {one.value for one in Verdict} else None,
        "run": str(job.result.get("run", "")),
        "when": _when(job, now),
        "progress": job.progress,
        "share": share(job.progress),
        "running": job.state is JobState.RUNNING,
        "over": job.state in (JobState.DONE, JobState.FAILED),
        "attempts": job.attempts,
        "due": ""
        if job.state is not JobState.WAITING or job.due <= now
        else f"tried again {moments.due(job.due, now)}",
    }


def _parts(order: Order) -> str:
    """What is done."""
    if order.probe:
        return f"probe {order.probe}: {order.hand}"
    if order.depth is not None:
        return "the layers of the guard"
    return order.finding or ", ".join(order.only) or "everything"


def share(progress: str) -> float | None:
    """How far a job is, in percent; None where it does not say.

    >>> share("3 of 12 evasion.hop"), share("")
    (25.0, None)
    """
    far = _FAR.match(progress)
    return round(100.0 * int(far[1]) / int(far[2]), 1) if far and int(far[2]) else None


def _when(job: Job, now: float) -> str:
    if job.ended is not None:
        return f"{moments.ago(job.ended, now)}, after {moments.span(job.ended - (job.begun or job.made))}"
    if job.state is JobState.RUNNING and job.begun is not None:
        return f"for {moments.span(now - job.begun)}"
    return f"ordered {moments.ago(job.made, now)}"


def _context(visit: Visit) -> dict[str, Any]:
    jobs, page = visit.control.jobs, visit.number("page")
    counts = jobs.counts()
    open_ = jobs.page(PAGE, 0, JobState.RUNNING, JobState.WAITING)
    over = jobs.page(PAGE + 1, PAGE * (page - 1), JobState.DONE, JobState.FAILED)
    late = not counts[JobState.RUNNING] and any(one.due < visit.now - LATE for one in open_)
    return {
        "tiles": [(NAMES[state][0], many, NAMES[state][1]) for state, many in counts.items()],
        "open": [line(one, visit.now) for one in open_],
        "over": [line(one, visit.now) for one in over[:PAGE]],
        "late": late,
        "page": page,
        "more": len(over) > PAGE,
        "at": moments.clock(visit.now),
    }


def _full(job: Job, visit: Visit) -> dict[str, Any]:
    told = [
        ("Ordered", f"{moments.clock(job.made)} by {job.by}"),
        ("What", _parts(job.order)),
        ("Suite", job.order.suite),
        ("On", "rows of the feed whose labels have come" if job.order.labelled is not None else "rows of temper.yaml"),
        ("Begun", f"{moments.clock(job.begun)} by {job.worker}" if job.begun is not None else "not yet"),
        ("Ended", moments.clock(job.ended) if job.ended is not None else "not yet"),
        ("Attempts", str(job.attempts)),
        ("Exit code", "–" if job.code is None else str(job.code)),
        ("Key", job.order.key),
    ]
    return line(job, visit.now) | {
        "facts": told,
        "log": job.log.splitlines(),
        "text": str(job.result.get("text", "")).splitlines(),
        "assessed": str(job.result.get("assessed", "")),
        "may_again": visit.may(Right.ORDER),
    }


def _page(visit: Visit, template: str, /, **context: Any) -> Response:
    return visit.page(template, tabs=assessed.TABS, tab="/jobs", **context)
