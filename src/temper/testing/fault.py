"""Laws of faults: the same fault for the same seed, something that is noticed, and nothing that outlasts it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from temper.chaos.effect import NOTHING, Effect
from temper.core.data import Array
from temper.core.seed import Draws
from temper.testing.law import only_reads, require, sealed

_MANY = 60
_LONGEST = 60.0
"""Seconds that a fault may make one exchange wait."""


def law_same_seed_same_effects(fault: type[Any]) -> None:
    """What a fault does to an exchange can be told beforehand, in whatever order exchanges come."""
    made = fault()
    there = [made.meet(at, 1.0, _draws(3)) for at in range(_MANY)]
    back = [made.meet(at, 1.0, _draws(3)) for at in reversed(range(_MANY))][::-1]
    require(there == back, f"{fault.__name__} does something else to the same exchanges")


def law_does_something_to_most(fault: type[Any]) -> None:
    """Whom a fault meets is drawn by its scope, and not once more by itself."""
    met = sum(effect != NOTHING for effect in _effects(fault))
    require(met > _MANY // 2, f"{fault.__name__} did something to {met} of {_MANY} exchanges")


def law_effects_can_be_carried_out(fault: type[Any]) -> None:
    """Times are times, shares are shares, a status is one, and an answer is not changed and withheld at once."""
    for effect in _effects(fault):
        require(isinstance(effect, Effect), f"{fault.__name__} gives {effect!r}")
        require(0 <= effect.wait < _LONGEST and math.isfinite(effect.wait), f"{fault.__name__} waits {effect.wait} s")
        require(0 <= effect.part <= 1, f"{fault.__name__} lets the share {effect.part} arrive")
        require(effect.status == 0 or 400 <= effect.status <= 599, f"{fault.__name__} answers {effect.status}")
        ends = [effect.refuse, effect.hang, effect.status > 0, effect.body is not None, effect.part < 1]
        require(sum(ends) <= 1, f"{fault.__name__} ends an exchange in {sum(ends)} ways")


def law_same_seed_same_scores(fault: type[Any]) -> None:
    """Wrong scores can be made again to the byte."""
    one, two = (_answered(fault, _scores()) for _ in range(2))
    require(np.array_equal(one, two, equal_nan=True), f"{fault.__name__} answers otherwise with the same seed")


def law_true_scores_stay_as_they_are(fault: type[Any]) -> None:
    """What the model said is remembered for others; it is not written over, nor given away to be."""
    scores, earlier = sealed(_scores()), sealed(_scores())
    before = scores.tobytes(), earlier.tobytes()
    with only_reads(fault.__name__):
        told = fault().answer(scores, earlier, _draws(0))
    require((scores.tobytes(), earlier.tobytes()) == before, f"{fault.__name__} writes to the model's scores")
    require(not np.shares_memory(told, scores), f"{fault.__name__} answers the model's own array")


def law_every_row_is_answered(fault: type[Any]) -> None:
    """One score per row, in its shape: what comes too short is a fault of the wire."""
    for shape in ((0,), (1,), (7,), (7, 3)):
        told = _answered(fault, _scores()[: shape[0]] if len(shape) == 1 else np.tile(_scores()[:7, None], 3))
        require(told.shape == shape, f"{fault.__name__} gives {told.shape} for scores shaped {shape}")


def law_scores_are_wrong(fault: type[Any]) -> None:
    """A fault that nobody can notice is none."""
    told = _answered(fault, _scores())
    changed = float((told != _scores()).mean())
    require(changed > 0.5, f"{fault.__name__} changed {changed:.0%} of the scores")


def _effects(fault: type[Any]) -> list[Any]:
    return [fault().meet(at, 0.1 * at, _draws(0)) for at in range(_MANY)]


def _answered(fault: type[Any], scores: Array) -> Array:
    earlier = _scores()[::-1]
    return np.asarray(fault().answer(scores, np.tile(earlier[:, None], 3) if scores.ndim == 2 else earlier, _draws(0)))


def _scores() -> Array:
    return np.linspace(0.05, 0.95, _MANY)


def _draws(seed: int) -> Draws:
    return Draws(seed, "testing.fault")


WIRE = (law_same_seed_same_effects, law_does_something_to_most, law_effects_can_be_carried_out)
SCORES = (
    law_same_seed_same_scores,
    law_true_scores_stay_as_they_are,
    law_every_row_is_answered,
    law_scores_are_wrong,
)
