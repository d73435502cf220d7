"""Oracles, each of which keeps one book badly; the real one keeps them all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.targets.oracle import Oracle
from temper.testing import oracle


class FreeLabels(Oracle):
    """Gives labels away."""

    def labels(self, x: Any, rows: Any) -> Any:
        before = self._spent.copy()
        answers = super().labels(x, rows)
        self._spent[:] = before
        return answers


class Lenient(Oracle):
    """Counts whatever fools the target."""

    def _keep(self, x: Any, rows: Any, scores: Any, number: Any) -> None:
        self._broken_at[rows], self._distance[rows], self._best[rows] = number, 0.0, x


class Boundless(Oracle):
    """Does not measure how far a point is."""

    def __init__(self, target: Any, scene: Any, judge: Any, access: Any) -> None:
        super().__init__(target, replace(scene, budget=replace(scene.budget, radius=None)), judge, access)


class Priceless(Oracle):
    """Does not count what a move costs."""

    def __init__(self, target: Any, scene: Any, judge: Any, access: Any) -> None:
        super().__init__(target, replace(scene, budget=replace(scene.budget, cost=None)), judge, access)


class Lax(Schema):
    """Admits everything."""

    def admits(self, x: Any, x0: Any) -> Any:
        return np.ones(len(x), dtype=bool)


class Lawless(Oracle):
    """Does not look at the domain."""

    def __init__(self, target: Any, scene: Any, judge: Any, access: Any) -> None:
        lax = Lax(columns=scene.schema.columns, relations=scene.schema.relations)
        super().__init__(target, replace(scene, schema=lax), judge, access)


class CountsClean(Oracle):
    """Counts the clean row where the model judges it wrongly."""

    def _keep(self, x: Any, rows: Any, scores: Any, number: Any) -> None:
        super()._keep(x, rows, scores, number)
        clean = (x == self._scene.x[rows]) | np.isnan(x)
        self._broken_at[rows[clean.all(axis=1)]] = 1


class Generous(Oracle):
    """Answers whether or not there is anything left to pay with."""

    def _charge(self, rows: Any) -> Any:
        super()._charge(rows)
        return np.ones(len(rows), dtype=bool)


class LastFirst(Oracle):
    """Spends what is left on the last candidates of a call."""

    def _charge(self, rows: Any) -> Any:
        return super()._charge(rows[::-1])[::-1]


class Blames(Oracle):
    """Calls every row of a batch an error when one of them crashes the model."""

    def _ask_target(self, x: Any, rows: Any) -> Any:
        try:
            return self._target.scores(x)
        except RuntimeError:
            self._fail(rows, "crashed")
            return self._empty(len(rows))


class Falls(Oracle):
    """Lets a crash of the model end the attack."""

    def _ask_target(self, x: Any, rows: Any) -> Any:
        return self._target.scores(x)


class ByBatch(Oracle):
    """Dates a break by the end of the batch it came in."""

    def _numbers(self, rows: Any) -> Any:
        return self._spent[rows]


class Latest(Oracle):
    """Keeps the latest point that counts instead of the nearest."""

    def _keep(self, x: Any, asked: Any, answers: Any, at: Any) -> None:
        self._distance[asked[at]] = np.inf
        super()._keep(x, asked, answers, at)


class Trusting(Oracle):
    """Believes a win the first time."""

    def _confirmed(self, x: Any, rows: Any, counts: Any) -> Any:
        return counts

    def _recheck(self) -> None:
        return None


class OpenBooks(Oracle):
    """Hands out its own memory."""

    @property
    def best(self) -> Any:
        return self._best, self._distance


class SharedScene(Oracle):
    """Judges by truths the attack can write to."""

    def __init__(self, target: Any, scene: Any, judge: Any, access: Any) -> None:
        super().__init__(target, scene, judge, access)
        self._scene = scene


class NoDoor(Oracle):
    """Gives every attack every access."""

    def _allow(self, wanted: Any) -> None:
        return None


class Believes(Oracle):
    """Calls held whatever the strategy says it has finished with."""

    def done(self, rows: Any) -> None:
        self._done[np.asarray(rows)] = True


class Timeless(Oracle):
    """Never looks at the clock."""

    def _out_of_time(self) -> bool:
        return False


INNOCENT = Oracle
BITES = {
    oracle.law_charges_every_row: (FreeLabels,),
    oracle.law_nothing_outside_counts: (Lenient, Boundless, Priceless, Lawless),
    oracle.law_a_clean_row_never_counts: (CountsClean,),
    oracle.law_a_row_without_budget_is_refused: (Generous,),
    oracle.law_candidates_of_one_row_are_paid_in_order: (LastFirst,),
    oracle.law_a_crash_is_an_error_of_its_row_alone: (Blames, Falls),
    oracle.law_batch_size_does_not_matter: (ByBatch, LastFirst),
    oracle.law_the_nearest_is_kept: (Latest,),
    oracle.law_winners_are_checked_again: (Trusting,),
    oracle.law_a_declared_flicker_is_judged_by_most_answers: (Trusting,),
    oracle.law_books_cannot_be_written_to: (OpenBooks, SharedScene),
    oracle.law_undeclared_access_is_refused: (NoDoor,),
    oracle.law_done_without_asking_is_not_held: (Believes,),
    oracle.law_out_of_time_is_untried: (Timeless,),
}
