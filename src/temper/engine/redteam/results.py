"""Results of other tools as a record, so that they are shown, reported and compared like our own."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.store.imported.formats import imported


def record(path: Path, now: datetime) -> Record:
    """What the file says, judged by nobody: another tool's attempts are no sample that a policy of ours speaks of."""
    table = imported(path)
    return Record(
        id="imported",
        system=path.name,
        suite=table.tool,
        seed=0,
        started=now.isoformat(timespec="seconds"),
        seconds=0.0,
        state="finished",
        verdict=Verdict.INCONCLUSIVE,
        measurements=table.measurements(),
        facts=(
            ("tool", table.tool),
            ("attempts", f"{len(table.attempts):,}"),
            *(("note", one) for one in table.caveats),
        ),
        source=str(path),
    )
