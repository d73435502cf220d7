"""What attacks by transformations of whole images share: their shape, colours, and a search over the settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from temper.attacks.evasion._nearest import CHUNK, Ground, plain, tall
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


def toned(x: Array, ground: Ground, brightness: Array, contrast: Array, curve: Array) -> Array:
    """Brighter by a share of the range, contrast about its middle, and a tone curve: shifts (n, knots) in between."""
    xp, width = ground.xp, ground.high - ground.low
    unit = (x - ground.low) / width
    move = tall(brightness, x) + tall(contrast, x) * (unit - 0.5)
    last = curve.shape[1] - 1
    for knot in range(last + 1):
        move = move + tall(curve[:, knot], x) * xp.clip(1 - xp.abs(unit * last - knot), 0, None)
    return xp.clip(x + width * move, ground.low, ground.high)


def tinted(x: Array, hue: Array, saturation: Array, xp: Any) -> Array:
    """Colours (n, 3, h, w) turned by `hue` radians and strengthened by `saturation`; the light (Y of YIQ) stays."""
    red, green, blue = x[:, 0], x[:, 1], x[:, 2]
    warm = 0.596 * red - 0.274 * green - 0.322 * blue
    cool = 0.211 * red - 0.523 * green + 0.312 * blue
    strength = 1 + saturation[:, None, None]
    cos, sin = strength * xp.cos(hue)[:, None, None], strength * xp.sin(hue)[:, None, None]
    to_warm, to_cool = (cos - 1) * warm - sin * cool, sin * warm + (cos - 1) * cool
    weights = ((0.956, 0.621), (-0.272, -0.647), (-1.106, 1.703))
    moved = [x[:, at] + a * to_warm + b * to_cool for at, (a, b) in enumerate(weights)]
    return xp.stack(moved, axis=1)
