"""The queue: cases by state, the most urgent first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from temper.core.review import Right, State
from temper.web.case import summary
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PAGE = 50
TABS = {
    State.OPEN: ("Open", "that nobody has taken", "Nothing is open. Everything has been taken or decided."),
    State.CLAIMED: ("Claimed", "that somebody is looking at", "Nobody is looking at a case."),
    State.SECOND: ("Second look", "that want a second, independent answer", "No case waits for a second answer."),
    State.ESCALATED: ("Escalated", "that an approver decides", "No case waits for an approver."),
    State.CLOSED: ("Closed", "that are decided", "No case has been decided yet."),
    State.EXPIRED: ("Expired", "that were decided by their due time", "No case has expired."),
}


def show(visit: Visit) -> Response:
    """One page of one state."""
    state = _state(visit.request.query_params.get("state", ""))
    counts = visit.control.reviews.counts()
    total = counts.get(state, 0)
    pages = max(1, math.ceil(total / PAGE))
    page = min(_whole(visit.request.query_params.get("page", "1")), pages)
    found = visit.control.reviews.page(state, limit=PAGE, offset=PAGE * (page - 1), viewer=visit.me.name)
    stuck = visit.control.reviews.stuck()
    _, about, nothing = TABS[state]
    return visit.page(
        "queue.html",
        state=state.value,
        tabs=[{"state": one.value, "name": words[0], "many": f"{counts.get(one, 0):,}"} for one, words in TABS.items()],
        total=total,
        about=about,
        nothing=nothing,
        cases=[summary(one, visit) | {"stuck": one.id in stuck} for one in found],
        stuck=len(stuck),
        page=page,
        pages=pages,
        may_claim=visit.may(Right.DECIDE),
    )


def claim_next(visit: Visit) -> Response:
    """Take the most urgent case that this person may decide."""
    found = visit.control.reviews.claim(visit.me.name, visit.now)
    return visit.go("/queue", "empty") if found is None else visit.go(f"/cases/{found.id}")


def _state(word: str) -> State:
    return State(word) if word in set(State) else State.OPEN


def _whole(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 9 else 1
