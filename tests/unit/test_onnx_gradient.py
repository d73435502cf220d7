"""An ONNX net has the gradient of the module it was exported from; what cannot be followed says so."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest

from temper.core.errors import ContractError
from temper.core.target import Access, ScoreKind
from temper.targets import open_target

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
nn = torch.nn


class Residual(nn.Module):
    """A small net with everything the converter knows of windows, normalisation and shortcuts."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.again, self.end = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4 * 4 * 4, 5)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.norm(self.start(x)))
        x = torch.relu(x + self.again(x))
        x = nn.functional.max_pool2d(x, 2)
        return self.end(torch.sigmoid(x).flatten(1))


def exported(module: Any, shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {"x": {0: "n"}, "y": {0: "n"}}
        words = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": axes, "dynamo": False}
        torch.onnx.export(module, (torch.zeros(2, *shape),), file, **words)
    return file.getvalue()


def opened(content: bytes, tmp_path: Any) -> Any:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    return open_target(path, kind=ScoreKind.LOGITS)


def test_the_slope_is_that_of_the_module_it_came_from(tmp_path: Any) -> None:
    torch.manual_seed(0)
    net = Residual().eval()
    target = opened(exported(net, (3, 8, 8)), tmp_path)
    assert Access.GRADIENTS in target.access
    x = np.random.default_rng(0).uniform(size=(6, 3, 8, 8))
    weights = np.random.default_rng(1).normal(size=(6, 5))
    scores, slope = target.gradient(x, lambda scores: weights)
    wanted_scores, wanted = open_target(net, kind=ScoreKind.LOGITS).gradient(x, lambda scores: weights)
    np.testing.assert_allclose(scores, wanted_scores, atol=1e-5)
    np.testing.assert_allclose(slope, wanted, atol=1e-5)


def test_a_net_with_an_operation_nobody_knows_here_is_a_black_box(tmp_path: Any) -> None:
    class Odd(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.cos(x @ torch.ones(4, 3))

    target = opened(exported(Odd(), (4,)), tmp_path)
    assert Access.GRADIENTS not in target.access
    assert target.scores(np.zeros((2, 4))).shape == (2, 3)


def test_a_copy_that_says_something_else_is_not_trusted(tmp_path: Any) -> None:
    target = opened(exported(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3)), (4,)), tmp_path)
    next(target._net.model.buffers()).add_(1.0)
    with pytest.raises(ContractError, match="does not say what onnxruntime says"):
        target.gradient(np.ones((2, 4)), lambda scores: np.ones((2, 3)))
