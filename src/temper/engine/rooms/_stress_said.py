"""What stress breaks: figures that could not be taken, and findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temper.core.finding import Finding
from temper.core.measure import Better, Measurement, Status
from temper.core.target import ScoreKind
from temper.engine.identity import weakness
from temper.engine.rooms._stress_trial import Trial
from temper.engine.task import Part

MATERIAL = 0.02  # a drop that a finding is worth


def error(trial: Trial, metric: str, reason: str, **more: Any) -> Measurement:
    """A figure that could not be taken, and why."""
    return Measurement(
        plugin=trial.name,
        metric=metric,
        value=None,
        n=len(trial.scene.y),
        better=Better.LOWER,
        status=Status.ERROR,
        reason=reason,
        simulated=trial.world.system.simulated,
        **more,
    )


def broken(trial: Trial, severity: int, message: str, asked: int) -> Part:
    """What is left to say of a model that fails at this severity."""
    reason = f"at severity {severity}: {message}"
    metrics = ("loss",) if trial.scene.kind is ScoreKind.VALUE else ("loss", "flip_rate")
    found = Finding(
        id=weakness(trial.name, "error"),
        title=f"the model stops working under {trial.plugin.replace('_', ' ')}",
        plugin=trial.name,
        metric="loss",
        severity="high",
        detail=reason,
    )
    return Part(measurements=tuple(error(trial, m, reason) for m in metrics), findings=(found,), queries=asked)


def findings(trial: Trial, measured: Sequence[Measurement]) -> tuple[Finding, ...]:
    """A finding where even the favourable end of a drop is material."""
    loss = measured[0]
    columns = [m for m in measured if m.metric == "worst_column_loss"]
    severe = [m for m in (loss, *columns) if m.status is Status.ERROR or (m.low is not None and m.low > MATERIAL)]
    if not severe:
        return ()
    said = "; ".join(_said(m) for m in severe)
    worst = max((m.low or 0.0 for m in severe), default=0.0)
    return (
        Finding(
            id=weakness(trial.name, "loss"),
            title=_title(trial, severe[0], columns),
            plugin=trial.name,
            metric=severe[0].metric,
            severity="high" if worst > 5 * MATERIAL or severe[-1].status is Status.ERROR else "medium",
            detail=said,
        ),
    )


def _title(trial: Trial, worst: Measurement, columns: Sequence[Measurement]) -> str:
    what = trial.plugin.rpartition(".")[2].replace("_", " ").capitalize()
    lost = f"{worst.unit} of {worst.value:.3f}" if worst.value is not None else "the model stops working"
    if worst.metric == "worst_combination_loss":
        return f"Worst combination, {worst.slice}: {lost}"
    return f"{what}: {lost}" + "".join(f", worst column {m.slice.removeprefix('column:')}" for m in columns)


def _said(m: Measurement) -> str:
    whole = "all rows" if "." in m.plugin.removeprefix("stress.") else "all columns"
    where = whole if m.slice == "all" else m.slice.replace(":", " ")
    if m.value is None or m.low is None or m.high is None:
        return f"{where}: {m.reason}"
    return f"{where}: {m.unit} {m.value:.3f} [{m.low:.3f}, {m.high:.3f}], n = {m.n:,} ({m.caveats[0]})"
