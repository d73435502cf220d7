"""A feed-forward ONNX graph as a torch module, for its gradient; its answers stay those of onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from temper.core.errors import Unsupported

Operation = Callable[..., Any]
KNOWN = frozenset(
    {
        "Add",
        "AveragePool",
        "BatchNormalization",
        "Clip",
        "Concat",
        "Constant",
        "Conv",
        "Div",
        "Dropout",
        "Elu",
        "Flatten",
        "Gemm",
        "GlobalAveragePool",
        "HardSwish",
        "Identity",
        "LeakyRelu",
        "MatMul",
        "MaxPool",
        "Mul",
        "Neg",
        "Pow",
        "ReduceMean",
        "Relu",
        "Reshape",
        "Sigmoid",
        "Softmax",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Tanh",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operations that have a gradient here."""


def convertible(content: bytes) -> bool:
    """Whether every operation of the graph is known, and torch is there to follow it."""
    import importlib.util

    import onnx

    if importlib.util.find_spec("torch") is None:
        return False
    graph = onnx.load_model_from_string(content).graph
    return len(_inputs(graph)) == 1 and all(not node.domain and node.op_type in KNOWN for node in graph.node)


def module(content: bytes, output: str) -> Any:
    """A torch module of the graph up to `output`, in evaluation mode.

    Own code because the known converter needs torchvision, whose builds do not load beside a CPU build of torch.
    Raises `Unsupported` naming the first operation that is not known.
    """
    import onnx
    import torch

    graph = onnx.load_model_from_string(content).graph
    unknown = sorted({node.op_type for node in graph.node} - KNOWN)
    if unknown:
        raise Unsupported(f"the ONNX graph holds {unknown[0]}, whose gradient is not known here", fix=_FIX)
    constants = {one.name: torch.tensor(onnx.numpy_helper.to_array(one)) for one in graph.initializer}
    steps = [(_operation(node), list(node.input), list(node.output), _attributes(node)) for node in graph.node]
    start = _inputs(graph)[0]

    class Graph(torch.nn.Module):
        """The steps of the graph one after the other."""

        def __init__(self) -> None:
            super().__init__()
            self.names = {name: f"kept_{at}" for at, name in enumerate(constants)}
            for name, value in constants.items():
                self.register_buffer(self.names[name], value)

        def forward(self, x: Any) -> Any:
            values = {name: getattr(self, kept) for name, kept in self.names.items()} | {start: x}
            for operation, inputs, outputs, attributes in steps:
                values[outputs[0]] = operation(*(values[name] if name else None for name in inputs), **attributes)
            return values[output]

    return Graph().eval()


_FIX = "open the torch module it was exported from"


def _inputs(graph: Any) -> list[str]:
    kept = {one.name for one in graph.initializer}
    return [one.name for one in graph.input if one.name not in kept]


def _attributes(node: Any) -> dict[str, Any]:
    import onnx

    found = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def _operation(node: Any) -> Operation:
    known = {**_simple(), **_shapes(), **_layers()}
    if node.op_type == "Constant":
        return _constant
    found: Operation = known[node.op_type]
    return found


def _constant(value: Any = None, **others: Any) -> Any:
    import onnx
    import torch

    if value is not None:
        return torch.tensor(onnx.numpy_helper.to_array(value))
    return torch.tensor(next(iter(others.values())))


def _simple() -> Mapping[str, Operation]:
    """Operations that work value by value."""
    import torch
    from torch.nn import functional

    return {
        "Add": torch.add,
        "Sub": torch.sub,
        "Mul": torch.mul,
        "Div": torch.div,
        "Pow": torch.pow,
        "Neg": torch.neg,
        "Sqrt": torch.sqrt,
        "Relu": torch.relu,
        "Sigmoid": torch.sigmoid,
        "Tanh": torch.tanh,
        "HardSwish": functional.hardswish,
        "Identity": lambda x: x,
        "Dropout": lambda x, *rest, **how: x,
        "LeakyRelu": lambda x, alpha=0.01: functional.leaky_relu(x, alpha),
        "Elu": lambda x, alpha=1.0: functional.elu(x, alpha),
        "Clip": lambda x, low=None, high=None, min=None, max=None: torch.clamp(
            x, low if low is not None else min, high if high is not None else max
        ),
        "Softmax": lambda x, axis=-1: torch.softmax(x, axis),
    }


def _shapes() -> Mapping[str, Operation]:
    """Operations that only move values about."""
    import torch

    def reshape(x: Any, shape: Any, allowzero: int = 0) -> Any:
        wanted = [x.shape[at] if size == 0 and not allowzero else size for at, size in enumerate(shape.tolist())]
        if wanted and wanted[0] == 1 and -1 in wanted[1:]:  # a batch of one was traced: the first axis is the batch
            wanted[0] = x.shape[0]
        return x.reshape(wanted)

    def unsqueeze(x: Any, axes: Any) -> Any:
        for axis in sorted(_listed(axes)):
            x = x.unsqueeze(axis)
        return x

    return {
        "Reshape": reshape,
        "Flatten": lambda x, axis=1: x.flatten(axis),
        "Transpose": lambda x, perm=None: x.permute(perm if perm is not None else tuple(range(x.ndim))[::-1]),
        "Concat": lambda *parts, axis: torch.cat(parts, axis),
        "Squeeze": lambda x, axes: x.squeeze(tuple(_listed(axes))),
        "Unsqueeze": unsqueeze,
        "ReduceMean": lambda x, axes=None, keepdims=1, noop_with_empty_axes=0: x.mean(
            tuple(_listed(axes)) if axes is not None else tuple(range(x.ndim)), keepdim=bool(keepdims)
        ),
    }


def _layers() -> Mapping[str, Operation]:
    """Layers with weights and windows."""
    import torch
    from torch.nn import functional

    def gemm(a: Any, b: Any, c: Any = None, alpha: float = 1.0, beta: float = 1.0, **how: int) -> Any:
        a, b = a.T if how.get("transA") else a, b.T if how.get("transB") else b
        product = alpha * (a @ b)
        return product if c is None else product + beta * c

    def conv(x: Any, weight: Any, bias: Any = None, group: int = 1, **how: Any) -> Any:
        step = {"stride": how.get("strides", 1), "dilation": how.get("dilations", 1), "groups": group}
        return _convolution(weight.ndim)(_padded(x, how, 0.0), weight, bias, **step)

    def most(x: Any, **how: Any) -> Any:
        pool = functional.max_pool2d if x.ndim == 4 else functional.max_pool1d
        step = {"stride": how.get("strides", 1), "dilation": how.get("dilations", 1)}
        return pool(_padded(x, how, -torch.inf), how["kernel_shape"], ceil_mode=bool(how.get("ceil_mode", 0)), **step)

    def mean(x: Any, count_include_pad: int = 0, **how: Any) -> Any:
        if any(how.get("pads", ())) and not count_include_pad:
            raise Unsupported("the ONNX graph averages without its padding, whose gradient is not known here", fix=_FIX)
        pool = functional.avg_pool2d if x.ndim == 4 else functional.avg_pool1d
        more = {"stride": how.get("strides", 1), "ceil_mode": bool(how.get("ceil_mode", 0))}
        return pool(_padded(x, how, 0.0), how["kernel_shape"], **more)

    def normalised(x: Any, scale: Any, shift: Any, at: Any, spread: Any, epsilon: float = 1e-5, **how: Any) -> Any:
        return functional.batch_norm(x, at, spread, scale, shift, training=False, eps=epsilon)

    return {
        "Gemm": gemm,
        "MatMul": torch.matmul,
        "Conv": conv,
        "MaxPool": most,
        "AveragePool": mean,
        "GlobalAveragePool": lambda x: x.mean(tuple(range(2, x.ndim)), keepdim=True),
        "BatchNormalization": normalised,
    }


def _convolution(ndim: int) -> Operation:
    from torch.nn import functional

    return {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}[ndim]


def _padded(x: Any, how: Mapping[str, Any], fill: float) -> Any:
    """ONNX pads all starts and then all ends; torch the last axis first."""
    from torch.nn import functional

    if how.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Unsupported(f"the ONNX graph pads by {how['auto_pad']}, whose gradient is not known here", fix=_FIX)
    pads = list(how.get("pads", ()))
    if not any(pads):
        return x
    half = len(pads) // 2
    ends = [value for at in reversed(range(half)) for value in (pads[at], pads[at + half])]
    return functional.pad(x, ends, value=fill)


def _listed(axes: Any) -> list[int]:
    return [int(axis) for axis in (axes.tolist() if hasattr(axes, "tolist") else np.atleast_1d(axes))]
