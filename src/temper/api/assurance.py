"""The assurance case of a run: why a system may be relied on, on which evidence, and what speaks against it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from temper.api import load, open_store
from temper.api.assistants import is_assistant, load_assistant
from temper.core.assurance import Case
from temper.core.errors import TemperError

if TYPE_CHECKING:
    from temper.core.run import Record
    from temper.store.control import Control
    from temper.store.database import Store


def assurance_case(config: str | Path, run: str, control: Control, now: float, *, trust_pickle: bool = False) -> Case:
    """The case over this run of the system, held against what answers now."""
    from temper.engine.case import case_now

    system = load_assistant(config) if is_assistant(config) else load(config, trust_pickle=trust_pickle)
    return case_now(system, open_store(None, system), control, run, now)


def case_for_report(
    config: Path, record: Record, store: Store, control: Control, now: float, *, trust_pickle: bool = False
) -> Case | None:
    """The case for the report of a run: by what answers now, or by the run alone where its system cannot be loaded.
    None where no ledger was told of it.
    """
    from temper.engine.case import known_of
    from temper.threats.case import case

    if not store.evidence.path.exists():
        return None
    try:
        found = assurance_case(config, record.id, control, now, trust_pickle=trust_pickle)
    except TemperError:
        return case(known_of(record, store, control, now))
    return found if found.system == record.system else case(known_of(record, store, control, now))
