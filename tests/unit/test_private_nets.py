"""What one may rely on in nets trained with a proof of privacy."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.core.target import Access, NativeTarget, Recipe, ScoreKind
from temper.engine.behind import behind
from temper.hardening import dp_sgd
from temper.hardening._training import Course, train
from temper.hardening.dp_sgd import DpSgd
from temper.targets._graph import agree, graph_of
from temper.targets.load import open_target
from temper.targets.save import save

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")

RNG = Draws(0, "hardening.dp_sgd")


def rows(n: int = 1_500, seed: int = 0, random: bool = False) -> Data:
    """Ten numbers, two of which decide; or rows whose labels are thrown."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 10))
    y = rng.random(n) < 0.5 if random else x[:, 0] + x[:, 1] > 0
    return Data(x=x, y=y.astype(np.int64))


def net(*middle: Any, seed: int = 0, width: int = 24, out: int = 2) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Linear(10, width), *middle, torch.nn.ReLU(), torch.nn.Linear(width, out)
        ).eval()


def right(target: Any, data: Data) -> float:
    scores = np.asarray(target.scores(data.x))
    decided = scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(axis=1)
    return float((decided == data.y).mean())


@pytest.mark.slow
def test_it_learns_what_many_rows_say_and_states_its_budget() -> None:
    target = open_target(net())
    model: Any = DpSgd(epsilon=4.0).apply(target, rows(), RNG)
    assert right(model, rows(seed=1)) > 0.85
    assert (model.epsilon, model.delta, model.seeded) == (4.0, 1 / 15_000, True)
    assert "epsilon 4, delta 6.7e-05" in model.remarks[0]
    assert "secret: true" in model.remarks[0]
    assert isinstance(model, NativeTarget)
    assert Access.GRADIENTS | Access.RETRAIN in model.access


def test_labels_that_were_thrown_cannot_be_learnt_by_heart() -> None:
    """What a plain net of that size does in the same epochs is what membership attacks live on."""
    data, target = rows(300, 2, random=True), open_target(net(width=128))
    plain = train(target, data, RNG, Course(epochs=200, rate=1e-2, fresh=True), lambda b: iter([b.loss(b.x)]))
    assert right(plain, data) > 0.95
    assert right(DpSgd(epsilon=1.0, epochs=200).apply(target, data, RNG), data) < 0.65


def test_the_noise_is_what_the_accountant_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from opacus import optimizers
    from opacus.accountants import RDPAccountant

    seen: dict[str, Any] = {}

    class Watching(optimizers.DPOptimizer):  # type: ignore[misc, valid-type]
        def __init__(self, *words: Any, **settings: Any) -> None:
            seen.update(settings)
            seen["steps"] = 0
            super().__init__(*words, **settings)

        def add_noise(self) -> None:
            seen["steps"] += 1
            super().add_noise()

    monkeypatch.setattr(optimizers, "DPOptimizer", Watching)
    data = rows(2_000)
    DpSgd(epsilon=3.0, epochs=5, batch=200).apply(open_target(net()), data, RNG)
    accountant = RDPAccountant()
    accountant.history = [(seen["noise_multiplier"], 0.1, seen["steps"])]
    assert seen["steps"] == 50
    assert (seen["max_grad_norm"], seen["expected_batch_size"]) == (1.0, 200.0)
    assert 2.5 < accountant.get_epsilon(delta=1 / 20_000) < 3.6  # a looser count than the one it was chosen by


def test_a_small_budget_costs_more_than_a_large_one() -> None:
    data, target = rows(400), open_target(net())
    little, much = (DpSgd(epsilon=e).apply(target, data, RNG) for e in (0.05, 8.0))
    assert right(little, rows(2_000, 1)) + 0.05 < right(much, rows(2_000, 1))


def test_the_weights_in_use_have_no_say() -> None:
    """They have seen the rows."""
    data = rows(300)
    one, two = (DpSgd(epochs=2).apply(open_target(net(seed=seed)), data, RNG) for seed in (1, 2))
    np.testing.assert_array_equal(one.scores(data.x), two.scores(data.x))


def test_the_same_seed_gives_the_same_net_and_moves_nobody_elses_numbers() -> None:
    data, dropout = rows(300), torch.nn.Dropout(0.3)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        state = torch.random.get_rng_state()
        one, two = (DpSgd(epochs=2).apply(open_target(net(dropout)), data, RNG) for _ in range(2))
        assert torch.equal(state, torch.random.get_rng_state())
    np.testing.assert_array_equal(one.scores(data.x), two.scores(data.x))
    secret = [DpSgd(epochs=2, secret=True).apply(open_target(net(dropout)), data, RNG) for _ in range(2)]
    assert not np.array_equal(secret[0].scores(data.x), secret[1].scores(data.x))
    assert "secret" not in secret[0].remarks[0]  # type: ignore[attr-defined]


def test_rows_in_parts_make_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    data, target = rows(300), open_target(net())
    whole = DpSgd(epochs=3).apply(target, data, RNG)
    monkeypatch.setattr(dp_sgd, "_HELD", 37 * sum(w.numel() for w in target.model.parameters()))  # type: ignore[attr-defined]
    parts = DpSgd(epochs=3).apply(target, data, RNG)
    np.testing.assert_allclose(whole.scores(data.x), parts.scores(data.x), atol=1e-4)


def test_a_step_that_draws_no_row_is_a_step() -> None:
    model = DpSgd(epochs=2, batch=1).apply(open_target(net()), rows(60), RNG)
    assert np.isfinite(model.scores(rows(60).x)).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ScoreKind.MARGIN, ScoreKind.LOGITS, ScoreKind.PROBABILITIES])
def test_every_kind_of_score_is_trained(kind: ScoreKind) -> None:
    module = net(out=1 if kind is ScoreKind.MARGIN else 2)
    if kind is ScoreKind.PROBABILITIES:
        module.append(torch.nn.Softmax(dim=1))
    model = DpSgd(epsilon=8.0).apply(open_target(module, kind=kind), rows(), RNG)
    assert model.kind is kind
    assert right(model, rows(seed=1)) > 0.8


def test_the_net_handed_in_stays_as_it_is() -> None:
    module = net()
    kept = copy.deepcopy(module.state_dict())
    target = open_target(module)
    DpSgd(epochs=2).apply(target, rows(200), RNG)
    assert all(torch.equal(kept[name], value) for name, value in module.state_dict().items())
    assert not any(hasattr(weight, "grad_sample") for weight in module.parameters())


def test_layers_that_mix_rows_are_refused_with_the_way_out() -> None:
    with pytest.raises(Unsupported, match="BatchNorm") as refusal:
        DpSgd().apply(open_target(net(torch.nn.BatchNorm1d(24))), rows(200), RNG)
    assert "group norm" in refusal.value.fix
    assert right(DpSgd().apply(open_target(net(torch.nn.GroupNorm(4, 24))), rows(), RNG), rows(seed=1)) > 0.8


def test_what_has_no_gradient_of_a_row_is_refused(tmp_path: Path) -> None:
    class Bare(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(10, 2))

        def forward(self, x: Any) -> Any:
            return x @ self.weight

    path = save(open_target(net()), tmp_path)
    with pytest.raises(Unsupported, match="stored program"):
        DpSgd().apply(open_target(str(path), kind=ScoreKind.LOGITS, classes=2), rows(200), RNG)
    with pytest.raises(Unsupported, match="start a Bare layer anew"):
        DpSgd().apply(open_target(Bare(), classes=2, kind=ScoreKind.LOGITS), rows(200), RNG)
    with pytest.raises(Unsupported, match="copies"):
        DpSgd().apply(open_target(net()), Data(x=rows(20).x, y=rows(20).y, ids=np.zeros(20)), RNG)
    with pytest.raises(TemperError, match="trains nothing"):
        DpSgd(clip=0.0)
    for epsilon in (-1.0, 1e3):
        with pytest.raises(TemperError, match="privacy budget"):
            DpSgd(epsilon=epsilon)
    with pytest.raises(Unsupported, match="no noise is enough"):
        DpSgd(epsilon=1e-6).apply(open_target(net()), rows(200), RNG)


def test_reference_models_and_later_fits_meet_the_same_training() -> None:
    target, data = open_target(net()), rows(400)
    how = DpSgd(epochs=2)
    model = how.apply(target, data, RNG)
    again = model.refit(rows(300, 4), Recipe(seed=3))
    assert again.delta == 1 / 3_000  # type: ignore[attr-defined]
    first = behind(target, None, how, "dp_sgd")
    assert first(rows(300, 4), Recipe(seed=3)).epsilon == 4.0  # type: ignore[attr-defined]
    second = behind(target, first, DpSgd(epochs=2, epsilon=2.0), "dp_sgd")
    assert second(rows(300, 4), Recipe(seed=3)).epsilon == 2.0  # type: ignore[attr-defined]
    with pytest.raises(Unsupported, match="other settings"):
        model.refit(data, Recipe(regularise=0.3))


def test_a_private_net_can_be_certified_like_any_other() -> None:
    model: Any = DpSgd(epochs=2).apply(open_target(net()), rows(200), RNG)
    graph, plain = (graph_of(target, (10,)) for target in (model, model.inner))
    assert len(graph.nodes) == len(plain.nodes) > 2
    assert float(np.max(agree(graph, model, rows(20).x))) < 1e-4


def test_the_file_keeps_the_guarantee(tmp_path: Path) -> None:
    model: Any = DpSgd(epochs=2).apply(open_target(net()), rows(200), RNG)
    again: Any = open_target(str(save(model, tmp_path)), schema=Schema.box(-9, 9), classes=2, kind=ScoreKind.LOGITS)
    np.testing.assert_allclose(again.scores(rows(50).x), model.scores(rows(50).x), atol=1e-6)
    assert again.remarks == model.remarks
    assert Access.RETRAIN not in again.access
