"""The access profile: what answers tell is read off the answers, and what refusals tell off their words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from temper.core.errors import ContractError
from temper.core.measure import Measurement
from temper.core.target import Access
from temper.engine.rooms.validation import run
from temper.engine.task import Task
from temper.kernels.precision import MOST, decimals, opens
from temper.targets.answers import Decided, Rounded
from temper.testing.scenes import picture_model, picture_scene, trained_scene
from temper.testing.toys import Counted
from temper.validation.access_profile import AccessProfile
from unit.payload_world import Boosted, rows, world


@dataclass(frozen=True, kw_only=True, eq=False)
class Served(Boosted):
    """Refuses ill-formed rows with the words it is given."""

    says: str = ""
    refuse: Callable[[Any], Any] = lambda x: ~np.isfinite(x).all(axis=1) | (np.abs(x) > 1_000).any(axis=1)

    def scores(self, x: Any) -> Any:
        if self.says and self.refuse(x).any():
            raise ContractError(self.says)
        return super().scores(x)


def profile(target: Any) -> dict[str, Measurement]:
    part = run(Task(room="validation", plugin="access_profile"), world(target, None, rows(300, 2)))
    return {m.metric: m for m in part.measurements}


def fitted(says: str = "") -> Served:
    model = Boosted.fitted(rows(1_000, 1)).model
    return Served(model=model, says=says)


def test_a_service_that_tells_everything_is_shown_to() -> None:
    told = profile(fitted('File "/srv/app/score.py", line 12, in predict: XGBClassifier got NaN'))
    assert told["score_decimals"].value >= 7
    assert "exact equations" in told["score_decimals"].caveats[0]
    assert told["distinct_answers"].value > 0.9
    assert told["batch_gap"].value < 1e-6
    assert told["telling_refusals"].value == 1.0
    assert "a path, a stack trace" in told["telling_refusals"].caveats[0]
    assert told["gaps_answered"].value == 0.0


def test_a_service_that_says_little_is_not_accused() -> None:
    told = profile(Rounded(inner=fitted("the request is not valid"), digits=2))
    assert told["score_decimals"].value == 2.0
    assert "equations end at the rounding" in told["score_decimals"].caveats[0]
    assert told["telling_refusals"].value == 0.0
    assert told["telling_refusals"].n > 12


def test_a_model_that_answers_ill_formed_rows_has_no_refusal_to_read() -> None:
    told = profile(fitted())
    assert told["gaps_answered"].value == told["outside_answered"].value == 1.0
    assert "answered although" in told["gaps_answered"].caveats[0]
    assert "telling_refusals" not in told


def test_decisions_carry_no_decimals_and_open_what_decisions_open() -> None:
    told = profile(Decided(inner=fitted(), threshold=0.5))
    assert told["score_decimals"].value == 0.0
    assert "decisions alone" in told["score_decimals"].caveats[0]
    assert told["distinct_answers"].count == 2


def test_a_model_that_ranks_within_its_batch_has_a_gap() -> None:
    @dataclass(frozen=True, kw_only=True, eq=False)
    class Relative(Boosted):
        def scores(self, x: Any) -> Any:
            p = (1 + np.argsort(np.argsort(super().scores(x)[:, 1]))) / (len(x) + 1)
            return np.column_stack([1 - p, p])

    assert profile(Relative(model=fitted().model))["batch_gap"].value > 0.1


def test_leaves_are_told_by_answers_that_many_rows_share() -> None:
    leaves = np.random.default_rng(0).random(9)[np.arange(200) % 9]
    assert "from leaf to leaf" in opens(np.column_stack([1 - leaves, leaves]), labels_only=False)
    smooth = np.random.default_rng(0).random(200)
    assert "from leaf to leaf" not in opens(np.column_stack([1 - smooth, smooth]), labels_only=False)


def test_pictures_have_no_columns_to_ask_about() -> None:
    told = AccessProfile().measure(replace(picture_scene(20), target=picture_model()))
    assert [m.metric for m in told] == ["score_decimals", "distinct_answers", "batch_gap"]


def test_it_asks_a_few_hundred_rows() -> None:
    scene = trained_scene(400)
    counted = Counted(inner=scene.target)
    AccessProfile().measure(replace(scene, target=counted))
    assert counted.rows < 400


@given(st.integers(0, 6), st.lists(st.floats(0, 1), min_size=40, max_size=60), st.booleans())
def test_rounded_numbers_carry_at_most_their_decimals(digits: int, values: list[float], single: bool) -> None:
    rounded = np.array(values).round(digits)
    assert decimals(rounded.astype(np.float32) if single else rounded) <= digits


def test_numbers_that_are_not_rounded_carry_all() -> None:
    values = np.random.default_rng(0).random(100)
    assert decimals(values) == MOST
    assert decimals(values.astype(np.float32)) >= 7
    assert decimals(np.array([np.nan, 0.5])) == 1


def test_a_target_that_declares_labels_only_tells_decisions() -> None:
    assert profile(replace(fitted(), access=Access.LABELS))["score_decimals"].value == 0.0
