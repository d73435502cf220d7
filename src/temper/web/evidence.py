"""The evidence: whether it still is what the ledger was told, what is deployed and where that comes from, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from temper.core.errors import StoreError
from temper.core.review import Right
from temper.core.run import Record
from temper.store.control.deployed import deployed
from temper.store.evidence import held, said
from temper.store.evidence.following import follow
from temper.store.evidence.ledger import Evidence
from temper.store.evidence.lineage import lineage
from temper.store.ledger import checkpoint as notes
from temper.store.ledger.record import decode
from temper.store.ledger.verify import records, size
from temper.web import approvals, assessed, moments, run
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PAGE, RUNS, FAULTS = 20, 20, 20
PAGES = {"approval": "approvals", "incident": "incidents", "policy": "policies", "waiver": "waivers"}
"""Where what people did is shown."""
ORDER = ("data", "code", "libraries", "model", "run", "ledger", "approval", "deployment")


def show(visit: Visit) -> Response:
    """What the ledger holds and whether that holds; it is verified when somebody asks, because that reads all of it."""
    store, page = visit.assessed.store, visit.number("page")
    many = size(store.evidence.path) if store.evidence.path.exists() else 0
    return visit.page(
        "evidence.html",
        tabs=assessed.EVIDENCE,
        tab="/evidence",
        faults=visit.assessed.faults,
        last=_last(visit, many),
        may_verify=visit.may(Right.ORDER) and many,
        many=many,
        runs=store.counted(),
        root=_root(store.evidence),
        chains=_deployed(visit),
        verdicts=_verdicts(visit),
        lines=_lines(store.evidence, many, page),
        page=page,
        more=many > page * PAGE,
    )


def verify(visit: Visit) -> Response:
    """Hold ledger, runs and what people did against each other. What does not hold makes the store read-only."""
    store, control = visit.assessed.store, visit.control
    if not visit.assessed.faults:
        follow(store.evidence, control, int(visit.now * 1e9))
    found = held.hold(store, control)
    told = {"holds": found.holds, "faults": found.faults[:FAULTS], "notices": found.notices[:FAULTS]}
    many = 0 if found.log is None else found.log.size
    root = "" if found.log is None else found.log.root.hex()
    control.audit.verified(visit.me.name, visit.now, **told, records=many, root=root)
    return visit.go("/evidence", "verified" if found.holds else "")


def of_run(visit: Visit) -> Response:
    """One run: where it comes from and went, whether it is what the ledger was told, and its approvals."""
    record = run.found(visit)
    asked = visit.control.approvals.of(run=record.id)
    policy = visit.assessed.policy
    return run.page(
        visit,
        record,
        "run_evidence.html",
        "/evidence",
        faults=visit.assessed.faults,
        links=chain(visit, record),
        approvals=[approvals.line(one) for one in asked],
        policy=policy,
        mine=record.author == visit.me.name,
        may_ask=visit.may(approvals.ASKS)
        and record.state == "finished"
        and not any(one.state == "open" for one in asked),
    )


def chain(visit: Visit, record: Record) -> list[dict[str, Any]]:
    """The lineage of a run, the links of one kind together."""
    found: dict[str, list[dict[str, str]]] = {kind: [] for kind in ORDER}
    for one in lineage(visit.assessed.store, visit.control, record):
        found[one.kind].append({"told": one.told, "digest": one.digest})
    return [{"kind": kind, "parts": parts} for kind, parts in found.items() if parts]


def _deployed(visit: Visit) -> list[dict[str, Any]]:
    """What answers and what is on trial, each with the run of exactly this model that was approved, else the newest;
    where nothing was deployed, the newest run.
    """
    store, now = visit.assessed.store, deployed(visit.control)
    found = []
    for mode, value in (("answers", now.live), (now.trial["mode"] if now.trial else "", now.trial)):
        if value is not None:
            digest = str(value["digest"])
            runs = [one.run for one in store.outlines(1, model=digest, state="finished")]
            runs = [one.about.run for one in visit.control.approvals.standing(digest, signed=False)] or runs
            found.append(_chain(visit, f"{value['name']} ({mode})", digest, runs))
    if now.live is None:
        runs = [one.run for one in store.outlines(1, system=visit.assessed.system, state="finished")]
        found.append(_chain(visit, "the newest run", "", runs) | {"undeployed": True})
    return found


def _chain(visit: Visit, name: str, digest: str, runs: Sequence[str]) -> dict[str, Any]:
    links = chain(visit, visit.assessed.store.run(runs[0])) if runs else []
    return {"name": name, "digest": digest, "run": runs[0] if runs else "", "links": links, "undeployed": False}


def _verdicts(visit: Visit) -> list[dict[str, Any]]:
    """The newest runs of this system with what became of each: asked, approved, deployed."""
    asked: dict[str, Any] = {}
    for one in reversed(visit.control.approvals.page(200)):
        asked[one.about.run] = approvals.line(one)
    put = {str(one.value.get("digest", "")) for one in visit.control.records.history("model") if one.value}
    none = assessed.Standing(known={}, stale=())
    return [
        assessed.line(one, none, "")
        | {"approval": asked.get(one.run), "deployed": bool(one.model) and one.model in put}
        for one in visit.assessed.store.outlines(RUNS, system=visit.assessed.system)
    ]


def _last(visit: Visit, many: int) -> dict[str, Any] | None:
    """What the last verification found, and how much came since."""
    entry = visit.control.audit.verification()
    if entry is None:
        return None
    detail = entry.detail
    return {
        "holds": bool(detail["holds"]),
        "who": entry.who,
        "at": moments.clock(entry.at),
        "ago": moments.ago(entry.at, visit.now),
        "records": int(detail["records"]),
        "since": max(0, many - int(detail["records"])),
        "notices": [str(one) for one in detail["notices"]],
    }


def _root(evidence: Evidence) -> str:
    """The root under the last signed checkpoint: what to keep somewhere else."""
    if not evidence.public.exists():
        return ""
    key = notes.public_key(evidence.public)
    last = notes.opened(notes.last_note(evidence.checkpoints, key), key)
    return "" if last is None else last.root.hex()


def _lines(evidence: Evidence, many: int, page: int) -> list[dict[str, Any]]:
    """Records from the end, the newest first. One that cannot be read is said to be so: it takes no page away."""
    end = many - PAGE * (page - 1)
    start = max(0, end - PAGE)
    if end <= 0:
        return []
    return [_line(data) for seq, data in records(evidence.path, start) if seq < end][::-1]


def _line(data: bytes) -> dict[str, Any]:
    record = decode(data)
    try:
        told = _said(record)
    except StoreError:
        told = {"what": "it cannot be read", "who": "", "name": "", "href": ""}
    at = moments.clock(record.wall / 1e9) if record.wall else "–"
    return {"seq": record.seq, "at": at, "kind": record.kind} | told


def _said(record: Any) -> dict[str, str]:
    if record.kind == said.RUN:
        one = said.told_run(record)
        late = ", told late" if one.late else ""
        told = f"{one.verdict.upper()}, {one.state}{late}"
        return {"name": f"run {one.run}", "href": f"/runs/{one.run}/evidence", "what": told, "who": one.author}
    if record.kind == said.TASKS:
        many = len(said.told_tasks(record).found)
        told = f"{many:,} finished {'task' if many == 1 else 'tasks'}, from which later runs are answered"
        return {"name": "", "href": "", "what": told, "who": "Temper"}
    change = said.told_change(record)
    kind, _, verb = change.action.partition(".")
    page = PAGES.get(kind, "") if change.subject.isdigit() else ""
    href = f"/{page}/{change.subject}" if page else ""
    return {"name": f"{kind} {change.subject}", "href": href, "what": verb, "who": change.who}
