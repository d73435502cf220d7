"""Checks: figures against closed forms, intervals that cover, and planted faults that fail."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.measure import Measurement, Status
from temper.core.room import Room
from temper.core.schema import Column, Schema
from temper.core.system import Protected
from temper.core.target import Access, ScoreKind
from temper.engine.rooms.validation import run
from temper.engine.task import Sizes, Task, World
from temper.kernels.counts import confusion, events, gap, null_gaps
from temper.kernels.groups import groups
from temper.kernels.ranking import auc, average_precision
from temper.kernels.weighted import Ranked, resamples
from temper.validation.calibration import Calibration
from temper.validation.explanation import Explanation
from temper.validation.fairness import Fairness
from temper.validation.performance import Performance

FEW = 300


class Toy:
    """A target from a function of the matrix."""

    name, access, stochastic, digest = "toy", Access.SCORES, False, "d"

    def __init__(self, score: Any, kind: ScoreKind = ScoreKind.PROBABILITIES, classes: int = 2) -> None:
        self.score, self.kind, self.classes = score, kind, classes

    def scores(self, x: Any) -> Any:
        return self.score(x)

    def gradient(self, x: Any, cotangent: Any) -> Any:
        raise NotImplementedError

    def refit(self, data: Data, recipe: Any) -> Any:
        raise NotImplementedError


def stated(x: Any) -> Any:
    """The first column is the probability of class 1."""
    return np.column_stack([1 - x[:, 0], x[:, 0]])


def scene(target: Toy, x: Any, y: Any, columns: tuple[Column, ...] | None = None, **more: Any) -> Scene:
    columns = columns or tuple(Column(name=f"c{i}") for i in range(x.shape[1]))
    return Scene(
        x=x, y=y, ids=np.arange(len(x)), schema=Schema(columns=columns), kind=target.kind, classes=target.classes,
        target=target, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def find(measured: tuple[Measurement, ...], metric: str, where: str = "all") -> Measurement:
    return next(m for m in measured if m.metric == metric and m.slice == where)


def claims(n: int, seed: int, shift: float = 0.0) -> tuple[Any, Any]:
    """Probabilities and outcomes; `shift` is how far the truth lies above what is stated."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 3, n) * 0.8
    return p[:, None], (rng.random(n) < p + shift).astype(int)


# -- performance ----------------------------------------------------------------------------------------------------


def test_performance_figures_equal_their_definitions() -> None:
    x, y = claims(800, 0)
    measured = Performance(replicates=FEW).measure(scene(Toy(stated), x, y, threshold=0.3))
    flag = x[:, 0] >= 0.3
    assert find(measured, "auc").value == pytest.approx(auc(y, x[:, 0]), abs=1e-12)
    assert find(measured, "average_precision").value == pytest.approx(average_precision(y, x[:, 0]), abs=1e-12)
    assert find(measured, "recall").value == pytest.approx(flag[y == 1].mean())
    assert find(measured, "precision").value == pytest.approx(y[flag].mean())
    assert find(measured, "alert_rate").value == pytest.approx(flag.mean())
    both = (flag & (y == 1)).sum()
    assert find(measured, "f1").value == pytest.approx(2 * both / (flag.sum() + y.sum()))
    for m in measured:
        assert m.low is not None
        assert m.high is not None
        assert m.low <= (m.value or 0) <= m.high
        assert m.n > 0
        assert m.baseline


def test_auc_interval_covers_the_true_auc() -> None:
    # Two normals a unit apart: the AUC is Phi(1 / sqrt 2) = 0.7602.
    rng, covered = np.random.default_rng(0), 0
    for seed in range(60):
        y = np.arange(200) % 3 == 0
        x = (rng.normal(size=200) + y)[:, None]
        measured = Performance(replicates=FEW, seed=seed).measure(scene(Toy(lambda x: x, ScoreKind.MARGIN), x, y * 1))
        m = find(measured, "auc")
        covered += (m.low or 0) <= 0.7602 <= (m.high or 0)
    assert 51 <= covered <= 60


def test_one_class_of_truth_is_inconclusive_with_its_reason() -> None:
    x, _ = claims(100, 0)
    measured = Performance(replicates=FEW).measure(scene(Toy(stated), x, np.zeros(100, dtype=int), threshold=2.0))
    assert find(measured, "auc").status is Status.INCONCLUSIVE
    assert find(measured, "recall").reason == "no row of class 1"
    assert find(measured, "precision").reason == "no row is flagged"
    assert find(measured, "f1").status is Status.INCONCLUSIVE


def test_many_classes_and_values_have_their_own_figures() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 3))
    y = (x + rng.gumbel(size=(600, 3))).argmax(axis=1)
    measured = Performance(replicates=FEW).measure(scene(Toy(lambda x: x, ScoreKind.LOGITS, 3), x, y))
    log_loss = find(measured, "log_loss")
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    assert log_loss.value == pytest.approx(-np.log(p[np.arange(600), y]).mean())
    assert log_loss.value < dict(log_loss.baseline)["class shares alone"]
    values = x[:, 0] + 0.5 * rng.normal(size=600)
    measured = Performance(replicates=FEW).measure(scene(Toy(lambda x: x[:, :1], ScoreKind.VALUE, 1), x, values))
    assert find(measured, "r2").value == pytest.approx(1 - ((values - x[:, 0]) ** 2).sum() / values.var() / 600)
    assert find(measured, "mae").value == pytest.approx(np.abs(values - x[:, 0]).mean())


def test_weighted_ranking_equals_ranking_of_the_drawn_rows() -> None:
    rng = np.random.default_rng(0)
    y, score = rng.integers(0, 2, 90), rng.integers(0, 12, 90).astype(float)  # many ties
    ranked, weights = Ranked.of(y, score), np.concatenate(list(resamples(90, 20, rng)))
    drawn = [np.repeat(np.arange(90), w.astype(int)) for w in weights]
    np.testing.assert_allclose(ranked.auc(weights), [auc(y[i], score[i]) for i in drawn], atol=1e-12)
    expected = [average_precision(y[i], score[i]) for i in drawn]
    np.testing.assert_allclose(ranked.average_precision(weights), expected, atol=1e-12)
    assert (weights.sum(axis=1) == 90).all()


# -- calibration ----------------------------------------------------------------------------------------------------


def test_a_perfect_model_is_near_zero_and_never_fails_where_the_raw_error_would() -> None:
    near = raw = failed = passed = 0
    for seed in range(60):
        x, y = claims(500, seed)
        ece = find(Calibration(replicates=200).measure(scene(Toy(stated), x, y)), "ece")
        near += (ece.value or 0.0) <= 0.03
        failed += (ece.low or 0.0) > 0.02
        passed += (ece.high or 1.0) <= 0.10
        raw += dict(ece.baseline)["not corrected"] > 0.03
    assert near >= 50
    assert failed <= 3
    assert passed >= 57
    assert raw >= 50


@pytest.mark.parametrize("shift", [0.03, 0.1])
def test_the_interval_covers_a_planted_miscalibration(shift: float) -> None:
    covered, values = 0, []
    for seed in range(20):
        x, y = claims(1500, seed, shift)
        ece = find(Calibration(replicates=200).measure(scene(Toy(stated), x, y)), "ece")
        covered += (ece.low or 0.0) <= shift <= (ece.high or 0.0)
        values.append(ece.value or 0.0)
    assert covered >= 18
    # A gap of the size of its noise is shrunk, one well above it hardly.
    assert 0.25 * shift < np.mean(values) < shift + 0.01
    assert shift < 0.1 or np.mean(values) > 0.8 * shift


def test_the_reliability_curve_holds_all_rows_and_the_diagonal() -> None:
    x, y = claims(3000, 1)
    brier, *_, ece = Calibration(replicates=FEW).measure(scene(Toy(stated), x, y))
    assert brier.value == pytest.approx(((x[:, 0] - y) ** 2).mean())
    assert ece.curve is not None
    assert sum(point.n for point in ece.curve.points) == 3000
    inside = [point.low <= point.at <= point.high for point in ece.curve.points]
    assert np.mean(inside) >= 0.7


def test_scores_without_probability_are_not_judged_as_one() -> None:
    x, y = claims(100, 0)
    (answer,) = Calibration().measure(scene(Toy(lambda x: x, ScoreKind.MARGIN), x, y))
    assert (answer.metric, answer.status) == ("not_applicable", Status.UNTRIED)


def test_a_constant_model_has_one_bin_and_no_crash() -> None:
    y = np.arange(200) % 4 == 0
    ece = find(Calibration(replicates=FEW).measure(scene(Toy(stated), np.full((200, 1), 0.25), y * 1)), "ece")
    assert ece.value == 0.0
    assert ece.curve is not None
    assert len(ece.curve.points) == 1


# -- fairness -------------------------------------------------------------------------------------------------------

SEX = Column(name="sex", type="category", categories=("f", "m"), sensitive=True)


def judged(n: int, seed: int, extra: float) -> Scene:
    """Men are flagged more often by `extra`, whatever the truth."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, n).astype(float)
    flag = rng.random(n) < 0.3 + extra * sex
    x = np.column_stack([np.where(flag, 0.9, 0.1), sex])
    columns = (Column(name="score"), SEX)
    return scene(Toy(stated), x, rng.integers(0, 2, n), columns, sensitive=("sex",), threshold=0.5)


def test_a_planted_gap_is_found_with_its_direction() -> None:
    gap_found = find(Fairness().measure(judged(4000, 0, 0.2)), "selection_gap")
    assert gap_found.low is not None
    assert 0.1 < gap_found.low < 0.2 < (gap_found.high or 0)
    assert gap_found.caveats[0] == "sex m above sex f"
    assert dict(gap_found.baseline)["permuted groups, 95 %"] < gap_found.low


def test_no_gap_is_shown_as_what_chance_would_show() -> None:
    gap_found = find(Fairness().measure(judged(2000, 4, 0.0)), "selection_gap")
    assert gap_found.low == 0.0
    assert gap_found.value is not None
    assert gap_found.value > 0
    assert "permuted groups show as much" in gap_found.caveats[1]


def test_gaps_equal_rates_counted_by_hand() -> None:
    made = judged(1000, 1, 0.1)
    flag, sex, y = made.x[:, 0] > 0.5, made.x[:, 1], made.y
    measured = Fairness().measure(made)
    for metric, rows in (("selection_gap", y >= 0), ("tpr_gap", y == 1), ("fpr_gap", y == 0)):
        by_hand = [flag[rows & (sex == s)].mean() for s in (0, 1)]
        assert find(measured, metric, "column:sex").value == pytest.approx(np.ptp(by_hand))


@pytest.mark.parametrize(("groups_count", "effect"), [(2, 0.0), (2, 0.1), (5, 0.1)])
def test_gap_intervals_cover_the_true_gap(groups_count: int, effect: float) -> None:
    rng, covered = np.random.default_rng(7), 0
    for _ in range(300):
        member = rng.integers(0, groups_count, 800)
        flag = rng.random(800) < 0.3 + effect * (member == 0)
        found = gap(confusion(member, flag, flag, groups_count), "selection", rng, replicates=FEW)
        covered += found.low <= effect <= found.high
    assert covered / 300 >= 0.92
    assert groups_count > 2 or covered / 300 <= 0.985


def test_the_permutation_null_rejects_as_often_as_it_says() -> None:
    rng, small = np.random.default_rng(3), 0
    for _ in range(300):
        member = rng.integers(0, 4, 600)
        flag = rng.random(600) < 0.2
        small += gap(confusion(member, flag, flag, 4), "selection", rng, replicates=FEW).p_value <= 0.1
    assert 0.05 <= small / 300 <= 0.15


def test_the_null_keeps_the_number_of_events() -> None:
    gaps = null_gaps([9, 1], [10, 10], 500, np.random.default_rng(0))
    # 10 events on 20 rows, 10 in each group: the gap is an even number of tenths.
    assert set(np.round(gaps * 10).astype(int) % 2) == {0}


def test_two_thousand_replicates_on_100k_rows_take_a_moment() -> None:
    rng = np.random.default_rng(0)
    member, y, flag = rng.integers(0, 6, 100_000), rng.integers(0, 2, 100_000), rng.random(100_000) < 0.1
    start = time.perf_counter()
    gap(confusion(member, y, flag, 6), "tpr", rng, replicates=2000)
    assert time.perf_counter() - start < 1.0  # 0.02 s on an idle core


def test_small_groups_are_left_out_and_named() -> None:
    rng = np.random.default_rng(0)
    column = Column(name="region", type="category", categories=("north", "south", "islands"), sensitive=True)
    region = np.r_[np.zeros(500), np.ones(490), np.full(10, 2.0)]
    x = np.column_stack([rng.random(1000), region])
    made = scene(
        Toy(stated), x, rng.integers(0, 2, 1000), (Column(name="score"), column), sensitive=("region",), threshold=0.5
    )
    found = find(Fairness().measure(made), "selection_gap", "column:region")
    assert "left out, fewer than 50 rows: islands" in found.caveats
    lonely = find(Fairness(smallest=495).measure(made), "selection_gap")
    assert lonely.status is Status.INCONCLUSIVE


def test_numeric_groups_become_bands_and_missing_is_a_group() -> None:
    ages = np.r_[np.arange(20.0, 60.0), np.nan, np.nan]
    group, labels = groups(ages, Column(name="age", type="integer"))
    assert labels == ["below 30", "30 to 40", "40 to 50", "50 and above", "missing"]
    assert np.bincount(group).tolist() == [10, 10, 10, 10, 2]


def test_without_sensitive_columns_fairness_does_not_apply() -> None:
    x, y = claims(100, 0)
    (answer,) = Fairness().measure(scene(Toy(stated), x, y))
    assert (answer.metric, answer.status) == ("not_applicable", Status.UNTRIED)


def test_rates_come_from_the_right_cells() -> None:
    counts = np.array([[[5, 1], [2, 8]]])
    assert [tuple(int(v[0]) for v in events(counts, rate)) for rate in ("selection", "tpr", "fpr")] == [
        (9, 16),
        (8, 10),
        (1, 6),
    ]


# -- explanation ----------------------------------------------------------------------------------------------------


def explained(score: Any, d: int = 8, n: int = 600) -> tuple[Measurement, ...]:
    x = np.random.default_rng(0).normal(size=(n, d))
    return Explanation(replicates=FEW).measure(scene(Toy(score, ScoreKind.MARGIN), x, np.zeros(n, dtype=int)))


def test_a_linear_model_has_stable_reasons() -> None:
    weights = np.array([[8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]]).T
    measured = explained(lambda x: x @ weights)
    assert (find(measured, "stability").low or 0) > 0.9
    assert find(measured, "top_overlap").value == 1.0
    assert find(measured, "rank_agreement").value == pytest.approx(1.0)


def test_a_model_whose_reasons_flip_between_neighbours_fails() -> None:
    measured = explained(lambda x: np.sin(x * 1e4).sum(axis=1, keepdims=True))
    assert (find(measured, "stability").high or 1) < 0.5


def test_features_that_matter_alike_have_no_stable_order() -> None:
    measured = explained(lambda x: x.sum(axis=1, keepdims=True), d=12)
    agreement = find(measured, "rank_agreement")
    assert agreement.value is not None
    assert agreement.value < 0.8
    assert (agreement.high or 1) - (agreement.low or 0) > 0.3


def test_a_constant_model_gives_everybody_the_same_reasons() -> None:
    measured = explained(lambda x: np.zeros((len(x), 1)))
    assert find(measured, "stability").value == 1.0
    assert find(measured, "rank_agreement").status is Status.INCONCLUSIVE


def test_one_hot_groups_move_as_one_feature() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=400), np.eye(3)[rng.integers(0, 3, 400)]])
    columns = (Column(name="a"), *(Column(name=c, group="colour") for c in ("red", "green", "blue")))
    seen: list[Any] = []

    def spy(x: Any) -> Any:
        seen.append(x[:, 1:].sum(axis=1))
        return x[:, :1]

    Explanation(replicates=FEW).measure(scene(Toy(spy, ScoreKind.MARGIN), x, np.zeros(400, dtype=int), columns))
    assert set(np.concatenate(seen)) == {1.0}


# -- the room -------------------------------------------------------------------------------------------------------


def world(target: Toy, n: int = 600) -> World:
    x, y = claims(n, 0)
    columns = (Column(name="score"), SEX)
    x = np.column_stack([x[:, 0], np.random.default_rng(1).integers(0, 2, n)])
    system = Protected(
        name="toy", target=target, data=Data(x=x, y=y), schema=Schema(columns=columns), threshold=0.3,  # type: ignore[arg-type]
        simulated=True,
    )  # fmt: skip
    rows = np.arange(n)
    return World(system=system, sizes=Sizes(replicates=200), seed=0, attacked=rows[:5], held_out=rows)


PROOFS = ("net_bounds", "smoothing", "tree_bounds")  # they speak of the rows under attack, and need a ball
OTHERS = (  # of other models
    "activation_clustering",
    "documentation",
    "duplicates",
    "intersections",
    "label_errors",
    "metamorphic",
    "neural_cleanse",
    "partition_bound",
    "periods",
    "planted_rows",
    "recurrence",
    "snapshot_diff",
    "spectral_signatures",
    "strip",
    "suppliers",
    "text_triggers",
    "time_leakage",
    "trigger_inversion",
    "watermark",
)


@pytest.mark.parametrize("name", sorted({*Room("temper.validation").names()} - {*PROOFS, *OTHERS}))
def test_every_check_runs_repeats_and_says_simulated(name: str) -> None:
    parts = [run(Task(room="validation", plugin=name), world(Toy(stated))) for _ in range(2)]
    assert parts[0].measurements == parts[1].measurements
    assert all(m.simulated and m.plugin == name for m in parts[0].measurements)
    assert parts[0].status is Status.OK


def test_the_gate_is_not_a_check() -> None:
    checks = {*Room("temper.validation").names()} - {*PROOFS, *OTHERS}
    assert checks == {
        *("access_profile", "artifact", "calibration", "explanation", "fairness", "performance"),
        *("label_delay", "subpopulation", "weak_slice"),
        *("attribution", "conformal", "privacy", "reason_codes", "schema_violations", "selective", "target_leakage"),
    }


@pytest.mark.parametrize("name", OTHERS)
def test_what_does_not_speak_of_this_model_says_so(name: str) -> None:
    part = run(Task(room="validation", plugin=name), world(Toy(stated)))
    assert part.status is Status.UNTRIED
    assert part.measurements[0].reason


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_of_a_model_it_does_not_fit_says_why_and_certifies_nothing(name: str) -> None:
    part = run(Task(room="validation", plugin=name), world(Toy(stated)))
    assert all(m.simulated and m.reason for m in part.measurements if m.status is not Status.OK)
    assert not (part.evidence["certified_radius"] > 0).any()


def test_a_model_that_breaks_on_held_out_rows_is_an_error_with_its_message() -> None:
    def broken(x: Any) -> Any:
        raise ValueError("boom")

    part = run(Task(room="validation", plugin="performance"), world(Toy(broken)))
    assert part.status is Status.ERROR
    assert part.measurements[0].reason == "ValueError: boom"
    nan = run(Task(room="validation", plugin="performance"), world(Toy(lambda x: x[:, :2] * np.nan)))
    assert "got no finite score" in nan.reason


def test_a_planted_miscalibration_is_a_finding() -> None:
    part = run(Task(room="validation", plugin="calibration"), world(Toy(lambda x: stated(np.sqrt(x))), n=2000))
    assert [finding.metric for finding in part.findings] == ["ece"]


def data_folder() -> Path:
    return Path(os.environ.get("TEMPER_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


CREDIT = data_folder() / "credit_default_uci" / "credit-card-clients.csv.gz"


@pytest.mark.skipif(not CREDIT.is_file(), reason=f"needs {CREDIT.name} of the credit_default_uci data set")
def test_real_credit_data_gives_the_published_auc_and_age_bands() -> None:
    pandas = pytest.importorskip("pandas")
    ensemble = pytest.importorskip("sklearn.ensemble")
    frame = pandas.read_csv(CREDIT).select_dtypes("number")
    truth = next(name for name in frame.columns if "default" in name.lower())
    features = frame.drop(columns=truth)
    x, y = features.to_numpy(dtype=np.float64), frame[truth].astype(int).to_numpy()
    model = ensemble.HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(x[:8000], y[:8000])
    age = next(name for name in features.columns if name.lower() == "age")
    columns = tuple(Column(name=name, type="integer", scale=float(features[name].std())) for name in features)
    target = Toy(model.predict_proba)
    made = scene(target, x[8000:14000], y[8000:14000], columns, sensitive=(age,), threshold=0.25)
    assert find(Performance(replicates=FEW).measure(made), "auc").value == pytest.approx(0.778, abs=0.03)
    assert find(Fairness().measure(made), "selection_gap", f"column:{age}").status is Status.OK
    assert (find(Explanation(replicates=FEW).measure(made), "stability").low or 0) > 0.5


@pytest.mark.slow
def test_a_proof_within_the_budget_of_one_of_two_actors_is_told_apart() -> None:
    from sklearn.datasets import load_breast_cancer
    from sklearn.tree import DecisionTreeClassifier

    import temper
    from temper.core.threat import Actor

    x, y = load_breast_cancer(return_X_y=True)
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(x[:400], y[:400])
    actors = tuple(Actor(name=name, queries=10, norm="linf", radius=r) for name, r in (("near", 0.01), ("far", 0.5)))
    system = temper.System(model=model, data=(x[400:], y[400:]), name="cells", actors=actors)
    found = temper.assess(system, suite="quick", only=["validation.tree_bounds"], engine="serial").measurements
    shares = {m.slice: m.value for m in found if m.metric == "certified_share"}
    assert set(shares) == {"actor:near", "actor:far"}
    assert shares["actor:near"] > shares["actor:far"]
