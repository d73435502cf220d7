"""The policy that people have put in force, for whoever judges rows as it says: a gateway, and a bench."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Lock

from temper.config.serving import Serving, under
from temper.core.probe import OWN_POLICY
from temper.core.system import Protected
from temper.guard.serving.bench import Bench
from temper.store.control import Control
from temper.store.control.records import Record


def in_force(system: Protected, serving: Serving, record: Record | None) -> tuple[Protected, Serving]:
    """The system and its guard under the policy of this record; as temper.yaml has them where it names none."""
    if record is None or record.value is None:
        return system, serving
    serving, threshold = under(serving, record.value, f"policy {record.seq} of the control store")
    return system if threshold is None else replace(system, threshold=threshold), serving


def version(control: Control, record: Record | None) -> str:
    """The policy of the record that holds, as its pages call it."""
    if record is None or record.value is None:
        return OWN_POLICY
    found = control.policies.in_force()
    if found is None:
        return f"record {record.seq}, which no second person saw"
    return f"policy {found.id}"


def followed(own: Bench, control: Control) -> Bench:
    """The bench of a temper.yaml as its gateway judges now; raises `TemperError` where that cannot be put together."""
    record = control.policies.record()
    if own.serving is None or record is None or record.value is None:
        return own
    system, serving = in_force(own.system, own.serving, record)
    return replace(Bench.of(system, serving), corruptions=own.corruptions, policy=version(control, record))


@dataclass(slots=True, kw_only=True, eq=False)
class Followed:
    """A bench that is put together anew when another policy holds."""

    own: Bench
    _seen: int = -1
    _bench: Bench | None = None
    _lock: Lock = field(default_factory=Lock)

    @property
    def system(self) -> Protected:
        """The system as its temper.yaml describes it."""
        return self.own.system

    @property
    def name(self) -> str:
        """The name of the system."""
        return self.own.name

    def now(self, control: Control) -> Bench:
        """The bench as it judges now."""
        record = control.policies.record()
        seq = 0 if record is None else record.seq
        with self._lock:
            if self._bench is None or seq != self._seen:
                self._bench, self._seen = followed(self.own, control), seq
            return self._bench
