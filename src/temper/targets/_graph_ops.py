"""How each operation a torch module asks for becomes one that has bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temper.core.errors import Unsupported
from temper.kernels._bounds_ops import Arrange, Bend, Convolution, Dense, Kink, Largest, Node, Scale, Sum

Shape = tuple[int, ...]
Reader = Callable[["Writer", Any, list[Any], list[bool], Shape], int]


class Writer:
    """The list of nodes as it grows."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def put(self, node: Node) -> int:
        """Append a node; its position."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def finish(self, at: int) -> None:
        """Drop what was written behind the result."""
        del self.nodes[at + 1 :]

    def add(self, op: Any, inputs: int | Shape, shape: Shape) -> int:
        """Append an operation on these nodes."""
        return self.put(Node(op=op, inputs=(inputs,) if isinstance(inputs, int) else inputs, shape=shape))


def _linear(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    """bias + z W, z W, or W z' + bias: addmm, mm, linear."""
    bias, z, weight = read if len(read) == 3 else (None, read[0], read[1])
    if variable != ([False, True, False] if len(read) == 3 else [True, False]):
        raise Unsupported("a matrix that depends on the input has no bounds here")
    return writer.add(
        Dense(weight=weight.T, bias=weight.new_zeros(weight.shape[1]) if bias is None else bias), z, shape
    )


def _convolution(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    z, weight, bias, stride, padding, dilation, transposed, _, groups = read
    if transposed or variable[1]:
        raise Unsupported("a transposed convolution has no bounds here")
    op = Convolution(
        weight=weight,
        bias=bias,
        stride=tuple(stride),
        padding=tuple(padding),
        dilation=tuple(dilation),
        groups=int(groups),
        inside=writer.nodes[z].shape,
        outside=shape,
    )
    return writer.add(op, z, shape)


def _batch_norm(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    z, weight, bias, mean, var = read[:5]
    if node.args[5] is True:
        raise Unsupported("a batch normalisation in training mode mixes rows", fix="call model.eval()")
    scale = (var + read[-1]).rsqrt() if weight is None else weight * (var + read[-1]).rsqrt()
    shift = -mean * scale if bias is None else bias - mean * scale
    spread = (-1,) + (1,) * (len(shape) - 1)
    return writer.add(
        Scale(scale=scale.reshape(spread).expand(shape), shift=shift.reshape(spread).expand(shape)), z, shape
    )


def _plus(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    return _added(writer, node, read, variable, shape, 1.0)


def _minus(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    return _added(writer, node, read, variable, shape, -1.0)


def _minus_from(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    """What is subtracted comes first."""
    if len(variable) > 1 and variable[1]:
        raise Unsupported("rsub of two values that both depend on the input has no bounds here")
    return _scaled(writer, read[0], -float(node.kwargs.get("alpha", 1.0)), _row(read[1]), shape)


def _added(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape, sign: float) -> int:
    sign *= float(node.kwargs.get("alpha", 1.0))
    if all(variable):
        if any(writer.nodes[at].shape != shape for at in read):
            raise Unsupported("two values of different shapes are added, for which there are no bounds here")
        return writer.add(Sum(signs=(1.0, sign)), (read[0], read[1]), shape)
    constant, at, own, other = (read[1], read[0], 1.0, sign) if variable[0] else (read[0], read[1], sign, 1.0)
    return _scaled(writer, at, own, _row(constant) * other, shape)


def _times(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    constant, at = (read[1], read[0]) if variable[0] else (read[0], read[1])
    return _scaled(writer, at, _row(constant), 0.0, shape)


def _divided(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    if len(variable) > 1 and variable[1]:
        raise Unsupported("a division by what depends on the input has no bounds here")
    return _scaled(writer, read[0], 1.0 / _row(read[1]), 0.0, shape)


def minus_one(shape: Shape) -> Scale:
    """The operation that turns every sign."""
    import torch

    one = torch.ones(shape, dtype=torch.float64)
    return Scale(scale=-one, shift=0.0 * one)


def _negated(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    return writer.add(minus_one(shape), read[0], shape)


def _scaled(writer: Writer, at: int, scale: Any, shift: Any, shape: Shape) -> int:
    import torch

    if writer.nodes[at].shape != shape:
        raise Unsupported("a constant widens the shape of a row, for which there are no bounds here")
    parts = [torch.as_tensor(value, dtype=torch.float64).expand(shape) for value in (scale, shift)]
    return writer.add(Scale(scale=parts[0], shift=parts[1]), at, shape)


def _row(constant: Any) -> Any:
    """A constant for one row: an axis of rows in front is dropped, where it has one entry."""
    if getattr(constant, "ndim", 0) and constant.shape[0] == 1:
        return constant[0]
    return constant


def _arranged(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    """Run the same operation on any number of rows."""
    at, more, words = read[0], list(read[1:]), dict(node.kwargs)
    target = node.target

    def function(z: Any) -> Any:
        return target(z, *more, **words)

    return writer.add(Arrange(function=function, inside=writer.nodes[at].shape), at, shape)


def _reshaped(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    def function(z: Any) -> Any:
        return z.reshape((len(z), *shape))

    return writer.add(Arrange(function=function, inside=writer.nodes[read[0]].shape, single=True), read[0], shape)


def _padded(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    if len(read) > 2 and float(read[2]) != 0.0:
        raise Unsupported("padding with another value than zero has no bounds here")
    return _arranged(writer, node, read, variable, shape)


def _kinked(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    slope = 0.0
    if "leaky" in str(node.target):
        slope = float(read[1]) if len(read) > 1 else 0.01
    if not 0.0 <= slope <= 1.0:
        raise Unsupported(f"a leaky ReLU of slope {slope:g} has no bounds here", fix="use a slope in [0, 1]")
    return writer.add(Kink(slope=slope), read[0], shape)


def _sigmoid(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    return writer.add(Bend(name="sigmoid"), read[0], shape)


def _tanh(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    return writer.add(Bend(name="tanh"), read[0], shape)


def _largest(writer: Writer, node: Any, read: list[Any], variable: list[bool], shape: Shape) -> int:
    if len(shape) != 3 or (len(read) > 5 and read[5]):
        raise Unsupported("max-pooling has bounds over two axes and without ceil_mode only")
    given = [tuple(value) for value in read[1:5]]
    size, stride, padding, dilation = given + [(), (0, 0), (1, 1)][len(given) - 1 :]
    both = [value * 2 if len(value) == 1 else value for value in (size, stride or size, padding, dilation)]
    return writer.add(Largest(size=both[0], stride=both[1], padding=both[2], dilation=both[3]), read[0], shape)


READERS: dict[str, Reader] = {
    "addmm": _linear,
    "mm": _linear,
    "convolution": _convolution,
    "native_batch_norm": _batch_norm,
    "cudnn_batch_norm": _batch_norm,
    "add": _plus,
    "sub": _minus,
    "rsub": _minus_from,
    "mul": _times,
    "div": _divided,
    "neg": _negated,
    "view": _reshaped,
    "_unsafe_view": _reshaped,
    "reshape": _reshaped,
    "squeeze": _reshaped,
    "unsqueeze": _reshaped,
    "flatten": _reshaped,
    "permute": _arranged,
    "transpose": _arranged,
    "slice": _arranged,
    "select": _arranged,
    "mean": _arranged,
    "avg_pool2d": _arranged,
    "_adaptive_avg_pool2d": _arranged,
    "constant_pad_nd": _padded,
    "relu": _kinked,
    "leaky_relu": _kinked,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "max_pool2d_with_indices": _largest,
}
