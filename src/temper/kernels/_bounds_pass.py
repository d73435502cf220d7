"""Intervals forward through a net, linear functions backward through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from temper.kernels._bounds_lines import Chosen, Lines, lines, undecided
from temper.kernels._bounds_ops import Bend, Graph, Kink, Node, Scale, Sum, is_bent
from temper.kernels._bounds_part import Part, Shape, Tensor

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

    def least(self, part: Part) -> Tensor:
        """The smallest value (p,) of each linear function over the region of its row."""
        import torch

        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        least = part.value(part.of(middle)) - (part.a.abs() * part.of(half)).flatten(1).sum(1)
        if self.norm == "linf":
            return least
        scale = torch.as_tensor(self.scale, dtype=torch.float64, device=self.low.device).expand(self.low.shape[1:])
        slope = (part.a * part.shared(scale)).flatten(1)
        reach = self.radius[part.rows] * slope.norm(p=_DUAL[self.norm], dim=1)
        return least.maximum(part.value(part.of(self.centre)) - reach)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """Per operation the ends of its output (b, ...), and the lines of those that are not affine.

    `done` marks the elements whose ends are as tight as linear functions make them.
    """

    ends: list[tuple[Tensor, Tensor]]
    lines: dict[int, Lines | Chosen]
    done: dict[int, Tensor]


def known(graph: Graph, region: Region, *, backward: bool) -> Known:
    """Ends of every operation: by intervals alone, or tightened by linear functions where they matter (`backward`)."""
    found = Known(ends=[], lines={}, done={})
    for at, node in enumerate(graph.nodes):
        if node.op is not None and is_bent(node.op):
            read = node.inputs[0]
            if backward:
                _tighten(graph, region, found, read, undecided(node.op, *found.ends[read]))
            found.lines[at] = lines(node.op, *found.ends[read])
        found.ends.append(_forward(node, found.ends, region))
    return found


def lower(
    graph: Graph, region: Region, found: Known, a: Tensor, rows: Tensor, slopes: dict[int, Tensor] | None = None
) -> Tensor:
    """Lower bounds (p,) of the linear functions `a` (p, ...) of the scores, each over its row's region."""
    return _walk(graph, region, found, len(graph.nodes) - 1, Part(a=a, rows=rows), slopes)[0]


def _walk(
    graph: Graph, region: Region, found: Known, at: int, part: Part, slopes: dict[int, Tensor] | None = None
) -> tuple[Tensor, int]:
    """Lower bounds (p,) of functions of operation `at`, and the most coefficients that one of them had on the way."""
    total, widest, waiting = part.a.new_zeros(len(part.a)), 1, {at: part}
    for step in range(at, 0, -1):
        if step not in waiting:
            continue
        part, node = waiting.pop(step), graph.nodes[step]
        widest = max(widest, part.a[0].numel())
        for to, back, added in _back(node, found.lines.get(step), part, (slopes or {}).get(step)):
            total = total + added
            waiting[to] = waiting[to].plus(back, graph.nodes[to].shape) if to in waiting else back
    return (total + region.least(waiting[0]) if 0 in waiting else total), widest


def _back(
    node: Node, line: Lines | Chosen | None, part: Part, slopes: Tensor | None
) -> list[tuple[int, Part, Tensor | float]]:
    """Functions of what an operation reads, below those of its output, and what the bound gains on the way."""
    if isinstance(node.op, Sum):
        return [(to, part if sign == 1.0 else part.times(sign), 0.0) for to, sign in _terms(node)]
    if line is not None:
        return [(node.inputs[0], *line.back(part, slopes))]
    if not node.op.local:  # type: ignore[union-attr]
        part = part.whole(node.shape)
    return [(node.inputs[0], *node.op.transpose(part))]  # type: ignore[union-attr]


def chunks(count: int, graph: Graph) -> Iterator[slice]:
    """Pieces of `count` linear functions whose coefficients fit into memory together."""
    step = _lines(max(_size(node.shape) for node in graph.nodes))
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


def _tighten(graph: Graph, region: Region, found: Known, at: int, wanted: Tensor) -> None:
    """Replace the ends of operation `at` by better ones where they are wanted (b, ...)."""
    node = graph.nodes[at]
    if isinstance(node.op, Kink | Bend):
        # It never falls: the ends of what it reads are the shortest way to its own.
        _tighten(graph, region, found, node.inputs[0], wanted)
        found.ends[at] = _forward(node, found.ends, region)
        return
    if _exact(graph, at, region):
        return
    wanted = wanted.flatten(1)
    if at in found.done:
        wanted = wanted & ~found.done[at]
    found.done[at] = wanted | found.done.get(at, wanted)
    found.ends[at] = _tightened(graph, region, found, at, wanted)


def _tightened(graph: Graph, region: Region, found: Known, at: int, wanted: Tensor) -> tuple[Tensor, Tensor]:
    import torch

    low, high = (end.flatten(1).clone() for end in found.ends[at])
    row, flat = wanted.nonzero(as_tuple=True)
    start, stop = 0, _lines(max(_size(node.shape) for node in graph.nodes))
    while start < len(row):
        rows, places = row[start:stop], flat[start:stop]
        first, part, added = _single(graph, at, rows, places)
        up, widest = _walk(graph, region, found, first, part)
        down, _ = _walk(graph, region, found, first, part.times(-1.0))
        better_low, better_high = low[rows, places].maximum(up + added), high[rows, places].minimum(added - down)
        # Rounding may cross two ends that are equal; a point stays a point.
        low[rows, places] = torch.minimum(better_low, better_high)
        high[rows, places] = torch.maximum(better_low, better_high)
        start, stop = stop, stop + _lines(widest)
    shape = found.ends[at][0].shape
    return low.reshape(shape), high.reshape(shape)


def _exact(graph: Graph, at: int, region: Region) -> bool:
    """Whether an interval is the truth already: on a box, one mixing operation and any number that mix nothing."""
    mixed = 0
    while at:
        node = graph.nodes[at]
        if isinstance(node.op, Sum):
            return False
        mixed += not (isinstance(node.op, Scale | Kink | Bend) or getattr(node.op, "single", False))
        at = node.inputs[0]
    return region.norm == "linf" and mixed <= 1


def _single(graph: Graph, at: int, rows: Tensor, places: Tensor) -> tuple[int, Part, Tensor | float]:
    """Single elements of operation `at` as functions of it, or of what it reads with what that leaves out (p,)."""
    import torch

    node = graph.nodes[at]
    picked = node.op.pick(places, rows) if hasattr(node.op, "pick") else None
    if picked is not None:
        return node.inputs[0], *picked
    line = torch.arange(len(rows), device=rows.device)
    if len(node.shape) != 3:
        one = torch.zeros((len(rows), _size(node.shape)), dtype=torch.float64, device=graph.device)
        one[line, places] = 1.0
        return at, Part(a=one.reshape((len(rows), *node.shape)), rows=rows), 0.0
    channels, tall, wide = node.shape
    one = torch.zeros((len(rows), channels, 1, 1), dtype=torch.float64, device=graph.device)
    one[line, places // (tall * wide)] = 1.0
    return at, Part(a=one, rows=rows, top=places // wide % tall, left=places % wide), 0.0


def _lines(widest: int) -> int:
    """How many functions fit into memory together."""
    return max(1, CELLS // max(widest, 1))


def _size(shape: Shape) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
