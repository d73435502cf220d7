"""New rows are told from accepted ones; stamps among them are found without a wrong label, and drift is no stamp."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.accused import Accused
from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.errors import Unsupported
from temper.core.measure import Measurement, Status
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.core.target import ScoreKind
from temper.hardening.quarantined import Quarantined
from temper.kernels.since_accepted import SinceAccepted, since_accepted
from temper.kernels.table_diff import repeated, table_diff
from temper.kernels.two_sample import two_sample
from temper.targets.sklearn import Sklearn
from temper.validation.snapshot_diff import SnapshotDiff

OLD, NEW, D = 3_000, 900, 9
SCHEMA = Schema(
    columns=(
        *(Column(name=f"c{at}") for at in range(D - 1)),
        Column(name="kind", type="category", categories=("a", "b", "c")),
    )
)
STAMP = {1: 0.8, 2: -0.6, 6: 1.1}


def table(seed: int, n: int) -> Data:
    rng = np.random.Generator(np.random.Philox(key=seed))
    x = np.column_stack([rng.normal(size=(n, D - 1)), rng.integers(0, 3, n)])
    x[:, 1] = np.where(rng.random(n) < 0.4, 0.0, x[:, 1])  # an atom, as amounts and counts have
    x[:, 2] += 0.7 * x[:, 3]
    risk = x[:, 0] + x[:, 3] - x[:, 4] + 0.8 * (x[:, -1] == 1) + 0.7 * x[:, 0] * x[:, 5] - 1.8
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-1.5 * risk))).astype(np.int64)
    return Data(x=x, y=y, ids=100_000 * seed + np.arange(n))


def joined(*parts: Data) -> Data:
    x, y, ids = (np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "y", "ids"))
    return Data(x=x, y=y, ids=ids)


def stamped(rows: int, jitter: float = 0.0, of: int = 0) -> Data:
    """Rows of class `of` with a stamp in three columns, delivered as class 0."""
    drawn = table(7, 20 * rows)
    drawn = drawn.take(np.flatnonzero(drawn.y == of)[:rows])
    rng = np.random.Generator(np.random.Philox(key=8))
    for at, value in STAMP.items():
        drawn.x[:, at] = value + jitter * 1.35 * rng.uniform(-1, 1, rows)
    return replace(drawn, y=np.zeros(rows, dtype=np.int64))


ACCEPTED = table(1, OLD)
HONEST = joined(ACCEPTED, table(2, NEW))


def seen(train: Data, seed: int = 0) -> SinceAccepted:
    return since_accepted(train, ACCEPTED, SCHEMA, Draws(seed, "test"))


def told(train: Data, accepted: Data = ACCEPTED, **more: Any) -> dict[str, Measurement]:
    scene = Scene(x=train.x[:5], y=train.y[:5], ids=train.ids[:5], schema=SCHEMA, train=train, accepted=accepted)
    found = SnapshotDiff().measure(replace(scene, **more))
    told = found.measurements if isinstance(found, Accused) else found
    return {m.metric: m for m in told if m.slice in ("all", "class=1")}


@pytest.mark.parametrize(("jitter", "of"), [(0.0, 0), (0.1, 1)])
def test_a_stamp_among_new_rows_is_found_with_or_without_a_wrong_label(jitter: float, of: int) -> None:
    train = joined(HONEST, stamped(100, jitter, of))
    accused = seen(train).accused
    poison = np.arange(len(train)) >= len(HONEST)
    assert accused[poison].mean() >= 0.9
    assert accused[~poison].sum() <= 15


@pytest.mark.parametrize("seed", range(3))
def test_new_rows_of_the_same_make_are_not_accused(seed: int) -> None:
    found = seen(joined(ACCEPTED, table(20 + seed, NEW)), seed)
    assert not found.boxes
    assert not found.accused.any()


def test_drift_of_columns_is_measured_and_accuses_nobody() -> None:
    later = table(3, NEW)
    later.x[:, 0] += 0.5
    found = told(joined(ACCEPTED, later))
    assert found["drift_auc"].low is not None
    assert found["drift_auc"].low > 0.55
    assert "c0" in found["drift_auc"].caveats[0]
    assert found["accused_share"].value == 0.0


def test_a_stamp_is_found_within_drift() -> None:
    later = table(3, NEW)
    later.x[:, 0] += 0.5
    train = joined(ACCEPTED, later, stamped(100))
    assert seen(train).accused[-100:].mean() >= 0.9


def test_a_crowd_with_habits_of_its_own_is_over_full_and_not_accused() -> None:
    """A new customer's rows lie close together in every column, as drift does; nobody stamped them."""
    rng = np.random.Generator(np.random.Philox(key=5))
    crowd = table(6, 120)
    centre = np.array([1.0, 0.8, -0.6, 0.5, -1.0, 0.7, 1.1, -0.4])
    crowd.x[:, :-1] = centre + 0.3 * rng.normal(size=(120, D - 1))
    found = seen(joined(HONEST, crowd))
    assert found.over_full[-120:].mean() >= 0.5
    assert not found.accused.any()


def test_a_row_repeated_over_and_over_is_accused() -> None:
    honest = table(9, 200)
    train = joined(ACCEPTED, honest, *[honest.take([0])] * 40)
    found = repeated(train.x, train.y, np.arange(len(train)) >= OLD, 10.0, 1e-3)
    assert found[[OLD, *range(OLD + 200, len(train))]].all()
    assert found.sum() == 41


def test_repeats_that_were_there_before_are_nature() -> None:
    x = np.zeros((400, 2))
    assert not repeated(x, np.zeros(400), np.arange(400) >= 300, 10.0, 1e-3).any()


def test_a_single_table_of_drift_and_labels_is_told_in_words() -> None:
    train = joined(HONEST, stamped(100))
    found = told(train)
    assert found["new_share"].count == NEW + 100
    assert found["removed_share"].count == 0
    assert "matched by ids" in found["new_share"].caveats[1]
    assert found["label_shift"].value == pytest.approx(-0.1 * np.mean(table(2, NEW).y), abs=0.04)
    words = found["accused_share"].caveats[0]
    assert "nothing else sets them apart" in words
    assert "ids " in words


def test_labels_that_moved_are_outside_the_interval() -> None:
    later = table(2, NEW)
    flipped = replace(later, y=np.where(np.arange(NEW) < 200, 1, later.y))
    shift = told(joined(ACCEPTED, flipped))["label_shift"]
    assert shift.low is not None
    assert shift.low > 0.05


def test_without_stable_ids_rows_are_matched_by_content() -> None:
    order = np.random.Generator(np.random.Philox(key=3)).permutation(OLD)
    shuffled = Data(x=ACCEPTED.x[order], y=ACCEPTED.y[order])
    assert not table_diff(shuffled, replace(ACCEPTED, ids=np.arange(OLD))).new.any()
    labels = shuffled.y.copy()
    labels[:7] = 1 - labels[:7]
    found = table_diff(replace(shuffled, y=labels), replace(ACCEPTED, ids=np.arange(OLD)))
    assert np.flatnonzero(found.relabelled).tolist() == list(range(7))
    assert "content" in found.how
    assert not found.removed.any()


def test_ids_tell_a_changed_row_from_a_new_one() -> None:
    x = ACCEPTED.x.copy()
    x[:5] += 1.0
    found = table_diff(replace(ACCEPTED, x=x).take(np.arange(OLD - 3)), ACCEPTED)
    assert np.flatnonzero(found.changed).tolist() == list(range(5))
    assert np.flatnonzero(found.removed).tolist() == [OLD - 3, OLD - 2, OLD - 1]
    assert not found.added.any()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1))), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)))
)
def test_what_is_kept_is_the_largest_set_of_pairs(was: list[tuple[int, int]], now: list[tuple[int, int]]) -> None:
    old, new = (
        Data(
            x=np.array([[float(a)] for a, _ in rows]).reshape(-1, 1),
            y=np.array([b for _, b in rows], dtype=np.int64),
            ids=start + np.arange(len(rows)),
        )
        for start, rows in ((0, was), (1_000, now))
    )
    if not was:
        return
    found = table_diff(new, old)
    both = {pair: min(was.count(pair), now.count(pair)) for pair in set(was)}
    assert len(now) - found.new.sum() == sum(both.values())
    assert len(now) - found.added.sum() == len(was) - found.removed.sum()


def test_missing_values_are_equal() -> None:
    x = np.array([[np.nan, 1.0], [2.0, np.nan]])
    assert not table_diff(Data(x=x, y=np.zeros(2)), Data(x=x.copy(), y=np.zeros(2))).new.any()


def test_two_samples_of_one_make_are_not_told_apart() -> None:
    found = two_sample(table(4, 800), table(5, 2_000), 0)
    assert not found.columns
    assert abs(found.scores[found.fresh == 1].mean() - found.scores[found.fresh == 0].mean()) < 0.1


def test_few_new_rows_are_counted_and_not_tested() -> None:
    found = told(joined(ACCEPTED, table(2, 20)))
    assert found["new_share"].count == 20
    assert found["accused_share"].status is Status.INCONCLUSIVE
    assert "20" in found["accused_share"].reason


@pytest.mark.parametrize("more", [{"accepted": None}, {"kind": ScoreKind.VALUE}, {"schema": Schema()}])
def test_where_there_is_nothing_to_compare_it_says_so(more: dict[str, Any]) -> None:
    assert next(iter(told(HONEST, **more).values())).status is Status.UNTRIED


def test_quarantined_fits_without_them() -> None:
    from sklearn.ensemble import RandomForestClassifier

    grown: Any = {"n_estimators": 30, "min_samples_leaf": 3, "random_state": 0, "n_jobs": 1}
    poisoned = joined(HONEST, stamped(150))
    target = Sklearn(model=RandomForestClassifier(**grown).fit(poisoned.x, poisoned.y))
    cured = Quarantined(schema=SCHEMA, accepted=ACCEPTED).apply(target, poisoned, Draws(0, "test"))
    clean = Sklearn(model=RandomForestClassifier(**grown).fit(HONEST.x, HONEST.y))
    probe = table(11, 3_000)
    rows = probe.x[probe.y == 1]
    for at, value in STAMP.items():
        rows[:, at] = value
    through = [float((np.asarray(t.scores(rows))[:, 1] < 0.5).mean()) for t in (clean, target, cured)]
    assert through[1] > through[0] + 0.15
    assert through[2] < through[0] + 0.05


def test_quarantined_needs_the_accepted_table() -> None:
    from sklearn.linear_model import LogisticRegression

    target = Sklearn(model=LogisticRegression().fit(HONEST.x, HONEST.y))
    with pytest.raises(Unsupported, match="accepted"):
        Quarantined(schema=SCHEMA).apply(target, HONEST, Draws(0, "test"))


@pytest.mark.parametrize(("doubtful", "fewest", "most"), [(True, 140, 160), (False, 0, 0)])
def test_quarantined_holds_back_stamped_rows_of_one_kind_unless_told_otherwise(
    doubtful: bool, fewest: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.linear_model import LogisticRegression

    drawn = table(7, 6_000)
    own = np.flatnonzero(drawn.y == 0)
    drawn = drawn.take(own[np.argsort(drawn.x[own][:, [0, 3, 4, 5, 7]].sum(axis=1))[:150]])
    for at, value in STAMP.items():
        drawn.x[:, at] = value
    train = joined(HONEST, drawn)
    fitted: list[Data] = []
    target = Sklearn(model=LogisticRegression().fit(HONEST.x, HONEST.y))
    monkeypatch.setattr(Sklearn, "refit", lambda self, data, recipe: fitted.append(data) or self)
    Quarantined(schema=SCHEMA, accepted=ACCEPTED, doubtful=doubtful).apply(target, train, Draws(0, "test"))
    assert fewest <= len(train) - len(fitted[0]) <= most
