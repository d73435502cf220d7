"""What a case is built from: a run, what the ledger was told, what has gone stale, approvals, incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from temper.core.assurance import Cited, Defeater, Doubt
from temper.core.evidence import part_of
from temper.core.incident import Incident
from temper.core.risk import Acceptance
from temper.core.run import Record
from temper.store.control.approvals import Approval
from temper.store.evidence import said


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the ledger was told of a run and of what people did, each with the number of its record. `signed` records
    are under checkpoints; `faults` are changes behind Temper's back, which leave nothing of it standing.
    """

    root: str = ""
    size: int = 0
    signed: int = 0
    faults: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    run: tuple[int, said.Run] | None = None
    changes: tuple[tuple[int, said.Change], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """Why a part no longer speaks of what answers, and what makes it speak again."""

    why: str
    renewal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that is known of a run on this day. `now` are digests of what is there, by the names a run gives them;
    `old` is by part (evasion, validation, ...); `approvals` are of this run, `valid` the numbers of those whose
    signatures hold and nobody withdrew, `needs` how many people it takes; `accepted` are the risks that somebody bears
    today, None where that is not known; `warnings` speak against the description.
    """

    record: Record
    told: Told
    today: date
    now: Mapping[str, str] = field(default_factory=dict)
    old: Mapping[str, Old] = field(default_factory=dict)
    approvals: Sequence[Approval] = ()
    valid: frozenset[int] = frozenset()
    needs: int = 1
    incidents: Sequence[Incident] = ()
    accepted: Sequence[Acceptance] | None = None
    warnings: Sequence[str] = ()

    def of_run(self, what: str, part: str) -> Cited | None:
        """A part of the run as the ledger was told it; None where it was not, or the ledger does not hold."""
        if self.told.run is None or self.told.faults:
            return None
        record, run = self.told.run
        found = run.parts.get(part)
        return None if found is None else Cited(what=what, digest=found.hex(), record=record)

    def of_people(self, what: str, action: str, subject: str, who: str = "") -> Cited | None:
        """The last that people did so; None where the ledger was not told, or does not hold."""
        found = [
            (record, one)
            for record, one in self.told.changes
            if one.action.startswith(action) and one.subject == subject and who in ("", one.who)
        ]
        if not found or self.told.faults:
            return None
        record, change = found[-1]
        return Cited(what=what, digest=change.digest, record=record)

    def stale(self, plugin: str) -> list[Defeater]:
        """That figures of this plugin no longer speak of what answers."""
        found = self.old.get(part_of(plugin.removeprefix("validation.")))
        return [] if found is None else [Defeater(doubt=Doubt.STALE, text=found.why, step=found.renewal)]

    def again(self, plugin: str) -> str:
        """The command that measures it again."""
        if any(name == "assistant" for name, _ in self.record.digests):
            return "temper redteam"
        return f"temper assess --only {part_of(plugin.removeprefix('validation.'))}"
