"""A torch module as a list of operations, however it was written: layers, custom code, a script, an exported program.

The module is run once on three rows while every operation it asks of torch is written down; so what matters is what it
does, not how it is written.
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import ContractError, Unsupported
from temper.core.target import ScoreKind, Target
from temper.kernels._bounds_ops import Arrange, Graph, Node
from temper.targets._flipped import Flipped
from temper.targets._graph_ops import READERS, Writer, minus_one
from temper.targets.private import Private

ROWS = 3
_PASSED = {"detach", "clone", "alias", "_to_copy", "contiguous", "lift_fresh_copy", "dropout"}


def graph_of(target: Target, shape: tuple[int, ...]) -> Graph:
    """The operations of a torch target over rows of this shape; `Unsupported` names the one that has no bounds.

    A softmax at the very end is left out: the scores before it decide alike.
    """
    from temper.targets.torch import Torch

    if isinstance(target, Flipped):
        return _turned(graph_of(target.inner, shape), target.kind)
    if isinstance(target, Private):
        return graph_of(target.inner, shape)
    if not isinstance(target, Torch):
        raise Unsupported(f"bounds are computed through a torch module, and this target is {target.name}")
    return _read(_traced(target.model, shape), shape)


def _turned(graph: Graph, kind: ScoreKind) -> Graph:
    """The scores of a target whose two classes are exchanged."""
    last, at = graph.nodes[-1], len(graph.nodes) - 1
    if kind is ScoreKind.MARGIN:
        op: Any = minus_one(last.shape)
    else:
        op = Arrange(function=lambda z: z.flip(1), inside=last.shape, single=True)
    return replace(graph, nodes=(*graph.nodes, Node(op=op, inputs=(at,), shape=last.shape)))


def agree(graph: Graph, target: Target, x: Array) -> np.ndarray[Any, Any]:
    """How far (n,) the graph's scores, in double precision, are from the target's own; a `ContractError` where they are
    different functions.
    """
    import torch

    own = np.asarray(target.scores(np.asarray(x, dtype=np.float64)), dtype=np.float64)
    with torch.no_grad():
        found = graph.run(torch.as_tensor(np.asarray(x), dtype=torch.float64, device=graph.device)).flatten(1)
        found = (found.softmax(1) if graph.softmax else found).cpu().numpy()
    away = np.abs(found - own).max(axis=1) if found.shape == own.shape else np.full(len(own), np.inf)
    if (away > 1e-3 * (1.0 + np.abs(own).max(axis=1))).any():
        raise ContractError(
            f"what the module did on {ROWS} rows is not what it does on these: scores differ by {away.max():.3g}",
            fix="its way through forward must not depend on the values",
        )
    return np.asarray(away)


def _traced(model: Any, shape: tuple[int, ...]) -> Any:
    import warnings

    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    first = next(iter([*model.parameters(), *model.buffers()]), None)
    rows = torch.zeros((ROWS, *shape), dtype=torch.float32, device=None if first is None else first.device)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch speaks of its own deprecations
        try:
            return make_fx(lambda x: model(x))(rows)
        except Exception as crash:
            said = (str(crash).strip().splitlines() or [type(crash).__name__])[0]
            raise Unsupported(
                f"the module cannot be followed over {ROWS} rows: {said[:200]}",
                fix="hand in a module in evaluation mode whose forward does not branch on values",
            ) from crash


def _read(traced: Any, shape: tuple[int, ...]) -> Graph:
    """Every operation the result depends on, in order."""
    import torch

    last = next(node for node in traced.graph.nodes if node.op == "output").args[0]
    output = _before_softmax(last)
    writer = Writer()
    places: dict[Any, Any] = {}
    needed = _needed(output)
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            places[node] = writer.put(Node(op=None, inputs=(), shape=shape))
        elif node.op == "get_attr":
            places[node] = _double(getattr(traced, node.target))
        elif node in needed:
            places[node] = _one(node, places, writer)
    if not isinstance(places[output], int):
        raise Unsupported("the module's scores do not depend on its input")
    writer.finish(places[output])
    device = next((t.device for t in places.values() if isinstance(t, torch.Tensor)), torch.device("cpu"))
    return Graph(nodes=tuple(writer.nodes), device=device, softmax=_softened(last))


def _one(node: Any, places: dict[Any, Any], writer: Writer) -> Any:
    """A constant stays a value; an operation on the input becomes nodes, and its position is what stands for it."""
    name = _name(node)
    read = [places.get(arg, arg) if _is_node(arg) else arg for arg in node.args]
    own = [isinstance(value, int) for arg, value in zip(node.args, read, strict=True) if _is_node(arg)]
    if not any(own):
        return _folded(node, places)
    if name in _PASSED or node.target is operator.getitem:
        return places[node.args[0]]
    if name not in READERS:
        raise Unsupported(
            f"the module uses {name}, for which there are no bounds",
            fix=f"there are bounds for {', '.join(sorted(READERS))}",
        )
    shape = tuple(_meta(node).shape)
    if not shape or shape[0] != ROWS:
        raise Unsupported(
            f"{name} mixes rows with one another, or drops them (an InstanceNorm does): its result is {shape} for "
            f"{ROWS} rows",
            fix="validation.smoothing needs no look inside",
        )
    if sum(own) > 1 and name not in ("add", "sub"):
        raise Unsupported(f"{name} of two values that both depend on the input has no bounds here")
    variable = [_is_node(arg) and isinstance(places.get(arg), int) for arg in node.args]
    return READERS[name](writer, node, read, variable, shape[1:])


def _folded(node: Any, places: dict[Any, Any]) -> Any:
    """What does not depend on the input is computed now."""

    def value(arg: Any) -> Any:
        return places[arg] if _is_node(arg) else arg

    if node.target is operator.getitem:
        return value(node.args[0])[node.args[1]]
    found = node.target(*[value(arg) for arg in node.args], **{k: value(v) for k, v in node.kwargs.items()})
    return _double(found)


def _softened(node: Any) -> bool:
    while _is_node(node) and _name(node) == "detach":
        node = node.args[0]
    return _is_node(node) and _name(node) == "_softmax"


def _before_softmax(node: Any) -> Any:
    """The scores a softmax or its logarithm at the very end is applied to, over the classes."""
    while _is_node(node) and _name(node) in {"_softmax", "_log_softmax", "detach"}:
        node = node.args[0]
    if not _is_node(node):
        raise Unsupported(f"the module returns {type(node).__name__} and not a tensor of scores")
    return node


def _needed(output: Any) -> set[Any]:
    found, waiting = set(), [output]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += list(node.all_input_nodes)
    return found


def _name(node: Any) -> str:
    packet = getattr(node.target, "overloadpacket", None)
    title = str(packet).rpartition(".")[2] if packet is not None else getattr(node.target, "__name__", str(node.target))
    return title if title.startswith("_") else title.removesuffix("_")


def _meta(node: Any) -> Any:
    found = node.meta.get("val", node.meta.get("tensor_meta"))
    return found[0] if isinstance(found, tuple | list) and not hasattr(found, "shape") else found


def _is_node(arg: Any) -> bool:
    return hasattr(arg, "all_input_nodes")


def _double(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        value = value.detach()
        return value.double() if value.is_floating_point() else value
    return value
