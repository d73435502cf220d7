"""Which inputs of a net an attacker can reach, and which linear functions of its scores decide."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.target import ScoreKind
from temper.kernels._bounds_ops import Graph
from temper.kernels.bounds import Region

Rows = np.ndarray[Any, Any]
NORMS = ("linf", "l2", "l1")


def check_domain(scene: Scene, longest: float) -> None:
    """Raise `Unsupported` where a reachable point cannot be put into a box."""
    schema = scene.schema
    if scene.budget.norm not in NORMS:
        raise Unsupported(
            f"bounds are proven in {', '.join(NORMS)}, not in {scene.budget.norm}", fix="use one of these"
        )
    if not schema.columns:
        return
    erasable = [c.name for c in schema.columns if c.movable and c.missing]
    if erasable and longest >= 1.0:
        raise Unsupported(f"within radius {longest:g} {erasable[0]} may go missing", fix="use a radius below 1")
    open_ended = [c.name for c in schema.columns if c.formula and not (np.isfinite(c.low) and np.isfinite(c.high))]
    if open_ended:
        raise Unsupported(f"the derived column {open_ended[0]} has no range", fix="give it low and high in the schema")


def region(scene: Scene, rows: Rows, radius: Rows, device: Any) -> Region:
    """The reachable inputs of these rows, each within its own radius: a superset where columns are whole or derived."""
    import torch

    x0, schema, norm = np.asarray(scene.x, dtype=np.float64)[rows], scene.schema, scene.budget.norm
    reach = radius.reshape((-1,) + (1,) * (x0.ndim - 1))
    if schema.columns:
        low, high, scale = _columns(schema, x0, reach)
        norm = "linf" if any(c.formula for c in schema.columns) else norm
    else:
        low, high = (
            np.maximum(x0 - reach, np.minimum(schema.low, x0)),
            np.minimum(x0 + reach, np.maximum(schema.high, x0)),
        )
        scale = np.ones(1)

    def tensor(values: Any) -> Any:
        return torch.as_tensor(values, dtype=torch.float64, device=device)

    if norm == "linf":
        return Region(low=tensor(low), high=tensor(high))
    return Region(
        low=tensor(low), high=tensor(high), norm=norm, centre=tensor(x0), radius=tensor(radius), scale=tensor(scale)
    )


def _columns(schema: Schema, x0: Rows, reach: Rows) -> tuple[Rows, Rows, Rows]:
    low, high = schema.bounds(x0)
    whole = schema.categorical
    moves = np.where(whole, reach >= 1.0, True)
    ends = np.where(whole, low, np.maximum(low, x0 - reach * schema.scales))
    tops = np.where(whole, high, np.minimum(high, x0 + reach * schema.scales))
    ends, tops = np.where(moves, ends, x0), np.where(moves, tops, x0)
    derived = np.array([bool(c.formula) for c in schema.columns])
    ends = np.where(derived & (reach > 0), np.minimum(schema.lows, x0), ends)
    tops = np.where(derived & (reach > 0), np.maximum(schema.highs, x0), tops)
    width = np.where(np.isfinite(schema.highs - schema.lows), schema.highs - schema.lows, 1.0)
    return ends, tops, np.where(whole, width, schema.scales)


def questions(scene: Scene, graph: Graph, rows: Rows, scores: Rows) -> tuple[Rows, Rows, Rows]:
    """Linear functions (p, k) of the scores, a constant each, and the row each is about: all must stay positive."""
    kind, classes = scene.kind, scores.shape[1]
    at = np.arange(len(rows))
    if kind is ScoreKind.VALUE:
        # The value may rise by the tolerance, or fall by it.
        sign = np.repeat([[1.0], [-1.0]], len(rows), axis=0)
        shift = np.concatenate([scores[:, 0], -scores[:, 0]])
        return -sign, scene.tolerance + shift, np.tile(at, 2)
    truth = np.asarray(scene.y)[rows].astype(np.int64)
    if kind is ScoreKind.MARGIN:
        sign = (2.0 * truth - 1.0)[:, None]
        return sign, -sign[:, 0] * (scene.threshold or 0.0), at
    if classes == 2 and scene.threshold is not None:
        sign = 2.0 * truth - 1.0
        return sign[:, None] * np.array([[-1.0, 1.0]]), -sign * _level(scene, graph), at
    row, other = np.nonzero(_rivals(scene, truth, classes))
    weights = np.eye(classes)[truth[row]] - np.eye(classes)[other]
    return weights, np.zeros(len(row)), row


def _rivals(scene: Scene, truth: Rows, classes: int) -> Rows:
    rivals = np.arange(classes)[None, :] != truth[:, None]
    return np.asarray(rivals) if scene.goal == "misclassify" else rivals & (np.arange(classes) == int(scene.goal))


def _level(scene: Scene, graph: Graph) -> float:
    """The threshold on the difference of the two scores."""
    level = 0.5 if scene.threshold is None else scene.threshold
    if scene.kind is ScoreKind.LOGITS or graph.softmax:
        return math.log(level / (1.0 - level)) if 0.0 < level < 1.0 else math.copysign(math.inf, level - 0.5)
    return 2.0 * level - 1.0
