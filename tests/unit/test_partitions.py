"""What may be relied on when parts of the training rows vote: the proof is exact, a part hears its own rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Recipe
from temper.hardening.partitions import Partitions
from temper.kernels.vote import held, margin
from temper.targets.voted import Voted, partition
from temper.validation.partition_bound import PartitionBound
from unit.payload_world import Boosted, rows, schema


def fitted(data: Data, parts: int = 7) -> Any:
    return Partitions(parts=parts).apply(Boosted.fitted(data, n_estimators=10, max_depth=3), data, Draws(0, "p"))


@given(st.lists(st.integers(0, 6), min_size=2, max_size=4).filter(lambda v: sum(v) > 0))
def test_the_margin_is_the_most_votes_that_may_change(votes: list[int]) -> None:
    counted = np.array([votes])
    top, spare = int(counted.argmax()), int(margin(counted)[0])
    best_attack = min(
        next(k for k in range(sum(votes) + 2) if _loses(votes, top, other, k))
        for other in range(len(votes))
        if other != top
    )
    assert spare == best_attack - 1


def _loses(votes: list[int], top: int, other: int, changed: int) -> bool:
    """Whether the winner loses to `other` when `changed` of its own votes (then of others') go there."""
    moved = list(votes)
    taken = min(changed, moved[top])
    moved[top] -= taken
    moved[other] += taken + (changed - taken)
    return int(np.argmax(moved)) != top


@given(st.integers(0, 15), st.floats(0.05, 0.95))
def test_at_a_threshold_the_count_is_exact(flags: int, threshold: float) -> None:
    votes = np.array([[15 - flags, flags]])
    decided, holds = (int(part[0]) for part in held(votes, threshold))
    assert decided == (flags / 15 >= threshold - 1e-12)
    for changed in range(16):
        worst = max(flags - changed, 0) if decided else min(flags + changed, 15)
        still = (worst / 15 >= threshold - 1e-12) == bool(decided)
        assert still == (changed <= holds) or (changed > holds and worst in (0, 15))


def test_a_poisoned_row_reaches_one_voter_and_a_label_moves_no_row() -> None:
    data = rows(1_500, 0)
    clean = fitted(data)
    poisoned = Data(x=data.x, y=np.where(np.arange(1_500) == 3, 1 - data.y, data.y))
    again = fitted(poisoned)
    x = rows(400, 1).x
    differ = [not np.array_equal(a.scores(x), b.scores(x)) for a, b in zip(clean.members, again.members, strict=True)]
    assert sum(differ) <= 1
    assert differ[int(partition(data.x[3:4], 7)[0])] or sum(differ) == 0


def test_no_poison_of_the_proven_size_changes_a_decision() -> None:
    """Whole voters are handed to the poisoner: as many as the proof allows cannot turn the vote, one more can."""
    data = rows(1_500, 0)
    vote = fitted(data)
    x = rows(300, 1).x
    counted = vote.votes(x)
    top, spare = counted.argmax(axis=1), margin(counted)
    at = int(np.argmax(spare))
    row = x[at : at + 1]
    sides = [int(np.argmax(member.scores(row)[0])) for member in vote.members]
    mine = [number for number, side in enumerate(sides) if side == top[at]]
    for many, same in ((int(spare[at]), True), (int(spare[at]) + 1, False)):
        bought = set(mine[:many])
        members = tuple(
            _Always(1 - int(top[at])) if number in bought else member for number, member in enumerate(vote.members)
        )
        decided = int(Voted(members=members, thresholds=vote.thresholds, fit=vote.fit).votes(row).argmax())
        assert bool(decided == top[at]) is same


class _Always(Boosted):
    def __init__(self, answer: int) -> None:
        object.__setattr__(self, "answer", answer)

    def scores(self, x: Any) -> Any:
        return np.eye(2)[np.full(len(x), self.answer)]


def test_the_check_reports_the_proof_with_its_curve() -> None:
    data, others = rows(1_500, 0), rows(500, 1)
    scene = Scene(x=others.x, y=others.y, ids=others.ids, schema=schema(), target=fitted(data))
    (share,) = PartitionBound(rows=1).measure(scene)
    assert share.curve is not None
    values = [point.value for point in share.curve.points]
    assert values == sorted(values, reverse=True)
    assert share.value == values[1]
    assert share.low is not None
    assert share.low <= values[1]
    plain = Scene(x=others.x, y=others.y, ids=others.ids, schema=schema(), target=Boosted.fitted(data))
    assert "no vote" in PartitionBound().measure(plain)[0].reason


def test_whoever_refits_gets_a_vote_again() -> None:
    data = rows(1_500, 0)
    vote = fitted(data)
    assert isinstance(vote.refit(rows(1_500, 5), Recipe(seed=1)), Voted)


def test_too_many_parts_for_a_rare_class_are_refused() -> None:
    data = rows(60, 0)
    with pytest.raises(Unsupported, match="fewer parts"):
        fitted(data, parts=50)
