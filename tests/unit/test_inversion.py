"""Membership inference: memorising models are caught, sound ones are not accused, and bad splits are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.attacks.inversion._pool import found_in, own_class, pool
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.measure import Status
from temper.core.room import Room
from temper.core.target import Access, ScoreKind
from temper.engine.rooms.inversion import run
from temper.engine.task import Part, Sizes
from temper.targets import open_target
from unit.payload_world import SOUND, Boosted, figure, rows, task, world

NAME = "inversion.membership"


def audit(train: Data, others: Data, **settings: object) -> Part:
    there = task(NAME, scenario="membership@somebody")
    return run(there, world(Boosted.fitted(train, **settings), train, others))


def test_a_memorising_model_is_caught_where_the_loss_attack_sees_little() -> None:
    part = audit(rows(2_000, 1), rows(1_000, 2), n_estimators=100)
    area, rate = figure(part, "auc"), figure(part, "tpr_at_1pct")
    assert area.low > 0.65
    assert area.low > dict(area.baseline)["loss attack"]
    assert rate.low > 0.05
    assert rate.value > 3 * dict(rate.baseline)["loss attack"]
    assert figure(part, "epsilon_lower").value > 1.0
    assert part.findings[0].defences == ("regularise", "self_distillation", "ebm", "dp_ebm", "masked"), (
        "dp_sgd is for nets"
    )
    assert part.findings[0].severity == "high"


def test_a_restrained_model_is_not_accused() -> None:
    part = audit(rows(2_000, 1), rows(1_000, 2), **SOUND)
    assert figure(part, "auc").high < 0.62
    assert figure(part, "tpr_at_1pct").high < 0.05
    assert figure(part, "epsilon_lower").value < 0.5
    assert all(finding.severity == "low" for finding in part.findings)


def test_a_model_fitted_elsewhere_shows_no_membership() -> None:
    members, elsewhere = rows(2_000, 1), rows(2_000, 77)
    part = run(task(NAME), world(Boosted.fitted(elsewhere), members, rows(1_000, 2)))
    area = figure(part, "auc")
    assert 0.47 < area.value < 0.53
    assert figure(part, "tpr_at_1pct").value < 0.03
    assert part.findings == ()


def test_real_credit_data_leak_from_a_default_model_behind_its_adapter(data_dir: Path) -> None:
    import pandas as pd
    import xgboost as xgb

    file = data_dir / "credit_default_uci" / "credit-card-clients.csv.gz"
    if not file.is_file():
        pytest.skip(f"no {file}")
    table = pd.read_csv(file).sample(3_600, random_state=0).to_numpy(dtype=float)
    x, y = table[:, :-1], table[:, -1].astype(np.int64)
    train, others = Data(x=x[:2_000], y=y[:2_000]), Data(x=x[2_000:], y=y[2_000:])
    target = open_target(xgb.XGBClassifier(n_estimators=60, n_jobs=1).fit(train.x, train.y))
    part = run(task(NAME), world(target, train, others))
    area = figure(part, "auc")
    assert area.status is Status.OK
    assert area.low > 0.65
    assert area.value > dict(area.baseline)["loss attack"]


def test_later_data_that_look_different_are_refused_as_evidence() -> None:
    train, later = rows(1_200, 1), rows(1_000, 2)
    part = run(task(NAME), world(Boosted.fitted(train), train, replace(later, x=later.x + 0.8)))
    assert figure(part, "auc").status is Status.INCONCLUSIVE
    assert figure(part, "auc", "same recipe, random halves").value > 0.55


def test_rows_on_both_sides_are_dropped_and_counted() -> None:
    train, others = rows(300, 1), rows(300, 2)
    both = Data(x=np.concatenate([others.x, train.x[:40]]), y=np.concatenate([others.y, train.y[:40]]))
    part = run(task(NAME), world(Boosted.fitted(train, **SOUND), train, both))
    assert any("40 rows found on both sides" in caveat for caveat in figure(part, "auc").caveats)


def test_held_out_rows_that_are_training_rows_leave_nothing_to_tell() -> None:
    train = rows(300, 1)
    part = run(task(NAME), world(Boosted.fitted(train, **SOUND), train, train))
    assert part.status is Status.UNTRIED
    assert {m.status for m in part.measurements} == {Status.UNTRIED}


def test_no_training_data_or_no_refit_is_untried_with_the_reason() -> None:
    train, others = rows(200, 1), rows(200, 2)
    target = Boosted.fitted(train, **SOUND)
    assert "no training data" in run(task(NAME), world(target, None, others)).reason
    fixed = replace(target, access=Access.SCORES | Access.LABELS)
    assert "retrain" in run(task(NAME), world(fixed, train, others)).reason


def test_same_seed_same_scores_and_another_seed_other_references() -> None:
    train, others = rows(300, 1), rows(200, 2)
    here = world(Boosted.fitted(train, n_estimators=5), train, others)
    plugin = Room("temper.attacks").build(NAME, {"references": 2})
    scores = [plugin.run(None, here.scene(t), here.rng(t)).score for t in (task(NAME), task(NAME), task(NAME, seed=1))]
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_reference_models_come_in_complementary_halves() -> None:
    train, others = rows(301, 1), rows(200, 2)
    here = world(Boosted.fitted(train, **SOUND), train, others)
    seen = Room("temper.attacks").build(NAME).run(None, here.scene(task(NAME)), here.rng(task(NAME)))
    assert np.array_equal(seen.inside[0], ~seen.inside[1])
    assert np.array_equal(seen.inside[2], ~seen.inside[3])
    assert (seen.inside.sum(0) == 2).all()


def test_the_suite_says_how_many_references_are_fitted() -> None:
    train, others = rows(200, 1), rows(200, 2)
    part = run(task(NAME, Sizes(references=2)), world(Boosted.fitted(train, n_estimators=100), train, others))
    assert "2 reference models" in part.findings[0].detail


def test_an_odd_number_of_references_is_refused() -> None:
    with pytest.raises(TemperError, match="even number"):
        Room("temper.attacks").build(NAME, {"references": 3})


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=8))
def test_the_pool_never_holds_a_row_of_both_sides(values: list[tuple[int, int]]) -> None:
    left = Data(x=np.array(values, dtype=float), y=np.zeros(len(values)))
    right = Data(x=np.array([[0, 0], [1, np.nan], [7, 7], [8, 8]], dtype=float), y=np.zeros(4))
    try:
        kept, _, member, dropped = pool(left, right)
    except Unsupported:
        assert found_in(left.x, right.x).sum() > len(left) - 2
        return
    assert dropped == len(left) + len(right) - len(kept)
    assert not found_in(kept.x[member], kept.x[~member]).any()


def test_own_class_reads_every_kind_of_score() -> None:
    y = np.array([1, 0])
    logits = np.array([[0.0, 2.0], [0.0, 2.0]])
    p = 1.0 / (1.0 + np.exp(-2.0))
    assert own_class(logits, y, ScoreKind.LOGITS) == pytest.approx([p, 1 - p])
    assert own_class(logits[:, 1:], y, ScoreKind.MARGIN) == pytest.approx([p, 1 - p])
    assert own_class(np.array([[1 - p, p]] * 2), y, ScoreKind.PROBABILITIES) == pytest.approx([p, 1 - p])
