"""The audit of the control store: whether it holds together, and its latest rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.report._inert import inert
from temper.store.control.audit import Entry
from temper.web import moments
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

PAGE = 50
MOST_FAULTS = 20


def show(visit: Visit) -> Response:
    """The newest rows; the whole chain is walked when somebody asks for it, because that takes time."""
    asked = visit.request.query_params
    before = asked.get("before", "")
    end = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
    rows = visit.control.audit.page(limit=PAGE, before=end)
    many, digest = visit.control.audit.head()
    faults = visit.control.audit.verify() if asked.get("verify") == "1" else None
    return visit.page(
        "audit.html",
        rows=[_row(row) for row in rows],
        many=f"{many:,}",
        digest=digest,
        verified=faults is not None,
        faults=(faults or [])[:MOST_FAULTS],
        more=max(0, len(faults or []) - MOST_FAULTS),
        earlier=rows[-1].seq if len(rows) == PAGE and rows[-1].seq > 1 else 0,
    )


def _row(row: Entry) -> dict[str, Any]:
    told = {key: value for key, value in row.detail.items() if key != "digest" and value != ""}
    if "seen" in told:
        told["seen"] = f"{told['seen'][:16]}…"
    detail = ", ".join(f"{key} {value}" for key, value in told.items())
    return {
        "seq": row.seq,
        "at": moments.clock(row.at),
        "who": row.who,
        "action": row.action,
        "subject": row.subject,
        "detail": inert(detail, 300),
    }
