"""What people did, from the audit of the control store into the ledger: approvals, incidents, policies, deployments.

The audit is a chain, so each row that is told pins all rows before it, those of review queues among them. How far it
was told stands in the ledger itself, so that whoever was killed on the way leaves nothing untold and nothing twice.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from temper.core.errors import TemperError
from temper.store.control import Control
from temper.store.control.audit import Entry
from temper.store.database import STORE, Store
from temper.store.evidence.ledger import Evidence
from temper.store.evidence.said import CHANGE, GOVERNED, Change, told_change

EVERY = 2.0
"""Seconds within which consoles, workers and monitors tell what anybody has done."""
_LOG = logging.getLogger(__name__)


def follow(evidence: Evidence, control: Control, wall: int) -> int:
    """Tell the ledger what people did since it was told last; how many changes that were."""
    first = control.audit.first()
    if first is None:
        return 0
    with evidence.writing() as log:
        if evidence.shared is not None:  # of several control stores, and perhaps by another machine meanwhile
            after = evidence.shared.followed(first.digest)
            return evidence.put_changes(log, [change(first.digest, one) for one in governed(control, after)], wall)
        last = evidence.newest(CHANGE)
        known = told_change(last) if last else None
        if known is not None and known.store != first.digest:
            raise TemperError(
                f"the ledger in {evidence.folder} follows another control store than this one",
                fix="name the right one with --store or TEMPER_CONTROL; after a new one was made, begin a new folder",
            )
        new = [(CHANGE, change(first.digest, one)) for one in governed(control, known.seq if known else 0)]
        evidence.put(log, new, wall)
    return len(new)


def tell(evidence: Evidence, control: Control, wall: int) -> int:
    """`follow` where there is a ledger that may still be written."""
    there = evidence.shared is not None or evidence.path.exists()
    return follow(evidence, control, wall) if there and not evidence.faults() else 0


def beside(place: str, url: str = "") -> Evidence:
    """The ledger of the `.temper` that a control store lies in, of a database server's the one of this folder; where
    runs are kept elsewhere, which TEMPER_STORE or else `url` says, the one of those.
    """
    folder = folder_of(place)
    named = os.environ.get(STORE, "") or url
    if named and "://" not in named:
        return Store.near(folder.parent).evidence
    return Store(folder / "temper.db", named, patience=0.0).evidence


def folder_of(place: str) -> Path:
    """The `.temper` that a control store lies in; of a database server's the one of this folder."""
    path = Path(".temper" if "://" in place else place).absolute()
    return path if path.is_dir() or not path.suffix else path.parent


@dataclass(slots=True)
class Follower:
    """Tells the ledger what was done, whoever did it; what cannot be told now is told at a later turn."""

    evidence: Evidence
    control: Control
    wall: Callable[[], int]
    _seen: tuple[int, str] | None = None
    _trouble: str = ""
    _ending: Event = field(default_factory=Event)

    def turn(self) -> int:
        """Tell what is new; how many changes that were."""
        try:
            head = self.control.audit.head()
            if head == self._seen:
                return 0
            many = tell(self.evidence, self.control, self.wall())
        except TemperError as error:
            if error.message != self._trouble:
                _LOG.warning("the ledger of evidence was not told: %s", error.message)
            self._trouble = error.message
            return 0
        self._seen, self._trouble = head if self.evidence.path.exists() else None, ""
        return many

    def work(self) -> None:
        """Turn by turn until it is told to end."""
        while not self._ending.wait(EVERY):
            self.turn()

    def end(self) -> None:
        """It is over."""
        self._ending.set()


@contextmanager
def kept_up(evidence: Evidence, control: Control, wall: Callable[[], int]) -> Iterator[None]:
    """While this lasts the ledger hears within `EVERY` seconds what is done in the control store, by anybody."""
    follower = Follower(evidence, control, wall)
    follower.turn()
    thread = Thread(target=follower.work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        follower.end()
        thread.join()
        follower.turn()


def governed(control: Control, after: int = 0) -> Iterator[Entry]:
    """The rows of the audit that are evidence, from this one on."""
    return (one for one in control.audit.since(after) if one.action.startswith(GOVERNED))


def change(store: str, one: Entry) -> Change:
    """What the ledger says of a row of the audit."""
    return Change(store=store, seq=one.seq, who=one.who, action=one.action, subject=one.subject, digest=one.digest)
