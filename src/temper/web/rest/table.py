"""Every address for programs, with the right it takes: what is not in this table does not exist for them."""

from __future__ import annotations

from temper.core.review import Right
from temper.web.rest import depths, fleet, governance, measured, operations, runs, views
from temper.web.rest.openapi import document
from temper.web.rest.resource import LIMIT, OFFSET, Resource
from temper.web.visit import Screen, Visit

_OPEN = ("open", "1: only what is still open.")
_FILTERS = (
    ("system", "Only of this system."),
    ("suite", "Only of this suite."),
    ("verdict", "Only with this verdict."),
    ("state", "finished, stopped or failed."),
)


def _described(visit: Visit) -> dict[str, object]:
    return document(RESOURCES)


def _get(path: str, right: Right, does: str, answer: object, gives: object, *asks: tuple[str, str]) -> Resource:
    return Resource(method="GET", path=path, right=right, does=does, answer=answer, gives=gives, asks=asks)  # type: ignore[arg-type]


def _post(path: str, right: Right, does: str, answer: object, gives: object, takes: object = None) -> Resource:
    return Resource(method="POST", path=path, right=right, does=does, answer=answer, gives=gives, takes=takes)  # type: ignore[arg-type]


RESOURCES: tuple[Resource, ...] = (
    _get("/openapi.json", Right.READ, "This description.", _described, None),
    _get("/me", Right.READ, "Whose program asks, and what it may do.", governance.me, views.Me),
    _get("/fleet", Right.READ, "Every system of the fleet as it stands.", fleet.fleet, views.Fleet),
    _get("/runs", Right.READ, "Runs, the newest first.", runs.runs, views.Runs, *_FILTERS, LIMIT, OFFSET),
    _get("/runs/{run}", Right.READ, "A whole run, in the format temper.report/1.", runs.run, None),
    _get("/runs/{run}/findings", Right.READ, "What a run has found.", runs.findings, tuple[views.Finding, ...]),
    _get("/evidence", Right.READ, "The evidence that counts, and what of it is stale.", runs.standing, views.Standing),
    _get(
        "/jobs",
        Right.READ,
        "Orders and what became of them, the newest first.",
        runs.ordered,
        tuple[views.Job, ...],
        ("state", "waiting, running, done or failed."),
        LIMIT,
        OFFSET,
    ),
    _get("/jobs/{id:int}", Right.READ, "How an order stands.", runs.job, views.Job),
    _post("/jobs", Right.ORDER, "Order an assessment, once for each key.", runs.order, views.Job, views.Ordered),
    _post("/jobs/{id:int}/again", Right.ORDER, "Let an order that is over be made anew.", runs.again, views.Job),
    _get(
        "/depths",
        Right.READ,
        "What the layers of a guard were measured to be worth, the newest first.",
        depths.depths,
        tuple[measured.Depth, ...],
        _FILTERS[0],
        LIMIT,
        OFFSET,
    ),
    _get("/depths/{depth}", Right.READ, "A whole measurement, in the format temper.depth/1.", depths.depth, None),
    _post(
        "/depths",
        Right.ORDER,
        "Order layers to be weighed, once for each key.",
        depths.order,
        views.Job,
        measured.Weighed,
    ),
    _get(
        "/probes",
        Right.READ,
        "What people tried by hand, the newest first.",
        depths.probes,
        tuple[measured.Probe, ...],
        LIMIT,
        OFFSET,
    ),
    _get("/probes/{id:int}", Right.READ, "One of them.", depths.probe, measured.Probe),
    _get(
        "/approvals",
        Right.READ,
        "Runs that were put up for approval.",
        governance.approvals,
        tuple[views.Approval, ...],
        LIMIT,
    ),
    _get("/approvals/{id:int}", Right.READ, "One of them.", governance.approval, views.Approval),
    _get(
        "/waivers",
        Right.READ,
        "Requirements that may fail for a time.",
        governance.waivers,
        tuple[views.Waiver, ...],
        _FILTERS[0],
        ("state", "proposed, approved, rejected or ended."),
        LIMIT,
    ),
    _get(
        "/incidents",
        Right.READ,
        "Incidents, those that are open first.",
        operations.incidents,
        tuple[views.Incident, ...],
        _OPEN,
        LIMIT,
        OFFSET,
    ),
    _get("/incidents/{id:int}", Right.READ, "One with its timeline.", operations.incident, views.Incident),
    _post("/incidents", Right.RESPOND, "Open an incident.", operations.opened, views.Incident, views.Opened),
    _post(
        "/incidents/{id:int}/notes",
        Right.RESPOND,
        "Add a line to its timeline.",
        operations.noted,
        views.Incident,
        views.Note,
    ),
    _get("/alerts", Right.READ, "Alerts, the newest first.", operations.alerts, tuple[views.Alert, ...], _OPEN, LIMIT),
    _get(
        "/windows",
        Right.READ,
        "The latest windows of each feed that is watched.",
        operations.windows,
        tuple[views.Window, ...],
        ("feed", "Only of this feed."),
        LIMIT,
    ),
    _get("/drills", Right.READ, "The latest drills.", operations.drills, tuple[views.Drill, ...], LIMIT),
    _get(
        "/audit",
        Right.AUDIT,
        "Who did what, the newest first.",
        governance.audit,
        tuple[views.Entry, ...],
        ("before", "Only what came before this `seq`."),
        LIMIT,
    ),
)
SCREENS: tuple[Screen, ...] = tuple(one.screen for one in RESOURCES)
