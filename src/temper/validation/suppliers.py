"""Suppliers of training rows whose rows hurt the model, or carry labels that nobody else's rows let expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement, Status
from temper.core.seed import Draws
from temper.core.target import Recipe, ScoreKind, Target
from temper.kernels.bootstrap import interval
from temper.kernels.left_out import beyond_random, surprises, unexpected
from temper.kernels.loss import decide, flagged_score
from temper.kernels.rate import paired_rates, wilson
from temper.kernels.several import holm
from temper.validation._measured import missing, not_applicable, probabilities

NAME = "suppliers"
_FEWEST, _DRAWS, _LONGEST = 30, 12, 40
_LEAST = 1e-6
Floats = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppliers:
    """Fit the model without each supplier's rows: do held-out rows fare better, and are its labels what others say?

    Three tests a supplier, each beside as many random rows left out, at `level` over all of them (Holm): the held-out
    log loss falls without its rows (the test of RONI, "reject on negative impact"); it has more or fewer rows of a
    class than a model of the others' rows expects; its labels are less likely to that model than random rows' labels.
    `suspect_share` is the share of training rows that such suppliers delivered. Asked are the `most` suppliers with the
    most rows. Misleads where suppliers serve different people: a label they have more of for a reason no column tells
    looks wrong. The first test sees gross harm only. Blind where most suppliers are in it together.
    Source: Nelson et al., "Exploiting machine learning to subvert your spam filter", 2008 (RONI); Baracaldo et al.,
    "Detecting poisoning attacks on machine learning in IoT environments", 2018 (by provenance).

    >>> Suppliers().most
    10
    """

    bare_fits: ClassVar[bool] = True
    most: int = 10
    level: float = 0.05
    seed: int = 0
    replicates: int = 1000

    def __post_init__(self) -> None:
        if self.most < 2 or not 0 < self.level < 1:
            raise TemperError(f"{self} cannot be meant", fix="most from 2, level in (0, 1)")

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`suspect_share`; per supplier `gain_without` and `recall_gain_without`: what held-out rows win without it."""
        train = scene.train
        if train is None or train.supplier is None or scene.fit is None:
            return not_applicable(NAME, "it leaves suppliers out in turn, and no column says who delivered a row")
        if scene.kind not in (ScoreKind.PROBABILITIES, ScoreKind.LOGITS):
            return not_applicable(NAME, "it reads probabilities of classes, and this model gives none")
        names, sizes = np.unique(train.supplier, return_counts=True)
        chosen = np.sort(np.argsort(-sizes, kind="stable")[: self.most])
        chosen = chosen[sizes[chosen] >= _FEWEST]
        if len(chosen) < 2 or not len(scene.x):
            reason = f"it takes two suppliers of {_FEWEST} training rows and held-out rows"
            return (missing(NAME, "suspect_share", Status.INCONCLUSIVE, reason, better=Better.LOWER),)
        groups = [np.flatnonzero(train.supplier == names[at]) for at in chosen]
        asked = _Asked(scene=scene, train=train, groups=groups, names=[_short(names[at]) for at in chosen])
        return self._told(asked, len(names) - len(chosen))

    def _told(self, asked: _Asked, unasked: int) -> tuple[Measurement, ...]:
        """Whoever is surest accused is taken out and the others are tested again: his rows would speak against them."""
        rng = Draws(self.seed, NAME)
        found, corrected = _tested(asked, rng, Recipe(seed=self.seed))
        first, rest, accused, count = found, asked, [], 0
        while corrected.min() < self.level:
            worst = int(corrected.min(axis=1).argmin())
            accused.append(_note(rest, found, worst, corrected[worst]))
            count, rest = count + len(rest.groups[worst]), rest.less(worst)
            if len(rest.groups) < 2:
                break
            found, corrected = _tested(rest, rng, Recipe(seed=self.seed))
        each = [_gains(asked, first, at, self.replicates, rng.generator(1 + at)) for at in range(len(asked.groups))]
        whole = _share(asked, count, accused, unasked, self.level)
        return whole, *(measurement for pair in each for measurement in pair)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Asked:
    scene: Scene
    train: Data
    groups: list[Any]
    names: list[str]

    def less(self, worst: int) -> _Asked:
        """The same without one supplier's rows."""
        kept = np.setdiff1d(np.arange(len(self.train)), self.groups[worst])
        others = [at for at in range(len(self.groups)) if at != worst]
        groups = [np.searchsorted(kept, self.groups[at]) for at in others]
        names = [self.names[at] for at in others]
        return _Asked(scene=self.scene, train=self.train.take(kept), groups=groups, names=names)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """Per group the held-out loss won without it (groups, n) and won without as many random rows (groups,), how many
    more rows of each class it has than expected (groups, k); what is caught with all rows and without each (1 + groups,
    rows).
    """

    won: Floats
    random: list[float]
    more: Floats
    caught: Any


def _tested(asked: _Asked, rng: Draws, recipe: Recipe) -> tuple[_Found, Floats]:
    """What was found, and the p-values (groups, 3), Holm over all, of: it hurts, its classes, its labels."""
    train, scene, k = asked.train, asked.scene, len(asked.groups)
    left_out = [*asked.groups, *_random(asked, rng)]
    full, *models = _fit(asked, [np.arange(0), *left_out], recipe)
    won = np.array([_losses(full, scene) - _losses(model, scene) for model in models])
    odd = np.array([_odd(model, train, rows) for model, rows in zip(models, left_out, strict=True)])
    sizes, gain = np.array([len(rows) for rows in left_out], dtype=np.float64), won.mean(axis=1)
    beyond, _, hurts = beyond_random(gain[:k], sizes[:k], gain[k:], sizes[k:])
    hurts = np.where(gain[:k] > 0.0, hurts, 1.0)  # rows that help less than others do no harm
    found = _Found(
        won=won[:k],
        random=(gain[:k] - beyond).tolist(),
        more=np.array([_more(model, train, rows) for model, rows in zip(models[:k], asked.groups, strict=True)]),
        caught=np.array([_caught(model, scene) for model in (full, *models[:k])]),
    )
    chance = np.column_stack([hurts, *unexpected(odd[:k], odd[k:])])
    return found, np.array(holm(chance.ravel().tolist())).reshape(chance.shape)


def _random(asked: _Asked, rng: Draws) -> list[Any]:
    """Random rows, as many as the suppliers have in turn; a dozen draws at least, to know their spread."""
    n, sizes = len(asked.train), [len(rows) for rows in asked.groups]
    drawn, rng = [], replace(rng, ids=np.asarray(asked.train.ids))
    for at in range(max(_DRAWS, len(sizes))):
        order = np.argsort(rng.uniform(np.arange(n), 1 + at), kind="stable")
        drawn.append(order[: sizes[at % len(sizes)]])
    return drawn


def _fit(asked: _Asked, left_out: Sequence[Any], recipe: Recipe) -> list[Target]:
    every, fit = np.arange(len(asked.train)), asked.scene.fit
    parts = [asked.train.take(np.setdiff1d(every, rows)) for rows in left_out]
    return list(fit(parts, recipe)) if fit is not None else []


def _chances(model: Target, x: Any) -> Floats:
    return probabilities(np.asarray(model.scores(x), dtype=np.float64), model.kind)


def _losses(model: Target, scene: Scene) -> Floats:
    p = _chances(model, scene.x)[np.arange(len(scene.x)), np.asarray(scene.y)]
    return np.asarray(-np.log(np.clip(p, _LEAST, None)))


def _odd(model: Target, train: Data, rows: Any) -> Floats:
    return surprises(np.asarray(train.y)[rows], _chances(model, train.x[rows]))


def _more(model: Target, train: Data, rows: Any) -> Floats:
    p = _chances(model, train.x[rows])
    return np.asarray(np.bincount(np.asarray(train.y)[rows], minlength=p.shape[1]) - p.sum(axis=0))


def _caught(model: Target, scene: Scene) -> Any:
    """Which rows of class 1 are among as many alerts as the deployed model gives; of more classes, what is right."""
    scores, y = np.asarray(model.scores(scene.x)), np.asarray(scene.y)
    decided = decide(scores, model.kind, scene.threshold)
    if scene.classes != 2 or scene.target is None or not (y == 1).any():
        return decided == y
    alerts = int((decide(scene.target.scores(scene.x), scene.kind, scene.threshold) == 1).sum())
    flagged = np.zeros(len(y), dtype=bool)
    flagged[np.argsort(-flagged_score(scores, model.kind), kind="stable")[:alerts]] = True
    return flagged[y == 1]


def _note(asked: _Asked, found: _Found, at: int, p: Any) -> str:
    """What a person reads of one supplier; its name is text from outside, shortened and quoted."""
    label = int(np.argmax(found.more[at]))
    before, after = found.caught[0].mean(), found.caught[1 + at].mean()
    return (
        f"{asked.names[at]}: {len(asked.groups[at]):,} rows, {found.more[at][label]:.0f} more of label {label} than "
        f"other rows let expect (p {p[1]:.2g}), labels unlikely to others' model p {p[2]:.2g}; without it the held-out "
        f"log loss falls by {found.won[at].mean():.4f} (p {p[0]:.2g}), recall goes from {before:.3f} to {after:.3f}"
    )


def _gains(asked: _Asked, found: _Found, at: int, replicates: int, rng: Any) -> tuple[Measurement, ...]:
    """What held-out rows win without one supplier: log loss, and recall at as many alerts."""
    won, caught = found.won[at], found.caught
    of: dict[str, Any] = {"plugin": NAME, "slice": f"supplier {asked.names[at]}", "better": Better.LOWER}
    value, low, high = interval(np.mean, won, rng=rng, replicates=replicates)
    loss = Measurement(
        metric="gain_without",
        value=value,
        low=low,
        high=high,
        n=len(won),
        unit="held-out log loss",
        method=f"paired bootstrap over held-out rows, {replicates} replicates",
        baseline=(("as many random rows left out", found.random[at]),),
        **of,
    )
    value, low, high = paired_rates(caught[0], caught[1 + at])
    recall = Measurement(
        metric="recall_gain_without",
        value=value,
        low=low,
        high=high,
        n=caught.shape[1],
        unit="recall",
        method="as many alerts as the deployed model; Tango over held-out rows",
        baseline=(("with all rows", float(caught[0].mean())),),
        **of,
    )
    return loss, recall


def _share(asked: _Asked, count: int, accused: list[str], unasked: int, level: float) -> Measurement:
    n = len(asked.train)
    low, high = wilson(count, n)
    left = (f"{unasked:,} suppliers with fewer rows were not asked",) if unasked else ()
    return Measurement(
        plugin=NAME,
        metric="suspect_share",
        value=count / n,
        low=low if count else 0.0,
        high=high,
        n=n,
        count=count,
        better=Better.LOWER,
        unit="share of training rows",
        method=f"{3 * len(asked.groups)} tests, Holm at {level:g}, beside random rows left out; Wilson over rows",
        baseline=(("like suppliers: chance that any is accused", level),),
        caveats=(*accused, *left, _BLIND) if accused else (_BLIND, *left),
    )


_BLIND = "suppliers of other people or places differ by nature; blind where most are in it together, and to few rows"


def _short(name: Any) -> str:
    text = str(name)
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


PLUGIN = Suppliers
