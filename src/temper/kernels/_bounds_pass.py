"""Intervals forward through a net, linear functions backward through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from temper.kernels._bounds_lines import Chosen, Lines, lines, undecided
from temper.kernels._bounds_ops import Graph, Node, Scale, Sum, Tensor, is_bent

# Small pieces: large ones go back to the system after each step, and fetching them again costs as much as the sums.
CELLS = 500_000
_DUAL = {"l2": 2.0, "l1": float("inf")}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """Where the inputs of each row may lie: a box (b, ...), and within it a ball in l2 or l1 where `norm` says so.

    `scale` is the unit of the ball's distances per coordinate; the ball is around `centre` with `radius` (b,).
    """

    low: Tensor
    high: Tensor
    norm: str = "linf"
    centre: Tensor = None
    radius: Tensor = None
    scale: Any = 1.0

    def take(self, rows: Tensor) -> Region:
        """The regions of these rows."""
        ball = self.centre is not None
        return Region(
            low=self.low[rows],
            high=self.high[rows],
            norm=self.norm,
            centre=self.centre[rows] if ball else None,
            radius=self.radius[rows] if ball else None,
            scale=self.scale,
        )

    def least(self, a: Tensor, rows: Tensor) -> Tensor:
        """The smallest value (p,) of each linear function over the region of its row."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        least = ((a * middle[rows]) - a.abs() * half[rows]).flatten(1).sum(1)
        if self.norm == "linf":
            return least
        slope = (a * self.scale).flatten(1)
        reach = self.radius[rows] * slope.norm(p=_DUAL[self.norm], dim=1)
        return least.maximum((a * self.centre[rows]).flatten(1).sum(1) - reach)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """Per operation the ends of its output (b, ...), and the lines of those that are not affine."""

    ends: list[tuple[Tensor, Tensor]]
    lines: dict[int, Lines | Chosen]

    def take(self, rows: Tensor) -> Known:
        """What is known of these rows; ends are not needed any more."""
        from dataclasses import fields

        picked: dict[int, Lines | Chosen] = {}
        for at, found in self.lines.items():
            parts = {f.name: getattr(found, f.name) for f in fields(found)}
            picked[at] = type(found)(**{k: v[rows] if hasattr(v, "shape") else v for k, v in parts.items()})
        return Known(ends=[], lines=picked)


def known(graph: Graph, region: Region, *, backward: bool) -> Known:
    """Ends of every operation: by intervals alone, or tightened by linear functions where they matter (`backward`)."""
    found = Known(ends=[], lines={})
    for at, node in enumerate(graph.nodes):
        if node.op is not None and is_bent(node.op):
            if backward:
                _tighten(graph, region, found, node.inputs[0], node)
            found.lines[at] = lines(node.op, *found.ends[node.inputs[0]])
        found.ends.append(_forward(node, found.ends, region))
    return found


def lower(
    graph: Graph,
    region: Region,
    found: Known,
    at: int,
    a: Tensor,
    rows: Tensor,
    slopes: dict[int, Tensor] | None = None,
) -> Tensor:
    """Lower bounds (p,) of the linear functions `a` (p, ...) of operation `at`, each over its row's region."""
    return _walk(graph, region, found, {at: a}, a.new_zeros(len(a)), rows, slopes or {})


def _walk(
    graph: Graph,
    region: Region,
    found: Known,
    waiting: dict[int, Tensor],
    total: Tensor,
    rows: Tensor,
    slopes: dict[int, Tensor],
) -> Tensor:
    for at in range(max(waiting), 0, -1):
        if at not in waiting:
            continue
        a, node = waiting.pop(at), graph.nodes[at]
        if isinstance(node.op, Sum):
            parts = [(to, sign * a) for to, sign in zip(node.inputs, node.op.signs, strict=True)]
        elif at in found.lines:
            back, added = found.lines[at].back(a, rows, slopes.get(at))
            parts, total = [(node.inputs[0], back)], total + added
        else:
            total = total + (a * offset(graph, node)).flatten(1).sum(1)
            parts = [(node.inputs[0], node.op.transpose(a))]  # type: ignore[union-attr]
        for to, part in parts:
            waiting[to] = waiting[to] + part if to in waiting else part
    return total + region.least(waiting[0], rows) if 0 in waiting else total


def offset(graph: Graph, node: Node) -> Tensor:
    """The b of an affine operation, shaped like one row of its output."""
    import torch

    inside = graph.nodes[node.inputs[0]].shape
    with torch.no_grad():
        return node.op.apply(torch.zeros((1, *inside), dtype=torch.float64, device=graph.device))[0]  # type: ignore[union-attr]


def chunks(count: int, graph: Graph) -> Iterator[slice]:
    """Pieces of `count` linear functions whose coefficients fit into memory together."""
    widest = max(_size(node.shape) for node in graph.nodes)
    step = max(1, CELLS // max(widest, 1))
    for start in range(0, count, step):
        yield slice(start, start + step)


def _forward(node: Node, ends: list[tuple[Tensor, Tensor]], region: Region) -> tuple[Tensor, Tensor]:
    """Interval arithmetic over one operation."""
    if node.op is None:
        return region.low, region.high
    if isinstance(node.op, Sum):
        pairs = [ends[at] if sign > 0 else (-ends[at][1], -ends[at][0]) for at, sign in _terms(node)]
        return sum(low for low, _ in pairs), sum(high for _, high in pairs)
    low, high = ends[node.inputs[0]]
    if is_bent(node.op):
        return node.op.value(low), node.op.value(high)
    middle, half = node.op.apply((low + high) / 2), node.op.absolute((high - low) / 2)  # type: ignore[union-attr]
    return middle - half, middle + half


def _terms(node: Node) -> list[tuple[int, float]]:
    return list(zip(node.inputs, node.op.signs, strict=True))  # type: ignore[union-attr]


def _tighten(graph: Graph, region: Region, found: Known, at: int, reader: Node) -> None:
    """Replace the ends of operation `at` by better ones where the lines of its reader depend on them."""
    import torch

    if _exact(graph, at, region):
        return
    low, high = found.ends[at]
    row, flat = undecided(reader.op, low, high).flatten(1).nonzero(as_tuple=True)  # type: ignore[arg-type]
    low, high = low.flatten(1).clone(), high.flatten(1).clone()
    for part in chunks(len(row), graph):
        rows, places = row[part], flat[part]
        up = _element(graph, region, found, at, rows, places, 1.0)
        down = -_element(graph, region, found, at, rows, places, -1.0)
        better_low, better_high = low[rows, places].maximum(up), high[rows, places].minimum(down)
        # Rounding may cross two ends that are equal; a point stays a point.
        low[rows, places] = torch.minimum(better_low, better_high)
        high[rows, places] = torch.maximum(better_low, better_high)
    shape = found.ends[at][0].shape
    found.ends[at] = (low.reshape(shape), high.reshape(shape))


def _exact(graph: Graph, at: int, region: Region) -> bool:
    """Whether an interval is the truth already: on a box, one mixing operation and any number that mix nothing."""
    mixed = 0
    while at:
        node = graph.nodes[at]
        if isinstance(node.op, Sum) or is_bent(node.op):
            return False
        mixed += not (isinstance(node.op, Scale) or getattr(node.op, "single", False))
        at = node.inputs[0]
    return region.norm == "linf" and mixed <= 1


def _element(graph: Graph, region: Region, found: Known, at: int, rows: Tensor, places: Tensor, sign: float) -> Tensor:
    """Lower bounds of sign * (one element of operation `at`) per line."""
    import torch

    node = graph.nodes[at]
    pick = getattr(node.op, "pick", None)
    laid = None if pick is None else pick(places)
    if laid is not None:
        start = sign * offset(graph, node).flatten()[places]
        return _walk(graph, region, found, {node.inputs[0]: sign * laid}, start, rows, {})
    one = torch.zeros((len(rows), _size(node.shape)), dtype=torch.float64, device=graph.device)
    one[torch.arange(len(rows), device=graph.device), places] = sign
    return lower(graph, region, found, at, one.reshape((len(rows), *node.shape)), rows)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
