"""Linear functions of one operation's output, held whole or as the window of it that each of them reads.

A neuron behind a few convolutions reads a small square of the picture. Its coefficients are kept as that square and the
place of its corner, so that they cost what the square costs (the "patches" of Xu et al., "Automatic perturbation
analysis for scalable certified robustness and beyond", 2020).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

Tensor = Any
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Coefficients `a` (p, ...) of p functions and the row of the batch each is about.

    For windows `a` is (p, c, h, w), and `top` and `left` (p,) say where its corner lies in the output; what hangs over
    the edge is zero.
    """

    a: Tensor
    rows: Tensor
    top: Tensor = None
    left: Tensor = None

    @property
    def windowed(self) -> bool:
        """Whether only a window is held."""
        return self.top is not None

    def times(self, factor: Tensor) -> Part:
        """The same functions with coefficients multiplied."""
        return replace(self, a=self.a * factor)

    def each(self, factor: Tensor) -> Part:
        """Each function multiplied by its own number (p,)."""
        return self.times(factor.reshape(-1, *[1] * (self.a.ndim - 1)))

    def of(self, *values: Tensor) -> list[Tensor]:
        """What each function reads of tensors (b, ...) of the output's shape, with values per row."""
        return _seen(self, values) if self.windowed else [one[self.rows] for one in values]

    def shared(self, values: Tensor) -> Tensor:
        """What each function reads of a tensor (...) that all rows share."""
        return _seen(replace(self, rows=self.rows * 0), (values[None],))[0] if self.windowed else values

    def value(self, read: Tensor) -> Tensor:
        """The functions (p,) of what they read."""
        return (self.a * read).flatten(1).sum(1)

    def behind(self, a: Tensor, stride: Shape, padding: Shape, shape: Shape) -> Part:
        """Windows `a` of an earlier output of this shape, as a convolution or a pooling over two axes reads it."""
        top, left = self.top * stride[0] - padding[0], self.left * stride[1] - padding[1]
        return replace(self, a=a, top=top, left=left).within(shape)

    def within(self, shape: Shape) -> Part:
        """Nothing over the edge; a window that holds all of the output becomes the whole."""
        (height, width), (_, tall, wide) = self.a.shape[2:], shape
        if height >= tall and width >= wide:
            return self.whole(shape)
        y, x = self.places()
        rows, columns = (y >= 0) & (y < tall), (x >= 0) & (x < wide)
        if bool(rows.all()) and bool(columns.all()):
            return self
        return self.times(rows[:, None, :, None] & columns[:, None, None, :])

    def whole(self, shape: Shape) -> Part:
        """The same functions with a coefficient for all of an output of this shape."""
        import torch

        if not self.windowed:
            return self
        (channels, tall, wide), (y, x) = shape, self.places()
        above, under, before, after = _margins(self, shape)
        laid = self.a.new_zeros((len(self.a), channels, above + tall + under, before + wide + after))
        line = torch.arange(len(self.a), device=self.a.device)[:, None, None]
        laid[line, :, y[:, :, None] + above, x[:, None, :] + before] = self.a.permute(0, 2, 3, 1)
        return Part(a=laid[:, :, above : above + tall, before : before + wide], rows=self.rows)

    def plus(self, other: Part, shape: Shape) -> Part:
        """Both added; windows stay windows where they lie alike for every function."""
        if self.windowed and other.windowed:
            down, right = other.top - self.top, other.left - self.left
            if bool((down == down[0]).all()) and bool((right == right[0]).all()):
                return _joined(self, other, int(down[0]), int(right[0])).within(shape)
        one, two = self.whole(shape), other.whole(shape)
        return replace(one, a=one.a + two.a)

    def places(self) -> tuple[Tensor, Tensor]:
        """The rows (p, h) and the columns (p, w) of the output that the windows cover."""
        import torch

        steps = [torch.arange(size, device=self.a.device) for size in self.a.shape[2:]]
        return self.top[:, None] + steps[0], self.left[:, None] + steps[1]


def _margins(part: Part, shape: Shape) -> tuple[int, int, int, int]:
    """How far the windows hang over above, below, on the left and on the right."""
    (height, width), (tall, wide) = part.a.shape[2:], shape[-2:]
    above, under = int(-part.top.min()), int(part.top.max()) + height - tall
    before, after = int(-part.left.min()), int(part.left.max()) + width - wide
    return max(above, 0), max(under, 0), max(before, 0), max(after, 0)


def _seen(part: Part, values: tuple[Tensor, ...]) -> list[Tensor]:
    """The windows (p, c, h, w) of (b, c, tall, wide), zero over the edge; rows nobody asks for are skipped."""
    import torch
    from torch.nn import functional

    above, under, before, after = _margins(part, values[0].shape)
    first, last = int(part.rows.min()), int(part.rows.max())
    padded = [functional.pad(one[first : last + 1], (before, after, above, under)) for one in values]
    _, channels, tall, wide = padded[0].shape
    # One flat index for all of them: picking by several is four times slower.
    channel = (part.rows - first)[:, None] * channels + torch.arange(channels, device=part.rows.device)
    y, x = part.places()
    line = channel[:, :, None] * tall + (y + above)[:, None, :]
    index = line[:, :, :, None] * wide + (x + before)[:, None, None, :]
    return [one.reshape(-1).index_select(0, index.reshape(-1)).reshape(index.shape) for one in padded]


def _joined(one: Part, two: Part, down: int, right: int) -> Part:
    """Two windows, the second further `down` and `right`, in the smallest that holds both."""
    from torch.nn import functional

    top, left = min(down, 0), min(right, 0)
    height = max(one.a.shape[2], down + two.a.shape[2]) - top
    width = max(one.a.shape[3], right + two.a.shape[3]) - left

    def laid(a: Tensor, y: int, x: int) -> Tensor:
        return functional.pad(a, (x, width - x - a.shape[3], y, height - y - a.shape[2]))

    a = laid(one.a, -top, -left) + laid(two.a, down - top, right - left)
    return replace(one, a=a, top=one.top + top, left=one.left + left)
