"""What one may rely on in the fraud demo: exact relations, the same data from the same seed, a strong honest model."""

import numpy as np
import pytest
import yaml

from temper.core.errors import TemperError
from temper.core.expression import parse
from temper.demos import fraud
from temper.kernels.ranking import auc, recall_at


@pytest.fixture(scope="module")
def frame():
    return fraud.generate(seed=1, customers=1000, days=50)


@pytest.fixture(scope="module")
def parts(frame):
    return fraud.split(frame)


@pytest.fixture(scope="module")
def model(parts):
    return fraud.train(parts.train)


def scores(model, part):
    return model.predict_proba(fraud.rows(part).x)[:, 1]


def test_every_payment_lies_in_its_own_domain(frame):
    x = fraud.rows(frame).x
    assert fraud.schema().reason(x, x) == ""


def test_derived_columns_equal_their_formulas_to_the_bit(frame):
    schema, x = fraud.schema(), fraud.rows(frame).x
    now = {name: x[:, at] for at, name in enumerate(schema.names)}
    for column in schema.columns:
        if column.formula:
            np.testing.assert_array_equal(parse(column.formula).value(now, now), now[column.name], column.name)


def test_a_moved_amount_moves_the_aggregates_as_if_the_payment_had_been_made_so(frame):
    """The formulas with `was(...)` are the truth of the generator: recomputed from the raw history, they agree."""
    schema, x = fraud.schema(), fraud.rows(frame).x
    rng = np.random.default_rng(0)
    late = np.flatnonzero(frame["day"] >= 30)
    for row in rng.choice(late, 15, replace=False):
        candidate = x[row].copy()
        candidate[schema.index("amount")] = rng.uniform(1, frame["limit"].iloc[row])
        candidate[schema.index("distance_km")] = rng.uniform(0, 300)
        moved = schema.derive(candidate[None], x[row][None])[0]
        changed = frame.copy()
        changed.loc[changed.index[row], ["amount", "distance_km"]] = candidate[
            [schema.index("amount"), schema.index("distance_km")]
        ]
        for name, value in recomputed(changed, row).items():
            assert moved[schema.index(name)] == pytest.approx(value, rel=1e-9), name


def recomputed(frame, row):
    """The aggregates of one payment, from scratch: the complete days before its own, and itself."""
    me = frame.iloc[row]
    mine = frame[(frame["customer"] == me["customer"]) & (frame["day"] < me["day"])]
    found = {}
    for width in (1, 7, 30):
        amounts = [*mine.loc[mine["day"] >= me["day"] - width, "amount"], me["amount"]]
        found |= {f"n_{width}d": len(amounts), f"avg_amount_{width}d": np.mean(amounts)}
    found["avg_km_30d"] = np.mean([*mine.loc[mine["day"] >= me["day"] - 30, "distance_km"], me["distance_km"]])
    return found | {
        "amount_ratio": me["amount"] / found["avg_amount_30d"],
        "limit_share": me["amount"] / me["limit"],
        "night": float(me["hour"] < 6 or me["hour"] >= 22),
    }


def test_the_risk_of_a_terminal_knows_no_fraud_younger_than_the_delay(frame):
    for row in np.random.default_rng(1).choice(np.flatnonzero(frame["day"] >= 35), 15, replace=False):
        me = frame.iloc[row]
        there = frame[(frame["terminal"] == me["terminal"]) & frame["day"].between(me["day"] - 35, me["day"] - 8)]
        assert me["terminal_risk_28d"] == pytest.approx(there["is_fraud"].mean() if len(there) else 0.0)


def test_the_same_seed_gives_the_same_payments_and_another_seed_others():
    first, again, other = (fraud.generate(seed=seed, customers=60, days=12) for seed in (5, 5, 6))
    assert first.equals(again)
    assert not first.equals(other)


def test_drift_changes_nothing_before_its_day(frame):
    drifted = fraud.generate(seed=1, customers=1000, days=50, drift=True)
    day = int(50 * fraud.DRIFT_FROM)
    assert drifted[drifted["day"] < day].equals(frame[frame["day"] < day])


def test_fraud_is_rare_and_has_all_three_patterns(frame):
    assert 0.01 < frame["is_fraud"].mean() < 0.025
    patterns = frame.loc[frame["is_fraud"] == 1, "pattern"].value_counts(normalize=True)
    assert set(patterns.index) == {"card-not-present burst", "skimmed terminal", "account takeover"}
    assert patterns.min() > 0.1
    assert (frame.loc[frame["is_fraud"] == 0, "pattern"] == "none").all()


def test_the_parts_follow_each_other_in_time(parts):
    assert parts.train["day"].max() < parts.validation["day"].min()
    assert parts.validation["day"].max() < parts.test["day"].min()


def test_the_model_ranks_well_but_not_perfectly(parts, model):
    test = fraud.rows(parts.test)
    assert 0.95 < auc(test.y, scores(model, parts.test)) < 0.995


def test_the_threshold_keeps_its_alert_rate_on_later_days(parts, model):
    threshold = fraud.operating_threshold(model, parts.validation, alert_rate=0.02)
    assert 0.01 < (scores(model, parts.test) >= threshold).mean() < 0.03


def test_after_the_drift_the_old_model_misses_most_frauds(parts, model):
    threshold = fraud.operating_threshold(model, parts.validation)
    drifted = fraud.split(fraud.generate(seed=1, customers=1000, days=50, drift=True)).test
    recall, after = (recall_at(fraud.rows(part).y, scores(model, part), threshold) for part in (parts.test, drifted))
    assert recall > 0.6
    assert after < recall / 2


def test_protected_and_label_columns_are_no_way_in():
    schema = fraud.schema()
    movable = {schema.names[at] for at in schema.movable}
    assert movable == {"amount", "hour", "merchant_category", "channel", "distance_km"}
    assert [column.name for column in schema.columns if column.sensitive] == ["age_band"]


def test_a_written_folder_loads_and_scores_like_the_model_in_memory(tmp_path):
    from temper.config.system import load_system

    path = fraud.write(tmp_path / "demo", seed=2, customers=150, days=20)
    system = load_system(path)
    parts = fraud.split(fraud.generate(seed=2, customers=150, days=20))
    model = fraud.train(parts.train)
    assert system.schema == fraud.schema()
    assert system.simulated
    assert system.threshold == pytest.approx(fraud.operating_threshold(model, parts.validation), abs=1e-6)
    np.testing.assert_array_equal(system.data.x, fraud.rows(parts.test).x)
    np.testing.assert_allclose(system.target.scores(system.data.x)[:, 1], scores(model, parts.test), rtol=1e-6)


def test_the_model_is_fitted_again_from_its_file_as_it_was(tmp_path):
    from temper.config.system import load_system
    from temper.core.target import Recipe

    system = load_system(fraud.write(tmp_path, seed=2, customers=300, days=20))
    again = system.target.refit(system.train, Recipe())
    np.testing.assert_allclose(again.scores(system.data.x), system.target.scores(system.data.x), atol=1e-6)


def test_the_written_description_says_simulated_and_is_short(tmp_path):
    text = fraud.write(tmp_path, seed=2, customers=100, days=12).read_text()
    assert yaml.safe_load(text)["system"]["simulated"] is True
    assert len(text.splitlines()) < 60


def test_the_written_history_gives_the_columns_of_the_test_payments(tmp_path):
    from temper.config.system import load_system
    from temper.stress.events._history import Cases

    system = load_system(fraud.write(tmp_path, seed=3, customers=200, days=12), history=True)
    events = system.events
    assert events is not None
    assert len(events.judged) == len(system.data)
    assert set(Cases(events=events, rows=events.judged, schema=system.schema).agreement().values()) == {1.0}
    np.testing.assert_allclose(np.sort(events.x[events.judged, 0]), np.sort(system.data.x[:, 0]))


def test_an_existing_description_is_kept(tmp_path):
    (tmp_path / "temper.yaml").write_text("mine")
    with pytest.raises(TemperError, match="already there"):
        fraud.write(tmp_path, customers=100, days=12)
    assert (tmp_path / "temper.yaml").read_text() == "mine"


def test_too_small_a_world_is_refused():
    with pytest.raises(TemperError, match="50 customers"):
        fraud.generate(customers=3)
