"""Monitors that are attacked, from rows to what is said of a window: each test has what a peer got wrong as its reason.

The peers' defects were measured on their latest versions of 2026: one row decides, gaps are dropped, a fixed limit
does not know how many rows there are, and a row is judged by the others of its batch.
"""

from itertools import pairwise

import numpy as np
import pytest

from temper.core.schema import Column, Mutability, Schema
from temper.core.watch import Kind, Seen, Watch
from temper.detectors.input.ecod import PLUGIN as Ecod
from temper.monitoring.judged import judged
from temper.monitoring.kinds import explained
from temper.monitoring.reference import Reference, Window

SCHEMA = Schema(
    columns=(
        Column(name="amount", attacker=Mutability.FREE),
        Column(name="income"),
        Column(name="age"),
        Column(name="kind", type="category", categories=("a", "b", "c")),
    )
)
WATCH = Watch(feed="f", time="at")
N = 3_000


def rows(n, seed, age=0.0):
    rng = np.random.Generator(np.random.Philox(key=seed))
    return np.column_stack(
        [rng.lognormal(3.0, 1.0, n), rng.lognormal(8.0, 0.6, n), rng.normal(45 + age, 12, n), rng.integers(0, 3, n)]
    )


REFERENCE = Reference.fit(rows(8_000, 0), SCHEMA)


def said(x, known=REFERENCE):
    window = Window.of(known, x, np.arange(len(x)))
    return explained(judged(window, WATCH, 0.0, 1.0), window, SCHEMA, None)


def columns(one):
    return {alarm.column for alarm in one.alarms}


@pytest.mark.parametrize("wild", [1e6, -1e6, 1e30, np.inf, np.nan])
def test_one_planted_row_makes_no_alarm_and_hides_none(wild):
    """Evidently: a row of 1e6 in 100,000 raises the normalised Wasserstein distance from nothing to 4.65 (limit .1),
    and takes Jensen and Shannon's distance of a column that has moved from .069 to .0019.
    """
    same, moved = rows(N, 1), rows(N, 1)
    moved[:, 1] *= 1.5
    for x in (same, moved):
        x[0, :3] = wild
    assert said(same).seen is Seen.PASS
    assert "income" in columns(said(moved))


def test_two_fifths_of_a_column_gone_are_a_broken_pipeline():
    """Evidently drops missing values before it compares: 40 % of a column gone change nothing (its issue 187)."""
    x = rows(N, 2)
    x[np.random.Generator(np.random.Philox(key=3)).random(N) < 0.4, 2] = np.nan
    found = said(x)
    assert found.kind is Kind.PIPELINE
    assert any(text.startswith("age: 39%") and "missing" in text for text in found.why), found.why


def test_another_unit_of_half_as_much_again_is_an_alarm_of_that_column():
    """Evidently: equal bins of both samples give an index of .042 for lognormal values times 1.5, "no drift"."""
    x = rows(N, 4)
    x[:, 1] *= 1.5
    found = said(x)
    assert found.seen is Seen.FAIL
    assert columns(found) == {"income"} or columns(found) == {"income", ""}


def test_slow_poisoning_is_held_against_the_assessment_and_not_against_yesterday():
    """A fourteenth of a deviation each window, over many. Whoever compares with the window before, or with a reference
    that slides (NannyML's chunks, and detectors that forget), is never alarmed.
    """
    windows = [rows(N, 100 + at, age=0.85 * at) for at in range(0, 21, 4)]
    seen = [said(x) for x in windows]
    assert seen[0].seen is Seen.PASS
    first = next(at for at, one in enumerate(seen) if one.seen is Seen.FAIL)
    assert all(one.seen is Seen.FAIL and "age" in columns(one) for one in seen[first:])
    assert seen[-1].kind is Kind.NATURAL
    steps = [rows(N, 200 + at, age=0.85 * at) for at in range(3)]
    yesterday = [said(now, Reference.fit(before, SCHEMA)).seen for before, now in pairwise(steps)]
    assert Seen.FAIL not in yesterday


def test_a_row_cannot_hide_among_others_of_its_batch():
    """PyOD's ECOD and COPOD: one row scores 18.8 alone and 5.3 among 500 that are shifted (its issue 400)."""
    detector = Ecod()
    state = detector.fit(rows(2_000, 5), SCHEMA)
    strange = np.array([[9_000.0, 90_000.0, 99.0, 1.0]])
    crowd = np.concatenate([strange, rows(500, 6, age=50.0) * [50, 10, 1, 1]])
    alone, among = (detector.step(state, x)[1].values[0] for x in (strange, crowd))
    assert alone == among


@pytest.mark.parametrize(("known", "now"), [(1_001, 200), (2_000, 500)])
def test_no_number_of_rows_alarms_by_itself(known, now):
    """Evidently from 1,001 rows on: distances of at least .1 flag 11 to 16 of 30 columns at 1,001 and 200 rows."""
    alarms = 0
    for seed in range(5):
        x = rows(known + now, 300 + seed)
        alarms += said(x[known:], Reference.fit(x[:known], SCHEMA)).seen is Seen.FAIL
    assert alarms <= 2  # 1 in 800 at a rate of .05
