"""What checks share: the random numbers of a check, and measurements from values or from nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.errors import ContractError
from temper.core.measure import Better, Measurement, Status
from temper.core.target import ScoreKind
from temper.validation.gate import NOT_APPLICABLE

Floats = np.ndarray[Any, np.dtype[np.float64]]


def scored(scene: Scene) -> Floats:
    """Scores (n, k) of the scene's rows; a `ContractError` where the scene has no target or a score is not finite."""
    if scene.target is None:
        raise ContractError("a check needs the target in its scene", fix="build the scene with target=...")
    scores = np.asarray(scene.target.scores(scene.x), dtype=np.float64)
    lost = int((~np.isfinite(scores)).any(axis=1).sum())
    if lost:
        raise ContractError(f"{lost:,} of {len(scores):,} rows got no finite score", fix="see what these rows have")
    return scores


def probabilities(scores: Floats, kind: ScoreKind) -> Floats:
    """Probabilities (n, k) of scores that are probabilities or logits (n, k).

    >>> probabilities(np.array([[0.0, 0.0]]), ScoreKind.LOGITS)
    array([[0.5, 0.5]])
    """
    if kind is ScoreKind.PROBABILITIES:
        return scores
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def estimate(plugin: str, metric: str, value: float, drawn: Any, n: int, better: Better, **more: Any) -> Measurement:
    """A figure with the percentile interval of its bootstrap replicates `drawn` (b,); NaN replicates are dropped."""
    kept = np.asarray(drawn)[np.isfinite(drawn)]
    low, high = np.quantile(kept, (0.025, 0.975)) if len(kept) else (np.nan, np.nan)
    filled: dict[str, Any] = {"method": f"percentile bootstrap, {len(kept)} replicates"}
    if not len(kept) or not np.isfinite(value):
        reason = f"{metric} is not defined on these {n} rows"
        return missing(plugin, metric, Status.INCONCLUSIVE, reason, n=n, better=better)
    # A biased statistic can leave its own percentile interval; the figure shown must lie in it.
    filled |= {"low": float(min(low, value)), "high": float(max(high, value))}
    return Measurement(plugin=plugin, metric=metric, value=value, n=n, better=better, **(filled | more))


def missing(plugin: str, metric: str, status: Status, reason: str, **more: Any) -> Measurement:
    """A measurement that says why there is no figure."""
    return Measurement(plugin=plugin, metric=metric, value=None, status=status, reason=reason, **more)


def not_applicable(plugin: str, reason: str) -> tuple[Measurement, ...]:
    """The answer of a check whose question does not arise for this system."""
    return (missing(plugin, NOT_APPLICABLE, Status.UNTRIED, reason),)
