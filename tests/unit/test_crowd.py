"""Small campaigns gather evidence over windows; without one, evidence passes its limit as seldom as it promises."""

import numpy as np
import pytest

from temper.core.schema import Column, Mutability, Schema
from temper.core.watch import PERSISTENT, Kind, Seen, Watch
from temper.monitoring.crowd import gathered, near, persistent
from temper.monitoring.judged import judged
from temper.monitoring.kinds import explained
from temper.monitoring.reference import Reference, Window
from temper.monitoring.security.bunching import Bunching
from temper.store.control import Control

SCHEMA = Schema(columns=(Column(name="amount", attacker=Mutability.FREE), Column(name="age")))
THRESHOLD = 0.5
WATCH = Watch(feed="f", time="at", score="score")


def rows(n, seed, tilt=0.0):
    """Scores of which one in fifty is stopped; `tilt` draws riskier or safer ones."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    score = rng.beta(0.6 + tilt, 4.0, 3 * n)
    return np.column_stack([rng.normal(size=(n, 2)), score[:n]])


REFERENCE = Reference.fit(rows(10_000, 0), SCHEMA, ("score",), threshold=THRESHOLD)


def pushed(x, many, seed=0):
    """So many rows a little below the threshold."""
    x = x.copy()
    at = np.random.Generator(np.random.Philox(key=[seed, 1])).choice(len(x), many, replace=False)
    x[at, -1] = THRESHOLD - np.random.Generator(np.random.Philox(key=[seed, 2])).exponential(0.02, many)
    return x


def window(x):
    return Window.of(REFERENCE, x, np.arange(len(x)))


def day(at, x, before=None):
    one = window(x)
    return explained(judged(one, WATCH, float(at), at + 1.0, before=before), one, SCHEMA, before)


def test_a_campaign_within_chance_in_every_window_is_found_over_many():
    before, told = None, []
    for at in range(12):
        alone = day(at, pushed(rows(2_000, 100 + at), 16, at))
        before = day(at, pushed(rows(2_000, 100 + at), 16, at), before)
        told.append((alone.kind, before.kind, [alarm.comparison for alarm in before.alarms]))
    assert sum(kind is Kind.ATTACK for kind, _, _ in told) <= 1, told
    found = [at for at, (_, kind, names) in enumerate(told) if kind is Kind.ATTACK and PERSISTENT in names]
    assert found, told


def test_evidence_begins_anew_once_it_was_told():
    before = day(0, rows(2_000, 3))
    for at in range(1, 30):
        before = day(at, pushed(rows(2_000, 100 + at), 30, at), before)
        if any(alarm.comparison == PERSISTENT for alarm in before.alarms):
            break
    assert before.kind is Kind.ATTACK
    assert before.gathered == ()
    assert before.why[0].startswith("scores crowd just below the threshold")


@pytest.mark.parametrize("tilt", [0.0, -0.3, 0.4])
def test_evidence_does_not_grow_without_a_campaign(tilt):
    """Also where customers become riskier or safer, and back, from window to window: the limit is one in 240."""
    passed, windows = 0, 0
    for seed in range(6):
        evidence = ()
        for at in range(40):
            evidence = gathered(window(rows(1_000, [seed, at], tilt if at % 2 else 0.0)), evidence)
            windows += 1
            if persistent(evidence, REFERENCE).p[0] <= 1 / 60:
                passed, evidence = passed + 1, ()
    assert passed <= 10, f"{passed} of {windows}"  # at most 4 on average: 1 in 400 has more than 10


def test_small_windows_gather_as_a_large_one_does():
    """What counts is how many rows there were, whoever cut them."""
    x = pushed(rows(4_000, 7), 120)
    evidence = ()
    for part in np.array_split(x, 8):
        evidence = gathered(window(part), evidence)
    assert persistent(evidence, REFERENCE).p[0] < 1 / 240
    assert gathered(window(x[:0]), evidence) == evidence, "a window without rows says nothing"


def test_one_planted_row_is_no_evidence():
    """Peers of a fixed limit on scores are switched by one row of a hundred thousand; here it is one bet of many."""
    x = rows(2_000, 9)
    usual = persistent(gathered(window(x), ()), REFERENCE).values[0]
    x[0, -1] = np.nextafter(np.float32(THRESHOLD), np.float32(0))
    assert persistent(gathered(window(x), ()), REFERENCE).values[0] < 6.0 * max(usual, 1.0)
    x[0, -1] = 1e30
    assert persistent(gathered(window(x), ()), REFERENCE).values[0] <= 6.0 * max(usual, 1.0)


def bunched(x, reference):
    """p that no more scores crowd below the threshold than the reference promises."""
    return Bunching().compare(Window.of(reference, x, np.arange(len(x)))).p[0]


def test_rows_of_a_campaign_in_the_reference_hide_one_only_if_their_share_is_as_large():
    """Poisoned before it is made, a reference promises the band that the campaign needs; nothing here sees that."""
    campaign = pushed(rows(2_000, 11), 60)
    found = [
        bunched(campaign, Reference.fit(pushed(rows(10_000, 0), many), SCHEMA, ("score",), threshold=THRESHOLD))
        for many in (0, 30, 300)
    ]
    assert max(found[:2]) < 1e-3
    assert found[2] > 0.05


def test_a_campaign_is_hidden_by_as_many_rows_that_are_stopped_and_not_by_a_few():
    """The band is held against what lies above the threshold, too. Whoever lets both grow is no bunching any more."""
    campaign = pushed(rows(2_000, 12), 60)
    free = np.flatnonzero(campaign[:, -1] < 0.3)
    found = []
    for stopped in (0, 10, 150):
        x = campaign.copy()
        x[free[:stopped], -1] = THRESHOLD + 0.001
        found.append(bunched(x, REFERENCE))
    assert max(found[:2]) < 1e-3
    assert found[2] > 0.05


def test_without_a_threshold_or_rows_above_it_there_is_no_evidence():
    plain = Reference.fit(rows(500, 1), SCHEMA, ("score",))
    assert list(near(Window.of(plain, rows(50, 2), np.arange(50)))) == []
    assert persistent((), plain).p.shape == (0,)
    low = Reference.fit(rows(500, 1) * [1, 1, 0.1], SCHEMA, ("score",), threshold=0.9)
    assert gathered(Window.of(low, rows(50, 2), np.arange(50)), ()) == ()


def test_evidence_is_kept_and_read(tmp_path):
    one = day(0, rows(2_000, 3))
    assert one.seen is not Seen.FAIL
    control = Control.open(str(tmp_path / "control.db"))
    try:
        control.windows.keep("f", "r", [one], 1.0)
        assert control.windows.one("f", "r", 0.0, 1.0).gathered == one.gathered
        assert len(one.gathered) > 0
    finally:
        control.close()
