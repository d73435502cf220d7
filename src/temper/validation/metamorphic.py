"""Whether relations that the user declares hold between answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.breach import PROMISE, Breach, Breached
from temper.core.finding import Example
from temper.core.measure import Better, Measurement, Status
from temper.core.metamorphic import Metamorphic as Declared
from temper.core.seed import Draws
from temper.kernels.loss import flagged_score
from temper.kernels.rate import measure_rate
from temper.validation._follow_up import Followed, follow_up
from temper.validation._measured import Floats, missing, not_applicable, scored

NAME = "metamorphic"
_ALONE = 50  # rows asked one by one for "order"
_SERIOUS = 0.05  # a share of rows that makes a broken relation a high finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Metamorphic:
    """Relations that must hold between the answers to a row and to its changed copy, whatever the truth is.

    `broken_share`, one figure per declared relation: the share of `rows` held-out rows whose answer moves the wrong way
    by more than the tolerance in at least one of their copies. A column is raised by a quarter, one and four of its
    scales within its range; other values come from other rows; what derives from them follows. For "order" rows are
    asked in reverse, and some of them alone.
    Misleads where a copy is a row that cannot occur, and where the relation is not true of the world.
    Source: Chen, Cheung & Yiu, "Metamorphic testing: a new approach for generating next test cases", 1998.

    >>> Metamorphic(relations=(Declared(kind="rises", columns=("amount",)),)).relations[0].text
    'rises with amount'
    """

    relations: tuple[Declared, ...] = ()
    rows: int = 2000
    seed: int = 0

    def measure(self, scene: Scene) -> Breached | tuple[Measurement, ...]:
        """`broken_share` per relation, in the order in which they were declared, with the rows that break it most."""
        if not self.relations:
            return not_applicable(NAME, "no relation is declared under stress.relations")
        if not len(scene.x):
            return tuple(_nothing(one, "there is no row to measure") for one in self.relations)
        order = np.argsort(scene.ids, kind="stable")
        drawn = Draws(self.seed, NAME).generator().permutation(len(order))[: self.rows]
        rows = order[np.sort(drawn)]
        clean = _scores(scene, scored(scene)[rows])
        told = [self._one(one, scene, rows, clean) for one in self.relations]
        return Breached(measurements=tuple(m for m, _ in told), breaches=tuple(b for _, b in told if b is not None))

    def _one(self, one: Declared, scene: Scene, rows: Any, clean: Floats) -> tuple[Measurement, Breach | None]:
        if one.kind in ("rises", "falls") and clean.shape[1] != 1:
            return _nothing(one, f"a model of {clean.shape[1]} classes has no one score that rises"), None
        x = np.asarray(scene.x)[rows]
        if one.kind == "order":
            wrong, tried, copies = _reordered(scene, x, clean), np.ones(len(x), dtype=bool), None
        else:
            copies = follow_up(
                one, x, scene.schema, Draws(self.seed, f"{NAME}/{one.text}", np.asarray(scene.ids)[rows])
            )
            wrong, tried = _moved(one, scene, clean, copies), np.logical_or.reduce(copies.changed)
        broken = tried & (wrong.max(axis=0) > one.tolerance)
        measured = measure_rate(
            NAME, "broken_share", int(broken.sum()), int(tried.sum()), unit="share of rows", slice=one.text,
            queries=wrong.size, caveats=(f"tolerance {one.tolerance:g}", _worst(wrong, tried)),
        )  # fmt: skip
        return measured, _breach(one, scene, rows, clean, copies, np.where(tried, wrong, -np.inf), measured)


def _scores(scene: Scene, scores: Floats) -> Floats:
    """The scores (n, k) that a relation speaks of: one for two classes or a value, else one per class."""
    if scene.classes == 2 or scores.shape[1] == 1:
        return np.asarray(flagged_score(scores, scene.kind), dtype=np.float64)[:, None]
    return scores


def _ask(scene: Scene, x: Any) -> Floats:
    return _scores(scene, scored(replace(scene, x=x)))


def _moved(one: Declared, scene: Scene, clean: Floats, copies: Followed) -> Floats:
    """How far each copy's answer moves the wrong way (copies, rows): one call for all copies."""
    answers = _ask(scene, np.concatenate(copies.x)).reshape(len(copies.x), *clean.shape)
    gap = answers - clean
    wrong = {"rises": -gap, "falls": gap, "invariant": np.abs(gap)}[one.kind].max(axis=2)
    return np.where(copies.changed, np.where(np.isfinite(wrong), wrong, np.inf), -np.inf)


def _reordered(scene: Scene, x: Any, clean: Floats) -> Floats:
    """How far the answers move when the rows are asked in reverse, and the first of them alone (2, rows)."""
    back = np.abs(_ask(scene, x[::-1])[::-1] - clean).max(axis=1)
    alone = np.zeros(len(x))
    for at in range(min(_ALONE, len(x))):
        alone[at] = np.abs(_ask(scene, x[at : at + 1]) - clean[at]).max()
    return np.stack([back, alone])


def _worst(wrong: Floats, tried: Any) -> str:
    worst = float(wrong[:, tried].max()) if tried.any() else 0.0
    return f"the worst answer moves {max(worst, 0.0):.3g} the wrong way"


def _nothing(one: Declared, reason: str) -> Measurement:
    return missing(NAME, "broken_share", Status.INCONCLUSIVE, reason, better=Better.LOWER, slice=one.text)


def _breach(
    one: Declared, scene: Scene, rows: Any, clean: Floats, copies: Followed | None, wrong: Floats, m: Measurement
) -> Breach | None:
    if not m.count:
        return None
    worst = np.argsort(-wrong.max(axis=0), kind="stable")[: min(3, m.count)]
    return Breach(
        title=PROMISE + one.text,
        metric=m.metric,
        slice=one.text,
        severity="high" if (m.low or 0.0) > _SERIOUS else "medium",
        detail=f"{m.count:,} of {m.n:,} rows, {100 * (m.low or 0):.1f} to {100 * (m.high or 0):.1f} %; {m.caveats[1]}",
        examples=tuple(_example(one, scene, rows, clean, copies, wrong, int(row)) for row in worst) if copies else (),
        defences=("monotone",) if one.kind in ("rises", "falls") else (),
    )


def _example(
    one: Declared, scene: Scene, rows: Any, clean: Floats, copies: Followed, wrong: Floats, row: int
) -> Example:
    copy = copies.x[int(wrong[:, row].argmax())][row]
    before = np.asarray(scene.x)[rows[row]]
    after = _ask(scene, copy[None])[0]
    at = int(np.abs(after - clean[row]).argmax())
    changes = scene.schema.decode(copy, before)
    return Example(
        sample=int(np.asarray(scene.ids)[rows[row]]),
        changes=tuple(replace(c, derived=c.derived and c.column not in one.columns) for c in changes),
        score_before=float(clean[row, at]),
        score_after=float(after[at]),
        queries=1,
        cost=0.0,
    )


PLUGIN = Metamorphic
