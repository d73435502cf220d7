"""Which rows of a table are new beside an earlier one: by ids where these are stable, else by content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Data

Rows = np.ndarray[Any, Any]

_SHARED, _SAME = 0.5, 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableDiff:
    """Masks over the rows of the new table, and `removed` over those of the accepted one.

    `changed` rows have the id of an accepted row and other values, `relabelled` ones its values and another label; by
    content a changed row is an added one. `how` says in words what rows were matched by.
    """

    added: Rows
    changed: Rows
    relabelled: Rows
    removed: Rows
    how: str

    @property
    def new(self) -> Rows:
        """Mask of the rows that nobody has accepted as they are."""
        return np.asarray(self.added | self.changed | self.relabelled)


def table_diff(train: Data, accepted: Data) -> TableDiff:
    """Rows added, changed, relabelled and removed since the accepted table.

    Ids are stable where half of the accepted ones are still there and nine in ten of these hold the same values.

    >>> was = Data(x=np.array([[1.0], [2.0], [3.0]]), y=np.array([0, 0, 1]))
    >>> now = Data(x=np.array([[1.0], [2.0], [3.0], [9.0]]), y=np.array([0, 1, 1, 0]))
    >>> seen = table_diff(now, was)
    >>> seen.added.tolist(), seen.relabelled.tolist(), int(seen.removed.sum())
    ([False, False, False, True], [False, True, False, False], 0)
    """
    held, values = _codes(np.asarray(accepted.x), np.asarray(train.x))
    place = accepted.positions(train.ids)
    same = (place >= 0) & (held[place] == values)
    shared = int((place >= 0).sum())
    unique = all(len(np.unique(part.ids)) == len(part) for part in (train, accepted))
    if unique and shared >= _SHARED * len(accepted) and same.sum() >= _SAME * shared:
        return _by_ids(train, accepted, place, same)
    return _by_content(held, values, np.asarray(accepted.y), np.asarray(train.y))


def _by_ids(train: Data, accepted: Data, place: Rows, same: Rows) -> TableDiff:
    shared = place >= 0
    removed = np.ones(len(accepted), dtype=bool)
    removed[place[shared]] = False
    return TableDiff(
        added=~shared,
        changed=shared & ~same,
        relabelled=same & (np.asarray(accepted.y)[place] != np.asarray(train.y)),
        removed=removed,
        how=f"matched by ids: {same.sum() / shared.sum():.1%} of {shared.sum():,} shared ones hold the same values",
    )


def _by_content(held: Rows, values: Rows, was: Rows, now: Rows) -> TableDiff:
    """Equal rows are paired off first with their labels, then without."""
    labels = _numbered(was, now)
    width = 1 + max(int(part.max(initial=0)) for part in labels)
    left_old, left_new = _unpaired(held * width + labels[0], values * width + labels[1])
    rest_old, rest_new = _unpaired(held[left_old], values[left_new])
    added, removed = left_new.copy(), left_old.copy()
    added[left_new], removed[left_old] = rest_new, rest_old
    return TableDiff(
        added=added,
        changed=np.zeros(len(now), dtype=bool),
        relabelled=left_new & ~added,
        removed=removed,
        how="matched by content, as ids are not stable between the two tables",
    )


def repeated(x: Rows, y: Rows, new: Rows, odds: float, level: float) -> Rows:
    """Mask (n,) of new rows whose values, label included, are repeated far more often than accepted rows let expect.

    Binomial, Bonferroni over the different rows that are there more than once; a row is not suspicious while it is less
    than `odds` times as frequent among new rows as among accepted ones.
    """
    from scipy.stats import binom

    code, _ = _codes(np.column_stack([x, y]), np.zeros((0, x.shape[1] + 1)))
    ours, theirs = (np.bincount(code[mask], minlength=code.max() + 1) for mask in (new, ~new))
    tried = np.flatnonzero(ours > 1)
    natural = odds * new.sum() / (odds * new.sum() + (~new).sum())
    p = binom.sf(ours[tried] - 1, (ours + theirs)[tried], natural)
    return np.asarray(new & np.isin(code, tried[p * len(tried) <= level]))


def _codes(one: Rows, other: Rows) -> tuple[Rows, Rows]:
    """The same number for the same row in both tables; a missing value equals another."""
    flat = [np.asarray(part, dtype=np.float64) + 0.0 for part in (one, other)]
    both = np.concatenate([np.where(np.isnan(part), np.inf, part) for part in flat])
    words = np.ascontiguousarray(both).view(np.dtype((np.void, both.dtype.itemsize * both.shape[1]))).ravel()
    code = np.unique(words, return_inverse=True)[1].ravel()
    return code[: len(one)], code[len(one) :]


def _numbered(one: Rows, other: Rows) -> tuple[Rows, Rows]:
    code = np.unique(np.concatenate([one, other]), return_inverse=True)[1]
    return code[: len(one)], code[len(one) :]


def _unpaired(one: Rows, other: Rows) -> tuple[Rows, Rows]:
    """Masks of what is left of either when equal codes are paired off."""
    size = int(max(one.max(initial=0), other.max(initial=0))) + 1
    pairs = np.minimum(np.bincount(one, minlength=size), np.bincount(other, minlength=size))
    return _turn(one) >= pairs[one], _turn(other) >= pairs[other]


def _turn(code: Rows) -> Rows:
    """How many equal codes come before each."""
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    first = np.searchsorted(ordered, ordered, side="left")
    turn = np.empty(len(code), dtype=np.int64)
    turn[order] = np.arange(len(code)) - first
    return turn
