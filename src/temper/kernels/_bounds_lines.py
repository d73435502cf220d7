"""Two lines around every operation that is not affine: one below it and one above it over the interval it reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from temper.kernels._bounds_ops import Bend, Bent, Kink, Largest
from temper.kernels._bounds_part import Part, Tensor

_HALVINGS = 40
_NARROW = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """Slopes and offsets (b, ...) of the line below and the line above; `loose` marks where the lower slope is free.

    A `below_at` of None is a line through zero.
    """

    below: Tensor
    below_at: Tensor | None
    above: Tensor
    above_at: Tensor
    loose: Tensor

    def back(self, part: Part, slopes: Tensor | None = None) -> tuple[Part, Tensor]:
        """The functions a step earlier, and what their lower bound gains (p,); `slopes` (p, ...) replace `below`."""
        below, above, above_at = part.of(self.below, self.above, self.above_at)
        if slopes is not None:
            below = slopes.where(*part.of(self.loose), below)
        # Products and not a choice: torch chooses slowly.
        rising, falling = part.a.clamp(min=0), part.a.clamp(max=0)
        added = (falling * above_at).flatten(1).sum(1)
        if self.below_at is not None:
            added = added + (rising * part.of(self.below_at)[0]).flatten(1).sum(1)
        return replace(part, a=rising * below + falling * above), added


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """Max-pooling: below is the element with the largest lower end; above it too where it wins for sure, else the top.

    `place` (b, c, i, j) is that element's position in its channel, `sure` whether it wins, `top` the largest upper end.
    """

    op: Largest
    place: Tensor
    sure: Tensor
    top: Tensor
    inside: tuple[int, ...]

    def back(self, part: Part, slopes: Tensor | None = None) -> tuple[Part, Tensor]:
        """The functions a step earlier, and what is added to their lower bound."""
        top, unsure, place = part.of(self.top, 1.0 - self.sure.to(self.top.dtype), self.place)
        to_top = part.a.clamp(max=0) * unsure
        added, kept = (to_top * top).flatten(1).sum(1), part.a - to_top
        size = self.inside[1:]
        if part.windowed:
            size = self.op.reach(part.a.shape[2:])
            place = self._inside_window(part, place, size)
        laid = kept.new_zeros((*kept.shape[:2], size[0] * size[1]))
        laid = laid.scatter_add(2, place.flatten(2), kept.flatten(2)).reshape((*kept.shape[:2], *size))
        if part.windowed:
            return part.behind(laid, self.op.stride, self.op.padding, self.inside), added
        return replace(part, a=laid), added

    def _inside_window(self, part: Part, place: Tensor, size: tuple[int, ...]) -> Tensor:
        """Positions in the channel as positions in each function's window of it; over the edge any will do."""
        corners = (at * s - p for at, s, p in zip((part.top, part.left), self.op.stride, self.op.padding, strict=True))
        top, left = (corner[:, None, None, None] for corner in corners)
        y, x = place // self.inside[2] - top, place % self.inside[2] - left
        return (y * size[1] + x).clamp(0, size[0] * size[1] - 1)


def lines(op: Bent, low: Tensor, high: Tensor) -> Lines | Chosen:
    """The two lines over [low, high]."""
    if isinstance(op, Kink):
        return _kink(op, low, high)
    if isinstance(op, Bend):
        return _bend(op, low, high)
    return _largest(op, low, high)


def undecided(op: Bent, low: Tensor, high: Tensor) -> Tensor:
    """Where tighter ends would change the lines: a kink is crossed, a curve has width, an element may be a largest."""
    if isinstance(op, Kink):
        return (low < 0) & (high > 0)
    wide = high - low > _NARROW
    return wide & _contends(op, low, high) if isinstance(op, Largest) else wide


def _kink(op: Kink, low: Tensor, high: Tensor) -> Lines:
    """Source: Zhang et al., "Efficient neural network robustness certification with general activations", 2018."""
    crossed = (low < 0) & (high > 0)
    width = (high - low).where(crossed, low * 0 + 1)
    chord = (high - op.slope * low) / width
    flat = (low * 0 + op.slope).where(high <= 0, low * 0 + 1)
    nearer = (low * 0 + 1).where(high > -low, low * 0 + op.slope)
    above = chord.where(crossed, flat)
    above_at = ((op.slope - chord) * low).where(crossed, low * 0)
    return Lines(below=nearer.where(crossed, flat), below_at=None, above=above, above_at=above_at, loose=crossed)


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
    return Chosen(op=op, place=place, sure=floor >= rivals, top=top, inside=tuple(low.shape[1:]))


def _contends(op: Largest, low: Tensor, high: Tensor) -> Tensor:
    """Elements that reach the largest lower end of some window they are in."""
    from torch.nn import functional

    (b, c, tall, wide), floor = high.shape, op.value(low)
    over = op.windows(high) >= floor.reshape(b * c, 1, -1)
    size, padding = (tall, wide), op.padding
    found = functional.fold(over.to(high.dtype), size, op.size, op.dilation, padding, op.stride)
    return found.reshape(high.shape) > 0


def _rivals(op: Largest, high: Tensor, place: Tensor) -> Tensor:
    """The largest upper end in each window but for the chosen element."""
    import torch

    b, c, tall, wide = high.shape
    where = torch.arange(tall * wide, device=high.device, dtype=high.dtype).reshape(1, 1, tall, wide)
    chosen = op.windows(where) == place.reshape(b * c, 1, -1)
    return op.windows(high).masked_fill(chosen, -1e300).amax(1).reshape(place.shape)
