"""A tree ensemble as arrays: one form for every library, read by attacks and verifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int32]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

LINKS = ("identity", "sigmoid", "softmax")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TreeEnsemble:
    """Node k sends a row left when `x[feature[k]] < threshold[k]` on the float64 values of the Schema's matrix.

    A leaf has `feature` -1 and adds its `value` (nodes, outputs); a missing value (NaN) goes left where `missing_left`.
    Raw outputs are `base` plus the leaves reached, one per tree in `root`; `link` turns them into the target's scores:
    "identity" (margins, logits, values, a forest's averaged probabilities), "sigmoid" (one output, probability of class
    1) or "softmax". Thresholds are moved so that the comparison is exact in float64 whatever the library compares in;
    a split on categories is a chain of nodes over the codes, so a node may be the child of several others, and the
    nodes of one tree form an acyclic graph, not always a tree. Children lie behind their parents in the arrays.
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: Bools
    value: Floats
    root: Ints
    base: Floats
    features: int
    link: str = "identity"

    @property
    def trees(self) -> int:
        """How many trees."""
        return len(self.root)

    @property
    def outputs(self) -> int:
        """How many raw outputs: one per class, or a single margin or value."""
        return len(self.base)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TreeMargin:
    """One number per row from an ensemble: positive where an attack has succeeded on a row of this truth.

    The same nodes with a scalar `value` (nodes,) and `base`; trees that add nothing are left out of `root`.
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: Bools
    value: Floats
    root: Ints
    base: float
    features: int
