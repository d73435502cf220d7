"""Holds what is stored against what the ledger was told: which run, figure, approval or incident is not as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.core.count import counted
from temper.core.errors import Tampered, TemperError
from temper.store.codec import from_json, to_json
from temper.store.control import Control
from temper.store.database import STORE, Store
from temper.store.evidence import said
from temper.store.evidence.following import follow, governed
from temper.store.evidence.ledger import Evidence
from temper.store.evidence.pages import changed
from temper.store.evidence.shared import astray
from temper.store.ledger import checkpoint as notes
from temper.store.ledger.verify import Verified, verify

UNTOLD = (
    "run {} was never told to the ledger: it was put there behind Temper's back, or its ledger could not be written"
)


@dataclass(slots=True, kw_only=True)
class Held:
    """`faults` are changes behind Temper's back, `notices` are to be explained by somebody."""

    log: Verified | None = None
    runs: int = 0
    tasks: int = 0
    changes: int = 0
    faults: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing was changed."""
        return not self.faults


def hold(store: Store, control: Control | None = None) -> Held:
    """Hold ledger, runs and (where it is given) the control store against each other. What does not hold makes the
    store read-only from then on.
    """
    evidence, behind = store.evidence, _behind(store.evidence)
    if evidence.empty:
        raise TemperError(f"there is no evidence in {evidence.folder}", fix="assess something first")
    held = Held(faults=evidence.faults())
    held.log = verify(evidence.path, evidence.folder, notes.public_key(evidence.public))
    found = [*behind, *(f"the ledger: {one}" for one in held.log.faults)]
    held.notices += held.log.notices
    for path in (evidence.path, evidence.public):
        for page in changed(path)[:5]:
            words = f"{path.name}: page {page} was written by something else than Temper, or the file is a copy"
            (held.notices if held.log.holds else found).append(words)
    if not found:
        lines = [one for _, one in evidence.records()]
        found += astray(evidence.shared, lines) if evidence.shared is not None else ()
        runs = {one.run: one for one in (said.told_run(line) for line in lines if line.kind == said.RUN)}
        changes = [said.told_change(line) for line in lines if line.kind == said.CHANGE]
        held.runs, held.changes = len(runs), len(changes)
        held.notices += [f"run {one.run} was told later than it ended" for one in runs.values() if one.late]
        found += _runs(store, runs, held.notices)
        found += _tasks(store, [said.told_tasks(line).found for line in lines if line.kind == said.TASKS], held)
        if control is not None:
            found += _control(control, changes, held.notices)
    held.faults += [one for one in found if one not in held.faults]
    if found:
        evidence.condemn(found)
    return held


def _behind(evidence: Evidence) -> list[str]:
    """Follow what other machines told; what speaks against that."""
    if evidence.faults():
        return []
    try:
        evidence.caught_up()
    except Tampered as found:
        return [found.message]
    return []


def home(path: Path) -> Path | None:
    """The `.temper` of a system that a path means: itself or its `evidence`; None where it is another ledger."""
    folder = path.absolute().parent if path.name in ("evidence", "shared") else path
    kept = (folder / "temper.db").is_file() and (folder / "evidence").is_dir()
    return folder if kept or (folder / "shared").is_dir() else None


def verified(folder: Path, place: str, now: float, url: str = "") -> tuple[bool, list[str]]:
    """`hold` for the `.temper` of a system, and what there is to say; `place` is its control store, if it is not
    `control.db` in it, `url` the database of its runs, if they are not beside it. What people did since the ledger was
    told last is told first.
    """
    beside = folder / "control.db"
    where = place or (str(beside) if beside.exists() else "")
    control = Control.open(where) if where else None
    elsewhere = os.environ.get(STORE, "") or url
    store = Store.near(folder.absolute().parent, url) if elsewhere else Store.open(folder / "temper.db")
    try:
        if control is not None and not store.evidence.faults():
            follow(store.evidence, control, int(now * 1e9))
        held = hold(store, control)
    finally:
        if control is not None:
            control.close()
    return held.holds, [*told(held), *([] if where else ["without a control store: what people did was not held"])]


def _runs(store: Store, told: Mapping[str, said.Run], notices: list[str]) -> Iterator[str]:
    beside, there = store.told_apart(), set()
    for run, text in store.documents():
        there.add(run)
        one = told.get(run)
        if one is None:
            notices.append(UNTOLD.format(run))
        elif said.digest(text) == one.digest:
            yield from _beside(run, from_json(text), *beside[run])
        elif one.state == "finished":
            yield f"run {run} was changed: {', '.join(said.differences(one, text)[:5])}"
        else:
            notices.append(f"run {run} was stopped, and saved again since the ledger heard of it")
    yield from (f"run {run} is gone" for run in told if run not in there)


def _tasks(store: Store, told: Sequence[Mapping[str, bytes]], held: Held) -> Iterator[str]:
    """Finished tasks are one of those that the ledger was told; what is not told yet is told with the next run."""
    there = set()
    for key, name, found in store.tasks():
        there.add(key)
        known = [one[key] for one in told if key in one]
        held.tasks += bool(known)
        if known and found not in known:
            yield f"what the task {name} ({key[:12]}) found was changed"
    if gone := len({key for one in told for key in one} - there):
        held.notices.append(f"gone, and to be measured again: {counted(gone, 'finished task')} of the ledger")


def _beside(run: str, plain: Mapping[str, Any], started: str, state: str, findings: Sequence[str]) -> Iterator[str]:
    """What stands beside a document says the same as the document."""
    if (started, state) != (plain["started"], plain["state"]):
        yield f"run {run} was changed: its row says {state}, begun {started}"
    listed = [{name: value for name, value in from_json(text).items() if name != "format"} for text in findings]
    if sorted(map(to_json, listed)) != sorted(map(to_json, plain.get("findings", ()))):
        yield f"run {run} was changed: its findings are not those of the run"


def _control(control: Control, told: Sequence[said.Change], notices: list[str]) -> Iterator[str]:
    """A ledger that machines share has changes of several control stores; each is held by whoever has it."""
    first = control.audit.first()
    mine = [one for one in told if first is None or one.store == first.digest]
    changes = mine or told
    if others := len(told) - len(changes):
        notices.append(f"{counted(others, 'change')} in other control stores were not held")
    if told and not mine and not control.audit.verify():
        raise TemperError(
            "this control store is not the one whose changes are in the ledger", fix="name it with --store"
        )
    yield from (f"the control store: {one}" for one in control.audit.verify())
    there = {one.seq: one.digest for one in governed(control)}
    for one in changes:
        if one.seq not in there:
            yield f"the control store: {one.action} {one.subject} by {one.who} is gone (row {one.seq} of its audit)"
        elif there[one.seq] != one.digest:
            yield f"the control store: row {one.seq} of its audit is not {one.action} {one.subject} by {one.who}"
    yield from (f"the control store: {one}" for one in control.approvals.astray())
    yield from (f"the control store: {one}" for one in control.waivers.astray())
    yield from (f"the control store: {one}" for one in control.incidents.astray())


def told(held: Held) -> Iterator[str]:
    """What was found, in lines."""
    if held.log is not None:
        yield f"{counted(held.log.size, 'record')}, {held.log.signed:,} of them under signed checkpoints"
        yield f"  root {held.log.root.hex()}"
    changes = counted(held.changes, "change")
    tasks = f", {counted(held.tasks, 'finished task')}" if held.tasks else ""
    yield f"{counted(held.runs, 'run')}{tasks} and {changes} by people were held against it"
    yield from (f"  fault: {one}" for one in held.faults)
    yield from (f"  notice: {one}" for one in held.notices)
    yield f"{'PASS' if held.holds else 'FAIL: read-only from now on'}"
