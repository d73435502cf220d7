"""Signing in by a provider of identities: sent there with a state, back with a code, and in with the role it maps to.

What a sign-in was begun with is a secret in its browser, for ten minutes; it is Lax, because a browser that comes back
from another site brings no Strict cookie. That is also why the last page leads on by itself: the session's is Strict.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from temper.core.errors import TemperError
from temper.core.review import Forbidden
from temper.store.control.people import Identity
from temper.web.door import inside
from temper.web.provider import NOT, Asked, Provider
from temper.web.refused import Refused
from temper.web.visit import Visit, fresh, name_of_cookie

if TYPE_CHECKING:
    from starlette.responses import Response

COOKIE = "temper_sign_in"
LASTS = 600


@dataclass(frozen=True, slots=True)
class _Begun:
    """A sign-in of this browser, and where in the console it leads."""

    asked: Asked
    after: str


def begin(visit: Visit) -> Response:
    """On to the provider."""
    provider = _provider(visit)
    if visit.person is not None:
        return visit.go("/")
    secret = fresh()
    answer = visit.go(provider.where(Asked(secret)))
    after = inside(visit.request.query_params.get("next", "/"))
    return _keep(visit, answer, f"{secret}:{visit.now:.0f}:{after}", LASTS)


def back(visit: Visit) -> Response:
    """In, if what came back is the answer to what this browser asked, and says who it is and what they may do."""
    provider = _provider(visit)
    try:
        begun = _begun(visit, provider)
        claims = provider.claims(visit.request.query_params.get("code", ""), begun.asked, visit.now)
    except Refused as refused:
        visit.control.audit.stranger(visit.now, "provider", refused.text)
        raise
    person = _admitted(visit, provider, claims, begun.asked.nonce)
    token = visit.control.sessions.open(person, visit.now, issuer=provider.settings.issuer)
    page = visit.cookie(visit.page("came.html", after=begun.after), token)
    return _keep(visit, page, "", 0)


def _admitted(visit: Visit, provider: Provider, claims: dict[str, Any], nonce: str) -> str:
    """The name of whom the claims are about, with the role they map to. Who is refused is known, and written down."""
    settings, name = provider.settings, str(claims.get(provider.settings.name, ""))
    who = Identity(issuer=settings.issuer, subject=str(claims["sub"]), name=name, nonce=nonce)
    try:
        role = settings.role(claims.get(settings.claim))
        if role is None:
            raise Forbidden("nothing that the provider says of you is a role here", fix="ask an admin")
        return visit.control.people.admit(who, role, visit.now).name
    except TemperError as error:
        subject = f"{name} ({who.subject})"[:200]
        visit.control.audit.note(visit.now, "provider", "access.refuse", subject, why=error.message)
        raise


def _begun(visit: Visit, provider: Provider) -> _Begun:
    """What this browser began, if that is what is answered here."""
    asked = visit.request.query_params
    secret, _, rest = visit.request.cookies.get(name_of_cookie(visit.secure, COOKIE), "").partition(":")
    at, _, after = rest.partition(":")
    since = visit.now - int(at) if at.isascii() and at.isdigit() and len(at) < 16 else LASTS + 1
    if not secret or not -60 <= since <= LASTS:
        raise Refused(403, NOT, "No sign-in was begun in this browser within ten minutes. Begin again.")
    begun = _Begun(Asked(secret), inside(after))
    if not hmac.compare_digest(begun.asked.state.encode(), asked.get("state", "").encode("utf-8", "replace")):
        raise Refused(403, NOT, "What came back belongs to another sign-in. Begin again.")
    if asked.get("iss", provider.settings.issuer) != provider.settings.issuer:
        raise Refused(403, NOT, "Another provider answered.")
    if "error" in asked or not asked.get("code"):
        raise Refused(403, NOT, "The provider did not let you in.")
    return begun


def _provider(visit: Visit) -> Provider:
    if visit.desk.provider is None:
        raise Refused(404, "Nothing here", "This console knows no provider of identities.")
    return visit.desk.provider


def _keep(visit: Visit, answer: Response, value: str, seconds: int) -> Response:
    answer.set_cookie(
        name_of_cookie(visit.secure, COOKIE),
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=visit.secure,
    )
    return answer
