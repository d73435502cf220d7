"""What people did, from the audit of the control store into the ledger: approvals, incidents, policies, deployments.

The audit is a chain, so each row that is told pins all rows before it, those of review queues among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from temper.core.errors import TemperError
from temper.store.control import Control
from temper.store.control.audit import Entry
from temper.store.evidence.ledger import Evidence
from temper.store.evidence.said import CHANGE, GOVERNED, Change, told_change


def follow(evidence: Evidence, control: Control, wall: int) -> int:
    """Tell the ledger what people did since it was told last; how many changes that were."""
    first = control.audit.first()
    if first is None:
        return 0
    with evidence.writing() as log:
        known = [told_change(one) for _, one in evidence.records() if one.kind == CHANGE]
        other = next((one.store for one in known if one.store != first.digest), None)
        if other is not None:
            raise TemperError(
                f"the ledger in {evidence.folder} follows another control store than this one",
                fix="name the right one with --store or TEMPER_CONTROL; after a new one was made, begin a new folder",
            )
        last = max((one.seq for one in known), default=0)
        new = [(CHANGE, change(first.digest, one)) for one in governed(control, last)]
        evidence.put(log, new, wall)
    return len(new)


def beside(place: str) -> Evidence:
    """The ledger of the `.temper` that a control store lies in; of a database server's the one of this folder."""
    path = Path(".temper" if "://" in place else place)
    return Evidence((path if path.is_dir() else path.parent) / "evidence")


def tell_beside(place: str, control: Control, wall: int) -> int:
    """`follow` for the ledger beside a control store, where there is one that may still be written."""
    evidence = beside(place)
    return follow(evidence, control, wall) if evidence.path.exists() and not evidence.faults() else 0


def governed(control: Control, after: int = 0) -> Iterator[Entry]:
    """The rows of the audit that are evidence, from this one on."""
    return (one for one in control.audit.since(after) if one.action.startswith(GOVERNED))


def change(store: str, one: Entry) -> Change:
    """What the ledger says of a row of the audit."""
    return Change(store=store, seq=one.seq, who=one.who, action=one.action, subject=one.subject, digest=one.digest)
