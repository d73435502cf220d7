"""What no attack can do to a tree ensemble, proven row by row."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.certificate import Certificate, Certified
from temper.core.errors import Unsupported
from temper.core.measure import Better, Curve, Point
from temper.core.target import Access, ScoreKind, TreeTarget
from temper.judges.misclassified import Misclassified
from temper.kernels.rate import measure_rate, wilson
from temper.kernels.tree_reach import SLACK, granted
from temper.kernels.tree_verify import Bracket, Verifier, nearest_bound
from temper.kernels.trees import margins, value_margins
from temper.validation._certified import chosen, nothing_proven, rate
from temper.validation._measured import scored

NAME = "tree_bounds"
_LINK = 2.0**-20  # what single precision may do to a margin on its way through the link
_POINTS = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeBounds:
    """The share of rows whose decision no admissible change within the budget alters, proven by exhausting the trees.

    `certified_share` is over at most `rows` rows, chosen by their ids; a row the model judges wrong is not certified,
    one that is neither proven nor broken after `states` steps (a step takes about 10 microseconds; where columns share
    a budget a state takes ten) or `seconds` is undecided. The certificate holds each row's proven radius, up to the
    budget's, and its nearest known break. Relations between columns and one-hot groups are left out and derived columns
    move within the span of their formula, which can only lower the share.
    Misleads where it is read as robustness against anything else: another norm, a larger radius, a column the Schema
    calls immutable and the attacker can change after all.
    Source: Devos, Meert & Davis, "Versatile verification of tree ensembles", 2021.

    >>> TreeBounds(rows=50).rows
    50
    """

    needs: ClassVar[Access] = Access.TREES
    attacked: ClassVar[bool] = True
    rows: int = 200
    states: int = 60_000
    seconds: float | None = None
    steps: int = 10
    seed: int = 0

    def measure(self, scene: Scene) -> Certified:
        """`certified_share` at the scene's budget with its curve over the radius, and the accuracy beside it."""
        radius, norm = _budget(scene)
        if reason := _refusal(scene, radius):
            return nothing_proven(NAME, reason, norm)
        rows = chosen(scene, self.rows, self.seed, NAME)
        scene = replace(scene, x=scene.x[rows], y=scene.y[rows], ids=np.asarray(scene.ids)[rows])
        scores = scored(scene)
        right = _right(scene, scores)
        try:
            ready = _verifiers(scene, scores)
        except Unsupported as problem:
            return nothing_proven(NAME, problem.message, norm)
        brackets = [Bracket(certified=0.0, broken=0.0)] * len(rows)
        for done, row in enumerate(np.flatnonzero(right).tolist()):
            brackets[row] = self._bracket(scene, ready(row), row, radius, norm)
            scene.progress((done + 1) / int(right.sum()))
        return _certified(scene, right, brackets, radius, norm, self)

    def _bracket(self, scene: Scene, verifier: Verifier, row: int, radius: float, norm: str) -> Bracket:
        end = None if self.seconds is None else time.monotonic() + self.seconds
        return nearest_bound(
            verifier,
            scene.schema,
            scene.x[row : row + 1],
            norm,
            top=radius,
            cost=None if norm == "cost" else scene.budget.cost,
            steps=self.steps,
            states=self.states,
            confirm=_confirm(scene, row),
            go_on=None if end is None else lambda: time.monotonic() < end,
        )


def _budget(scene: Scene) -> tuple[float, str]:
    """The radius and its norm; a cost alone is a radius in cost."""
    budget = scene.budget
    if budget.norm == "cost" or budget.radius is None:
        limits = [limit for limit in (budget.radius, budget.cost) if limit is not None]
        return min(limits, default=0.0), "cost"
    return budget.radius, budget.norm


def _refusal(scene: Scene, radius: float) -> str:
    target = scene.target
    if target is None or Access.TREES not in target.access or not isinstance(target, TreeTarget):
        return "the target has no trees to read"
    if not len(scene.x):
        return "there are no rows"
    if radius <= 0:
        return "the budget has neither a radius nor a cost"
    if scene.kind is ScoreKind.VALUE and scene.tolerance <= 0:
        return "a value without a tolerance has no decision to keep"
    return ""


def _right(scene: Scene, scores: Any) -> Any:
    """The rows an attack has not already succeeded on."""
    outcome = Outcome(scores=scores, y=np.asarray(scene.y), clean=scores)
    return ~np.asarray(Misclassified().judge(scene, outcome))


def _verifiers(scene: Scene, scores: Any) -> Callable[[int], Verifier]:
    """The verifier of each row: one per truth, or one moved to each row's value."""
    target: Any = scene.target
    ensemble, kept = target.trees(), {}
    if scene.kind is ScoreKind.VALUE:
        both = value_margins(ensemble, 0.0, scene.tolerance)
        first, extra = Verifier.of(both, scene.schema), abs(scores[:, 0]) * 2.0**-22
        up, down = both[0].base, both[1].base
        return lambda row: replace(
            first.shifted((up - scores[row, 0], down + scores[row, 0])), extra=first.extra + float(extra[row])
        )
    many = scene.goal != "misclassify" and ensemble.outputs > 2

    def of(row: int) -> Verifier:
        truth = int(scene.y[row])
        if truth not in kept:
            found = margins(ensemble, scene.kind, truth, scene.threshold, scene.goal)
            kept[truth] = Verifier.of(found, scene.schema, every=many, extra=_link(scene))
        return kept[truth]

    return of


def _link(scene: Scene) -> float:
    """A probability is compared in single precision: what that is worth in the margin at the threshold."""
    level = 0.5 if scene.threshold is None or scene.kind is not ScoreKind.PROBABILITIES else scene.threshold
    return _LINK / max(4 * level * (1 - level), 1e-6)


def _confirm(scene: Scene, row: int) -> Callable[[Any], Any]:
    """A point counts when it is admissible, within the budget, and the target itself decides otherwise."""
    x0 = np.asarray(scene.x[row : row + 1])
    target: Any = scene.target
    clean = target.scores(x0) if scene.kind is ScoreKind.VALUE else None
    budget, schema = scene.budget, scene.schema
    limits, slack = ((budget.norm, budget.radius), ("cost", budget.cost)), granted(scene.x, budget.norm)

    def confirm(point: Any) -> Any:
        x = schema.derive(point.reshape(x0.shape).astype(x0.dtype), x0)
        if not schema.admits(x, x0).all():
            return None
        for norm, limit in limits:
            if limit is not None and not schema.distance(x, x0, norm)[0] <= limit * (1 + SLACK) + slack:
                return None
        outcome = Outcome(scores=target.scores(x), y=np.asarray(scene.y[row : row + 1]), clean=clean)
        return x.reshape(-1) if Misclassified().judge(scene, outcome)[0] else None

    return confirm


def _certified(
    scene: Scene, right: Any, brackets: list[Bracket], radius: float, norm: str, check: TreeBounds
) -> Certified:
    """The figures and the certificate of the brackets."""
    proven = np.array([b.certified for b in brackets])
    broken = np.array([b.broken for b in brackets])
    held, open_rows = proven >= radius, (proven < radius) & np.isinf(broken)
    unknown = int(open_rows.sum())
    caveats = [f"{norm} radius {radius:g}; {unknown} unknown after {check.states:,} steps a row"]
    if scene.schema.relations or scene.schema.groups:
        caveats.append("relations and one-hot groups are left out of the proof: the true share may be higher")
    share = measure_rate(
        NAME,
        "certified_share",
        int(held.sum()),
        len(right),
        undecided=unknown,
        better=Better.HIGHER,
        baseline=(("accuracy", float(right.mean())),),
        caveats=tuple(caveats),
        curve=_curve(proven, broken, radius, norm),
    )
    certificate = Certificate(
        method="branch and bound over the leaves of the trees",
        norm=norm,
        ids=np.asarray(scene.ids),
        radius=proven,
        limit=broken,
        settings=(("states", str(check.states)), ("steps", str(check.steps)), ("largest radius", f"{radius:g}")),
    )
    return Certified(measurements=(share, rate(NAME, "accuracy", right)), certificate=certificate)


def _curve(proven: Any, broken: Any, radius: float, norm: str) -> Curve:
    """Certified share at each radius; the interval spans rows whose bracket is still open there."""
    points = []
    for at in np.linspace(0.0, radius, _POINTS):
        held = int(((proven >= at) & (broken > 0)).sum())
        most = int((broken > at).sum())
        low, high = wilson(held, len(proven))[0], wilson(max(most, held), len(proven))[1]
        points.append(Point(at=float(at), value=held / len(proven), low=low, high=high, n=len(proven)))
    return Curve(name="certified share by radius", axis=f"radius in {norm}", unit="", points=tuple(points))


PLUGIN = TreeBounds
