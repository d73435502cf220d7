"""Faults, each of which breaks one law; the honest ones break none."""

from __future__ import annotations

import itertools
import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.chaos.deadman import state
from temper.chaos.effect import NOTHING, Effect
from temper.chaos.host import Host
from temper.core.seed import Draws
from temper.testing import fault, struck

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Waits a little, by the draw."""

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        return Effect(wait=float(rng.uniform([at], 0)[0]))


class Moody(Late):
    """Waits otherwise every time."""

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        return Effect(wait=1.0 + next(CALLS))


class Lazy(Late):
    """Spares most, whatever the scope says."""

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        return Effect(wait=0.1) if at % 10 == 0 else NOTHING


class Endless(Late):
    """Waits for ever."""

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        return Effect(wait=float("inf"))


class Both(Late):
    """Hangs, and answers an error."""

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        return Effect(hang=True, status=503)


class Fine(Late):
    """An error that is none."""

    def meet(self, at: int, age: float, rng: Draws) -> Effect:
        return Effect(status=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Halved:
    """Half of every score."""

    def answer(self, scores: Any, earlier: Any, rng: Draws) -> Any:
        return np.asarray(scores) / 2


class Dice(Halved):
    """Other scores every time."""

    def answer(self, scores: Any, earlier: Any, rng: Draws) -> Any:
        return np.asarray(scores) + next(CALLS) + 1


class InPlace(Halved):
    """Halves what it was given."""

    def answer(self, scores: Any, earlier: Any, rng: Draws) -> Any:
        scores /= 2
        return scores


class Lends(Halved):
    """Gives back what it was given."""

    def answer(self, scores: Any, earlier: Any, rng: Draws) -> Any:
        return scores


class Short(Halved):
    """Loses a row."""

    def answer(self, scores: Any, earlier: Any, rng: Draws) -> Any:
        return np.asarray(scores)[1:] / 2


class Kind(Halved):
    """Is right."""

    def answer(self, scores: Any, earlier: Any, rng: Draws) -> Any:
        return np.array(scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """Stops the process, and the host knows."""

    def strike(self, host: Host) -> None:
        host.stop()


class Harmless(Still):
    """Does nothing."""

    def strike(self, host: Host) -> None:
        return None


class Direct(Still):
    """Stops the process by itself, and nobody knows."""

    def strike(self, host: Host) -> None:
        os.kill(host.pid, signal.SIGSTOP)
        while state(host.pid) != "T":
            time.sleep(0.001)


HOST = {
    struck.law_is_noticed_and_taken_back: (Harmless, Direct),
    struck.law_outlasts_nobody: (Direct,),
}
WIRE = {
    fault.law_same_seed_same_effects: (Moody,),
    fault.law_does_something_to_most: (Lazy,),
    fault.law_effects_can_be_carried_out: (Endless, Both, Fine),
}
SCORES = {
    fault.law_same_seed_same_scores: (Dice,),
    fault.law_true_scores_stay_as_they_are: (InPlace, Lends),
    fault.law_every_row_is_answered: (Short,),
    fault.law_scores_are_wrong: (Kind,),
}
