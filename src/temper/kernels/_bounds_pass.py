"""Intervals forward through a net, linear functions backward through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from temper.kernels._bounds_lines import Chosen, Lines, lines, undecided
from temper.kernels._bounds_ops import Bend, Bent, Graph, Kink, Node, Scale, Sum, is_bent
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
        at, around = part.of(middle, half)
        least = part.value(at) - (part.a.abs() * around).flatten(1).sum(1)
        if self.norm == "linf":
            return least
        scale = torch.as_tensor(self.scale, dtype=torch.float64, device=self.low.device).expand(self.low.shape[1:])
        slope = (part.a * part.shared(scale)).flatten(1)
        reach = self.radius[part.rows] * slope.norm(p=_DUAL[self.norm], dim=1)
        return least.maximum(part.value(*part.of(self.centre)) - reach)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """Per operation the ends of its output (b, ...), and the lines of those that are not affine.

    `done` marks the elements whose lower, and those whose upper end is as tight as linear functions make it.
    """

    ends: list[tuple[Tensor, Tensor]]
    lines: dict[int, Lines | Chosen]
    done: dict[int, tuple[Tensor, Tensor]]


def known(graph: Graph, region: Region, *, backward: bool) -> Known:
    """Ends of every operation: by intervals alone, or tightened by linear functions where they matter (`backward`)."""
    found = Known(ends=[], lines={}, done={})
    for at, node in enumerate(graph.nodes):
        if node.op is not None and is_bent(node.op):
            read = node.inputs[0]
            if backward:
                _tighten(graph, region, found, read, node.op)
            found.lines[at] = lines(node.op, *found.ends[read])
        found.ends.append(_forward(node, found.ends, region))
    return found


def lower(
    graph: Graph, region: Region, found: Known, a: Tensor, rows: Tensor, slopes: dict[int, Tensor] | None = None
) -> Tensor:
    """Lower bounds (p,) of the linear functions `a` (p, ...) of the scores, each over its row's region."""
    return _walk(graph, region, found, {len(graph.nodes) - 1: Part(a=a, rows=rows)}, slopes)[0]


def _walk(
    graph: Graph, region: Region, found: Known, waiting: dict[int, Part], slopes: dict[int, Tensor] | None = None
) -> tuple[Tensor, int]:
    """Lower bounds (p,) of functions of some operations added up, and the most coefficients one had on the way."""
    total, widest = 0.0, 1
    for at in range(max(waiting), 0, -1):
        if at not in waiting:
            continue
        part, node = waiting.pop(at), graph.nodes[at]
        widest = max(widest, part.a[0].numel())
        for to, back, added in _back(node, found.lines.get(at), part, (slopes or {}).get(at)):
            total = total + added
            _put(graph, waiting, to, back)
    return total + region.least(waiting[0]), max(widest, waiting[0].a[0].numel())


def _put(graph: Graph, waiting: dict[int, Part], at: int, part: Part) -> None:
    waiting[at] = waiting[at].plus(part, graph.nodes[at].shape) if at in waiting else part


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


def _tighten(graph: Graph, region: Region, found: Known, at: int, reader: Bent) -> None:
    """Replace the ends of operation `at` by better ones where the lines of its reader depend on them."""
    wanted = undecided(reader, *found.ends[at])
    at, behind = _source(graph, at)
    if _exact(graph, at, region):
        return
    low, high = found.ends[at]
    # The end nearer to zero first: where it decides a kink, the other is not needed.
    for sign in ((low + high >= 0) * 2.0 - 1.0, (low + high < 0) * 2.0 - 1.0):
        _one_end(graph, region, found, at, wanted, sign)
        if isinstance(reader, Kink):
            wanted = wanted & undecided(reader, *found.ends[at])
    for later in behind:
        found.ends[later] = _forward(graph.nodes[later], found.ends, region)


def _one_end(graph: Graph, region: Region, found: Known, at: int, wanted: Tensor, sign: Tensor) -> None:
    """Raise the lower end of operation `at` where it is wanted and `sign` is 1, lower the upper one where it is -1."""
    import torch

    low, high = found.ends[at]
    done = found.done.setdefault(at, (wanted & ~wanted, wanted & ~wanted))
    wanted = wanted & ~done[0].where(sign > 0, done[1])
    found.done[at] = (done[0] | (wanted & (sign > 0)), done[1] | (wanted & (sign < 0)))
    lines, bounds = wanted.flatten(1).nonzero(), []
    start, stop = 0, _lines(max(_size(node.shape) for node in graph.nodes))
    while start < len(lines):
        rows, places = lines[start:stop].T
        signs = sign.flatten(1)[rows, places]
        parts, added = _single(graph, at, rows, places)
        least, widest = _walk(graph, region, found, {to: part.each(signs) for to, part in parts.items()})
        bounds.append(signs * added + least)
        start, stop = stop, stop + _lines(widest)
    if not bounds:
        return
    better = low.new_full(low.shape, float("-inf")).masked_scatter(wanted, torch.cat(bounds))
    raised, lowered = low.maximum(better).where(sign > 0, low), high.minimum(-better).where(sign < 0, high)
    # Rounding may cross two ends that are equal; a point stays a point.
    found.ends[at] = (raised.minimum(lowered), raised.maximum(lowered))


def _source(graph: Graph, at: int) -> tuple[int, list[int]]:
    """The operation whose ends give those of `at`, and the functions in between, which never fall, in their order."""
    behind: list[int] = []
    while isinstance(graph.nodes[at].op, Kink | Bend):
        behind.insert(0, at)
        at = graph.nodes[at].inputs[0]
    return at, behind


def effort(graph: Graph, region: Region) -> int:
    """How many coefficients backward bounds take for the first row, where no interval decides anything."""
    import torch

    found, total = known(graph, region.take(torch.tensor([0], device=graph.device)), backward=False), 0
    read = {_source(graph, node.inputs[0])[0] for node in graph.nodes if node.op is not None and is_bent(node.op)}
    for at in read:
        count = _size(graph.nodes[at].shape)
        middle = torch.tensor([count // 2], device=graph.device)
        if not _exact(graph, at, region):
            total += 2 * count * _walk(graph, region, found, _single(graph, at, middle * 0, middle)[0])[1]
    return total


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


def _single(graph: Graph, at: int, rows: Tensor, places: Tensor) -> tuple[dict[int, Part], Tensor | float]:
    """Single elements of operation `at` as functions of the nearest operations where they are short, plus (p,)."""
    node = graph.nodes[at]
    if isinstance(node.op, Scale):
        parts, added = _single(graph, node.inputs[0], rows, places)
        scale, shift = node.op.scale.flatten()[places], node.op.shift.flatten()[places]
        return {to: part.each(scale) for to, part in parts.items()}, added * scale + shift
    if isinstance(node.op, Sum):
        parts, added = {}, 0.0
        for one, sign in _terms(node):
            more, shift = _single(graph, one, rows, places)
            added = added + sign * shift
            for to, part in more.items():
                _put(graph, parts, to, part.times(sign))
        return parts, added
    picked = None if node.op is None or is_bent(node.op) else node.op.pick(places, rows)  # type: ignore[union-attr]
    if picked is not None:
        return {node.inputs[0]: picked[0]}, picked[1]
    return {at: _one_hot(node.shape, rows, places)}, 0.0


def _one_hot(shape: Shape, rows: Tensor, places: Tensor) -> Part:
    """Single elements as functions of an output of this shape, in a window of one place where it has two axes."""
    import torch

    line = torch.arange(len(rows), device=rows.device)
    if len(shape) != 3:
        one = torch.zeros((len(rows), _size(shape)), dtype=torch.float64, device=rows.device)
        one[line, places] = 1.0
        return Part(a=one.reshape((len(rows), *shape)), rows=rows)
    channels, tall, wide = shape
    one = torch.zeros((len(rows), channels, 1, 1), dtype=torch.float64, device=rows.device)
    one[line, places // (tall * wide)] = 1.0
    return Part(a=one, rows=rows, top=places // wide % tall, left=places % wide)


def _lines(widest: int) -> int:
    """How many functions fit into memory together."""
    return max(1, CELLS // max(widest, 1))


def _size(shape: Shape) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
