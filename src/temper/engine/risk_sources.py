"""Runs as evidence for a register: how old each is, and by part why it no longer speaks of what answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from temper.core.evidence import ATTACKS, Evidence, Present, Triggers, part_of
from temper.core.outline import moment, outlined
from temper.core.run import Record
from temper.core.system import Protected
from temper.engine.identity import data_digest, schema_digest
from temper.monitoring.evidence import evidence, evidenced, stale


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A run, how old it is, and by part why it no longer speaks of what answers."""

    record: Record
    age: float
    stale: Mapping[str, str]


def sources(system: Protected, records: Sequence[Record], present: Present, rules: Triggers) -> Iterator[Source]:
    """Runs that say anything, those of the model that answers first, then the newest first. An assessment has to be
    finished; what a campaign saw get through before it was stopped has got through.
    """
    telling = [one for one in reversed(records) if one.state == "finished" or one.campaign is not None]
    mine = [one for one in telling if dict(one.digests).get("model") == present.model]
    for record in (*mine, *(one for one in telling if one not in mine)):
        changed = _changed(system, record)
        known = _evidence(record, present)
        told = {part: changed for part in (*known, *(part_of(m.plugin) for m in record.measurements)) if changed}
        for one in stale(known, present, rules) if known else ():
            told[one.part] = one.why
        yield Source(record=record, age=max(present.now - moment(record.started), 0.0), stale=told)


def _evidence(record: Record, present: Present) -> dict[str, Evidence]:
    """A campaign grows old as an attack on the same does."""
    if record.campaign is not None:
        return {part: evidenced(part, outlined(record)) for part in ATTACKS}
    return evidence([outlined(record)], present.model)


def _changed(system: Protected, record: Record) -> str:
    """Which of rows, schema and, where it stood before what was attacked, guard is not as it was in this run."""
    was = dict(record.digests)
    now = {"held-out data": data_digest(system.data), "schema": schema_digest(system)}
    words = [name for name, digest in now.items() if was.get(name, digest) != digest]
    if record.campaign is not None and was.get("guard", "") != system.stakes.guard:
        words.append("guard")
    return f"another {' and another '.join(words)} since" if words else ""
