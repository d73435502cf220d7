"""Laws of the stages that judge rows around a table model: what they decide depends on the rows alone, and after the
model on its scores too.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.serving import Scoring, sees_scores
from temper.core.stage import Decision, Level
from temper.guard.serving.profile import Profile
from temper.testing.law import LawBroken, require, sealed
from temper.testing.scenes import schema, table

_FRESH, _MOST = 300, 0.05


@cache
def profile() -> Profile:
    """What a gateway builds its stages with: fitted on ordinary rows of a table with every kind of column."""
    return Profile.fit(table(8_000), schema(), np.linspace(0.0, 1.0, 100))


def law_ordinary_rows_pass(stage: Any) -> None:
    """Of fresh ordinary rows it stops one in twenty at most."""
    stopped = sum(_decided(stage, row[None]).level >= Level.REVIEW for row in table(_FRESH, seed=9))
    require(stopped <= _MOST * _FRESH, f"stops {stopped} of {_FRESH} ordinary rows")


def law_says_why(stage: Any) -> None:
    """Whatever is not ALLOW has a reason."""
    for rows in _asked():
        found = _decided(stage, rows)
        require(found.level is Level.ALLOW or found.reason, f"{found.level.name} without a reason")


def law_a_request_is_like_its_rows(stage: Any) -> None:
    """Several rows are decided as the worst of them alone: requests that come together are asked about together."""
    rows = np.concatenate([one for one in _asked() if len(one)])
    worst = max(_decided(stage, row[None]).level for row in rows)
    whole = _decided(stage, rows).level
    require(whole is worst, f"{whole.name} for rows of which the worst alone is {worst.name}")


def law_knows_no_earlier_requests(stage: Any) -> None:
    """The same rows get the same decision, whatever came between, whoever asks and whenever."""
    for rows in _asked():
        first = _decided(stage, rows)
        for other in _asked():
            _decided(stage, other)
        again = _decided(stage, rows, client="other", at=9_000.0)
        require(again == first, f"{again.level.name} for rows that were {first.level.name} before")


def law_looks_and_changes_nothing(stage: Any) -> None:
    """Rows, scores and earlier decisions stay as they were."""
    for rows in _asked():
        scoring, before = _scoring(stage, rows), _scoring(stage, rows.copy())
        _checked(stage, scoring)
        same = np.array_equal(scoring.rows, before.rows, equal_nan=True) and _same(scoring.scores, before.scores)
        require(same and not scoring.decisions, "changes what it was asked about")


def law_copes_with_anything(stage: Any) -> None:
    """No value, no finite number and no row at all, and scores at their ends: there is a decision."""
    for rows in _asked():
        _decided(stage, rows)
        for score in (0.0, 1.0, -1e300, 1e300):
            scoring = _scoring(stage, rows)
            scoring.scores = None if scoring.scores is None else sealed(np.full(len(rows), score))
            _checked(stage, scoring)


def law_sees_scores_only_where_it_says_so(stage: Any) -> None:
    """Its class says `sees_scores` where it comes after the model; else it decides the same whatever the scores are."""
    require(sees_scores(stage) is sees_scores(type(stage)), "says `sees_scores` of itself and not of its class")
    for rows in _asked() if not sees_scores(stage) else ():
        first = _decided(stage, rows)
        for score in (0.0, 1.0):
            scoring = _scoring(stage, rows)
            scoring.scores = np.full(len(rows), score)
            require(_checked(stage, scoring) == first, "decides by scores, and does not say `sees_scores`")


def _asked() -> list[Array]:
    """Ordinary rows, and rows that no client should send: gaps everywhere, what is not finite, huge, and none."""
    ordinary = table(20, seed=3)
    columns = ordinary.shape[1]
    odd = [np.full((1, columns), value) for value in (np.nan, np.inf, -np.inf, 1e300, -1e300)]
    mixed = np.where(np.arange(columns) % 2, np.nan, ordinary[:3])
    return [sealed(rows) for rows in (ordinary, *odd, mixed, np.empty((0, columns)))]


def _scoring(stage: Any, rows: Array, client: str = "shop", at: float = 100.0) -> Scoring:
    """A request; of a stage that comes after the model with a score of each row, which follows from the row."""
    finite = np.nan_to_num(rows, posinf=0.0, neginf=0.0)
    scores = sealed(np.abs(np.sin(finite.sum(axis=1)))) if sees_scores(stage) else None
    return Scoring(rows=rows, client=client, request="r", at=at, deadline=at + 1.0, scores=scores)


def _same(one: Array | None, other: Array | None) -> bool:
    return (one is None) == (other is None) and (one is None or other is None or np.array_equal(one, other))


def _decided(stage: Any, rows: Array, client: str = "shop", at: float = 100.0) -> Decision:
    return _checked(stage, _scoring(stage, rows, client, at))


def _checked(stage: Any, scoring: Scoring) -> Decision:
    try:
        found = stage.check(scoring)
    except Exception as crash:
        raise LawBroken(f"fails on {len(scoring.rows)} rows: {type(crash).__name__}: {crash}") from crash
    require(isinstance(found, Decision), f"decides {found!r}")
    decision: Decision = found
    return decision


LAWS = (
    law_ordinary_rows_pass,
    law_says_why,
    law_a_request_is_like_its_rows,
    law_knows_no_earlier_requests,
    law_looks_and_changes_nothing,
    law_copes_with_anything,
    law_sees_scores_only_where_it_says_so,
)
