"""What an assurance case is built from, gathered: the run, the ledger that was told of it, approvals, incidents."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from temper.config.policy import policy_at
from temper.core.assistant import Assistant
from temper.core.assurance import Case
from temper.core.errors import TemperError
from temper.core.run import Record
from temper.core.system import Protected
from temper.engine.identity import subject
from temper.monitoring.evidence import parts_of
from temper.monitoring.triggers import validation_of
from temper.report.history import outdated
from temper.store.control import Control
from temper.store.database import Store
from temper.store.evidence import said
from temper.store.evidence.following import follow
from temper.store.evidence.held import hold
from temper.threats.age import outdated as description_outdated
from temper.threats.case import Known, Old, Told, case

_MOST = 10_000


def case_now(system: Protected | Assistant, store: Store, control: Control, name: str, now: float) -> Case:
    """The case over a run, as everything kept of it says now. What people did is told to the ledger first; what is
    found changed makes the store read-only, as `temper ledger verify` does.
    """
    present, model = dict(subject(system)), "assistant" if isinstance(system, Assistant) else "model"
    record = store.run(_latest(store, system.name, present[model]) if name == "last" else name)
    source = Path(system.source)
    if not store.evidence.faults():
        follow(store.evidence, control, int(now * 1e9))
    known = known_of(record, store, control, now)
    warning = description_outdated(system.description, present[model], _runs(store, record), name=model)
    known = replace(
        known,
        now=present,
        needs=max(policy_at(source).approvals, 1) if source.is_file() else 1,
        warnings=(warning,) if warning else (),
    )
    if isinstance(system, Protected):
        known = replace(known, old=_old(system, store, control, record, now), accepted=system.stakes.accepted)
    return case(known)


def known_of(record: Record, store: Store, control: Control, now: float) -> Known:
    """What the store and the ledger know of a run by themselves, without its system."""
    model = dict(record.digests).get("model", "")
    approvals = control.approvals.of(run=record.id)
    told = _told(store, control, record.id)
    digest = told.run[1].digest.hex() if told.run else ""
    mine = {one.id for one in control.approvals.standing(model) if one.about.digest == digest}
    return Known(
        record=record,
        told=told,
        today=datetime.fromtimestamp(now, UTC).date(),
        approvals=approvals,
        valid=frozenset(mine & {one.id for one in approvals}),
        incidents=control.incidents.page(limit=_MOST, timelines=True)[::-1],
    )


def _told(store: Store, control: Control, run: str) -> Told:
    """The ledger, held against the store: what it says of this run and of what people did."""
    held, head = hold(store, control), store.evidence.head()
    if held.faults:
        return Told(faults=tuple(held.faults), notices=tuple(held.notices))
    lines = [line for _, line in store.evidence.records()]
    runs = [(line.seq, one) for line in lines if line.kind == said.RUN and (one := said.told_run(line)).run == run]
    return Told(
        root="" if held.log is None else held.log.root.hex(),
        size=len(lines),
        signed=0 if head is None else head.size,
        notices=tuple(held.notices),
        run=runs[-1] if runs else None,
        changes=tuple((line.seq, said.told_change(line)) for line in lines if line.kind == said.CHANGE),
    )


def _latest(store: Store, system: str, model: str) -> str:
    """The newest finished run of this system: of what answers now, where there is one."""
    found = store.outlines(1, system=system, state="finished", model=model)
    found = found or store.outlines(1, system=system, state="finished")
    if not found:
        raise TemperError(f"no run of {system} has finished", fix="temper assess; an assistant: temper redteam")
    return found[0].run


def _runs(store: Store, record: Record) -> list[Record]:
    return [one for one in store.runs() if one.system == record.system]


def _old(system: Protected, store: Store, control: Control, record: Record, now: float) -> dict[str, Old]:
    """Which parts of the run another run has measured since, or are stale by rule."""
    found = validation_of(Path(system.source), control, system=system, store=store)
    evidence, stale = found.stale(now)
    lines = outdated(record.id, parts_of(record), evidence, stale)
    return {one.part: Old(why=one.why, renewal=one.renewal) for one in lines}
