"""Histories that are rewritten: every column against brute force, scenarios against their words, and the whole task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.config.system import load_system
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import ConfigError, Unsupported
from temper.core.events import DAY, Aggregate, Events
from temper.core.measure import Measurement, Status
from temper.core.seed import Draws
from temper.core.system import Protected
from temper.core.target import Access, ScoreKind
from temper.engine.run_task import execute
from temper.engine.task import Part, Sizes, Task, World
from temper.kernels.windows import Timeline
from temper.stress.events._history import Cases
from temper.stress.events.burst import Burst
from temper.stress.events.dormant import Dormant
from temper.stress.events.holiday import Holiday
from temper.stress.events.new_merchant import NewMerchant
from temper.stress.events.split import Split
from temper.stress.events.travel import Travel
from temper.testing.scenario import NAMES, payments, schema

EVENTS = payments()
CASES = Cases(events=EVENTS, rows=np.arange(400, 460), schema=schema())
AT = {name: i for i, name in enumerate(NAMES)}


def after(scenario: Any, severity: int, cases: Cases = CASES) -> Any:
    return cases.features(scenario.apply(cases, severity, Draws(3, "t", cases.rows)))


# -- windows --------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9 * 24)), min_size=1, max_size=30),
    st.sampled_from([0.5, 1.0, 3.0]),
    st.sampled_from([0.0, 1.0, 2.5]),
    st.booleans(),
    st.booleans(),
)
def test_windows_equal_a_loop(found: list[tuple[int, int]], days: float, delay: float, own: bool, whole: bool) -> None:
    found.sort(key=lambda pair: pair[1])
    key, hour = (np.array(part) for part in zip(*found, strict=True))
    time, value = hour * 3600, np.arange(1.0, len(hour) + 1)
    line = Timeline.of(key, time)
    count, total = line.window(value, np.arange(len(key)), days, delay=delay, own=own, whole=whole)
    for i in range(len(key)):
        until = time[i] // DAY * DAY - delay * DAY - 1 if whole else time[i] - delay * DAY
        inside = [
            j
            for j in range(len(key))
            if key[j] == key[i] and until - days * DAY < time[j] <= until and (whole or delay or j <= i)
        ]
        inside = [j for j in inside if whole or delay or j != i] + [i] * own
        assert count[i] == len(inside)
        assert total[i] == pytest.approx(sum(value[j] for j in inside))


# -- histories ------------------------------------------------------------------------------------------------------


def test_an_untouched_history_gives_the_columns_that_the_whole_table_gives() -> None:
    mask = EVENTS.columns["customer"] == EVENTS.columns["customer"][430]
    recent = mask & (EVENTS.time <= EVENTS.time[430]) & (EVENTS.time > EVENTS.time[430] - 7 * DAY)
    recent[431:] = False
    assert EVENTS.x[430, AT["mean_7d"]] == pytest.approx(EVENTS.columns["amount"][recent].mean())
    assert set(CASES.agreement().values()) == {1.0}


def test_a_wrong_definition_is_told_apart() -> None:
    wrong = tuple(replace(a, days=3.0) if a.name == "paid_2d" else a for a in EVENTS.aggregates)
    agreement = replace(CASES, events=replace(EVENTS, aggregates=wrong)).agreement()
    assert agreement["paid_2d"] < 0.9
    assert agreement["seen_7d"] == 1.0


# -- scenarios ------------------------------------------------------------------------------------------------------


def test_after_silence_the_event_stands_alone() -> None:
    x = after(Dormant(), 2)  # seven days
    assert (x[:, AT["paid_2d"]] == 1).all()
    assert np.allclose(x[:, AT["mean_7d"]], x[:, AT["amount"]])
    assert np.allclose(x[:, AT["share"]], 1.0), "ratios follow the aggregates"
    assert (x[:, AT["seen_7d"]] <= EVENTS.x[CASES.rows, AT["seen_7d"]]).all(), "the shop misses these payments too"


def test_a_burst_adds_as_many_payments_as_it_says() -> None:
    x = after(Burst(), 3)
    assert (x[:, AT["paid_2d"]] == EVENTS.x[CASES.rows, AT["paid_2d"]] + 8).all()
    assert (x[:, AT["amount"]] == EVENTS.x[CASES.rows, AT["amount"]]).all(), "the judged payment is as it was"


def test_parts_add_up_to_the_payment() -> None:
    x = after(Split(), 3)
    before = EVENTS.x[CASES.rows]
    assert np.allclose(x[:, AT["amount"]] * 5, before[:, AT["amount"]])
    assert (x[:, AT["paid_2d"]] == before[:, AT["paid_2d"]] + 4).all()
    rows = before[:, AT["paid_2d"]] == 1  # the mean over the week holds these parts and what was there
    assert rows.any()
    assert (x[rows, AT["mean_7d"]] <= before[rows, AT["mean_7d"]] + 1e-9).mean() > 0.5


def test_a_new_merchant_has_no_past() -> None:
    x = after(NewMerchant(), 5)
    assert (x[:, AT["seen_7d"]] == 0).all()
    assert (x[:, AT["late_14d"]] == 0).all()
    assert (x[:, AT["amount"]] == EVENTS.x[CASES.rows, AT["amount"]]).all()


def test_far_away_is_far_and_the_payment_at_home_is_counted() -> None:
    x, plain = after(Travel(), 5), after(Travel(impossible=False), 5)
    assert x[:, AT["km"]].mean() > EVENTS.x[CASES.rows, AT["km"]].mean() + 20
    assert (x[:, AT["paid_2d"]] == plain[:, AT["paid_2d"]] + 1).all()
    without = replace(CASES, events=replace(EVENTS, distance=""))
    with pytest.raises(Unsupported, match="how far"):
        after(Travel(), 1, without)


def test_a_holiday_is_busier_and_dearer_with_severity() -> None:
    means = [after(Holiday(), severity).mean(axis=0) for severity in (1, 3, 5)]
    for name in ("paid_2d", "seen_7d", "amount"):
        assert means[0][AT[name]] < means[1][AT[name]] < means[2][AT[name]], name


# -- the task -------------------------------------------------------------------------------------------------------


class Flags:
    """Flags rows by a rule over the columns."""

    name, access, stochastic, digest, kind, classes = "flags", Access.SCORES, False, "f", ScoreKind.PROBABILITIES, 2

    def __init__(self, rule: Any) -> None:
        self.rule = rule

    def scores(self, x: Any) -> Any:
        one = self.rule({name: x[:, at] for name, at in AT.items()}) * 1.0
        return np.column_stack([1 - one, one])


LEANS: dict[str, Any] = {
    "burst": lambda row: row["paid_2d"] > 8,
    "dormant": lambda row: np.isclose(row["share"], 1.0) & (row["paid_2d"] == 1),
    "holiday": lambda row: row["seen_7d"] > 25,
    "new_merchant": lambda row: row["seen_7d"] < 8,
    "split": lambda row: row["amount"] < 4,
    "travel": lambda row: row["km"] > 60,
}


def found(rule: Any, events: Events | None = EVENTS, plugin: str = "events.burst") -> Part:
    n = len(EVENTS.time)
    system = Protected(
        name="payments", target=Flags(rule), data=Data(x=EVENTS.x, y=EVENTS.y), schema=schema(), threshold=0.5,
        events=events,
    )  # fmt: skip
    world = World(system=system, sizes=Sizes(attacked=40), seed=0, attacked=np.arange(0), held_out=np.arange(n))
    return execute(Task(room="stress", plugin=plugin, budget=Budget()), world)


@pytest.mark.parametrize("name", LEANS)
def test_a_model_that_leans_on_what_changes_refuses_honest_customers(name: str) -> None:
    part = found(LEANS[name], plugin=f"events.{name}")
    flips, detection = part.measurements
    assert flips.name == f"stress.events.{name}.flip_rate"
    assert flips.low is not None
    assert flips.curve is not None
    assert flips.low > 0.05, flips
    values = [point.value for point in flips.curve.points]
    assert values[0] == 0.0
    assert values[5] >= values[1]
    assert part.findings
    assert "honest customers are newly flagged" in part.findings[0].title
    assert detection.metric == "detection"
    assert detection.n
    assert "100.0 %" in detection.caveats[1]


@pytest.mark.parametrize("name", LEANS)
def test_a_model_that_does_not_look_is_left_alone(name: str) -> None:
    part = found(lambda row: row["amount"] > 1e9, plugin=f"events.{name}")
    assert part.measurements[0].value == 0.0
    assert not part.findings


def test_a_history_that_does_not_give_the_columns_is_refused() -> None:
    wrong = tuple(replace(a, days=3.0) if a.name == "paid_2d" else a for a in EVENTS.aggregates)
    part = found(LEANS["burst"], replace(EVENTS, aggregates=wrong))
    (lost,) = part.measurements
    assert lost.status is Status.ERROR
    assert "paid_2d on" in lost.reason
    assert lost.value is None


def test_without_a_history_nothing_is_said() -> None:
    (lost,) = found(LEANS["burst"], None).measurements
    assert isinstance(lost, Measurement)
    assert lost.status is Status.UNTRIED


# -- temper.yaml ----------------------------------------------------------------------------------------------------

YAML = """
system: {name: payments}
model: {callable: "model.py:scores", kind: probabilities, classes: 2, threshold: 0.5}
data: {test: history.csv, target: fraud, drop: [customer, shop, home, place], time: when, history: history.csv}
schema:
  columns: {COLUMNS}
stress:
  events:
    time: when
    entity: customer
    counterparty: shop
    amount: amount
    from: 15
    distance: km
    moves_with_counterparty: [place]
    formulas: {km: "abs(home - place)", share: "amount / mean_7d"}
    aggregates:
      paid_2d: {days: 2}
      mean_7d: {function: mean, of: amount, days: 7}
      seen_7d: {key: shop, days: 7, own: false, whole_days: true}
      late_14d: {key: shop, function: mean, of: fraud, days: 14, delay: 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import pandas as pd

    frame = pd.DataFrame({name: EVENTS.x[:, at] for name, at in AT.items()} | EVENTS.columns)
    frame["fraud"] = frame["fraud"].astype(int)
    frame["when"] = EVENTS.time / DAY
    frame.sample(frac=1, random_state=0).to_csv(tmp_path / "history.csv", index=False)
    (tmp_path / "model.py").write_text("import numpy as np\n\ndef scores(x):\n    return np.full((len(x), 2), 0.5)\n")
    columns = ", ".join(f"{name}: {{type: number}}" for name in NAMES)
    (tmp_path / "temper.yaml").write_text(YAML.replace("COLUMNS", columns))
    return tmp_path


def test_a_declared_history_is_read_in_order_of_time(folder: Path) -> None:
    system = load_system(folder / "temper.yaml", history=True)
    events = system.events
    assert events is not None
    assert (np.diff(events.time) >= 0).all()
    assert events.start == 15 * DAY
    assert system.data.time is not None
    cases = Cases(events=events, rows=events.judged, schema=system.schema)
    assert len(events.judged) > 50
    assert set(cases.agreement().values()) == {1.0}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("paid_2d: {days: 2}", "paid_2d: {dayz: 2}", "did you mean 'days'"),
        ("paid_2d: {days: 2}", "paid_2d: {days: 0}", "days must be above 0"),
        ("function: mean, of: amount", "function: mode, of: amount", "expected one of count, sum, mean"),
        ("function: mean, of: amount", "function: mean", "are `of` a column"),
        ("of: amount", "of: share", "itself computed from aggregates"),
        ("entity: customer", "entity: customr", "did you mean 'customer'"),
        ("key: shop, days: 7", "key: place, days: 7", "kept per 'place'"),
        ("distance: km", "distance: miles", "no formula computes the distance"),
        ("from: 15", "from: someday", "expected a date or a number of days"),
        ("history: history.csv", "history: no.csv", "does not exist"),
    ],
)
def test_mistakes_are_answered_with_their_line(folder: Path, old: str, new: str, said: str) -> None:
    path = folder / "temper.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=said) as caught:
        load_system(path, history=True)
    assert "temper.yaml:" in caught.value.message


def test_an_aggregate_is_refused_where_it_means_nothing() -> None:
    with pytest.raises(ConfigError, match="use one of"):
        Aggregate(name="a", key="k", function="median", days=1)
