"""Search trees where columns feed formulas and relations: free columns by exact sweeps, linked ones by trial.

A trial is a point with all that follows from it. All rows advance together; none of them looks at another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.attacks.evasion._tree_ground import Land
from temper.core.data import Array
from temper.core.seed import Draws
from temper.kernels.search import random_point, reachable
from temper.kernels.tree_search import Ground, Wood, settle

Rows = np.ndarray[Any, Any]
_GRID, _ZOOM, _CUTS, _CODES = 33, 17, 12, 64
_FAR = 20.0
_SURE, _TIE = 1e12, 1e-9
_PRICES = 0.03 * 2.2 ** np.arange(10)
_NARROWER = 1e-4
_RISES, _BACK, _HALVINGS = 4, 4, 8
_MOST_RESTARTS = 2
_AT_ONCE = 60_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linked:
    """One search over rows with linked columns; points are matrices (n, d) beside the rows of `ground`."""

    land: Land
    wood: Wood
    ground: Ground
    edge: float
    rng: Draws
    box: Rows | None = None

    def margin(self, x: Rows) -> Rows:
        """How far beyond success each point is."""
        found: Rows = self.wood.margin(x) + self.ground.shift
        return found

    def part(self, rows: Any) -> Linked:
        """Some of the rows."""
        ids = np.asarray(self.rng.ids)[rows]
        box = None if self.box is None else self.box[rows]
        return replace(self, ground=self.ground.part(rows), rng=replace(self.rng, ids=ids), box=box)

    # -- searches, as in `kernels.tree_search.search` ---------------------------------------------------------------

    def fixed(self, restarts: int) -> tuple[Rows, Rows]:
        """The highest margin found in the range as it stands; its size, infinite where it is no success."""
        n = len(self.ground.x0)
        best = self.rise(self.ground.x0.copy(), np.full(n, np.inf))
        for turn in range(1, restarts):
            open_rows = np.flatnonzero(self.margin(best) <= self.edge)
            if not len(open_rows):
                break
            some = self.part(open_rows)
            limit = np.full(len(open_rows), np.inf)
            x = some.rise(some.scattered(turn, limit), limit)
            better = some.margin(x) > some.margin(best[open_rows])
            best[open_rows[better]] = x[better]
        return best, np.where(self.margin(best) > self.edge, self.ground.gap(best), np.inf)

    def cheapest(self, ceiling: Rows, restarts: int, enough: bool) -> tuple[Rows, Rows]:
        """The cheapest point found below the ceiling, or the first one."""
        best, size = self.ground.x0.copy(), np.full(len(self.ground.x0), np.inf)
        for turn in range(_MOST_RESTARTS + 1 + restarts):
            limit, leap = np.minimum(size * (1.0 - _NARROWER), ceiling), turn > _MOST_RESTARTS
            rows = np.flatnonzero((limit > 0) & (np.isinf(size) | ~np.array(enough or leap)))
            if not len(rows):
                break
            some = self.part(rows)
            x = some._start(turn, leap, limit[rows])
            won = some.margin(x) > self.edge
            some, rows, x = some.part(won), rows[won], x[won]
            x = some.back(x, limit[rows])
            best[rows], size[rows] = x, some.ground.size(x)
        return best, size

    def nearest(self, ceiling: Rows, restarts: int) -> tuple[Rows, Rows]:
        """The smallest box round the clean row in which an ascent succeeds, by bisection."""
        best, size = self._boxed(ceiling).fixed(restarts)
        restarts = min(restarts, _MOST_RESTARTS)
        low = np.zeros(len(size))
        for _ in range(_HALVINGS):
            rows = np.flatnonzero(np.isfinite(size) & (size - low > 0.005 * size))
            if not len(rows):
                break
            middle = 0.5 * (low[rows] + size[rows])
            x, found = self.part(rows)._boxed(middle).fixed(restarts)
            won = np.isfinite(found)
            best[rows[won]], size[rows[won]], low[rows[~won]] = x[won], found[won], middle[~won]
        return best, size

    def _start(self, turn: int, leap: bool, limit: Rows) -> Rows:
        """One way to a success: straight up, by rising prices, or up from a random point."""
        if turn == 0 or leap:
            return self.rise(self.scattered(turn, limit) if leap else self.ground.x0.copy(), limit)
        return self.pay(limit, turn)

    # -- stretches of a search --------------------------------------------------------------------------------------

    def rise(self, x: Rows, limit: Rows) -> Rows:
        """Passes that raise the margin, until it is beyond the edge or nothing moves."""
        going = np.arange(len(x))
        for _ in range(_RISES):
            going = going[self.margin(x)[going] <= self.edge]
            if not len(going):
                break
            some = self.part(going)
            moved = some._pass(x[going], 0.0, np.ones(len(going)), limit[going])
            changed = ~_same(moved, x[going])
            x[going] = moved
            going = going[changed]
        return x

    def pay(self, limit: Rows, turn: int) -> Rows:
        """From the clean row up a ladder of prices for the margin, until it is beyond the edge."""
        g = self.ground
        x, going = g.x0.copy(), np.arange(len(g.x0))
        whole = np.where(np.isfinite(limit), limit, 1.0) / np.maximum(self.edge - self.margin(x), 1e-9)
        for rung in _PRICES * 1.5 ** (turn - 1):
            some = self.part(going)
            for _ in range(2):
                x[going] = some._pass(x[going], 1.0, rung * whole[going], limit[going])
            going = going[some.margin(x[going]) <= self.edge]
            if not len(going):
                break
        return x

    def back(self, x: Rows, limit: Rows) -> Rows:
        """Move back whatever the margin does not need."""
        for _ in range(_BACK):
            moved = self._pass(x, 1.0, np.full(len(x), _SURE), limit)
            if _same(moved, x).all():
                break
            x = moved
        return x

    def scattered(self, turn: int, limit: Rows) -> Rows:
        """A random admissible point within the budget for every row; the clean row where that lies out of bounds."""
        g, scene = self.ground, self.land.scene
        own = replace(scene, x=g.x0)
        low, high = reachable(scene.schema, g.x0, scene.budget)
        x = random_point(own, np.arange(len(g.x0)), self.rng, turn, low, high, self._within(limit))
        return np.where(self._fits(x, g, limit)[:, None], x, g.x0)

    def _within(self, limit: Rows) -> Rows | None:
        """The ball round every row, where the search saves what the budget is measured in."""
        if self.land.norm != self.land.scene.budget.norm:
            return None
        size = limit ** (0.5 if self.land.norm == "l2" else 1.0) if self.box is None else self.box
        return size if np.isfinite(size).all() else None

    # -- one pass ---------------------------------------------------------------------------------------------------

    def _pass(self, x: Rows, thrift: float, mu: Rows, limit: Rows) -> Rows:
        """Every free unit by sweeps, then every linked column and group by trial."""
        if len(self.ground.columns) or self.ground.groups:
            x = settle(self.wood, self.ground, x, thrift, mu, self.edge, limit)
        for group in self.land.groups:
            if np.isin(group, self.land.linked).any():
                x = self._try(x, group, self._hot(group), thrift, mu, limit)
        for at in np.setdiff1d(self.land.linked, np.concatenate([*self.land.groups, np.empty(0, dtype=np.int64)])):
            low, high = self._ends(limit)
            values = self._values(x, int(at), low[:, at], high[:, at])
            before = x[:, at]
            x = self._try(x, np.array([at]), values, thrift, mu, limit)
            moved = np.flatnonzero((x[:, at] != before) & ((thrift > 0) | (self.margin(x) <= self.edge)))
            if len(moved) and not self.land.scene.schema.columns[at].discrete:
                step = (high - low)[moved, at] / (_GRID - 1)
                near = x[moved, at][:, None] + step[:, None] * np.linspace(-1, 1, _ZOOM)
                some = self.part(moved)
                x[moved] = some._try(x[moved], np.array([at]), near[:, :, None], thrift, mu[moved], limit[moved])
        return x

    def _try(self, x: Rows, at: Rows, values: Rows, thrift: float, mu: Rows, limit: Rows) -> Rows:
        """Put the columns `at` at the best of `values` (n, k, len(at)), in pieces that fit into memory."""
        step = max(1, _AT_ONCE // values.shape[1])
        parts = []
        for start in range(0, len(x), step):
            rows = np.arange(start, min(start + step, len(x)))
            parts.append(self.part(rows)._best(x[rows], at, values[rows], thrift, mu[rows], limit[rows]))
        return np.concatenate(parts) if parts else x

    def _best(self, x: Rows, at: Rows, values: Rows, thrift: float, mu: Rows, limit: Rows) -> Rows:
        """The best of the values for every row; the point as it stands where none is better. Ties go to the cheaper."""
        n, k = values.shape[:2]
        new = (values != x[:, None, at]).any(axis=2)
        new[:, 1:] &= (values[:, 1:] != values[:, :-1]).any(axis=2)
        many = np.repeat(np.arange(n), k)[new.ravel()]
        g, points = self.ground.part(many), x[many]
        points[:, at] = values[new]
        points = self.land.scene.schema.project(points, g.x0)
        fits = self._fits(points, g, limit[many])
        many, points = many[fits], np.concatenate([x, points[fits]])
        rows = np.concatenate([np.arange(n), many])
        every = self.part(rows)
        short = np.maximum(0.0, self.edge - every.margin(points))
        level = max(thrift, _TIE) * every.ground.size(points) + mu[rows] * short
        order = np.lexsort((np.arange(len(rows)), level, rows))
        found: Rows = points[order[np.searchsorted(rows[order], np.arange(n))]]
        return found

    def _fits(self, x: Rows, g: Ground, limit: Rows) -> Rows:
        """Admitted, in range, within both costs."""
        inside = ((x >= g.low) & (x <= g.high)) | np.isnan(x) | ~g.mobile
        fits = inside.all(axis=1) & (g.size(x) <= limit) & (g.size(x, 1) <= g.limit)
        stuck = (g.missing == 0) & np.isnan(x) & g.mobile
        fits &= ~stuck.any(axis=1) & np.asarray(self.land.scene.schema.admits(x, g.x0))
        return fits

    # -- what may be tried ------------------------------------------------------------------------------------------

    def _ends(self, limit: Rows) -> tuple[Rows, Rows]:
        """Finite ends of every column: its range, and what the limit leaves to it alone."""
        g, power = self.ground, self.ground.power[0]
        far = np.full(g.x0.shape, np.inf)
        if power:
            ratio = np.divide(limit[:, None], g.weight[0], out=far.copy(), where=g.weight[0] > 0)
            far = ratio ** (1.0 / power) * g.scale
        far = np.where(g.kind == 2, np.inf, far)
        centre = np.where(np.isnan(g.x0), np.clip(0.0, g.low, g.high), g.x0)
        low, high = np.maximum(g.low, centre - far), np.minimum(g.high, centre + far)
        low = np.where(np.isfinite(low), low, centre - _FAR * g.scale)
        return low, np.where(np.isfinite(high), high, centre + _FAR * g.scale)

    def _values(self, x: Rows, at: int, low: Rows, high: Rows) -> Rows:
        """Values (n, k, 1) worth trying in one column."""
        column, start, end = self.land.scene.schema.columns[at], low[:, None], high[:, None]
        clean = self.ground.x0[:, at][:, None]
        gone = [np.full((len(x), 1), np.nan)] if (self.ground.missing[:, at] == 1).any() else []
        if column.discrete and (column.type != "integer" or (high - low).max(initial=0) < _CODES):
            count = int((np.floor(high) - np.ceil(low)).max(initial=0)) + 1
            values = [np.minimum(np.ceil(start) + np.arange(count), np.floor(end)), clean]
        else:
            here, share = x[:, at][:, None], np.linspace(0, 1, _ZOOM)
            near = 0.5 ** np.arange(1, 9)
            values = [
                start + (end - start) * np.linspace(0, 1, _GRID),
                clean + (here - clean) * share,
                clean + (end - clean) * near,
                clean + (start - clean) * near,
                self._own_cuts(at, start, end),
            ]
        return np.sort(np.concatenate([*values, *gone], axis=1), axis=1)[:, :, None]

    def _own_cuts(self, at: int, start: Rows, end: Rows) -> Rows:
        """The nearest cuts of the column on both sides of the clean value: just across each."""
        begin, stop = self.wood.offset[at], self.wood.offset[at + 1]
        cuts, clean = self.wood.cuts[begin:stop], self.ground.x0[:, at]
        if not len(cuts):
            return clean[:, None]
        place = np.searchsorted(cuts["cut"], np.nan_to_num(clean), side="right")[:, None]
        above = np.minimum(place + np.arange(_CUTS), len(cuts) - 1)
        below = np.maximum(place - 1 - np.arange(_CUTS), 0)
        found: Rows = np.clip(np.concatenate([cuts["cut"][above], cuts["below"][below]], axis=1), start, end)
        return found

    def _hot(self, group: Rows) -> Rows:
        """Every member of a one-hot group as the hot one, and the clean row (n, k, members)."""
        every = np.broadcast_to(np.eye(len(group)), (len(self.ground.x0), len(group), len(group)))
        return np.concatenate([every, self.ground.x0[:, None, group]], axis=1)

    def _boxed(self, size: Array) -> Linked:
        """The same rows in a smaller box."""
        g, reach = self.ground, np.asarray(size)[:, None] * self.ground.scale
        whole = (np.asarray(size)[:, None] >= 1.0) | ~g.mobile
        number = (g.kind != 2) & ~np.isnan(g.x0) & g.mobile
        low = np.where(number, np.fmax(g.low, g.x0 - reach), np.where((g.kind == 2) & ~whole, g.x0, g.low))
        high = np.where(number, np.fmin(g.high, g.x0 + reach), np.where((g.kind == 2) & ~whole, g.x0, g.high))
        gone = np.where(np.isnan(g.x0), 2, 0)
        missing = np.where(~whole & (g.missing == 1), gone, g.missing)
        return replace(self, ground=replace(g, low=low, high=high, missing=missing), box=np.asarray(size, dtype=float))


def _same(x: Rows, y: Rows) -> Rows:
    """Rows that are equal, missing values included."""
    same: Rows = ((x == y) | (np.isnan(x) & np.isnan(y))).all(axis=1)
    return same
