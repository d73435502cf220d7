"""Where a run comes from and where it went: data, code, model, ledger, approvals, deployments, each by its digest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from temper.core.run import Record
from temper.report._inert import inert
from temper.store.control import Control
from temper.store.database import Store
from temper.store.evidence import said

_DATA = ("training data", "accepted training data", "held-out data")
_CODE = ("schema", "description", "attacks", "assessment", "temper.yaml", "policy")


def lineage(store: Store, control: Control, name: str) -> Iterator[str]:
    """One line for each link, in the order in which one made the next."""
    record = store.run(name)
    digests = dict(record.digests)
    yield from (f"data        {one}: {inert(digests[one])}" for one in _DATA if one in digests)
    yield from (f"code        {one}: {inert(digests[one])}" for one in _CODE if one in digests)
    libraries = ", ".join(f"{name} {version}" for name, version in record.libraries)
    yield f"libraries   {inert(libraries) or 'none named'}"
    yield f"model       {inert(digests.get('model', 'not named'))}"
    who = inert(record.author) or "nobody named"
    yield f"run         {record.id}, {record.verdict.name}, {record.started}, by {who}"
    yield from _ledger(store, record)
    yield from _people(control, record, digests.get("model", ""))


def _ledger(store: Store, record: Record) -> Iterator[str]:
    told = [(line.seq, one) for _, line in store.evidence.records()
            if line.kind == said.RUN and (one := said.told_run(line)).run == record.id]  # fmt: skip
    if not told:
        yield "ledger      was never told of it"
    for seq, one in told:
        yield f"ledger      record {seq}: {one.digest.hex()}{', told late' if one.late else ''}"


def _people(control: Control, record: Record, model: str) -> Iterator[str]:
    asked = control.approvals.of(run=record.id)
    if not asked:
        yield "approval    none was asked for"
    for one in asked:
        who = ", ".join(one.approvers) or "nobody yet"
        yield f"approval    {one.id}: {one.state}, put up by {inert(one.author)}, approved by {inert(who)}"
    put = [
        one
        for one in control.records.history("model")
        if isinstance(one.value, dict) and one.value.get("digest") == model
    ]
    if not put or not model:
        yield "deployment  none of this model"
    for change in put if model else ():
        when = datetime.fromtimestamp(change.at, UTC).isoformat(timespec="seconds")
        yield f"deployment  {change.value['mode']}, {when}, by {inert(change.by)}: {inert(change.reason)}"
