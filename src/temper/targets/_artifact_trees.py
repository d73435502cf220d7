"""The trees of a booster: every child is a node of its tree with one parent, every split reads a column there is.

Neither XGBoost nor LightGBM looks when it predicts: a child or a column from outside reads foreign memory and ends the
process, a circle never ends.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from temper.targets._unwrap import Refused

_NO_NODE = (-1, (1 << 31) - 1)
Ints = np.ndarray[Any, np.dtype[np.int64]]
Lists = dict[str, tuple[Ints, Ints]]  # by name: numbers of all trees, and how many each tree has
Floats = np.ndarray[Any, np.dtype[np.float64]]


def numbers(pieces: list[bytes], separator: bytes) -> tuple[Ints, Ints]:
    """Whole numbers of texts that list them, one behind the other, and how many each text has."""
    counts = np.array([piece.count(separator) + bool(piece) for piece in pieces], np.int64)
    text = separator.join(piece for piece in pieces if piece)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is no number ends the reading, and the count tells
        found = np.fromstring(text, np.int64, sep=separator.decode()) if text else np.zeros(0, np.int64)
    if len(found) != counts.sum():
        raise Refused("a list of its trees holds something else than whole numbers")
    return found, counts


def rooted(children: Ints, tree: Ints, nodes: Ints) -> None:
    """Refuse trees in which a walk from the root can leave the tree or come back.

    `children`: places of children of both sides within their tree; `tree`: the number of it; `nodes`: how many nodes
    each has. Where no node has two parents and the root has none, no walk from the root meets a circle.
    """
    # As numbers without a sign what is below the first place lies behind the last.
    if np.any(nodes < 1) or np.any((children - 1).view(np.uint64) >= (nodes - 1).view(np.uint64)[tree]):
        raise Refused("a child points outside its tree")
    places = (np.cumsum(nodes) - nodes)[tree] + children
    met = np.zeros(nodes.sum(), np.bool_)
    met[places] = True
    if np.count_nonzero(met) < len(places):
        raise Refused("a node of a tree has two parents, so a walk may go in a circle")


def within(values: Ints | Floats, end: int, what: str) -> None:
    """Refuse places outside 0 ... end - 1, and what is no number."""
    if not np.all((values >= 0) & (values < end)):
        raise Refused(f"{what} points outside")


def xgboost_trees(left: Ints, right: Ints, columns: Ints, parents: Ints, nodes: Ints, features: int) -> None:
    """Trees in arrays of nodes. A leaf has -1 on its left; on its right -1, or its number if it has outputs. The parent
    of a root is one of two numbers that are no node.
    """
    tree = np.repeat(np.arange(len(nodes)), nodes)
    ends = nodes[tree]
    outside = parents[(parents < 0) | (parents >= ends)]
    if np.any(right >= ends) or not np.isin(outside, _NO_NODE).all():
        raise Refused("a child points outside its tree")
    inner = np.flatnonzero(left != -1)
    tree = tree[inner]
    rooted(np.concatenate([left[inner], right[inner]]), np.concatenate([tree, tree]), nodes)
    within(columns[inner], features, "a split's column")


def category_sets(
    categories: tuple[Ints, Ints],
    nodes: tuple[Ints, Ints],
    starts: tuple[Ints, Ints],
    sizes: tuple[Ints, Ints],
    *,
    trees: int,
) -> None:
    """Every set of categories lies within what its tree lists; no tree lists any where XGBoost wrote none."""
    counts = [part[1] for part in (nodes, starts, sizes)]
    if not all(np.array_equal(counts[0], count) for count in counts) or len(counts[0]) != len(categories[1]):
        raise Refused("the arrays of its trees do not fit together")
    if len(counts[0]) not in (0, trees):
        raise Refused("the arrays of its trees do not fit together")
    there = np.repeat(categories[1], counts[0])
    if np.any((starts[0] < 0) | (sizes[0] < 0) | (sizes[0] > there) | (starts[0] > there - sizes[0])):
        raise Refused("a set of categories points outside")


def lightgbm_trees(left: Ints, right: Ints, columns: Ints, leaves: Ints, features: int) -> None:
    """Trees in arrays of splits; ~n stands for leaf n."""
    tree = np.repeat(np.arange(len(leaves)), leaves - 1)
    children, tree = np.concatenate([left, right]), np.concatenate([tree, tree])
    splits = leaves[tree] - 1
    if np.any(children >= splits) or np.any(~children >= leaves[tree]):
        raise Refused("a child points outside its tree")
    rooted(np.where(children < 0, splits + ~children, children), tree, 2 * leaves - 1)
    within(columns, features, "a split's column")
