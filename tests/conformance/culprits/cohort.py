"""Figures of cohorts, each of which breaks one law; `Honest` breaks none."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.measure import Better, Measurement, Status
from temper.kernels.confidence_sequence import Evidence
from temper.monitoring.accuracy._measured import mean
from temper.testing import cohort

CALLS = itertools.count()


class Honest:
    """How often the model was right."""

    def measure(self, rows: Any) -> tuple[Measurement, ...]:
        right = ((rows.y == 1) == rows.flagged)[rows.labelled]
        gone = int((~rows.labelled).sum())
        seen, noughts, ones = (
            Evidence.rate(int(right.sum()), len(right)),
            Evidence.rate(0, gone),
            Evidence.rate(gone, gone),
        )
        return (mean("honest", "accuracy", seen, Better.HIGHER, least=noughts, most=ones),)


class Hopeful(Honest):
    """What has no label is right."""

    def measure(self, rows: Any) -> tuple[Measurement, ...]:
        right = np.where(rows.labelled, (rows.y == 1) == rows.flagged, True)
        return (mean("hopeful", "accuracy", Evidence.rate(int(right.sum()), len(right)), Better.HIGHER),)


class Partial(Honest):
    """What has no label does not exist."""

    def measure(self, rows: Any) -> tuple[Measurement, ...]:
        right = ((rows.y == 1) == rows.flagged)[rows.labelled]
        return (mean("partial", "accuracy", Evidence.rate(int(right.sum()), len(right)), Better.HIGHER),)


class Rash(Honest):
    """Is as sure after eighty rows as after a thousand times as many."""

    def measure(self, rows: Any) -> tuple[Measurement, ...]:
        (found,) = Honest().measure(rows)
        if found.value is None:
            return (found,)
        return (replace(found, low=found.value - 0.001, high=found.value + 0.001),)


class Blind(Honest):
    """The share of flagged rows, whatever became of them."""

    def measure(self, rows: Any) -> tuple[Measurement, ...]:
        (found,) = Honest().measure(rows)
        flagged = Evidence.rate(int(rows.flagged.sum()), len(rows))
        told = mean("blind", "accuracy", flagged, Better.HIGHER)
        return (found if found.value is None else told,)


class Crashes(Honest):
    """Needs a row."""

    def measure(self, rows: Any) -> tuple[Measurement, ...]:
        assert len(rows), "no rows"
        return Honest().measure(rows)


class Empty(Honest):
    """Gives NaN for a figure that is not defined."""

    def measure(self, rows: Any) -> tuple[Measurement, ...]:
        (found,) = Honest().measure(rows)
        if found.value is None:
            return (replace(found, value=float("nan"), status=Status.OK),)
        return (found,)


class Moody(Honest):
    """Says another number each time."""

    def measure(self, rows: Any) -> tuple[Measurement, ...]:
        (found,) = Honest().measure(rows)
        return (replace(found, n=next(CALLS)),)


BITES = {
    cohort.law_no_label_no_verdict: (Hopeful,),
    cohort.law_labels_that_stay_away_hide_nothing: (Partial,),
    cohort.law_ends_hold_at_every_look: (Rash,),
    cohort.law_harm_is_found_or_blindness_is_said: (Blind,),
    cohort.law_copes_with_anything: (Crashes, Empty),
    cohort.law_same_rows_same_answer: (Moody,),
}
INNOCENT = Honest
