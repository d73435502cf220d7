"""ONNX's tree operators: any of six comparisons per node, in the precision of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.trees import TreeEnsemble
from temper.kernels.trees import scores, thresholds
from temper.targets._trees_build import Array, Nodes, among, assemble, at_most, at_most_single, below
from temper.targets.frame import Coding

_TREES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
_PASSING = ("Identity", "Cast", "ZipMap", "Reshape", "Flatten")
_SINGLE, _DOUBLE = 1, 11
_PROBES = 64


@dataclass(frozen=True, slots=True)
class _Comparison:
    """How a mode of a node reads: on which side of the cut it is true, whether equal values are on that side."""

    true_left: bool
    equal_left: bool


_MODES = {
    "BRANCH_LEQ": _Comparison(true_left=True, equal_left=True),
    "BRANCH_LT": _Comparison(true_left=True, equal_left=False),
    "BRANCH_GT": _Comparison(true_left=False, equal_left=True),
    "BRANCH_GTE": _Comparison(true_left=False, equal_left=False),
}
_EXACT = ("BRANCH_EQ", "BRANCH_NEQ")


def ensemble(
    content: bytes, output: str, classes: int, codes: Coding, answers: Callable[[Array], Array]
) -> TreeEnsemble | None:
    """The trees of a graph that is one tree operator between casts; None where it is anything else.

    What the operator does with two classes and one weight is loosely specified, so the readings of it are held against
    the model's own `answers`, and one that differs is not taken.
    """
    import onnx

    found = _operator(onnx.load_model_from_string(content).graph, output)
    if found is None:
        return None
    node, single, width = found
    parts = {a.name: _attribute(onnx, a) for a in node.attribute}
    nodes, base = _read(parts, single, classes if node.op_type == _TREES[0] else int(parts.get("n_targets", 1)))
    if nodes is None or parts.get("aggregate_function", "SUM") not in ("SUM", "AVERAGE"):
        return None
    if parts.get("aggregate_function") == "AVERAGE":
        nodes = replace(nodes, value=nodes.value / len(nodes.root))
    for reading, start, link in _readings(nodes, base):
        candidate = assemble(reading, start, width, link, codes)
        if _agrees(candidate, answers):
            return candidate
    return None


def _operator(graph: Any, output: str) -> tuple[Any, bool, int] | None:
    """(the tree operator, whether it compares in float32, number of columns) of a graph that is nothing else."""
    makers = {name: node for node in graph.node for name in node.output}
    inner = [node for node in graph.node if node.op_type not in _PASSING]
    if len(inner) != 1 or inner[0].op_type not in _TREES or len(graph.input) != 1:
        return None
    node, seen = inner[0], makers.get(output)
    while seen is not None and seen is not node:
        seen = makers.get(seen.input[0])
    last = node.output[1] if node.op_type == _TREES[0] else node.output[0]
    shape = graph.input[0].type.tensor_type
    types, name = [shape.elem_type], node.input[0]
    while name in makers:
        types += [a.i for a in makers[name].attribute if a.name == "to"]
        name = makers[name].input[0]
    sizes = [size.dim_value for size in shape.shape.dim]
    fitting = seen is node and set(types) <= {_SINGLE, _DOUBLE} and len(sizes) == 2 and sizes[1] > 0
    return (node, _SINGLE in types, sizes[1]) if fitting and _leads(graph, last, output, makers) else None


def _leads(graph: Any, first: str, output: str, makers: dict[str, Any]) -> bool:
    """Whether the output is the operator's scores, passed on."""
    while output != first:
        if output not in makers or makers[output].op_type not in _PASSING:
            return False
        output = makers[output].input[0]
    return True


def _attribute(onnx: Any, attribute: Any) -> Any:
    """The value of an attribute: an array, or a word."""
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, int | float):
        return value
    return np.array([v.decode() for v in value] if value and isinstance(value[0], bytes) else value)


def _either(parts: dict[str, Any], name: str) -> Array:
    """An attribute in single precision, or its double precision twin."""
    return np.asarray(parts.get(f"{name}_as_tensor", parts.get(name, ())), dtype=np.float64)


def _read(parts: dict[str, Any], single: bool, outputs: int) -> tuple[Nodes | None, Array]:
    """The operator's nodes, and where its sums start."""
    mode, tree, identity = parts["nodes_modes"], parts["nodes_treeids"], parts["nodes_nodeids"]
    if not set(mode) <= {*_MODES, *_EXACT, "LEAF"}:
        return None, np.empty(0)
    key = tree.astype(np.int64) << 32 | identity
    order = np.argsort(key)
    leaf = mode == "LEAF"
    true, false = (
        np.where(leaf, -1, order[np.searchsorted(key[order], (key >> 32) << 32 | parts[name]).clip(0, len(key) - 1)])
        for name in ("nodes_truenodeids", "nodes_falsenodeids")
    )
    prefix = "class" if "class_ids" in parts else "target"
    value = np.zeros((len(key), outputs))
    at = order[
        np.searchsorted(key[order], parts[f"{prefix}_treeids"].astype(np.int64) << 32 | parts[f"{prefix}_nodeids"])
    ]
    np.add.at(value, (at, parts[f"{prefix}_ids"]), _either(parts, f"{prefix}_weights"))
    tracks = np.asarray(parts.get("nodes_missing_value_tracks_true", np.zeros(len(key))), dtype=bool)
    left, right, cut, missing, rules = _splits(mode, _either(parts, "nodes_values"), tracks, true, false, single)
    return Nodes(
        feature=np.where(leaf, -1, parts["nodes_featureids"]),
        threshold=cut,
        left=left,
        right=right,
        missing_left=missing,
        value=value,
        root=np.setdiff1d(np.arange(len(key)), np.concatenate([true, false])),
        rules=rules,
    ), _either(parts, "base_values")


def _splits(mode: Array, t: Array, tracks: Array, true: Array, false: Array, single: bool) -> tuple[Any, ...]:
    """(left, right, cut, missing left, rules): true goes left where it is the lower side."""
    under, upto = (below(t), at_most_single(t)) if single else (t, at_most(t))
    equal_left = np.isin(mode, [name for name, c in _MODES.items() if c.equal_left])
    true_left = ~np.isin(mode, [name for name, c in _MODES.items() if not c.true_left])
    # A missing value is no less and no more than any number, and it is not equal to one.
    missing_true = tracks | (mode == "BRANCH_NEQ")
    rules = {}
    for at in np.flatnonzero(np.isin(mode, _EXACT)):
        piece = (float(under[at]), float(upto[at]))
        rules[int(at)] = among([piece], inside=mode[at] == "BRANCH_EQ", missing=bool(missing_true[at]))
    left, right = np.where(true_left, true, false), np.where(true_left, false, true)
    return left, right, np.where(equal_left, upto, under), missing_true == true_left, rules


def _readings(nodes: Nodes, base: Array) -> Iterator[tuple[Nodes, Array, str]]:
    """Every way the sums may become scores, with the nodes that make it so."""
    outputs = nodes.value.shape[1]
    start = np.resize(base, outputs) if len(base) else np.zeros(outputs)
    yield nodes, start, "identity"
    yield nodes, start, "softmax"
    if outputs == 2:
        yield replace(nodes, value=nodes.value[:, 1:]), start[1:], "sigmoid"
        one = replace(nodes, value=nodes.value.sum(axis=1, keepdims=True))
        first = base[-1:] if len(base) else np.zeros(1)
        yield one, first, "sigmoid"
        both = replace(nodes, value=np.concatenate([-one.value, one.value], axis=1))
        yield both, np.array([1.0 - first[0], first[0]]), "identity"
        yield both, np.array([-first[0], first[0]]), "identity"


def _agrees(candidate: TreeEnsemble, answers: Callable[[Array], Array]) -> bool:
    """Whether rows among the cuts, picked evenly, are answered alike."""
    offsets, cuts = thresholds(candidate)
    rows = np.zeros((_PROBES, candidate.features))
    for at in range(candidate.features):
        own = cuts[offsets[at] : offsets[at + 1]]
        if len(own):
            rows[:, at] = own[(np.arange(_PROBES) * (2 * at + 7)) % len(own)]
    own_scores, theirs = scores(candidate, rows), answers(rows)
    return own_scores.shape == theirs.shape and np.allclose(own_scores, theirs, rtol=1e-4, atol=1e-5)
