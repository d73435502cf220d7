"""Runs, what they found, how their evidence stands, and orders of new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temper.core.job import Job, JobState
from temper.core.outline import Outline
from temper.report.json import render
from temper.web import jobs
from temper.web.assessed import standing as standing_of
from temper.web.refused import Refused
from temper.web.rest import views
from temper.web.rest.resource import some, taken, words
from temper.web.run import found as run_of
from temper.web.visit import Visit

FILTERS = ("system", "suite", "verdict", "state")


def runs(visit: Visit) -> views.Runs:
    """Some runs, the newest first."""
    wanted = words(visit, *FILTERS)
    store = visit.assessed.store
    items = some(visit, lambda limit, offset: map(_run, store.outlines(limit, offset, **wanted)))
    return views.Runs(total=store.counted(**wanted), items=items)


def run(visit: Visit) -> bytes:
    """The whole record, as `temper report --format json` writes it."""
    return render(run_of(visit)).encode()


def findings(visit: Visit) -> tuple[views.Finding, ...]:
    """What a run has found."""
    return tuple(
        views.Finding(
            id=one.id,
            title=one.title,
            plugin=one.plugin,
            metric=one.metric,
            severity=one.severity,
            scenario=one.scenario,
            detail=one.detail,
            defences=one.defences,
            references=one.references,
            reproduce=one.reproduce,
        )
        for one in run_of(visit).findings
    )


def standing(visit: Visit) -> views.Standing:
    """The evidence, and what of it is stale."""
    found = standing_of(visit)
    return views.Standing(
        system=visit.assessed.system,
        current={part: one.run for part, one in found.known.items()},
        stale=tuple(views.Aged(part=one.part, why=one.why, run=one.run) for one in found.stale),
        faults=tuple(visit.assessed.faults),
        trouble=found.trouble,
    )


def ordered(visit: Visit) -> tuple[views.Job, ...]:
    """Some jobs, the newest first."""
    asked = words(visit, "state")
    if asked and asked["state"] not in set(JobState):
        raise Refused(422, "Not what is taken here", f"state is {', '.join(JobState)}.")
    states = [JobState(word) for word in asked.values()] or list(JobState)
    return some(visit, lambda limit, offset: map(told, visit.control.jobs.page(limit, offset, *states)))


def job(visit: Visit) -> views.Job:
    """How a job stands."""
    return told(jobs.found(visit))


def order(visit: Visit) -> views.Job:
    """The job of this order, which may have been there already."""
    body = taken(visit, views.Ordered)
    return told(jobs.ordered(visit, body.key, body.suite, body.why, body.only)[0])


def again(visit: Visit) -> views.Job:
    """A job that is over, waiting anew."""
    one = jobs.found(visit)
    visit.control.jobs.again(one.id, visit.me.name, visit.now)
    return told(visit.control.jobs.get(one.id))


def _run(one: Outline) -> views.Run:
    return views.Run(
        run=one.run,
        system=one.system,
        suite=one.suite,
        started=one.started,
        state=one.state,
        verdict=one.kind.value,
        simulated=one.simulated,
        judged=one.judged,
        figures=one.figures,
        findings=one.findings,
        model=one.model,
    )


def told(one: Job) -> views.Job:
    """A job as programs are told it: the place of its temper.yaml and what it printed are the machine's own."""
    result: Mapping[str, Any] = one.result
    return views.Job(
        id=one.id,
        key=one.order.key,
        why=one.order.why,
        by=one.by,
        suite=one.order.suite,
        only=one.order.only,
        state=one.state.value,
        progress=one.progress,
        attempts=one.attempts,
        code=one.code,
        run=str(result.get("run", "")),
        depth=str(result.get("depth", "")),
        verdict=str(result.get("verdict", "")),
    )
