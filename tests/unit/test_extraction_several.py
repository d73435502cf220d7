"""Models of several classes are copied and judged too, on tables and on pictures; figures against scikit-learn's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.data import Data
from temper.core.measure import Status
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.core.system import Exposure
from temper.engine.rooms.extraction import effects, run
from temper.engine.task import Sizes
from temper.judges._several import cohen, confusion, macro_f1, mean_auc, mean_auc_ratio
from temper.targets.answers import Decided
from temper.targets.sklearn import Sklearn
from unit.payload_world import figure, task, world

SMALL = Sizes(students=300, replicates=200)


@dataclass(frozen=True)
class Digits:
    """The digits of scikit-learn in halves, and a network fitted on one."""

    target: Any
    rest: Data


@pytest.fixture(scope="module")
def digits() -> Digits:
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    train, rest = order[:700], order[700:]
    net = make_pipeline(StandardScaler(), MLPClassifier((32,), max_iter=80, random_state=0))
    with pytest.warns():
        net.fit(x[train], y[train])
    return Digits(target=Sklearn(model=net, classes=10), rest=Data(x=x[rest], y=y[rest], ids=np.arange(len(rest))))


def table() -> Schema:
    return Schema(columns=tuple(Column(name=f"p{at}", type="integer", low=0, high=16) for at in range(64)))


def here(digits: Digits, **more: Any) -> Any:
    settings = {"schema": table(), "threshold": None, "classes": tuple(map(str, range(10)))} | more
    return world(digits.target, None, digits.rest, **settings)


@pytest.mark.parametrize("name", ["extraction.surrogate", "extraction.natural"])
def test_ten_classes_are_copied(digits: Digits, name: str) -> None:
    part = run(task(name, SMALL), here(digits))
    close, ratio = figure(part, "f1"), figure(part, "auc_ratio")
    if name == "extraction.surrogate":  # the natural thief holds a tenth of so few rows
        assert part.status is Status.OK
        assert len(close.curve.points) == 2
    assert close.low > 0.4
    assert close.low <= close.value <= close.high
    assert 0.8 < ratio.value < 1.05
    assert dict(close.baseline)["always the usual class"] < 0.1
    assert figure(part, "kappa").value > 0.4


def test_decisions_alone_copy_ten_classes_too(digits: Digits) -> None:
    part = run(task("extraction.surrogate", SMALL), here(digits, exposure=Exposure(returns="label")))
    assert "decisions only" in figure(part, "f1").caveats[0]
    assert figure(part, "f1").value > 0.3


def test_pictures_are_copied_from_natural_ones(digits: Digits) -> None:
    @dataclass(frozen=True, kw_only=True, eq=False)
    class Pictures(Sklearn):
        def scores(self, x: Any) -> Any:
            return super().scores(np.asarray(x).reshape((len(x), -1)))

    shown = Data(x=digits.rest.x.reshape((-1, 1, 8, 8)), y=digits.rest.y, ids=digits.rest.ids)
    target = Pictures(model=digits.target.model, classes=10)
    seen = replace(digits, target=target, rest=shown)
    part = run(task("extraction.natural", SMALL), here(seen, schema=Schema.box(0, 16)))
    assert figure(part, "f1").value > 0.5
    refused = run(task("extraction.surrogate", SMALL), here(seen, schema=Schema.box(0, 16)))
    assert refused.status is Status.UNTRIED
    assert "column by column" in refused.reason


def test_a_network_is_copied_along_its_own_slopes(digits: Digits) -> None:
    part = run(task("extraction.jacobian", Sizes(students=600, replicates=200)), here(digits))
    close = figure(part, "f1")
    assert close.low > 0.6
    assert close.curve.points[-1].value > close.curve.points[0].value, "moved rows teach more than those held"
    assert close.queries == 600


def test_slopes_do_not_copy_a_model_of_nothing(digits: Digits) -> None:
    @dataclass(frozen=True, kw_only=True, eq=False)
    class Hashed(Sklearn):
        def scores(self, x: Any) -> Any:
            turn = np.modf(np.abs(np.sin(np.asarray(x) @ np.arange(1.0, 65.0) * 1e3)) * 1e3)[0]
            return np.eye(10)[(turn * 10).astype(int)] * 0.8 + 0.02

    seen = replace(digits, target=Hashed(model=digits.target.model, classes=10))
    part = run(task("extraction.jacobian", SMALL), here(seen))
    assert figure(part, "f1").value < 0.25
    assert part.findings == ()


def test_slopes_move_rows_inside_the_domain_and_leave_codes_alone() -> None:
    from temper.core.room import Room
    from temper.targets.oracle import Meter
    from temper.testing.scenes import schema, trained_scene

    scene = trained_scene(40)
    attack = Room("temper.attacks").build("extraction.jacobian", {"queries": 200, "seeds": 40})
    copies = attack.run(Meter(scene.target, 200), scene, Draws(0, "t"))
    columns = schema()
    assert len(copies.x) == 200
    assert set(copies.x[:, columns.index("kind")]) <= {0.0, 1.0, 2.0, 3.0}
    count = copies.x[:, columns.index("count")]
    assert np.array_equal(count, np.round(count))
    assert (copies.x[:, :2] >= 0).all()
    assert (copies.x[:, 0] <= copies.x[:, 1] + 1e-6).all(), "amount <= limit"


@pytest.mark.parametrize("name", ["extraction.equation_solving", "extraction.path_finding"])
def test_what_solves_for_one_score_says_so(digits: Digits, name: str) -> None:
    part = run(task(name, SMALL), here(digits))
    assert part.status is Status.UNTRIED
    assert "10 classes" in part.reason


def test_a_defence_is_paired_over_several_classes(digits: Digits) -> None:
    before = run(task("extraction.natural", SMALL), here(digits))
    served = replace(digits, target=Decided(inner=digits.target, threshold=None))
    after = run(task("extraction.natural", SMALL), here(served))
    found = effects("label_only", before, after)
    assert [effect.metric for effect in found] == ["extraction.natural.f1", "extraction.natural.auc"]
    assert found[0].before == pytest.approx(figure(before, "f1").value)


@given(st.integers(0, 10_000), st.integers(2, 5))
def test_tables_of_decisions_give_scikit_learns_figures(seed: int, classes: int) -> None:
    from sklearn.metrics import cohen_kappa_score, f1_score

    rng = np.random.default_rng(seed)
    victim = rng.integers(0, classes, 60)
    copy = np.where(rng.random(60) < 0.6, victim, rng.integers(0, classes, 60))
    counts = confusion(victim, copy, classes)
    assert float(macro_f1(counts)) == pytest.approx(f1_score(victim, copy, average="macro"))
    assert float(cohen(counts)) == pytest.approx(cohen_kappa_score(victim, copy))
    assert macro_f1(np.stack([counts, counts])).shape == (2,)


@given(st.integers(0, 10_000))
def test_the_mean_auc_is_scikit_learns(seed: int) -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(seed)
    y = np.arange(60) % 3
    shares = rng.dirichlet(np.ones(3), 60)
    assert mean_auc(y, shares) == pytest.approx(roc_auc_score(y, shares, multi_class="ovr", average="macro"))


def test_the_interval_of_the_ratio_covers_about_as_often_as_it_says() -> None:
    def drawn(n: int, rng: np.random.Generator) -> tuple[Any, Any, Any]:
        y = rng.integers(0, 3, n)
        logits = np.eye(3)[y] + rng.normal(size=(n, 3))
        return y, logits, logits + 0.8 * rng.normal(size=(n, 3))

    truth = mean_auc_ratio(*drawn(200_000, np.random.default_rng(0)))[0]
    rng, inside = np.random.default_rng(1), 0
    for _ in range(300):
        _, low, high = mean_auc_ratio(*drawn(200, rng))
        inside += low <= truth <= high
    assert 0.91 <= inside / 300 <= 0.99
