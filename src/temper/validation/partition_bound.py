"""How many training rows a poisoner would have to reach before a vote can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.measure import Better, Curve, Measurement, Point
from temper.kernels.rate import wilson
from temper.kernels.vote import held
from temper.targets.voted import Voted
from temper.validation._measured import not_applicable

NAME = "partition_bound"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionBound:
    """The share of held-out rows decided rightly whatever a poisoner does to at most `rows` training rows, proven.

    For a target that votes over disjoint parts of its training rows (`hardening.partitions`). Misleads where a row is
    counted by its money: the proof counts rows added, removed or relabelled, one voter each, and takes the voters'
    thresholds and the threshold of the vote as given. It says nothing about changed inputs.
    Source: Levine & Feizi, "Deep partition aggregation: provable defenses against general poisoning attacks", 2021.

    >>> PartitionBound(rows=3).rows
    3
    """

    rows: int = 1

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`certified_share` at `rows`, with its curve over the number of poisoned rows."""
        target = scene.target
        if not isinstance(target, Voted):
            return not_applicable(NAME, "the model is no vote over parts of its training rows")
        if not len(scene.x):
            return not_applicable(NAME, "there is no row to prove anything about")
        votes = target.votes(scene.x)
        decided, holds = held(votes, scene.threshold)
        right = decided == np.asarray(scene.y)
        points = [_point(right & (holds >= at), at) for at in range(len(target.members) // 2 + 1)]
        count = int(np.sum(right & (holds >= self.rows)))
        low, high = wilson(count, len(right))
        return (
            Measurement(
                plugin=NAME,
                metric="certified_share",
                value=count / len(right),
                low=low,
                high=high,
                n=len(right),
                count=count,
                better=Better.HIGHER,
                method="margin of the vote; Wilson over rows",
                baseline=(("right without poison", points[0].value), ("median rows", float(np.median(holds)))),
                caveats=(
                    f"at most {self.rows} training rows added, removed or relabelled, of {len(target.members)} parts",
                ),
                curve=Curve(name="certified share", axis="poisoned training rows", unit="", points=tuple(points)),
            ),
        )


def _point(held: Any, at: int) -> Point:
    low, high = wilson(int(held.sum()), len(held))
    return Point(at=float(at), value=float(held.mean()), low=low, high=high, n=len(held))


PLUGIN = PartitionBound
