"""What is the value of a sensitive column of this person, whose other columns and label are known?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from temper.attacks.inversion._attribute import confidence, guessed, hidden, imputed
from temper.attacks.inversion._pool import pool
from temper.attacks.inversion._signals import halves
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, Target
from temper.judges.attribute import Attributes, Guessed

Vector = np.ndarray[Any, Any]
_FEWEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeInference:
    """Asks the model about a record with every value of a hidden column and believes the value that makes the record's
    label likeliest, weighed against what the other columns say without any model.

    `columns` are guessed, else the ones the schema calls sensitive. How far the model is to be believed is learned on
    one half of the training rows and tried on the other. Where the model can be fitted again, the same is done to a
    refit on a random half of all rows, which any split allows. Misleads when read without its baselines: an attack that
    guesses as well on people the model never saw, or no better than imputation, learns nothing from the training data.
    Blind to an attacker who also knows the score that a record was given: that score gives values away of anybody.
    Source: Fredrikson et al., "Privacy in pharmacogenetics", 2014 (the likelihood); Jayaraman & Evans, "Are attribute
    inference attacks just imputation?", 2022 (the baselines and the blend).

    >>> AttributeInference(columns=("age",)).columns
    ('age',)
    """

    needs: ClassVar[Access] = Access.SCORES
    gives: ClassVar[type[Attributes]] = Attributes
    columns: tuple[str, ...] = ()
    rows: int = 4_000
    values: int = 10

    def __post_init__(self) -> None:
        if self.rows < _FEWEST or self.values < 2:
            raise TemperError(f"{self} cannot be meant", fix=f"rows from {_FEWEST}, values from 2")

    def run(self, oracle: Any, scene: Scene, rng: Draws) -> Attributes:
        """Guesses about a sample of the training rows (members) and of the scene's own rows (others), per column."""
        if scene.train is None or scene.target is None:
            raise TemperError("attribute inference needs the target and its training rows")
        names = tuple(self.columns or scene.sensitive)
        if not scene.schema.columns or not names:
            raise Unsupported(
                "no column is called sensitive, so there is none to guess",
                fix="mark columns `sensitive: true` in the schema, or name them in the option `columns`",
            )
        rows, ids, member, _ = pool(scene.train, Data(x=scene.x, y=scene.y, ids=scene.ids))
        columns = self._about(scene, scene.target, names, (rows, ids, member), rng)
        if scene.fit is None or Access.RETRAIN not in scene.target.access:
            return Attributes(columns=columns)
        inside = halves(len(rows), 2, Draws(rng.seed, "inversion.references"))[0]
        (stand_in,) = scene.fit([rows.take(np.flatnonzero(inside))], Recipe(seed=rng.integer(3)))
        return Attributes(
            columns=columns, twin=self._about(scene, stand_in, names, (rows, ids, inside), rng.child("twin"))
        )

    def _about(
        self, scene: Scene, target: Target, names: tuple[str, ...], rows: tuple[Data, Vector, Vector], rng: Draws
    ) -> tuple[Guessed, ...]:
        """Guesses about one model and a sample of the rows (with their ids and who is a member), per column."""
        data, ids, member = rows
        kept = self._sample(member, rng)
        found: dict[str, Guessed] = {}
        for at, name in enumerate(names):
            one = self._column(scene, target, name, (data.take(kept), ids[kept], member[kept]), rng.child(name))
            found.setdefault(one.column, one)
            scene.progress((at + 1) / (2 * len(names) + 1))
        return tuple(found.values())

    def _column(
        self, scene: Scene, target: Target, name: str, rows: tuple[Data, Vector, Vector], rng: Draws
    ) -> Guessed:
        data, ids, member = rows
        unknown = hidden(scene.schema, name, np.asarray(data.x, dtype=float), self.values)
        asked = np.flatnonzero(unknown.truth >= 0)
        data, ids, member, truth = data.take(asked), ids[asked], member[asked], unknown.truth[asked]
        if min(member.sum(), (~member).sum()) < _FEWEST:
            raise Unsupported(f"{name}: it takes {_FEWEST} training and {_FEWEST} held-out rows to say anything")
        fold = rng.generator(1).permutation(len(data)) % 2
        unknown = replace(unknown, truth=truth)
        plain = imputed(unknown, data, fold, rng.integer(2))
        told = confidence(unknown, data, target, scene.kind)
        return Guessed(
            column=unknown.name,
            shown=unknown.shown,
            ids=ids,
            member=member,
            truth=truth,
            attack=guessed(plain, told, truth, member, fold),
            imputation=plain,
            queries=told.size,
        )

    def _sample(self, member: Vector, rng: Draws) -> Vector:
        """Positions of at most `rows` members and as many others, in order."""
        sides = (np.flatnonzero(member), np.flatnonzero(~member))
        drawn = [rng.generator(10 + at).permutation(side)[: self.rows] for at, side in enumerate(sides)]
        return np.sort(np.concatenate(drawn))


PLUGIN = AttributeInference
