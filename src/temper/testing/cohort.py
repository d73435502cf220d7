"""Laws of figures from labels: none without them, nothing hidden by those that stay away, ends for every look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from temper.core.cost import CostMatrix
from temper.core.measure import Measurement, Status
from temper.core.seed import Draws
from temper.monitoring.labels import NOT_KNOWN, Cohort
from temper.testing.law import LawBroken, require, same, sealed
from temper.testing.scenes import schema, table

_N, _MANY = 1_200, 40_000
_COHORTS, _LOOKS, _SURE = 24, (80, 400), 1e-5


def cohort(n: int, seed: int = 0) -> Cohort:
    """Rows of the toy table whose scores are true probabilities, flagged from .5 on, every one with its label."""
    x, ids = table(n, seed), np.arange(n)
    amount = x[:, schema().index("amount")]
    score = 1.0 / (1.0 + np.exp((50.0 - amount) / 12.0))
    return Cohort(
        ids=sealed(ids),
        x=sealed(x),
        score=sealed(score),
        flagged=sealed(score >= 0.5),
        at=sealed(ids.astype(float)),
        y=sealed((Draws(seed, "testing.cohort").uniform(ids, 0) < score).astype(np.int64)),
        schema=schema(),
        cost=CostMatrix(false_negative=1.0, false_positive=5.0, amount_column="amount"),
    )


def law_no_label_no_verdict(figure: type[Any]) -> None:
    """Without labels nothing is measured that a requirement could pass or fail by."""
    rows = cohort(_N)
    for m in _figures(figure, replace(rows, y=np.full(_N, NOT_KNOWN))):
        require(m.status is not Status.OK, f"{m.metric} is {m.value} without a label")


def law_labels_that_stay_away_hide_nothing(figure: type[Any]) -> None:
    """Whichever labels have not come, the ends hold the figure that all of them would give."""
    rows = cohort(_N)
    whole = {(m.metric, m.slice): m for m in _figures(figure, rows) if m.status is Status.OK}
    wrong, one = rows.flagged != (rows.y == 1), rows.y == 1
    for gone in (wrong, ~wrong, one, ~one & rows.flagged, one & ~rows.flagged, rows.x[:, -1] > 50.0):
        for m in _figures(figure, replace(rows, y=np.where(gone, NOT_KNOWN, rows.y))):
            known = whole.get((m.metric, m.slice))
            if known and m.status is Status.OK:
                require(_within(known.value, m), f"{m.metric} {m.low}...{m.high} and is {known.value} with all labels")


def law_ends_hold_at_every_look(figure: type[Any]) -> None:
    """Ends that claim to hold at every look miss the truth at any of them no more often than they say."""
    from scipy.special import bdtrc

    truth = {(m.metric, m.slice): m.value for m in _figures(figure, cohort(_MANY, 1_000)) if m.anytime}
    missed = dict.fromkeys(truth, 0)
    for seed in range(_COHORTS):
        rows = cohort(max(_LOOKS), seed)
        looks = [m for most in _LOOKS for m in _figures(figure, rows.take(np.arange(most))) if m.anytime]
        for key in truth:
            missed[key] += not all(_within(truth[key], m) for m in looks if (m.metric, m.slice) == key)
    for (metric, _), many in missed.items():
        require(not many or bdtrc(many - 1, _COHORTS, 0.05) > _SURE, f"{metric} misses in {many} of {_COHORTS} cohorts")


def law_harm_is_found_or_blindness_is_said(figure: type[Any]) -> None:
    """Where labels have turned, ends have moved apart; a figure that cannot see that says it is blind."""
    rows = cohort(_N)
    before = {(m.metric, m.slice): m for m in _figures(figure, rows) if m.status is Status.OK}
    for turned in (rows.score > 0.6, rows.x[:, -1] > 50.0):
        for m in _figures(figure, replace(rows, y=np.where(turned, 1 - rows.y, rows.y))):
            known = before.get((m.metric, m.slice))
            if known and m.status is Status.OK and _apart(known, m):
                return
    for m in _figures(figure, rows):
        said = any("blind" in caveat for caveat in m.caveats)
        require(said or m.status is Status.UNTRIED, f"{m.metric} sees no harm and does not say so")


def law_copes_with_anything(figure: type[Any]) -> None:
    """Whatever the rows are, a figure lies between its ends, or there is a reason for having none."""
    for rows in _strange():
        for m in _figures(figure, rows):
            require(m.value is None or np.isfinite(m.value), f"{m.metric} is {m.value}")
            require(m.value is not None or m.status is not Status.OK, f"{m.metric} is ok and there is none")
            require(m.low is None or _within(m.value, m), f"{m.metric} {m.value} lies outside {m.low}...{m.high}")


def law_same_rows_same_answer(figure: type[Any]) -> None:
    """Asked again, it says the same."""
    rows = cohort(_N)
    require(same(_figures(figure, rows), _figures(figure, rows)), "says something else the second time")


def _figures(figure: type[Any], rows: Cohort) -> tuple[Measurement, ...]:
    try:
        found = figure().measure(rows)
    except Exception as crash:
        raise LawBroken(f"fails with {type(crash).__name__}: {crash}") from crash
    require(isinstance(found, tuple) and found, f"gives a {type(found).__name__}, expected Measurements")
    require(all(isinstance(m, Measurement) for m in found), "gives something that is no Measurement")
    return found  # type: ignore[no-any-return]


def _within(value: float | None, m: Measurement) -> bool:
    if value is None or m.low is None or m.high is None:
        return True
    return m.low - 1e-7 <= value <= m.high + 1e-7


def _apart(one: Measurement, other: Measurement) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.high < other.low or other.high < one.low


def _strange() -> Iterator[Cohort]:
    """No row, one row, one class, nothing or everything flagged, scores of one value, rows without values."""
    rows = cohort(60)
    yield from (rows.take(np.arange(many)) for many in (0, 1, 3))
    yield from (replace(rows, y=np.full(60, y)) for y in (0, 1))
    yield from (replace(rows, flagged=np.full(60, flagged)) for flagged in (False, True))
    yield from (replace(rows, score=np.full(60, score)) for score in (0.0, 0.5, 1.0))
    yield replace(rows, x=np.full_like(rows.x, np.nan))


LAWS = (
    law_no_label_no_verdict,
    law_labels_that_stay_away_hide_nothing,
    law_ends_hold_at_every_look,
    law_harm_is_found_or_blindness_is_said,
    law_copes_with_anything,
    law_same_rows_same_answer,
)
