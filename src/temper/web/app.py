"""The console as one application: every address with the right it takes, and what is true of every answer."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from temper.config.sign_in import BACK
from temper.core.errors import StoreError, Tampered, TemperError
from temper.core.review import Conflict, Forbidden, Person, Right
from temper.guard.serving.bench import Bench
from temper.guard.serving.followed import Followed
from temper.guard.spoken import Spoken
from temper.report._inert import inert
from temper.response.figures import checked
from temper.store.control import Control
from temper.store.control.people import HASHES_AT_ONCE, holders
from temper.web import (
    accuracy,
    agreement,
    alerts,
    approvals,
    assumptions,
    audit,
    bearer,
    case,
    coverage,
    dashboard,
    door,
    drift,
    drills,
    evidence,
    finding,
    fleet,
    hardening,
    health,
    incident,
    incidents,
    jobs,
    machine,
    operations,
    overview,
    pasting,
    people,
    picturing,
    playbooks,
    policies,
    probes,
    queue,
    replays,
    risk,
    run,
    runs,
    security,
    sign_in,
    threats,
    versions,
    waivers,
    workbench,
)
from temper.web.assessed import Assessed
from temper.web.board import Board
from temper.web.form import MOST_BYTES, form_of, json_of
from temper.web.headers import Headers
from temper.web.provider import Provider
from temper.web.refused import Refused
from temper.web.responder import Responder
from temper.web.rest.resource import BASE
from temper.web.rest.table import SCREENS as REST
from temper.web.visit import Desk, Screen, Visit, back_of, from_here, name_of_cookie, typed

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

AT_THE_PROVIDER = 4
OUTSIDE = ("/sign-in", BACK)
"""Where somebody else is asked, who may be slow."""
_LOG = logging.getLogger(__name__)

SCREENS = (
    Screen("GET", "/login", None, door.form),
    Screen("POST", "/login", None, door.enter),
    Screen("POST", "/logout", Right.READ, door.leave),
    Screen("GET", "/", Right.READ, overview.show),
    Screen("GET", "/now", Right.READ, overview.fragment),
    Screen("GET", "/fleet", Right.READ, fleet.show),
    Screen("GET", "/threats", Right.READ, threats.show),
    Screen("GET", "/risk", Right.READ, risk.show),
    Screen("GET", "/hardening", Right.READ, hardening.show),
    Screen("GET", "/runs", Right.READ, runs.show),
    Screen("GET", "/runs/{run}", Right.READ, run.show_run),
    Screen("GET", "/runs/{run}/figures", Right.READ, run.figures),
    Screen("GET", "/runs/{run}/findings/{finding}", Right.READ, finding.show),
    Screen("GET", "/runs/{run}/compare", Right.READ, run.compared),
    Screen("GET", "/runs/{run}/report", Right.READ, run.document),
    Screen("GET", "/runs/{run}/evidence", Right.READ, evidence.of_run),
    Screen("POST", "/runs/{run}/ask", Right.PROPOSE, approvals.ask),
    Screen("GET", "/runs/{run}/findings/{finding}/replays", Right.READ, replays.fragment),
    Screen("POST", "/runs/{run}/findings/{finding}/replay", Right.ORDER, replays.order),
    Screen("GET", "/evidence", Right.READ, evidence.show),
    Screen("POST", "/evidence/verify", Right.ORDER, evidence.verify),
    Screen("GET", "/approvals", Right.READ, approvals.show),
    Screen("GET", "/approvals/{id:int}", Right.READ, approvals.one),
    Screen("POST", "/approvals/{id:int}/approve", Right.APPROVE, approvals.approve),
    Screen("POST", "/approvals/{id:int}/reject", Right.PROPOSE, approvals.reject),
    Screen("POST", "/approvals/{id:int}/withdraw", Right.PROPOSE, approvals.withdraw),
    Screen("GET", "/waivers", Right.READ, waivers.show),
    Screen("GET", "/waivers/new", Right.PROPOSE, waivers.form),
    Screen("POST", "/waivers", Right.PROPOSE, waivers.propose),
    Screen("GET", "/waivers/{id:int}", Right.READ, waivers.one),
    Screen("POST", "/waivers/{id:int}/approve", Right.APPROVE, waivers.approve),
    Screen("POST", "/waivers/{id:int}/reject", Right.PROPOSE, waivers.reject),
    Screen("POST", "/waivers/{id:int}/end", Right.PROPOSE, waivers.end),
    Screen("GET", "/jobs", Right.READ, jobs.show),
    Screen("GET", "/jobs/now", Right.READ, jobs.fragment),
    Screen("POST", "/jobs", Right.ORDER, jobs.order),
    Screen("GET", "/jobs/{id:int}", Right.READ, jobs.one),
    Screen("GET", "/jobs/{id:int}/now", Right.READ, jobs.one_now),
    Screen("POST", "/jobs/{id:int}/again", Right.ORDER, jobs.again),
    Screen("GET", "/workbench", Right.ORDER, workbench.show),
    Screen("POST", "/workbench", Right.ORDER, workbench.look, fields=workbench.FIELDS, size=workbench.BYTES),
    Screen("POST", "/workbench/now", Right.ORDER, workbench.fragment, fields=workbench.FIELDS, size=workbench.BYTES),
    Screen("GET", "/workbench/rows", Right.ORDER, pasting.show),
    Screen("POST", "/workbench/rows", Right.ORDER, pasting.look, fields=pasting.FIELDS, size=pasting.BYTES, file=True),
    Screen("POST", "/workbench/picture", Right.ORDER, picturing.taken, file=True),
    Screen("GET", "/probes", Right.READ, probes.show),
    Screen("POST", "/probes", Right.ORDER, probes.save, fields=workbench.FIELDS, size=workbench.BYTES),
    Screen("POST", "/probes/rows", Right.ORDER, pasting.save, fields=pasting.FIELDS, size=pasting.BYTES, file=True),
    Screen("GET", "/probes/{id:int}", Right.READ, probes.one),
    Screen("GET", "/probes/{id:int}/machine", Right.READ, machine.fragment),
    Screen("POST", "/probes/{id:int}/hand", Right.ORDER, machine.order),
    Screen("POST", "/probes/{id:int}/rate", Right.ORDER, probes.rate),
    Screen("GET", "/assumptions", Right.READ, assumptions.show),
    Screen("POST", "/assumptions", Right.ORDER, assumptions.write),
    Screen("POST", "/assumptions/{id:int}/challenge", Right.ORDER, assumptions.challenge),
    Screen("GET", "/coverage", Right.READ, coverage.show),
    Screen("GET", "/probes/report", Right.ORDER, coverage.document),
    Screen("GET", "/queue", Right.READ, queue.show),
    Screen("POST", "/queue/next", Right.DECIDE, queue.claim_next),
    Screen("GET", "/cases/{id:int}", Right.READ, case.show),
    Screen("POST", "/cases/{id:int}/claim", Right.DECIDE, case.claim),
    Screen("POST", "/cases/{id:int}/release", Right.DECIDE, case.release),
    Screen("POST", "/cases/{id:int}/renew", Right.DECIDE, case.renew),
    Screen("POST", "/cases/{id:int}/decide", Right.DECIDE, case.decide),
    Screen("GET", "/dashboard", Right.READ, dashboard.show),
    Screen("GET", "/dashboard/figures", Right.READ, dashboard.fragment),
    Screen("GET", "/dashboard/drill", Right.READ, drills.fragment),
    Screen("GET", "/drills/{id:int}", Right.READ, drills.show),
    Screen("GET", "/monitoring", Right.READ, health.show),
    Screen("GET", "/monitoring/now", Right.READ, health.fragment),
    Screen("GET", "/monitoring/drift", Right.READ, drift.show),
    Screen("GET", "/monitoring/drift/now", Right.READ, drift.fragment),
    Screen("GET", "/monitoring/accuracy", Right.READ, accuracy.show),
    Screen("GET", "/monitoring/accuracy/now", Right.READ, accuracy.fragment),
    Screen("GET", "/monitoring/security", Right.READ, security.show),
    Screen("GET", "/monitoring/security/now", Right.READ, security.fragment),
    Screen("GET", "/monitoring/alerts", Right.READ, alerts.show),
    Screen("GET", "/monitoring/alerts/now", Right.READ, alerts.fragment),
    Screen("GET", "/monitoring/alert", Right.READ, alerts.one),
    Screen("POST", "/monitoring/alert/take", Right.DECIDE, alerts.take),
    Screen("POST", "/monitoring/alert/silence", Right.RESPOND, alerts.silence),
    Screen("GET", "/incidents", Right.READ, incidents.show),
    Screen("POST", "/incidents", Right.RESPOND, incidents.begin),
    Screen("GET", "/incidents/{id:int}", Right.READ, incident.show),
    Screen("GET", "/incidents/{id:int}/timeline", Right.READ, incident.fragment),
    Screen("GET", "/incidents/{id:int}/playbooks/{name}", Right.RESPOND, playbooks.show),
    Screen("POST", "/incidents/{id:int}/playbooks/{name}/try", Right.RESPOND, playbooks.tried),
    Screen("POST", "/incidents/{id:int}/playbooks/{name}/run", Right.OPERATE, playbooks.run),
    Screen("POST", "/incidents/{id:int}/answer", Right.OPERATE, playbooks.answer),
    Screen("GET", "/incidents/{id:int}/report", Right.READ, incidents.document),
    Screen("POST", "/incidents/{id:int}/note", Right.RESPOND, incidents.note),
    Screen("POST", "/incidents/{id:int}/change", Right.RESPOND, incidents.change),
    Screen("POST", "/incidents/{id:int}/close", Right.RESPOND, incidents.close),
    Screen("GET", "/agreement", Right.AUDIT, agreement.show),
    Screen("GET", "/audit", Right.AUDIT, audit.show),
    Screen("GET", "/policies", Right.PROPOSE, policies.show),
    Screen("GET", "/policies/{id:int}", Right.PROPOSE, policies.one),
    Screen("POST", "/policies/{id:int}/approve", Right.APPROVE, policies.approve),
    Screen("POST", "/policies/{id:int}/reject", Right.PROPOSE, policies.reject),
    Screen("POST", "/policies/rollback", Right.APPROVE, policies.rollback),
    Screen("GET", "/operations", Right.OPERATE, operations.show),
    Screen("POST", "/operations/breaker", Right.OPERATE, operations.breaker),
    Screen("POST", "/operations/kill", Right.OPERATE, operations.kill),
    Screen("POST", "/operations/model", Right.OPERATE, versions.back),
    Screen("GET", "/people", Right.ADMINISTER, people.show),
    Screen("GET", "/keys", Right.ADMINISTER, people.keys),
    Screen("GET", "/sign-in", None, sign_in.begin),
    Screen("GET", BACK, None, sign_in.back),
    *REST,
)


def console(
    control: Control,
    *,
    clock: Callable[[], float] = time.time,
    gateway_metrics_url: str = "",
    title: str = "Temper",
    responder: Responder | None = None,
    assessed: Assessed | None = None,
    provider: Provider | None = None,
    board: Board | None = None,
    bench: Bench | Spoken | None = None,
) -> Starlette:
    """The application on this control store. `clock` gives seconds since 1970; with `gateway_metrics_url` the dashboard
    shows what a gateway says of itself; without a `responder` it runs no playbooks, and without what is `assessed` it
    shows no runs. With a `provider` people may sign in by it too, with a `bench` they try rows or prompts by hand, and
    the fleet is what a `board` shows, else the systems of the store.
    """
    from anyio import CapacityLimiter
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.routing import Route

    style = _style()
    desk = Desk(
        control=control,
        clock=clock,
        title=title,
        metrics=checked(gateway_metrics_url),
        pages=_pages(),
        style=f"/style.{hashlib.sha256(style.encode()).hexdigest()[:16]}.css",
        door=CapacityLimiter(HASHES_AT_ONCE),
        responder=responder,
        assessed=assessed,
        provider=provider,
        board=board or (Board(assessed, control=control) if assessed else None),
        outside=CapacityLimiter(AT_THE_PROVIDER),
        bench=Followed(own=bench) if isinstance(bench, Bench) else None,
        spoken=bench if isinstance(bench, Spoken) else None,
    )
    routes = [Route(one.path, partial(_answer, desk, one), methods=[one.method]) for one in SCREENS]
    return Starlette(
        routes=[*routes, Route(desk.style, partial(_styled, style))],
        middleware=[Middleware(Headers)],
        exception_handlers={HTTPException: partial(_nowhere, desk)},
    )


async def _answer(desk: Desk, screen: Screen, request: Request) -> Response:
    """The form is read here, everything else happens in a thread: the store and argon2 wait."""
    from anyio.to_thread import run_sync

    visit = _visit(desk, request, None, {})
    try:
        if screen.method == "POST" and screen.programs:
            visit = replace(visit, body=await json_of(request))
        elif screen.method == "POST":
            known = screen.size <= MOST_BYTES or await run_sync(visit.signed_in)
            size = screen.size if known else MOST_BYTES
            visit = replace(visit, form=await form_of(request, screen.fields, size, file=screen.file))
    except Refused as refused:
        return _refusal(visit, refused)
    limiter = desk.door if screen.answer is door.enter else desk.outside if screen.path in OUTSIDE else None
    return await run_sync(_answered, visit, screen, limiter=limiter)


def _answered(visit: Visit, screen: Screen) -> Response:
    try:
        visit = _known(visit, screen)
        if screen.right is not None and visit.person is None:
            return _to_the_door(visit, screen)
        _allowed(visit, screen)
        return screen.answer(visit)
    except Refused as refused:
        return _refusal(visit, refused)
    except TemperError as error:
        return _refusal(visit, _meant(error, visit, screen))
    except Exception as crash:  # what went wrong may quote a case, so only its kind is logged, and none of it is shown
        _LOG.error("a page failed: %s", type(crash).__name__)
        return _refusal(visit, Refused(500, "The console failed", "Look at the case again before you repeat anything."))


def _known(visit: Visit, screen: Screen) -> Visit:
    """With who asks, by the token of a program where there is one, else by the session of a browser."""
    if (token := bearer.token_of(visit.request)) is not None:
        return bearer.admitted(visit, token, screen)
    if screen.programs:
        raise Refused(
            401, "This takes a token", "Programs send one: `Authorization: Bearer ...`, see `temper keys lend`."
        )
    return replace(visit, person=visit.control.sessions.find(visit.token, visit.now) if visit.token else None)


def _allowed(visit: Visit, screen: Screen) -> None:
    """Refuses who has not the right, and a form that another page or another session has sent."""
    if screen.right is not None and not visit.may(screen.right):
        bearer.refused(visit, screen, "has not the right", right=screen.right)
        lent = "a token with the scope " + screen.right if visit.key else f"the role {holders(screen.right)}"
        raise Refused(403, "Not for you", f"This takes {lent}. Ask an admin if you need it.")
    if screen.method == "POST" and visit.key is None and not from_here(visit.token, visit.form):
        raise Refused(403, "This form is too old", "It belongs to another session. Open the page again and repeat it.")
    bearer.noted(visit, screen)


def _visit(desk: Desk, request: Request, person: Person | None, form: Mapping[str, str]) -> Visit:
    token = request.cookies.get(name_of_cookie(request.url.scheme == "https"), "")
    return Visit(desk=desk, request=request, now=desk.clock(), token=token, person=person, form=form)


def _to_the_door(visit: Visit, screen: Screen) -> Response:
    path = visit.request.url.path
    asked = path if screen.method == "GET" else "/"
    return visit.go(f"/login?next={quote(asked)}")


def _meant(error: TemperError, visit: Visit, screen: Screen) -> Refused:
    """What the store refused, as a page. Its sentences name what was asked, so they are made harmless."""
    request = visit.request
    case = str(request.path_params.get("id", "")) if request.url.path.startswith("/cases/") else ""
    said = [part[:1].upper() + part[1:].rstrip(".") + "." for part in (error.message, error.fix) if part]
    text = inert(" ".join(said))
    if isinstance(error, Conflict):
        return Refused(409, "Something has changed meanwhile", text, case)
    if isinstance(error, Forbidden):
        bearer.refused(visit, screen, text)
        return Refused(403, "Not for you", text)
    if isinstance(error, Tampered):
        return Refused(423, "The evidence was changed", text)
    if isinstance(error, StoreError):
        _LOG.error("the control store failed: %s", type(error).__name__)
        return Refused(503, "The store does not answer", "Nothing was changed. Try again in a minute.")
    return Refused(422, "That cannot be done", text)


def _refusal(visit: Visit, refused: Refused) -> Response:
    if bearer.token_of(visit.request) is not None or visit.request.url.path.startswith(f"{BASE}/"):
        return bearer.told(visit, refused)
    shown, wrote = None, ""
    if refused.case and visit.person is not None:
        wrote = visit.form.get("reason", "")
        with suppress(Refused, TemperError):  # the page is about the first trouble, not about the next
            shown = case.brief(visit, int(refused.case))
    about = {
        "status": refused.status,
        "heading": refused.heading,
        "text": refused.text,
        "case": shown,
        "written": wrote,
        "back": back_of(visit) if refused.status in (409, 422, 423) else "",
        "typed": typed(visit.form) if refused.status in (403, 409, 422, 423) else [],
    }
    response = visit.page("message.html", refused.status, **about)
    if refused.status == 503:
        response.headers["retry-after"] = "30"
    return response


async def _nowhere(desk: Desk, request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    text = "There is no page at this address." if status == 404 else "This address does not take that."
    return _refusal(_visit(desk, request, None, {}), Refused(status, "Nothing here", text))


async def _styled(style: str, request: Request) -> Response:
    from starlette.responses import Response

    kept = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(style, media_type="text/css", headers=kept)


def _style() -> str:
    """The report's style and what a console needs beyond it."""
    report = files("temper.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
    return report + files("temper.web").joinpath("templates", "console.css").read_text(encoding="utf-8")


@cache
def _pages() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import escape

    pages = Environment(
        loader=PackageLoader("temper.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.finalize = _harmless
    pages.filters["exact"] = escape
    return pages


def _harmless(value: Any) -> Any:
    """Everything that is not this console's own markup or figure is made inert before it is escaped."""
    return value if hasattr(value, "__html__") or isinstance(value, int | float) else inert(value, 25_000)
