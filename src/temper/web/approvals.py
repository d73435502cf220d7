"""Approvals: runs that wait for somebody else, and the word of a person on each.

The console holds no private keys. Where the policy asks for signatures, its page gives the command that signs; where
the policy takes people's word, what they give here is kept as what it is: said in a session of theirs, and not signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.config.policy import policy_at
from temper.core.errors import TemperError
from temper.core.requirement import Policy, Verdict
from temper.core.review import Conflict
from temper.store.control.approvals import APPROVES, ASKS, Approval
from temper.store.evidence import approving
from temper.web import assessed, moments, run
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

SHOWN = 50
FRESH = 600.0
"""Seconds after logging in for which somebody's word is taken: `temper approve` asks for the password each time."""
STATES = {"open": "inconclusive", "approved": "pass", "rejected": "fail", "withdrawn": "fail"}

__all__ = ["APPROVES", "ASKS", "approve", "ask", "line", "one", "reject", "show", "withdraw"]


def show(visit: Visit) -> Response:
    """What waits, and what was decided, the newest first."""
    found = [line(one) for one in visit.control.approvals.page(SHOWN)]
    return visit.page(
        "approvals.html",
        tabs=assessed.EVIDENCE,
        tab="/approvals",
        faults=visit.assessed.faults,
        waiting=[one for one in found if one["state"] == "open"],
        over=[one for one in found if one["state"] != "open"],
        policy=visit.assessed.policy,
    )


def one(visit: Visit) -> Response:
    """One request: what is put up, who has said what, and what this person may say."""
    found, me = _found(visit), visit.me.name
    faults = visit.assessed.faults
    record = visit.assessed.store.run(found.about.run)
    keys = {one.key for one in visit.control.signers.of(me) if one.ended is None}
    own, policy = me == found.author, visit.assessed.policy
    open_ = found.state == "open" and not faults
    return visit.page(
        "approval.html",
        approval=line(found),
        faults=faults,
        requirements=[run.requirement_of(one, record) for one in record.judgements],
        findings=len(record.findings),
        barred=_barred(found, me),
        approves=open_ and visit.may(APPROVES) and not _barred(found, me),
        rejects=open_ and (visit.may(APPROVES) or own),
        withdraws=found.state == "approved" and (visit.may(APPROVES) or own),
        has_key=bool(keys),
        word=_takes_word(found, policy),
        fresh=_since(visit) is not None,
        minutes=int(FRESH // 60),
        despite="" if found.about.verdict in approving.GOOD else found.about.verdict,
    )


def ask(visit: Visit) -> Response:
    """Put a run up for approval, by as many people as its policy says."""
    name, reason = str(visit.request.path_params["run"]), visit.text("reason")
    record, store = run.found(visit), visit.assessed.store
    there = next((one for one in visit.control.approvals.of(run=record.id) if one.state == "open"), None)
    if there is not None and there.author == visit.me.name:
        return visit.go(f"/approvals/{there.id}")
    policy = policy_at(visit.assessed.config)
    new = approving.ask(
        store, visit.control, name, policy.approvals, visit.me.name, reason, visit.now, signed=policy.signatures
    )
    return visit.go(f"/approvals/{new.id}", "asked")


def approve(visit: Visit) -> Response:
    """Somebody's word for a run that another person had made and put up, where the policy takes it."""
    found, me = _seen(visit), visit.me.name
    if me in found.approvers:
        return visit.go(f"/approvals/{found.id}")
    session = _since(visit)
    if session is None:
        raise Refused(
            409, "Log in again first", f"Your word is taken within {int(FRESH // 60)} minutes after you have logged in."
        )
    if not found.signed and not _takes_word(found, visit.assessed.policy):
        raise Refused(409, "The policy has changed", "It asks for signatures by now: sign it with `temper approve`.")
    despite = visit.form.get("despite", "").strip().lower()
    args = (found.about.run, me, visit.text("reason"), None, visit.now)
    approving.approve(visit.assessed.store, visit.control, *args, despite=despite, seen=found, session=session)
    return visit.go(f"/approvals/{found.id}", "signed")


def reject(visit: Visit) -> Response:
    """Turn it down, or take one's own request back."""
    return _ended(visit, "reject", "turned")


def withdraw(visit: Visit) -> Response:
    """Withdraw an approval: its model is not brought to a gateway by it any more."""
    return _ended(visit, "withdraw", "withdrawn")


def line(found: Approval) -> dict[str, Any]:
    """A request as lists and pages show it."""
    about = found.about
    known = about.verdict in {one.value for one in Verdict}
    return {
        "id": found.id,
        "run": about.run,
        "system": about.system,
        "model": assessed.model(about.model),
        "digests": [("Run, SHA-256", about.digest), ("Model", about.model)],
        "verdict": assessed.badge(Verdict(about.verdict)) if known else None,
        "maker": about.maker or "nobody named",
        "author": found.author,
        "reason": found.reason,
        "created": moments.clock(found.created),
        "state": found.state,
        "tone": STATES[found.state],
        "needs": found.needs,
        "given": len(found.approvers),
        "signed": found.signed,
        "version": found.version,
        "votes": [
            {"person": vote.person, "decision": vote.decision, "reason": vote.reason, "at": moments.clock(vote.at),
             "how": _how(vote.decision, vote.signed)}
            for vote in found.votes
        ],
    }  # fmt: skip


def _takes_word(found: Approval, policy: Policy | None) -> bool:
    """Whether somebody's word is enough, by the request and by the policy as it is now."""
    return not found.signed and policy is not None and not policy.signatures


def _how(decision: str, signed: bool) -> str:
    if decision != "approve":
        return ""
    return "signed with their key" if signed else "through the console, not signed"


def _barred(found: Approval, me: str) -> str:
    """Why this person cannot approve it, whatever their role."""
    if me == found.about.maker:
        return f"You had run {found.about.run} made, so somebody else has to approve it."
    if me == found.author:
        return "You put it up, so somebody else has to approve it. You can take it back."
    return "You have approved it: it takes somebody else now." if me in found.approvers else ""


def _since(visit: Visit) -> float | None:
    """When this session was opened; None where that is too long ago for somebody's word."""
    begun = visit.control.sessions.begun(visit.token)
    return begun if begun is not None and visit.now - begun <= FRESH else None


def _ended(visit: Visit, decision: str, said: str) -> Response:
    found = _seen(visit)
    if any(vote.person == visit.me.name and vote.decision == decision for vote in found.votes):
        return visit.go(f"/approvals/{found.id}")
    approving.ended(
        visit.assessed.store, visit.control, found, decision, visit.me.name, visit.text("reason"), visit.now
    )
    return visit.go(f"/approvals/{found.id}", said)


def _seen(visit: Visit) -> Approval:
    """The request of this address as its page showed it: anything decided since is a conflict, unless it is what this
    form has asked for already.
    """
    found, version = _found(visit), visit.whole("version")
    mine = any(vote.person == visit.me.name for vote in found.votes)
    if found.version != version and not mine:
        raise Conflict(f"somebody else decided on approval {found.id} meanwhile", fix="look at it again")
    return found


def _found(visit: Visit) -> Approval:
    number = int(visit.request.path_params["id"])
    if number < 2**63:
        try:
            visit.assessed  # noqa: B018  (without runs there is nothing to approve)
            return visit.control.approvals.get(number)
        except TemperError as error:
            if type(error) is not TemperError:
                raise
    raise Refused(404, "No such approval", "There is none with this number.")
