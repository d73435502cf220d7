"""Laws of evasion attacks: what is asked, what counts, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.data import Array, Data
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Target
from temper.core.text import TextSchema
from temper.judges.misclassified import Misclassified
from temper.kernels.loss import decide
from temper.kernels.rate import mcnemar
from temper.kernels.search import random_point, reachable
from temper.kernels.text import random_texts
from temper.targets.oracle import Evidence, Oracle
from temper.testing.law import LawBroken, only_reads, require
from temper.testing.scenes import (
    picture_model,
    picture_scene,
    reordered,
    table_model,
    table_scene,
    text_model,
    text_scene,
)
from temper.testing.steps import steps
from temper.testing.toys import Constant

_BUDGETS = (0, 1, 2, 3, 5, 17)
_IDLE = 2_000
_ROWS = 48
_FOUND: dict[type[Any], tuple[tuple[Scene, Target], ...]] = {}


@dataclass(slots=True)
class _Seen:
    """What an attack asked: one (sample id, point) per candidate, in order."""

    ids: list[int] = field(default_factory=list)
    points: list[bytes] = field(default_factory=list)
    gradients: int = 0

    def of(self, sample: int) -> list[bytes]:
        """The candidates of one row, in order."""
        return [point for at, point in zip(self.ids, self.points, strict=True) if at == sample]


class _Watched(Oracle):
    """An oracle that keeps what was asked, and stops a strategy that looks on for ever without asking."""

    def __init__(self, target: Target, scene: Scene, access: Access) -> None:
        self.seen = _Seen()
        self._looks = 0
        super().__init__(target, scene, Misclassified(), access)

    @property
    def active(self) -> np.ndarray[Any, Any]:
        """Rows still open; every look without a question in between is counted."""
        self._looks += 1
        if self._looks > _IDLE:
            raise LawBroken(f"looked at the open rows {_IDLE} times without asking anything")
        return super().active

    def _charge(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        charged = super()._charge(rows)
        self._looks = 0
        return charged

    def _query(self, x: Array, rows: np.ndarray[Any, Any]) -> Array:
        self._note(x, rows)
        return super()._query(x, rows)

    def gradient(self, x: Array, rows: Any, cotangent: Callable[[Array, Any], Array]) -> tuple[Array, Array]:
        """The gradient, noted like a question."""
        self._note(x, np.asarray(rows))
        self.seen.gradients += len(x)
        return super().gradient(x, rows, cotangent)

    def _note(self, x: Array, rows: np.ndarray[Any, Any]) -> None:
        self.seen.ids += np.asarray(self._scene.ids)[rows].tolist()
        if isinstance(self._scene.schema, TextSchema):
            self.seen.points += [text.encode("utf-8", "surrogatepass") for text in x]
            return
        points = np.ascontiguousarray(x, dtype=float)
        self.seen.points += [point.tobytes() for point in points]


def law_same_seed_asks_the_same_points(attack: type[Any]) -> None:
    """A run can be repeated to the byte."""
    for scene, target in _cases(attack):
        (_, one), (_, two) = (_strike(attack, target, scene, seed=3) for _ in range(2))
        require(one.points == two.points, "asks other points when run again with the same seed")
        require(one.ids == two.ids, "asks about other rows when run again with the same seed")


def law_other_seed_asks_other_points(attack: type[Any]) -> None:
    """The seed reaches the numbers: repeating with another one is another sample of the strategy."""
    for scene, target in _cases(attack):
        (_, one), (_, two) = (_strike(attack, target, scene, seed=seed) for seed in (3, 4))
        require(one.points != two.points, "asks the same points with another seed")


def law_order_of_rows_does_not_matter(attack: type[Any]) -> None:
    """Rows in another order, with their ids, are asked the same and end the same."""
    for scene, target in _cases(attack):
        order = np.random.Generator(np.random.Philox(key=5)).permutation(len(scene.x))
        _same_rows(attack, target, scene, _strike(attack, target, scene), order)


def law_a_row_does_not_depend_on_the_others(attack: type[Any]) -> None:
    """A shard of the rows, or one row alone, gives what the whole gave: work can be split over machines."""
    for scene, target in _cases(attack):
        whole = _strike(attack, target, scene)
        for rows in (np.arange(0, len(scene.x), 3), *np.arange(6)[:, None]):
            _same_rows(attack, target, scene, whole, rows)


def law_leaves_inputs_alone(attack: type[Any]) -> None:
    """The rows, truths, ids and reference rows it is given are as before."""
    for scene, target in _cases(attack):
        held = replace(scene, reference=_held(scene))
        with only_reads(attack.__name__):
            _strike(attack, target, held)


def law_what_counts_lies_in_domain_and_ball(attack: type[Any]) -> None:
    """Every broken row is admissible, within radius and cost, and judged wrongly by the target itself."""
    for scene, target in _cases(attack):
        priced = replace(scene, budget=replace(scene.budget, cost=4.0))
        found, _ = _strike(attack, target, priced)
        broken = np.flatnonzero(found.verdicts == "broken")
        x, x0 = found.x_adv[broken], scene.x[broken]
        require(np.asarray(scene.schema.admits(x, x0)).all(), f"counts {scene.schema.reason(x, x0)}")
        far = np.asarray(scene.schema.distance(x, x0, scene.budget.norm)).max(initial=0.0)
        require(far <= (scene.budget.radius or 0.0) + 1e-6, f"counts a point at distance {far:g}")
        price = np.asarray(scene.schema.cost(x, x0)).max(initial=0.0)
        require(price <= 4.0 + 1e-6, f"counts a point that costs {price:g} of 4")
        wrong = np.asarray(decide(target.scores(x), target.kind, 0.5)) != scene.y[broken]
        require(wrong.all(), "counts a row that the target judges right")


def law_asks_only_what_it_needs(attack: type[Any]) -> None:
    """It gets by with the access in its `needs`, and never goes round the oracle."""
    require(isinstance(getattr(attack, "needs", None), Access), "does not declare what it needs")
    for scene, target in _cases(attack):
        trap: Any = _Trap()
        try:
            attack().run(_Watched(target, scene, attack.needs), replace(scene, target=trap), _draws(scene, 0))
        except Unsupported as refused:
            raise LawBroken(f"needs more than it declares: {refused.message}") from refused


def law_ends_cleanly_at_every_budget(attack: type[Any]) -> None:
    """From no query up it ends, spends no more than it has, and leaves a verdict for every row."""
    for scene, target in _cases(attack):
        for queries in _BUDGETS:
            found = _ended(attack, target, replace(scene, budget=replace(scene.budget, queries=queries)))
            most = int(found.queries.max(initial=0))
            require(most <= queries, f"spends {most} of {queries} queries")
            known = set(found.verdicts.tolist()) <= {"broken", "held", "untried"}
            require(known, f"leaves {sorted(set(found.verdicts.tolist()))} at {queries} queries")
            silent = (found.queries == 0) & (found.verdicts != "untried")
            require(not silent.any(), f"claims a result at {queries} queries for a row it never asked about")


def law_no_room_breaks_nothing(attack: type[Any]) -> None:
    """At radius 0, and at cost 0 where every move has a price, nothing is broken."""
    for scene, target in _cases(attack):
        dear = _priced(scene)
        for budget in (replace(scene.budget, radius=0.0), replace(scene.budget, cost=0.0)):
            found, _ = _strike(attack, target, replace(dear, budget=budget))
            count = int((found.verdicts == "broken").sum())
            require(not count, f"breaks {count} rows at radius {budget.radius}, cost {budget.cost}")


def law_breaks_the_breakable(attack: type[Any]) -> None:
    """A model whose rows lie a hair from its decision is broken on nine rows of ten."""
    scenes: list[tuple[Scene, Target]] = [
        (table_scene(20, distance=0.05), table_model()),
        (picture_scene(20, distance=0.02), picture_model()),
        (text_scene(20, distance=0.05), text_model()),
        *_of_trees(attack, 20, distance=0.05),
    ]
    for scene, target in _supported(attack, scenes):
        found, _ = _strike(attack, target, scene)
        share = float((found.verdicts == "broken").mean())
        require(share >= 0.9, f"breaks {share:.0%} of rows that lie a hair from the decision")


def law_never_breaks_the_constant(attack: type[Any]) -> None:
    """A model that answers everything alike cannot be evaded."""
    flat = Constant()
    scenes: list[tuple[Scene, Target]] = [
        (made(target=flat), flat) for made in (table_scene, picture_scene, text_scene)
    ]
    scenes += _of_trees(attack, flat=True)
    for scene, target in _supported(attack, scenes):
        found, _ = _strike(attack, target, scene)
        count = int((found.verdicts == "broken").sum())
        require(not count, f"breaks {count} rows of a model that answers everything alike")


def law_is_at_least_as_strong_as_noise(attack: type[Any]) -> None:
    """At an equal budget it does not break significantly fewer rows than random admissible points do."""
    scenes: list[tuple[Scene, Target]] = [
        (table_scene(_ROWS, distance=3.0), table_model()),
        (picture_scene(_ROWS, distance=4.0), picture_model()),
        (text_scene(_ROWS, distance=1.5), text_model()),
        *_of_trees(attack, _ROWS, distance=3.0),
    ]
    for scene, target in _supported(attack, scenes):
        found, _ = _strike(attack, target, scene)
        broken, random = found.verdicts == "broken", _noise(target, scene).verdicts == "broken"
        only_noise, only_attack = int((random & ~broken).sum()), int((broken & ~random).sum())
        weaker = only_noise > only_attack and mcnemar(only_noise, only_attack) < 0.05
        require(not weaker, f"breaks {broken.sum()} of {len(broken)} rows, random points break {random.sum()}")


def _cases(attack: type[Any]) -> tuple[tuple[Scene, Target], ...]:
    """A table, pictures and texts, at a fixed radius and at the minimum distance; those the attack can work on. Found
    once: every law asks, and finding out costs a run for each of them.
    """
    if attack not in _FOUND:
        _FOUND[attack] = _found_cases(attack)
    return _FOUND[attack]


def _found_cases(attack: type[Any]) -> tuple[tuple[Scene, Target], ...]:
    scenes: list[tuple[Scene, Target]] = [
        (table_scene(), table_model()),
        (picture_scene(), picture_model()),
        (text_scene(), text_model()),
        *_of_trees(attack),
    ]
    nearest = [(replace(scene, mode="nearest"), target) for scene, target in scenes]
    return tuple(_supported(attack, scenes + nearest))


def _of_trees(attack: type[Any], n: int = 12, distance: float = 0.5, flat: bool = False) -> list[tuple[Scene, Target]]:
    """The table and a model made of steps, for attacks that read trees."""
    if Access.TREES not in getattr(attack, "needs", Access.NONE):
        return []
    target = steps(table_model(), table_scene(n, distance=distance).x, flat=flat)
    return [(table_scene(n, distance=distance, target=target), target)]


def _supported(attack: type[Any], cases: Sequence[tuple[Scene, Target]]) -> list[tuple[Scene, Target]]:
    """The cases the attack does not decline with `Unsupported`; one at least."""
    said = [_declined(attack, scene, target) for scene, target in cases]
    kept = [case for case, why in zip(cases, said, strict=True) if not why]
    require(kept, f"works on neither tables nor pictures nor texts: {said[0]}")
    return kept


def _declined(attack: type[Any], scene: Scene, target: Target) -> str:
    """Why the attack cannot work on this scene at all, with every access granted; "" when it can."""
    if isinstance(scene.schema, TextSchema) and not getattr(attack, "texts", False):
        return "it does not say that it takes texts"
    small = replace(scene, budget=replace(scene.budget, queries=3))
    with suppress(Exception):  # the law itself meets it again, and says so
        try:
            attack().run(_Watched(target, small, ~Access.NONE), small, _draws(small, 0))
        except Unsupported as refused:
            return refused.message
    return ""


def _strike(attack: type[Any], target: Target, scene: Scene, seed: int = 0) -> tuple[Evidence, _Seen]:
    oracle = _Watched(target, scene, attack.needs)
    attack().run(oracle, scene, _draws(scene, seed))
    return oracle.evidence(), oracle.seen


def _ended(attack: type[Any], target: Target, scene: Scene) -> Evidence:
    try:
        return _strike(attack, target, scene)[0]
    except LawBroken:
        raise
    except Exception as crash:
        raise LawBroken(f"crashes at {scene.budget.queries} queries: {type(crash).__name__}: {crash}") from crash


def _draws(scene: Scene, seed: int) -> Draws:
    return Draws(seed, "testing.attack", scene.ids)


def _same_rows(attack: type[Any], target: Target, scene: Scene, struck: tuple[Evidence, _Seen], order: Array) -> None:
    """Compare every row of the whole scene, as it was struck, with the same row among `order`."""
    whole, asked = struck
    part, asked_again = _strike(attack, target, reordered(scene, order))
    for at, row in enumerate(order):
        sample = int(scene.ids[row])
        require(asked.of(sample) == asked_again.of(sample), f"asks other points for row {sample} beside other rows")
        for name in ("verdicts", "queries", "distance", "broken_at"):
            one, two = getattr(whole, name)[row], getattr(part, name)[at]
            require(one == two, f"row {sample} has {name} {one} in the whole and {two} among other rows")


def _held(scene: Scene) -> Data:
    return Data(x=scene.x, y=scene.y, ids=scene.ids)


class _Trap:
    """Stands where a target could be reached without the oracle."""

    def __getattr__(self, name: str) -> Any:
        raise LawBroken(f"reaches for the target's {name} without the oracle")


def _noise(target: Target, scene: Scene) -> Evidence:
    """Random admissible points until the budget is spent."""
    oracle, rng = Oracle(target, scene, Misclassified(), Access.LABELS), Draws(1, "testing.noise", scene.ids)
    draw = _random(scene, rng)
    for step in range(scene.budget.queries or 0):
        rows = oracle.active
        if not len(rows):
            break
        oracle.labels(draw(rows, step), rows)
    return oracle.evidence()


def _random(scene: Scene, rng: Draws) -> Callable[[Array, int], Array]:
    """Random points of the ball, or random edits of texts."""
    schema = scene.schema
    if isinstance(schema, TextSchema):
        return lambda rows, step: random_texts(scene, schema, rows, rng, step)
    low, high = reachable(schema, scene.x, scene.budget)
    return lambda rows, step: random_point(scene, rows, rng, step, low, high)


def _priced(scene: Scene) -> Scene:
    """The scene with a price on every move; an edit of a text has one already."""
    if isinstance(scene.schema, TextSchema):
        return scene
    prices = {c.name: {"attacker": type(c.attacker).COSTLY} for c in scene.schema.columns if c.movable}
    return replace(scene, schema=scene.schema.with_columns(prices))


LAWS = (
    law_same_seed_asks_the_same_points,
    law_other_seed_asks_other_points,
    law_order_of_rows_does_not_matter,
    law_a_row_does_not_depend_on_the_others,
    law_leaves_inputs_alone,
    law_what_counts_lies_in_domain_and_ball,
    law_asks_only_what_it_needs,
    law_ends_cleanly_at_every_budget,
    law_no_room_breaks_nothing,
    law_breaks_the_breakable,
    law_never_breaks_the_constant,
    law_is_at_least_as_strong_as_noise,
)
