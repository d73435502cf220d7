"""Laws of an oracle: an attack can neither overstate nor forget, and nothing is asked for free.

A law is given the oracle's class, called as `oracle(target, scene, judge, access)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Array
from temper.core.errors import Unsupported
from temper.core.target import Access, Target
from temper.judges.misclassified import Misclassified
from temper.testing.law import LawBroken, require, same
from temper.testing.scenes import schema, table_model, table_scene
from temper.testing.toys import Counted, Flickering, Fragile

Make = Callable[..., Any]
_ALL = Access.LABELS | Access.SCORES | Access.GRADIENTS
_PARTS = ("verdicts", "distance", "cost", "queries", "broken_at", "x_adv", "score")


def law_charges_every_row(make: Make) -> None:
    """One query per candidate, whichever door it came through."""
    scene = table_scene(4)
    counted = Counted(inner=table_model())
    oracle = _open(make, scene, counted)
    before = counted.rows
    rows = np.array([0, 0, 1])
    oracle.scores(scene.x[rows], rows)
    oracle.labels(scene.x[rows], rows)
    oracle.propose(scene.x[rows], rows)
    oracle.gradient(scene.x[rows], rows, lambda scores, _: scores)
    spent = oracle.evidence().queries.tolist()
    require(spent == [8, 4, 0, 0], f"charges {spent} for 8, 4, 0 and 0 candidates")
    sent = counted.rows - before
    require(sent == sum(spent), f"sends {sent} rows to the target and charges {sum(spent)}")


def law_nothing_outside_counts(make: Make) -> None:
    """A point outside domain, ball or cost is charged and never counts, even where the target is fooled by it."""
    scene = table_scene(6, distance=0.01)
    priced = replace(scene, budget=replace(scene.budget, cost=1.0))
    for name, points in _outside(scene).items():
        oracle = _open(make, priced, _AlwaysWrong(priced))
        oracle.scores(points, np.arange(6))
        found = oracle.evidence()
        require((found.queries >= 1).all(), f"does not charge for {name}")
        require(not (found.verdicts == "broken").any(), f"counts {name}")


def law_a_clean_row_never_counts(make: Make) -> None:
    """The untouched row is no attack, even where the model judges it wrongly."""
    scene = table_scene(6)
    for truth in (scene.y, 1 - scene.y):
        oracle = _open(make, replace(scene, y=truth), table_model())
        oracle.scores(scene.x.copy(), np.arange(6))
        require(not (oracle.evidence().verdicts == "broken").any(), "counts an untouched row")


def law_a_row_without_budget_is_refused(make: Make) -> None:
    """Beyond the budget nothing reaches the target, the answer is NaN, and the row ends UNTRIED with its reason."""
    scene = _sized(table_scene(3), 5)
    counted = Counted(inner=table_model())
    oracle = _open(make, scene, counted)
    before = counted.rows
    answers = [oracle.scores(scene.x, np.arange(3)) for _ in range(9)]
    sent = counted.rows - before
    require(sent <= 3 * 5, f"sends {sent} rows to the target on a budget of 15")
    require(np.isnan(answers[-1]).all(), "answers a row that has no budget left")
    found = oracle.evidence()
    require(int(found.queries.max()) <= 5, f"charges {found.queries.max()} of 5 queries")
    require((found.verdicts == "untried").all(), f"leaves {set(found.verdicts)} for rows that were cut off")
    require(all(found.reasons), "does not say why a row is untried")


def law_candidates_of_one_row_are_paid_in_order(make: Make) -> None:
    """Of several candidates of one row the first are paid for; the others are neither answered nor counted."""
    scene = replace(_sized(table_scene(2, distance=0.01), 3), mode="nearest")
    x = np.repeat(scene.x[:1], 4, axis=0)
    fooling = _moved(scene, np.array([0]))
    x[2:] = fooling
    oracle = _open(make, scene, table_model())
    answers = oracle.scores(x, np.zeros(4, dtype=int))
    answered = ~np.isnan(answers[:, 0])
    require(answered.tolist() == [True, True, False, False], f"answers {answered.tolist()} with two queries to spend")
    require(oracle.evidence().verdicts[0] != "broken", "counts a candidate that nobody paid for")


def law_a_crash_is_an_error_of_its_row_alone(make: Make) -> None:
    """One row the model cannot read does not cost the others their answers."""
    scene = table_scene(6)
    target = Fragile(inner=table_model(), fails=lambda x: x[:, 0] > 1e6)
    x = scene.x.copy()
    x[3, 0] = 1e9
    try:
        oracle = _open(make, scene, target)
        answers = oracle.scores(x, np.arange(6))
        found = oracle.evidence()
    except RuntimeError as crash:
        raise LawBroken(f"lets a crash of the target through: {crash}") from crash
    others = np.arange(6) != 3
    require(np.isfinite(answers[others]).all(), "loses the answers of rows beside the one that failed")
    require(found.verdicts[3] == "error", f"calls a row whose model crashed {found.verdicts[3]}")
    require(bool(found.reasons[3]), "does not say what the model raised")
    require(not (found.verdicts[others] == "error").any(), "blames other rows for the one that failed")


def law_batch_size_does_not_matter(make: Make) -> None:
    """The same candidates asked at once or in pieces leave the same evidence."""
    scene = replace(_sized(table_scene(6, distance=0.3), 9), mode="nearest")
    rng = np.random.Generator(np.random.Philox(key=8))
    rows = rng.integers(0, 6, size=80)
    x = scene.x[rows].copy()
    x[:, 0] = np.clip(x[:, 0] + rng.uniform(-8, 8, size=80), 0, None)
    x = scene.schema.project(x, scene.x[rows])
    found = [_in_pieces(make, scene, x, rows, size) for size in (80, 7, 1)]
    for other in found[1:]:
        for part in _PARTS:
            require(same(getattr(found[0], part), getattr(other, part)), f"{part} depends on the size of the batches")


def law_the_nearest_is_kept(make: Make) -> None:
    """Of several points that count, the one nearest to the clean row is the evidence."""
    scene = replace(table_scene(4, distance=0.01), mode="nearest")
    rows = np.arange(4)
    oracle = _open(make, scene, table_model())
    for share in (1.0, 0.25, 0.5):
        oracle.scores(_moved(scene, rows, share), rows)
    wanted = scene.schema.distance(_moved(scene, rows, 0.25), scene.x, "linf")
    found = oracle.evidence()
    require((found.verdicts == "broken").all(), "does not count points that reach the goal")
    require(np.allclose(found.distance, wanted), f"keeps distances {found.distance}, the nearest were {wanted}")
    kept = same(found.x_adv, _moved(scene, rows, 0.25))
    require(kept, "keeps another point than the nearest")


def law_winners_are_checked_again(make: Make) -> None:
    """A point that fools the target only the first time is not broken; without a declaration it is an error."""
    scene = table_scene(6, distance=0.01)
    for stochastic in (False, True):
        target = _Once(scene, stochastic)
        oracle = make(target, scene, Misclassified(), _ALL)
        oracle.scores(_moved(scene, np.arange(6)), np.arange(6))
        found = oracle.evidence()
        require(not (found.verdicts == "broken").any(), "believes a win that does not repeat")
        if not stochastic:
            require((found.verdicts == "error").all(), "does not report that the target answers differently")
    steady = _open(make, scene, table_model())
    steady.scores(_moved(scene, np.arange(6)), np.arange(6))
    require((steady.evidence().verdicts == "broken").all(), "loses wins that do repeat")


def law_a_declared_flicker_is_judged_by_most_answers(make: Make) -> None:
    """A stochastic target is no error, and rows far from its decision are not broken by its noise."""
    scene = table_scene(40, distance=4.0)
    oracle = make(Flickering(inner=table_model(), size=0.55), scene, Misclassified(), _ALL)
    for _ in range(30):
        oracle.scores(_moved(scene, np.arange(40), 0.01), np.arange(40))
    verdicts = oracle.evidence().verdicts
    require(not (verdicts == "error").any(), "calls declared noise an error")
    lucky = int((verdicts == "broken").sum())
    require(lucky <= 4, f"believes lucky draws on {lucky} of 40 rows")


def law_books_cannot_be_written_to(make: Make) -> None:
    """What the oracle hands out, and what it was given, is not its own memory."""
    scene = table_scene(4, distance=0.01)
    given = replace(scene, x=scene.x.copy(), y=scene.y.copy())
    clean, forged = (_open(make, case, table_model()) for case in (scene, given))
    for oracle in (clean, forged):
        oracle.scores(_moved(scene, np.arange(2)), np.arange(2))
    for values in (*forged.best, forged.clean, forged.left, given.x, given.y):
        try:
            values[:] = 0
        except (ValueError, RuntimeError):
            continue
    one, two = clean.evidence(), forged.evidence()
    for part in _PARTS:
        require(same(getattr(one, part), getattr(two, part)), f"lets an attack write its own {part}")


def law_undeclared_access_is_refused(make: Make) -> None:
    """An attack gets the access it declares, and no more."""
    scene = table_scene(2)
    rows = np.arange(2)
    oracle = make(table_model(), scene, Misclassified(), Access.LABELS)
    doors: tuple[Callable[[], Any], ...] = (
        lambda: oracle.scores(scene.x, rows),
        lambda: oracle.clean,
        lambda: oracle.gradient(scene.x, rows, lambda scores, _: scores),
    )
    for door in doors:
        try:
            door()
        except Unsupported:
            continue
        raise LawBroken("gives scores or gradients to an attack that declares labels")


def law_done_without_asking_is_not_held(make: Make) -> None:
    """A strategy cannot call a row held that it never tried."""
    scene = table_scene(4)
    oracle = _open(make, scene, table_model())
    oracle.scores(scene.x[:2], np.arange(2))
    oracle.done(np.arange(4))
    verdicts = oracle.evidence().verdicts.tolist()
    require(verdicts == ["held", "held", "untried", "untried"], f"gives {verdicts} where only two rows were asked")


def law_out_of_time_is_untried(make: Make) -> None:
    """When the time is up no row is open, and nothing reads as held."""
    scene = table_scene(4)
    oracle = _open(make, replace(scene, budget=replace(scene.budget, seconds=0.0)), table_model())
    require(not len(oracle.active), "keeps rows open after the time is up")
    oracle.done(np.arange(4))
    found = oracle.evidence()
    require((found.verdicts == "untried").all(), f"gives {set(found.verdicts)} with no time to ask")


def _open(make: Make, scene: Scene, target: Target) -> Any:
    return make(target, scene, Misclassified(), _ALL)


def _sized(scene: Scene, queries: int) -> Scene:
    return replace(scene, budget=replace(scene.budget, queries=queries))


def _moved(scene: Scene, rows: Array, share: float = 1.0) -> Array:
    """Admissible points of these rows that cross `table_model`'s decision: the amount moves toward it."""
    x, x0 = scene.x[rows].copy(), scene.x[rows]
    x[:, 0] += np.where(scene.y[rows] == 1, -4.0, 4.0) * share
    return scene.schema.project(x, x0)


def _outside(scene: Scene) -> dict[str, Array]:
    """Points that differ from an admissible move in one forbidden way each."""
    at = {name: place for place, name in enumerate(schema().names)}
    changes: dict[str, Callable[[Array], None]] = {
        "a point beyond the radius": lambda x: _add(x, at["limit"], 70.0),
        "a move above the cost": lambda x: _set(x, at["kind"], (x[:, at["kind"]] + 1.0) % 4.0),
        "a changed immutable column": lambda x: _add(x, at["age"], 1.0),
        "a value out of range": lambda x: _set(x, at["count"], -1.0),
        "half a category": lambda x: _add(x, at["kind"], 0.5),
        "a broken one-hot group": lambda x: _set(x, at["red"], 1.0 - x[:, at["red"]]),
        "a move in the forbidden direction": lambda x: _add(x, at["limit"], -2.0),
        "a derived column of its own": lambda x: _add(x, at["total"], 5.0),
        "a value gone missing": lambda x: _set(x, at["amount"], np.nan),
        "a number that is not finite": lambda x: _set(x, at["amount"], np.inf),
    }
    points = {}
    for name, change in changes.items():
        x = scene.x.copy()
        change(x)
        points[name] = x
    return points


def _add(x: Array, at: int, much: float) -> None:
    x[:, at] = np.nan_to_num(x[:, at], nan=5.0) + much


def _set(x: Array, at: int, value: Any) -> None:
    x[:, at] = value


def _in_pieces(make: Make, scene: Scene, x: Array, rows: Array, size: int) -> Any:
    oracle = _open(make, scene, table_model())
    for start in range(0, len(x), size):
        oracle.scores(x[start : start + size], rows[start : start + size])
    oracle.done(np.arange(len(scene.x)))
    return oracle.evidence()


class _AlwaysWrong(Counted):
    """Judges the clean rows right and whatever else it is asked wrongly."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(inner=table_model())
        self.known = {row.tobytes(): int(y) for row, y in zip(scene.x, scene.y, strict=True)}
        self.usual = {row[-1]: int(y) for row, y in zip(scene.x, scene.y, strict=True)}

    def scores(self, x: Array) -> Array:
        """Sure of the wrong class for every point that is not a clean row."""
        flagged = [self._answer(np.asarray(row, dtype=float)) for row in x]
        return np.eye(2)[flagged] * 0.8 + 0.1

    def _answer(self, row: Array) -> int:
        if row.tobytes() in self.known:
            return self.known[row.tobytes()]
        return 1 - self.usual.get(row[-1], self.usual.get(row[-1] - 1.0, 0))


class _Once(Counted):
    """Judges clean rows right, other points wrongly the first time and right ever after."""

    def __init__(self, scene: Scene, stochastic: bool) -> None:
        super().__init__(inner=table_model())
        self.scene, self.fickle, self.turn = scene, stochastic, 0

    @property
    def stochastic(self) -> bool:
        """As declared."""
        return self.fickle

    def scores(self, x: Array) -> Array:
        """The truth, except on the second call."""
        self.turn += 1
        y = self.scene.y[: len(x)]
        return np.eye(2)[1 - y if self.turn == 2 else y] * 0.8 + 0.1


LAWS = (
    law_charges_every_row,
    law_nothing_outside_counts,
    law_a_clean_row_never_counts,
    law_a_row_without_budget_is_refused,
    law_candidates_of_one_row_are_paid_in_order,
    law_a_crash_is_an_error_of_its_row_alone,
    law_batch_size_does_not_matter,
    law_the_nearest_is_kept,
    law_winners_are_checked_again,
    law_a_declared_flicker_is_judged_by_most_answers,
    law_books_cannot_be_written_to,
    law_undeclared_access_is_refused,
    law_done_without_asking_is_not_held,
    law_out_of_time_is_untried,
)
