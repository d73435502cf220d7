"""What the model and its references say of every row: the evidence all membership attacks work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.attacks.inversion._pool import own_class, pool
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.target import Recipe, ScoreKind, Target
from temper.judges.advantage import Guesses, Membership

Vector = np.ndarray[Any, Any]
_AT_ONCE = 4  # models kept in memory at a time

Ask = Callable[[Target, Data, ScoreKind], Vector]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """One attacked model: `own` (n,), what it gives each row's own class, and the same of the `references` (k, n), of
    which model i was fitted on the rows `inside[i]`.
    """

    own: Vector
    references: Vector
    inside: Vector


Statistic = Callable[[Answers], Vector]
"""High where the answers say that a row was trained on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signals:
    """The pool with its truth, and all answers about it."""

    rows: Data
    ids: Vector
    member: Vector
    answers: Answers
    duplicates: int

    @property
    def twin(self) -> Answers | None:
        """Reference 0 as the attacked model; its complement knows its members by exclusion, so it is not asked."""
        seen = self.answers
        if len(seen.references) < 4:
            return None
        return Answers(own=seen.references[0], references=seen.references[2:], inside=seen.inside[2:])


def gather(scene: Scene, rng: Draws, references: int, ask: Ask | None = None, most: int = 0) -> Signals:
    """Ask the model and `references` refits on random complementary halves about all training and held-out rows.

    With `most`, about so many of the one and of the other at the most; the refits have them all. The halves and seeds
    depend on the run's seed alone, so that every attack of a run meets the same references.
    """
    if scene.train is None or scene.target is None or (references and scene.fit is None):
        raise TemperError("membership inference needs the target, its training rows and a way to refit")
    rows, ids, member, duplicates = pool(scene.train, Data(x=scene.x, y=scene.y, ids=scene.ids))
    ask = ask or (lambda model, data, kind: own_class(model.scores(data.x), data.y, kind))
    shared = Draws(rng.seed, "inversion.references")
    inside = halves(len(rows), references, shared)
    kept = _sample(member, most, shared) if most else np.arange(len(rows))
    asked = rows.take(kept)
    found = [ask(scene.target, asked, scene.kind)]
    for start in range(0, references, _AT_ONCE):
        subsets = [rows.take(np.flatnonzero(half)) for half in inside[start : start + _AT_ONCE]]
        for model in _fitted(scene, subsets, shared.integer(1_000 + start)):
            found.append(ask(model, asked, scene.kind))
            scene.progress(len(found) / (references + 2))
    given = np.stack(found[1:]) if references else np.empty((0, len(kept)))
    answers = Answers(own=found[0], references=given, inside=inside[:, kept])
    return Signals(rows=asked, ids=ids[kept], member=member[kept], answers=answers, duplicates=duplicates)


def payload(signals: Signals, score: Vector, twin: Vector | None = None, method: tuple[str, ...] = ()) -> Membership:
    """The guesses as the judge takes them; `twin`: the scores of the attack on the twin."""
    seen, stand_in = signals.answers, signals.twin
    return Membership(
        x=signals.rows.x,
        y=np.asarray(signals.rows.y),
        ids=signals.ids,
        member=signals.member,
        score=score,
        loss=seen.own,
        references=seen.references,
        inside=seen.inside,
        duplicates=signals.duplicates,
        method=method,
        twin=Guesses(member=seen.inside[0], score=twin, loss=stand_in.own)
        if twin is not None and stand_in is not None
        else None,
    )


def guesses(signals: Signals, statistic: Statistic) -> Membership:
    """The same statistic on the model and on its twin."""
    twin = signals.twin
    return payload(signals, statistic(signals.answers), statistic(twin) if twin is not None else None)


def halves(n: int, references: int, rng: Draws) -> Vector:
    """Which of n rows each reference is fitted on (k, n): 2j and 2j + 1 are complements.

    >>> halves(4, 2, Draws(0, "doc")).sum(axis=0)
    array([1, 1, 1, 1])
    """
    found = np.zeros((references, n), dtype=bool)
    for pair in range(references // 2):
        found[2 * pair, rng.generator(pair).permutation(n)[: n // 2]] = True
        found[2 * pair + 1] = ~found[2 * pair]
    return found


def even(references: int) -> None:
    """Refuse a number of references that does not come in pairs."""
    if references < 2 or references % 2:
        raise TemperError(
            f"{references} reference models were asked for, expected an even number from 2",
            fix="they come in pairs fitted on complementary halves; use 4",
        )


def _fitted(scene: Scene, subsets: list[Data], seed: int) -> list[Target]:
    if scene.fit is None:
        raise TemperError("membership inference needs a way to refit")
    return scene.fit(subsets, Recipe(seed=seed))


def _sample(member: Vector, most: int, rng: Draws) -> Vector:
    """Positions of `most` members and as many others at the most, in order."""
    sides = [np.flatnonzero(member), np.flatnonzero(~member)]
    drawn = [rng.generator(9_000 + at).permutation(side)[:most] for at, side in enumerate(sides)]
    return np.sort(np.concatenate(drawn))
