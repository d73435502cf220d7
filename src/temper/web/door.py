"""Logging in and out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from temper.web.visit import Visit, fresh

if TYPE_CHECKING:
    from starlette.responses import Response

# A way inside this console and nowhere else: `//host` and `/\host` are other hosts to a browser.
_INSIDE = re.compile(r"/[a-z][a-z0-9/]*|/")
WRONG = "Name and password do not fit together, or this name has to wait after too many tries."


def form(visit: Visit) -> Response:
    """The form, with a secret for the browser so that no other site can send it."""
    if visit.person is not None:
        return visit.go("/")
    return _form(visit, visit.request.query_params.get("next", "/"))


def enter(visit: Visit) -> Response:
    """Check the password; the session gets a secret of its own, never the one the browser came with."""
    name, password = visit.form.get("name", "").strip(), visit.form.get("password", "")
    known = name if name.isprintable() else ""  # a database may refuse to look for what nobody is called
    person = visit.control.people.check(known, password, visit.now)
    if person is None:
        return _form(visit, visit.form.get("next", "/"), status=403, name=name[:200], wrong=WRONG)
    token = visit.control.sessions.open(person.name, visit.now)
    return visit.cookie(visit.go(inside(visit.form.get("next", "/"))), token)


def leave(visit: Visit) -> Response:
    """End the session here and in the store."""
    visit.control.sessions.close(visit.token, visit.now)
    return visit.cookie(visit.go("/login", "out"), fresh())


def _form(visit: Visit, after: str, status: int = 200, **context: Any) -> Response:
    known = visit if visit.token else replace(visit, token=fresh())
    about: dict[str, Any] = {"next": inside(after), "name": "", "wrong": "", "nobody": not visit.control.people.all()}
    about["provider"] = visit.desk.provider.host if visit.desk.provider else ""
    page = known.page("login.html", status, **about | context)
    return known.cookie(page, known.token)


def inside(path: str) -> str:
    """The page to go on to: a page of this console, or its beginning.

    >>> inside("/runs/7"), inside("//evil.example"), inside("/login"), inside("/sign-in/back")
    ('/runs/7', '/', '/', '/')
    """
    return path if _INSIDE.fullmatch(path) and not path.startswith("/login") else "/"
