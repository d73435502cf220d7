"""What `temper monitor` says of evidence: what is stale, and which jobs that makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from temper.monitoring.run import Monitor
    from temper.monitoring.triggers import Validation
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
