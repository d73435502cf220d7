"""Whether the columns of a row go together: the best tree of pairwise dependence, against columns drawn one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BINS = 16
_PRIOR = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dependence:
    """Every column has a `parent` (d,), the root itself; `gain` (d, bins, bins) is the logarithm of how much likelier
    its bin is beside the parent's bin than on its own.
    """

    parent: Array
    gain: Array


def dependence(bins: Array) -> Dependence:
    """The tree of largest mutual information of ordinary rows (n, d) of bins below `BINS`.

    Pairs are counted with a prior that columns are independent, worth ten rows. Source: Chow & Liu, "Approximating
    discrete probability distributions with dependence trees", 1968.
    """
    n, d = bins.shape
    single = np.stack([np.bincount(bins[:, at], minlength=BINS) + 0.5 for at in range(d)])
    single /= single.sum(axis=1, keepdims=True)
    gains, shared = np.zeros((d, d, BINS, BINS)), np.zeros((d, d))
    for a in range(d):
        for b in range(a):
            apart = np.outer(single[a], single[b])
            count = np.bincount(bins[:, a].astype(np.int64) * BINS + bins[:, b], minlength=BINS * BINS)
            joint = (count.reshape(BINS, BINS) + _PRIOR * apart) / (n + _PRIOR)
            gains[a, b] = np.log(joint / apart)
            gains[b, a] = gains[a, b].T
            shared[a, b] = shared[b, a] = np.sum(joint * gains[a, b])
    parent = _grown(shared)
    gain = gains[np.arange(d), parent]
    gain[parent == np.arange(d)] = 0.0
    return Dependence(parent=parent, gain=gain.astype(np.float32))


def together(tree: Dependence, bins: Array) -> Array:
    """How much likelier (n,) each row is under the tree than with independent columns, as a logarithm.

    >>> pairs = np.repeat(np.arange(2), 50)[:, None] * [1, 1]
    >>> together(dependence(pairs), np.array([[0, 0], [0, 1]])).round(1)
    array([ 0.8, -2.4], dtype=float32)
    """
    at = np.arange(bins.shape[1])
    return np.asarray(tree.gain[at, bins, bins[:, tree.parent]].sum(axis=1))


def _grown(shared: Array) -> Array:
    """Parents in the maximum spanning tree, grown from column 0 (Prim)."""
    d = len(shared)
    parent, best = np.zeros(d, dtype=np.int64), shared[0].copy()
    inside = np.zeros(d, dtype=bool)
    inside[0] = True
    for _ in range(d - 1):
        new = int(np.argmax(np.where(inside, -np.inf, best)))
        inside[new] = True
        better = ~inside & (shared[new] > best)
        parent[better], best[better] = new, shared[new][better]
    return parent
