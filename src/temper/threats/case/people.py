"""What people did as claims: somebody else answers for the run, and what went wrong in service became a test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from temper.core.assurance import Defeater, Doubt, Kind
from temper.core.incident import Incident
from temper.store.control.approvals import Approval, Vote
from temper.threats.case.draft import Draft
from temper.threats.case.known import Known


def answered(draft: Draft, known: Known) -> str:
    """The goal that enough people who neither had the run made nor put it up have signed it."""
    standing = [one for one in known.approvals if one.id in known.valid]
    goal = draft.goal("Somebody who did not make it answers for it", defeaters=[*_unsigned(known, standing)])
    for one in standing:
        draft.join(goal, [_vote(draft, one, vote, known) for vote in one.votes if vote.decision == "approve"])
    return goal


def _unsigned(known: Known, standing: list[Approval]) -> Iterator[Defeater]:
    run = known.record.id
    signed = {vote.person for one in standing for vote in one.votes if vote.decision == "approve"}
    if not standing or len(signed) < known.needs:
        state = known.approvals[0].state if known.approvals else "put up by nobody"
        have = f"{len(signed)} of {known.needs} have signed it" if signed else f"nobody has signed it ({state})"
        asked = any(one.state == "open" for one in known.approvals)
        step = f"approve {run} --as NAME --key NAME.key" if asked else f"approvals ask {run} --as NAME"
        text = f"run {run} is not approved: {have}"
        yield Defeater(doubt=Doubt.UNAPPROVED, text=text, step=f"temper {step} --reason WHY")
    if not known.record.author:
        text = f"nobody knows who had run {run} made, so nobody can be told from its maker"
        yield Defeater(doubt=Doubt.UNAPPROVED, text=text, step="assess again")


def _vote(draft: Draft, one: Approval, vote: Vote, known: Known) -> str:
    when = datetime.fromtimestamp(vote.at, UTC).date()
    words = f"Approved by {vote.person} on {when}: {vote.reason}"
    cited = known.of_people(f"approval {one.id}", "approval.approve", str(one.id), vote.person)
    told = known.told.run is not None  # what somebody approved is that run to the byte
    return draft.solution(words, [cited if told else None], (), key=f"approval {one.id} by {vote.person}")


def learnt(draft: Draft, known: Known) -> str:
    """The goal that every incident is over and has a regression test; "" where the ledger knows of none."""
    if not known.incidents:
        return ""
    goal = draft.goal("What went wrong in service is over, and became a test")
    strategy = draft.add(Kind.STRATEGY, "Argument over each incident")
    draft.join(goal, [strategy])
    draft.join(strategy, [_incident(draft, one, known) for one in known.incidents])
    return goal


def _incident(draft: Draft, one: Incident, known: Known) -> str:
    words = f"Incident {one.id}, {one.severity}: {one.title}"
    cited = known.of_people(f"incident {one.id}", "incident.", str(one.id))
    return draft.solution(words, [cited], [*_loose(one)], key=f"incident {one.id}")


def _loose(one: Incident) -> Iterator[Defeater]:
    if one.closed is None:
        yield Defeater(doubt=Doubt.INCIDENT, text=f"incident {one.id} is open", step=f"temper incidents show {one.id}")
    if not one.tests:
        text = f"no regression test was made of incident {one.id}"
        yield Defeater(doubt=Doubt.INCIDENT, text=text, step=f"temper incidents test {one.id}")
