"""Trees read from every library score as the library does, on both sides of every cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.errors import ContractError, Unsupported
from temper.core.schema import Column, Schema
from temper.core.target import Access, ScoreKind
from temper.core.trees import TreeEnsemble
from temper.kernels import trees
from temper.kernels.loss import decide
from temper.targets import _trees_build as build
from temper.targets import open_target
from temper.targets._trees_ubj import decode
from temper.testing import target as laws

N, D = 400, 5
SINGLE = ("xgboost", "onnx")  # libraries that add up float32 leaves


def numbers(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def rows(seed: int = 0, gaps: float = 0.1) -> Any:
    """Numbers, small whole numbers and codes 0 to 5, with gaps."""
    rng = numbers(seed)
    x = rng.normal(size=(N, D)) * np.array([1.0, 1e-3, 1e4, 1.0, 1.0])
    x[:, 3] = np.round(2 * x[:, 3])
    x[:, 4] = rng.integers(0, 6, N)
    x[rng.random(x.shape) < gaps] = np.nan
    return x


def truth(x: Any, classes: int) -> Any:
    """Class numbers that lean on every column and hold every class."""
    z = np.nan_to_num(x) / np.array([1.0, 1e-3, 1e4, 2.0, 1.0])
    total = z[:, 0] + z[:, 1] * z[:, 2] + z[:, 3] + 2 * np.isin(z[:, 4], (1, 4))
    return np.digitize(total, np.quantile(total, np.arange(1, classes) / classes))


def beside(cuts: Any) -> Any:
    """Every cut, its float32 neighbours, and the float64 neighbours of all of them."""
    with np.errstate(over="ignore"):
        near = np.asarray(cuts).astype(np.float32)
        singles = [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
        points = np.concatenate([cuts, *(s.astype(np.float64) for s in singles)])
        points = np.unique(np.concatenate([points, np.nextafter(points, np.inf), np.nextafter(points, -np.inf)]))
    return points[np.abs(points) <= float(np.finfo(np.float32).max)]


def asked(ensemble: TreeEnsemble, x: Any, most: int = 600) -> Any:
    """The rows, and rows with one column moved beside a cut of it."""
    offsets, cuts = trees.thresholds(ensemble)
    parts = [x]
    for at in range(ensemble.features):
        points = beside(cuts[offsets[at] : offsets[at + 1]])
        points = points[:: max(len(points) // most, 1)]
        part = x[np.arange(len(points)) % len(x)]
        part[:, at] = points
        parts.append(part)
    return np.concatenate(parts)


def same(target: Any, x: Any) -> None:
    """The ensemble scores as the target: up to the order of summation."""
    assert Access.TREES in target.access
    ensemble = target.trees()
    points = asked(ensemble, x)
    loose = 1e-5 if target.name in SINGLE else 1e-9
    np.testing.assert_allclose(trees.scores(ensemble, points), target.scores(points), rtol=loose, atol=loose)
    children = np.flatnonzero(ensemble.feature >= 0)
    assert (np.minimum(ensemble.left, ensemble.right)[children] > children).all()


# -- XGBoost --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"booster": "dart", "rate_drop": 0.5},
        {"grow_policy": "lossguide", "max_leaves": 7},
        {"tree_method": "exact", "gamma": 1.0},
        {"num_parallel_tree": 2, "base_score": 0.2},
        {"enable_categorical": True, "feature_types": ["q"] * 4 + ["c"], "max_cat_to_onehot": 1},
        {"enable_categorical": True, "feature_types": ["q"] * 4 + ["c"], "max_cat_to_onehot": 9},
    ],
    ids=lambda o: "-".join(f"{k}={v}" for k, v in o.items() if k != "feature_types") or "plain",
)
def test_xgboost_is_read_exactly(options: dict[str, Any], classes: int) -> None:
    from xgboost import XGBClassifier

    x = rows()
    model = XGBClassifier(n_estimators=6, max_depth=4, n_jobs=1, **options).fit(x, truth(x, classes))
    same(open_target(model), x)
    same(open_target(model, kind=ScoreKind.MARGIN if classes == 2 else ScoreKind.LOGITS), x)


def test_a_category_xgboost_never_saw_is_read_as_xgboost_reads_it() -> None:
    from xgboost import XGBClassifier

    x = rows()
    types = ["q"] * 4 + ["c"]
    model = XGBClassifier(n_estimators=6, enable_categorical=True, feature_types=types, max_cat_to_onehot=1)
    target = open_target(model.fit(x, truth(x, 2)))
    odd = x[:12].copy()
    odd[:, 4] = [-3, -0.5, -1e-9, 0.3, 2.7, 5.999999999999, 6, 40, 1e9, -0.0, 1e-50, 3]
    np.testing.assert_allclose(trees.scores(target.trees(), odd), target.scores(odd), atol=1e-6)


def test_xgboost_stopped_early_is_read_up_to_its_best_round() -> None:
    from xgboost import XGBClassifier

    x, y = rows(), truth(rows(), 2)
    model = XGBClassifier(n_estimators=40, learning_rate=1.0, early_stopping_rounds=2, n_jobs=1)
    target = open_target(model.fit(x, y, eval_set=[(x[:60], 1 - y[:60])], verbose=False))
    assert target.trees().trees < 40
    same(target, x)


@pytest.mark.parametrize("objective", ["reg:squarederror", "reg:absoluteerror", "reg:quantileerror"])
def test_xgboost_values_are_read_exactly(objective: str) -> None:
    from xgboost import XGBRegressor

    x = rows()
    more = {"quantile_alpha": 0.3} if objective == "reg:quantileerror" else {}
    same(open_target(XGBRegressor(n_estimators=6, objective=objective, **more).fit(x, truth(x, 9))), x)


# -- LightGBM -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("gaps", [0.0, 0.1])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"zero_as_missing": True},
        {"use_missing": False},
        {"boosting_type": "rf", "subsample": 0.5, "subsample_freq": 1},
        {"boosting_type": "dart"},
        {"categorical_feature": [3, 4], "min_data_per_group": 1, "cat_smooth": 1},
        {"objective": "multiclassova"},
    ],
    ids=lambda o: "-".join(o) or "plain",
)
def test_lightgbm_is_read_exactly(options: dict[str, Any], gaps: float, classes: int) -> None:
    from lightgbm import LGBMClassifier

    if options.get("objective") and classes == 2:
        options = {"sigmoid": 2.5}
    x = rows(gaps=gaps)
    more = {"categorical_feature": options.get("categorical_feature", "auto")}
    plain = {name: value for name, value in options.items() if name not in more}
    x[:, 3] = np.abs(x[:, 3])
    model = LGBMClassifier(n_estimators=5, num_leaves=9, n_jobs=1, verbose=-1, **plain)
    with_gaps = x.copy()
    with_gaps[numbers(9).random(x.shape) < 0.1] = np.nan
    target = open_target(model.fit(x, truth(x, classes), **more))
    same(target, with_gaps)
    odd = with_gaps[:12].copy()
    odd[:, 3] = odd[:, 4] = [-3, -1, -0.5, -1e-9, 1e-35, -1e-35, 0.3, 5.9999, 40, 1e-50, -0.0, float(np.float32(1e-35))]
    np.testing.assert_allclose(trees.scores(target.trees(), odd), target.scores(odd), atol=1e-9)


# -- scikit-learn ---------------------------------------------------------------------------------------------------


def estimators() -> Iterator[Any]:
    from sklearn import ensemble, tree
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

    small = {"random_state": 0, "max_depth": 5}
    hist = {"max_iter": 5, "random_state": 0}
    yield tree.DecisionTreeClassifier(**small), True
    yield tree.ExtraTreeClassifier(**small), True
    yield tree.DecisionTreeRegressor(**small), True
    yield ensemble.RandomForestClassifier(5, **small), True
    yield ensemble.ExtraTreesClassifier(5, **small), True
    yield ensemble.RandomForestRegressor(5, **small), True
    yield ensemble.GradientBoostingClassifier(n_estimators=5), False
    yield ensemble.GradientBoostingClassifier(n_estimators=5, init="zero"), False
    yield ensemble.GradientBoostingRegressor(n_estimators=5, loss="huber"), False
    yield ensemble.HistGradientBoostingClassifier(**hist), True
    yield ensemble.HistGradientBoostingClassifier(categorical_features=[3, 4], **hist), True
    yield ensemble.HistGradientBoostingRegressor(categorical_features=[4], **hist), True
    for scaler in (StandardScaler(), MinMaxScaler(), MaxAbsScaler(), RobustScaler()):
        yield make_pipeline("passthrough", scaler, ensemble.RandomForestClassifier(5, **small)), True
        yield make_pipeline(scaler, StandardScaler(), ensemble.HistGradientBoostingClassifier(**hist)), True


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("model", "gaps"), list(estimators()), ids=lambda m: str(m)[:60].replace("\n", ""))
def test_scikit_learn_is_read_exactly(model: Any, gaps: bool, classes: int) -> None:
    from sklearn.base import clone

    x = rows(gaps=0.1 if gaps else 0.0)
    same(open_target(clone(model).fit(x, truth(x, classes))), x)


def test_an_exponential_loss_bends_the_link() -> None:
    from sklearn.ensemble import GradientBoostingClassifier

    x = rows(gaps=0.0)
    model = GradientBoostingClassifier(n_estimators=5, loss="exponential").fit(x, truth(x, 2))
    same(open_target(model), x)
    same(open_target(model, kind=ScoreKind.MARGIN), x)


# -- CatBoost and ONNX ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("policy", ["SymmetricTree", "Lossguide", "Depthwise"])
@pytest.mark.parametrize("mode", ["Min", "Max"])
def test_catboost_is_read_exactly(policy: str, mode: str, classes: int) -> None:
    x = rows()
    same(open_target(cat(grow_policy=policy, nan_mode=mode).fit(x, truth(x, classes))), x)


def cat(**options: Any) -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(
        iterations=5, depth=4, thread_count=1, verbose=False, allow_writing_files=False, **options
    )


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["RandomForestClassifier", "GradientBoostingClassifier", "DecisionTreeRegressor"])
def test_an_exported_forest_is_read_exactly(name: str, classes: int) -> None:
    from skl2onnx import to_onnx
    from sklearn import ensemble, tree

    x = rows(gaps=0.0).astype(np.float32).astype(float)
    model = getattr(ensemble, name, None) or getattr(tree, name)
    fitted = model(random_state=0, max_depth=3).fit(x, truth(x, classes))
    exported = to_onnx(fitted, x[:1].astype(np.float32)).SerializeToString()
    same(open_target(exported, kind=ScoreKind.VALUE if name.endswith("Regressor") else None), rows())


MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE", "BRANCH_EQ", "BRANCH_NEQ")


@pytest.mark.parametrize("double", [False, True])
def test_every_comparison_onnx_knows_is_read_exactly(double: bool) -> None:
    x = rows()
    x[:40, :4] = np.array([0.5, -0.3, 1.0, 2.0], dtype=np.float32)
    same(open_target(stumps(double), kind=ScoreKind.VALUE), x)


def stumps(double: bool) -> bytes:
    """One stump per comparison and way of missing, over the first four columns."""
    from onnx import TensorProto, helper

    count = 2 * len(MODES)
    single = [float(np.float32(v)) for v in (0.5, -0.3, 1.0, 2.0)]
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["value"],
        domain="ai.onnx.ml",
        nodes_treeids=np.repeat(np.arange(count), 3).tolist(),
        nodes_nodeids=[0, 1, 2] * count,
        nodes_modes=[mode for at in range(count) for mode in (MODES[at % 6], "LEAF", "LEAF")],
        nodes_featureids=[part for at in range(count) for part in (at % 4, 0, 0)],
        nodes_values=[part for at in range(count) for part in (single[at % 4], 0.0, 0.0)],
        nodes_truenodeids=[1, 0, 0] * count,
        nodes_falsenodeids=[2, 0, 0] * count,
        nodes_missing_value_tracks_true=[part for at in range(count) for part in (int(at < 6), 0, 0)],
        target_treeids=np.repeat(np.arange(count), 2).tolist(),
        target_nodeids=[1, 2] * count,
        target_ids=[0] * (2 * count),
        target_weights=[float(2**at) * side for at in range(count) for side in (1.0, -1.0)],
        n_targets=1,
        base_values=[0.25],
    )
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    given = helper.make_tensor_value_info("x", kind, [None, D])
    found = helper.make_tensor_value_info("value", TensorProto.FLOAT, [None, 1])
    versions = [helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 15)]
    graph = helper.make_graph([node], "stumps", [given], [found])
    return bytes(helper.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString())


# -- codes of the schema --------------------------------------------------------------------------------------------

NUMBERED = ("4", "1", "10", "2.5", "3", "7")
NAMED = ("blue", "red", "7", "green", "white", "grey")


def schema(names: tuple[str, ...]) -> Schema:
    return Schema(columns=(*(Column(name=c) for c in "abcd"), Column(name="e", type="category", categories=names)))


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "sklearn"])
def test_a_category_named_by_a_number_is_asked_by_its_code(library: str) -> None:
    x = rows()
    codes = np.array([*map(float, NUMBERED), np.nan])
    fed = x.copy()
    fed[:, 4] = codes[np.where(np.isnan(x[:, 4]), -1, x[:, 4]).astype(int)]
    target = open_target(plain(library).fit(fed, truth(x, 2)), schema=schema(NUMBERED))
    same(target, x)
    odd = x[:4].copy()
    odd[:, 4] = [-1, 6, 2.5, 99]
    np.testing.assert_allclose(trees.scores(target.trees(), odd), target.scores(odd), atol=1e-6)


def plain(library: str) -> Any:
    if library == "xgboost":
        from xgboost import XGBClassifier

        return XGBClassifier(n_estimators=5, n_jobs=1)
    if library == "lightgbm":
        from lightgbm import LGBMClassifier

        return LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1)
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=5)


def on_codes(target: Any, x: Any) -> None:
    """Numbers beside every cut, each with every code and none."""
    points = asked(target.trees(), x, most=100)
    points[:, 4] = np.resize([0, 1, 2, 3, 4, 5, np.nan], len(points))
    np.testing.assert_allclose(trees.scores(target.trees(), points), target.scores(points), atol=1e-6)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "sklearn"])
def test_categories_by_name_are_asked_by_their_codes(library: str) -> None:
    """The model has the names in another order than the schema, and one of them never came up."""
    import pandas as pd

    x = rows()
    x[x[:, 4] == 5, 4] = 2
    frame = pd.DataFrame(x[:, :4], columns=list("abcd"))
    names = np.array([*NAMED, None], dtype=object)[np.where(np.isnan(x[:, 4]), -1, x[:, 4]).astype(int)]
    frame["e"] = pd.Categorical(names, categories=sorted(NAMED[:5]))
    model = plain(library)
    model.set_params(**{"xgboost": {"enable_categorical": True, "max_cat_to_onehot": 1}}.get(library, {}))
    model.set_params(**{"sklearn": {"categorical_features": "from_dtype"}}.get(library, {}))
    on_codes(open_target(model.fit(frame, truth(x, 2)), schema=schema(NAMED)), x)


@pytest.mark.parametrize("policy", ["SymmetricTree", "Lossguide"])
def test_catboost_s_one_hot_categories_are_asked_by_their_codes(policy: str) -> None:
    from temper.targets.frame import to_frame

    x = rows()
    frame = to_frame(x, schema(NAMED))
    frame["e"] = frame["e"].where(frame["e"].notna(), "nan").astype(str)
    model = cat(one_hot_max_size=20, grow_policy=policy)
    target = open_target(model.fit(frame, truth(x, 2), cat_features=["e"]), schema=schema(NAMED))
    assert Access.TREES in target.access
    on_codes(target, x)


# -- what cannot be read --------------------------------------------------------------------------------------------


def unreadable() -> dict[str, Callable[[Any, Any], Any]]:
    return {
        "xgboost linear": lambda x, y: _xgb(booster="gblinear").fit(x, y),
        "xgboost counts": lambda x, y: _xgb(objective="count:poisson").fit(x, y),
        "lightgbm counts": lambda x, y: _lgb(objective="poisson").fit(x, y),
        "lightgbm linear": lambda x, y: _lgb(linear_tree=True).fit(x, y.astype(float)),
        "scikit-learn counts": lambda x, y: _hist(loss="poisson").fit(x, y),
        "scikit-learn quantiles": _behind_quantiles,
    }


def _xgb(**options: Any) -> Any:
    from xgboost import XGBRegressor

    return XGBRegressor(n_estimators=2, **options)


def _lgb(**options: Any) -> Any:
    from lightgbm import LGBMRegressor

    return LGBMRegressor(n_estimators=2, verbose=-1, **options)


def _hist(**options: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(max_iter=2, **options)


def _behind_quantiles(x: Any, y: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer
    from sklearn.tree import DecisionTreeClassifier

    return make_pipeline(QuantileTransformer(n_quantiles=50), DecisionTreeClassifier(max_depth=2)).fit(x, y)


@pytest.mark.parametrize("name", list(unreadable()))
def test_what_is_no_sum_of_trees_says_so(name: str) -> None:
    x = rows(gaps=0.0)
    target: Any = open_target(unreadable()[name](x, truth(x, 3)))
    assert Access.TREES not in target.access
    with pytest.raises(Unsupported):
        target.trees()


def test_catboost_s_statistics_of_categories_cannot_be_read() -> None:
    from temper.targets.frame import to_frame

    x = rows(gaps=0.0)
    model = cat(one_hot_max_size=2).fit(to_frame(x, schema(NAMED)), truth(x, 2), cat_features=["e"])
    assert Access.TREES not in open_target(model, schema=schema(NAMED)).access


def test_exchanged_classes_exchange_the_trees() -> None:
    from sklearn.ensemble import RandomForestClassifier
    from xgboost import XGBClassifier

    x = rows()
    for model in (XGBClassifier(n_estimators=4), RandomForestClassifier(4, max_depth=4)):
        target: Any = open_target(model.fit(x, truth(x, 2)), positive=0)
        points = asked(target.trees(), x)
        np.testing.assert_allclose(trees.scores(target.trees(), points), target.scores(points), atol=1e-6)


# -- the kernels ----------------------------------------------------------------------------------------------------

VALUES = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_moved_thresholds_compare_as_the_library_does(x: float, t: float) -> None:
    with np.errstate(over="ignore"):
        near, single = np.float32(t), np.float32(x)
    for value in (x, t, *beside([t]), *beside([float(build.below(near))])):
        with np.errstate(over="ignore"):
            single = np.float32(value)
        assert (value < build.below(near)) == (single < near)
        assert (value < build.at_most(np.array(t))) == (value <= t)
        if np.isfinite(near):
            assert (value < build.at_most_single(np.array(t))) == (float(single) <= t)


@given(st.lists(st.integers(-5, 5), unique=True, max_size=6).map(sorted), st.data())
def test_a_chain_of_nodes_says_what_its_rule_says(cuts: list[int], data: Any) -> None:
    sides = data.draw(st.lists(st.booleans(), min_size=len(cuts) + 1, max_size=len(cuts) + 1))
    rule = build.Rule(tuple(map(float, cuts)), tuple(sides), data.draw(st.booleans()))
    ensemble = build.assemble(one_split({0: rule}), np.zeros(1), 1, "identity")
    x = np.array([*np.arange(-7, 7, 0.5), np.nan, np.inf, -np.inf])[:, None]
    assert trees.raw(ensemble, x)[:, 0].tolist() == [1.0 if rule.goes_left(float(v)) else 2.0 for v in x[:, 0]]


def one_split(rules: dict[int, build.Rule]) -> build.Nodes:
    return build.Nodes(
        feature=np.array([0, -1, -1]),
        threshold=np.zeros(3),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        missing_left=np.zeros(3, dtype=bool),
        value=np.array([[0.0], [1.0], [2.0]]),
        root=np.zeros(1, dtype=np.int64),
        rules=rules,
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 3]), st.integers(1, 6), st.floats(0.0, 0.4))
def test_random_models_are_read_exactly(seed: int, classes: int, depth: int, gaps: float) -> None:
    import lightgbm
    from xgboost import XGBClassifier

    x = rows(seed, gaps)
    y = truth(x, classes)
    same(open_target(XGBClassifier(n_estimators=3, max_depth=depth, n_jobs=1, seed=seed).fit(x, y)), x)
    model = lightgbm.LGBMClassifier(n_estimators=3, num_leaves=2**depth, n_jobs=1, verbose=-1, min_child_samples=5)
    same(open_target(model.fit(x, y)), x)


def grown(kind: str, classes: int) -> tuple[Any, Any]:
    from sklearn.ensemble import RandomForestClassifier
    from xgboost import XGBClassifier

    x = rows()
    model = (
        RandomForestClassifier(6, max_depth=4, random_state=0) if kind == "forest" else XGBClassifier(n_estimators=6)
    )
    return open_target(model.fit(x, truth(x, classes))), x


@pytest.mark.parametrize("level", [None, 0.5, 0.3])
@pytest.mark.parametrize("kind", ["forest", "boosted"])
@pytest.mark.parametrize("goal", ["misclassify", 0, 1])
def test_the_sign_of_a_margin_is_success(kind: str, level: float | None, goal: Any) -> None:
    target, x = grown(kind, 2)
    decided = np.asarray(decide(target.scores(x), target.kind, level))
    for y in (0, 1):
        (margin,) = trees.margins(target.trees(), target.kind, y, level, goal)
        won = decided != y if goal == "misclassify" else decided == goal
        value = trees.value(margin, x)
        sure = np.abs(value) > 1e-6
        assert sure.mean() > 0.9
        assert ((value > 0) == won)[sure].all()


@pytest.mark.parametrize("kind", ["forest", "boosted"])
def test_one_margin_for_each_other_class(kind: str) -> None:
    target, x = grown(kind, 3)
    decided = np.asarray(decide(target.scores(x), target.kind, None))
    found = trees.margins(target.trees(), target.kind, 1)
    values = np.stack([trees.value(margin, x) for margin in found])
    sure = (np.abs(values) > 1e-6).all(axis=0)
    assert len(found) == 2
    assert ((values > 0).any(axis=0) == (decided != 1))[sure].all()
    wanted = trees.margins(target.trees(), target.kind, 0, goal=2)
    values = np.stack([trees.value(margin, x) for margin in wanted])
    sure = (np.abs(values) > 1e-6).all(axis=0)
    assert ((values > 0).all(axis=0) == (decided == 2))[sure].all()


def test_a_margin_leaves_out_the_trees_of_other_classes() -> None:
    target, _ = grown("boosted", 3)
    assert target.trees().trees == 18
    assert [len(margin.root) for margin in trees.margins(target.trees(), target.kind, 0)] == [12, 12]


def test_value_margins_are_positive_beyond_the_tolerance() -> None:
    ensemble = build.assemble(one_split({}), np.array([10.0]), 1, "identity")
    up, down = trees.value_margins(ensemble, clean=11.25, tolerance=0.5)
    np.testing.assert_allclose(trees.value(up, [[-1.0], [1.0]]), [-0.75, 0.25])
    np.testing.assert_allclose(trees.value(down, [[-1.0], [1.0]]), [-0.25, -1.25])
    with pytest.raises(Unsupported):
        trees.margins(ensemble, ScoreKind.VALUE, 0)


def test_cuts_are_those_of_the_trees_in_use() -> None:
    target, _ = grown("boosted", 3)
    ensemble = target.trees()
    offsets, cuts = trees.thresholds(ensemble)
    inner = ensemble.feature >= 0
    for at in range(D):
        own = cuts[offsets[at] : offsets[at + 1]]
        assert own.tolist() == np.unique(ensemble.threshold[inner & (ensemble.feature == at)]).tolist()
    kept, fewer = trees.thresholds(trees.margins(ensemble, target.kind, 0)[0])
    assert len(fewer) < len(cuts)
    assert len(kept) == D + 1


def test_ubj_is_read_as_written() -> None:
    assert decode(b"[i\xffU\xffI\xff\x00TFZ[]{}]") == [-1, 255, -256, True, False, None, [], {}]
    assert decode(b"[$d#i\x02?\x80\x00\x00@\x00\x00\x00").tolist() == [1.0, 2.0]
    with pytest.raises(ContractError, match="UBJSON"):
        decode(b"{U\x05a")


def test_every_reader_keeps_the_law_of_trees() -> None:
    x = rows(gaps=0.0)
    for model in (*map(plain, ("xgboost", "lightgbm", "sklearn")), cat()):
        laws.law_trees_are_the_model(open_target(model.fit(x, truth(x, 3))), x)


@pytest.mark.slow
def test_ten_thousand_trees_are_read_in_seconds() -> None:
    import time

    from xgboost import XGBClassifier

    x = rows()
    target: Any = open_target(XGBClassifier(n_estimators=10_000, max_depth=5, n_jobs=1).fit(x, truth(x, 2)))
    started = time.process_time()
    ensemble = target.trees()
    assert time.process_time() - started < 10.0
    assert ensemble.trees == 10_000
    np.testing.assert_allclose(trees.scores(ensemble, x), target.scores(x), atol=1e-4)
