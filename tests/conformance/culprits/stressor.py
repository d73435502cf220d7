"""Stressors, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.testing import stressor

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Noise on the first column of a rising share of rows."""

    def apply(self, x: Any, severity: int, rng: Draws) -> Any:
        if severity not in (1, 2, 3, 4, 5):
            raise TemperError("severities are 1 to 5")
        return self.stressed(x, severity, rng)

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        out, rows = np.array(x), np.arange(len(x))
        hit = rng.uniform(rows, 0) < severity / 10
        out[hit, 0] += 1.0 + rng.uniform(rows, 1)[hit]
        return out


class Restless(Honest):
    """Stresses otherwise every time."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return Honest.stressed(self, x, severity, rng.child(str(next(CALLS))))


class Deaf(Honest):
    """Has a seed of its own."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return Honest.stressed(self, x, severity, Draws(0, "deaf"))


class InPlace(Honest):
    """Works on the rows it is given."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        x[:, 0] += severity
        return x


class Lends(Honest):
    """Gives the rows back as they came."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return x


class Drops(Honest):
    """Loses rows."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return np.array(x)[severity // 2 :]


class Fades(Honest):
    """Does less the higher the severity."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return Honest.stressed(self, x, 6 - severity, rng)


class Flat(Honest):
    """Does the same at every severity."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return Honest.stressed(self, x, 3, rng)


class Patient(Honest):
    """Takes any severity."""

    def apply(self, x: Any, severity: int, rng: Draws) -> Any:
        return Honest.stressed(self, x, severity, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """Halves quantities and lets what derives from them stand."""

    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def apply(self, x: Any, severity: int, rng: Draws) -> Any:
        out = np.array(x)
        for name in self.columns:
            out[:, self.schema.index(name)] *= 0.5  # type: ignore[union-attr]
        return out


INNOCENT = Honest
BITES = {
    stressor.law_same_seed_same_bytes: (Restless,),
    stressor.law_other_seed_other_rows: (Deaf,),
    stressor.law_leaves_inputs_alone: (InPlace, Lends),
    stressor.law_keeps_the_shape: (Drops,),
    stressor.law_severity_rises: (Fades, Flat),
    stressor.law_derived_columns_follow: (Apart,),
    stressor.law_other_severities_are_refused: (Patient,),
}
