"""From a requirement that a run does not meet to a waiver that counts: two people, and the ledger is told of each."""

from __future__ import annotations

from temper.core.errors import TemperError
from temper.core.requirement import Judgement, Verdict
from temper.core.requirement import Waiver as Accepted
from temper.core.run import Record
from temper.store.control import Control
from temper.store.control.waivers import Waiver
from temper.store.database import Store
from temper.store.evidence.following import follow

OPEN = (Verdict.FAIL, Verdict.INCONCLUSIVE)
"""Verdicts that can be accepted: that nobody could measure is none of them."""


def judged(record: Record, requirement: str) -> Judgement:
    """The verdict of a run on a requirement that can be waived; raises `TemperError` where it cannot."""
    if record.state != "finished":
        raise TemperError(f"run {record.id} is {record.state}", fix="end it with --resume first")
    found = next((one for one in record.judgements if one.requirement.id == requirement), None)
    if found is None:
        raise TemperError(f"run {record.id} judged no requirement {requirement!r}", fix="take one of its own")
    if found.verdict not in OPEN:
        raise TemperError(
            f"{requirement} is {found.verdict.name} in run {record.id}",
            fix="a waiver accepts what failed or could not be decided, and nothing else",
        )
    return found


def propose(
    store: Store, control: Control, key: str, run: str, requirement: str, accepted: Accepted, by: str, now: float
) -> Waiver:
    """Propose that what a run found of a requirement is accepted."""
    store.evidence.refuse()
    record = store.run(run)
    rule = judged(record, requirement).requirement
    one = control.waivers.propose(key, record.system, rule, record.id, record.author, accepted, by, now)
    follow(store.evidence, control, int(now * 1e9))
    return one


def decide(store: Store, control: Control, id: int, decision: str, by: str, note: str, now: float) -> Waiver:
    """Approve, reject or end a waiver. Ending one is never refused: it leads back to what the policy asks."""
    if decision != "end":
        store.evidence.refuse()
    one = control.waivers.decide(id, decision, by, note, now)
    if not store.evidence.faults():
        follow(store.evidence, control, int(now * 1e9))
    return one
