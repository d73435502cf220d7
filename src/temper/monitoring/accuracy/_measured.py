"""What figures of cohorts share: ends that hold at every look, whatever the labels that have not come may say."""

from __future__ import annotations

from typing import Any

from temper.core.measure import Better, Measurement, Status
from temper.kernels.confidence_sequence import Evidence
from temper.monitoring.labels import Cohort

NO_LABELS = "no label of these rows has come"


def mean(
    plugin: str,
    metric: str,
    seen: Evidence,
    better: Better,
    *,
    least: Evidence | None = None,
    most: Evidence | None = None,
    confidence: float = 0.95,
    without: str = NO_LABELS,
    **more: Any,
) -> Measurement:
    """The mean of what was `seen`. What has not come adds `least` to the evidence of the lower end and `most` to that
    of the upper one, so labels that stay away hide nothing. `without` says why there is nothing to see.
    """
    if not seen.n:
        return nothing(plugin, metric, without, better, **more)
    low = (seen + least if least else seen).ends(confidence)[0]
    high = (seen + most if most else seen).ends(confidence)[1]
    filled: dict[str, Any] = {"method": "betting, mixture of bets; holds at every look", "unit": "share"}
    return Measurement(
        plugin=plugin,
        metric=metric,
        value=seen.mean,
        low=min(low, seen.mean),
        high=max(high, seen.mean),
        confidence=confidence,
        n=seen.n,
        better=better,
        anytime=True,
        **(filled | more),
    )


def nothing(plugin: str, metric: str, reason: str, better: Better, **more: Any) -> Measurement:
    """No figure, and why."""
    more = {name: value for name, value in more.items() if name not in ("baseline", "method")}
    return Measurement(
        plugin=plugin, metric=metric, value=None, status=Status.INCONCLUSIVE, reason=reason, better=better, **more
    )


def away(cohort: Cohort) -> int:
    """How many rows have no label."""
    return int((~cohort.labelled).sum())


def doubt(cohort: Cohort) -> tuple[str, ...]:
    """The caveat that labels have not come, if any."""
    gone = away(cohort)
    return (f"{gone:,} of {len(cohort):,} rows have no label: both ends count them at their worst",) if gone else ()
