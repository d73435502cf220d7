"""Where a run comes from and where it went: data, code, model, ledger, approvals, deployments, each by its digest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from temper.core.run import Record
from temper.store.control import Control
from temper.store.database import Store
from temper.store.evidence import said

_DATA = ("training data", "accepted training data", "held-out data")
_CODE = ("schema", "description", "attacks", "assessment", "temper.yaml", "policy")


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain: of what `kind` it is, and what it is, with the digest it is known by."""

    kind: str
    told: str
    digest: str = ""


def lineage(store: Store, control: Control, record: Record) -> Iterator[Link]:
    """The links of a run, in the order in which one made the next."""
    digests = dict(record.digests)
    yield from (Link("data", one, digests[one]) for one in _DATA if one in digests)
    yield from (Link("code", one, digests[one]) for one in _CODE if one in digests)
    libraries = ", ".join(f"{name} {version}" for name, version in record.libraries)
    yield Link("libraries", libraries or "none named")
    yield Link("model", "" if "model" in digests else "not named", digests.get("model", ""))
    yield Link("run", f"{record.id}, {record.verdict.name}, {record.started}, by {record.author or 'nobody named'}")
    yield from _ledger(store, record)
    yield from _people(control, record, digests.get("model", ""))


def _ledger(store: Store, record: Record) -> Iterator[Link]:
    told = [(line.seq, one) for line in store.evidence.naming(record.id)
            if line.kind == said.RUN and (one := said.told_run(line)).run == record.id]  # fmt: skip
    if not told:
        yield Link("ledger", "was never told of it")
    for seq, one in told:
        yield Link("ledger", f"record {seq}{', told late' if one.late else ''}", one.digest.hex())
    if told and said.digest(store.document(record.id)) != told[-1][1].digest:
        yield Link("ledger", "the run as it is stored IS NOT WHAT THE LEDGER WAS TOLD")


def _people(control: Control, record: Record, model: str) -> Iterator[Link]:
    asked = control.approvals.of(run=record.id)
    if not asked:
        yield Link("approval", "none was asked for")
    for one in asked:
        who = ", ".join(one.approvers) or "nobody yet"
        yield Link("approval", f"{one.id}: {one.state}, put up by {one.author}, approved by {who}")
    put = [
        one
        for one in control.records.history("model")
        if isinstance(one.value, dict) and one.value.get("digest") == model
    ]
    if not put or not model:
        yield Link("deployment", "none of this model")
    for change in put if model else ():
        when = datetime.fromtimestamp(change.at, UTC).isoformat(timespec="seconds")
        yield Link("deployment", f"{change.value['mode']}, {when}, by {change.by}: {change.reason}")
