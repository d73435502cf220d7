"""Policies that were proposed: what each changes, and the word of a second person on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.core.review import Right
from temper.store.control.policies import Proposal
from temper.web import moments
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

SHOWN = 50
BADGES = {"open": "inconclusive", "in force": "pass", "approved": "", "rejected": "fail", "retired": ""}


def show(visit: Visit) -> Response:
    """The newest proposals, and the way back from the policy that holds."""
    live = visit.control.policies.in_force()
    return visit.page(
        "policies.html",
        rows=[_row(one, live) for one in visit.control.policies.page(SHOWN)],
        live=None if live is None else _row(live, live),
        unseen=_unseen(visit),
        record=_seq(visit),
        may=visit.may(Right.APPROVE),
    )


def one(visit: Visit) -> Response:
    """One proposal, line by line, with what this person may say about it."""
    found = visit.control.policies.get(_number(visit))
    mine = found.author == visit.me.name
    return visit.page(
        "policy.html",
        policy=_row(found, visit.control.policies.in_force()),
        changes=found.changes(),
        open=found.state == "open",
        mine=mine,
        approves=visit.may(Right.APPROVE) and not mine,
        rejects=visit.may(Right.APPROVE) or mine,
    )


def approve(visit: Visit) -> Response:
    """Put it in force."""
    visit.control.policies.approve(_number(visit), visit.me.name, visit.text("reason"), visit.now)
    return visit.go("/policies", "approved")


def reject(visit: Visit) -> Response:
    """Turn it down, or take it back."""
    visit.control.policies.reject(_number(visit), visit.me.name, visit.text("reason"), visit.now)
    return visit.go("/policies", "rejected")


def rollback(visit: Visit) -> Response:
    """Back to the policy before. The form names the record it is about, so that a stale page takes back no other."""
    after = visit.whole("record")
    visit.control.policies.rollback(visit.me.name, visit.text("reason"), visit.now, after=after)
    return visit.go("/policies", "back")


def _unseen(visit: Visit) -> dict[str, str] | None:
    record = visit.control.policies.overridden()
    return None if record is None else {"by": record.by, "at": moments.clock(record.at), "reason": record.reason}


def _number(visit: Visit) -> int:
    number = int(visit.request.path_params["id"])
    if number >= 2**63:  # more than the store can count
        raise Refused(404, "No such policy", "There is no policy of this number.")
    return number


def _seq(visit: Visit) -> int:
    record = visit.control.policies.record()
    return 0 if record is None or record.value is None else record.seq


def _row(found: Proposal, live: Proposal | None) -> dict[str, Any]:
    state = "in force" if live is not None and found.id == live.id else found.state
    return {
        "id": found.id,
        "state": state,
        "badge": BADGES[state],
        "digest": found.digest[:12],
        "author": found.author,
        "created": moments.clock(found.created),
        "reason": found.reason,
        "judge": found.judge or "",
        "decided": "" if found.decided is None else moments.clock(found.decided),
        "note": found.note or "",
        "many": len(found.changes()),
    }
