"""How many votes may change before a decision does."""

from __future__ import annotations

from typing import Any

import numpy as np

Rows = np.ndarray[Any, Any]


def held(votes: Rows, threshold: float | None) -> tuple[Rows, Rows]:
    """The decision of each vote (n,), and how many votes may change without changing it (n,).

    >>> decided, holds = held(np.array([[12, 3], [4, 11]]), 0.25)
    >>> decided.tolist(), holds.tolist()
    ([0, 1], [0, 7])
    """
    if threshold is None:
        return votes.argmax(axis=1), margin(votes)
    needed = int(np.ceil(threshold * votes[0].sum() - 1e-9))
    flagged = votes[:, 1] >= needed
    return flagged.astype(np.int64), np.where(flagged, votes[:, 1] - needed, needed - 1 - votes[:, 1])


def margin(votes: Rows) -> Rows:
    """How many members (n,) must change their vote before the winner can lose, less one: what no fewer can undo.

    Ties go to the smaller class number, as `argmax` decides them.
    Source: Levine & Feizi, "Deep partition aggregation: provable defenses against general poisoning attacks", 2021.

    >>> margin(np.array([[7, 2], [3, 6], [5, 5]]))
    array([2, 1, 0])
    """
    top = votes.argmax(axis=1)
    ahead = np.take_along_axis(votes, top[:, None], axis=1)
    later = np.arange(votes.shape[1]) > top[:, None]
    # A later class must get past the winner, an earlier one only level with it.
    room = (ahead - votes - (~later)) // 2
    room[np.arange(len(votes)), top] = np.iinfo(np.int64).max
    least: Rows = np.maximum(room.min(axis=1), 0)
    return least
