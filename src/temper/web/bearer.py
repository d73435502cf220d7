"""Programs of people: a token in the Authorization header in place of a session.

A request that carries one is judged by it alone: its cookie is not looked at, it opens no session, and it needs no word
of a form, because no other site can make a browser send it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from temper.core.review import Right
from temper.web.refused import Refused
from temper.web.visit import Screen, Visit

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LONGEST = 200


def token_of(request: Request) -> str | None:
    """The token this request came with, None where it came with none; other schemes are somebody else's."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def admitted(visit: Visit, token: str, screen: Screen) -> Visit:
    """The request as that of a person's program; refused where the key does not hold or the address takes a person."""
    visit = replace(visit, token="")
    found = visit.control.keys.holder(token, visit.now)
    if found is None:
        visit.control.audit.stranger(visit.now, "token", "a token that holds for nobody")
        raise Refused(401, "No such token", "It is unknown, revoked or expired, or whose it was is shut out.")
    key, person = found
    visit = replace(visit, key=key, person=person)
    if not screen.programs:
        refused(visit, screen, "takes a person")
        raise Refused(403, "This takes a person", "Programs ask below /api/v1, see /api/v1/openapi.json.")
    return visit


def noted(visit: Visit, screen: Screen) -> None:
    """A row of the audit before a program changes something; what it changes has its own."""
    if visit.key is not None and screen.method != "GET":
        what = f"{screen.method} {visit.request.url.path}"
        visit.control.audit.note(visit.now, visit.me.name, "key.use", visit.key.kid, what=what)


def refused(visit: Visit, screen: Screen, why: str, *, right: Right | None = None) -> None:
    """A row of the audit where somebody we know may not do what they asked for."""
    if visit.person is None:
        return
    detail = {"right": right.value if right else "", "key": visit.key.kid if visit.key else "", "why": why}
    what = f"{screen.method} {visit.request.url.path}"[:LONGEST]
    said = {name: value for name, value in detail.items() if value}
    visit.control.audit.note(visit.now, visit.me.name, "access.refuse", what, **said)


def told(visit: Visit, refused: Refused) -> Response:
    """What a program is told where it is refused; 401 names what is wanted."""
    about = {"status": refused.status, "heading": refused.heading, "text": refused.text}
    answer = visit.plain(about, refused.status)
    if refused.status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    return answer
