"""What `temper monitor` says of evidence: what is stale, and which jobs that makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from temper.core.run import Record
    from temper.monitoring.run import Monitor
    from temper.monitoring.triggers import Validation
    from temper.report.history import Outdated
    from temper.store.control import Control


def validation(config: Path, control: Control, monitor: Monitor) -> Validation:
    """The evidence that the triggers of this temper.yaml look at, ready before the first look."""
    from temper.monitoring.triggers import validation_of

    return validation_of(config, control, monitor=monitor)


def pull(found: Validation, now: float) -> None:
    """Order what is stale, and say so; nothing here is part of the output for programs."""
    from temper.report._inert import inert

    for number, order in found.put("monitor", now):
        typer.echo(f"job {number}: {inert(order.why, 200)}", err=True)


def told(config: Path, control: Control, now: float, *, trust_pickle: bool = False) -> None:
    """What is stale, a line each; where that cannot be told, why."""
    from datetime import UTC, datetime

    from temper.core.errors import TemperError
    from temper.monitoring.triggers import validation_of
    from temper.report.history import stale_lines

    today = datetime.fromtimestamp(now, UTC).date()
    try:
        _, found = validation_of(config, control, trust_pickle=trust_pickle, today=today).stale(now)
    except TemperError as refused:
        typer.echo(f"evidence: cannot be told, {refused.message}")
        return
    typer.echo("\n".join(stale_lines(found)))


def outdated(config: Path, store: str, record: Record, *, trust_pickle: bool) -> list[Outdated]:
    """What of a run is stale now, by the temper.yaml of its system; where that cannot be told, it says so."""
    from datetime import UTC, datetime

    from temper.cli._control import opened
    from temper.config.assistant import is_assistant
    from temper.core.errors import TemperError
    from temper.monitoring.evidence import parts_of
    from temper.monitoring.triggers import validation_of
    from temper.report import history

    if not config.is_file() or is_assistant(config):
        return []
    with opened(store) as (control, _, now):
        today = datetime.fromtimestamp(now, UTC).date()
        try:
            found = validation_of(config, control, trust_pickle=trust_pickle, today=today)
            known, stale = found.stale(now)
        except TemperError as refused:
            return [
                history.Outdated("", f"whether it still counts cannot be told, {refused.message}", "temper history")
            ]
    return history.outdated(record.id, parts_of(record), known, stale) if record.system == found.system else []
