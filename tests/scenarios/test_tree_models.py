"""Models of trees that are large or split on categories: attacked and certified end to end, or told why not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import temper
from temper.core.errors import TemperError
from temper.core.schema import Column, Mutability, Schema
from temper.core.target import Access
from temper.core.threat import Actor

pd = pytest.importorskip("pandas")
KINDS = tuple("pqrstu")
COSTLY = Mutability.COSTLY
SCHEMA = Schema(
    columns=(
        Column(name="a", low=0, high=10, attacker=COSTLY),
        Column(name="b", low=0, high=10, attacker=COSTLY),
        Column(name="kind", type="category", categories=KINDS, attacker=COSTLY),
    )
)
ONLY = ["evasion.tree_ascent", "validation.tree_bounds"]
N = 600


def table() -> tuple[Any, Any, Any]:
    """A frame with a category column, the matrix of its codes, and the truth; the category shifts the boundary."""
    draw = np.random.default_rng(0)
    kind = draw.integers(0, len(KINDS), N)
    frame = pd.DataFrame({"a": draw.uniform(0, 10, N), "b": draw.uniform(0, 10, N)})
    frame["kind"] = pd.Categorical.from_codes(kind, categories=list(KINDS))
    x = np.column_stack([frame[["a", "b"]].to_numpy(), kind])
    return frame, x, (x[:, 0] + 2.0 * (kind % 3) > 6).astype(int)


def lightgbm(frame: Any, y: Any) -> Any:
    module = pytest.importorskip("lightgbm")
    return module.LGBMClassifier(n_estimators=30, num_leaves=7, n_jobs=1, verbose=-1).fit(frame, y)


def xgboost(frame: Any, y: Any) -> Any:
    module = pytest.importorskip("xgboost")
    options = {"enable_categorical": True, "max_cat_to_onehot": 1, "nthread": 1}
    return module.XGBClassifier(n_estimators=30, max_depth=3, **options).fit(frame, y)


def histograms(frame: Any, y: Any) -> Any:
    module = pytest.importorskip("sklearn.ensemble")
    return module.HistGradientBoostingClassifier(max_iter=30, categorical_features="from_dtype").fit(frame, y)


def catboost(frame: Any, y: Any) -> Any:
    module = pytest.importorskip("catboost")
    options = {"cat_features": ["kind"], "allow_writing_files": False, "thread_count": 1, "verbose": 0}
    return module.CatBoostClassifier(iterations=30, **options).fit(frame.assign(kind=frame["kind"].astype(str)), y)


def assessed(model: Any, schema: Schema, x: Any, y: Any, store: Path) -> dict[str, Any]:
    """What the attack and the proof measure within a cost of 0.9, less than another category costs."""
    insider = Actor(name="insider", knowledge="white-box", queries=100, cost=0.9)
    system = temper.System(model=model, data=(x, y), schema=schema, name="trees", actors=(insider,))
    run = temper.assess(system, suite="quick", only=ONLY, engine="serial", store=store)
    return {f"{m.plugin}.{m.metric}": m for m in run.measurements}


def sound(found: dict[str, Any]) -> tuple[Any, Any]:
    """The attack's and the proof's share, which cannot both claim a row."""
    attacked, proven = found["evasion.tree_ascent.success_rate"], found["tree_bounds.certified_share"]
    assert attacked.value is not None
    assert proven.value is not None
    assert attacked.count + proven.count <= attacked.n
    return attacked, proven


@pytest.mark.parametrize("fit", [lightgbm, xgboost, histograms], ids=lambda fit: fit.__name__)
def test_native_category_splits_are_attacked_and_certified(fit: Any, tmp_path: Path) -> None:
    frame, x, y = table()
    attacked, proven = sound(assessed(fit(frame, y), SCHEMA, x[:60], y[:60], tmp_path))
    assert 0 < attacked.value < 1
    assert proven.count > 0
    assert attacked.count + proven.count + proven.undecided >= attacked.n


@pytest.mark.parametrize("fit", [lightgbm, xgboost, histograms], ids=lambda fit: fit.__name__)
def test_another_category_is_a_move_that_breaks_rows_on_the_model_itself(fit: Any) -> None:
    frame, x, y = table()
    model = fit(frame, y)
    fixed = tuple(Column(name=name, low=0, high=10) for name in "ab")
    schema = Schema(columns=(*fixed, SCHEMA.columns[2]))
    budget = temper.Budget(norm="linf", radius=1.0)
    target = temper.target(model, schema=schema)
    found = temper.attack(target, "evasion.tree_ascent", x[:80], y[:80], schema=schema, budget=budget)
    broken = found.verdicts == "broken"
    moved = frame[:80].assign(kind=pd.Categorical.from_codes(found.x_adv[:, 2].astype(int), categories=list(KINDS)))
    assert broken.any()
    assert (model.predict(moved)[broken] != y[:80][broken]).all()
    assert (found.x_adv[:, :2] == x[:80, :2]).all()
    others = [moved.assign(kind=pd.Categorical([k] * 80, categories=list(KINDS))) for k in KINDS]
    can = np.any([model.predict(other) != y[:80] for other in others], axis=0)
    assert (broken == can).all()


def test_catboost_categories_are_said_to_be_out_of_reach(tmp_path: Path) -> None:
    """CatBoost turns categories into counts that no split of its own names: no trees are offered, and that is said."""
    frame, x, y = table()
    target = temper.target(catboost(frame, y), schema=SCHEMA)
    assert Access.TREES not in target.access
    with pytest.raises(TemperError, match="needs trees"):
        temper.attack(target, "evasion.tree_ascent", x[:5], y[:5], schema=SCHEMA, budget=temper.Budget(radius=1.0))


@pytest.mark.slow
def test_ten_thousand_trees_are_attacked_and_certified_in_time(tmp_path: Path) -> None:
    module = pytest.importorskip("lightgbm")
    _, x, y = table()
    options = {"num_leaves": 4, "learning_rate": 0.002, "n_jobs": 1, "verbose": -1}
    model = module.LGBMClassifier(n_estimators=10_000, min_child_samples=50, **options).fit(x[:200, :2], y[:200])
    schema = Schema(columns=SCHEMA.columns[:2])
    start = time.process_time()
    attacked, proven = sound(assessed(model, schema, x[:20, :2], y[:20], tmp_path))
    assert time.process_time() - start < 60
    assert attacked.n == proven.n
    assert model.n_estimators_ == 10_000
