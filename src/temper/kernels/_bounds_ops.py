"""The operations of a net as its bounds see them: affine ones with their transpose, the others by two lines each.

Tensors are torch's, double precision, rows on axis 0. A coefficient tensor (p, ...) holds one linear function of an
operation's output per line; `rows` (p,) says which row of the batch each belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

Tensor = Any


class Affine(Protocol):
    """A function W z + b of one earlier operation."""

    def apply(self, z: Tensor) -> Tensor:
        """The function itself."""

    def absolute(self, r: Tensor) -> Tensor:
        """Absolute weights times `r`."""

    def transpose(self, a: Tensor) -> Tensor:
        """Coefficients of what is read, from those of the result."""

    def pick(self, flat: Tensor) -> Tensor | None:
        """Coefficients (p, ...) of single outputs at flat positions, None where `transpose` is the shortest way."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """z W' + b over vectors."""

    weight: Tensor
    bias: Tensor

    def apply(self, z: Tensor) -> Tensor:
        """The function itself."""
        return z @ self.weight.T + self.bias

    def absolute(self, r: Tensor) -> Tensor:
        """Absolute weights times `r`."""
        return r @ self.weight.abs().T

    def transpose(self, a: Tensor) -> Tensor:
        """Coefficients of what is read, from those of the result."""
        return a @ self.weight

    def pick(self, flat: Tensor) -> Tensor | None:
        """Rows of the matrix."""
        return self.weight[flat]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Convolution:
    """A convolution over any number of axes; `inside` is the shape (c, ...) of one input, `outside` of one output."""

    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    inside: tuple[int, ...]
    outside: tuple[int, ...]

    def apply(self, z: Tensor) -> Tensor:
        """The function itself."""
        return self._forward(z, self.weight, self.bias)

    def absolute(self, r: Tensor) -> Tensor:
        """Absolute weights times `r`."""
        return self._forward(r, self.weight.abs(), None)

    def transpose(self, a: Tensor) -> Tensor:
        """Coefficients of what is read, from those of the result."""
        import torch

        rest = [
            self.inside[k + 1]
            - ((self.outside[k + 1] - 1) * self.stride[k] - 2 * self.padding[k])
            - self.dilation[k] * (self.weight.shape[k + 2] - 1)
            - 1
            for k in range(len(self.stride))
        ]
        settings = (list(self.stride), list(self.padding), list(self.dilation), True, rest, self.groups)
        return torch.ops.aten.convolution(a, self.weight, None, *settings)

    def pick(self, flat: Tensor) -> Tensor | None:
        """The kernel laid where each output looks; two spatial axes only."""
        import torch

        if len(self.stride) != 2:
            return None
        (_, tall, wide), (channels, height, width) = self.outside, self.inside
        c, i, j = flat // (tall * wide), flat // wide % tall, flat % wide
        own, rows, columns = self.weight.shape[1:]
        top, left = self.padding
        line = torch.arange(len(flat), device=flat.device)[:, None, None, None]
        first = c // (self.weight.shape[0] // self.groups) * own
        at = (first[:, None] + torch.arange(own, device=flat.device))[:, :, None, None]
        y = (i * self.stride[0])[:, None] + torch.arange(rows, device=flat.device) * self.dilation[0]
        x = (j * self.stride[1])[:, None] + torch.arange(columns, device=flat.device) * self.dilation[1]
        extra = [s * (n - 1) + d * (k - 1) + 1 for s, n, d, k in self._reach((tall, wide))]
        size = (max(height + 2 * top, extra[0]), max(width + 2 * left, extra[1]))
        laid = self.weight.new_zeros((len(flat), channels, *size))
        laid[line, at, y[:, None, :, None], x[:, None, None, :]] = self.weight[c]
        return laid[:, :, top : top + height, left : left + width]

    def _reach(self, outside: tuple[int, int]) -> list[tuple[int, int, int, int]]:
        return [(self.stride[k], outside[k], self.dilation[k], int(self.weight.shape[k + 2])) for k in range(2)]

    def _forward(self, z: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        import torch

        settings = (list(self.stride), list(self.padding), list(self.dilation), False, [0] * len(self.stride))
        return torch.ops.aten.convolution(z, weight, bias, *settings, self.groups)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """z * scale + shift, both of the shape of one row or spread over it (a normalisation, a constant added)."""

    scale: Tensor
    shift: Tensor

    def apply(self, z: Tensor) -> Tensor:
        """The function itself."""
        return z * self.scale + self.shift

    def absolute(self, r: Tensor) -> Tensor:
        """Absolute weights times `r`."""
        return r * self.scale.abs()

    def transpose(self, a: Tensor) -> Tensor:
        """Coefficients of what is read, from those of the result."""
        return a * self.scale

    def pick(self, flat: Tensor) -> Tensor | None:
        """No shorter way."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrange:
    """A linear function without a negative weight: a reshape, a crop, a permutation, a mean.

    `inside` is the shape of one input; `single` says that every output is one of the inputs.
    """

    function: Callable[[Tensor], Tensor]
    inside: tuple[int, ...]
    single: bool = False

    def apply(self, z: Tensor) -> Tensor:
        """The function itself."""
        return self.function(z)

    def absolute(self, r: Tensor) -> Tensor:
        """The function again, since no weight is negative."""
        return self.function(r)

    def transpose(self, a: Tensor) -> Tensor:
        """Coefficients of what is read, by one backward pass."""
        import torch

        with torch.enable_grad():
            start = a.new_zeros((len(a), *self.inside), requires_grad=True)
            (found,) = torch.autograd.grad(self.function(start), start, a, create_graph=a.requires_grad)
        return found

    def pick(self, flat: Tensor) -> Tensor | None:
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


Bent = Kink | Bend | Largest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """One operation (None is the net's input), the positions of what it reads, the shape of one row of its output."""

    op: Affine | Sum | Bent | None
    inputs: tuple[int, ...]
    shape: tuple[int, ...]


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


def is_bent(op: Any) -> TypeGuard[Kink | Bend | Largest]:
    """Whether an operation is not affine, so that it needs bounds on what it reads."""
    return isinstance(op, Kink | Bend | Largest)
