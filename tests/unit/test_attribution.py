"""Shapley values and reason codes: exact where they can be, and told where they wobble or do not matter."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.measure import Status
from temper.core.target import Access, ScoreKind
from temper.kernels.shapley import of_trees, sampled
from temper.kernels.trees import margins, value
from temper.validation.attribution import Attribution
from temper.validation.reason_codes import ReasonCodes
from unit.test_validation import FEW, Toy, find, scene

WEIGHTS = np.array([2.0, -1.5, 1.0, 0.5, 0.2, 0.1])


def by_hand(score: Any, row: Any, reference: Any, features: Any) -> Any:
    """Shapley values over all orders."""
    out, orders = np.zeros(len(features)), list(permutations(range(len(features))))
    for order in orders:
        at, before = reference.copy(), score(reference[None])[0]
        for feature in order:
            at[features[feature]] = row[features[feature]]
            after = score(at[None])[0]
            out[feature] += after - before
            before = after
    return out / len(orders)


@pytest.fixture(scope="module")
def forest() -> Any:
    """A tree target of a noisy table with an interaction and gaps, its rows and labels."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    import temper

    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5))
    x[rng.random(x.shape) < 0.05] = np.nan
    y = (np.nan_to_num(x[:, 0] * x[:, 1] + x[:, 2]) + rng.normal(size=600) > 0).astype(int)
    model = HistGradientBoostingClassifier(max_iter=15, max_depth=3, random_state=0).fit(x, y)
    return temper.target(model), x, y


def test_values_of_trees_are_those_of_all_orders(forest: Any) -> None:
    target, x, _ = forest
    margin = margins(target.trees(), target.kind, 0)[0]
    features = [[0, 3], [1], [2], [4]]  # two columns that move together
    found = of_trees(margin, x[:6], x[50:53], features)
    score = lambda rows: value(margin, rows)  # noqa: E731
    expected = [np.mean([by_hand(score, row, r, features) for r in x[50:53]], axis=0) for row in x[:6]]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), score(x[:6]) - score(x[50:53]).mean(), atol=1e-12)


def test_sampled_values_near_the_exact_ones_and_add_up(forest: Any) -> None:
    target, x, _ = forest
    margin = margins(target.trees(), target.kind, 0)[0]
    features = [[at] for at in range(5)]
    exact = of_trees(margin, x[:20], x[50:55], features)
    near = sampled(lambda rows: value(margin, rows), x[:20], x[50:55], features, np.random.default_rng(0), 20)
    assert np.abs(near - exact).max() < 0.2 * np.abs(exact).max()
    np.testing.assert_allclose(near.sum(axis=1), exact.sum(axis=1), atol=1e-12)


def explained(score: Any, d: int = 6, n: int = 300, **more: Any) -> Any:
    x = np.random.default_rng(0).normal(size=(n, d))
    return Attribution(replicates=FEW, **more).measure(scene(Toy(score, ScoreKind.MARGIN), x, np.zeros(n, dtype=int)))


def test_a_linear_score_is_explained_exactly() -> None:
    measured = explained(lambda x: x @ WEIGHTS[:, None])
    assert (find(measured, "additivity").high or 1.0) < 1e-9
    assert find(measured, "draws_agreement").value == 1.0
    assert (find(measured, "background_agreement").low or 0.0) > 0.6
    assert (find(measured, "deletion").low or 0.0) > 0.2


def test_trees_are_explained_exactly_as_they_answer(forest: Any) -> None:
    target, x, y = forest
    measured = Attribution(replicates=FEW).measure(scene(target, x, y))
    assert (find(measured, "additivity").high or 1.0) < 1e-9
    assert find(measured, "additivity").caveats[0] == "exact by the trees"
    assert not [m for m in measured if m.metric == "draws_agreement"]


def test_reasons_that_hang_on_the_references_are_told() -> None:
    measured = explained(lambda x: np.sin(1e4 * x).sum(axis=1, keepdims=True), d=12)
    assert (find(measured, "background_agreement").high or 1.0) < 0.45


def test_reasons_that_do_not_matter_are_told() -> None:
    def parity(x: Any) -> Any:
        return np.sign(np.prod(np.sin(50 * x), axis=1, keepdims=True))

    deletion = find(explained(parity, d=8, rows=200), "deletion")
    assert (deletion.low or 0.0) <= 0.05
    assert (deletion.value or 0.0) < 0.5 * (find(explained(lambda x: x @ WEIGHTS[:, None]), "deletion").value or 0.0)


def test_an_answer_that_changes_from_call_to_call_does_not_add_up() -> None:
    calls = np.random.default_rng(0)
    measured = explained(lambda x: x @ WEIGHTS[:, None] + calls.normal(size=(len(x), 1)))
    assert (find(measured, "additivity").low or 0.0) > 0.01


# -- reason codes ---------------------------------------------------------------------------------------------------


class Fitted(Toy):
    """A least-squares score of its training rows."""

    access = Access.SCORES | Access.RETRAIN

    def __init__(self, data: Data) -> None:
        x = np.column_stack([data.x, np.ones(len(data.x))])
        w = np.linalg.lstsq(x, 2.0 * np.asarray(data.y) - 1, rcond=None)[0]
        super().__init__(lambda rows: rows @ w[:-1, None] + w[-1], ScoreKind.MARGIN)


def coded(n: int, same: bool) -> Scene:
    """A model of `n` training rows; with `same`, all columns but noise are copies of one another."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n + 400, 6))
    news = x @ WEIGHTS
    if same:
        x = news[:, None] + 0.01 * x
    y = (news + 0.5 * rng.normal(size=len(x)) > 0).astype(int)
    train = Data(x=x[:n], y=y[:n])
    return scene(
        Fitted(train), x[n:], y[n:], train=train, fit=lambda parts, recipe: [Fitted(part) for part in parts]
    )  # fmt: skip


def test_codes_of_a_well_fitted_model_hold() -> None:
    measured = ReasonCodes(replicates=FEW).measure(coded(3000, same=False))
    assert (find(measured, "right_direction").low or 0.0) > 0.95
    assert (find(measured, "refit_agreement").low or 0.0) > 0.8


def test_codes_of_columns_that_carry_the_same_news_change_with_every_fit() -> None:
    agreed = find(ReasonCodes(replicates=FEW, fits=3).measure(coded(60, same=True)), "refit_agreement")
    assert (agreed.high or 1.0) < 0.7


def test_without_training_rows_codes_are_not_compared() -> None:
    from dataclasses import replace

    measured = ReasonCodes(replicates=FEW).measure(replace(coded(300, same=False), train=None))
    assert find(measured, "refit_agreement").status is Status.UNTRIED
    assert find(measured, "right_direction").status is Status.OK
