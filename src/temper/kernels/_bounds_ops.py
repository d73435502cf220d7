"""The operations of a net as its bounds see them: affine ones with their transpose, the others by two lines each.

Tensors are torch's, double precision, rows on axis 0. Linear functions of an operation's output are a `Part`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeGuard

from temper.kernels._bounds_part import Part, Shape, Tensor


class Affine(Protocol):
    """A function W z + b of one earlier operation; `local` where a window of it reads a window of that."""

    @property
    def local(self) -> bool:
        """Whether `transpose` takes windows."""

    def apply(self, z: Tensor) -> Tensor:
        """The function itself."""

    def absolute(self, r: Tensor) -> Tensor:
        """Absolute weights times `r`."""

    def transpose(self, part: Part) -> tuple[Part, Tensor]:
        """The functions of what is read, from those of the result, and what b adds to them (p,)."""

    def pick(self, places: Tensor, rows: Tensor) -> tuple[Part, Tensor] | None:
        """The same for single outputs at flat positions; None where there is no shorter way than `transpose`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """z W' + b over vectors."""

    weight: Tensor
    bias: Tensor
    local: ClassVar[bool] = False

    def apply(self, z: Tensor) -> Tensor:
        """The function itself."""
        return z @ self.weight.T + self.bias

    def absolute(self, r: Tensor) -> Tensor:
        """Absolute weights times `r`."""
        return r @ self.weight.abs().T

    def transpose(self, part: Part) -> tuple[Part, Tensor]:
        """The functions of what is read."""
        return replace(part, a=part.a @ self.weight), part.a @ self.bias

    def pick(self, places: Tensor, rows: Tensor) -> tuple[Part, Tensor] | None:
        """Rows of the matrix."""
        return Part(a=self.weight[places], rows=rows), self.bias[places]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Convolution:
    """A convolution over any number of axes; `inside` is the shape (c, ...) of one input, `outside` of one output."""

    weight: Tensor
    bias: Tensor | None
    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int
    inside: Shape
    outside: Shape

    def apply(self, z: Tensor) -> Tensor:
        """The function itself."""
        return self._forward(z, self.weight, self.bias)

    def absolute(self, r: Tensor) -> Tensor:
        """Absolute weights times `r`."""
        return self._forward(r, self.weight.abs(), None)

    @property
    def local(self) -> bool:
        """Windows have two axes."""
        return len(self.stride) == 2

    def transpose(self, part: Part) -> tuple[Part, Tensor]:
        """The functions of what is read: the transposed convolution, over windows without its padding."""
        import torch

        padding = [0] * len(self.stride) if part.windowed else list(self.padding)
        rest = [0] * len(self.stride) if part.windowed else self._rest()
        settings = (list(self.stride), padding, list(self.dilation), True, rest, self.groups)
        a = torch.ops.aten.convolution(part.a, self.weight, None, *settings)
        added = part.a.new_zeros(len(a)) if self.bias is None else part.a.flatten(2).sum(2) @ self.bias
        return part.behind(a, self.stride, self.padding, self.inside) if part.windowed else replace(part, a=a), added

    def pick(self, places: Tensor, rows: Tensor) -> tuple[Part, Tensor] | None:
        """The kernel where each output looks; two spatial axes only."""
        import torch

        if not self.local:
            return None
        _, tall, wide = self.outside
        c, top, left = places // (tall * wide), places // wide % tall, places % wide
        own, *size = self.weight.shape[1:]
        first = c // (self.weight.shape[0] // self.groups) * own
        channels = first[:, None] + torch.arange(own, device=places.device)
        laid = self.weight.new_zeros((len(c), self.inside[0], *_reach((1, 1), size, self.stride, self.dilation)))
        line = torch.arange(len(c), device=places.device)[:, None]
        laid[:, :, :: self.dilation[0], :: self.dilation[1]][line, channels] = self.weight[c]
        one = Part(a=laid, rows=rows, top=top, left=left)
        added = laid.new_zeros(len(c)) if self.bias is None else self.bias[c]
        return one.behind(laid, self.stride, self.padding, self.inside), added

    def _rest(self) -> list[int]:
        """What the last step of the kernel leaves over of the input, per axis."""
        axes = zip(self.inside[1:], self.outside[1:], self.stride, self.padding, self.dilation, strict=True)
        sizes = [int(size) for size in self.weight.shape[2:]]
        return [i - ((o - 1) * s - 2 * p) - d * (k - 1) - 1 for (i, o, s, p, d), k in zip(axes, sizes, strict=True)]

    def _forward(self, z: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        import torch

        settings = (list(self.stride), list(self.padding), list(self.dilation), False, [0] * len(self.stride))
        return torch.ops.aten.convolution(z, weight, bias, *settings, self.groups)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """z * scale + shift, both of the shape of one row (a normalisation, a constant added)."""

    scale: Tensor
    shift: Tensor
    local: ClassVar[bool] = True

    def apply(self, z: Tensor) -> Tensor:
        """The function itself."""
        return z * self.scale + self.shift

    def absolute(self, r: Tensor) -> Tensor:
        """Absolute weights times `r`."""
        return r * self.scale.abs()

    def transpose(self, part: Part) -> tuple[Part, Tensor]:
        """The functions of what is read."""
        return part.times(part.shared(self.scale)), part.value(part.shared(self.shift))

    def pick(self, places: Tensor, rows: Tensor) -> tuple[Part, Tensor] | None:
        """No shorter way."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrange:
    """A linear function without a negative weight: a reshape, a crop, a permutation, a mean.

    `inside` is the shape of one input; `single` says that every output is one of the inputs.
    """

    function: Callable[[Tensor], Tensor]
    inside: Shape
    single: bool = False
    local: ClassVar[bool] = False

    def apply(self, z: Tensor) -> Tensor:
        """The function itself."""
        return self.function(z)

    def absolute(self, r: Tensor) -> Tensor:
        """The function again, since no weight is negative."""
        return self.function(r)

    def transpose(self, part: Part) -> tuple[Part, Tensor]:
        """The functions of what is read, by one backward pass."""
        import torch

        a = part.a
        with torch.enable_grad():
            start = a.new_zeros((len(a), *self.inside), requires_grad=True)
            (found,) = torch.autograd.grad(self.function(start), start, a, create_graph=a.requires_grad)
        return replace(part, a=found), a.new_zeros(len(a))

    def pick(self, places: Tensor, rows: Tensor) -> tuple[Part, Tensor] | None:
        """No shorter way."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Earlier operations added with these signs."""

    signs: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kink:
    """max(z, slope z): ReLU, and its leaky form."""

    slope: float = 0.0

    def value(self, z: Tensor) -> Tensor:
        """The function itself, which never falls."""
        return z.clamp(min=0) + self.slope * z.clamp(max=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bend:
    """A function that rises in the shape of an S around zero: "sigmoid" or "tanh"."""

    name: str

    def value(self, z: Tensor) -> Tensor:
        """The function itself."""
        return z.sigmoid() if self.name == "sigmoid" else z.tanh()

    def steep(self, z: Tensor) -> Tensor:
        """Its derivative."""
        f = self.value(z)
        return f * (1 - f) if self.name == "sigmoid" else 1 - f * f

    @property
    def mirror(self) -> float:
        """The c of f(-z) = c - f(z)."""
        return 1.0 if self.name == "sigmoid" else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Largest:
    """The largest of each window (max-pooling over two axes)."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    def value(self, z: Tensor) -> Tensor:
        """The function itself."""
        from torch.nn import functional

        return functional.max_pool2d(z, self.size, self.stride, self.padding, self.dilation)

    def windows(self, z: Tensor) -> Tensor:
        """The elements (b c, size, places) of every window; over the edge nothing is large."""
        from torch.nn import functional

        (down, right), (b, c, tall, wide) = self.padding, z.shape
        edge = functional.pad(z, (right, right, down, down), value=-1e300)
        edge = edge.reshape(b * c, 1, tall + 2 * down, wide + 2 * right)
        return functional.unfold(edge, self.size, dilation=self.dilation, stride=self.stride)

    def reach(self, size: Shape) -> Shape:
        """How many elements along each axis a block of this many results reads."""
        return _reach(size, self.size, self.stride, self.dilation)


Bent = Kink | Bend | Largest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """One operation (None is the net's input), the positions of what it reads, the shape of one row of its output."""

    op: Affine | Sum | Bent | None
    inputs: Shape
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """A net as a list of operations, each behind what it reads: the first is the input, the last the scores.

    `softmax` says that the model itself ends in one, which is left out here.
    """

    nodes: tuple[Node, ...]
    device: Any = "cpu"
    softmax: bool = False

    def run(self, x: Tensor) -> Tensor:
        """The scores themselves, to compare with the model's."""
        values: list[Tensor] = []
        for node in self.nodes:
            read = [values[at] for at in node.inputs]
            if node.op is None:
                values.append(x)
            elif isinstance(node.op, Sum):
                values.append(sum(sign * z for sign, z in zip(node.op.signs, read, strict=True)))
            else:
                values.append(_answer(node.op, read[0]))
        return values[-1]


def _answer(op: Affine | Bent, z: Tensor) -> Tensor:
    return op.value(z) if isinstance(op, Kink | Bend | Largest) else op.apply(z)


def _reach(count: Shape, size: Sequence[int], stride: Shape, dilation: Shape) -> Shape:
    axes = zip(count, size, stride, dilation, strict=True)
    return tuple((n - 1) * s + d * (k - 1) + 1 for n, k, s, d in axes)


def is_bent(op: Any) -> TypeGuard[Kink | Bend | Largest]:
    """Whether an operation is not affine, so that it needs bounds on what it reads."""
    return isinstance(op, Kink | Bend | Largest)
