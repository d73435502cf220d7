"""What the layers of a guard were measured to be worth, orders to measure them, and what people tried by hand."""

from __future__ import annotations

from itertools import islice

from temper.core import depth as core
from temper.core.probe import Told, turns_of
from temper.report.depth import document
from temper.store.control.probes import Seen
from temper.store.depths import depth_of
from temper.store.depths import depths as kept
from temper.web import jobs
from temper.web import probes as pages
from temper.web.refused import Refused
from temper.web.rest import measured, views
from temper.web.rest.resource import some, taken, words
from temper.web.rest.runs import told
from temper.web.visit import Visit
from temper.web.workbench import system_of


def depths(visit: Visit) -> tuple[measured.Depth, ...]:
    """Measured defences, the newest first."""
    system = words(visit, "system").get("system")
    found = [one for one in kept(visit.assessed.store) if system in (None, one[1].system)]
    return some(visit, lambda limit, offset: (_depth(*one) for one in islice(found, offset, offset + limit)))


def depth(visit: Visit) -> bytes:
    """One of them, as `temper layers --json` writes it."""
    found = depth_of(visit.assessed.store, str(visit.request.path_params["depth"]))
    if found is None:
        raise Refused(404, "No such depth", "There is none with this id.")
    return document(found).encode()


def order(visit: Visit) -> views.Job:
    """The job of this order, which may have been there already."""
    body = taken(visit, measured.Weighed)
    limits = core.Limits(residual=body.through, refused=body.refused)
    return told(jobs.ordered(visit, body.key, body.suite, body.why, depth=limits)[0])


def probes(visit: Visit) -> tuple[measured.Probe, ...]:
    """What people tried by hand, the newest first."""
    page, system = visit.control.probes.page, system_of(visit)
    return some(visit, lambda limit, offset: map(_probe, page(system, visit.me.name, limit, offset)))


def probe(visit: Visit) -> measured.Probe:
    """One of them."""
    return _probe(pages.found_in(visit))


def _depth(key: str, one: core.Depth) -> measured.Depth:
    return measured.Depth(
        id=key,
        system=one.system,
        at=one.at,
        verdict=one.verdict.value,
        model=one.model,
        guard=one.guard,
        simulated=one.simulated,
        layers=tuple(layer.name for layer in one.layers),
        attacks=one.attacks,
        through=_share(one.residual),
        refused=_share(one.refused),
        asked=_share(one.asked),
    )


def _share(one: core.Share) -> measured.Share:
    return measured.Share(value=one.value, low=one.low, high=one.high, n=one.n)


def _probe(seen: Seen) -> measured.Probe:
    """What its page tells whoever asks: no row as a whole, and no author or rating while they may still rate it."""
    probe, draft = seen.probe, seen.probe.draft
    look = draft.look
    verdicts = (*look.earlier, look.told)
    return measured.Probe(
        id=probe.id,
        system=draft.system,
        author=probe.author,
        made=probe.made,
        hypothesis=draft.hypothesis,
        technique=draft.technique,
        assumptions=draft.assumptions,
        origin=draft.subject.origin,
        outcome=look.outcome.value,
        before=look.before,
        after=look.after,
        decided_before=look.decided_before,
        decided=look.decided,
        threshold=look.threshold,
        cost=look.cost,
        changes=tuple(measured.Change(column=one.column, before=one.before, after=one.after) for one in look.changes),
        broken=look.broken,
        stages=() if draft.subject.text else tuple(map(_stage, look.told)),
        turns=tuple(
            measured.Turn(
                said=tuple(measured.Words(who=who, text=text) for who, text in turn), stages=tuple(map(_stage, verdict))
            )
            for turn, verdict in zip(turns_of(draft.subject.text), verdicts, strict=False)
        ),
        model=look.model,
        policy=look.policy,
        blind=seen.blind,
        ratings=tuple(
            measured.Rating(person=one.by, severity=one.severity.value, reason=one.reason, at=one.at)
            for one in seen.ratings
        ),
    )


def _stage(one: Told) -> measured.Stage:
    return measured.Stage(name=one.stage, mode=one.mode, level=one.level, reason=one.reason)
