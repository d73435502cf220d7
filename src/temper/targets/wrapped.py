"""Targets behind a step of their own: inputs made coarser before the model, rows refused beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import numpy as np

from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.schema import Schema
from temper.core.target import Access, NativeTarget, Recipe, ScoreKind, Target, TreeTarget
from temper.core.trees import TreeEnsemble
from temper.targets._array import like, to_numpy
from temper.targets._trees_build import TREELESS, Nodes, pulled_back
from temper.targets._wrapper import Wrapper

_ORDER = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Squeezed(Wrapper):
    """`inner` asked about coarser inputs: numbers rounded to steps, pictures to `levels` and smoothed.

    Tables: columns of type number in steps of `width` scales. Inputs without columns: `levels` values between the ends
    of the box, then the median of `median` x `median` pixels (1: none). Its gradient is the inner one at the coarse
    point, passed straight through the rounding, whose own is zero and would only blind an attack.
    """

    schema: Schema
    width: float = 0.25
    levels: int = 8
    median: int = 1

    @property
    def name(self) -> str:
        """The inner adapter's name, said to be squeezed."""
        return f"squeezed {self.inner.name}"

    @property
    def digest(self) -> str:
        """Of the inner model and the steps, "" where the inner one has none."""
        return self._digest(f"squeezed {self.width} {self.levels} {self.median} {self._columns.tolist()}".encode())

    def squeeze(self, x: Array) -> Array:
        """The rows as the model gets them."""
        if self.schema.columns:
            return like(self._coarse(np.array(to_numpy(x), dtype=np.float64)), x)
        low, high = self.schema.low, self.schema.high
        steps = (self.levels - 1) / (high - low)
        return _median(((x - low) * steps).round() / steps + low, self.median)

    def scores(self, x: Array) -> Array:
        """The inner scores of the squeezed rows."""
        return self.inner.scores(self.squeeze(x))

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """The inner scores and gradient at the squeezed rows (backward pass differentiable approximation)."""
        return self.inner.gradient(self.squeeze(x), cotangent)

    def refit(self, data: Data, recipe: Recipe) -> Self:
        """The inner model fitted on squeezed rows, behind the same steps."""
        return replace(self, inner=self.inner.refit(Data(x=self.squeeze(data.x), y=data.y, ids=data.ids), recipe))

    def trees(self) -> TreeEnsemble:
        """The inner trees with every threshold moved to the first value that is rounded to it or above: exact."""
        if Access.TREES not in self.access:
            raise Unsupported(f"the {self.name} target has no trees to read", fix=TREELESS)
        e = cast(TreeTarget, self.inner).trees()
        nodes = Nodes(
            feature=e.feature,
            threshold=e.threshold,
            left=e.left,
            right=e.right,
            missing_left=e.missing_left,
            value=e.value,
            root=e.root,
        )
        return replace(e, threshold=pulled_back(nodes, self._coarse, e.features).threshold)

    @property
    def _columns(self) -> np.ndarray[Any, Any]:
        return np.flatnonzero([c.type == "number" and not c.group for c in self.schema.columns])

    def _coarse(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Numbers to the nearest step, never out of their range: no column turns round."""
        at = self._columns
        step = self.width * self.schema.scales[at]
        x = x.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = np.where(np.isfinite(x[:, at] / step), np.round(x[:, at] / step) * step, x[:, at])
        inside = np.clip(rounded, self.schema.lows[at], self.schema.highs[at])
        x[:, at] = np.where(np.isnan(x[:, at]), np.nan, inside)
        return x


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SqueezedNative(Squeezed):
    """A squeezed model that answers arrays of its own framework on its device."""

    def native(self, x: Array) -> Array:
        """`x` as the inner model takes it."""
        return cast(NativeTarget, self.inner).native(x)


def squeezed(inner: Target, schema: Schema, *, width: float, levels: int, median: int) -> Squeezed:
    """`inner` behind the steps; it stays on its device where it has one."""
    kind = SqueezedNative if isinstance(inner, NativeTarget) else Squeezed
    return kind(inner=inner, schema=schema, width=width, levels=levels, median=median)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """Where training rows lie: a Gaussian over the numbers of a table, tails compressed, missing values in its middle.

    A row is measured by its Mahalanobis distance; beyond `cut` it is strange.
    """

    columns: np.ndarray[Any, Any]
    middle: np.ndarray[Any, Any]
    spread: np.ndarray[Any, Any]
    mean: np.ndarray[Any, Any]
    precision: np.ndarray[Any, Any]
    cut: float = np.inf

    @staticmethod
    def fitted(x: Array, schema: Schema, share: float) -> Region:
        """The region of these rows, its cut such that `share` of them lie beyond."""
        columns = np.flatnonzero([c.type in ("number", "integer") and not c.group for c in schema.columns])
        values = np.asarray(x, dtype=np.float64)[:, columns]
        middle = np.nan_to_num(np.nanmedian(values, axis=0))
        spread = np.nan_to_num(np.nanmean(np.abs(values - middle), axis=0))
        spread = np.where(spread > 0, spread, schema.scales[columns])
        z = np.arcsinh(np.nan_to_num((values - middle) / spread))
        mean = z.mean(axis=0)
        spanned = np.cov(z, rowvar=False).reshape(len(columns), len(columns))
        ridge = _ORDER * max(float(np.trace(spanned)) / len(columns), _ORDER) * np.eye(len(columns))
        precision = np.linalg.inv(spanned + ridge)
        found = Region(columns=columns, middle=middle, spread=spread, mean=mean, precision=precision)
        return replace(found, cut=float(np.quantile(found.distance(x), 1.0 - share)))

    def distance(self, x: Array) -> np.ndarray[Any, Any]:
        """How strange (n,) the rows are."""
        z = self._centred(x)
        return np.asarray(np.sqrt(np.maximum(np.einsum("ij,ij->i", z @ self.precision, z), 0.0)))

    def slope(self, x: Array) -> np.ndarray[Any, Any]:
        """d distance / dx, shaped as `x`; zero where a value is missing."""
        z = self._centred(x)
        u = np.nan_to_num((np.asarray(x, dtype=np.float64)[:, self.columns] - self.middle) / self.spread)
        found = np.zeros(x.shape)
        bend = self.spread * np.sqrt(1.0 + u * u)
        found[:, self.columns] = (z @ self.precision) / np.maximum(self.distance(x), _ORDER)[:, None] / bend
        return np.where(np.isnan(x), 0.0, found)

    def _centred(self, x: Array) -> np.ndarray[Any, Any]:
        values = np.asarray(x, dtype=np.float64)[:, self.columns]
        return np.asarray(np.arcsinh(np.nan_to_num((values - self.middle) / self.spread)) - self.mean)

    def content(self) -> bytes:
        """Everything it is made of."""
        parts = (self.columns, self.middle, self.spread, self.mean, self.precision, np.array([self.cut]))
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refusing(Wrapper):
    """A binary `inner` beside a detector: a row outside the `region` counts as class 1, whatever the model says.

    Its score is then above every score of the model (`top`: the highest margin of the training rows), and higher the
    further outside, so that an attack sees the detector, its slope included, and goes through it.
    """

    region: Region
    top: float = 0.0

    @property
    def name(self) -> str:
        """The inner adapter's name, said to refuse."""
        return f"refusing {self.inner.name}"

    @property
    def access(self) -> Access:
        """The inner target's, but for its trees, which no longer are the model."""
        return self.inner.access & ~Access.TREES

    @property
    def digest(self) -> str:
        """Of the inner model and the detector, "" where the inner one has none."""
        return self._digest(f"refusing {self.top}".encode(), self.region.content())

    def refuses(self, x: Array) -> np.ndarray[Any, Any]:
        """Which rows (n,) the detector keeps from the model."""
        return self.region.distance(to_numpy(x)) > self.region.cut

    def scores(self, x: Array) -> Array:
        """The inner scores, those of refused rows moved to class 1."""
        return like(self._folded(to_numpy(self.inner.scores(x)), to_numpy(x))[0], x)

    def gradient(self, x: Array, cotangent: Callable[[Array], Array]) -> tuple[Array, Array]:
        """The scores with the inner gradient, and that of the detector where a row is refused."""
        rows = to_numpy(x)
        shown, outside = self._folded(to_numpy(self.inner.scores(x)), rows)
        pull = to_numpy(cotangent(like(shown, x)))
        kept, rise = self._shared(pull)
        _, found = self.inner.gradient(x, lambda raw: like(np.where(outside[:, None], kept, pull), raw))
        far = np.maximum(self.region.distance(rows), _ORDER)
        weight = np.where(outside, rise * self.region.cut / far**2, 0.0)
        return like(shown, x), like(to_numpy(found) + weight[:, None] * self.region.slope(rows), x)

    def _shared(self, pull: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Of a refused row's cotangent what is left to the inner scores (n, k), and what the detector gets (n,)."""
        if self.kind is ScoreKind.PROBABILITIES:
            return pull * 0.0, _ORDER * (pull[:, 1] - pull[:, 0])
        if self.kind is ScoreKind.MARGIN:
            return pull * 0.0, pull[:, 0]
        return np.stack([pull.sum(axis=1), pull[:, 0] * 0.0], axis=1), pull[:, 1]

    def _folded(self, scores: np.ndarray[Any, Any], x: np.ndarray[Any, Any]) -> tuple[Any, np.ndarray[Any, Any]]:
        """The scores as shown, and in which rows they are the detector's."""
        far = self.region.distance(x)
        near = np.minimum(self.region.cut / np.maximum(far, _ORDER), 1.0)
        shown = scores.astype(np.float64, copy=True)
        own = margin_of(shown, self.kind)
        level = 1.0 - _ORDER * near if self.kind is ScoreKind.PROBABILITIES else self.top + 1.0 - near
        outside = (far > self.region.cut) & (level >= own)
        if self.kind is ScoreKind.PROBABILITIES:
            shown[outside] = np.stack([1.0 - level, level], axis=1)[outside]
        elif self.kind is ScoreKind.MARGIN:
            shown[outside, 0] = level[outside]
        else:
            shown[outside, 1] = shown[outside, 0] + level[outside]
        return shown, outside


def margin_of(scores: np.ndarray[Any, Any], kind: ScoreKind) -> np.ndarray[Any, Any]:
    """The one number (n,) of a binary target that rises towards class 1: a probability, a margin, a gap of logits."""
    if kind is ScoreKind.MARGIN:
        return np.asarray(scores[:, 0])
    return np.asarray(scores[:, 1] if kind is ScoreKind.PROBABILITIES else scores[:, 1] - scores[:, 0])


def _median(x: Array, size: int) -> Array:
    """The median of `size` x `size` values around each of the last two axes, edges repeated."""
    if size == 1:
        return x
    half, (height, width) = size // 2, x.shape[-2:]
    shifts = range(-half, half + 1)
    near = [
        x[..., np.clip(np.arange(height) + down, 0, height - 1), :][
            ..., np.clip(np.arange(width) + right, 0, width - 1)
        ]
        for down in shifts
        for right in shifts
    ]
    if isinstance(x, np.ndarray):
        return np.median(np.stack(near), axis=0)
    import torch

    return torch.stack(near).median(dim=0).values
