"""The threat model of a temper.yaml, of a model or of an assistant, beside what its last run measured."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from temper.api import load, open_store
from temper.api.assistants import is_assistant, load_assistant
from temper.core.assistant import Assistant
from temper.core.run import Record
from temper.core.system import Protected

if TYPE_CHECKING:
    from temper.core.risk import Register
    from temper.report.threats import Threats
    from temper.store.control import Control


def threats(path: str | Path = "temper.yaml", *, trust_pickle: bool = False) -> Threats:
    """Concerns, coverage and questions of this system. Nothing is measured and nothing is written."""
    from temper.engine.identity import subject
    from temper.report.threats import Threats
    from temper.threats.age import outdated
    from temper.threats.model import threat_model
    from temper.threats.taxonomies import taxonomies

    system = load_assistant(path) if is_assistant(path) else load(path, trust_pickle=trust_pickle)
    runs, now = _runs(system), dict(subject(system))
    name = "assistant" if isinstance(system, Assistant) else "model"
    warning = outdated(system.description, now[name], runs, _written(system), name)
    return Threats(
        model=threat_model(system),
        record=next((run for run in reversed(runs) if run.state == "finished"), None),
        now=now,
        warnings=(warning,) if warning else (),
        titles={f"{key}:{id}": words for key, table in taxonomies().items() for id, words in table.titles.items()},
    )


def risk(path: str | Path, control: Control, now: float, *, trust_pickle: bool = False) -> Register:
    """The risk register of this temper.yaml, as everything kept of it says now."""
    from temper.engine.risk import MOST, risk_now
    from temper.engine.risk_assistant import risk_of_assistant

    if not is_assistant(path):
        system = load(path, trust_pickle=trust_pickle)
        return risk_now(system, open_store(None, system), control, now, trust_pickle=trust_pickle)
    assistant = load_assistant(path)
    seen = control.incidents.page(limit=MOST, timelines=True)
    return risk_of_assistant(assistant, _runs(assistant), now, seen)


def _runs(system: Protected | Assistant) -> list[Record]:
    """The runs of this system, where it has a store already."""
    home = Path(system.source).resolve().parent
    around = (home.parent / "temper.yaml").exists() and (home.parent / ".temper").is_dir()
    if not around and not (home / ".temper").is_dir():
        return []
    return [run for run in open_store(None, system).runs() if run.system == system.name]


def _written(system: Protected | Assistant) -> date | None:
    """The day on which the model's file was last written, where it is one."""
    options = system.options.get("validation.artifact", {}) if isinstance(system, Protected) else {}
    file = Path(str(options.get("file", "")))
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).date() if file.is_file() else None
