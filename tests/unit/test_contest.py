"""Champion and challenger on the same rows: nobody is called better by looking often, and rows without labels decide
nothing.
"""

from dataclasses import replace

import numpy as np
import pytest

from temper.core.cost import CostMatrix
from temper.core.errors import ContractError
from temper.core.schema import Column, Schema
from temper.kernels.contest import Winner, contest
from temper.monitoring.challenger import challenged, said
from temper.monitoring.labels import NOT_KNOWN, Cohort

RUNS, LOOKS = 40, (50, 100, 200, 400, 800)


def wrong(rng, rate, n):
    return (rng.random(n) < rate).astype(float)


def looks(rng, first, second):
    n = LOOKS[-1]
    old, new = wrong(rng, first, n), wrong(rng, second, n)
    return [contest(old[:at], new[:at]).winner for at in LOOKS]


def test_of_two_alike_nobody_is_called_better_although_one_looks_five_times():
    rng = np.random.default_rng(0)
    fooled = sum(any(one is not Winner.NOBODY for one in looks(rng, 0.1, 0.1)) for _ in range(RUNS))
    assert fooled / RUNS <= 0.05, f"{fooled} of {RUNS}"


def test_the_better_one_is_found_and_never_the_worse():
    rng = np.random.default_rng(1)
    found = [looks(rng, 0.15, 0.05)[-1] for _ in range(20)]
    assert Winner.CHAMPION not in found
    assert found.count(Winner.CHALLENGER) >= 18
    assert contest(np.ones(50), np.zeros(50)).winner is Winner.CHALLENGER
    assert contest(np.zeros(50), np.ones(50)).winner is Winner.CHAMPION


def test_the_rows_still_needed_decide_it():
    rng = np.random.default_rng(2)
    old, new = wrong(rng, 0.12, 300), wrong(rng, 0.08, 300)
    early = contest(old, new)
    assert (early.winner, early.n) == (Winner.NOBODY, 300)
    times = -(-early.needed // 300)
    assert contest(np.tile(old, times), np.tile(new, times)).winner is Winner.CHALLENGER
    assert contest(np.tile(old, times // 2), np.tile(new, times // 2)).winner is Winner.NOBODY


def test_rows_of_which_only_the_difference_is_known_count_against_either():
    old, new = np.repeat([1.0, 0.0], [60, 940]), np.zeros(1_000)
    assert contest(old, new).winner is Winner.CHALLENGER
    open_ = contest(old, new, unknown=80)
    assert (open_.winner, open_.n, open_.needed) == (Winner.NOBODY, 1_080, None)
    assert contest(old, new, unknown=10).winner is Winner.CHALLENGER


def test_equal_losses_and_no_rows_decide_nothing():
    same = contest(np.repeat([1.0, 0.0], 50), np.repeat([1.0, 0.0], 50))
    assert (same.winner, same.needed) == (Winner.NOBODY, None)
    assert same.mean == pytest.approx(0.0, abs=1e-7)
    none = contest([], [])
    assert (none.winner, none.n, none.low, none.high, none.needed) == (Winner.NOBODY, 0, -1.0, 1.0, None)
    with pytest.raises(ContractError, match="same rows"):
        contest([0.0], [0.0, 1.0])


# -- models on rows of a feed ----------------------------------------------------------------------------------------


class Model:
    """Flags a row whose first column is above an edge."""

    def __init__(self, edge):
        self.edge = edge

    def scores(self, x):
        one = (x[:, 0] > self.edge).astype(float)
        return np.column_stack([1.0 - one, one])


def cohort(n=2_000, cost=None):
    x = np.random.default_rng(3).random((n, 1)) * 100.0
    return Cohort(
        ids=np.arange(n),
        x=x,
        score=np.zeros(n),
        flagged=np.zeros(n, dtype=bool),
        at=np.zeros(n),
        y=(x[:, 0] > 50.0).astype(np.int64),
        schema=Schema(columns=(Column(name="amount"),)),
        cost=cost,
    )


def test_who_decides_more_rows_rightly_is_better():
    found = challenged(cohort(), Model(70.0), Model(55.0), 0.5)
    assert found.winner is Winner.CHALLENGER
    assert "2,000 rows: CHALLENGER BETTER" in said(found, cost=False)
    assert challenged(cohort(), Model(55.0), Model(70.0), 0.5).winner is Winner.CHAMPION


def test_rows_on_which_both_decide_alike_need_no_label():
    rows = cohort()
    alike = (rows.x[:, 0] > 70.0) | (rows.x[:, 0] <= 55.0)
    silent = replace(rows, y=np.where(alike, NOT_KNOWN, rows.y))
    whole, part = (challenged(one, Model(70.0), Model(55.0), 0.5) for one in (rows, silent))
    assert part == whole
    blind = replace(rows, y=np.where(alike, rows.y, NOT_KNOWN))
    assert challenged(blind, Model(70.0), Model(55.0), 0.5).winner is Winner.NOBODY


def test_costs_decide_where_they_are_stated():
    """More decisions are wrong, and all of them are cheap."""
    lax, strict = Model(52.0), Model(44.0)
    assert challenged(cohort(), lax, strict, 0.5).winner is Winner.CHAMPION
    dear = cohort(cost=CostMatrix(false_negative=100.0, false_positive=1.0))
    found = challenged(dear, lax, strict, 0.5)
    assert found.winner is Winner.CHALLENGER
    assert "what a row costs" in said(found, cost=True)


def test_an_undecided_trial_says_how_many_rows_more():
    told = said(challenged(cohort(200), Model(53.0), Model(51.0), 0.5), cost=False)
    assert "UNDECIDED; about" in told
    assert "more rows would decide" in told
    assert "not known" in said(challenged(cohort(0), Model(53.0), Model(51.0), 0.5), cost=False)
