"""What one may rely on in the held-out payment generator."""

import dataclasses

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from temper.core.errors import TemperError
from temper.core.expression import parse
from temper.core.schema import Column, Mutability, Schema
from temper.demos import held_out
from temper.demos.held_out import arrivals, ledger, people, session


@pytest.fixture(scope="module")
def frame():
    return held_out.generate(seed=3, payers=1_200, days=40)


@pytest.fixture(scope="module")
def x(frame):
    return held_out.matrix(frame)


def column(x, name):
    return x[:, held_out.schema().index(name)]


def test_columns_are_those_of_the_schema_then_the_label(frame):
    assert tuple(frame.columns) == (*held_out.schema().names, "is_fraud")


def test_no_value_is_missing(x):
    assert np.isfinite(x).all()


def test_every_row_lies_in_its_own_domain(x):
    schema = held_out.schema()
    assert schema.reason(x, x) == ""
    assert schema.admits(x, x).all()


def test_no_row_leaves_the_declared_ranges(x):
    schema = held_out.schema()
    assert (x >= schema.lows).all()
    assert (x <= schema.highs).all()


@pytest.mark.parametrize("name", [c.name for c in held_out.schema().columns if c.formula])
def test_recomputing_a_derived_column_gives_what_was_recorded(x, name):
    schema = held_out.schema()
    now = {n: x[:, at] for at, n in enumerate(schema.names)}
    formula = schema.columns[schema.index(name)].formula
    np.testing.assert_allclose(parse(formula).value(now, now), now[name], rtol=1e-9, atol=1e-9)


def test_fee_follows_the_published_tariff(x):
    rate = np.array([0.2, 0.5, 1.5])[column(x, "rail").astype(int)]
    expected = np.maximum(0.1, np.round(column(x, "amount") * rate) / 100)
    np.testing.assert_allclose(column(x, "fee"), expected, atol=1e-9)


@given(cents=st.integers(100, 2_500_000), rail=st.integers(0, 2))
def test_ledger_charges_what_the_formula_of_the_schema_says(cents, rail):
    schema = held_out.schema()
    row = {"amount": np.array([cents / 100.0]), "rail": np.array([float(rail)])}
    formula = parse(schema.columns[schema.index("fee")].formula)
    # At an exact half cent the two roundings may part by one cent; never by more.
    assert abs(formula.value(row, row)[0] - ledger.charge(cents / 100.0, rail)) <= 0.010001


def test_ratio_columns_are_ratios_of_their_parts(x):
    out = column(x, "amount") + column(x, "fee")
    np.testing.assert_allclose(column(x, "drain"), out / (out + column(x, "balance_after")))
    np.testing.assert_allclose(column(x, "times_usual"), column(x, "amount") / column(x, "usual_amount"))
    np.testing.assert_allclose(column(x, "pace"), column(x, "since_login") / column(x, "session_steps"))


@pytest.mark.parametrize("text", held_out.schema().relations)
def test_recorded_rows_hold_every_relation(x, text):
    from temper.core.expression import parse_relation

    now = {n: x[:, at] for at, n in enumerate(held_out.schema().names)}
    assert (parse_relation(text).excess(now, now) <= 1e-6).all()


def test_sending_less_moves_the_balance_and_everything_that_hangs_on_it(x):
    schema = held_out.schema()
    at = schema.index("amount")
    clean = x[column(x, "amount") > 100.0]
    moved = clean.copy()
    moved[:, at] -= 50.0
    moved = schema.project(moved, clean)
    kept = column(moved, "balance_after") + column(moved, "amount") + column(moved, "fee")
    before = column(clean, "balance_after") + column(clean, "amount") + column(clean, "fee")
    np.testing.assert_allclose(kept, before)
    np.testing.assert_allclose(column(clean, "payee_inflow") - column(moved, "payee_inflow"), 50.0)
    assert (column(moved, "drain") < column(clean, "drain")).all()
    assert schema.admits(moved, clean).all()


def test_more_than_the_balance_cannot_be_sent(x):
    schema = held_out.schema()
    clean = x[column(x, "limit_left") > column(x, "amount") + column(x, "balance_after") + 10.0][:20]
    assert len(clean)
    moved = clean.copy()
    moved[:, schema.index("amount")] += column(clean, "balance_after") + 5.0
    assert not schema.admits(schema.derive(moved, clean), clean).any()


def test_a_known_payee_cannot_be_made_older(x):
    schema = held_out.schema()
    known = column(x, "payee_known") == 1
    moved = x.copy()
    moved[:, schema.index("payee_age")] = np.minimum(moved[:, schema.index("payee_age")] + 30.0, 7_300.0)
    admitted = schema.admits(moved, x)
    assert not admitted[known].any()
    assert admitted[~known].all()


def test_fraudster_sets_five_columns_and_no_others():
    movable = {c.name for c in held_out.schema().columns if c.movable}
    assert movable == {"amount", "since_login", "session_steps", "payee_age", "device_reused"}


@pytest.mark.parametrize("seed", range(3))
def test_fraud_rate_is_about_one_and_a_half_per_cent(seed):
    rate = held_out.generate(seed, payers=1_500, days=30)["is_fraud"].mean()
    assert 0.010 < rate < 0.020


def test_same_seed_gives_the_same_table_and_another_seed_another(frame):
    again = held_out.generate(seed=3, payers=1_200, days=40)
    assert frame.equals(again)
    assert not held_out.generate(seed=4, payers=1_200, days=40).equals(frame)


def test_label_noise_changes_labels_only(frame):
    clean = held_out.generate(seed=3, payers=1_200, days=40, label_noise=0.0)
    names = list(held_out.schema().names)
    assert clean[names].equals(frame[names])
    noisy = held_out.generate(seed=3, payers=1_200, days=40, label_noise=0.4)
    missed = (clean["is_fraud"] == 1) & (noisy["is_fraud"] == 0)
    assert 0.25 < missed.sum() / clean["is_fraud"].sum() < 0.55
    claimed = (clean["is_fraud"] == 0) & (noisy["is_fraud"] == 1)
    assert 0.001 < claimed.sum() / (clean["is_fraud"] == 0).sum() < 0.008


@pytest.mark.parametrize("wrong", [{"payers": 10}, {"days": 1}, {"label_noise": 1.0}])
def test_sizes_that_make_no_sense_are_refused(wrong):
    with pytest.raises(TemperError, match="generate got"):
        held_out.generate(**wrong)


def test_split_trains_on_the_past_and_leaves_time_for_reports(frame):
    past, recent = held_out.split(frame)
    assert recent.index.min() - past.index.max() >= 48.0
    assert len(past) + len(recent) < len(frame)
    assert frame.index.is_monotonic_increasing


def test_detector_finds_most_fraud_but_not_all_of_it(frame):
    from sklearn.metrics import average_precision_score

    past, recent = held_out.split(frame)
    model = held_out.train(past)
    scores = model.predict_proba(held_out.matrix(recent))[:, 1]
    precision = average_precision_score(recent["is_fraud"], scores)
    assert 0.4 < precision < 0.97


def test_no_single_column_gives_fraud_away(frame, x):
    from sklearn.metrics import average_precision_score

    y = frame["is_fraud"].to_numpy()
    alone = [max(average_precision_score(y, s), average_precision_score(y, -s)) for s in x.T]
    assert max(alone) < 0.5


def test_fraud_comes_in_bursts(frame):
    fraud = frame[frame["is_fraud"] == 1].index.to_numpy()
    counts = np.histogram(fraud, bins=np.arange(0.0, 40 * 24.0 + 1, 6.0))[0]
    assert counts.var() / counts.mean() > 2.0


def test_written_system_says_the_same_as_the_schema(tmp_path):
    import pandas as pd
    import xgboost

    path = held_out.write(tmp_path / "system", seed=1, payers=400, days=20)
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert document["system"]["simulated"] is True
    columns = tuple(
        Column(name=name, **(said | {"attacker": Mutability(said["attacker"])}))
        for name, said in (
            (n, s | {"categories": tuple(s.get("categories", ()))}) for n, s in document["schema"]["columns"].items()
        )
    )
    assert Schema(columns=columns, relations=tuple(document["schema"]["relations"])) == held_out.schema()
    test = pd.read_parquet(path.parent / document["data"]["test"])
    train = pd.read_parquet(path.parent / document["data"]["train"])
    assert list(test.columns) == list(train.columns) == [*held_out.schema().names, "is_fraud"]
    model = xgboost.XGBClassifier()
    model.load_model(path.parent / document["model"]["path"])
    assert model.predict_proba(held_out.matrix(test)).shape == (len(test), 2)


def test_written_system_loads_and_scores_as_the_detector_did(tmp_path):
    from temper.config.system import load_system

    path = held_out.write(tmp_path, seed=1, payers=400, days=20)
    past, recent = held_out.split(held_out.generate(seed=1, payers=400, days=20))
    system = load_system(path)
    assert system.simulated
    assert system.schema == held_out.schema()
    np.testing.assert_array_equal(system.data.y, recent["is_fraud"])
    expected = held_out.train(past, seed=1).predict_proba(held_out.matrix(recent))
    np.testing.assert_allclose(system.target.scores(system.data.x), expected, atol=1e-6)


# -- the parts ----------------------------------------------------------------------------------------------------


def test_hawkes_process_has_the_size_its_branching_ratio_says():
    rng = np.random.Generator(np.random.Philox(5))
    sizes = [len(arrivals.hawkes(5.0, (0.0, 10.0), 0.6, 2.0, rng)) for _ in range(2_000)]
    assert np.mean(sizes) == pytest.approx(5.0 / (1 - 0.6), rel=0.06)
    # A cluster of Poisson progeny has variance 1 / (1 - n)^3; a Poisson process would have 12.5.
    assert np.var(sizes) == pytest.approx(5.0 / (1 - 0.6) ** 3, rel=0.2)


def test_hawkes_children_follow_after_delays_of_the_declared_mean():
    rng = np.random.Generator(np.random.Philox(11))
    hours = np.concatenate([arrivals.hawkes(5.0, (0.0, 0.0), 0.5, 2.0, rng) for _ in range(2_000)])
    # Generation g holds a share n^g (1 - n) of the events, at g mean delays: the mean is decay n / (1 - n).
    assert hours.mean() == pytest.approx(2.0 * 0.5 / (1 - 0.5), rel=0.06)


def test_hawkes_without_excitement_is_poisson():
    rng = np.random.Generator(np.random.Philox(6))
    sizes = [len(arrivals.hawkes(5.0, (0.0, 10.0), 0.0, 2.0, rng)) for _ in range(2_000)]
    assert np.var(sizes) == pytest.approx(5.0, rel=0.15)


def test_copula_gives_uniform_margins_with_the_wanted_rank_correlation():
    matrix = session.correlation((0.5, 0.0, 0.6, 0.0))
    ranks = session.copula(matrix, 40_000, np.random.Generator(np.random.Philox(7)))
    np.testing.assert_allclose(np.quantile(ranks, [0.1, 0.5, 0.9], axis=0).T, [[0.1, 0.5, 0.9]] * 4, atol=0.01)
    # Kendall's tau of an elliptical copula is 2/pi asin(rho), whatever its tails.
    from scipy.stats import kendalltau

    tau = kendalltau(ranks[:4_000, 0], ranks[:4_000, 1]).statistic
    assert tau == pytest.approx(2 / np.pi * np.arcsin(0.5), abs=0.04)


def test_copula_joins_extremes_more_than_a_normal_one_would():
    matrix = session.correlation((0.0, 0.0, 0.0, 0.0))
    ranks = session.copula(matrix, 100_000, np.random.Generator(np.random.Philox(8)))
    both = ((ranks[:, 0] > 0.99) & (ranks[:, 1] > 0.99)).mean()
    assert both > 5 * 0.01**2


@pytest.mark.parametrize("manner", [session.OWNER, session.INTRUDER, session.COACHED])
def test_every_manner_has_a_valid_copula(manner):
    assert np.linalg.eigvalsh(session.correlation(manner.ties)).min() > 0.05


def small_books():
    crowd = people.populate(60, np.random.Generator(np.random.Philox(9)))
    return ledger.open_books(crowd)


def test_ledger_keeps_money_and_never_overdraws():
    books = small_books()
    for hour in range(200):
        before = books.balance[0]
        paid = books.pay(float(hour), 0, np.nan, 1.0, 2)
        if paid:
            amount, fee, after, *_ = paid
            assert after >= 0
            gained = after + amount + fee - before
            assert gained == pytest.approx(books.income[0] * paid[5], abs=0.011)


def test_ledger_holds_the_daily_limit_and_opens_it_again_next_day():
    books = small_books()
    books.balance[0], books.limit[0] = 1e6, 500.0
    assert books.pay(1.0, 0, 400.0, np.nan, 0)[0] == 400.0
    assert books.pay(2.0, 0, 400.0, np.nan, 0)[0] == 100.0
    assert books.pay(3.0, 0, 400.0, np.nan, 0) is None
    assert books.pay(25.0, 0, 400.0, np.nan, 0)[0] == 400.0


def test_ledger_forgets_inflow_after_a_day():
    books = small_books()
    assert books.receive(0.0, 7, 10.0) == 10.0
    assert books.receive(23.0, 7, 5.0) == 15.0
    assert books.receive(25.0, 7, 1.0) == 6.0


def test_a_device_counts_as_reused_from_its_second_payer_on():
    books = small_books()
    assert [books.use(payer, 99) for payer in (1, 1, 2, 1)] == [False, False, True, True]


def test_a_payee_is_known_from_its_second_payment_on():
    books = small_books()
    assert [books.meet(1, 10_000), books.meet(1, 10_000), books.meet(2, 10_000)] == [False, True, False]


def test_people_are_plain_arrays_of_one_length():
    crowd = people.populate(80, np.random.Generator(np.random.Philox(10)))
    lengths = {f.name: len(getattr(crowd, f.name)) for f in dataclasses.fields(crowd)}
    assert lengths.pop("payee_age") == 160
    assert set(lengths.values()) == {80}
