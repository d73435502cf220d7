"""A rate over attempts, with an interval of clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from temper.core.measure import Better, Measurement, Status
from temper.engine.redteam.attempts import Attempt
from temper.engine.redteam.campaign import TEMPLATES, by_injection
from temper.kernels.clustered import clustered_rate

__all__ = ["TEMPLATES", "counts", "rate"]


def rate(
    plugin: str, metric: str, attempts: Iterable[Attempt], event: Callable[[Attempt], bool], **more: Any
) -> Measurement:
    """A rate over attempts: trials of one injection belong together, so the interval is one of clusters."""
    return _clustered(plugin, metric, *counts(attempts, event), **more)


def counts(attempts: Iterable[Attempt], event: Callable[[Attempt], bool]) -> tuple[list[int], list[int]]:
    """Events and trials of every injection that has trials which can be judged."""
    groups = [[one for one in tried if one.valid] for tried in by_injection(attempts).values()]
    groups = [tried for tried in groups if tried]
    return [sum(map(event, tried)) for tried in groups], [len(tried) for tried in groups]


def _clustered(plugin: str, metric: str, hits: Sequence[int], trials: Sequence[int], **more: Any) -> Measurement:
    n = sum(trials)
    if not n:
        reason = "no conversation could be judged"
        return Measurement(plugin=plugin, metric=metric, value=None, status=Status.UNTRIED, reason=reason, **more)
    value, low, high = clustered_rate(hits, trials)
    clusters = Counter(hit / many for hit, many in zip(hits, trials, strict=True))
    filled: dict[str, Any] = {
        "clusters": tuple(sorted(clusters.items())),
        "counts": "prompts",
        "method": f"clustered, {len(trials)} clusters",
        "unit": "share",
        "better": Better.LOWER,
    }
    caveats = (f"0/{n}: not found, which is not impossible",) if not sum(hits) else ()
    return Measurement(
        plugin=plugin,
        metric=metric,
        value=value,
        low=low,
        high=high,
        n=n,
        caveats=caveats,
        **(filled | more),
    )
