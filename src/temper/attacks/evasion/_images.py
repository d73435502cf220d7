"""What attacks by transformations of whole images share: their shape, and a search over the settings."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from temper.attacks.evasion._nearest import CHUNK, Ground, plain
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.seed import Draws

Make = Callable[[Array, Array], Array]
_SLACK = 1e-6


def refuse_other_than_pictures(scene: Scene, name: str) -> None:
    """Only images (n, channels, height, width) in a finite box can be transformed."""
    if len(scene.x.shape) != 4:
        raise Unsupported(
            f"{name} works on images (n, channels, height, width) and got {tuple(scene.x.shape)}",
            fix="give images with the channels first, or use evasion.square",
        )
    if not math.isfinite(scene.schema.high - scene.schema.low):
        raise Unsupported(f"{name} needs to know the range of a pixel", fix="use Schema.box(low, high)")


def search(oracle: OracleLike, ground: Ground, rng: Draws, make: Make, size: int, tries: int, at_once: int) -> None:
    """Random settings in [-1, 1]^size for a third of the queries, then ever smaller moves round the best.

    `make(x0, settings)` gives the candidates. Only those within the budget's radius are asked.
    """
    scene, xp = ground.scene, ground.xp
    n = len(scene.x)
    best, lowest = np.zeros((n, size)), np.full(n, np.inf)
    total = int(min(tries, oracle.left.max(initial=0)))
    for start in range(0, total, at_once):
        rows = oracle.active
        rows = rows[~oracle.broken[rows]]
        if not len(rows):
            break
        steps = np.arange(start, min(start + at_once, total))
        many, turn = np.repeat(rows, len(steps)), np.tile(steps, len(rows))
        chosen = _settings(rng, best, many, turn, start / total)
        for at in range(0, len(many), CHUNK):
            part, kept = many[at : at + CHUNK], chosen[at : at + CHUNK]
            x = make(scene.x[part], xp.astype(xp.asarray(kept, device=scene.x.device), scene.x.dtype))
            near = _within(scene, x, part)
            if near.any():
                scores = oracle.scores(x[near], part[near])
                _keep(best, lowest, part[near], kept[near], plain(ground.lead(scores, part[near])))
    oracle.done(np.arange(n))


def _settings(rng: Draws, best: Array, rows: Array, step: Array, share: float) -> Array:
    """Fresh ones, drawn to the ends of the range, or a move round the best one of the row."""
    size = best.shape[1]
    fresh = plain(rng.uniform(rows, 2 * step, (size,), -1.0, 1.0))
    if share < 1 / 3:
        return np.sign(fresh) * np.sqrt(np.abs(fresh))
    near = plain(rng.normal(rows, 2 * step + 1, (size,)))
    return np.clip(best[rows] + near * (0.75 * (1 - share)), -1.0, 1.0)


def _within(scene: Scene, x: Array, rows: Array) -> Array:
    """Which candidates could count at all."""
    radius = scene.budget.radius
    if radius is None:
        return np.ones(len(rows), dtype=bool)
    return plain(scene.schema.distance(x, scene.x[rows], scene.budget.norm)) <= radius + _SLACK * radius


def _keep(best: Array, lowest: Array, rows: Array, chosen: Array, lead: Array) -> None:
    """Remember the setting of each row with the lowest lead; one not answered is none."""
    order = np.lexsort((np.where(np.isnan(lead), np.inf, lead), rows))
    first = order[np.r_[True, rows[order][1:] != rows[order][:-1]]]
    first = first[lead[first] < lowest[rows[first]]]
    best[rows[first]], lowest[rows[first]] = chosen[first], lead[first]
