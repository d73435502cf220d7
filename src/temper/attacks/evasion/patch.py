"""A patch or stickers that are put on the image and survive being seen from elsewhere in other light."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.attacks.evasion._images import refuse_other_than_pictures
from temper.attacks.evasion._nearest import Ground, Rows, length, plain, pulled, still, tall
from temper.attacks.evasion._places import SHAPES, places
from temper.core.attack import OracleLike, Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access
from temper.kernels.slope import climb
from temper.kernels.warp import Warp, blurred


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Paint `area` of the image, a "square", a "circle" or black and white "stickers" inside a round sign, so that it
    is judged wrongly on average over rotations (degrees), scales, shifts and light; `checks` fresh views are then
    noted as the share the paint "survives".

    Misleads under a radius in linf, which the paint must keep as well (give none, or l0: the number of values), and
    as evidence of print: a row counts as broken by one view, and only "survives" says how it fares in others.
    Source: Brown et al., "Adversarial patch", 2017; Eykholt et al., "Robust physical-world attacks", 2018.

    >>> Patch(shape="stickers").area
    0.05
    """

    needs: ClassVar[Access] = Access.GRADIENTS | Access.SCORES
    shape: str = "square"
    area: float = 0.05
    steps: int = 60
    views: int = 4
    checks: int = 20
    step_size: float = 0.1
    rotation: float = 15.0
    scale: float = 0.1
    shift: float = 0.02
    light: float = 0.2
    blur: float = 0.5
    shared: bool = False

    def run(self, oracle: OracleLike, scene: Scene, rng: Draws) -> None:
        """One gradient for the place, then `views` per open row and step; one paint per true class if `shared`."""
        ground = Ground.of(scene, "evasion.patch", fix="use evasion.random_search")
        refuse_other_than_pictures(scene, "evasion.patch")
        if self.shape not in SHAPES:
            raise Unsupported(f"a patch has no shape {self.shape!r}", fix=f"use one of {', '.join(SHAPES)}")
        left, rows = int(oracle.left.max(initial=0)) - 1, oracle.active
        checks = max(min(self.checks, left // 5), 0)
        views = max(min(self.views, left - checks), 1)
        steps = min(self.steps, max(left - checks, 0) // views)
        if not steps:
            return
        paint = self._placed(oracle, ground, rng, rows)
        for step in range(steps):
            paint = paint.kept(oracle)
            if not len(paint.rows):
                return
            self._descend(oracle, ground, rng, paint, views, step)
        self._survival(oracle, ground, rng, paint.kept(oracle), checks)
        oracle.done(np.arange(len(scene.x)))

    def _placed(self, oracle: OracleLike, ground: Ground, rng: Draws, rows: Rows) -> _Paint:
        """Where the slope at the clean image is steepest, in random colours (a sticker in one)."""
        xp, x0 = ground.xp, ground.scene.x[rows]
        slope = pulled(oracle, xp, x0, rows, lambda scores, part: _pull(ground, scores, part))[1]
        group = np.arange(len(rows))
        if self.shared:
            group = plain(ground.y)[rows]
            slope = _pooled(xp, xp.abs(slope), group)
        parts, centre = places(xp.sum(xp.abs(slope), axis=1), self.shape, self.area)
        first = xp.astype(rng.uniform(rows, 0, tuple(x0.shape[1:])), x0.dtype)
        if self.shape == "stickers":
            first = _per_part(xp, first, parts)
        return _Paint(rows, x0, _pooled(xp, first, group), x0 * 0, parts, centre, group)

    def _descend(self, oracle: OracleLike, ground: Ground, rng: Draws, paint: _Paint, views: int, step: int) -> None:
        """One step of sign descent on the mean lead over some views."""
        xp, n = ground.xp, len(paint.rows)
        turn = np.tile(np.arange(views), n) + views * step
        at = np.repeat(np.arange(n), views)
        look = self._look(ground, rng.child("view"), paint, at, turn)
        x = look.image(ground, paint, at, paint.shown(xp, self.shape))
        slope = pulled(oracle, xp, x, paint.rows[at], lambda scores, part: _pull(ground, scores, part))[1]
        back = look.back(ground, slope).reshape((n, views, *paint.colours.shape[1:]))
        pull = _pooled(xp, xp.mean(back, axis=1), paint.group)
        if self.shape == "stickers":
            pull = _per_part(xp, pull, paint.parts)
        size = length(xp, pull, "l1")
        paint.momentum = 0.9 * paint.momentum + pull / tall(xp.where(size > 0, size, xp.ones_like(size)), pull)
        paint.colours = xp.clip(paint.colours - self.step_size * xp.sign(paint.momentum), 0.0, 1.0)

    def _survival(self, oracle: OracleLike, ground: Ground, rng: Draws, paint: _Paint, checks: int) -> None:
        """The finished paint, out of focus too, in views it was not made for."""
        xp, n = ground.xp, len(paint.rows)
        if not checks or not n:
            return
        fooled = np.zeros(n)
        for check in range(checks):
            turn = np.full(n, check)
            at = np.arange(n)
            look = self._look(ground, rng.child("check"), paint, at, turn)
            soft = tall(xp.astype(rng.child("blur").uniform(paint.rows, check), paint.clean.dtype), paint.clean)
            shown = blurred(paint.shown(xp, self.shape), self.blur * soft)
            scores = oracle.scores(look.image(ground, paint, at, shown), paint.rows)
            fooled += plain(ground.lead(scores, paint.rows) < 0)
        oracle.note("survives", paint.rows, fooled / checks)

    def _look(self, ground: Ground, rng: Draws, paint: _Paint, at: Rows, turn: Rows) -> _Look:
        """Random views of some paints: pose about the paint's own centre, and light."""
        xp, high = ground.xp, paint.clean.shape[-2]
        draw = xp.astype(rng.uniform(paint.rows[at], turn, (5,), -1.0, 1.0), paint.clean.dtype)
        angle, size = draw[:, 0] * math.radians(self.rotation), 1 + self.scale * draw[:, 1]
        pose = xp.stack([angle, size, self.shift * high * draw[:, 2], self.shift * high * draw[:, 3]], axis=1)
        mask = xp.clip(xp.sum(paint.parts, axis=1, keepdims=True), 0.0, 1.0)
        warp = Warp.of(paint.clean[at], pose, paint.centre[at], edge=False)
        return _Look(warp=warp, light=tall(1 + self.light * draw[:, 4], paint.clean), mask=mask[at])


@dataclass(slots=True)
class _Paint:
    """Per open row: the clean image, colours in [0, 1], momentum, the painted parts (n, parts, h, w), their centre."""

    rows: Rows
    clean: Array
    colours: Array
    momentum: Array
    parts: Array
    centre: Array
    group: Rows

    def kept(self, oracle: OracleLike) -> _Paint:
        """Of the rows still open."""
        return _Paint(*still(oracle, self.rows, *(getattr(self, name) for name in self.__slots__[1:])))

    def shown(self, xp: Any, shape: str) -> Array:
        """The colours as printed: stickers are black or white."""
        return xp.astype(self.colours >= 0.5, self.colours.dtype) if shape == "stickers" else self.colours


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One view of each of some paints."""

    warp: Warp
    light: Array
    mask: Array

    def image(self, ground: Ground, paint: _Paint, at: Rows, colours: Array) -> Array:
        """The clean images with the paint on them as seen here."""
        clean, width = paint.clean[at], ground.high - ground.low
        covered = self.warp.image(self.mask)
        painted = ground.low * covered + width * self.light * self.warp.image(colours[at] * self.mask)
        return ground.inside((1 - covered) * clean + painted, clean)

    def back(self, ground: Ground, slope: Array) -> Array:
        """The slope by the colours from the slope by the image."""
        return self.warp.back(slope * self.light * (ground.high - ground.low)) * self.mask


def _pull(ground: Ground, scores: Array, rows: Any) -> Array:
    return -climb("margin", scores, ground.y[rows], ground.aim)[1]


def _pooled(xp: Any, values: Array, group: Rows) -> Array:
    """Every row gets the mean of its group."""
    labels = np.unique(group)
    if len(labels) == len(group):
        return values
    found = xp.asarray(values, copy=True)
    for label in labels:
        at = np.flatnonzero(group == label)
        found[at] = xp.mean(values[at], axis=0, keepdims=True)
    return found


def _per_part(xp: Any, values: Array, parts: Array) -> Array:
    """Every sticker gets one value: the mean over its pixels and channels."""
    total = parts[:, :1] * 0
    for part in range(parts.shape[1]):
        mask = parts[:, part : part + 1]
        mean = xp.sum(values * mask, axis=(1, 2, 3)) / (xp.sum(mask, axis=(1, 2, 3)) * values.shape[1])
        total = total + mask * tall(mean, mask)
    return total + values * 0


PLUGIN = Patch
