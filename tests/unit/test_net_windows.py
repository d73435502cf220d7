"""Coefficients held as windows: the same bounds as whole ones at a fraction of the size, and never wrong on a point."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.schema import Schema
from temper.kernels._bounds_part import Part
from temper.kernels._bounds_pass import _single, _walk, known
from temper.kernels.bounds import METHODS, Region, effort, least
from temper.targets import open_target
from temper.targets._graph import graph_of
from temper.validation.net_bounds import NetBounds

torch = pytest.importorskip("torch")
nn = torch.nn
SIDE, ROWS = 11, 2
POOLS = {
    "none": nn.Identity(),
    "largest": nn.MaxPool2d(2),
    "overlapping": nn.MaxPool2d(3, 2, 1),
    "mean": nn.AvgPool2d(2),
}


class Block(nn.Module):  # type: ignore[misc,name-defined]
    """A shortcut over two convolutions that see differently far, and a step in stride on both sides."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.far, self.near = nn.Conv2d(width, width, 3, 2, 1, bias=False), nn.Conv2d(width, width, 1, 2)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Any) -> Any:
        return torch.relu(self.norm(self.far(x)) - self.near(x) * 0.5 + 0.1)


@st.composite
def nets(draw: Any) -> Any:
    """Convolutions of many geometries, a pool, perhaps a shortcut, and a layer that reads all of it."""
    first = {"stride": draw(st.integers(1, 2)), "padding": draw(st.integers(0, 2)), "dilation": draw(st.integers(1, 2))}
    second = {"padding": draw(st.integers(0, 3)), "groups": draw(st.sampled_from([1, 2, 4]))}
    torch.manual_seed(draw(st.integers(0, 10_000)))
    front = [nn.Conv2d(2, 4, draw(st.integers(1, 3)), **first), draw(st.sampled_from([nn.ReLU(), nn.Tanh()]))]
    pool = POOLS[draw(st.sampled_from(sorted(POOLS)))]
    middle = [nn.Conv2d(4, 4, (3, 2), **second), nn.BatchNorm2d(4), nn.LeakyReLU(0.1)]
    back = [Block(4)] if draw(st.booleans()) else []
    body = nn.Sequential(
        *front, pool, *middle, *back, POOLS[draw(st.sampled_from(["none", "overlapping"]))], nn.Flatten()
    )
    try:
        for _ in range(3):
            size = body(torch.rand(8, 2, SIDE, SIDE)).shape[1]  # also gives the normalisation something to hold
    except RuntimeError:
        assume(False)  # a kernel larger than what is left
    return nn.Sequential(body, nn.Linear(size, 5), nn.ReLU(), nn.Linear(5, 3)).eval()


def graph_and_region(net: Any, norm: str, radius: float, seed: int) -> tuple[Any, Region]:
    graph = graph_of(open_target(net), (2, SIDE, SIDE))
    x = torch.as_tensor(np.random.default_rng(seed).random((ROWS, 2, SIDE, SIDE)))
    size = torch.full((ROWS,), {"linf": 1.0, "l2": 8.0, "l1": 40.0}[norm] * radius, dtype=torch.float64)
    reach = size.reshape(-1, 1, 1, 1)
    return graph, Region(low=(x - reach).clamp(0, 1), high=(x + reach).clamp(0, 1), norm=norm, centre=x, radius=size)


def inside(region: Region, count: int, seed: int) -> Any:
    """Points (count, rows, ...) of the region, most of them at its edge."""
    rng = torch.Generator().manual_seed(seed)
    step = torch.rand((count, *region.centre.shape), generator=rng, dtype=torch.float64) * 2 - 1
    if region.norm == "linf":
        step = torch.where(torch.rand(step.shape, generator=rng) < 0.8, step.sign(), step)
    else:
        sparse = step * (torch.rand(step.shape, generator=rng) < 0.1)
        step = sparse / sparse.flatten(2).norm(p=int(region.norm[1]), dim=2).clamp(min=1e-9)[..., None, None, None]
    return (region.centre + step * region.radius[:, None, None, None]).clamp(0, 1)


WEIGHTS = torch.tensor([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]], dtype=torch.float64).repeat(ROWS, 1)
WHOSE = torch.arange(ROWS).repeat_interleave(2)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(nets(), st.sampled_from(["linf", "l2", "l1"]), st.sampled_from([0.01, 0.05, 0.2]), st.integers(0, 1_000))
def test_no_value_in_the_net_leaves_its_ends_and_costlier_methods_are_tighter(
    net: Any, norm: str, radius: float, seed: int
) -> None:
    graph, region = graph_and_region(net, norm, radius, seed)
    points = inside(region, 60, seed)
    with torch.no_grad():
        ends = known(graph, region, backward=True).ends
        for at, (low, high) in enumerate(ends):
            seen = replace(graph, nodes=graph.nodes[: at + 1]).run(points.flatten(0, 1)).reshape(60, *low.shape)
            assert (seen >= low - 1e-9).all()
            assert (seen <= high + 1e-9).all()
    scores = graph.run(points.flatten(0, 1)).reshape(60, ROWS, 3)
    truth = torch.einsum("nrk,rsk->nrs", scores, WEIGHTS.reshape(ROWS, 2, 3)).amin(0).flatten()
    found = [least(graph, region, WEIGHTS, WHOSE, method=method, steps=3) for method in METHODS]
    assert (found[-1] <= truth + 1e-9).all()
    for cheap, dear in pairwise(found):
        assert (dear >= cheap - 1e-9).all()


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(nets(), st.sampled_from(["linf", "l2", "l1"]), st.integers(0, 1_000))
def test_windows_give_the_bounds_of_whole_coefficients(net: Any, norm: str, seed: int) -> None:
    graph, region = graph_and_region(net, norm, 0.05, seed)
    with torch.no_grad():
        found = known(graph, region, backward=True)
        for at, node in enumerate(graph.nodes):
            places = torch.arange(math.prod(node.shape)).repeat(2)
            rows = torch.arange(2).repeat_interleave(len(places) // 2)
            windowed = of_elements(graph, region, found, at, rows, places)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Part, "within", Part.whole)
                whole = of_elements(graph, region, found, at, rows, places)
            np.testing.assert_allclose(windowed, whole, atol=1e-9)


def of_elements(graph: Any, region: Region, found: Any, at: int, rows: Any, places: Any) -> Any:
    """Lower bounds of every element of one operation, from the same lines however the coefficients are held."""
    parts, added = _single(graph, at, rows, places)
    return _walk(graph, region, found, parts)[0] + added


def deep() -> Any:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * 14 * 14, 2)).eval()


def test_a_neuron_costs_its_window_and_not_the_layer() -> None:
    graph = graph_of(open_target(deep()), (1, 28, 28))
    x = torch.zeros((1, 1, 28, 28), dtype=torch.float64)
    # Behind the pool three by three places are read, before it six by six, of four channels.
    assert effort(graph, Region(low=x, high=x + 0.1)) == 2 * (4 * 14 * 14) * (4 * 6 * 6)


def test_a_net_beyond_the_limit_is_bounded_more_cheaply_and_the_figure_says_so() -> None:
    net = deep()
    x = np.random.default_rng(0).random((6, 1, 28, 28))
    target = open_target(net)
    scene = Scene(
        x=x,
        y=target.scores(x).argmax(1),
        ids=np.arange(6),
        schema=Schema.box(0.0, 1.0),
        budget=Budget(norm="linf", radius=0.002),
        kind=target.kind,
        classes=2,
        target=target,
    )
    free = NetBounds(method="crown", bisections=0, most_coefficients=1e9).measure(scene)
    tied = NetBounds(method="crown", bisections=0, most_coefficients=1e3).measure(scene)
    asked = NetBounds(method="crown-ibp", bisections=0).measure(scene)
    assert "crown at" in free.measurements[0].method
    assert not any("crown-ibp" in words for words in free.measurements[0].caveats)
    assert "crown-ibp at" in tied.measurements[0].method
    assert any("2.3e+05 coefficients per row" in words for words in tied.measurements[0].caveats)
    assert tied.certificate.method == "crown-ibp"
    np.testing.assert_array_equal(tied.certificate.radius, asked.certificate.radius)
    assert (free.certificate.radius >= tied.certificate.radius).all()
