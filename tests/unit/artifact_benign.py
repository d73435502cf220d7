# ruff: noqa: E501
"""Ordinary model files, saved the way their libraries' documents say, with other settings than the allow-list saw."""

from __future__ import annotations

import pickle
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from scripts.allow_list import fitted

RANDOM = np.random.default_rng(7)
X = np.abs(RANDOM.normal(size=(300, 6)))
Y = (X[:, 0] + 0.3 * RANDOM.normal(size=300) > 0.7).astype(int)


def estimators(folder: Path) -> Iterator[Path]:
    """Every fitted scikit-learn estimator, in turn as joblib, pickle 2, 4 and 5."""
    for number, (name, model) in enumerate(fitted()):
        path = folder / f"{number:03d}-{name.replace(' ', '-')}.{'joblib' if number % 4 == 0 else 'pkl'}"
        try:
            if number % 4 == 0:
                joblib.dump(model, path)
            else:
                path.write_bytes(pickle.dumps(model, protocol=(2, 4, 5)[number % 4 - 1]))
        except (pickle.PicklingError, AttributeError):
            path.unlink(missing_ok=True)  # holds a lambda of scikit-learn's own tests
            continue
        yield path


def pipelines() -> dict[str, Any]:
    """What people put together: pipelines, searches, calibrated, stacked and voting models with settings of their own."""
    import sklearn.ensemble as e
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.decomposition import PCA
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.feature_selection import RFECV, SelectKBest, mutual_info_classif
    from sklearn.gaussian_process import GaussianProcessClassifier
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel
    from sklearn.impute import KNNImputer, SimpleImputer
    from sklearn.linear_model import ElasticNetCV, LogisticRegression, Ridge, SGDClassifier
    from sklearn.metrics import make_scorer, roc_auc_score
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, StratifiedKFold
    from sklearn.neighbors import KernelDensity, KNeighborsClassifier, LocalOutlierFactor
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import (
        FunctionTransformer,
        KBinsDiscretizer,
        OneHotEncoder,
        OrdinalEncoder,
        PowerTransformer,
        QuantileTransformer,
        SplineTransformer,
        StandardScaler,
        TargetEncoder,
    )
    from sklearn.svm import SVC, NuSVC

    table = np.array([["a", 1.0], ["b", 2.0], ["c", np.nan]] * 100, dtype=object)
    coded = ColumnTransformer(
        [
            ("one", OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2), [0]),
            ("n", SimpleImputer(add_indicator=True), [1]),
        ],
        remainder="passthrough",
    )
    grid = GridSearchCV(
        e.RandomForestClassifier(random_state=0), {"max_depth": [2, 4]}, cv=StratifiedKFold(3), scoring="roc_auc"
    )
    texts = ["good service", "bad food", "good food", "bad service"] * 20
    words = [0, 1, 0, 1] * 20
    models = {
        "coded": make_pipeline(coded, LogisticRegression(C=0.3)).fit(table, Y),
        "ordinal": make_pipeline(
            ColumnTransformer([("o", OrdinalEncoder(), [0])]), e.HistGradientBoostingClassifier()
        ).fit(table, Y),
        "target": make_pipeline(ColumnTransformer([("o", TargetEncoder(), [0])]), SGDClassifier()).fit(table, Y),
        "grid": grid.fit(X, Y),
        "random": RandomizedSearchCV(
            SVC(probability=False), {"C": [0.1, 1, 10]}, n_iter=2, random_state=np.random.RandomState(3)
        ).fit(X, Y),
        "scored": GridSearchCV(LogisticRegression(), {"C": [1]}, scoring=make_scorer(roc_auc_score)).fit(X, Y),
        "isotonic": CalibratedClassifierCV(e.GradientBoostingClassifier(subsample=0.5), method="isotonic").fit(X, Y),
        "stacked": e.StackingClassifier(
            [("a", KNeighborsClassifier(algorithm="ball_tree", metric="manhattan")), ("b", NuSVC(nu=0.2))]
        ).fit(X, Y),
        "voting": e.VotingClassifier(
            [
                ("a", MLPClassifier((4,), solver="sgd", max_iter=5)),
                ("b", MLPClassifier((3,), early_stopping=True, max_iter=5)),
            ]
        ).fit(X, Y),
        "process": GaussianProcessClassifier(RBF(2.0) + WhiteKernel(0.1)).fit(X[:60], Y[:60]),
        "union": make_pipeline(
            FeatureUnion([("p", PCA(2)), ("k", SelectKBest(mutual_info_classif, k=2))]), Ridge()
        ).fit(X, Y),
        "log": make_pipeline(FunctionTransformer(np.log1p, np.expm1), StandardScaler(), ElasticNetCV()).fit(X, X[:, 1]),
        "target log": TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1).fit(X, X[:, 1]),
        "powers": make_pipeline(
            PowerTransformer(),
            QuantileTransformer(n_quantiles=20),
            SplineTransformer(),
            KBinsDiscretizer(),
            LogisticRegression(),
        ).fit(X, Y),
        "hist": e.HistGradientBoostingClassifier(
            early_stopping=True, max_iter=20, monotonic_cst=[1, 0, 0, 0, 0, 0]
        ).fit(X, Y),
        "quantile": e.HistGradientBoostingRegressor(loss="quantile", quantile=0.9, max_iter=9).fit(X, X[:, 2]),
        "huber": e.GradientBoostingRegressor(loss="huber", n_estimators=9).fit(X, X[:, 2]),
        "ada": e.AdaBoostClassifier(e.ExtraTreesClassifier(3), n_estimators=3).fit(X, Y),
        "bagged": e.BaggingClassifier(SVC(), n_estimators=3, random_state=np.random.default_rng(0).integers(9)).fit(
            X, Y
        ),
        "isolation": e.IsolationForest(n_estimators=9).fit(X),
        "outlier": LocalOutlierFactor(novelty=True).fit(X),
        "density": KernelDensity(kernel="epanechnikov").fit(X),
        "imputed": make_pipeline(KNNImputer(), RFECV(LogisticRegression(), cv=3)).fit(X, Y),
        "counts": make_pipeline(
            CountVectorizer(ngram_range=(1, 2), token_pattern=r"\b\w+\b"), LogisticRegression()
        ).fit(texts, words),
        "tfidf": make_pipeline(
            TfidfVectorizer(sublinear_tf=True, analyzer="char_wb"), SGDClassifier(loss="log_loss")
        ).fit(texts, words),
        "multi": LogisticRegression().fit(X, RANDOM.integers(0, 4, 300)),
        "dictionary": {
            "model": LogisticRegression().fit(X, Y),
            "columns": list("abcdef"),
            "threshold": 0.3,
            "scaler": StandardScaler().fit(X),
        },
        "tuple": (e.ExtraTreesRegressor(4).fit(X, X[:, 0]), np.arange(5), {"when": np.datetime64("2024-01-01")}),
    }
    return models


def boosted() -> dict[str, Any]:
    """Boosters by their scikit-learn faces and bare, with callbacks' traces, categories and early stopping."""
    import lightgbm
    import pandas as pd
    import xgboost

    frame = pd.DataFrame(X, columns=list("abcdef")).assign(kind=pd.Categorical(np.where(Y, "x", "y")))
    quiet = {"verbose": -1, "n_jobs": 1, "n_estimators": 8}
    return {
        "xgb": xgboost.XGBClassifier(n_estimators=8, n_jobs=1).fit(X, Y),
        "xgb categories": xgboost.XGBClassifier(n_estimators=8, enable_categorical=True, n_jobs=1).fit(frame, Y),
        "xgb early": xgboost.XGBClassifier(n_estimators=20, early_stopping_rounds=3, n_jobs=1, eval_metric="auc").fit(
            X, Y, eval_set=[(X, Y)], verbose=False
        ),
        "xgb regressor": xgboost.XGBRegressor(n_estimators=8, objective="reg:absoluteerror", n_jobs=1).fit(X, X[:, 0]),
        "xgb forest": xgboost.XGBRFClassifier(n_estimators=4, n_jobs=1).fit(X, Y),
        "xgb linear": xgboost.XGBRegressor(booster="gblinear", n_jobs=1).fit(X, X[:, 0]),
        "xgb dart": xgboost.XGBClassifier(booster="dart", n_estimators=4, rate_drop=0.1, n_jobs=1).fit(X, Y),
        "xgb bare": xgboost.train({"max_depth": 3, "nthread": 1}, xgboost.DMatrix(X, Y), 8),
        "lgb": lightgbm.LGBMClassifier(**quiet).fit(X, Y),
        "lgb categories": lightgbm.LGBMClassifier(**quiet).fit(frame, Y),
        "lgb regressor": lightgbm.LGBMRegressor(objective="quantile", **quiet).fit(X, X[:, 0]),
        "lgb early": lightgbm.LGBMClassifier(**quiet).fit(
            X, Y, eval_set=[(X, Y)], callbacks=[lightgbm.early_stopping(3, verbose=False)]
        ),
        "lgb bare": lightgbm.train(
            {"verbose": -1, "num_threads": 1, "linear_tree": True}, lightgbm.Dataset(X, X[:, 1]), 8
        ),
    }


SAVE: dict[str, Callable[[Any, str], Any]] = {
    "pickle0.pkl": lambda model, path: Path(path).write_bytes(pickle.dumps(model, protocol=0)),
    "pickle3.pkl": lambda model, path: Path(path).write_bytes(pickle.dumps(model, protocol=3)),
    "plain.joblib": joblib.dump,
    "zlib.joblib": lambda model, path: joblib.dump(model, path, compress=3),
    "gzip.joblib.gz": lambda model, path: joblib.dump(model, path, compress=("gzip", 3)),
    "bz2.joblib.bz2": lambda model, path: joblib.dump(model, path, compress=("bz2", 3)),
    "xz.joblib.xz": lambda model, path: joblib.dump(model, path, compress=("xz", 3)),
    "lzma.joblib.lzma": lambda model, path: joblib.dump(model, path, compress=("lzma", 3)),
    "by-hand.joblib.z": lambda model, path: Path(path).write_bytes(zlib.compress(pickle.dumps(model))),
}


def saved(folder: Path) -> Iterator[Path]:
    """Pipelines and boosters, each in two of the ways of saving, all ways in turn."""
    ways = list(SAVE.items())
    for number, (name, model) in enumerate([*pipelines().items(), *boosted().items()]):
        for step in (0, 4):
            ending, save = ways[(number + step) % len(ways)]
            path = folder / f"{name.replace(' ', '-')}.{ending}"
            save(model, str(path))
            yield path


def native(folder: Path) -> Iterator[Path]:
    """The libraries' own formats."""
    import catboost
    import xgboost

    for name, model in boosted().items():
        booster = model.get_booster() if hasattr(model, "get_booster") else getattr(model, "booster_", model)
        for ending in (".json", ".ubj", ".model") if isinstance(booster, xgboost.Booster) else (".txt",):
            path = folder / f"{name.replace(' ', '-')}{ending}"
            booster.save_model(str(path))
            yield path
    cat = catboost.CatBoostClassifier(iterations=5, verbose=False, thread_count=1, allow_writing_files=False).fit(X, Y)
    for ending in ("cbm", "joblib"):
        path = folder / f"cat.{ending}"
        cat.save_model(str(path)) if ending == "cbm" else joblib.dump(cat, path)
        yield path
    np.savez(folder / "arrays.npz", a=X, b=Y)
    np.savez_compressed(folder / "packed.npz", a=X, words=np.array(["a", "b"]))
    np.save(folder / "array.npy", X)
    yield from (folder / name for name in ("arrays.npz", "packed.npz", "array.npy"))


def skops(folder: Path) -> Iterator[Path]:
    """Pipelines as skops."""
    import skops.io

    for name, model in pipelines().items():
        path = folder / f"{name.replace(' ', '-')}.skops"
        try:
            skops.io.dump(model, path)
        except Exception:  # skops has no node for everything, such as a datetime64
            continue
        yield path


def torch(folder: Path) -> Iterator[Path]:
    """Weights old and new, scripted, traced and exported programs, safetensors."""
    import torch as t
    from safetensors.torch import save_file

    net = t.nn.Sequential(
        t.nn.Conv2d(1, 4, 3), t.nn.BatchNorm2d(4), t.nn.ReLU(), t.nn.Flatten(), t.nn.Linear(4 * 36, 3)
    ).eval()
    example = t.zeros(1, 1, 8, 8)
    optimiser = t.optim.Adam(net.parameters())
    optimiser.zero_grad()
    net(example).sum().backward()
    optimiser.step()
    t.save(net.state_dict(), folder / "weights.pt")
    t.save(net.state_dict(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    t.save(
        {"epoch": 3, "model": net.state_dict(), "optimiser": optimiser.state_dict(), "loss": 0.1}, folder / "check.ckpt"
    )
    t.save({"half": t.zeros(3, dtype=t.bfloat16), "many": [t.arange(4), t.zeros(2, 2).bool()]}, folder / "tensors.bin")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        t.jit.save(t.jit.script(net), folder / "scripted.pt")
        t.jit.save(t.jit.trace(net, example), folder / "traced.pt")
        t.export.save(t.export.export(net, (example,)), folder / "exported.pt2")
    save_file(net.state_dict(), folder / "net.safetensors", metadata={"format": "pt"})
    yield from sorted(folder.iterdir())


def onnx(folder: Path) -> Iterator[Path]:
    """Pipelines by skl2onnx, boosters by onnxmltools, a net, one with its weights beside it."""
    import onnx as o
    from onnx import TensorProto, helper, numpy_helper
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    small = X.astype(np.float32)
    for name, model in {
        "line": make_pipeline(StandardScaler(), LogisticRegression()),
        "forest": RandomForestClassifier(20),
        "boost": GradientBoostingClassifier(n_estimators=9),
    }.items():
        made = to_onnx(model.fit(small, Y), small[:1], options={"zipmap": False})
        (folder / f"{name}.onnx").write_bytes(made.SerializeToString())
        yield folder / f"{name}.onnx"
    weight = numpy_helper.from_array(np.ones((6, 2000), dtype=np.float32), "w")
    place = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, k]) for n, k in (("x", 6), ("y", 2000))]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", place[:1], place[1:], [weight])
    model = helper.make_model(graph)
    o.save(model, str(folder / "inside.onnx"))
    o.save(model, str(folder / "outside.onnx"), save_as_external_data=True, location="outside.bin", size_threshold=0)
    yield from (folder / "inside.onnx", folder / "outside.onnx")


PARTS = {part.__name__: part for part in (estimators, saved, native, skops, torch, onnx)}
