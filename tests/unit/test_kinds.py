"""What kind of change a window shows: planted twins of each kind, and monitors that are attacked themselves."""

from dataclasses import replace

import numpy as np
import pytest

from temper.core.schema import Column, Mutability, Schema
from temper.core.watch import Alarm, Kind, Seen, Watch, Watched
from temper.monitoring.judged import judged
from temper.monitoring.kinds import explained
from temper.monitoring.reference import Reference, Window
from temper.monitoring.security.bunching import Bunching
from temper.monitoring.security.movable import Movable
from temper.monitoring.security.trains import Trains

COSTLY = Mutability.COSTLY
SCHEMA = Schema(
    columns=(
        Column(name="amount", low=0.0, high=5_000.0, attacker=COSTLY),
        Column(name="hour", type="integer", low=0, high=23, attacker=COSTLY),
        Column(name="kind", type="category", categories=("a", "b", "c"), attacker=COSTLY),
        Column(name="limit", low=100.0, high=9_000.0),
        Column(name="age", low=18.0, high=99.0),
        Column(name="risk", low=0.0, high=1.0),
        Column(name="share", attacker=Mutability.DERIVED, formula="amount / limit"),
    ),
    relations=("amount <= limit",),
)
AT = {column.name: place for place, column in enumerate(SCHEMA.columns)}
THRESHOLD = 0.45
WATCH = Watch(feed="", time="at", score="score")
N = 3_000


def rows(n, seed=0, age=0.0, spend=1.0):
    """Payments; `risk` goes with age, and amounts with what an account may spend."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    limit = np.clip(rng.lognormal(7.0, 0.5, n), 100, 9_000)
    amount = np.minimum(limit * rng.beta(2, 8, n) * spend, limit)
    years = np.clip(rng.normal(45 + age, 12, n), 18, 99)
    risk = np.clip(0.02 * years - 0.5 + 0.15 * rng.normal(size=n), 0, 1)
    return np.column_stack([amount, rng.integers(0, 24, n), rng.integers(0, 3, n), limit, years, risk, amount / limit])


def scored(x):
    """With a score that rises with amounts, the hour and risk."""
    logit = 6.0 * x[:, 6] + 0.05 * x[:, 1] + 2.5 * x[:, 5] - 5.0
    return np.column_stack([x, 1.0 / (1.0 + np.exp(-np.clip(logit, -50, 50)))])


REFERENCE = Reference.fit(scored(rows(8_000, 1)), SCHEMA, ("score",), threshold=THRESHOLD)


def said(x, before=None, start=0.0, clients=None, at=None):
    n = len(x)
    at = np.arange(float(n)) if at is None else at
    window = Window.of(REFERENCE, x if x.shape[1] == 8 else scored(x), np.arange(n), at, clients)
    return explained(judged(window, WATCH, start, start + 1.0), window, SCHEMA, before)


def pushed(x, many):
    """Risky rows that pay less until they pass: what they may set moves, and what follows from it."""
    x = x.copy()
    found = np.flatnonzero(scored(x)[:, -1] >= THRESHOLD)[:many]
    for row in found:
        for share in np.linspace(1.0, 0.0, 400):
            x[row, 0] = share * x[row, 0]
            x[row, 6] = x[row, 0] / x[row, 3]
            if scored(x[row : row + 1])[0, -1] < THRESHOLD:
                break
    return x


def amount_in_cents(x):
    x[:, 0] *= 100
    x[:, 6] = x[:, 0] / x[:, 3]


def a_part_in_thousandths(x):
    x[::4, 3] *= 1_000


def gaps(x):
    x[::5, AT["age"]] = np.nan


def sentinels(x):
    x[::10, AT["limit"]] = -999.0


def stands_still(x):
    x[len(x) // 2 :, AT["risk"]] = x[0, AT["risk"]]


def swapped(x):
    x[:, [3, 4]] = x[:, [4, 3]]


def stale(x):
    x[:, AT["risk"]] = np.roll(x[:, AT["risk"]], 500)


def another_formula(x):
    x[:, AT["share"]] = np.sort(x[:, AT["share"]])


def spelled_otherwise(x):
    x[::3, AT["kind"]] = 3.0


@pytest.mark.parametrize(
    ("fault", "evidence"),
    [
        (amount_in_cents, "amount: its values are 100 times too large"),
        (a_part_in_thousandths, "limit: 2"),
        (gaps, "age: 20% more of its values are missing"),
        (sentinels, "limit: 12% of its values are -999.00"),
        (stands_still, "risk: "),
        (swapped, "limit and age stand in each other's column"),
        (stale, "age and risk belong together no more"),
        (another_formula, "share = amount / limit is broken"),
        (spelled_otherwise, "kind: 33% of its values are of kinds that were not there"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_broken_pipeline_is_told_with_its_column(fault, evidence):
    x = rows(N, 2)
    fault(x)
    found = said(x)
    assert found.kind is Kind.PIPELINE, found
    assert any(text.startswith(evidence) for text in found.why), found.why


def test_a_column_that_is_gone_is_a_broken_pipeline():
    window = Window.of(REFERENCE, scored(rows(N, 2)), np.arange(N))
    found = explained(judged(window, WATCH, 0.0, 1.0, ("column 'age' is gone",)), window, SCHEMA, None)
    assert (found.kind, found.why[0]) == (Kind.PIPELINE, "column 'age' is gone")


@pytest.mark.parametrize("change", [{"age": 8.0}, {"age": -8.0}])
def test_other_customers_are_natural(change):
    found = said(rows(N, 3, **change))
    assert found.kind is Kind.NATURAL, found
    assert "age" in found.why[0]
    assert "nothing crowds at the threshold" in found.why[0]


def test_scores_just_below_the_threshold_are_an_attack_though_no_column_moves():
    x = pushed(rows(N, 4), 90)
    found = said(x)
    assert found.kind is Kind.ATTACK, found
    assert found.why[0].startswith("scores crowd just below the threshold")
    assert {alarm.comparison for alarm in found.alarms} <= {"bunching", "persistent"}


def test_only_movable_columns_or_only_scores_are_unknown():
    found = said(rows(N, 5, spend=1.6))
    assert found.kind is Kind.UNKNOWN
    assert any("customers can do that, too" in text for text in found.why)
    other = scored(rows(N, 5))
    other[:, -1] **= 0.5
    assert said(other).why[-1] == "only scores have moved: was the model changed?"


def test_without_an_alarm_nothing_is_explained():
    found = said(rows(N, 6))
    assert (found.seen, found.kind, found.why, found.since) == (Seen.PASS, None, (), None)


def test_since_when_and_where():
    first = said(rows(N, 7, age=8.0), start=3.0)
    second = said(rows(N, 8, age=8.0), before=first, start=4.0)
    assert (first.since, second.since) == (3.0, 3.0)
    assert said(rows(N, 8, age=8.0), before=first, start=5.0).since == 5.0, "a window lies between"
    assert said(pushed(rows(N, 4), 90), before=first, start=4.0).since == 4.0, "another kind"
    x = rows(N, 9)
    x[:, AT["age"]] += np.where(x[:, AT["kind"]] == 1, 25.0, 0.0)
    assert "age moved where kind is b, and hardly elsewhere" in said(x).why


# -- signs of an attack ------------------------------------------------------------------------------------------------


def p_of(comparison, x, **more):
    return comparison.compare(Window.of(REFERENCE, x, np.arange(len(x)), **more)).p


@pytest.mark.parametrize("tilt", [-3.0, -1.0, 1.0, 3.0])
def test_risk_that_rises_or_falls_is_no_bunching(tilt):
    pool = scored(rows(20_000, 10))
    rng = np.random.Generator(np.random.Philox(key=1))
    weights = np.exp(tilt * pool[:, -1])
    for _ in range(20):
        x = pool[rng.choice(len(pool), N, p=weights / weights.sum())]
        assert p_of(Bunching(), x)[0] > 0.01


def test_bunching_is_rare_without_drift():
    pool = scored(rows(60_000, 11)).reshape(60, 1_000, 8)
    alarms = sum(p_of(Bunching(), x)[0] <= 0.1 for x in pool)
    assert alarms <= 12, f"{alarms} of 60"  # 1 in 100 at a rate of a tenth


def test_walks_are_found_and_orders_by_chance_are_not():
    rng = np.random.Generator(np.random.Philox(key=2))
    x = scored(rows(600, 12))
    trains = np.repeat(x[::10], 10, axis=0)  # sixty cases, each ten times
    trains[:, -1] = rng.uniform(size=600)
    clients, at = np.arange(600) // 10, np.arange(600.0)
    alarms = 0
    for turn in range(60):
        trains[:, -1] = np.random.Generator(np.random.Philox(key=turn)).uniform(size=600)
        alarms += p_of(Trains(), trains, at=at, clients=clients)[0] <= 0.1
    assert alarms <= 12, f"{alarms} of 60"
    trains[50:60, -1] = np.linspace(0.95, THRESHOLD, 10)
    assert p_of(Trains(), trains, at=at, clients=clients)[0] < 1e-4
    assert p_of(Trains(), trains, at=at)[0] < 1e-4, "cases are known by what nobody sets"
    assert p_of(Trains(), trains, at=at[::-1], clients=clients)[0] > 0.1, "away from the threshold"
    trains[50:60, AT["age"]] = np.arange(20.0, 30.0)
    assert p_of(Trains(), trains, at=at, clients=clients)[0] > 0.01, "ten cases are no train"


def test_a_probing_client_is_told():
    x = scored(rows(N, 13))
    x[100:130] = x[100]
    x[100:130, 0] = np.linspace(900, 300, 30)
    x[100:130, -1] = np.linspace(0.95, THRESHOLD + 0.001, 30)
    clients = np.arange(N)
    clients[100:130] = 7
    found = said(x, clients=clients)
    assert found.kind is Kind.ATTACK
    assert any("tried one case 30 times" in text for text in found.why)


def test_movable_columns_alone_and_with_others():
    assert p_of(Movable(), scored(rows(N, 14, spend=1.6)))[0] < 1e-6
    assert p_of(Movable(), scored(rows(N, 14, spend=1.6, age=8.0)))[0] == 1.0
    assert p_of(Movable(), scored(rows(N, 14)))[0] == 1.0


# -- monitors that are attacked ----------------------------------------------------------------------------------------


def test_one_planted_row_neither_raises_an_alarm_nor_changes_its_kind():
    wild = np.array([[5_000.0, 23, 2, 100.0, 99.0, 1.0, 50.0]])
    for row in (wild, np.full((1, 7), 1e30)):
        assert said(np.concatenate([rows(N - 1, 15), row])).kind is None
        assert said(np.concatenate([pushed(rows(N - 1, 4), 90), row])).kind is Kind.ATTACK


def test_hiding_in_volume_takes_many_times_the_rows():
    """A campaign of 150 is seen among seven times as many rows as well, one of 40 is within chance there."""
    many, few = (pushed(rows(N, 4), rows_) for rows_ in (150, 40))
    assert said(np.concatenate([rows(20_000, 16), many])).kind is Kind.ATTACK
    assert said(np.concatenate([rows(20_000, 16), few])).kind is None


def test_a_fault_that_an_attacker_plants_in_his_own_rows_does_not_name_the_window():
    """Half of the window is his, all at one amount and hour, so that it looks like a feed that stands still."""
    x = pushed(rows(N, 4), 90)
    x[: N // 2, AT["hour"]] = 3
    found = said(x)
    assert found.kind is Kind.ATTACK, found
    assert any("hour: " in text for text in found.why), "and it is told beside it"


def test_a_campaign_across_the_edge_of_two_windows_is_weaker_in_each():
    """Small enough it hides there; a window of another length, or one that lies otherwise, sees it."""
    x = rows(2 * N, 5)
    x[N - 500 : N + 500] = pushed(x[N - 500 : N + 500], 26)
    first, second, across = (p_of(Bunching(), scored(part))[0] for part in (x[:N], x[N:], x[N // 2 : N // 2 + N]))
    assert [said(part).kind for part in (x[:N], x[N // 2 : N // 2 + N])] == [None, Kind.ATTACK]
    assert across < min(first, second)


def test_what_is_not_caught():
    """Stated, so that nobody relies on it: few rows, rows far below the threshold, and poisoning that stays small."""
    assert said(pushed(rows(N, 4), 8)).kind is None
    far = rows(N, 4)
    stopped = scored(far)[:, -1] >= THRESHOLD
    far[stopped & (np.arange(N) < N // 2), 0] *= 0.01
    far[:, 6] = far[:, 0] / far[:, 3]
    assert said(far).kind is not Kind.ATTACK
    assert [said(rows(N, 20 + day, age=0.4 * day)).seen for day in range(3)] == [Seen.PASS] * 3
    assert said(rows(N, 24, age=8.0)).seen is Seen.FAIL, "held against the reference and not against yesterday"


def test_slow_poisoning_is_told_in_the_end():
    """A little more each day: every day is held against the assessment, so what adds up is seen."""
    days = [said(rows(N, 30 + day, age=1.0 * day)) for day in range(7)]
    assert days[0].seen is Seen.PASS
    assert days[-1].kind is Kind.NATURAL, "told as drift: nothing says that somebody means it"


def test_what_was_explained_is_kept(tmp_path):
    from temper.store.control import Control

    one = Watched(
        start=0.0, ends=1.0, rows=9, seen=Seen.FAIL, tests=3, needed=5, kind=Kind.ATTACK, why=("a", "b"), since=0.0,
        alarms=(Alarm(comparison="bunching", column="score", value=2.0, p=0.001),),
    )  # fmt: skip
    control = Control.open(str(tmp_path / "control.db"))
    try:
        control.windows.keep("f", "r", [one], 1.0)
        assert control.windows.page("f") == [one]
        assert control.windows.one("f", "r", 0.0, 1.0) == one
        assert control.windows.one("f", "r", 1.0, 1.0) is None
    finally:
        control.close()


def test_the_terminal_says_kind_why_and_since(capsys):
    from temper.report.watched import following, show

    one = replace(said(pushed(rows(N, 4), 90)), start=86_400.0, ends=172_800.0, since=0.0)
    show([one])
    shown = " ".join(capsys.readouterr().out.split())
    assert "attack-like since 1970-01-01: scores crowd just below" in shown
    assert "near the threshold" in following([one])
