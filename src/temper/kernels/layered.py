"""Boxes in horizontal bands with lines between them: few crossings, no line through a box.

After Sugiyama, Tagawa & Toda (1981), with the bands given: long lines get a place of their own in every band they
cross, boxes are ordered by the mean place of what they are joined to, and places are kept apart by pooling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

GAP = 46.0
"""Between two boxes of a band."""
NARROW = 18.0
"""What a line that crosses a band takes."""
_SWEEPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Where everything lies: the middle of each box on its band, and per line the places at which it crosses bands."""

    x: tuple[float, ...]
    width: float
    through: tuple[tuple[tuple[int, float], ...], ...]


@dataclass(slots=True)
class _Grid:
    """Boxes and crossings of one picture while it is laid out; a crossing has the width of a line."""

    bands: list[int]
    widths: list[float]
    joined: list[tuple[int, int]] = field(default_factory=list)
    beside: dict[frozenset[int], float] = field(default_factory=dict)
    ranks: dict[int, int] = field(default_factory=dict)

    def add(self, band: int, width: float) -> int:
        self.bands.append(band)
        self.widths.append(width)
        return len(self.bands) - 1


def lay_out(
    bands: Sequence[int], widths: Sequence[float], lines: Sequence[tuple[int, int]], labels: Sequence[float] = ()
) -> Laid:
    """Places for boxes, each with its band and width, joined by lines (from, to); neighbours that a line joins leave
    room for its label, as wide as `labels` says.

    >>> lay_out([0, 1, 1], [100.0, 100.0, 100.0], [(0, 1), (1, 2)]).x
    (50.0, 50.0, 196.0)
    """
    grid = _Grid(list(bands), [float(width) for width in widths])
    for pair, label in zip(lines, labels or [0.0] * len(lines), strict=True):
        if bands[pair[0]] == bands[pair[1]]:
            grid.beside[frozenset(pair)] = max(label, grid.beside.get(frozenset(pair), 0.0))
    crossed = [_crossings(grid, start, end) for start, end in lines]
    grid.ranks = _ranks(bands, lines)
    order = _ordered(grid, len(bands))
    places = _places(grid, order)
    left = min((places[at] - grid.widths[at] / 2 for at in range(len(grid.bands))), default=0.0)
    places = {at: place - left for at, place in places.items()}
    return Laid(
        x=tuple(places[at] for at in range(len(bands))),
        width=max((places[at] + grid.widths[at] / 2 for at in places), default=0.0),
        through=tuple(tuple((grid.bands[at], places[at]) for at in path) for path in crossed),
    )


def _crossings(grid: _Grid, start: int, end: int) -> list[int]:
    """A place in every band between the two ends, joined one to the next; none for neighbours."""
    low, high = grid.bands[start], grid.bands[end]
    step = 1 if high > low else -1
    path = [grid.add(band, NARROW) for band in range(low + step, high, step)] if low != high else []
    chain = [start, *path, end]
    grid.joined += pairwise(chain)
    return path


def _ranks(bands: Sequence[int], lines: Sequence[tuple[int, int]]) -> dict[int, int]:
    """How many boxes of its own band lead to each box; lines that would close a circle do not count."""
    ranks = dict.fromkeys(range(len(bands)), 0)
    leads: dict[int, list[int]] = {}
    for start, end in lines:
        if bands[start] == bands[end] and not _reaches(leads, end, start):
            leads.setdefault(start, []).append(end)
    for _ in range(len(bands)):
        for start, ends in leads.items():
            for end in ends:
                ranks[end] = max(ranks[end], ranks[start] + 1)
    return ranks


def _reaches(leads: Mapping[int, Sequence[int]], start: int, end: int) -> bool:
    queue, seen = [start], set()
    while queue:
        at = queue.pop()
        if at == end:
            return True
        if at not in seen:
            seen.add(at)
            queue.extend(leads.get(at, ()))
    return False


def _ordered(grid: _Grid, boxes: int) -> list[list[int]]:
    """The order inside each band: boxes by rank, then by the mean place of what they are joined to."""
    order = [
        [at for at, band in enumerate(grid.bands) if band == here] for here in range(max(grid.bands, default=-1) + 1)
    ]
    order = [sorted(band, key=lambda at: (grid.ranks.get(at, 0), at)) for band in order]
    near = _neighbours(grid)
    for sweep in range(_SWEEPS):
        share = {at: (i + 0.5) / len(band) for band in order for i, at in enumerate(band)}
        for here in range(len(order)) if sweep % 2 == 0 else reversed(range(len(order))):
            order[here] = _sorted(order[here], grid, near, share, boxes)
            share |= {at: (i + 0.5) / len(order[here]) for i, at in enumerate(order[here])}
    return order


def _sorted(
    band: Sequence[int], grid: _Grid, near: Mapping[int, Sequence[int]], share: Mapping[int, float], boxes: int
) -> list[int]:
    def mean(at: int) -> float:
        others = [share[one] for one in near.get(at, ()) if grid.bands[one] != grid.bands[at]]
        return sum(others) / len(others) if others else share[at]

    found = sorted((at for at in band if at < boxes), key=lambda at: (grid.ranks[at], mean(at), at))
    for at in (at for at in band if at >= boxes):
        wanted = mean(at) * (len(found) + 1) - 0.5
        free = [
            place
            for place in range(len(found) + 1)
            if frozenset(found[max(place - 1, 0) : place + 1]) not in grid.beside
        ]
        found.insert(min(free, key=lambda place: abs(place - wanted)), at)
    return found


def _neighbours(grid: _Grid) -> dict[int, list[int]]:
    near: dict[int, list[int]] = {}
    for start, end in grid.joined:
        near.setdefault(start, []).append(end)
        near.setdefault(end, []).append(start)
    return near


def _places(grid: _Grid, order: Sequence[Sequence[int]]) -> dict[int, float]:
    """Each box below the mean of what it is joined to, as far as its neighbours leave room."""
    near = _neighbours(grid)
    places: dict[int, float] = {}
    for band in order:
        places |= dict(zip(band, _apart([0.0] * len(band), _offsets(band, grid)), strict=True))
    for sweep in range(_SWEEPS):
        for band in order if sweep % 2 == 0 else reversed(order):
            wanted = []
            for at in band:
                others = [places[one] for one in near.get(at, ()) if grid.bands[one] != grid.bands[at]]
                wanted.append(sum(others) / len(others) if others else places[at])
            places |= dict(zip(band, _apart(wanted, _offsets(band, grid)), strict=True))
    return places


def _offsets(band: Sequence[int], grid: _Grid) -> list[float]:
    """How far from the first each box must lie at least."""
    found = [0.0] * len(band)
    for at in range(1, len(band)):
        left, right = band[at - 1], band[at]
        gap = max(GAP, grid.beside.get(frozenset((left, right)), 0.0))
        found[at] = found[at - 1] + (grid.widths[left] + grid.widths[right]) / 2 + gap
    return found


def _apart(wanted: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones (least squares) at which neighbours do not touch."""
    pools: list[list[float]] = []  # [mean, count]
    for want, offset in zip(wanted, offsets, strict=True):
        pools.append([want - offset, 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, count = pools.pop()
            before = pools[-1]
            before[0] = (before[0] * before[1] + mean * count) / (before[1] + count)
            before[1] += count
    level = [mean for mean, count in pools for _ in range(int(count))]
    return [mean + offset for mean, offset in zip(level, offsets, strict=True)]
