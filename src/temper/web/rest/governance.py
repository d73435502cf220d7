"""Who asks, what people have approved and let go, and who did what."""

from __future__ import annotations

from temper.core.review import Right
from temper.store.control import approvals as approving
from temper.store.control import waivers as waiving
from temper.web.rest import views
from temper.web.rest.resource import few, whole, words
from temper.web.visit import Visit


def me(visit: Visit) -> views.Me:
    """Whose program asks."""
    rights = tuple(right.value for right in Right if visit.may(right))
    return views.Me(person=visit.me.name, role=visit.me.role.label, rights=rights)


def approvals(visit: Visit) -> tuple[views.Approval, ...]:
    """Runs that were put up, the newest first."""
    return tuple(map(_approval, visit.control.approvals.page(few(visit))))


def approval(visit: Visit) -> views.Approval:
    """One of them."""
    return _approval(visit.control.approvals.get(int(visit.request.path_params["id"])))


def waivers(visit: Visit) -> tuple[views.Waiver, ...]:
    """Waivers, the newest first."""
    return tuple(map(_waiver, visit.control.waivers.page(few(visit), **words(visit, "system", "state"))))


def audit(visit: Visit) -> tuple[views.Entry, ...]:
    """Rows of the audit, the newest first."""
    before = whole(visit, "before", 0) or None
    return tuple(
        views.Entry(seq=one.seq, at=one.at, who=one.who, action=one.action, subject=one.subject, digest=one.digest)
        for one in visit.control.audit.page(few(visit), before)
    )


def _approval(one: approving.Approval) -> views.Approval:
    votes = tuple(
        views.Vote(person=vote.person, decision=vote.decision, reason=vote.reason, signed=vote.signed, at=vote.at)
        for vote in one.votes
    )
    return views.Approval(
        id=one.id,
        run=one.about.run,
        system=one.about.system,
        model=one.about.model,
        verdict=one.about.verdict,
        author=one.author,
        reason=one.reason,
        needs=one.needs,
        state=one.state,
        created=one.created,
        votes=votes,
    )


def _waiver(one: waiving.Waiver) -> views.Waiver:
    return views.Waiver(
        id=one.id,
        system=one.system,
        requirement=one.requirement,
        owner=one.owner,
        reason=one.reason,
        until=one.until.isoformat(),
        state=one.state,
        author=one.author,
        judge=one.judge or "",
    )
