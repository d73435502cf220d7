"""Linear models and nets as arrays over coded columns: a layer that reads numbers, codes and gaps, then products."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """One output per row. `weights` (d, h) are of numbers, `gaps` (d, h) what a missing value counts; a column with
    `starts[at]` not below nought holds codes, `counts[at]` of them, whose rows stand in `table` from there on. `layers`
    are the (weights, bias) behind the first, which has `bias`; `hidden` names what lies between layers, `sigmoid` says
    whether the output is a probability.
    """

    weights: Array
    gaps: Array
    starts: Array
    counts: Array
    table: Array
    bias: Array
    layers: tuple[tuple[Array, Array], ...] = ()
    hidden: str = "identity"
    sigmoid: bool = False


def outputs(dense: Dense, x: Array) -> Array:
    """The output (n,) of each row (n, d); NaN where a value is not finite, no code, or missing where nothing stands
    for that.

    >>> line = Dense(weights=np.array([[2.0], [0.0]]), gaps=np.array([[0.0], [np.nan]]), starts=np.array([-1, 0]),
    ...              counts=np.array([0, 2]), table=np.array([[0.0], [10.0]]), bias=np.array([1.0]))
    >>> outputs(line, np.array([[3.0, 1.0], [np.nan, 0.0], [3.0, 2.0]]))
    array([17.,  1., nan])
    """
    out = np.empty((len(x), len(dense.bias)))
    _compiled()(x, dense.weights, dense.gaps, dense.starts, dense.counts, dense.table, dense.bias, out)
    between = HIDDEN[dense.hidden]
    for weights, bias in dense.layers:
        out = between(out) @ weights
        out += bias
    if not dense.sigmoid:
        return out[:, 0]
    if len(out) == 1:  # without NumPy, which would cost as much as the rest
        value = float(out[0, 0])
        out[0, 0] = 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, value)))) if value == value else value
        return out[:, 0]
    return _sigmoid(out[:, 0])


def _sigmoid(z: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -700.0, 700.0))))


HIDDEN: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0.0, out=z),
    "tanh": np.tanh,
    "logistic": _sigmoid,
}
"""What may lie between layers, by scikit-learn's names."""


@cache  # an import statement costs half as much as the row
def _compiled() -> Any:
    from temper.kernels._jit_dense import first_layer

    return first_layer
