"""What one may rely on in the defences: what they fit on, under which constraints, and where they refuse."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temper.core.data import Data
from temper.core.errors import ContractError, TemperError, Unsupported
from temper.core.room import Room
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind
from temper.hardening._refit import with_disguises, with_moved_copies
from temper.hardening._trend import direction, rising
from temper.hardening.adversarial import Adversarial
from temper.hardening.anchored import Anchored
from temper.hardening.augment import Augment
from temper.hardening.combined import Combined
from temper.hardening.monotone import Monotone
from temper.hardening.regularise import Regularise

RNG = Draws(0, "hardening.test")
SCHEMA = Schema(
    columns=(
        Column(name="amount", low=0, high=100, attacker=Mutability.COSTLY, scale=10.0),
        Column(name="hour", type="integer", low=0, high=23, attacker=Mutability.FREE),
        Column(name="shop", type="category", categories=("a", "b", "c"), attacker=Mutability.COSTLY, cost=2.0),
        Column(name="twice", attacker=Mutability.DERIVED, formula="2 * amount"),
        Column(name="limit", low=0, high=100),
    ),
    relations=("amount <= limit",),
)


@dataclass(frozen=True)
class Recorder:
    """A target that remembers what it was fitted on."""

    name: str = "recorder"
    access: Access = Access.LABELS | Access.SCORES | Access.RETRAIN
    kind: ScoreKind = ScoreKind.PROBABILITIES
    classes: int = 2
    stochastic: bool = False
    digest: str = ""
    fitted: Data | None = None
    recipe: Recipe = field(default_factory=Recipe)

    def scores(self, x):
        share = np.clip(x[:, 0] / 100, 0, 1)
        return np.column_stack([1 - share, share])

    def gradient(self, x, cotangent):
        raise Unsupported("no gradients")

    def refit(self, data, recipe):
        return replace(self, fitted=data, recipe=recipe)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    n = 4000
    amount, hour = rng.uniform(0, 100, n), rng.integers(0, 24, n)
    risk = 0.6 * amount / 100 + 0.3 * (np.abs(hour - 12) > 8)
    x = np.column_stack([amount, hour, rng.integers(0, 3, n), 2 * amount, np.full(n, 100.0)])
    return Data(x=x, y=(rng.random(n) < risk).astype(int), ids=np.arange(100, 100 + n))


# -- directions -------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(0.1, 10)), min_size=1, max_size=12),
)
def test_the_rising_fit_equals_isotonic_regression(pairs):
    from sklearn.isotonic import IsotonicRegression

    means, weights = (np.array(part) for part in zip(*pairs, strict=True))
    wanted = IsotonicRegression().fit_transform(np.arange(len(means)), means, sample_weight=weights)
    np.testing.assert_allclose(rising(means, weights), wanted, atol=1e-9)


@given(st.integers(0, 1000), st.sampled_from([-1, 1]))
def test_a_clear_trend_is_found_with_its_sign_whatever_the_units(seed, sign):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=3000)
    y = (rng.random(3000) < 1 / (1 + np.exp(-sign * 2 * x))).astype(float)
    assert direction(x, y) == direction(np.exp(3 * x), y) == sign


@given(st.integers(0, 1000))
def test_noise_and_valleys_have_no_direction(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=3000)
    assert direction(x, (rng.random(3000) < 0.3).astype(float)) == 0
    assert direction(x, (rng.random(3000) < np.minimum(1, x**2 / 3)).astype(float)) == 0


def test_missing_values_and_constant_columns_have_no_say():
    x, y = np.arange(2000.0), (np.arange(2000) > 1000).astype(float)
    holes = np.where(np.arange(2000) % 3 == 0, np.nan, x)
    assert direction(holes, y) == 1
    assert direction(np.ones(2000), y) == 0
    assert direction(np.full(2000, np.nan), y) == 0


# -- monotone ---------------------------------------------------------------------------------------------------------


def test_monotone_constrains_what_the_attacker_moves_and_the_data_show_clearly(data):
    hardened = Monotone(schema=SCHEMA).apply(Recorder(), data, RNG)
    assert hardened.recipe.monotone == (1, 0, 0, 1, 0)
    assert hardened.fitted is data


def test_under_monotone_constraints_paying_more_never_looks_safer(data):
    xgboost = pytest.importorskip("xgboost")
    from temper.targets import open_target

    model = xgboost.XGBClassifier(n_estimators=20, n_jobs=1).fit(data.x, data.y)
    target = open_target(model)
    hardened = Monotone(schema=SCHEMA).apply(target, data, RNG)
    steps = np.repeat(data.x[:1], 200, axis=0)
    steps[:, 0] = np.linspace(0, 100, 200)
    steps[:, 3] = 2 * steps[:, 0]
    assert (np.diff(target.scores(steps)[:, 1]) < -1e-6).any()
    assert (np.diff(hardened.scores(steps)[:, 1]) > -1e-6).all()


def test_monotone_refuses_data_that_show_no_direction(data):
    shuffled = replace(data, y=np.random.default_rng(0).permutation(data.y))
    with pytest.raises(Unsupported, match="clear direction"):
        Monotone(schema=SCHEMA).apply(Recorder(), shuffled, RNG)


def test_monotone_refuses_several_classes(data):
    with pytest.raises(Unsupported, match="3 classes"):
        Monotone(schema=SCHEMA).apply(Recorder(classes=3), data, RNG)


# -- augment ----------------------------------------------------------------------------------------------------------


def test_copies_are_moves_an_attacker_could_make_within_the_radius(data):
    more = with_moved_copies(data, SCHEMA, RNG, copies=1, positive_copies=2, norm="cost", radius=3.0)
    copies = more.take(np.arange(len(data), len(more)))
    origin = data.take(np.searchsorted(data.ids, copies.ids))
    assert SCHEMA.reason(copies.x, origin.x) == ""
    assert SCHEMA.cost(copies.x, origin.x).max() <= 3.0 * (1 + 1e-6)
    np.testing.assert_array_equal(copies.y, origin.y)
    np.testing.assert_array_equal(more.x[: len(data)], data.x)
    assert (copies.x != origin.x).any(axis=1).all()


def test_positive_copies_are_of_class_one_alone(data):
    more = with_moved_copies(data, SCHEMA, RNG, copies=0, positive_copies=3, norm="cost", radius=3.0)
    assert (more.y[len(data) :] == 1).all()
    assert 1.8 * data.y.sum() < len(more) - len(data) <= 3 * data.y.sum()


def test_leaving_rows_out_changes_nobody_elses_copies(data):
    settings = {"copies": 1, "positive_copies": 0, "norm": "cost", "radius": 2.0}
    kept = np.arange(0, len(data), 7)
    whole = with_moved_copies(data, SCHEMA, RNG, **settings)
    part = with_moved_copies(data.take(kept), SCHEMA, RNG, **settings)
    wanted = whole.take(np.arange(len(data), len(whole)))
    wanted = wanted.take(np.isin(wanted.ids, data.ids[kept]))
    np.testing.assert_array_equal(part.x[len(kept) :], wanted.x)


def test_augment_fits_on_rows_and_copies_with_the_settings_of_the_model(data):
    hardened = Augment(schema=SCHEMA).apply(Recorder(), data, RNG)
    assert len(hardened.fitted) > len(data) + 5 * data.y.sum()
    assert hardened.recipe.monotone == ()
    assert hardened.recipe.regularise == 0.0


def test_augment_works_on_inputs_without_columns():
    images = Data(x=np.random.default_rng(0).random((20, 1, 4, 4)), y=np.arange(20) % 2)
    hardened = Augment(schema=Schema.box(0, 1), norm="linf", radius=0.1).apply(Recorder(), images, RNG)
    copies, origin = hardened.fitted.x[20:], images.x[hardened.fitted.ids[20:]]
    assert 60 <= len(copies) <= 80
    assert np.abs(copies - origin).max() <= 0.1 + 1e-9
    assert copies.min() >= 0
    assert copies.max() <= 1


def test_augment_refuses_a_schema_in_which_nothing_moves(data):
    fixed = Schema(columns=tuple(Column(name=f"c{at}") for at in range(5)))
    with pytest.raises(Unsupported, match="no row"):
        Augment(schema=fixed).apply(Recorder(), data, RNG)


# -- regularise, adversarial, combined --------------------------------------------------------------------------------


def test_regularise_asks_for_its_strength(data):
    assert Regularise(strength=0.4).apply(Recorder(), data, RNG).recipe.regularise == 0.4


@pytest.mark.parametrize("strength", [0.0, -1.0, 1.5, float("nan")])
def test_a_strength_outside_its_range_is_refused(strength):
    with pytest.raises(TemperError, match="strength"):
        Regularise(strength=strength)


def test_adversarial_attacks_the_newest_model_and_keeps_all_it_found(data):
    attacked = []

    def inner(target, rows):
        attacked.append(target)
        return rows.take(np.arange(5))

    start = Recorder()
    hardened = Adversarial(rounds=3, inner=inner).apply(start, data, RNG)
    assert [target.fitted is None or len(target.fitted) for target in attacked] == [True, len(data) + 5, len(data) + 10]
    assert len(hardened.fitted) == len(data) + 15


def test_adversarial_refuses_without_an_attack_or_without_anything_found(data):
    with pytest.raises(Unsupported, match="inner attack"):
        Adversarial().apply(Recorder(), data, RNG)
    with pytest.raises(Unsupported, match="no adversarial row"):
        Adversarial(inner=lambda target, rows: rows.take([])).apply(Recorder(), data, RNG)


def test_adversarial_rows_of_another_shape_are_a_broken_contract(data):
    with pytest.raises(ContractError, match="shape"):
        Adversarial(inner=lambda target, rows: Data(x=rows.x[:3, :2], y=rows.y[:3])).apply(Recorder(), data, RNG)


def test_combined_fits_once_with_copies_constraints_and_regularisation(data):
    hardened = Combined(schema=SCHEMA, strength=0.5).apply(Recorder(), data, RNG)
    assert hardened.recipe.monotone == (1, 0, 0, 1, 0)
    assert hardened.recipe.regularise == 0.5
    assert len(hardened.fitted) > len(data)


def test_combined_goes_on_without_constraints_where_no_direction_is_clear(data):
    shuffled = replace(data, y=np.random.default_rng(0).permutation(data.y))
    assert Combined(schema=SCHEMA).apply(Recorder(), shuffled, RNG).recipe.monotone == ()


# -- anchored ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("norm", "radius"), [("cost", 3.0), ("cost", 0.4), ("linf", 0.5), ("l2", 1.0)])
def test_disguises_take_over_what_is_said_of_others_as_far_as_the_money_goes(data, norm, radius):
    more = with_disguises(data, SCHEMA, RNG, copies=4, norm=norm, radius=radius)
    copies = more.take(np.arange(len(data), len(more)))
    origin = data.take(np.searchsorted(data.ids, copies.ids))
    assert len(copies) > data.y.sum()
    assert (copies.y == 1).all()
    assert SCHEMA.reason(copies.x, origin.x) == ""
    assert SCHEMA.distance(copies.x, origin.x, norm).max() <= radius * (1 + 1e-6)
    shops = copies.x[copies.x[:, 2] != origin.x[:, 2], 2]
    assert np.isin(shops, data.x[data.y == 0, 2]).all()
    np.testing.assert_array_equal(more.x[: len(data)], data.x)


def test_a_disguise_with_money_for_everything_is_an_honest_row_in_what_can_be_moved(data):
    more = with_disguises(data, SCHEMA, RNG, copies=8, norm="cost", radius=1e6)
    honest = {tuple(row[1:3]) for row in data.x[data.y == 0]}
    copies = more.x[len(data) :]
    whole = [tuple(row[1:3]) in honest for row in copies]
    assert np.mean(whole) > 0.3


@dataclass(frozen=True)
class Two(Recorder):
    """Remembers in its digest what it was fitted on."""

    def refit(self, data, recipe):
        return replace(self, fitted=data, recipe=recipe, digest=f"{len(data)} {recipe}")


def test_anchored_has_one_model_that_sees_nothing_an_attacker_can_change(data):
    hardened = Anchored(schema=SCHEMA, anchor=0.3).apply(Two(), data, RNG)
    whole, anchor = hardened.members
    assert hardened.weights == pytest.approx((0.7, 0.3))
    assert whole.columns == (0, 1, 2, 3, 4)
    assert anchor.columns == (4,)
    assert len(whole.target.fitted) > len(data) + 4 * data.y.sum()
    assert len(anchor.target.fitted) == len(data)
    assert (np.ptp(anchor.target.fitted.x[:, :4], axis=0) == 0).all()
    moved = data.x.copy()
    moved[:, :4] += 1
    np.testing.assert_array_equal(anchor.seen(moved), anchor.seen(data.x))


def test_anchored_refuses_where_all_columns_move_or_none(data):
    for attacker in (Mutability.FREE, Mutability.IMMUTABLE):
        schema = Schema(columns=tuple(Column(name=f"c{at}", attacker=attacker) for at in range(5)))
        with pytest.raises(Unsupported, match="columns that can be moved and columns that cannot"):
            Anchored(schema=schema).apply(Recorder(), data, RNG)
    with pytest.raises(Unsupported, match="two classes"):
        Anchored(schema=SCHEMA).apply(Recorder(classes=3), data, RNG)
    with pytest.raises(TemperError, match="anchor"):
        Anchored(anchor=1.0)


# -- the whole room ---------------------------------------------------------------------------------------------------


BEFORE = {
    "label_only",
    "masked",
    "noise",
    "query_budget",
    "rounded",
}  # they stand before a model and change its answers alone


@pytest.mark.parametrize("name", sorted({*Room("temper.hardening").names()} - BEFORE))
def test_every_defence_refuses_a_target_that_cannot_be_fitted_again(name, data):
    refits = getattr(Room("temper.hardening").get(name), "needs", None) is Access.RETRAIN
    with pytest.raises(Unsupported, match="again" if refits else None):
        Room("temper.hardening").build(name).apply(Recorder(access=Access.SCORES), data, RNG)


@pytest.mark.parametrize("name", ["monotone", "augment", "combined", "anchored"])
def test_defences_that_follow_the_schema_refuse_without_one(name, data):
    with pytest.raises(Unsupported, match="schema"):
        Room("temper.hardening").build(name).apply(Recorder(), data, RNG)


@pytest.mark.parametrize("name", ["monotone", "augment", "combined", "regularise"])
def test_the_same_seed_gives_the_same_fit_and_leaves_the_data_alone(name, data):
    kept = data.x.copy()
    defence = Room("temper.hardening").build(name, {} if name == "regularise" else {"schema": SCHEMA})
    first, again = (defence.apply(Recorder(), data, Draws(3, name)) for _ in range(2))
    np.testing.assert_array_equal(first.fitted.x, again.fitted.x)
    assert first.recipe == again.recipe
    np.testing.assert_array_equal(data.x, kept)


@pytest.mark.parametrize("name", Room("temper.hardening").names())
def test_a_refusal_is_one_sentence_with_a_way_out(name, data):
    """Values, three classes, nothing to fit again, no schema: whatever a defence refuses, it says what to do."""
    room, told = Room("temper.hardening"), []
    for target in (Recorder(access=Access.SCORES), Recorder(classes=3), Recorder(classes=1, kind=ScoreKind.VALUE)):
        for schema in (None, SCHEMA):
            handed = {"schema": schema} if "schema" in room.get(name).__dataclass_fields__ else {}
            try:
                room.build(name, handed).apply(target, data, RNG)
            except Unsupported as refusal:
                told.append(refusal)
    assert told
    for refusal in told:
        assert refusal.fix, refusal.message
        assert "\n" not in refusal.message + refusal.fix


def test_a_schema_of_other_columns_is_refused(data):
    with pytest.raises(TemperError, match="5"):
        Combined(schema=Schema(columns=SCHEMA.columns[:2])).apply(Recorder(), data, RNG)
