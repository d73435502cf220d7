"""A mark is known again, an independent model is not taken for a copy, and a mark that anyone matches is shown to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Measurement
from temper.core.room import Room
from temper.core.seed import Draws
from temper.core.target import Recipe
from temper.engine.rooms.validation import run
from temper.engine.task import Task
from temper.hardening.watermark import Watermark
from temper.targets.marked import Marked
from temper.targets.oracle import Meter
from unit.payload_world import Boosted, rows, schema, world
from unit.test_extraction import scene


@pytest.fixture(scope="module")
def marked() -> Any:
    return Watermark(schema=schema()).apply(Boosted.fitted(rows(1_500, 1)), rows(1_500, 1), Draws(0, "t"))


def measured(target: Any) -> dict[str, Measurement]:
    part = run(Task(room="validation", plugin="watermark"), world(target, rows(1_500, 1), rows(500, 2)))
    return {m.metric: m for m in part.measurements}


def test_a_mark_is_known_again_and_independent_models_are_not_accused(marked: Any) -> None:
    told = measured(marked)
    assert told["match"].value > 0.95
    assert dict(told["match"].baseline)["largest"] < 0.3
    assert told["false_claims"].value == 0.0
    assert told["false_claims"].n == 20
    assert told["false_claims"].high > 0.1, "twenty models leave room"
    assert "no proof of theft" in told["false_claims"].caveats[0]


def test_a_mark_that_every_model_matches_makes_false_claims(marked: Any) -> None:
    stranger = Boosted.fitted(rows(1_500, 7))
    said = stranger.scores(marked.triggers).argmax(axis=1)
    told = measured(replace(marked, labels=said))
    assert told["false_claims"].value > 0.5


@pytest.mark.slow
def test_a_copy_by_made_up_rows_carries_the_mark_better_than_an_independent_model(marked: Any) -> None:
    attack = Room("temper.attacks").build("extraction.surrogate", {"queries": 3_000})
    copy = attack.run(Meter(marked, 3_000), scene(rows(200, 3)), Draws(0, "t")).steps[-1][1]
    carried = float((copy.flags(marked.triggers) == (marked.labels == 1)).mean())
    independent = float(marked.matches(marked.plain(rows(1_500, 9), Recipe()), 0.5).mean())
    assert carried > independent + 0.1


def test_fitted_again_it_carries_the_same_mark(marked: Any) -> None:
    again = marked.refit(rows(1_500, 5), Recipe(seed=3))
    assert isinstance(again, Marked)
    assert np.array_equal(again.triggers, marked.triggers)
    assert again.matches(again).mean() > 0.95
    assert marked.digest != replace(marked, labels=1 - marked.labels).digest


def test_a_model_without_a_mark_has_nothing_to_know_again() -> None:
    told = measured(Boosted.fitted(rows(300, 1)))
    assert "no mark" in next(iter(told.values())).reason


def test_settings_that_tell_nothing_are_refused() -> None:
    from temper.validation.watermark import Watermark as Check

    with pytest.raises(TemperError, match="twenty models"):
        Check(models=5)
    with pytest.raises(TemperError, match="20 triggers"):
        Watermark(triggers=3)
    with pytest.raises(Unsupported, match="schema"):
        Watermark().apply(Boosted.fitted(rows(300, 1)), rows(300, 1), Draws(0, "t"))
