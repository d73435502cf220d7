"""Bounds on nets: never wrong on any point, a costlier method at least as tight, exact where the truth is known."""

from __future__ import annotations

import io
import itertools
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.errors import ContractError, TemperError, Unsupported
from temper.core.measure import Status
from temper.core.schema import Column, Mutability, Schema
from temper.core.target import ScoreKind
from temper.kernels.bounds import METHODS, Region, least
from temper.targets import open_target
from temper.targets._flipped import Flipped
from temper.targets._graph import agree, graph_of
from temper.testing.toys import Constant
from temper.validation.net_bounds import NetBounds

torch = pytest.importorskip("torch")
nn = torch.nn


class Residual(nn.Module):  # type: ignore[misc,name-defined]
    """What people write: constants for normalisation, functions instead of layers, a shortcut."""

    def __init__(self, curve: str) -> None:
        super().__init__()
        self.curve = curve
        self.first, self.norm = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.second = nn.Conv2d(3, 3, 3, padding=1, groups=3)
        self.pool, self.mean = nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3)
        self.last = nn.Linear(3, 3)
        self.register_buffer("middle", torch.tensor(0.4))

    def forward(self, x: Any) -> Any:
        x = torch.relu_(self.norm(self.first((x - self.middle) / 0.5)))
        x = x + nn.functional.leaky_relu(self.second(x))
        x = self.mean(getattr(torch, self.curve)(self.pool(1.0 - x)))
        return self.last(nn.functional.dropout(torch.flatten(x, 1), 0.5, self.training))


def net(seed: int, kind: str) -> Any:
    torch.manual_seed(seed)
    if kind in ("tanh", "sigmoid"):
        return Residual(kind).eval()
    layers = [nn.Flatten(), nn.Linear(36, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)]
    return nn.Sequential(*layers).eval()


def pictures(n: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).random((n, 1, 6, 6))


def ball(x: Any, radius: float, norm: str) -> Region:
    return Region(
        low=(x - radius).clamp(0, 1),
        high=(x + radius).clamp(0, 1),
        norm=norm,
        centre=x,
        radius=torch.full((len(x),), radius, dtype=torch.float64),
    )


def inside(x: Any, radius: float, norm: str, count: int, seed: int) -> Any:
    """Points of the ball and the box, many of them on its edge."""
    rng = torch.Generator().manual_seed(seed)
    step = torch.rand((count, *x.shape), generator=rng, dtype=torch.float64) * 2 - 1
    if norm == "linf":
        step = torch.where(torch.rand(step.shape, generator=rng) < 0.7, step.sign(), step) * radius
    else:
        size = step.flatten(2).norm(p=int(norm[1]), dim=2)
        step = step * (radius / size)[..., None, None, None]
    return (x + step).clamp(0, 1)


WEIGHTS = torch.tensor([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0], [0.0, 0.0, 1.0]], dtype=torch.float64)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["relu", "tanh", "sigmoid"]), st.sampled_from(["linf", "l2", "l1"]))
def test_no_point_of_the_region_is_below_a_bound_and_costlier_methods_are_tighter(
    seed: int, kind: str, norm: str
) -> None:
    target = open_target(net(seed, kind), classes=3)
    graph = graph_of(target, (1, 6, 6))
    x = torch.as_tensor(pictures(2, seed))
    radius = {"linf": 0.05, "l2": 0.4, "l1": 1.0}[norm] * (1 + seed % 3)
    rows, weights = torch.arange(2).repeat_interleave(3), WEIGHTS.repeat(2, 1)
    found = [least(graph, ball(x, radius, norm), weights, rows, method=m, steps=3) for m in METHODS]
    points = inside(x, radius, norm, 150, seed)
    scores = graph.run(points.reshape(-1, 1, 6, 6)).reshape(150, 2, 3)
    truth = torch.einsum("nrk,sk->nrs", scores, WEIGHTS).amin(0).flatten()
    for bounds in found:
        assert (bounds <= truth + 1e-9).all()
    assert (found[1] >= found[0] - 1e-9).all()
    assert (found[2] >= found[1] - 1e-9).all()


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2), ("l1", np.inf)])
def test_a_linear_net_is_bounded_exactly(norm: str, dual: float) -> None:
    torch.manual_seed(1)
    layer = nn.Linear(5, 2)
    graph = graph_of(open_target(nn.Sequential(layer)), (5,))
    x = torch.rand(3, 5, dtype=torch.float64)
    slope = (layer.weight[0] - layer.weight[1]).double().detach()
    region = Region(low=x - 1, high=x + 1, norm=norm, centre=x, radius=torch.full((3,), 1.0, dtype=torch.float64))
    weights = torch.tensor([[1.0, -1.0]], dtype=torch.float64).repeat(3, 1)
    found = least(graph, region, weights, torch.arange(3))
    clean = x @ slope + float((layer.bias[0] - layer.bias[1]).detach())
    np.testing.assert_allclose(found, clean - slope.norm(p=dual), rtol=1e-6)


def exact_minimum(model: Any, x: Any, radius: float) -> float:
    """The smallest s0 - s1 of a net of one hidden layer over a box: one linear program per pattern of the kinks."""
    from scipy.optimize import linprog

    w1, b1 = (p.detach().double().numpy() for p in (model[0].weight, model[0].bias))
    w2, b2 = (p.detach().double().numpy() for p in (model[2].weight, model[2].bias))
    c, best = w2[0] - w2[1], np.inf
    for pattern in itertools.product((0.0, 1.0), repeat=len(b1)):
        on = np.array(pattern)
        sides = np.where(on[:, None] > 0, -w1, w1)
        limits = np.where(on > 0, b1, -b1)
        bounds = [(float(v) - radius, float(v) + radius) for v in x]
        answer = linprog((c * on) @ w1, A_ub=sides, b_ub=limits, bounds=bounds)
        if answer.status == 0:
            best = min(best, answer.fun + float((c * on) @ b1 + b2[0] - b2[1]))
    return best


def test_bounds_of_a_small_net_are_below_its_exact_minimum_and_near_it() -> None:
    weights = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    gaps: dict[str, list[float]] = {method: [] for method in METHODS}
    for seed in range(6):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)).eval()
        x = torch.rand(1, 3, dtype=torch.float64)
        exact = exact_minimum(model, x[0].numpy(), 0.4)
        graph = graph_of(open_target(model), (3,))
        region = Region(low=x - 0.4, high=x + 0.4)
        for method in METHODS:
            bound = float(least(graph, region, weights, torch.tensor([0]), method=method, steps=60)[0])
            assert bound <= exact + 1e-7
            gaps[method].append(exact - bound)
    means = {method: float(np.mean(gap)) for method, gap in gaps.items()}
    assert means["alpha-crown"] <= means["crown"] < means["ibp"]
    assert means["alpha-crown"] < 0.5 * means["ibp"]


# -- reading a module ----------------------------------------------------------------------------------------------


def scripted(model: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = io.BytesIO()
        torch.jit.save(torch.jit.script(model), stored)
        return torch.jit.load(io.BytesIO(stored.getvalue()))


def exported(model: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = torch.export.Dim("rows", min=2, max=512)
        return torch.export.export(model, (torch.rand(4, 1, 6, 6),), dynamic_shapes=({0: rows},)).module()


@pytest.mark.parametrize("way", [lambda m: m, scripted, exported], ids=["own", "script", "export"])
def test_a_module_is_read_however_it_comes(way: Any) -> None:
    model = net(3, "relu")
    target = open_target(model)
    target = replace(target, model=way(model), stored=b"stored")  # type: ignore[type-var]
    graph = graph_of(target, (1, 6, 6))
    assert agree(graph, target, pictures(5)).max() < 1e-5


def test_an_operation_without_bounds_is_named() -> None:
    with pytest.raises(Unsupported, match="gelu"):
        graph_of(open_target(nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 2))), (4,))
    with pytest.raises(Unsupported, match="constant toy"):
        graph_of(Constant(), (4,))


def test_rows_that_see_each_other_are_refused() -> None:
    class Crowd(nn.Module):  # type: ignore[misc,name-defined]
        def forward(self, x: Any) -> Any:
            return x - x.mean(0)

    with pytest.raises(Unsupported, match="mixes rows"):
        graph_of(open_target(Crowd(), kind=ScoreKind.LOGITS, classes=4), (4,))


def test_a_module_that_branches_on_values_is_refused_or_caught() -> None:
    class Moody(nn.Module):  # type: ignore[misc,name-defined]
        def forward(self, x: Any) -> Any:
            return x * 2 if bool(x.sum() > 0) else x

    target = open_target(Moody(), kind=ScoreKind.LOGITS, classes=4)
    with pytest.raises((Unsupported, ContractError)):
        agree(graph_of(target, (4,)), target, np.ones((2, 4)))


def test_exchanged_classes_are_followed() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()
    target = Flipped(inner=open_target(model))
    x = np.random.default_rng(0).random((4, 4))
    assert agree(graph_of(target, (4,)), target, x).max() < 1e-5


# -- the check -----------------------------------------------------------------------------------------------------


def trained(seed: int = 0) -> tuple[Any, Any, Any]:
    """A small net on pictures whose class is the brighter half, trained a little against noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 400)
    x = rng.random((400, 1, 6, 6)) * 0.6
    x[np.arange(400), :, :3] += np.where(y == 0, 0.4, 0.0)[:, None, None, None]
    x[np.arange(400), :, 3:] += np.where(y == 1, 0.4, 0.0)[:, None, None, None]
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))
    adam = torch.optim.Adam(model.parameters(), 0.01)
    inputs, labels = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    for _ in range(60):
        adam.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        adam.step()
    return model.eval(), x, y


def scene(model: Any, x: Any, y: Any, radius: float, **more: Any) -> Scene:
    target = open_target(model)
    fields = {"kind": target.kind, "classes": target.classes, "target": target, "schema": Schema.box(0.0, 1.0)} | more
    return Scene(x=x, y=y, ids=np.arange(len(x)) + 7, budget=Budget(norm="linf", radius=radius), **fields)


def pgd(model: Any, x: Any, y: Any, radius: Any) -> Any:
    """Five starts of twenty signed steps; whether any point of the path is decided otherwise."""
    start, labels = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)
    size = torch.as_tensor(radius, dtype=torch.float32).reshape(-1, 1, 1, 1)
    broken = torch.zeros(len(x), dtype=torch.bool)
    for seed in range(5):
        torch.manual_seed(seed)
        at = start + size * (2 * torch.rand_like(start) - 1)
        for _ in range(20):
            at = at.clamp(0, 1).detach().requires_grad_(True)
            out = model(at)
            broken |= out.argmax(1) != labels
            (slope,) = torch.autograd.grad(nn.functional.cross_entropy(out, labels, reduction="sum"), at)
            at = torch.minimum(torch.maximum(at + size / 6 * slope.sign(), start - size), start + size)
    return broken.numpy()


def test_no_certified_row_is_broken_and_the_method_shows_in_the_share() -> None:
    model, x, y = trained()
    shares = {}
    for method in METHODS:
        found = NetBounds(method=method, bisections=3, rows=60).measure(scene(model, x[:60], y[:60], 0.06))
        share, accuracy = found.measurements
        shares[method] = share.value or 0.0
        radius = found.certificate.radius
        assert share.count == int((radius >= 0.06).sum())
        assert (accuracy.value or 0.0) >= shares[method]
        held = radius > 0
        assert not pgd(model, x[:60][held], y[:60][held], radius[held]).any()
    assert 0.0 < shares["crown"] <= shares["alpha-crown"]
    assert shares["ibp"] <= shares["crown"]


def test_rows_that_are_wrong_are_not_certified() -> None:
    model, x, y = trained()
    found = NetBounds(rows=30, bisections=1).measure(scene(model, x[:30], 1 - y[:30], 0.02))
    assert found.measurements[0].value <= 0.1  # type: ignore[operator]
    wrong = open_target(model).scores(x[:30]).argmax(1) != 1 - y[:30]
    np.testing.assert_array_equal(found.certificate.limit == 0.0, wrong)
    assert (found.certificate.radius[wrong] == 0).all()


def test_a_weak_net_proves_little_and_a_robust_one_all() -> None:
    """The twins of the check: a wide net of random weights, and one that hardly looks at its input."""
    _, x, _ = trained()
    steep = nn.Sequential(nn.Flatten(), nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 2)).eval()
    labels = open_target(steep).scores(x[:40]).argmax(1)
    weak = NetBounds(bisections=1).measure(scene(steep, x[:40], labels, 0.5)).measurements[0]
    calm = nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).eval()
    with torch.no_grad():
        calm[1].weight.mul_(1e-3)
        calm[1].bias.copy_(torch.tensor([1.0, -1.0]))
    robust = NetBounds(bisections=1).measure(scene(calm, x[:40], np.zeros(40, int), 0.5)).measurements[0]
    assert weak.value == 0.0
    assert robust.value == 1.0


def test_the_order_of_rows_and_the_batch_change_nothing() -> None:
    model, x, y = trained()
    one = NetBounds(bisections=2, batch=50).measure(scene(model, x[:20], y[:20], 0.06)).certificate
    order = np.arange(20)[::-1]
    turned = replace(scene(model, x[:20], y[:20], 0.06), x=x[:20][order], y=y[:20][order], ids=np.arange(20)[order] + 7)
    other = NetBounds(bisections=2, batch=3).measure(turned).certificate
    place = {int(i): float(r) for i, r in zip(other.ids, other.radius, strict=True)}
    assert [place[int(i)] for i in one.ids] == one.radius.tolist()


def test_a_table_s_immutable_columns_stay_and_its_threshold_is_the_question() -> None:
    columns = (
        Column(name="a", attacker=Mutability.FREE, low=-5, high=5, scale=2.0),
        Column(name="b", low=-5, high=5),
    )
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 100.0]]))
        layer.bias.zero_()
    target = open_target(nn.Sequential(layer))
    x, threshold = np.array([[1.0, 0.0]]), float(torch.sigmoid(torch.tensor(0.5)))
    table = Scene(
        x=x,
        y=np.array([1]),
        ids=np.array([3]),
        schema=Schema(columns=columns),
        budget=Budget(norm="linf", radius=0.24),
        kind=ScoreKind.LOGITS,
        threshold=threshold,
        target=target,
    )
    # The logit 1 may fall to 1 - 2 r, and the threshold is at 0.5: the row holds until r = 0.25.
    certificate = NetBounds(bisections=8).measure(table).certificate
    assert 0.24 <= certificate.radius[0] <= 0.25
    looser = replace(table, threshold=float(torch.sigmoid(torch.tensor(0.9))))
    assert NetBounds(bisections=8).measure(looser).certificate.radius[0] <= 0.05


@pytest.mark.parametrize("tolerance", [0.5, 2.0])
def test_a_value_may_move_by_the_tolerance(tolerance: float) -> None:
    layer = nn.Linear(3, 1)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    target = open_target(nn.Sequential(layer), kind=ScoreKind.VALUE)
    case = Scene(
        x=np.zeros((1, 3)),
        y=np.zeros(1),
        ids=np.arange(1),
        schema=Schema.box(-9.0, 9.0),
        budget=Budget(norm="linf", radius=tolerance / 4),
        kind=ScoreKind.VALUE,
        classes=1,
        tolerance=tolerance,
        target=target,
    )
    (share,), certificate = (found := NetBounds(bisections=10).measure(case)).measurements, found.certificate
    assert share.value == 1.0
    assert certificate.radius[0] == pytest.approx(tolerance / 3, rel=0.01)


def test_what_cannot_be_bounded_says_why_and_gives_no_figure() -> None:
    model, x, y = trained()
    cases = [
        (replace(scene(model, x, y, 0.1), target=Constant()), "constant toy"),
        (replace(scene(model, x, y, 0.1), budget=Budget(norm="l0", radius=3)), "l0"),
        (replace(scene(model, x, y, 0.1), budget=Budget()), "radius"),
    ]
    for case, words in cases:
        found = NetBounds().measure(case)
        assert [m.status for m in found.measurements] == [Status.UNTRIED]
        assert words in found.measurements[0].reason
        assert not len(found.certificate.radius)
    with pytest.raises(TemperError, match="crwon"):
        NetBounds(method="crwon").measure(scene(model, x, y, 0.1))
