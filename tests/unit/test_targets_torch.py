"""Torch modules as targets: tensors in and out, gradients by one backward pass, the user's module left as it is."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temper.core.data import Data
from temper.core.errors import ContractError, Unsupported
from temper.core.target import Access, Recipe, ScoreKind
from temper.targets import open_target
from temper.targets.contract import check

torch = pytest.importorskip("torch")

X = np.random.default_rng(3).normal(size=(12, 4)).astype(np.float32)


def net(last: int = 3, **more: Any) -> Any:
    torch.manual_seed(0)
    layers = [torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, last)]
    return torch.nn.Sequential(*layers, *more.get("tail", ())).eval()


def test_scores_are_the_module_s_own_and_come_back_as_they_were_asked() -> None:
    model = net()
    target = open_target(model)
    assert (target.kind, target.classes) == (ScoreKind.LOGITS, 3)
    assert target.access == Access.LABELS | Access.SCORES | Access.GRADIENTS
    own = model(torch.from_numpy(X)).detach()
    as_tensor, as_array = target.scores(torch.from_numpy(X)), target.scores(X.astype(np.float64))
    assert isinstance(as_tensor, torch.Tensor)
    assert not as_tensor.requires_grad
    assert isinstance(as_array, np.ndarray)
    torch.testing.assert_close(as_tensor, own)
    np.testing.assert_allclose(as_array, own.numpy(), rtol=1e-6)
    check(target, torch.from_numpy(X))
    check(target, X)


@pytest.mark.parametrize("tensor", [True, False])
def test_the_gradient_is_the_finite_difference(tensor: bool) -> None:
    target = open_target(net().double().float())
    weights = np.random.default_rng(1).normal(size=(12, 3))

    def cotangent(scores: Any) -> Any:
        assert isinstance(scores, torch.Tensor if tensor else np.ndarray)
        return torch.from_numpy(weights) if tensor else weights

    x = torch.from_numpy(X) if tensor else X
    scores, slope = target.gradient(x, cotangent)
    assert type(slope) is type(x)
    step = 1e-2
    for at in range(4):
        ahead, behind = X.copy(), X.copy()
        ahead[:, at] += step
        behind[:, at] -= step
        wanted = ((target.scores(ahead) - target.scores(behind)) * weights).sum(1) / (2 * step)
        np.testing.assert_allclose(np.asarray(slope)[:, at], wanted, atol=2e-3)
    np.testing.assert_allclose(np.asarray(scores), np.asarray(target.scores(x)))


def test_a_gradient_leaves_no_trace_in_the_module() -> None:
    model = net()
    open_target(model).gradient(torch.from_numpy(X), lambda s: s * 0 + 1)
    assert all(p.grad is None for p in model.parameters())


def test_a_module_in_training_mode_is_copied_and_left_as_it_is() -> None:
    model = torch.nn.Sequential(net(), torch.nn.Dropout(0.5)).train()
    before = model[0][2].running_mean.clone()
    target = open_target(model)
    check(target, torch.from_numpy(X))
    assert model.training
    torch.testing.assert_close(model[0][2].running_mean, before)


def test_a_module_put_into_training_mode_later_is_noticed() -> None:
    model = net()
    target = open_target(model)
    model.train()
    with pytest.raises(ContractError, match="training mode"):
        target.scores(X)


def test_a_target_survives_the_way_to_a_worker() -> None:
    target = open_target(net())
    copy = pickle.loads(pickle.dumps(target))
    assert copy.digest == target.digest
    np.testing.assert_array_equal(copy.scores(X), target.scores(X))
    other = net()
    with torch.no_grad():
        other[0].bias[0] += 1e-3
    assert open_target(other).digest != target.digest


def test_the_kind_of_scores_is_read_off_or_asked_for() -> None:
    assert open_target(net(tail=(torch.nn.Softmax(dim=1),))).kind is ScoreKind.PROBABILITIES
    with pytest.raises(ContractError, match="one output"):
        open_target(net(last=1))
    margin = open_target(net(last=1), kind=ScoreKind.MARGIN)
    assert (margin.classes, margin.scores(X).shape) == (2, (12, 1))
    with pytest.raises(ContractError, match="classes=3"):
        open_target(net(), classes=5).scores(X)
    softmaxed = open_target(net(tail=(torch.nn.Softmax(dim=1),)), kind=ScoreKind.LOGITS)
    with pytest.raises(ContractError, match="sum to one"):
        check(softmaxed, X)


def test_a_gradient_that_is_cut_off_is_told() -> None:
    class Cut(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

        def forward(self, x: Any) -> Any:
            return self.inner(x.detach())

    with pytest.raises(ContractError, match="no gradient reaches the input"):
        open_target(Cut().eval()).gradient(X, lambda s: s)


def test_batch_statistics_in_the_answer_are_found() -> None:
    class Centred(torch.nn.Module):  # type: ignore[misc,name-defined]
        def forward(self, x: Any) -> Any:
            return (x - x.mean(0))[:, :3]

    with pytest.raises(ContractError, match="alone"):
        check(open_target(Centred().eval(), classes=3), X)


def test_a_module_is_not_fitted_again() -> None:
    with pytest.raises(Unsupported):
        open_target(net()).refit(Data(x=X, y=np.zeros(12, int)), Recipe())


def save(kind: str, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "scripted":
            torch.jit.save(torch.jit.script(net()), str(path))
        elif kind == "exported":
            rows = torch.export.Dim("rows")
            torch.export.save(torch.export.export(net(), (torch.zeros(2, 4),), dynamic_shapes=({0: rows},)), str(path))
        else:
            torch.save(net().state_dict(), path)


@pytest.mark.parametrize("kind", ["scripted", "exported"])
def test_programs_are_opened_by_path_and_travel_to_workers(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("m.pt" if kind == "scripted" else "m.pt2")
    save(kind, path)
    if kind == "exported":
        with pytest.raises(ContractError, match="trust_pickle"):
            open_target(path)
    target = open_target(path, classes=3, trust_pickle=True)
    np.testing.assert_allclose(target.scores(X), open_target(net()).scores(X), atol=1e-6)
    copy = pickle.loads(pickle.dumps(target))
    assert copy.digest == target.digest
    np.testing.assert_array_equal(copy.scores(X), target.scores(X))
    _, slope = target.gradient(X, lambda s: np.ones_like(s))
    assert np.abs(slope).sum() > 0


def test_weights_without_a_program_are_refused_with_the_fix(tmp_path: Path) -> None:
    save("weights", tmp_path / "m.pt")
    with pytest.raises(ContractError, match="not a program") as told:
        open_target(tmp_path / "m.pt", trust_pickle=True)
    assert "file.py:function" in told.value.fix
    (tmp_path / "n.pt").write_bytes(b"no zip")
    with pytest.raises(ContractError, match="no torch program"):
        open_target(tmp_path / "n.pt")
