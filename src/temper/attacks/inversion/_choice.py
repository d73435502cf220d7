"""Which of several attacks is reported: chosen on one half of the rows, measured on the other, and the other way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from temper.kernels.ranking import auc

Vector = np.ndarray[Any, Any]
_LEVEL, _FEWEST = 0.01, 500


def strongest(
    attacks: Mapping[str, Vector], member: Vector, rng: np.random.Generator
) -> tuple[Vector, tuple[str, ...]]:
    """Scores (n,) of the attack that each half of the rows chose for the other, and the names chosen.

    No row takes part in choosing its own attack, so nothing is flattered by the choice. Where the halves disagree their
    scores are put on one scale: the share of the half's own non-members below.
    """
    half = _halves(member, rng)
    chosen = tuple(max(attacks, key=lambda name: _strength(member[s], attacks[name][s])) for s in (half, ~half))
    if chosen[0] == chosen[1]:
        return attacks[chosen[0]], chosen[:1]
    score = np.empty(len(member))
    for name, side in zip(chosen, (~half, half), strict=True):
        score[side] = _share_below(member[side], attacks[name][side])
    return score, chosen


def _halves(member: Vector, rng: np.random.Generator) -> Vector:
    """A random half of the members and of the others."""
    order = rng.permutation(len(member))
    order = order[np.argsort(member[order], kind="stable")]
    half = np.zeros(len(member), dtype=bool)
    half[order[::2]] = True
    return half


def _strength(member: Vector, score: Vector) -> tuple[float, float]:
    """Members found at 1 % false positives, where enough others are there to say so; then the area."""
    others = np.sort(score[~member])
    found = 0.0
    if len(others) >= _FEWEST:
        found = float((score[member] > others[len(others) - int(_LEVEL * len(others)) - 1]).mean())
    return found, auc(member, score)


def _share_below(member: Vector, score: Vector) -> Vector:
    others = np.sort(score[~member])
    below = np.searchsorted(others, score, "left") + np.searchsorted(others, score, "right")
    return np.asarray(below / (2.0 * max(len(others), 1)))
