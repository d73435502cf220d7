"""What `temper incidents test` does: gather rows of an incident, keep what the model decides wrongly, and say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from temper.core.errors import TemperError
from temper.core.incident import Incident
from temper.core.system import Protected
from temper.engine.recurrence import rows
from temper.engine.recurrence.kept import Occasion, chosen, keep
from temper.store.control import Control
from temper.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where rows are taken from: `tables`, `findings` by their ids, the labels of its `windows`, decided `cases`."""

    tables: tuple[Path, ...] = ()
    findings: tuple[str, ...] = ()
    windows: bool = False
    cases: bool = False

    def found(
        self, system: Protected, incident: Incident, control: Control, store: Callable[[], Store], now: float
    ) -> Iterator[rows.Rows]:
        """The rows of each source."""
        yield from (rows.of_table(path, system) for path in self.tables)
        yield from (rows.of_finding(system, store(), name) for name in self.findings)
        if self.windows:
            yield rows.of_windows(system, incident, control, now)
        if self.cases:
            yield rows.of_cases(system, incident, control, now)


def make(
    system: Protected,
    control: Control,
    number: int,
    sources: Sources,
    store: Callable[[], Store],
    folder: Path | None,
    most: int,
    by: str,
    now: float,
) -> Iterator[str]:
    """Write the test of an incident and a line of its timeline; says what it did and what to do with it."""
    if not (sources.tables or sources.findings or sources.windows or sources.cases):
        raise TemperError("nothing says where rows come from", fix="give --rows, --finding, --windows or --cases")
    incident = control.incidents.get(number)
    base = Path(system.source).absolute().parent
    where = folder or base / "regressions" / f"incident-{number}"
    occasion = Occasion(kind="incident", number=number, title=incident.title)
    found = chosen(system, occasion, list(sources.found(system, incident, control, store, now)), most)
    cases, test, digest = keep(where, system, occasion, found)
    control.incidents.tested(number, found.told, f"{cases} sha256:{digest}", by, now)
    yield found.told
    yield f"{test}: fails on this model, and has to pass on the mended one (pytest {test})"
    shown = cases.relative_to(base) if cases.is_relative_to(base) else cases
    yield f"next: add it to temper.yaml, and every `temper assess` asks it again: assess: {{recurrences: [{shown}]}}"
