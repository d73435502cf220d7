"""Laws of judges: a clean input is no success, order changes nothing, and the attacker knows what judging costs.

Judges of evasion are called with a class alone; a judge of payloads is given its own `Case` as well.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temper.core.attack import Outcome, Scene
from temper.core.data import Array
from temper.core.measure import Measurement
from temper.testing.law import only_reads, require, same, sealed
from temper.testing.scenes import reordered, table_model, table_scene

Choose = Callable[[Outcome, Array], Outcome]


def _rows(outcome: Outcome, order: Array) -> Outcome:
    clean = None if outcome.clean is None else outcome.clean[order]
    return replace(outcome, scores=outcome.scores[order], y=outcome.y[order], clean=clean)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """What a judge is tried on: `idle` is the outcome of an attack that did nothing, `harmful` of one that did much.

    `counts(answer)` says whether the judge's answer calls it a success; `choose(outcome, order)` gives the outcome of
    the rows in another order.
    """

    scene: Scene
    idle: Outcome
    harmful: Outcome
    counts: Callable[[Any], bool]
    choose: Choose = _rows


def evasion() -> Case:
    """Rows as they were, and the same rows with the other answer."""
    scene = table_scene(30)
    clean = sealed(table_model().scores(scene.x))
    return Case(
        scene=scene,
        idle=Outcome(scores=clean, y=scene.y, clean=clean),
        harmful=Outcome(scores=sealed(clean[:, ::-1]), y=scene.y, clean=clean),
        counts=lambda hits: bool(np.any(hits)),
    )


def law_states_whether_it_is_charged(judge: type[Any], case: Case | None = None) -> None:
    """`charged` is a plain yes or no on the class, known before anything is spent."""
    require(isinstance(vars(judge).get("charged"), bool), "does not state whether judging is charged")


def law_a_clean_input_never_counts(judge: type[Any], case: Case | None = None) -> None:
    """An attack that changed nothing has not succeeded."""
    case = case or evasion()
    answer = _judge(judge, case, case.idle)
    require(not case.counts(answer), f"counts an attack that did nothing: {_shown(answer)}")


def law_harm_counts(judge: type[Any], case: Case | None = None) -> None:
    """An attack that plainly succeeded is called a success."""
    case = case or evasion()
    answer = _judge(judge, case, case.harmful)
    require(case.counts(answer), f"does not see an attack that plainly succeeded: {_shown(answer)}")


def law_order_of_rows_does_not_matter(judge: type[Any], case: Case | None = None) -> None:
    """Rows in another order get the same answers, figures up to the noise of resampling."""
    case = case or evasion()
    n = len(case.scene.x)
    order = np.random.Generator(np.random.Philox(key=13)).permutation(n)
    scene = reordered(case.scene, order)
    for outcome in (case.idle, case.harmful):
        one = _judge(judge, case, outcome)
        two = judge().judge(scene, case.choose(outcome, order))
        if isinstance(one, np.ndarray):
            require(one.shape == (n,), f"gives {one.shape} answers for {n} rows")
            require(same(one[order], np.asarray(two)), "judges rows otherwise in another order")
        else:
            _same_figures(one, two)


def law_leaves_inputs_alone(judge: type[Any], case: Case | None = None) -> None:
    """Scores and truths are as before."""
    case = case or evasion()
    before = pickle.dumps((case.harmful.scores, case.harmful.y, case.harmful.clean))
    with only_reads(judge.__name__):
        _judge(judge, case, case.harmful)
    after = pickle.dumps((case.harmful.scores, case.harmful.y, case.harmful.clean))
    require(before == after, "writes to the outcome it judges")


def law_same_outcome_same_answer(judge: type[Any], case: Case | None = None) -> None:
    """Judging again gives the same answer."""
    case = case or evasion()
    one, two = (_judge(judge, case, case.harmful) for _ in range(2))
    require(same(one, two), "judges the same outcome otherwise the second time")


def _judge(judge: type[Any], case: Case, outcome: Outcome) -> Any:
    return judge().judge(case.scene, outcome)


def _same_figures(one: Sequence[Measurement], two: Sequence[Measurement]) -> None:
    names = [[(m.name, m.slice, m.status) for m in measured] for measured in (one, two)]
    require(names[0] == names[1], "measures other things when the rows come in another order")
    for a, b in zip(one, two, strict=True):
        if a.value is None or b.value is None:
            continue
        width = max((a.high or 0.0) - (a.low or 0.0), 1e-9)
        require(abs(a.value - b.value) <= 0.5 * width, f"{a.name} is {a.value:g} or {b.value:g} by the order of rows")


def _shown(answer: Any) -> str:
    if isinstance(answer, np.ndarray):
        return f"{int(np.sum(answer))} of {len(answer)} rows"
    return "; ".join(f"{m.name} {m.value} [{m.low}, {m.high}]" for m in answer)


LAWS = (
    law_states_whether_it_is_charged,
    law_a_clean_input_never_counts,
    law_harm_counts,
    law_order_of_rows_does_not_matter,
    law_leaves_inputs_alone,
    law_same_outcome_same_answer,
)
