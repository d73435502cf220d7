"""One request to the console: who asks, with what right, and how it is answered."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from temper.core.errors import TemperError
from temper.core.review import Person, Right
from temper.store.codec import to_json
from temper.store.control import Control
from temper.store.control.keys import Key
from temper.store.control.wording import title
from temper.web.form import MOST_BYTES, MOST_FIELDS
from temper.web.refused import Refused

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from jinja2 import Environment
    from starlette.requests import Request
    from starlette.responses import Response

    from temper.guard.serving.bench import Bench
    from temper.guard.serving.followed import Followed
    from temper.guard.spoken import Spoken
    from temper.web.assessed import Assessed
    from temper.web.board import Board
    from temper.web.provider import Provider
    from temper.web.responder import Responder

COOKIE = "temper_session"
LONGEST = 2_000
SECTIONS = (
    ("/", "Overview", Right.READ),
    ("/fleet", "Fleet", Right.READ),
    ("/threats", "Threats", Right.READ),
    ("/runs", "Runs", Right.READ),
    ("/probes", "Probes", Right.READ),
    ("/evidence", "Evidence", Right.READ),
    ("/queue", "Queue", Right.READ),
    ("/dashboard", "Dashboard", Right.READ),
    ("/monitoring", "Monitoring", Right.READ),
    ("/incidents", "Incidents", Right.READ),
    ("/policies", "Policies", Right.PROPOSE),
    ("/agreement", "Agreement", Right.AUDIT),
    ("/audit", "Audit", Right.AUDIT),
    ("/operations", "Operations", Right.OPERATE),
    ("/people", "People", Right.ADMINISTER),
    ("/keys", "Keys", Right.ADMINISTER),
)
INSIDE = {
    **{"cases": "queue", "drills": "dashboard", "jobs": "runs", "hardening": "runs", "risk": "threats"},
    **{
        "approvals": "evidence",
        "waivers": "evidence",
        "workbench": "probes",
        "assumptions": "probes",
        "coverage": "probes",
    },
}
"""Pages that belong to a section of another name."""
SAID = {
    "ordered": "It is ordered: a worker takes it when it is due.",
    "decided": "Your decision is recorded.",
    "released": "The case is back in the queue.",
    "empty": "Nothing is waiting for you.",
    "breaker": "The breaker is set.",
    "kill": "The kill switch is set.",
    "noted": "Your line is in the timeline.",
    "changed": "The incident is changed.",
    "closed": "The incident is closed.",
    "taken": "You look after this alert.",
    "silenced": "Nothing is sent of it until then.",
    "begun": "The playbook runs.",
    "model": "Gateways go back to the model before.",
    "approved": "The policy is in force.",
    "asked": "The run is up for approval: somebody else has to approve it.",
    "signed": "Your word is recorded.",
    "turned": "It is turned down.",
    "withdrawn": "The approval is withdrawn.",
    "waived": "The waiver counts from the next assessment on.",
    "proposed": "The waiver is proposed: somebody else has to approve it.",
    "ended": "The waiver counts no more.",
    "probed": "The probe is saved.",
    "many": "The probes are saved.",
    "rated": "Your rating is recorded, and stands.",
    "assumed": "The assumption is written down.",
    "challenged": "Your challenge is recorded.",
    "verified": "The evidence was held against its ledger.",
    "rejected": "The policy is rejected.",
    "back": "The policy before is in force again.",
    "out": "You are logged out.",
}
"""Sentences a page shows after what was asked; an address carries only the word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every request shares. `style` is the address of the style sheet, which changes with it,
    `door` how many may have their password checked at once: argon2 is slow on purpose, and nobody else waits for it.
    `responder` runs playbooks, None where this console runs none; `assessed` is None where it knows no runs,
    and `board` has the systems beside it. A `provider` of identities may keep as many waiting as fit through `outside`.
    On the `bench` rows are tried by hand, and before the guard that is `spoken` to prompts; None where nobody has said
    so.
    """

    control: Control
    clock: Callable[[], float]
    title: str
    metrics: str
    pages: Environment
    style: str
    door: CapacityLimiter
    responder: Responder | None
    assessed: Assessed | None
    provider: Provider | None
    board: Board | None
    outside: CapacityLimiter
    bench: Followed | None
    spoken: Spoken | None


@dataclass(frozen=True, slots=True)
class Screen:
    """One address. `right` is what it takes, None for anybody: there is no default. Either people in a browser ask it,
    or, where `programs` says so, their programs: never both. A form has up to `fields` fields and `size` bytes, and a
    file only where one is expected.
    """

    method: str
    path: str
    right: Right | None
    answer: Callable[[Visit], Response]
    programs: bool = False
    fields: int = MOST_FIELDS
    size: int = MOST_BYTES
    file: bool = False


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request. `token` is the secret in the browser's cookie, `person` whose session it opens; a program of theirs
    has a `key` instead of a cookie, does what that lends it, and sends a `body` where a browser sends a form.
    """

    desk: Desk
    request: Request
    now: float
    token: str
    person: Person | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    key: Key | None = None
    body: bytes = b""

    @property
    def control(self) -> Control:
        """The control store."""
        return self.desk.control

    @property
    def me(self) -> Person:
        """Who asks."""
        if self.person is None:
            raise Refused(401, "Nobody is logged in", "Log in first.")
        return self.person

    @property
    def assessed(self) -> Assessed:
        """What is assessed."""
        if self.desk.assessed is None:
            raise Refused(404, "No runs here", "This console was started without a temper.yaml.")
        return self.desk.assessed

    @cached_property
    def bench(self) -> Bench:
        """What rows are tried on, as it judges now."""
        if self.desk.bench is None:
            raise Refused(
                404, "No workbench here", "Start the console with --workbench temper.yaml to try rows by hand."
            )
        return self.desk.bench.now(self.control)

    @cached_property
    def secure(self) -> bool:
        """Whether the browser came over TLS."""
        return bool(self.request.url.scheme == "https")

    def signed_in(self) -> bool:
        """Whether a session holds; where its store is away it does not, and whoever answers says so."""
        try:
            return bool(self.token) and self.control.sessions.find(self.token, self.now) is not None
        except TemperError:
            return False

    def may(self, right: Right) -> bool:
        """Whether who asks has this right; a program has it where its person has it too."""
        return self.person is not None and self.person.may(right) and (self.key is None or self.key.lends(right))

    def text(self, name: str) -> str:
        """A field of the form that has to be filled."""
        found = self.form.get(name, "").strip()
        if not found or len(found) > LONGEST:
            raise Refused(422, "Something is missing", f"Fill in {name!r}, with up to {LONGEST:,} characters.")
        return found

    def line(self, name: str) -> str:
        """The same in one line, as short as a title."""
        return title(self.text(name))

    def number(self, name: str) -> int:
        """A number of the address, 1 or more; 1 where it is none."""
        found = self.request.query_params.get(name, "")
        return max(1, int(found)) if found.isascii() and found.isdigit() and len(found) < 9 else 1

    def whole(self, name: str) -> int:
        """A field of the form that is a whole number."""
        found = self.text(name)
        if not (found.isascii() and found.isdigit() and len(found) < 16):
            raise Refused(422, "Something is missing", f"{name!r} is no whole number.")
        return int(found)

    def page(self, name: str, status: int = 200, /, **context: Any) -> Response:
        """A page from its template."""
        from starlette.responses import HTMLResponse

        first = self.request.url.path.split("/")[1]
        sections = [(path, title) for path, title, right in SECTIONS if self.may(right)]
        if self.desk.board is None or not self.desk.board.many:
            sections = [(path, title) for path, title in sections if path != "/fleet"]
        shared = {
            "title": self.desk.title,
            "style": self.desk.style,
            "nonce": self.request.scope["nonce"],
            "person": self.person,
            "sections": sections,
            "here": f"/{INSIDE.get(first, first)}",
            "csrf": csrf(self.token),
            "said": SAID.get(self.request.query_params.get("said", ""), ""),
        }
        return HTMLResponse(self.desk.pages.get_template(name).render(shared | context), status)

    def plain(self, document: Mapping[str, Any], status: int = 200) -> Response:
        """What a program reads: JSON, with its keys in order."""
        from starlette.responses import Response

        return Response(to_json(dict(document)), status, media_type="application/json")

    def go(self, path: str, said: str = "") -> Response:
        """On to another page, so that going back asks nothing twice."""
        from starlette.responses import RedirectResponse

        return RedirectResponse(f"{path}{'&' if '?' in path else '?'}said={said}" if said else path, 303)

    def cookie(self, response: Response, token: str) -> Response:
        """The answer, with a secret for the browser to keep from every script and every other site."""
        response.set_cookie(
            name_of_cookie(self.secure), token, path="/", httponly=True, samesite="strict", secure=self.secure
        )
        return response


def name_of_cookie(secure: bool, name: str = COOKIE) -> str:
    """Over TLS the name itself keeps another host or an unprotected page from setting it."""
    return f"__Host-{name}" if secure else name


def csrf(token: str) -> str:
    """The word every form of a session carries; from it nobody learns the session's secret.

    >>> csrf("a") == csrf("a"), csrf("a") == csrf("b")
    (True, False)
    """
    return hmac.new(token.encode(), b"temper form", hashlib.sha256).hexdigest()


def from_here(token: str, form: Mapping[str, str]) -> bool:
    """Whether a form is one this console gave to this browser."""
    return bool(token) and hmac.compare_digest(csrf(token).encode(), form.get("csrf", "").encode("utf-8", "replace"))


TYPED = ("owner", "until", "reason", "note", "why", "text", "hypothesis")
"""Fields that somebody has typed, and gets back where the form was refused."""


def typed(form: Mapping[str, str]) -> list[tuple[str, str]]:
    """What was written into a form, to be copied."""
    return [(name, form[name]) for name in TYPED if form.get(name, "").strip()]


def back_of(visit: Visit) -> str:
    """The page that a form was on: its address without the verb at its end. "" where that is no page."""
    path = visit.request.url.path
    if visit.request.method != "POST" or visit.person is None or path.startswith("/monitoring/"):
        return ""
    return path.rpartition("/")[0] or path


def fresh() -> str:
    """A secret for a browser that has none."""
    return secrets.token_urlsafe(32)
