"""How far no attack on the smoothed model can get, proven from its votes under noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.certificate import Certificate, Certified
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Better
from temper.core.seed import Draws
from temper.kernels import sequential
from temper.kernels.loss import decide
from temper.targets._array import to_numpy
from temper.targets._noise import Ballot, Noise, votable
from temper.validation._certified import chosen, nothing_proven, over_radii, rate
from temper.validation._measured import estimate

NAME = "smoothing"
METHODS = ("sequential", "fixed")
_REPLICATES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """Share of rows whose majority vote under Gaussian noise is right and provably stays so within the radius.

    Any black box: the proof is about the vote of the model under noise of `sigma` scales, not about the model. The
    class is chosen from `selection` draws; then all rows draw together up to `samples` times each. "sequential" stops a
    row as soon as its evidence settles whether the radius is certified (wrong with a probability of `alpha` at most per
    row, whenever it stops); "fixed" draws all of them, which gives larger radii. In a table the noise is on movable
    columns of type number; a radius beyond the smallest step of the other columns speaks of those columns alone.
    Misleads where the model in use is not the smoothed one: then it proves nothing about that. The curve of
    "sequential" is low beyond the radius asked for, since rows stop there.
    Source: Cohen, Rosenfeld & Kolter, "Certified adversarial robustness via randomized smoothing", 2019; the sequential
    test after Robbins, "Statistical methods related to the law of the iterated logarithm", 1970.

    >>> Smoothing(sigma=0.5).method
    'sequential'
    """

    sigma: float = 0.25
    radius: float | None = None
    method: str = "sequential"
    samples: int = 50_000
    selection: int = 100
    alpha: float = 0.001
    attacked: ClassVar[bool] = True
    rows: int = 200
    seed: int = 0

    def measure(self, scene: Scene) -> Certified:
        """`certified_share` with its curve, and beside it accuracy, abstentions and draws per row."""
        if self.method not in METHODS:
            raise TemperError(f"unknown smoothing method {self.method!r}", fix=f"use one of {', '.join(METHODS)}")
        try:
            ready = _ready(self, scene)
        except Unsupported as reason:
            return nothing_proven(NAME, str(reason), scene.budget.norm)
        if not len(ready.rows):
            return nothing_proven(NAME, "there is no row to prove anything about", scene.budget.norm)
        return _report(self, ready, _drawn(self, ready))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ready:
    """The rows, who votes on them, the radius asked for, and how many l2 units one unit of the budget's norm is."""

    scene: Scene
    rows: Any
    x: Any
    y: Any
    ballot: Ballot
    radius: float
    unit: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    """Per row: the chosen class, its votes among the first draws, its hits among the later ones, whether it holds."""

    top: Any
    first: Any
    hits: Any
    draws: Any
    held: Any
    radius: Any


def _ready(check: Smoothing, scene: Scene) -> _Ready:
    if scene.target is None:
        raise Unsupported("a proof needs a target", fix="build the scene with target=...")
    votable(scene.kind)
    rows = chosen(scene, check.rows, check.seed, NAME)
    noise = Noise(schema=scene.schema, sigma=check.sigma)
    x = scene.x[rows]
    draws = Draws(check.seed, NAME, ids=np.asarray(scene.ids)[rows], like=x)
    asked = check.radius if check.radius is not None else scene.budget.radius
    return _Ready(
        scene=scene,
        rows=rows,
        x=x,
        y=to_numpy(scene.y)[rows].astype(np.int64) if len(rows) else rows,
        ballot=Ballot(target=scene.target, noise=noise, threshold=scene.threshold, draws=draws),
        radius=check.sigma if asked is None else float(asked),
        unit=_unit(scene.budget.norm, noise.width(tuple(scene.x.shape[1:]))),
    )


def _unit(norm: str, width: int) -> float:
    """An l2 ball holds the l1 ball of its radius, and the linf ball of its radius over the root of the dimension."""
    if norm not in ("l2", "l1", "linf"):
        raise Unsupported(f"smoothing proves radii in l2, l1 and linf, not in {norm}", fix="use one of these")
    return float(np.sqrt(width)) if norm == "linf" else 1.0


def _drawn(check: Smoothing, ready: _Ready) -> _Drawn:
    n = len(ready.rows)
    first = ready.ballot.count(ready.x, np.arange(n), 0, check.selection)
    top = first.argmax(axis=1)
    start = _Drawn(
        top=top,
        first=first.max(axis=1),
        hits=np.zeros(n, dtype=np.int64),
        draws=np.zeros(n, dtype=np.int64),
        held=np.zeros(n, dtype=bool),
        radius=np.zeros(n),
    )
    # A vote that is wrong has nothing to certify.
    open_ = np.flatnonzero(top == ready.y)
    return (
        _sequential(check, ready, start, open_) if check.method == "sequential" else _fixed(check, ready, start, open_)
    )


def _sequential(check: Smoothing, ready: _Ready, found: _Drawn, open_: Any) -> _Drawn:
    """All open rows draw together up to the next look; settled ones drop out."""
    p0 = sequential.gaussian_rate(ready.radius * ready.unit, check.sigma)

    def vote(rows: Any, start: int, stop: int) -> Any:
        ready.scene.progress(start / check.samples)
        return _hits(check, ready, found, rows, start, stop)

    seen = sequential.trials(vote, open_, len(ready.rows), p0, check.alpha, check.samples)
    radius = sequential.gaussian_radius(seen.lower, check.sigma) / ready.unit
    radius = np.where(seen.held, np.maximum(radius, ready.radius), radius)
    return replace(found, hits=seen.hits, draws=seen.draws, held=seen.held, radius=radius)


def _fixed(check: Smoothing, ready: _Ready, found: _Drawn, open_: Any) -> _Drawn:
    hits, draws = found.hits.copy(), found.draws.copy()
    hits[open_] = _hits(check, ready, found, open_, 0, check.samples)
    draws[open_] = check.samples
    rate_low = sequential.exact_lower(hits, np.maximum(draws, 1), check.alpha)
    radius = sequential.gaussian_radius(rate_low, check.sigma) / ready.unit
    return replace(found, hits=hits, draws=draws, held=(radius >= ready.radius) & (radius > 0), radius=radius)


def _hits(check: Smoothing, ready: _Ready, found: _Drawn, open_: Any, start: int, stop: int) -> Any:
    votes = ready.ballot.count(ready.x, open_, check.selection + start, check.selection + stop)
    return votes[np.arange(len(open_)), found.top[open_]]


def _report(check: Smoothing, ready: _Ready, found: _Drawn) -> Certified:
    norm, right = ready.scene.budget.norm, found.top == ready.y
    plain = to_numpy(ready.ballot.target.scores(ready.x))
    base = to_numpy(decide(plain, ready.scene.kind, ready.scene.threshold)) == ready.y
    asked = check.selection * len(right) + int(found.draws.sum())
    share = rate(
        NAME,
        "certified_share",
        found.held,
        method=f"{check.method} test at {norm} {ready.radius:g}, sigma {check.sigma:g}, Wilson interval",
        queries=asked,
        baseline=(("accuracy, smoothed", float(right.mean())), ("accuracy, not smoothed", float(base.mean()))),
        caveats=_caveats(check, ready),
        curve=over_radii(found.radius, norm, max(ready.radius, float(found.radius.max()))),
    )
    abstained = ~sequential.settled(found.first, check.selection, check.alpha)
    spent = found.draws + check.selection
    picks = Draws(check.seed, f"{NAME}/samples").generator().integers(len(spent), size=(_REPLICATES, len(spent)))
    figures = (
        share,
        rate(NAME, "accuracy", right, method=f"majority of {check.selection} draws, Wilson interval"),
        rate(NAME, "abstentions", abstained, Better.LOWER, method=f"binomial test on {check.selection} draws"),
        estimate(NAME, "samples", float(spent.mean()), spent[picks].mean(axis=1), len(spent), Better.LOWER),
    )
    return Certified(measurements=figures, certificate=_certificate(check, ready, found))


def _caveats(check: Smoothing, ready: _Ready) -> tuple[str, ...]:
    said = [
        f"about the vote under noise of sigma {check.sigma:g}, not about the model itself",
        f"each row is wrong with a probability of {check.alpha:g} at most",
    ]
    if ready.radius > ready.ballot.noise.still:
        said.append("speaks of the movable columns of type number only; the radius lets others change too")
    return tuple(said)


def _certificate(check: Smoothing, ready: _Ready, found: _Drawn) -> Certificate:
    still, scene = ready.ballot.noise.still, ready.scene
    alone = ready.radius > still
    right = found.top == ready.y
    return Certificate(
        method=f"smoothing, {check.method}",
        norm=scene.budget.norm,
        ids=np.asarray(scene.ids)[ready.rows],
        radius=found.radius if alone else np.minimum(found.radius, still),
        limit=np.where(right, np.inf, 0.0),
        subject=f"smoothed, sigma {check.sigma:g}" + (", number columns only" if alone else ""),
        confidence=1.0 - check.alpha,
        settings=(
            ("model", ready.ballot.target.digest),
            ("sigma", f"{check.sigma:g}"),
            ("alpha", f"{check.alpha:g}"),
            ("most draws", str(check.samples)),
            ("draws to choose the class", str(check.selection)),
            ("seed", str(check.seed)),
            ("hits", ",".join(map(str, found.hits))),
            ("draws", ",".join(map(str, found.draws))),
        ),
    )


PLUGIN = Smoothing
