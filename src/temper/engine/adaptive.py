"""The second attempt: where gradients cannot be trusted, the model's slope is measured from its answers instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Array, Data
from temper.core.errors import NoGradient, TemperError, Unsupported
from temper.core.room import Room
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target
from temper.engine.strike import strike
from temper.kernels.slope import Aim, climb
from temper.targets._array import to_numpy
from temper.targets._wrapper import Wrapper
from temper.targets.oracle import Evidence

ADAPTIVE = "evasion.pgd"
MASKED = "zero_gradient"
_PAIRS, _STEPS, _DRAWS = 24, 20, 20
_PROBED, _WIDTH = 16, 0.25
_LOST = 0.5  # share of a row's gradients that were nothing
_APART = 0.3  # correlation below which slope and answers have nothing to do with each other
_FLAT = 1e-5  # of the size of the scores: single precision tells no difference below it

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured(Wrapper):
    """The same model, but its slope is measured from its answers: differences along random signs, `width` to each side.

    The signs of a point come from its own bytes, so that no row's result depends on the rows beside it.
    Source: Uesato et al., "Adversarial risk and the dangers of evaluating against weak attacks", 2018 (SPSA).
    """

    width: float
    low: float
    high: float
    seed: int = 0
    pairs: int = _PAIRS

    @property
    def access(self) -> Access:
        """What the model offers, and gradients."""
        return self.inner.access | Access.GRADIENTS

    @property
    def digest(self) -> str:
        """The model's."""
        return self.inner.digest

    def scores(self, x: Array) -> Array:
        """The model's own answers."""
        return self.inner.scores(x)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Scores, and the measured slope of their weighted sum."""
        scores = self.inner.scores(x)
        weights = np.asarray(cotangent(scores))
        signs = _signs(x, self.seed, self.pairs)
        slope = np.zeros_like(x)
        for sign in signs:
            up, down = (x + move * self.width * sign for move in (1, -1))
            change = self.inner.scores(up.clip(self.low, self.high)) - self.inner.scores(down.clip(self.low, self.high))
            slope += (change * weights).sum(axis=1).reshape((-1,) + (1,) * (x.ndim - 1)) * sign
        return scores, slope / (2 * self.width * len(signs))

    def refit(self, data: Data, recipe: Recipe) -> Target:
        """Not offered."""
        raise Unsupported("a model whose slope is measured is not trained")


def pressed(attack: Any, target: Target, scene: Scene, seed: int, name: str) -> Evidence:
    """What the attack found, and what a second attempt finds where its gradients could not be trusted.

    Attacks that follow gradients in a ball are looked at: rows they left standing are tried again along a measured
    slope where theirs was nothing, not finite, missing or contradicted by the model's answers, along the mean of many
    draws where the model answers at random, and by themselves in half the ball. What was done is in the notes
    "agreement", "measured", "averaged", "halved": per row 1 where it broke the row and 0 where it did not.
    """
    if not _eligible(attack, scene):
        return strike(attack, target, scene, seed, name)
    try:
        found = strike(attack, target, scene, seed, name)
    except NoGradient:
        return _without(target, scene, seed)
    found = _agreement(found, target, scene, seed)
    suspects = _held(found) & _suspect(found)
    if suspects.any():
        found = _again(found, _measured(target, scene, seed), scene, suspects, seed, "measured")
    if target.stochastic and getattr(attack, "eot", 1) == 1:
        found = _again(found, target, scene, _standing(found), seed, "averaged")
    if getattr(attack, "mode", "") == "first":
        found = _halved(found, attack, target, scene, seed, name)
    return found


def _eligible(attack: Any, scene: Scene) -> bool:
    """Gradients, in a ball, on inputs that are one array."""
    budget = scene.budget
    ball = budget.norm in ("linf", "l2", "l1") and bool(budget.radius)
    return Access.GRADIENTS in attack.needs and not scene.schema.columns and ball and len(scene.x) > 0


def _held(found: Evidence) -> Rows:
    mask: Rows = found.verdicts == "held"
    return mask


def _standing(found: Evidence) -> Rows:
    """Rows that held, and rows whose success a random model took back."""
    mask: Rows = _held(found) | (found.verdicts == "untried")
    return mask


def _suspect(found: Evidence) -> Rows:
    """Rows whose gradients are mostly nothing, not finite, or contradicted by the answers."""
    none = np.full(len(found.verdicts), np.nan)
    lost = found.notes.get(MASKED, none) > _LOST
    bad = found.notes.get("bad_gradient", none) > 0
    agreement = found.notes.get("agreement", none)
    # The probe looks at some rows; what it finds on most of them holds for the others too.
    apart = bool(np.nanmean(agreement < _APART) > _LOST) if np.isfinite(agreement).any() else False
    suspects: Rows = lost | bad | (agreement < _APART) | apart
    return suspects


def _width(scene: Scene) -> float:
    """A step of random signs of this width in every value stays well within the ball."""
    size = float(np.prod(scene.x.shape[1:]))
    shares = {"linf": 1.0, "l2": float(np.sqrt(size)), "l1": size}
    return float(scene.budget.radius or 0.0) / shares[scene.budget.norm]


def _measured(target: Target, scene: Scene, seed: int) -> Measured:
    schema = scene.schema
    return Measured(inner=target, width=_width(scene) / 2, low=schema.low, high=schema.high, seed=seed)


def _without(target: Target, scene: Scene, seed: int) -> Evidence:
    """The model has no gradient at all: only a measured one is left."""
    rows = np.ones(len(scene.x), dtype=bool)
    found = _try(_measured(target, scene, seed), scene, rows, seed, _PAIRS * 2 + 1)
    notes = {MASKED: np.ones(len(rows)), "measured": (found.verdicts == "broken") * 1.0}
    return replace(found, notes=notes)


def _again(found: Evidence, target: Target, scene: Scene, rows: Rows, seed: int, note: str) -> Evidence:
    """Try these rows once more; broken is broken, whoever did it."""
    price = _PAIRS * 2 + 1 if note == "measured" else _DRAWS
    queries = scene.budget.queries
    if not rows.any() or (queries is not None and queries < price):
        return found
    more = _try(target, scene, rows, seed, price)
    return joined(found, more, rows, note)


def _try(target: Target, scene: Scene, rows: Rows, seed: int, price: int) -> Evidence:
    """The adaptive attack on these rows; queries count what each of its questions costs the model."""
    measured = isinstance(target, Measured)
    eot = _DRAWS if target.stochastic and not measured else 1
    attack = Room("temper.attacks").build(ADAPTIVE, {"steps": _STEPS, "loss": "margin", "eot": eot, "restarts": 2})
    queries = scene.budget.queries
    if queries is not None and measured:
        scene = replace(scene, budget=replace(scene.budget, queries=queries // price))
    found = strike(attack, target, replace(part(scene, rows), mode="first"), seed, "adaptive")
    return replace(found, queries=found.queries * price) if measured else found


def _halved(found: Evidence, attack: Any, target: Target, scene: Scene, seed: int, name: str) -> Evidence:
    """Some of the rows that held, in half the ball: an attack that breaks there and not in the whole is no measure."""
    rows = np.zeros(len(scene.x), dtype=bool)
    rows[np.flatnonzero(_held(found))[: _PROBED // 2]] = True
    if not rows.any():
        return found
    budget = replace(scene.budget, radius=(scene.budget.radius or 0.0) / 2)
    more = strike(attack, target, replace(part(scene, rows), budget=budget), seed, name)
    return joined(found, more, rows, "halved")


def part(scene: Scene, rows: Rows) -> Scene:
    """The scene of some rows only."""
    return replace(scene, x=scene.x[rows], y=scene.y[rows], ids=scene.ids[rows])


def joined(found: Evidence, more: Evidence, rows: Rows, note: str) -> Evidence:
    """The first evidence with the breaks of the second, its queries added, and a note of what it did."""
    at = np.flatnonzero(rows)
    broke = more.verdicts == "broken"
    x_adv, reasons = np.array(to_numpy(found.x_adv)), list(found.reasons)
    changed = {
        name: np.array(getattr(found, name))
        for name in ("verdicts", "distance", "cost", "queries", "broken_at", "score")
    }
    changed["verdicts"] = changed["verdicts"].astype(object)  # a fixed width would cut longer words
    finished = (changed["verdicts"][at] == "untried") & (more.verdicts == "held")
    changed["broken_at"][at[broke]] = (changed["queries"][at] + more.broken_at)[broke]
    changed["queries"][at] += more.queries
    for name in ("verdicts", "distance", "cost", "score"):
        changed[name][at[broke]] = getattr(more, name)[broke]
    x_adv[at[broke]] = to_numpy(more.x_adv)[broke]
    if note == "averaged":
        changed["verdicts"][at[finished]] = "held"
    for row in at[broke | finished]:
        reasons[row] = ""
    told = np.full(len(rows), np.nan)
    told[at] = broke
    return replace(
        found,
        **(changed | {"verdicts": changed["verdicts"].astype(str)}),
        x_adv=x_adv,
        reasons=tuple(reasons),
        gradients=found.gradients + more.gradients,
        seconds=found.seconds + more.seconds,
        notes=found.notes | {note: told},
    )


def _agreement(found: Evidence, target: Target, scene: Scene, seed: int) -> Evidence:
    """Note per looked-at row how well its slope predicts its answers: the correlation over random signs.

    Zero where there is no slope. Rows whose answers hardly change tell nothing; neither does a model that answers at
    random.
    """
    rows = np.flatnonzero(_held(found))[:_PROBED]
    if not len(rows) or target.stochastic:
        return found
    try:
        said = agreement(target, scene, rows, seed)
    except TemperError:
        return found
    told = np.full(len(scene.x), np.nan)
    told[rows] = said
    return replace(found, notes=found.notes | {"agreement": told})


def agreement(target: Target, scene: Scene, rows: Rows, seed: int) -> Rows:
    """Correlation (n,) of what the gradient promises along random signs with what the model answers there."""
    x, y = scene.x[rows], scene.y[rows]
    aim = Aim(kind=scene.kind, threshold=scene.threshold, goal=scene.goal, tolerance=scene.tolerance)
    clean = np.asarray(target.scores(x)) if scene.kind is ScoreKind.VALUE else None
    kept: list[Rows] = []

    def pull(scores: Array) -> Array:
        kept.append(np.asarray(climb("margin", scores, y, aim, None, clean)[1]))
        return kept[-1]

    scores, slope = target.gradient(x, pull)
    width, level = _WIDTH * _width(scene), np.abs(scores * kept[-1]).sum(axis=1)
    promised, answered = [], []
    for sign in _signs(x, seed, _PAIRS):
        change = np.asarray(target.scores(x + width * sign)) - np.asarray(target.scores(x - width * sign))
        answered.append((change * kept[-1]).sum(axis=1))
        promised.append((slope * sign).reshape((len(x), -1)).sum(axis=1))
    return _correlation(np.stack(promised, axis=1), np.stack(answered, axis=1), _FLAT * level)


def _correlation(promised: Rows, answered: Rows, least: Rows) -> Rows:
    """Per row, through the origin: zero where nothing was promised, else NaN where no answer is above `least`."""
    promised = np.where(np.isfinite(promised), promised, 0.0)
    size = np.sqrt((promised**2).sum(axis=1) * (answered**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(size > 0, (promised * answered).sum(axis=1) / size, 0.0)
    telling = np.isfinite(answered).all(axis=1) & (np.abs(answered).max(axis=1) > least)
    kept: Rows = np.where(telling | (promised == 0).all(axis=1), found, np.nan)
    return kept


def _signs(x: Array, seed: int, count: int) -> Rows:
    """Random signs (count, n, ...) that each point brings with it."""
    ids = [int.from_bytes(blake2b(np.ascontiguousarray(row).tobytes(), digest_size=7).digest(), "little") for row in x]
    unit = Draws(seed, "signs", np.array(ids, dtype=np.int64)).uniform(np.arange(len(x)), 0, (count, *x.shape[1:]))
    signs: Rows = np.moveaxis(np.where(unit < 0.5, -1.0, 1.0), 1, 0)
    return signs
