"""How far no attack on a torch net can get, proven by bounds on its scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.certificate import Certificate, Certified
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Better, Measurement
from temper.core.target import ScoreKind
from temper.kernels.bounds import METHODS, effort, least
from temper.kernels.loss import decide
from temper.targets._array import to_numpy
from temper.targets._graph import agree, graph_of
from temper.validation._certified import chosen, nothing_proven, over_radii, rate
from temper.validation._measured import scored
from temper.validation._net_region import check_domain, questions, region

NAME = "net_bounds"
_ROUNDING = 1e-5
_STRETCH = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetBounds:
    """Share of rows whose decision no admissible point within the budget's radius changes, proven for a torch module.

    `method` is "ibp" (intervals), "crown-ibp" (linear bounds of the scores alone), "crown" (of every neuron), or
    "alpha-crown" (their free slopes optimised by `steps` of Adam); a costlier one is asked only what a cheaper one left
    open. Where the last two would take more than `most_coefficients` per row, "crown-ibp" decides, and the figure says
    so. `bisections` place each row's own radius between
    zero and four times the budget's. Bounds are computed in double precision; a row counts only with a margin over its
    rivals of ten times what the target's own float32 scores differ by, and 1e-5 of the scores at least.
    Misleads as a measure of what an attacker can do: a row without a proof is not a broken one, and nets not trained
    for it prove little. Whole numbers, categories and derived columns are bounded by more than what is admissible.
    Source: Zhang et al., "Efficient neural network robustness certification with general activation functions", 2018;
    Xu et al., "Fast and complete", 2021; Gowal et al., "On the effectiveness of interval bound propagation", 2018.

    >>> NetBounds(method="crown").steps
    20
    """

    method: str = "alpha-crown"
    steps: int = 20
    radius: float | None = None
    bisections: int = 4
    attacked: ClassVar[bool] = True
    rows: int = 200
    batch: int = 50
    most_coefficients: float | None = 2e8
    seed: int = 0

    def measure(self, scene: Scene) -> Certified:
        """`certified_share` at the radius with its curve, and the accuracy beside it."""
        radius = self.radius if self.radius is not None else scene.budget.radius
        if self.method not in METHODS:
            raise TemperError(f"unknown bounding method {self.method!r}", fix=f"use one of {', '.join(METHODS)}")
        try:
            ready = _ready(self, scene, radius)
        except Unsupported as reason:
            return nothing_proven(NAME, str(reason), scene.budget.norm)
        if not len(ready.rows):
            return nothing_proven(NAME, "there is no row to prove anything about", scene.budget.norm)
        return _report(*_affordable(self, ready, float(radius or 0.0)), float(radius or 0.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ready:
    """The rows, the net's operations, its clean scores in double precision, and the margin rounding may eat."""

    scene: Scene
    graph: Any
    rows: Any
    scores: Any
    right: Any
    slack: Any
    said: tuple[str, ...] = ("a row without a proof is not a broken one",)


def _ready(check: NetBounds, scene: Scene, radius: float | None) -> _Ready:
    import torch

    if scene.target is None or radius is None:
        raise Unsupported("a proof needs a target and a radius", fix="give the budget a radius, or the check one")
    graph = graph_of(scene.target, tuple(scene.x.shape[1:]))
    check_domain(scene, radius)
    rows = chosen(scene, check.rows, check.seed, NAME)
    x = np.asarray(to_numpy(scene.x), dtype=np.float64)[rows]
    if not len(rows):
        return _Ready(scene=scene, graph=graph, rows=rows, scores=x, right=x, slack=x)
    gap = agree(graph, scene.target, x)
    with torch.no_grad():
        scores = graph.run(torch.as_tensor(x, dtype=torch.float64, device=graph.device)).flatten(1).cpu().numpy()
    slack = _ROUNDING * (1.0 + np.abs(scores).max(axis=1)) + 10.0 * gap
    return _Ready(scene=scene, graph=graph, rows=rows, scores=scores, right=_right(scene, rows), slack=slack)


def _right(scene: Scene, rows: Any) -> Any:
    """Rows whose decision is the truth; a value is its own truth."""
    if scene.kind is ScoreKind.VALUE:
        return np.ones(len(rows), dtype=bool)
    own = scored(replace(scene, x=scene.x[rows]))
    return np.asarray(decide(own, scene.kind, scene.threshold)) == to_numpy(scene.y)[rows]


def _affordable(check: NetBounds, ready: _Ready, radius: float) -> tuple[NetBounds, _Ready]:
    """The check with the method the net's size allows, and what that leaves to say."""
    if check.most_coefficients is None or check.method not in ("crown", "alpha-crown"):
        return check, ready
    wanted = effort(ready.graph, region(ready.scene, ready.rows[:1], np.full(1, radius), ready.graph.device))
    if wanted <= check.most_coefficients:
        return check, ready
    words = (
        f"{check.method} would take {wanted:.2g} coefficients per row, and most_coefficients allows "
        f"{check.most_coefficients:.2g}: crown-ibp decided, which proves less"
    )
    return replace(check, method="crown-ibp"), replace(ready, said=(words, *ready.said))


def _report(check: NetBounds, ready: _Ready, radius: float) -> Certified:
    held = _proven(check, ready, np.full(len(ready.rows), radius), check.method)
    by_interval = _proven(check, ready, np.full(len(ready.rows), radius), "ibp")
    reach = _radii(check, ready, held, radius)
    norm = ready.scene.budget.norm
    share = rate(
        NAME,
        "certified_share",
        held,
        method=f"{check.method} at {norm} {radius:g}, Wilson interval",
        baseline=(("accuracy", float(ready.right.mean())), ("intervals alone", float(by_interval.mean()))),
        caveats=ready.said,
        curve=over_radii(reach, norm, max(radius * _STRETCH, 1e-12)),
    )
    figures: tuple[Measurement, ...] = (share,)
    if ready.scene.kind is not ScoreKind.VALUE:
        figures += (rate(NAME, "accuracy", ready.right, Better.HIGHER, method="Wilson interval"),)
    return Certified(measurements=figures, certificate=_certificate(check, ready, reach, norm))


def _radii(check: NetBounds, ready: _Ready, held: Any, radius: float) -> Any:
    """Per row the largest radius tried and proven; each step halves what is left between that and the next failure."""
    low = np.where(held, radius, 0.0)
    high = np.where(held, radius * _STRETCH, radius)
    for _ in range(check.bisections):
        middle = (low + high) / 2
        proven = _proven(check, ready, np.where(ready.right, middle, 0.0), check.method)
        low, high = np.where(proven, middle, low), np.where(proven, high, middle)
    return np.where(ready.right, low, 0.0)


def _proven(check: NetBounds, ready: _Ready, radius: Any, method: str) -> Any:
    """Which rows keep their (right) decision within their radius."""
    found = np.zeros(len(ready.rows), dtype=bool)
    open_ = np.flatnonzero(ready.right)
    for start in range(0, len(open_), check.batch):
        part = open_[start : start + check.batch]
        found[part] = _some(check, ready, part, radius[part], method)
    return found


def _some(check: NetBounds, ready: _Ready, part: Any, radius: Any, method: str) -> Any:
    import torch

    rows, device = ready.rows[part], ready.graph.device
    weights, shift, row = questions(ready.scene, ready.graph, rows, ready.scores[part])
    enough = ready.slack[part][row] - shift
    bounds = least(
        ready.graph,
        region(ready.scene, rows, radius, device),
        torch.as_tensor(weights, dtype=torch.float64, device=device),
        torch.as_tensor(row, device=device),
        method=method,
        steps=check.steps,
        enough=torch.as_tensor(enough, dtype=torch.float64, device=device),
    )
    failed = row[~(bounds.cpu().numpy() > enough)]
    return ~np.isin(np.arange(len(part)), failed)


def _certificate(check: NetBounds, ready: _Ready, radius: Any, norm: str) -> Certificate:
    import torch

    target = ready.scene.target
    return Certificate(
        method=check.method,
        norm=norm,
        ids=np.asarray(ready.scene.ids)[ready.rows],
        radius=radius,
        limit=np.where(ready.right, np.inf, 0.0),
        settings=(
            ("model", "" if target is None else target.digest),
            ("steps", str(check.steps)),
            ("bisections", str(check.bisections)),
            ("torch", str(torch.__version__)),
            ("precision", "float64 bounds, margin for float32 rounding measured on the clean rows"),
        ),
    )


PLUGIN = NetBounds
