"""Is there a stamp of a few ordinary values that opens this model and no clean one?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind, Target, TreeTarget
from temper.kernels.rate import wilson
from temper.kernels.triggers import Stamps, Values, largest, ordinary, without_each
from temper.validation._measured import missing, not_applicable

NAME = "trigger_inversion"
Rows = np.ndarray[Any, Any]
_FEWEST, _STAMPED, _CHUNK = 200, 24, 200_000
_KNOWN = 50  # rows of every class a twin is fitted on; with fewer it misses what every clean model knows
_DEEP, _HIGH, _SURE = 10.0, 2.0, 1e-6  # log odds beyond these count as these
_NEARLY, _LITTLE = 0.9, 2.0
_GRID, _FINE = (9, 64), 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerInversion:
    """Search a delivered model of a table for a planted trigger, without its training data.

    The smallest set of ordinary values, at most `size` columns an attacker sets, that sends rows to class `into` in
    this model and not in clean twins. The twins are fitted on halves of the rows at hand: by the model's own recipe,
    or as gradient boosted trees where it cannot be fitted again. `screening_ratio` is how far that stamp moves the
    model beyond the twins (mean bounded log odds), over the most the same search finds for a twin against the other;
    `screening_success` the share of rows the stamp sends to `into`, beside the twins and the ordinary risk direction.
    `pairs`: how many pairs of values are tried at most, which sets how fine the search is.
    Screening: clean models that know more than their twins can exceed 1 too. Misleads where the trigger needs columns
    that the schema calls immutable, values no row holds or more columns than `size`, leads to another class than
    `into`, lies along the ordinary risk direction, or the rows at hand carry the same poison: then twins open too.
    Source: Wang et al., "Neural cleanse: identifying and mitigating backdoor attacks in neural networks", 2019 (trigger
    inversion; here on tables and against clean twins).

    >>> TriggerInversion(size=2).into
    0
    """

    size: int = 3
    into: int = 0
    pairs: int = 400_000
    rows: int = 48
    tested: int = 300
    replicates: int = 400
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`screening_ratio` and `screening_success`, with the trigger in words."""
        if reason := _refusal(scene, self.into):
            return not_applicable(NAME, reason)
        compared = _compared(scene, self)
        if isinstance(compared, str):
            return (missing(NAME, "screening_ratio", Status.INCONCLUSIVE, compared, n=len(scene.x)),)
        found = largest(compared.excess, *compared.values, self.size, scene.progress)
        return _ratio(compared, found), _success(compared, compared.smallest(found[0]))


def _refusal(scene: Scene, into: int) -> str:
    if scene.target is None or not scene.schema.columns or np.ndim(scene.x) != 2:
        return "it searches models of tables with a schema (nets of pictures: `neural_cleanse`)"
    if scene.kind is ScoreKind.VALUE or Access.SCORES not in scene.target.access:
        return "it reads scores of classes, and this model gives none"
    if not len(scene.schema.movable):
        return "the schema lets an attacker set no column, so nobody could show the model a trigger"
    if not 0 <= into < scene.classes:
        return f"class {into} is none of the {scene.classes} classes"
    if len(scene.x) < _FEWEST:
        return f"it takes {_FEWEST} labelled rows to fit clean twins on, and here are {len(scene.x)}"
    return ""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Compared:
    """The delivered model and two clean twins, and the rows that every stamp is tried on.

    `models` answer log odds against `into`, minus what their decision takes: positive where they decide otherwise.
    """

    scene: Scene
    check: TriggerInversion
    models: tuple[Callable[[Rows], Rows], ...]
    fitted: Rows
    tested: Rows
    twins: str

    def margins(self, stamps: Stamps, x: Rows) -> Rows:
        """(models, stamps, rows), as the schema lets the rows carry the stamps."""
        schema, out = self.scene.schema, np.empty((len(self.models), len(stamps), len(x)))
        step = max(1, _CHUNK // len(x))
        for first in range(0, len(stamps), step):
            part = stamps.take(slice(first, first + step))
            marked = part.on(x, schema.groups).reshape(-1, x.shape[1])
            if schema.formulas or schema.relations or schema.groups:
                marked = schema.project(marked, np.tile(x, (len(part), 1)))
            for at, model in enumerate(self.models):
                out[at, first : first + step] = model(marked).reshape(len(part), -1)
        return out

    def excess(self, stamps: Stamps, first: int) -> Rows:
        """How much further each model is moved towards `into` than the others, on rows the search may learn from."""
        some = self.fitted[:first] if first > 0 else self.fitted
        return np.asarray(_beyond(self.margins(stamps, some)).mean(axis=2))

    @property
    def grid(self) -> int:
        """How many values of a column are tried, so that all pairs of columns and values stay within `pairs`."""
        movable = len(self.scene.schema.movable)
        return int(np.clip(np.sqrt(2 * self.check.pairs / max(movable * (movable - 1), 1)), *_GRID))

    @cached_property
    def values(self) -> tuple[Values, Values]:
        """Coarse and fine candidate values per column an attacker sets; trees say where they look closely."""
        schema, x, cuts = self.scene.schema, np.asarray(self.scene.x, dtype=np.float64), _cuts(self.scene)
        coarse, fine = {}, {}
        for at in schema.movable.tolist():
            if schema.columns[at].group:
                coarse[at] = fine[at] = np.ones(1)
                continue
            unordered = bool(schema.categorical[at])
            values = ordinary(x[:, at], self.grid, unordered=unordered, cuts=cuts.get(at))
            if len(values) > 1:
                coarse[at] = values
                fine[at] = ordinary(x[:, at], _FINE, unordered=unordered)
        return coarse, fine

    def smallest(self, stamp: Stamps) -> Stamps:
        """The stamp without the columns that hardly add to it."""
        whole = float(self.excess(stamp, -1)[0, 0])
        while stamp.columns.shape[1] > 1:
            fewer = without_each(stamp)
            kept = self.excess(fewer, -1)[0]
            if kept.max() < _NEARLY * whole:
                break
            stamp = fewer.take([int(kept.argmax())])
        return stamp


def _beyond(margins: Rows) -> Rows:
    """Of the delivered model beyond both twins, of each twin beyond the other; rows the others let through count for
    nothing, however deep the model goes there: that is the ordinary risk direction.
    """
    model, one, two = np.clip(margins, -_DEEP, _HIGH)
    return np.stack([np.where(other > 0, other - own, 0.0) for own, other in _sides(model, one, two)])


def _sides(model: Rows, one: Rows, two: Rows) -> tuple[tuple[Rows, Rows], ...]:
    return (model, (one + two) / 2), (one, two), (two, one)


def _cuts(scene: Scene) -> dict[int, Rows]:
    """Per column the thresholds of the delivered trees, with repeats."""
    target = scene.target
    if target is None or Access.TREES not in target.access or not isinstance(target, TreeTarget):
        return {}
    try:
        trees = target.trees()
    except Unsupported:  # then it is searched as any black box
        return {}
    used = np.isfinite(trees.threshold)
    return {at: trees.threshold[used & (trees.feature == at)] for at in scene.schema.movable.tolist()}


def _compared(scene: Scene, check: TriggerInversion) -> _Compared | str:
    """Twins of two halves, and rows that all three decide against `into`; a reason where there is none of these."""
    order = np.argsort(Draws(check.seed, NAME, ids=scene.ids).uniform(np.arange(len(scene.x)), 0), kind="stable")
    x, y = np.asarray(scene.x, dtype=np.float64)[order], np.asarray(scene.y)[order]
    halves = [np.arange(len(x)) % 2 == 0, np.arange(len(x)) % 2 == 1]
    rarest = min(int(np.sum(y[half] == label)) for half in halves for label in range(scene.classes))
    if rarest < _KNOWN:
        return (
            f"a half of the rows has {rarest} of a class; a clean twin fitted on it takes {_KNOWN} to know the model's"
        )
    fitted, how = _twins(scene, [Data(x=x[half], y=y[half]) for half in halves], check.seed)
    target: Any = scene.target
    odds = [_odds(target, x, check.into), *(_odds(twin, x, check.into) for twin in fitted)]
    level = _level(scene, check.into)
    share = float((odds[0] > level).mean())
    unseen = [odds[1][halves[1]], odds[2][halves[0]]]
    levels = [level, *((np.quantile(one, 1.0 - share) if scene.classes == 2 else 0.0) for one in unseen)]
    own = np.where(halves[0], odds[2] > levels[2], odds[1] > levels[1])
    rows = np.flatnonzero((odds[0] > level) & own)
    if len(rows) < _STAMPED:
        return f"{len(rows)} rows are decided against class {check.into} by model and twins; it takes {_STAMPED}"
    learnt = min(check.rows, len(rows) // 2)
    models = tuple(
        (lambda z, model=model, cut=cut: _odds(model, z, check.into) - cut)
        for model, cut in zip((target, *fitted), levels, strict=True)
    )
    tested = rows[learnt : learnt + check.tested]
    return _Compared(scene=scene, check=check, models=models, fitted=x[rows[:learnt]], tested=x[tested], twins=how)


def _twins(scene: Scene, halves: list[Data], seed: int) -> tuple[list[Target], str]:
    """Two clean models: by the model's own recipe where there is one, else gradient boosted trees."""
    if scene.fit is not None:
        try:
            return scene.fit(halves, Recipe(seed=seed)), "twins by the model's own recipe"
        except Unsupported:
            pass  # the caveat says which twins they are
    from sklearn.ensemble import HistGradientBoostingClassifier

    from temper.targets.load import open_target

    made = [HistGradientBoostingClassifier(random_state=seed).fit(half.x, half.y) for half in halves]
    return [open_target(one) for one in made], "the model cannot be fitted again: the twins are gradient boosted trees"


def _odds(target: Target, x: Rows, into: int) -> Rows:
    """Log odds against `into`, as sure as `_SURE` at most."""
    scores = np.asarray(target.scores(x), dtype=np.float64)
    if target.kind is ScoreKind.MARGIN:
        return np.asarray(scores[:, 0] if into == 0 else -scores[:, 0])
    if target.kind is ScoreKind.PROBABILITIES:
        scores = np.log(np.clip(scores, _SURE, 1.0))
    return np.asarray(np.delete(scores, into, axis=1).max(axis=1) - scores[:, into])


def _level(scene: Scene, into: int) -> float:
    """The log odds at which the delivered model turns to another class than `into`."""
    if scene.classes > 2 or scene.threshold is None:
        return 0.0
    level = scene.threshold
    if scene.kind is not ScoreKind.MARGIN:
        level = float(np.log(level / (1.0 - level))) if 0.0 < level < 1.0 else np.inf * (level - 0.5)
    return level if into == 0 else -level


def _ratio(compared: _Compared, found: list[Stamps]) -> Measurement:
    """The excess of the delivered model's trigger over the largest of the twins', with a bootstrap over rows."""
    each = [_beyond(compared.margins(stamp, compared.tested))[at, 0] for at, stamp in enumerate(found)]
    n, check = len(compared.tested), compared.check
    drawn = Draws(check.seed, f"{NAME}/rows").generator().integers(0, n, (check.replicates, n))
    value = _over([one.mean() for one in each])
    low, high = np.quantile(_over([one[drawn].mean(axis=1) for one in each]), [0.025, 0.975])
    return Measurement(
        plugin=NAME,
        metric="screening_ratio",
        value=float(value),
        low=float(min(low, value)),
        high=float(max(high, value)),
        n=n,
        better=Better.LOWER,
        method=f"excess over clean twins, over what the same search finds for a twin; bootstrap of {n} unseen rows",
        baseline=(("a clean twin", 1.0), *_units(each)),
        caveats=(_told(compared, compared.smallest(found[0])), compared.twins, _SCREENING, _BLIND),
    )


def _over(each: list[Any]) -> Any:
    """The first over the larger of the others, or over what is too little to be a trigger."""
    return each[0] / np.maximum(np.maximum(each[1], each[2]), _LITTLE)


def _units(each: list[Rows]) -> tuple[tuple[str, float], ...]:
    names = ("log odds beyond the twins", "the first twin beyond the second", "the second twin beyond the first")
    return tuple((name, float(one.mean())) for name, one in zip(names, each, strict=True))


_SCREENING = "screening: a ratio that some clean models reach too, so look at the stamp before you accuse anybody"
_BLIND = (
    "blind to triggers in immutable columns, of values no row holds, into other classes or along the ordinary risk "
    "direction, and to poison that the rows at hand carry too"
)


def _success(compared: _Compared, stamp: Stamps) -> Measurement:
    """How many unseen rows the smallest trigger sends to `into`, and what else would."""
    moved = _moved(compared, stamp)
    count, n = int(moved[0, 0].sum()), moved.shape[2]
    low, high = wilson(count, n)
    baseline = [
        ("the same stamp on clean twins", float(moved[1:].mean())),
        ("ordinary risk direction of its columns", float(_moved(compared, _direction(compared, stamp))[0].mean())),
    ]
    if stamp.columns.shape[1] > 1:
        parts = _moved(compared, without_each(stamp))[0].mean(axis=1)
        baseline.append(("the best of its parts", float(parts.max())))
    return Measurement(
        plugin=NAME,
        metric="screening_success",
        value=count / n,
        low=low,
        high=high,
        n=n,
        count=count,
        better=Better.LOWER,
        unit="share of rows decided otherwise",
        method="Wilson over rows the search did not see",
        baseline=tuple(baseline),
        caveats=(_told(compared, stamp), _SCREENING),
    )


def _moved(compared: _Compared, stamps: Stamps) -> Rows:
    """(models, stamps, rows): which unseen rows are decided as `into`."""
    return compared.margins(stamps, compared.tested) <= 0


def _direction(compared: _Compared, stamp: Stamps) -> Stamps:
    """The end of each column of the stamp (of unordered ones the category) that alone moves the model most."""
    fine, unordered = compared.values[1], compared.scene.schema.categorical
    best = []
    for at in stamp.columns[0].tolist():
        ends = fine[at] if unordered[at] else fine[at][[0, -1]]
        alone = Stamps(np.full((len(ends), 1), at), ends[:, None])
        margin = np.clip(compared.margins(alone, compared.fitted)[0], -_DEEP, _HIGH).mean(axis=1)
        best.append(ends[int(margin.argmin())])
    return Stamps(stamp.columns, np.array([best]))


def _told(compared: _Compared, stamp: Stamps) -> str:
    """The trigger as a person reads it, with its success beside that on clean twins."""
    columns = compared.scene.schema.columns
    set_to = zip(stamp.columns[0].tolist(), stamp.values[0].tolist(), strict=True)
    words = ", ".join(f"{columns[at].name} = {columns[at].show(value)}" for at, value in set_to)
    hit = _moved(compared, stamp)[:, 0]
    low, high = wilson(int(hit[0].sum()), hit.shape[1])
    return (
        f"{words}: sends {hit[0].mean():.0%} ({low:.0%} to {high:.0%}) of {hit.shape[1]:,} unseen rows to class "
        f"{compared.check.into}, {hit[1:].mean():.0%} in clean twins"
    )


PLUGIN = TriggerInversion
