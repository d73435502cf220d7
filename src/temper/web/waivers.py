"""Waivers: requirements that are accepted although they are not met, by whom, why and until when."""

from __future__ import annotations

import re
import secrets
from datetime import date
from typing import TYPE_CHECKING, Any

from temper.core.errors import TemperError
from temper.core.requirement import Requirement
from temper.core.requirement import Waiver as Accepted
from temper.core.review import Conflict
from temper.report.rows import requirement
from temper.store.control.waivers import APPROVES, PROPOSES, Waiver, day, written
from temper.store.evidence import waiving
from temper.web import assessed, moments
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

SHOWN = 100
STATES = {"open": ("waits", "inconclusive"), "rejected": ("rejected", "fail"), "ended": ("ended", "nothing")}
SOON = 14
"""Days before the last one on which a waiver is said to end soon."""
_KEY = re.compile(r"[0-9a-f]{16}")

__all__ = [
    "APPROVES", "PROPOSES", "approve", "end", "form", "line", "of_requirement", "one", "propose", "reject", "show",
]  # fmt: skip


def show(visit: Visit) -> Response:
    """Those of the policy's file, and those that people made here."""
    today, policy = day(visit.now), visit.assessed.policy
    made = visit.control.waivers.page(SHOWN, system=visit.assessed.system)
    return visit.page(
        "waivers.html",
        tabs=assessed.EVIDENCE,
        tab="/waivers",
        faults=visit.assessed.faults,
        filed=[_filed(one, today) for one in policy.requirements if one.waiver] if policy else [],
        policy=policy,
        made=[line(one, today, policy.requirements if policy else ()) for one in made],
    )


def one(visit: Visit) -> Response:
    """One waiver: what it accepts, and what this person may say of it."""
    found, me, today = _found(visit), visit.me.name, day(visit.now)
    policy = visit.assessed.policy
    faults = visit.assessed.faults
    own, barred = me == found.author, _barred(found, me)
    open_ = found.state == "open" and not faults
    return visit.page(
        "waiver.html",
        waiver=line(found, today, policy.requirements if policy else ()),
        measured=_measured(visit, found.run, found.requirement),
        faults=faults,
        barred=barred,
        mine=own,
        approves=open_ and visit.may(APPROVES) and not barred and not found.lapsed(today),
        rejects=open_ and (visit.may(APPROVES) or own),
        ends=found.state == "approved" and not found.lapsed(today) and (visit.may(APPROVES) or own),
    )


def form(visit: Visit) -> Response:
    """The form for a requirement that a run does not meet."""
    asked = visit.request.query_params
    return _form(visit, asked.get("run", ""), asked.get("requirement", ""), secrets.token_hex(8), {})


def propose(visit: Visit) -> Response:
    """Propose it; the form carries its key, so that one that is sent twice proposes once. What is refused comes back
    with all that was written.
    """
    run, name, key = visit.text("run"), visit.text("requirement"), visit.text("key")
    if not _KEY.fullmatch(key):
        raise Refused(422, "No such waiver", "Open the page again.")
    try:
        accepted = Accepted(by=visit.line("owner"), reason=visit.text("reason"), until=_day(visit))
        new = waiving.propose(visit.assessed.store, visit.control, key, run, name, accepted, visit.me.name, visit.now)
    except Refused as refused:
        return _form(visit, run, name, key, visit.form, refused.text, refused.status)
    except Conflict as conflict:
        return _form(visit, run, name, key, visit.form, f"{conflict.message}; {conflict.fix}.", 409)
    except TemperError as error:
        if type(error) is not TemperError:
            raise
        return _form(visit, run, name, key, visit.form, f"{error.message}; {error.fix}.", 422)
    return visit.go(f"/waivers/{new.id}", "proposed")


def approve(visit: Visit) -> Response:
    """Let it count, from the next assessment on."""
    return _decided(visit, "approve", "waived")


def reject(visit: Visit) -> Response:
    """Turn it down, or take one's own back."""
    return _decided(visit, "reject", "turned")


def end(visit: Visit) -> Response:
    """Let it count no more, before its day."""
    return _decided(visit, "end", "ended")


def line(found: Waiver, today: date, rules: tuple[Requirement, ...] = ()) -> dict[str, Any]:
    """A waiver as lists and pages show it; `rules` are the requirements as they are written now."""
    now = next((one for one in rules if one.id == found.requirement), None)
    state, tone = STATES.get(found.state, ("counts", "waived"))
    astray = ""
    if found.state == "approved":
        if found.lapsed(today):
            state, tone = "expired", "fail"
        elif rules and (now is None or written(now) != written(found.rule)):
            state, tone, astray = "does not count", "fail", "the requirement has been written anew since"
    if found.state == "open" and found.lapsed(today):
        state, tone = "expired unapproved", "fail"
    rule = found.rule
    return {
        "id": found.id,
        "requirement": found.requirement,
        "asks": f"{rule.metric} {'at most' if rule.at_most is not None else 'at least'} {rule.limit:g}",
        "slice": "" if rule.slice == "all" else rule.slice,
        "severity": rule.severity,
        "run": found.run,
        "maker": found.maker or "nobody named",
        "owner": found.owner,
        "reason": found.reason,
        "until": found.until.isoformat(),
        "left": _left(found.until, today) if state == "counts" else "",
        "author": found.author,
        "created": moments.clock(found.created),
        "state": state,
        "tone": tone,
        "astray": astray,
        "judge": found.judge,
        "note": found.note,
        "decided": moments.clock(found.decided) if found.decided is not None else "",
        "ender": found.ender,
        "why": found.why,
        "ended": moments.clock(found.ended) if found.ended is not None else "",
        "rejected": found.state == "rejected",
    }


def of_requirement(visit: Visit, system: str) -> dict[str, dict[str, Any]]:
    """The newest waiver of each requirement of a system that waits or counts."""
    today, found = day(visit.now), {}
    for one in reversed(visit.control.waivers.page(SHOWN, system=system)):
        if one.state in ("open", "approved") and not one.lapsed(today):
            found[one.requirement] = line(one, today)
    return found


def _form(visit: Visit, run: str, name: str, key: str, filled: Any, wrong: str = "", status: int = 200) -> Response:
    visit.assessed.store.evidence.refuse()
    measured = _measured(visit, run, name)
    if measured is None:
        raise Refused(404, "Nothing to waive", "That run has no such requirement that failed or is undecided.")
    return visit.page(
        "waiver_new.html",
        status,
        run=run,
        requirement=name,
        measured=measured,
        key=key,
        wrong=wrong,
        filled={field: filled.get(field, "") for field in ("owner", "reason", "until")},
        today=day(visit.now).isoformat(),
    )


def _measured(visit: Visit, run: str, name: str) -> dict[str, Any] | None:
    """What a run found of a requirement; None where there is nothing to be waived."""
    try:
        record = visit.assessed.store.run(run)
        judgement = waiving.judged(record, name)
    except TemperError as error:
        if type(error) is not TemperError:
            raise
        return None
    return requirement(judgement, record) | {"badge": assessed.badge(judgement.verdict)}


def _day(visit: Visit) -> date:
    try:
        return date.fromisoformat(visit.text("until"))
    except ValueError:
        raise Refused(422, "No such day", "The last day is written as 2027-12-31.") from None


def _filed(rule: Requirement, today: date) -> dict[str, Any]:
    """A waiver that stands in the policy's file."""
    waiver = rule.waiver
    lapsed = waiver is not None and today > waiver.until
    return {
        "requirement": rule.id,
        "owner": waiver.by if waiver else "",
        "reason": waiver.reason if waiver else "",
        "until": waiver.until.isoformat() if waiver else "",
        "state": "expired" if lapsed else "counts",
        "tone": "fail" if lapsed else "waived",
        "left": _left(waiver.until, today) if waiver and not lapsed else "",
    }


def _left(until: date, today: date) -> str:
    """How long it still counts, where that is not long."""
    days = (until - today).days
    return ("its last day" if not days else f"{days} d left") if days <= SOON else ""


def _barred(found: Waiver, me: str) -> str:
    if me == found.maker:
        return f"You had run {found.run} made, so somebody else has to approve it."
    return "You proposed it, so somebody else has to approve it. You can take it back." if me == found.author else ""


def _decided(visit: Visit, decision: str, said: str) -> Response:
    found, note = _found(visit), visit.text("reason")
    did = {"approve": ("approved", found.judge), "reject": ("rejected", found.judge), "end": ("ended", found.ender)}
    if did[decision] == (found.state, visit.me.name):
        return visit.go(f"/waivers/{found.id}")
    waiving.decide(visit.assessed.store, visit.control, found.id, decision, visit.me.name, note, visit.now)
    return visit.go(f"/waivers/{found.id}", said)


def _found(visit: Visit) -> Waiver:
    number = int(visit.request.path_params["id"])
    if number < 2**63:
        try:
            visit.assessed  # noqa: B018  (without runs there is nothing to waive)
            return visit.control.waivers.get(number)
        except TemperError as error:
            if type(error) is not TemperError:
                raise
    raise Refused(404, "No such waiver", "There is none with this number.")
