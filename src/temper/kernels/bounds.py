"""What a net's scores cannot leave while its input stays in a region: intervals, linear functions, optimised ones.

Everything is computed in double precision without directed rounding: relative errors of about 1e-13 remain, so leave a
margin. Four methods, each asked only what the cheaper ones left open:

- "ibp": Gowal et al., "On the effectiveness of interval bound propagation for training verifiably robust models", 2018.
- "crown-ibp": one backward pass over the lines that intervals give. Zhang et al., "Towards stable and efficient
  training of verifiably robust neural networks", 2020.
- "crown": Zhang et al., "Efficient neural network robustness certification with general activation functions", 2018.
- "alpha-crown": Xu et al., "Fast and complete: enabling complete verification with rapid and massively parallel
  incomplete verifiers", 2021; here the slopes of the last pass, not those of the ends in between.
"""

from __future__ import annotations

from typing import Any

from temper.core.errors import TemperError
from temper.kernels._bounds_lines import Lines
from temper.kernels._bounds_ops import Graph, Kink
from temper.kernels._bounds_part import Tensor
from temper.kernels._bounds_pass import Known, Region, chunks, effort, known, lower

__all__ = ["METHODS", "Graph", "Region", "effort", "least"]
METHODS = ("ibp", "crown-ibp", "crown", "alpha-crown")
RATE, FADE = 0.1, 0.98


def least(
    graph: Graph,
    region: Region,
    weights: Tensor,
    rows: Tensor,
    *,
    method: str = "crown",
    steps: int = 20,
    enough: Any = None,
) -> Tensor:
    """Lower bounds (p,) of `weights` (p, k) times the scores of row `rows` (p,) over that row's region.

    A function whose bound by a cheaper method is above `enough` (p,) is not followed further; None follows all.
    """
    if method not in METHODS:
        raise TemperError(f"unknown bounding method {method!r}", fix=f"use one of {', '.join(METHODS)}")
    found = weights.new_full((len(weights),), float("-inf"))
    enough = -found if enough is None else enough
    steps = steps if method == "alpha-crown" else 0
    for stage in (_by_interval, _over_intervals, _by_lines)[: METHODS.index(method) + 1]:
        open_ = (found <= enough).nonzero()[:, 0]
        if len(open_):
            used, place = rows[open_].unique(return_inverse=True)
            better = stage(graph, region.take(used), weights[open_], place, enough[open_], steps)
            found[open_] = found[open_].maximum(better)
    return found


def _by_interval(graph: Graph, region: Region, weights: Tensor, rows: Tensor, enough: Tensor, steps: int) -> Tensor:
    import torch

    with torch.no_grad():
        low, high = (end[rows].flatten(1) for end in known(graph, region, backward=False).ends[-1])
    return (weights.clamp(min=0) * low + weights.clamp(max=0) * high).sum(1)


def _over_intervals(graph: Graph, region: Region, weights: Tensor, rows: Tensor, enough: Tensor, steps: int) -> Tensor:
    """One backward pass over the lines of intervals: cheap, and enough where the radius is small."""
    import torch

    with torch.no_grad():
        return _last(graph, region, known(graph, region, backward=False), weights, rows)


def _by_lines(graph: Graph, region: Region, weights: Tensor, rows: Tensor, enough: Tensor, steps: int) -> Tensor:
    """Backward bounds, and for those still open `steps` steps of better slopes."""
    import torch

    with torch.no_grad():
        found = known(graph, region, backward=True)
        best = _last(graph, region, found, weights, rows)
    left = (best <= enough).nonzero()[:, 0]
    for part in chunks(len(left) if steps else 0, graph):
        some = left[part]
        best[some] = _optimised(graph, region, found, _scores(graph, weights[some]), rows[some], best[some], steps)
    return best


def _last(graph: Graph, region: Region, found: Known, weights: Tensor, rows: Tensor) -> Tensor:
    import torch

    a = _scores(graph, weights)
    return torch.cat([lower(graph, region, found, a[part], rows[part]) for part in chunks(len(a), graph)])


def _scores(graph: Graph, weights: Tensor) -> Tensor:
    """Weights (p, k) in the shape of the net's output."""
    return weights.reshape((len(weights), *graph.nodes[-1].shape))


def _optimised(graph: Graph, region: Region, found: Known, a: Tensor, rows: Tensor, best: Tensor, steps: int) -> Tensor:
    """The best bound of `steps` steps of Adam over the free slopes, beginning with CROWN's own."""
    import torch

    free = {at: line for at, line in found.lines.items() if isinstance(line, Lines) and bool(line.loose.any())}
    slopes = {at: line.below[rows].clone().requires_grad_(True) for at, line in free.items()}
    if not slopes:
        return best
    adam = torch.optim.Adam(list(slopes.values()), lr=RATE)
    fade = torch.optim.lr_scheduler.ExponentialLR(adam, FADE)
    for _ in range(steps):
        with torch.enable_grad():
            now = lower(graph, region, found, a, rows, slopes)
            adam.zero_grad()
            (-now.sum()).backward()
        best = best.maximum(now.detach())
        adam.step()
        fade.step()
        _back_inside(graph, slopes)
    with torch.no_grad():
        return best.maximum(lower(graph, region, found, a, rows, slopes))


def _back_inside(graph: Graph, slopes: dict[int, Tensor]) -> None:
    """A line below a kink has a slope between its two."""
    import torch

    with torch.no_grad():
        for at, slope in slopes.items():
            op = graph.nodes[at].op
            slope.clamp_(op.slope if isinstance(op, Kink) else 0.0, 1.0)
