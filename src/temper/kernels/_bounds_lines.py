"""Two lines around every operation that is not affine: one below it and one above it over the interval it reads."""

from __future__ import annotations

from dataclasses import dataclass

from temper.kernels._bounds_ops import Bend, Bent, Kink, Largest, Tensor

_HALVINGS = 40
_NARROW = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """Slopes and offsets (b, ...) of the line below and the line above; `loose` marks where the lower slope is free."""

    below: Tensor
    below_at: Tensor
    above: Tensor
    above_at: Tensor
    loose: Tensor

    def back(self, a: Tensor, rows: Tensor, slopes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The coefficients a step earlier, and what the lower bound gains (p,); `slopes` (p, ...) replace `below`."""
        up = a > 0
        below = self.below[rows] if slopes is None else slopes.where(self.loose[rows], self.below[rows])
        slope = below.where(up, self.above[rows])
        added = (a * self.below_at[rows].where(up, self.above_at[rows])).flatten(1).sum(1)
        return a * slope, added


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """Max-pooling: below is the element with the largest lower end; above it too where it wins for sure, else the top.

    `place` (b, c, i, j) is that element's position in its channel, `sure` whether it wins, `top` the largest upper end.
    """

    place: Tensor
    sure: Tensor
    top: Tensor
    inside: tuple[int, ...]

    def back(self, a: Tensor, rows: Tensor, slopes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The coefficients a step earlier, and what is added to the lower bound."""
        open_above = (a < 0) & ~self.sure[rows]
        kept = a.masked_fill(open_above, 0.0)
        spread = a.new_zeros((len(a), self.inside[0], self.inside[1] * self.inside[2]))
        spread = spread.scatter_add(2, self.place[rows].flatten(2), kept.flatten(2))
        added = (a * (self.top[rows] * open_above)).flatten(1).sum(1)
        return spread.reshape((len(a), *self.inside)), added


def lines(op: Bent, low: Tensor, high: Tensor) -> Lines | Chosen:
    """The two lines over [low, high]."""
    if isinstance(op, Kink):
        return _kink(op, low, high)
    if isinstance(op, Bend):
        return _bend(op, low, high)
    return _largest(op, low, high)


def undecided(op: Bent, low: Tensor, high: Tensor) -> Tensor:
    """Where tighter ends would change the lines: a kink is crossed, a curve has width."""
    if isinstance(op, Kink):
        return (low < 0) & (high > 0)
    return high - low > _NARROW


def _kink(op: Kink, low: Tensor, high: Tensor) -> Lines:
    """Source: Zhang et al., "Efficient neural network robustness certification with general activations", 2018."""
    crossed = (low < 0) & (high > 0)
    width = (high - low).where(crossed, low * 0 + 1)
    chord = (high - op.slope * low) / width
    flat = (low * 0 + op.slope).where(high <= 0, low * 0 + 1)
    nearer = (low * 0 + 1).where(high > -low, low * 0 + op.slope)
    above = chord.where(crossed, flat)
    above_at = ((op.slope - chord) * low).where(crossed, low * 0)
    return Lines(below=nearer.where(crossed, flat), below_at=low * 0, above=above, above_at=above_at, loose=crossed)


def _bend(op: Bend, low: Tensor, high: Tensor) -> Lines:
    """The line below is the line above of the function seen from behind: f(-z) = c - f(z)."""
    above, above_at = _over(op, low, high)
    below, behind = _over(op, -high, -low)
    narrow = high - low <= _NARROW
    zero = low * 0
    return Lines(
        below=zero.where(narrow, below),
        below_at=op.value(low).where(narrow, op.mirror - behind),
        above=zero.where(narrow, above),
        above_at=op.value(high).where(narrow, above_at),
        loose=narrow & ~narrow,
    )


def _over(op: Bend, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """A line above: a tangent where the curve bends down, the chord where it bends up, between them the tangent that
    meets the curve at the low end (the chord where that would touch beyond the high end).
    """
    chord = (op.value(high) - op.value(low)) / (high - low).clamp(min=_NARROW)
    start, end = low.clamp(min=0), high.clamp(min=0)
    touch = _touch(op, low, start, end)
    touch = ((low + high) / 2).where(low >= 0, touch)
    slope = op.steep(touch)
    offset = op.value(touch) - slope * touch
    # A tangent that dips under the curve at the low end is no line above; the chord then is one.
    meets = (low >= 0) | ((high > 0) & (slope * low + offset >= op.value(low)))
    slope = slope.where(meets, chord)
    return slope, offset.where(meets, op.value(high) - chord * high)


def _touch(op: Bend, low: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The nearest point of [0, high] whose tangent is not below the curve at `low`, by halving from the safe side."""
    at = op.value(low)
    for _ in range(_HALVINGS):
        middle = (start + end) / 2
        safe = op.value(middle) + op.steep(middle) * (low - middle) >= at
        start, end = start.where(safe, middle), middle.where(safe, end)
    return end


def _largest(op: Largest, low: Tensor, high: Tensor) -> Chosen:
    from torch.nn import functional

    settings = (op.size, op.stride, op.padding, op.dilation)
    floor, place = functional.max_pool2d(low, *settings, return_indices=True)
    top = op.value(high)
    # One window at a time: the chosen element of one may be a rival in the next.
    rivals = _rivals(op, high, place)
    return Chosen(place=place, sure=floor >= rivals, top=top, inside=tuple(low.shape[1:]))


def _rivals(op: Largest, high: Tensor, place: Tensor) -> Tensor:
    """The largest upper end in each window but for the chosen element."""
    import torch
    from torch.nn import functional

    b, c, tall, wide = high.shape
    where = torch.arange(tall * wide, device=high.device, dtype=high.dtype).reshape(1, 1, tall, wide)
    pad = (op.padding[1], op.padding[1], op.padding[0], op.padding[0])
    edge = functional.pad(high, pad, value=-1e300).reshape(b * c, 1, tall + 2 * pad[2], wide + 2 * pad[0])
    windows = functional.unfold(edge, op.size, dilation=op.dilation, stride=op.stride)
    marks = functional.unfold(functional.pad(where, pad, value=-1), op.size, dilation=op.dilation, stride=op.stride)
    chosen = marks == place.reshape(b * c, 1, -1)
    return windows.masked_fill(chosen, -1e300).amax(1).reshape(place.shape)
