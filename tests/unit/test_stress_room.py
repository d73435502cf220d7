"""The stress room: curves, the worst column, and models that stop working."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from temper.core.cost import CostMatrix
from temper.core.data import Data
from temper.core.errors import ConfigError
from temper.core.measure import Measurement, Status
from temper.core.requirement import Policy, Requirement, Verdict, Waiver
from temper.core.schema import Column, Schema
from temper.core.system import Protected
from temper.core.target import Access, ScoreKind
from temper.engine.rooms.stress import run
from temper.engine.run_task import conclude
from temper.engine.task import Part, Sizes, Task, World
from temper.kernels.rate import clopper_pearson
from temper.kernels.weighted import auc_drop
from temper.stress._drop import Yardstick
from temper.stress.unit_error import UnitError
from temper.validation.gate import judge

SIZES = Sizes(replicates=200)


class Toy:
    """A target from a function of the matrix."""

    name, access, stochastic, digest = "toy", Access.SCORES, False, "d"

    def __init__(self, score: Any, kind: ScoreKind = ScoreKind.MARGIN, classes: int = 2) -> None:
        self.score, self.kind, self.classes, self.calls = score, kind, classes, 0

    def scores(self, x: Any) -> Any:
        self.calls += 1
        return self.score(x)

    def gradient(self, x: Any, cotangent: Any) -> Any:
        raise NotImplementedError

    def refit(self, data: Data, recipe: Any) -> Any:
        raise NotImplementedError


def margin(*weights: float) -> Any:
    """A linear score that reads an empty value as zero."""
    return lambda x: np.nan_to_num(x) @ np.array([weights]).T


def world(target: Toy, n: int = 1500, columns: tuple[Column, ...] | None = None, y: Any = None) -> World:
    rng = np.random.default_rng(3)
    columns = columns or tuple(Column(name=name) for name in ("strong", "weak", "idle"))
    x = rng.normal(size=(n, len(columns)))
    truth = (3 * x[:, 0] + x[:, 1] + rng.logistic(size=n) > 0).astype(int) if y is None else y(x)
    system = Protected(
        name="toy",
        target=target,
        data=Data(x=x, y=truth),
        schema=Schema(columns=columns),
        threshold=0.0,  # type: ignore[arg-type]
    )
    rows = np.arange(n)
    return World(system=system, sizes=SIZES, seed=0, attacked=rows[:5], held_out=rows)


def task(plugin: str = "missing", **options: Any) -> Task:
    return Task(room="stress", plugin=plugin, options=tuple(options.items()), sizes=SIZES)


def find(part: Part, metric: str) -> Measurement:
    return next(m for m in part.measurements if m.metric == metric)


def test_a_model_that_leans_on_one_column_has_it_named_as_the_worst() -> None:
    part = run(task(), world(Toy(margin(3.0, 1.0, 0.0))))
    worst = find(part, "worst_column_loss")
    assert worst.slice == "column:strong"
    assert worst.low is not None
    assert worst.low > 0.02
    assert "worst column strong" in part.findings[0].title
    assert part.findings[0].id == run(task(), world(Toy(margin(3.0, 1.0, 0.0)))).findings[0].id


def test_loss_states_interval_baseline_and_a_curve_over_all_severities() -> None:
    loss = find(run(task(), world(Toy(margin(3.0, 1.0, 0.0)))), "loss")
    assert loss.name == "stress.missing.loss"
    assert loss.low is not None
    assert loss.high is not None
    assert loss.value is not None
    assert 0 < loss.low < loss.value < loss.high
    assert loss.curve is not None
    assert [point.at for point in loss.curve.points] == [0, 1, 2, 3, 4, 5]
    assert loss.curve.points[0].value == 0
    assert loss.curve.points[3].value == pytest.approx(loss.value)
    assert all(point.low <= point.value <= point.high for point in loss.curve.points)
    assert dict(loss.baseline)["clean AUC"] > 0.9


def test_a_model_that_ignores_every_column_loses_nothing() -> None:
    part = run(task("noise"), world(Toy(lambda x: np.arange(len(x), dtype=float)[:, None] * 0 + 0.5)))
    loss, flips = find(part, "loss"), find(part, "flip_rate")
    assert (loss.value, loss.low, loss.high) == (0.0, 0.0, 0.0)
    assert flips.count == 0
    assert find(part, "first_severity").value is None
    assert part.findings == ()


def test_flip_rate_counts_changed_decisions_at_the_threshold() -> None:
    part = run(task("unit_error", factors=(1.0, 1.0, -1.0, 1.0, 1.0)), world(Toy(margin(1.0, 0.0, 0.0))))
    flips = find(part, "flip_rate")
    # A third of 5 % of the rows get the wrong sign in the one column that decides.
    assert flips.value == pytest.approx(0.05 / 3, abs=0.01)
    assert flips.count == round(flips.value * flips.n)


def test_a_model_that_raises_on_empty_values_is_an_error_and_a_finding() -> None:
    def picky(x: Any) -> Any:
        if np.isnan(x).any():
            raise ValueError("Input X contains NaN")
        return x[:, :1]

    part = run(task(), world(Toy(picky)))
    assert {m.status for m in part.measurements} == {Status.ERROR}
    assert find(part, "loss").reason == "at severity 1: the model raised ValueError: Input X contains NaN"
    assert find(part, "flip_rate").value is None
    assert part.findings[0].severity == "high"


def test_scores_that_are_nan_are_an_error_and_a_finding() -> None:
    part = run(task(), world(Toy(lambda x: x[:, :1])))
    assert "rows got no finite score" in find(part, "loss").reason
    assert part.findings


def test_a_stressor_without_columns_to_work_on_is_untried_with_its_reason() -> None:
    part = run(task("category_unseen"), world(Toy(margin(1.0, 0.0, 0.0))))
    assert part.status is Status.UNTRIED
    assert [m.metric for m in part.measurements] == ["not_applicable"]
    assert part.reason == "there is no category column"


def test_rows_of_one_class_are_inconclusive_not_a_crash() -> None:
    part = run(task(), world(Toy(margin(1.0, 0.0, 0.0)), y=lambda x: np.zeros(len(x), dtype=int)))
    assert find(part, "loss").status is Status.INCONCLUSIVE


def test_severities_share_calls_to_the_target() -> None:
    target = Toy(margin(3.0, 1.0, 0.0))
    run(task(), world(target))
    assert target.calls <= 4


def test_the_same_task_gives_the_same_figures() -> None:
    parts = [run(task("noise"), world(Toy(margin(3.0, 1.0, 0.0)))) for _ in range(2)]
    assert parts[0].measurements == parts[1].measurements


def test_more_than_two_classes_are_judged_by_accuracy() -> None:
    columns = tuple(Column(name=name) for name in "abc")
    target = Toy(lambda x: np.nan_to_num(x), ScoreKind.LOGITS, 3)
    part = run(task(), world(target, columns=columns, y=lambda x: x.argmax(axis=1)))
    loss = find(part, "loss")
    assert loss.unit == "drop in accuracy"
    assert dict(loss.baseline)["clean accuracy"] == 1.0
    assert loss.low is not None
    assert loss.low > 0


def test_values_are_judged_by_r2_and_have_no_flips() -> None:
    target = Toy(margin(3.0, 1.0, 0.0), ScoreKind.VALUE, 1)
    part = run(task("noise"), world(target, y=lambda x: x @ np.array([3.0, 1.0, 0.0])))
    loss = find(part, "loss")
    assert loss.unit == "drop in R2"
    assert loss.value == pytest.approx(0.01, abs=0.004)  # noise of 0.1 on unit columns
    assert not [m for m in part.measurements if m.metric == "flip_rate"]


def test_closed_form_and_bootstrap_intervals_agree() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(1200) < 0.2).astype(int)
    clean = rng.normal(size=1200) + 1.5 * y
    stressed = clean + rng.normal(size=1200)
    yard = Yardstick.of(ScoreKind.MARGIN, 2)
    quick = yard.drop(y, clean[:, None], stressed[:, None])
    slow = yard.bootstrap(y, clean[:, None], stressed[:, None], rng, 1000, 0.95)
    assert quick.value == pytest.approx(slow.value, abs=1e-12)
    assert quick.low == pytest.approx(slow.low, abs=0.006)
    assert quick.high == pytest.approx(slow.high, abs=0.006)


def test_delong_interval_covers_a_true_drop_of_nothing() -> None:
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        y = np.arange(200) % 4 == 0
        shared = rng.normal(size=200) + y
        drop, error = auc_drop(y, shared + rng.normal(size=200), shared + rng.normal(size=200))
        covered += abs(drop) <= 1.96 * error
    assert 0.92 <= covered / 400 <= 0.98


def told(part: Part, policy: Policy, given: World) -> dict[str, Measurement]:
    given = replace(given, system=replace(given.system, policy=policy))
    measured, _ = conclude(task(), [part], given)
    return {m.slice: m for m in measured if m.metric == "breaking_severity"}


def limit(name: str, metric: str, at_most: float) -> Requirement:
    return Requirement(id=name, metric=metric, at_most=at_most)


def test_the_first_severity_that_breaks_a_requirement_is_told_by_the_verdicts_own_arithmetic() -> None:
    given = world(Toy(margin(3.0, 1.0, 0.0)))
    part = run(task(), given)
    loss = find(part, "loss")
    assert loss.curve is not None
    lows = [point.low for point in loss.curve.points]
    between = (lows[4] + lows[5]) / 2
    passed = [point.high <= between for point in loss.curve.points]
    rules = (limit("strict", "stress.*.loss", between), limit("loose", "stress.missing.loss", 0.9))
    policy = Policy(name="p", requirements=(*rules, limit("flips", "stress.*.flip_rate", 1e-4)))
    found = told(part, policy, given)
    assert found["strict: loss"].value == passed.index(False)
    assert found["strict: loss"].caveats == ("fails at severity 5",)
    assert "loose: loss" not in found
    flips = find(part, "flip_rate").curve
    assert flips is not None
    exact = [clopper_pearson(round(p.value * p.n), p.n, 0.95, "lower")[0] for p in flips.points]
    fails = next(at for at, low in enumerate(exact) if low > 1e-4)
    assert found["flips: flip_rate"].caveats == (f"fails at severity {fails}",)
    assert found["flips: flip_rate"].value == 0  # none of 1,500 is not sure to be under 1 in 10,000


def test_at_the_severity_of_requirements_the_told_verdict_is_the_runs_own() -> None:
    given = world(Toy(margin(3.0, 1.0, 0.0)))
    part = run(task(), given)
    low = find(part, "loss").low
    assert low is not None
    for at_most, verdict in ((low - 1e-6, Verdict.FAIL), (low + 1e-6, Verdict.INCONCLUSIVE)):
        policy = Policy(name="p", requirements=(limit("r", "stress.missing.loss", at_most),))
        assert judge(policy, part.measurements, date(2026, 1, 31))[0].verdict is verdict
        told_so = told(part, policy, given)["r: loss"].caveats[0]
        assert (told_so == "fails at severity 3") is (verdict is Verdict.FAIL)


def test_a_waiver_hides_no_breaking_severity() -> None:
    given = world(Toy(margin(3.0, 1.0, 0.0)))
    waived = replace(limit("r", "stress.*.loss", 1e-6), waiver=Waiver(by="me", reason="known", until=date(2999, 1, 1)))
    found = told(run(task(), given), Policy(name="p", requirements=(waived,)), given)
    assert found["r: loss"].value is not None


def test_money_lost_is_counted_row_by_row_against_the_clean_cost() -> None:
    given = world(Toy(margin(3.0, 1.0, 0.0)))
    matrix = CostMatrix(false_negative=100.0, false_positive=7.0)
    priced = replace(given, system=replace(given.system, cost=matrix))
    stressor = task("unit_error", factors=(1.0, 1.0, -1.0, 1.0, 1.0), shares=(1.0,) * 5)
    figure = find(run(stressor, priced), "cost")
    draws = given.rng(stressor, given.system.data.ids)
    x, y = given.system.data.x, given.system.data.y
    wrong = UnitError(factors=(-1.0,) * 5, shares=(1.0,) * 5).apply(x, 3, draws)
    cost = [matrix.per_row(y, given.target.scores(at)[:, 0] >= 0).mean() * 1000 for at in (x, wrong)]
    assert figure.value == pytest.approx(cost[1] - cost[0])
    assert dict(figure.baseline)["clean cost per 1,000 rows"] == pytest.approx(cost[0])
    assert figure.low is not None
    assert figure.high is not None
    assert 0 < figure.low < figure.value < figure.high
    assert figure.curve is not None
    assert [point.at for point in figure.curve.points] == [0, 1, 2, 3, 4, 5]
    assert figure.curve.points[1].value == 0.0
    assert not [m for m in run(stressor, given).measurements if m.metric == "cost"]


def test_costs_of_a_model_with_three_classes_are_refused() -> None:
    given = world(Toy(lambda x: np.nan_to_num(x), ScoreKind.LOGITS, 3), y=lambda x: x.argmax(axis=1))
    with pytest.raises(ConfigError, match="two classes"):
        replace(given.system, cost=CostMatrix(false_positive=1.0))


def test_the_race_finds_the_pair_of_columns_that_a_model_leans_on() -> None:
    columns = tuple(Column(name=name) for name in ("one", "two", *"abcdef"))
    weights = (2.0, 2.0, *(0.05,) * 6)
    target = Toy(margin(*weights))
    given = world(target, n=3000, columns=columns, y=lambda x: (x @ np.array(weights) > 0).astype(int))
    part = run(task("combined"), given)
    worst = part.measurements[0]
    assert worst.name == "stress.combined.worst_combination_loss"
    assert " of one" in worst.slice
    assert " of two" in worst.slice
    assert worst.value is not None
    assert worst.value > max(value for _, value in worst.baseline)
    assert part.findings[0].title.startswith("Worst combination, ")
    assert part.queries < 20 * 3000 + 10 * 3000
    assert target.calls <= 15


def test_the_worst_of_nothing_is_measured_on_rows_that_had_no_part_in_the_choice() -> None:
    columns = tuple(Column(name=name) for name in "abcd")
    noise = np.random.default_rng(8)
    given = world(Toy(margin(0.01, 0.01, 0.01, 0.01)), columns=columns, y=lambda x: noise.integers(0, 2, len(x)))
    worst = run(task("combined"), given).measurements[0]
    assert worst.low is not None
    assert worst.high is not None
    assert worst.low < 0 < worst.high
    assert run(task("combined"), given).findings == ()


def test_named_faults_are_stressed_as_any_other() -> None:
    faults = (("missing", ("strong",)), ("unit_error", ("weak",)))
    part = run(task("combined", faults=faults), world(Toy(margin(3.0, 1.0, 0.0))))
    assert find(part, "loss").value is not None
    assert len(find(part, "loss").curve.points) == 6  # type: ignore[union-attr]
