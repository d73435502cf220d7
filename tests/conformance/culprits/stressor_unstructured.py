"""Stressors of pictures and texts, each of which breaks one law; `Darker` and `Shouting` break none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from temper.core.errors import TemperError, Unsupported
from temper.core.seed import Draws
from temper.testing import stressor_unstructured as laws

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Darker:
    """Noise of rising size, clipped to the range."""

    ground: ClassVar = laws.PICTURES

    def apply(self, x: Any, severity: int, rng: Draws) -> Any:
        if severity not in (1, 2, 3, 4, 5):
            raise TemperError("severities are 1 to 5")
        if x.ndim != 4:
            raise Unsupported("no pictures")
        return self.stressed(x, severity, rng)

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        noise = rng.uniform(np.arange(len(x)), 0, x.shape[1:])
        return np.clip(x - 0.1 * severity * noise, -1, 1).astype(x.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shouting:
    """Puts an exclamation mark behind a rising share of the words."""

    ground: ClassVar = laws.TEXTS

    def apply(self, x: Any, severity: int, rng: Draws) -> Any:
        if severity not in (1, 2, 3, 4, 5):
            raise TemperError("severities are 1 to 5")
        if x.ndim != 1:
            raise Unsupported("no texts")
        out = np.empty(len(x), dtype=object)
        out[:] = [self.said(text, severity, float(rng.uniform([at], 0)[0])) for at, text in enumerate(x)]
        return out

    def said(self, text: str, severity: int, chance: float) -> str:
        words = text.split(" ")
        where = int(chance * len(words))
        words[where] += "!" * (severity * 2)
        return " ".join(words)


class Restless(Darker):
    """Stresses otherwise every time."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return Darker.stressed(self, x, severity, rng.child(str(next(CALLS))))


class Deaf(Darker):
    """Has a seed of its own."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return Darker.stressed(self, x, severity, Draws(0, "deaf", rng.ids))


class InPlace(Darker):
    """Works on the pictures it is given."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        x *= 0.5
        return x


class Lends(Darker):
    """Gives the pictures back as they came."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return x


class Glaring(Darker):
    """Leaves the range."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return x + np.float32(severity)


class Doubles(Darker):
    """Gives numbers of another precision."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return Darker.stressed(self, x, severity, rng).astype(np.float64)


class Together(Darker):
    """Measures a picture by all of them."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return Darker.stressed(self, np.clip(x - (x.mean() if len(x) else 0), -1, 1).astype(x.dtype), severity, rng)


class ByPlace(Darker):
    """Draws by where a picture stands, not by what it is."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return Darker.stressed(self, x, severity, Draws(rng.seed, rng.name))


class Fades(Darker):
    """Does less the higher the severity."""

    def stressed(self, x: Any, severity: int, rng: Draws) -> Any:
        return Darker.stressed(self, x, 6 - severity, rng)


class Patient(Darker):
    """Takes any severity."""

    def apply(self, x: Any, severity: int, rng: Draws) -> Any:
        return self.stressed(x, severity, rng)


class Anything(Darker):
    """Takes a table for pictures."""

    def apply(self, x: Any, severity: int, rng: Draws) -> Any:
        return Darker.apply(self, x, severity, rng) if x.ndim == 4 else self.stressed(x, severity, rng)


class Crashes(Darker):
    """Finds out in the middle of its work that it has no pictures."""

    def apply(self, x: Any, severity: int, rng: Draws) -> Any:
        return Darker.apply(self, x, severity, rng) if x.ndim == 4 else x[:, :, 0]


class Mute(Shouting):
    """Leaves nothing of a short text."""

    def said(self, text: str, severity: int, chance: float) -> str:
        return text[severity:]


class Backwards(Shouting):
    """Turns characters round one by one, marks and joined emoji with them."""

    def said(self, text: str, severity: int, chance: float) -> str:
        return text[::-1]


class Half(Shouting):
    """Cuts a character in half."""

    def said(self, text: str, severity: int, chance: float) -> str:
        return text + "\ud83d"


class Spoken(Shouting):
    """Gives bytes."""

    def said(self, text: str, severity: int, chance: float) -> Any:
        return text.encode()


INNOCENT = (Darker, Shouting)
BITES = {
    laws.law_same_seed_same_rows: (Restless,),
    laws.law_other_seed_other_rows: (Deaf,),
    laws.law_leaves_inputs_alone: (InPlace, Lends),
    laws.law_keeps_the_form: (Glaring, Doubles, Mute, Backwards, Half, Spoken),
    laws.law_rows_stand_alone: (Together, ByPlace),
    laws.law_severity_rises: (Fades,),
    laws.law_other_severities_are_refused: (Patient,),
    laws.law_other_inputs_are_refused: (Anything, Crashes),
}
