"""Every adapter and every toy target keeps the laws of a target."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from temper.core.target import ScoreKind, Target
from temper.targets import open_target
from temper.testing import target
from temper.testing.scenes import picture_model, picture_scene, schema, table, table_model, training
from temper.testing.toys import Constant, Counted, Flickering, Fragile, Linear, Trainable

Law = Callable[..., None]
ROWS = 8


def numbers() -> tuple[Any, Any]:
    """Training rows whose gaps are filled."""
    data = training(200)
    return np.nan_to_num(data.x), np.array(data.y)


def logistic() -> Target:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return open_target(make_pipeline(StandardScaler(), LogisticRegression()).fit(*numbers()))


def forest() -> Target:
    from sklearn.ensemble import RandomForestClassifier

    return open_target(RandomForestClassifier(8, random_state=0).fit(*numbers()))


def support_vectors() -> Target:
    from sklearn.svm import LinearSVC

    return open_target(LinearSVC(max_iter=20_000, C=1e-4, random_state=0).fit(*numbers()))


def values() -> Target:
    from sklearn.linear_model import Ridge

    x, y = numbers()
    return open_target(Ridge().fit(x, y.astype(float)))


def xgboost() -> Target:
    from xgboost import XGBClassifier

    return open_target(XGBClassifier(n_estimators=8, max_depth=3, n_jobs=1).fit(*numbers()))


def lightgbm() -> Target:
    from lightgbm import LGBMClassifier

    return open_target(LGBMClassifier(n_estimators=8, max_depth=3, n_jobs=1, verbose=-1).fit(*numbers()))


def catboost() -> Target:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(iterations=8, depth=3, thread_count=1, verbose=False, allow_writing_files=False)
    return open_target(model.fit(*numbers()))


def turned() -> Target:
    from sklearn.linear_model import LogisticRegression

    x, y = numbers()
    return open_target(LogisticRegression(max_iter=2_000).fit((x - x.mean(axis=0)) / 50, y), positive=0)


def torch_module() -> Target:
    import torch

    torch.manual_seed(0)
    steps = torch.nn.Flatten(), torch.nn.Linear(16, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)
    return open_target(torch.nn.Sequential(*steps), kind=ScoreKind.LOGITS, classes=3)


def onnx() -> Target:
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    x, y = numbers()
    model = LogisticRegression(max_iter=2_000).fit((x - x.mean(axis=0)) / 50, y)
    exported = to_onnx(model, x[:1].astype(np.float32), options={id(model): {"zipmap": False}})
    return open_target(exported.SerializeToString())


def function() -> Target:
    return open_target(linear_scores)


def linear_scores(x: Any) -> Any:
    """A callable a worker can find again."""
    return table_model().scores(x)


def labels() -> Target:
    return open_target(linear_labels, labels_only=True, classes=2)


def linear_labels(x: Any) -> Any:
    """Class numbers only."""
    return (linear_scores(x)[:, 1] > 0.5).astype(int)


TABLES: dict[str, Callable[[], Target]] = {
    made.__name__: made
    for made in (
        logistic,
        forest,
        support_vectors,
        values,
        xgboost,
        lightgbm,
        catboost,
        turned,
        onnx,
        function,
        labels,
    )
}
TOYS: dict[str, Callable[[], Target]] = {
    "linear toy": table_model,
    "trainable toy": lambda: Trainable.fitted(training()),
    "constant toy": Constant,
    "flickering toy": lambda: Flickering(inner=table_model()),
    "fragile toy": lambda: Fragile(inner=table_model(), fails=never),
    "counted toy": lambda: Counted(inner=table_model()),
    "one column": lambda: Linear(weights=(0.0,) * 10 + (0.1,)),
}


def never(x: Any) -> Any:
    return np.zeros(len(x), dtype=bool)


@cache
def opened(name: str) -> tuple[Target, Any]:
    """A target with rows of its own; made once, the laws change nothing."""
    if name == "torch":
        import torch

        return torch_module(), torch.as_tensor(np.array(picture_scene(ROWS).x), dtype=torch.float32)
    if name == "picture toy":
        return picture_model(), np.array(picture_scene(ROWS).x)
    x = table(ROWS) if name in TOYS else np.nan_to_num(table(ROWS))
    return (TABLES | TOYS)[name](), x


@pytest.mark.parametrize("name", [*TABLES, "torch", *TOYS, "picture toy"])
@pytest.mark.parametrize("law", target.LAWS, ids=lambda law: law.__name__)
def test_target_keeps(law: Law, name: str) -> None:
    law(*opened(name))


def test_toys_know_their_answers() -> None:
    x = table(5)
    assert len(schema().columns) == len(table_model().weights) == x.shape[1]
    np.testing.assert_allclose(
        table_model().scores(x)[:, 1], 1 / (1 + np.exp(-np.nan_to_num(x) @ table_model().weights))
    )
    assert schema().admits(x, x).all()
    assert not schema().reason(x, x)
