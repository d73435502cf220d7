"""Checks, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.measure import Measurement, Status
from temper.kernels.rate import measure_rate
from temper.testing import check

CALLS = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """The share of rows the model flags."""

    def measure(self, scene: Any) -> Any:
        if not len(scene.x):
            return (
                Measurement(plugin="toy", metric="flags", value=None, status=Status.INCONCLUSIVE, reason="no rows"),
            )
        return (self.figure(scene.target.scores(scene.x)[:, 1] > 0.5),)

    def figure(self, flags: Any) -> Any:
        return measure_rate("toy", "flags", int(flags.sum()), len(flags))


class Bare(Honest):
    """Gives a figure without rows and interval."""

    def figure(self, flags: Any) -> Any:
        return Measurement(plugin="toy", metric="flags", value=float(flags.mean()))


class Outside(Honest):
    """Gives a figure outside its own interval."""

    def figure(self, flags: Any) -> Any:
        return replace(Honest.figure(self, flags), value=2.0)


class Mute(Honest):
    """Measures nothing, and says nothing."""

    def measure(self, scene: Any) -> Any:
        return ()


class Restless(Honest):
    """Measures otherwise every time."""

    def figure(self, flags: Any) -> Any:
        return Honest.figure(self, flags[next(CALLS) % 7 :])


class Fading(Honest):
    """Weighs later rows more."""

    def figure(self, flags: Any) -> Any:
        late = float((flags * np.arange(len(flags))).mean())
        return replace(Honest.figure(self, flags), value=late, low=late, high=late)


class Scribbles(Honest):
    """Fills gaps where they are."""

    def measure(self, scene: Any) -> Any:
        scene.x[np.isnan(scene.x)] = 0.0
        return Honest.measure(self, scene)


class Invents(Honest):
    """Has a figure without a row."""

    def measure(self, scene: Any) -> Any:
        return (measure_rate("toy", "flags", 1, 2),)


class Careless(Honest):
    """Divides by the number of rows, and of positives."""

    def measure(self, scene: Any) -> Any:
        _ = 1 // int(np.sum(scene.y))
        return Honest.measure(self, scene)


INNOCENT = Honest
BITES = {
    check.law_every_figure_is_honest: (Bare, Outside, Mute),
    check.law_same_rows_same_figures: (Restless,),
    check.law_order_of_rows_does_not_matter: (Fading,),
    check.law_leaves_inputs_alone: (Scribbles,),
    check.law_no_rows_no_figure: (Invents, Careless),
    check.law_one_class_is_no_crash: (Careless, Mute),
}
