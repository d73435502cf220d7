"""The drill `restore`: the newest backup is restored to a scratch place and held against what is live."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from temper.core.errors import TemperError
from temper.engine.backup import WORDS, sources, told
from temper.store.backup.make import rows
from temper.store.backup.restore import Restored, restore
from temper.store.ledger import verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What came of it. `lost` are (how many, of what) that the live system has and the backup does not: what would be
    lost now. `faults` are what does not hold.
    """

    restored: Restored
    seconds: float
    age: float
    lost: dict[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the backup is the beginning of what is live, and holds together."""
        return not (self.faults or self.restored.faults)

    def lines(self) -> Iterator[str]:
        """As a person reads it."""
        yield from told(self.restored, self.seconds)
        yield from (f"fault: {one}" for one in self.faults)
        made = datetime.fromtimestamp(self.restored.manifest.made, UTC)
        many = ", ".join(f"{many:,} {what}" for what, many in self.lost.items() if many)
        begun = f"{made:%Y-%m-%dT%H:%M:%SZ}, {_age(self.age)} ago"
        yield f"would be lost now: {many or 'nothing'} (the backup was begun {begun})"


def rehearse(config: Path, place: Path, scratch: Path | None) -> Rehearsed:
    """Restore the newest backup at `place` below `scratch`, verify it and compare it with the system of this
    temper.yaml, which goes on meanwhile; the scratch copy is removed at the end.
    """
    live = sources(config)
    with TemporaryDirectory(prefix="temper-drill-", dir=scratch) as folder:
        start = time.monotonic()
        found = restore(place, Path(folder) / "restored")
        seconds = time.monotonic() - start
        lost, faults = _ledger(found, live.audit)
        if live.control is not None and found.manifest.rows:
            now = rows(live.control)
            lost |= {WORDS[table]: now[table] - many for table, many in found.manifest.rows.items()}
    faults += [
        f"the backup has {-many:,} {what} that the live store has not" for what, many in lost.items() if many < 0
    ]
    age = max(0.0, time.time() - found.manifest.made)
    return Rehearsed(restored=found, seconds=seconds, age=age, lost=lost, faults=tuple(faults))


def _ledger(found: Restored, audit: Path) -> tuple[dict[str, int], list[str]]:
    """How many records the live ledger has beyond the restored one, and whether that is its beginning."""
    restored = {log.stem: log for log in verify.logs(found.place(found.manifest.audit))}
    lost, faults = 0, []
    for log in verify.logs(audit):
        size = found.manifest.logs.get(log.stem, 0)
        lost += verify.size(log) - size
        copied = restored.pop(log.stem, None)
        if copied is not None and not _begins(log, copied, size):
            faults.append(f"{log.stem}: the backup is not the beginning of what is live")
    faults += [f"{name} is in the backup and not in {audit}" for name in sorted(restored)]
    return {"records of the ledger": lost}, faults


def _begins(log: Path, copied: Path, size: int) -> bool:
    try:
        return verify.root(log, size) == verify.root(copied, size)
    except TemperError:
        return False


def _age(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.1f} hours" if hours >= 1 else f"{seconds / 60:.0f} minutes"
