"""What one may rely on in additive models in a model's place, with and without a proof of privacy."""

from __future__ import annotations

import builtins
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind
from temper.hardening._additive import Steps, additive
from temper.hardening._private import delta_of
from temper.hardening.dp_ebm import DpEbm, _Places
from temper.hardening.ebm import Ebm
from temper.kernels import trees
from temper.kernels.ranking import auc
from temper.targets.load import open_target
from temper.targets.save import save
from temper.testing.scenes import schema, table, training
from temper.testing.toys import Trainable

pytest.importorskip("interpret")

TOY = Trainable.fitted(training())
RNG = Draws(0, "hardening.dp_ebm")


def private(epsilon: float = 4.0, data: Data | None = None, **more: Any) -> Any:
    return DpEbm(epsilon=epsilon, **({"schema": schema()} | more)).apply(TOY, data or training(), RNG)


# -- a sum of steps as trees ------------------------------------------------------------------------------------------


@given(st.data())
def test_trees_add_up_the_steps_of_every_column(data: Any) -> None:
    numbers = st.integers(-4, 4).map(float)
    columns = []
    for _ in range(data.draw(st.integers(1, 3))):
        edges = sorted(data.draw(st.sets(numbers, max_size=5)))
        values = data.draw(
            st.lists(st.sampled_from([-1.0, 0.5, 2.0]), min_size=len(edges) + 1, max_size=len(edges) + 1)
        )
        columns.append(Steps(edges=np.array(edges), values=np.array(values), missing=data.draw(numbers)))
    rows = st.lists(st.one_of(numbers, st.just(np.nan)), min_size=len(columns), max_size=len(columns))
    x = np.array(data.draw(st.lists(rows, min_size=1, max_size=6)))
    wanted = np.full(len(x), 0.25)
    for at, steps in enumerate(columns):
        said = steps.values[np.searchsorted(steps.edges, x[:, at], side="right").clip(max=len(steps.edges))]
        wanted += np.where(np.isnan(x[:, at]), steps.missing, said)
    found = trees.scores(additive(columns, 0.25, ScoreKind.MARGIN), x)
    np.testing.assert_allclose(found[:, 0], wanted, atol=1e-12)


def test_the_trees_are_the_additive_model_of_the_library() -> None:
    from interpret.glassbox import ExplainableBoostingClassifier

    data, target = training(), Ebm().apply(TOY, training(), RNG)
    model = ExplainableBoostingClassifier(
        feature_types=["continuous"] * data.x.shape[1],
        interactions=0,
        outer_bags=1,
        max_bins=64,
        learning_rate=0.04,
        random_state=RNG.integer(),
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(data.x, data.y)
        x = np.concatenate([data.x, table(200, 5)])
        np.testing.assert_allclose(target.scores(x), model.predict_proba(x), atol=1e-9)


def test_the_private_trees_are_the_private_model_of_the_library() -> None:
    from interpret.privacy import DPExplainableBoostingClassifier

    data = training()
    places = [_Places.of(column) for column in schema().columns]

    def coded(x: Any) -> Any:
        return np.column_stack([place.codes(x[:, at]) for at, place in enumerate(places)])

    model = DPExplainableBoostingClassifier(
        feature_types=["continuous"] * len(places),
        privacy_bounds=np.array([place.bounds for place in places]),
        epsilon=4.0,
        delta=1.0 / (10 * len(data)),
        random_state=RNG.integer(),
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(coded(data.x), data.y)
        x = np.concatenate([data.x, table(200, 5)])
        np.testing.assert_allclose(private().scores(x), model.predict_proba(coded(x)), atol=1e-9)


def test_a_model_of_margins_is_replaced_by_one_of_margins() -> None:
    for defence in (Ebm(), DpEbm(schema=schema())):
        odds = defence.apply(replace(TOY, kind=ScoreKind.MARGIN), training(), RNG).scores(training().x)
        shares = defence.apply(TOY, training(), RNG).scores(training().x)[:, 1]
        np.testing.assert_allclose(1 / (1 + np.exp(-odds[:, 0])), shares, atol=1e-12)


# -- what is public ---------------------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(1e-3, 1e4), st.booleans())
def test_places_of_a_number_are_told_by_the_schema_and_rise_with_it(
    low: float, width: float, scale: float, missing: bool
) -> None:
    places = _Places.of(Column(name="a", low=low, high=low + width, scale=scale, missing=missing))
    values = np.linspace(low - width, low + 2 * width, 301)
    codes = places.codes(values)
    assert (np.diff(codes) >= 0).all()
    least, most = places.bounds
    assert least < codes.min() <= codes.max() < most
    gone = places.codes(np.array([np.nan]))[0]
    assert gone == (-1 if missing else 0)
    assert len(places.edges) <= 60


@pytest.mark.parametrize("count", [2, 7, 60, 200])
def test_every_category_has_a_place_of_its_own_while_there_are_enough(count: int) -> None:
    column = Column(name="a", type="category", categories=tuple(f"c{at}" for at in range(count)))
    codes = _Places.of(column).codes(np.arange(count, dtype=float))
    assert len(set(codes)) == min(count, 60)


def test_a_column_without_a_range_is_cut_off_and_not_measured() -> None:
    places = _Places.of(Column(name="a", scale=2.0))
    assert np.isfinite(places.edges).all()
    assert places.codes(np.array([-1e12, 1.0, 1e12])).tolist() == [0, 31, 59]


def test_no_row_moves_the_places() -> None:
    """One far-off row would move every cut of a model that measures its columns; here it moves none."""
    data = training()
    x = np.array(data.x)
    x[0, 0] = 1e9
    moved = replace(data, x=x)
    cuts = [set(private(50.0, rows).inner.ensemble.threshold.tolist()) for rows in (data, moved)]
    grid = np.concatenate([_Places.of(column).edges for column in schema().columns]).tolist()
    for seen in cuts:
        assert seen - {-np.inf, 0.0} <= set(grid)


# -- the budget -------------------------------------------------------------------------------------------------------


def test_more_budget_is_a_better_model_and_little_is_near_a_coin() -> None:
    data, others = training(4_000), training(2_000, seed=9)
    areas = {e: auc(others.y, private(e, data).scores(others.x)[:, 1]) for e in (0.02, 1.0, 8.0)}
    assert areas[0.02] + 0.1 < areas[1.0] <= areas[8.0] + 0.02
    assert areas[8.0] > 0.85


def test_it_says_what_it_guarantees_and_that_a_known_seed_guards_nothing() -> None:
    model = private(2.0)
    assert (model.epsilon, model.delta, model.seeded) == (2.0, 1 / 6_000, True)
    assert "epsilon 2, delta 0.00017" in model.remarks[0]
    assert "secret: true" in model.remarks[0]
    secret = private(2.0, secret=True)
    assert "secret" not in secret.remarks[0]
    x = training().x
    assert not np.array_equal(secret.scores(x), private(2.0, secret=True).scores(x))
    np.testing.assert_array_equal(model.scores(x), private(2.0).scores(x))


def test_whoever_fits_again_spends_the_same_budget_on_other_rows() -> None:
    model = private(2.0)
    again = model.refit(training(400, seed=3), Recipe(seed=5))
    assert (again.epsilon, again.delta) == (2.0, 1 / 4_000)
    assert Access.RETRAIN in again.access
    with pytest.raises(Unsupported, match="other settings"):
        model.refit(training(), Recipe(regularise=0.5))


def test_rows_that_come_twice_are_refused() -> None:
    data = training()
    twice = Data(x=np.concatenate([data.x, data.x]), y=np.tile(data.y, 2), ids=np.tile(data.ids, 2))
    with pytest.raises(Unsupported, match="600 of 1,200 rows are copies"):
        private(data=twice)
    from temper.hardening.self_distillation import SelfDistillation

    with pytest.raises(Unsupported, match=r"other settings|copies"):
        SelfDistillation().apply(private(), data, RNG)


@pytest.mark.parametrize("settings", [{"epsilon": 0.0}, {"epsilon": float("nan")}, {"delta": 1.0}, {"delta": 0.0}])
def test_a_budget_that_says_nothing_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(TemperError, match="privacy budget"):
        DpEbm(**settings)


def test_a_delta_that_lets_a_row_out_whole_is_refused() -> None:
    assert delta_of(None, 2_000) == pytest.approx(5e-5)
    assert delta_of(1e-6, 2_000) == 1e-6
    with pytest.raises(Unsupported, match="give away one of them whole"):
        private(delta=0.002)


@pytest.mark.parametrize("defence", [Ebm(), DpEbm(schema=schema())])
def test_without_the_extra_it_says_how_to_get_it(defence: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = builtins.__import__

    def absent(name: str, *more: Any, **settings: Any) -> Any:
        if name.partition(".")[0] == "interpret":
            raise ModuleNotFoundError("No module named 'interpret'", name="interpret")
        return known(name, *more, **settings)

    for name in [name for name in sys.modules if name.partition(".")[0] == "interpret"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(Unsupported, match="needs interpret") as refusal:
        defence.apply(TOY, training(), RNG)
    assert refusal.value.fix == "pip install 'temper-ml[private]'"


# -- the file ---------------------------------------------------------------------------------------------------------


def test_a_private_model_is_written_as_trees_with_its_guarantee(tmp_path: Path) -> None:
    model = private(2.0)
    path = save(model, tmp_path)
    again = open_target(str(path), schema=schema())
    np.testing.assert_array_equal(again.scores(training().x), model.scores(training().x))
    assert again.remarks == model.remarks  # type: ignore[attr-defined]
    assert again.digest == model.digest
    assert Access.TREES in again.access
    assert Access.RETRAIN not in again.access
    with pytest.raises(Unsupported, match="from a file"):
        again.refit(training(), Recipe())


def test_three_classes_share_the_budget_and_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from interpret.privacy import DPExplainableBoostingClassifier

    spent: list[tuple[float, float, int]] = []
    fit = DPExplainableBoostingClassifier.fit

    def watched(model: Any, x: Any, y: Any) -> Any:
        spent.append((model.epsilon, model.delta, model.random_state))
        return fit(model, x, y)

    monkeypatch.setattr(DPExplainableBoostingClassifier, "fit", watched)
    rows = training(1_500)
    three = replace(rows, y=(rows.y + (rows.x[:, 0] > np.median(rows.x[:, 0])) * 1).astype(np.int64))
    model = DpEbm(epsilon=9.0, schema=schema()).apply(replace(TOY, classes=3), three, RNG)
    assert [epsilon for epsilon, _, _ in spent] == [3.0, 3.0, 3.0]
    assert sum(delta for _, delta, _ in spent) == pytest.approx(model.delta)  # type: ignore[attr-defined]
    assert len({seed for *_, seed in spent}) == 3
    given = np.asarray(model.scores(three.x))
    np.testing.assert_allclose(given.sum(axis=1), 1.0)
    assert (given.argmax(axis=1) == three.y).mean() > np.bincount(three.y).max() / len(three) + 0.1
    np.testing.assert_array_equal(given, model.refit(three, Recipe(seed=RNG.integer())).scores(three.x))


def test_what_an_additive_model_cannot_replace_is_refused() -> None:
    with pytest.raises(Unsupported, match="two classes"):
        Ebm().apply(replace(TOY, classes=3), training(), RNG)
    for defence in (Ebm(), DpEbm(schema=schema())):
        with pytest.raises(Unsupported, match="no attack here measures membership on values"):
            defence.apply(replace(TOY, classes=1, kind=ScoreKind.VALUE), training(), RNG)
    pictures = Data(x=np.zeros((20, 1, 4, 4)), y=np.arange(20) % 2)
    with pytest.raises(Unsupported, match="tables"):
        Ebm().apply(TOY, pictures, RNG)
    with pytest.raises(Unsupported, match="schema"):
        DpEbm(schema=Schema.box(0, 1)).apply(TOY, pictures, RNG)
