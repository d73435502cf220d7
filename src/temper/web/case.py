"""One case: what the client sent, why it waits, and the form that decides it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from temper.core.errors import StoreError, TemperError
from temper.core.review import Case, Conflict, Forbidden, Opinion, Right, Ruling, State
from temper.store.control.people import holders
from temper.web import moments, sheet, shown
from temper.web.refused import Refused
from temper.web.similar import similar
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

STATES = {
    State.OPEN: "open",
    State.CLAIMED: "claimed",
    State.SECOND: "second look",
    State.ESCALATED: "escalated",
    State.CLOSED: "closed",
    State.EXPIRED: "expired",
}
VERDICTS = ({"value": Ruling.ALLOW.value, "name": "Allow"}, {"value": Ruling.BLOCK.value, "name": "Block"})


def show(visit: Visit) -> Response:
    """The case as this person may see it."""
    return _page(visit, _found(visit, _number(visit)))


def claim(visit: Visit) -> Response:
    """Take this case."""
    number = _number(visit)
    _found(visit, number)
    visit.control.reviews.claim_one(number, visit.me.name, visit.now)
    return visit.go(f"/cases/{number}")


def release(visit: Visit) -> Response:
    """Give this case back."""
    number = _number(visit)
    visit.control.reviews.release(number, visit.me.name, visit.whole("version"), visit.now)
    return visit.go("/queue", "released")


def renew(visit: Visit) -> Response:
    """Hold this case for longer; an open form of it stays good."""
    number = _number(visit)
    visit.control.reviews.renew(number, visit.me.name, visit.whole("version"), visit.now)
    return visit.go(f"/cases/{number}")


def decide(visit: Visit) -> Response:
    """Record a verdict. A form sent twice is one decision, because its token is; one that is stale is refused."""
    number = _number(visit)
    verdict = visit.text("verdict")
    if verdict not in set(Ruling):
        raise Refused(422, "No verdict", "Choose one of the verdicts.")
    visit.control.reviews.decide(
        number,
        visit.me.name,
        Ruling(verdict),
        visit.text("reason"),
        token=visit.text("token"),
        version=visit.whole("version"),
        now=visit.now,
        seen=visit.form.get("seen", ""),
        shows=shown.digest,
    )
    return visit.go("/queue", "decided")


def summary(case: Case, visit: Visit) -> dict[str, Any]:
    """What a list shows of a case, and the head of its page."""
    due = float("inf") if case.due is None else case.due
    said = sheet.reasons(case.payload)
    held = _held(case, visit.now)
    return {
        "id": case.id,
        "title": f"#{case.id}",
        "request": case.request,
        "state": case.state.value,
        "state_name": STATES[case.state],
        "owner": case.owner if held or case.state.final else "",
        "priority": case.priority,
        "due": "decided" if case.state is State.CLOSED else moments.due(due, visit.now),
        "lateness": "done" if case.state.final else moments.lateness(due, visit.now),
        "age": moments.span((case.closed or visit.now) - case.created),
        "score": sheet.score(case.payload),
        "why": said[0] if said else "–",
        "version": case.version,
        "claimable": not case.state.final and not held and not _overdue(case, visit.now) and _may(case, visit),
    }


def brief(visit: Visit, number: int) -> dict[str, Any]:
    """The present state of a case, for a page that refuses something."""
    return summary(_found(visit, number), visit)


def _page(visit: Visit, case: Case, status: int = 200) -> Response:
    mine = case.owner == visit.me.name and _held(case, visit.now)
    about = summary(case, visit)
    evidence = shown.shown(case)
    outcome = [("Outcome", case.outcome.value)] if case.outcome else []
    return visit.page(
        "case.html",
        status,
        case=about,
        rows=evidence.rows,
        reasons=evidence.reasons,
        grounds=[*evidence.grounds, *outcome],
        facts=evidence.facts,
        seen=evidence.digest,
        similar=similar(case, visit.control.reviews.past(case.id)),
        ago=lambda at: moments.span(visit.now - at),
        lease=_lease(case, visit.now) if mine else None,
        may_claim=about["claimable"],
        decide={"token": secrets.token_urlsafe(24), "verdict": "", "reason": ""} if mine else None,
        blind=case.round > 1 and not case.decisions,
        verdicts=VERDICTS,
        cannot="" if mine else _cannot(case, visit, stuck=case.id in visit.control.reviews.stuck()),
        decisions=[_told(one, evidence.digest) for one in case.decisions],
    )


def _cannot(case: Case, visit: Visit, *, stuck: bool) -> str:
    """Why there is no form on this page."""
    if case.state is State.CLOSED and case.outcome is None:
        return "The case is closed, and looked at again. Its answer is shown once that is done: it might be you."
    if case.state.final:
        return "The case is closed." if case.state is State.CLOSED else "The case ran out of time and took its default."
    if _overdue(case, visit.now):
        return f"The case is overdue: it gets its default, {case.overdue.value}, and nobody decides it any more."
    if stuck:
        return (
            f"Nobody may decide this case: all with the role {case.level.label} have answered it or are disabled. "
            f"An admin can add a person; else it gets its default, {case.overdue.value}, when it is due."
        )
    if not visit.may(Right.DECIDE):
        return f"You may read cases. Deciding takes the role {holders(Right.DECIDE)}."
    if not _may(case, visit):
        return f"This case takes the role {case.level.label}."
    if _held(case, visit.now):
        return f"{case.owner} holds this case until {moments.clock(case.lease)}."
    return "Claim the case to decide it."


def _lease(case: Case, now: float) -> dict[str, Any]:
    left = max(0.0, case.lease - now)
    return {"seconds": f"{left:.0f}", "left": moments.span(left), "until": moments.clock(case.lease)}


def _held(case: Case, now: float) -> bool:
    return case.owner is not None and case.lease > now


def _overdue(case: Case, now: float) -> bool:
    return case.due is not None and case.due <= now


def _may(case: Case, visit: Visit) -> bool:
    return visit.may(Right.DECIDE) and visit.me.decides(case.level)


def _told(opinion: Opinion, digest: str) -> dict[str, str]:
    return {
        "saw": _saw(opinion.seen, digest),
        "by": opinion.reviewer,
        "verdict": opinion.verdict.value,
        "reason": opinion.reason,
        "at": moments.clock(opinion.at),
    }


def _saw(seen: str, digest: str) -> str:
    if not seen:
        return "answered without this page"
    return "saw what this page shows" if seen == digest else f"saw the case in another form, {seen[:16]}"


def _found(visit: Visit, number: int) -> Case:
    try:
        return visit.control.reviews.get(number, visit.me.name)
    except (StoreError, Conflict, Forbidden):
        raise
    except TemperError:
        raise Refused(404, "No such case", "There is no case of this number.") from None


def _number(visit: Visit) -> int:
    number = int(visit.request.path_params["id"])
    if number >= 2**63:  # more than the store can count
        raise Refused(404, "No such case", "There is no case of this number.")
    return number
