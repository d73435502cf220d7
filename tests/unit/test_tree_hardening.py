"""What one may rely on in the trees grown against an attacker, in coarse and subspace models, and in their files."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor

import temper
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import ContractError, TemperError, Unsupported
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.core.target import Access, Recipe, ScoreKind
from temper.hardening.coarse import Coarse
from temper.hardening.robust_loss import RobustLoss
from temper.hardening.robust_split import RobustSplit
from temper.hardening.subspaces import Subspaces
from temper.kernels import _jit_robust_trees as jit
from temper.kernels import trees
from temper.kernels.robust_trees import Growth, boxes, grown
from temper.targets.averaged import Averaged, Member
from temper.targets.flat import Flat
from temper.targets.save import save
from temper.testing.scenes import picture_model, schema, table, training
from temper.testing.target import LAWS
from temper.testing.toys import Trainable
from temper.validation.tree_bounds import TreeBounds

RNG = Draws(0, "hardening.test")
BOX = Schema.box(0.0, 1.0)
SMALL = Growth(trees=8, depth=3, norm="cost", radius=1.0)


def numbers(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def noisy(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three columns in [0, 1], of which two decide, with noise."""
    rng = numbers(seed)
    x = rng.random((n, 3))
    return x, (x[:, 0] + 0.5 * x[:, 1] + 0.2 * rng.normal(size=n) > 0.75).astype(np.int64)


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Column 0 tells all by a hair's breadth; column 1 tells 19 of 20 rows by a wide gap."""
    n = 400
    y = np.arange(n) % 2
    wrong = np.arange(n) % 40 < 2
    far = np.where((y == 1) ^ wrong, 0.9, 0.1)
    return np.column_stack([0.5 + np.where(y == 1, 0.005, -0.005), far]), y


def table_target() -> Flat:
    data = training(300)
    ensemble = grown(data.x, data.y, schema(), SMALL, numbers(0))
    return Flat(ensemble=ensemble, growth=SMALL, schema=schema())


# -- the split score ------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_robust_gain_is_the_least_over_every_way_to_move_the_rows(seed: int, p: float) -> None:
    rng = numbers(seed)
    y, where = rng.integers(0, 2, 12), rng.integers(0, 4, 12)  # 0 left, 1 right, 2 and 3 either
    where[:2] = 0, 1
    g, h = p - y, np.full(12, p * (1 - p))
    free = np.flatnonzero(where >= 2)
    sums = [(g[part].sum(), h[part].sum()) for part in (where == 0, where == 1)]
    moved = [(g[part].sum(), h[part].sum()) for part in ((where >= 2) & (y == one) for one in (0, 1))]
    found, _ = jit.robust_gain(np.ravel(sums), np.ravel(moved), 0.0, 0.0)
    least = np.inf
    for sides in itertools.product((0, 1), repeat=len(free)):
        all_sides = np.where(where < 2, where, 0)
        all_sides[free] = sides
        left = all_sides == 0
        least = min(least, jit.gain(g[left].sum(), h[left].sum(), g[~left].sum(), h[~left].sum(), 0.0))
    assert found <= least + 1e-9
    if found > 0:
        assert found == pytest.approx(least)


def test_without_moves_the_tree_is_the_ordinary_greedy_tree() -> None:
    x, y = noisy()
    held = boxes(x, y, BOX, "linf", 0.0)
    chosen = np.ones((15, 3), dtype=bool)
    tree = jit.grow(
        held.low, held.own, held.high, -1.0 * y, np.ones(200), y, held.bins, chosen, 3, 0.0, 1.0, 1e-9, True
    )
    own = np.empty(200)
    jit.values(held.own, *tree, own)
    assert own == pytest.approx(DecisionTreeRegressor(max_depth=3, random_state=0).fit(x, y).predict(x))


def test_boxes_hold_what_the_schema_lets_move_and_nothing_else() -> None:
    data = training(300)
    held = boxes(data.x, data.y, schema(), "cost", 1.0)
    names = schema().names
    for name in ("age",):
        at = names.index(name)
        assert (held.low[at] == held.own[at]).all()
        assert (held.high[at] == held.own[at]).all()
    rises = names.index("limit")
    assert (held.low[rises] >= held.own[rises].astype(int) - 1).all()  # the Schema's tolerance may cross one cut
    assert (held.high[rises] > held.own[rises]).mean() > 0.9
    kind, amount, total = names.index("kind"), names.index("amount"), names.index("total")
    assert (held.low[kind] == held.high[kind]).all()  # another kind costs 2
    assert (held.low[amount] < held.own[amount]).mean() > 0.9
    assert (held.high[total] > held.own[total]).mean() > 0.9  # derived from what moves
    note = np.isnan(data.x[:, names.index("note")])
    assert (held.own[names.index("note")] == 255).tolist() == note.tolist()


# -- what is grown --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["split", "loss", pytest.param("forest", marks=pytest.mark.slow)])
def test_planted_trap_is_avoided_and_the_certificate_says_so(how: str) -> None:
    x, y = planted()
    certified = {}
    for radius in (0.0, 0.05):
        growth = Growth(how=how, trees=10, depth=2, radius=radius, rate=0.3)
        target = Flat(ensemble=grown(x, y, BOX, growth, numbers(0)))
        scene = Scene(
            x=x[:80], y=y[:80], ids=np.arange(80), schema=BOX, budget=Budget(radius=0.05), target=target, threshold=0.5
        )
        share = TreeBounds(rows=80).measure(scene).measurements[0]
        assert share.undecided == 0
        certified[radius] = share.value
    assert certified[0.05] == pytest.approx(76 / 80)
    if how != "forest":  # half of a forest's trees see column 1 alone
        assert certified[0.0] == 0.0


def test_loss_of_stumps_is_the_exact_worst_case() -> None:
    x, y = noisy()
    losses: list[float] = []
    growth = Growth(how="loss", trees=30, depth=1, rate=0.3, radius=0.08)
    ensemble = grown(x, y, BOX, growth, numbers(0), follow=losses.append)
    sign = np.where(y == 1, -1.0, 1.0)
    base, worst = trees.raw(ensemble, x)[:, 0], np.zeros(len(x))
    for at in range(3):
        steps = []
        for move in np.linspace(-0.08, 0.08, 401):
            moved = x.copy()
            moved[:, at] = np.clip(x[:, at] + move, 0, 1)
            steps.append(sign * (trees.raw(ensemble, moved)[:, 0] - base))
        worst += np.max(steps, axis=0)
    reached = np.logaddexp(0.0, sign * base + worst).mean()
    assert losses[-1] == pytest.approx(reached, rel=0.01)  # a grid of moves can only miss the very worst
    assert losses[-1] >= reached - 1e-9


@pytest.mark.parametrize("depth", [1, 3])
def test_robust_loss_only_falls_and_no_move_exceeds_it(depth: int) -> None:
    x, y = noisy()
    losses: list[float] = []
    growth = Growth(how="loss", trees=25, depth=depth, rate=0.3, radius=0.05)
    ensemble = grown(x, y, BOX, growth, numbers(0), follow=losses.append)
    assert (np.diff(losses) < 0).all()
    rng, sign = numbers(1), np.where(y == 1, -1.0, 1.0)
    for _ in range(20):
        moved = np.clip(x + rng.uniform(-0.05, 0.05, x.shape), 0, 1)
        assert np.logaddexp(0.0, sign * trees.raw(ensemble, moved)[:, 0]).mean() <= losses[-1] + 1e-9


def test_categories_are_split_by_their_share_of_class_one() -> None:
    """Codes 1, 4 and 6 of eight are risky: no threshold on the code says so, one split on the ranks does."""
    shops = Schema(columns=(Column(name="shop", type="category", categories=tuple("abcdefgh")),))
    x = (np.arange(400) % 8).astype(float)[:, None]
    x[::50] = np.nan
    y = np.isin(x[:, 0], (1, 4, 6)).astype(np.int64)
    ensemble = grown(x, y, shops, Growth(trees=20, depth=1, rate=0.5), numbers(0))
    assert (trees.scores(ensemble, x).argmax(axis=1) == y).all()


def test_single_class_is_refused() -> None:
    x, _ = noisy()
    with pytest.raises(Unsupported, match="class 0 and of class 1"):
        grown(x, np.zeros(len(x)), BOX, Growth(), numbers(0))


@pytest.mark.parametrize("wrong", [{"how": "hope"}, {"depth": 0}, {"rate": 0.0}, {"radius": -1.0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict) -> None:
    with pytest.raises(TemperError):
        Growth(**wrong)


# -- the targets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_flat_trees_keep_the_law(law) -> None:
    law(table_target(), table(40))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("inner", ["linear", "trees"])
def test_averages_keep_the_law(law, inner: str) -> None:
    data = training(300)
    target = Trainable.fitted(data) if inner == "linear" else table_target()
    x = np.nan_to_num(table(40)) if inner == "linear" else table(40)
    law(Subspaces(models=3).apply(target, data, RNG), x)


def test_saved_trees_come_back_bit_for_bit(tmp_path) -> None:
    target, x = table_target(), table(60)
    path = save(target, tmp_path)
    back = temper.target(path, schema=schema())
    assert isinstance(back, Flat)
    assert back.digest == target.digest
    assert back.growth == target.growth
    assert (back.scores(x) == target.scores(x)).all()
    assert save(back, tmp_path / "again").read_bytes() == path.read_bytes()
    data, recipe = training(300), Recipe(seed=3)
    assert back.refit(data, recipe).digest == target.refit(data, recipe).digest


def test_saved_average_of_trees_scores_as_before(tmp_path) -> None:
    target = Subspaces(models=3).apply(table_target(), training(300), RNG)
    back = temper.target(save(target, tmp_path))
    assert (back.scores(table(60)) == target.scores(table(60))).all()


def test_damaged_and_foreign_files_are_refused(tmp_path) -> None:
    target = table_target()
    loop = replace(target, ensemble=replace(target.ensemble, left=target.ensemble.left * 0))
    with pytest.raises(ContractError, match="damaged"):
        temper.target(save(loop, tmp_path))
    (tmp_path / "other.npz").write_bytes(b"nothing")
    with pytest.raises(ContractError, match="is not loaded"):
        temper.target(tmp_path / "other.npz")


def test_trees_without_their_settings_cannot_be_refitted() -> None:
    bare = replace(table_target(), growth=None)
    assert Access.RETRAIN not in bare.access
    with pytest.raises(Unsupported):
        bare.refit(training(300), Recipe())
    with pytest.raises(TemperError, match="no parameter"):
        table_target().refit(training(300), Recipe(changes=(("leaves", 3),)))


def test_members_whose_trees_ask_unseen_columns_are_not_joined() -> None:
    member = Member(target=table_target(), columns=(0,), fill=tuple(table(1)[0].tolist()))
    assert Access.TREES not in Averaged(members=(member, member)).access


@pytest.mark.parametrize("kind", [ScoreKind.PROBABILITIES, ScoreKind.MARGIN])
def test_weights_say_how_much_each_member_counts(kind: ScoreKind) -> None:
    """Trees or not, scores are the weighted mean of the margins; a weight of nothing leaves the other member alone."""
    data = training(300)
    fill, every = tuple(data.x[0].tolist()), tuple(range(data.x.shape[1]))
    start = replace(Trainable.fitted(data), kind=kind)
    parts = [
        RobustLoss(trees=3, depth=2, radius=radius, schema=schema()).apply(start, data, RNG) for radius in (0.1, 2.0)
    ]
    members = tuple(Member(target=part, columns=every, fill=fill) for part in parts)
    mixed = Averaged(members=members, weights=(3.0, 1.0))
    margins = [margin(part.scores(data.x), kind) for part in parts]
    assert Access.TREES in mixed.access
    np.testing.assert_allclose(margin(mixed.scores(data.x), kind), (3 * margins[0] + margins[1]) / 4, atol=1e-9)
    np.testing.assert_allclose(Averaged(members=members, weights=(1.0, 0.0)).scores(data.x), parts[0].scores(data.x))
    assert mixed.digest != Averaged(members=members).digest


def margin(scores, kind: ScoreKind):
    return scores[:, 0] if kind is ScoreKind.MARGIN else np.log(scores[:, 1] / scores[:, 0])


# -- the defences ---------------------------------------------------------------------------------------------------


def test_budget_is_the_one_set_then_the_one_handed_in_then_a_small_cost() -> None:
    data, target = training(300), Trainable.fitted(training(300))
    ball = Budget(norm="l1", radius=3.0)
    for made, wanted in (
        (RobustSplit(trees=2, norm="linf", radius=0.4, budget=ball, schema=schema()), ("linf", 0.2)),
        (RobustSplit(trees=2, budget=ball, schema=schema()), ("l1", 1.5)),
        (RobustLoss(trees=2, schema=schema()), ("cost", 1.0)),
    ):
        hardened = made.apply(target, data, RNG)
        assert isinstance(hardened, Flat)
        assert hardened.growth is not None
        assert (hardened.growth.norm, hardened.growth.radius) == wanted


def test_margins_stay_margins_and_other_kinds_are_refused() -> None:
    data = training(300)
    target = replace(Trainable.fitted(data), kind=ScoreKind.MARGIN)
    hardened = RobustSplit(trees=2, schema=schema()).apply(target, data, RNG)
    assert hardened.kind is ScoreKind.MARGIN
    assert hardened.scores(data.x).shape == (300, 1)
    with pytest.raises(Unsupported, match="two classes"):
        RobustLoss(schema=schema()).apply(replace(target, classes=3), data, RNG)
    with pytest.raises(Unsupported):
        RobustSplit(schema=schema()).apply(replace(picture_model()), data, RNG)


def test_coarse_rounds_what_an_attacker_moves_and_nothing_else() -> None:
    seen: list[Data] = []

    class Watched(Trainable):
        def refit(self, data, recipe):
            seen.append(data)
            return self

    data = training(300)
    inner = Trainable.fitted(data)
    Coarse(bins=6, copies=2, schema=schema()).apply(Watched(inner=inner.inner), data, RNG)
    names = schema().names
    assert len(seen[0]) > 500
    assert len(np.unique(seen[0].x[:, names.index("amount")])) <= 6
    assert len(np.unique(seen[0].x[:, names.index("age")])) > 250
    assert set(np.unique(seen[0].x[:, names.index("kind")])) <= {0.0, 1.0, 2.0, 3.0}
    assert np.isin(seen[0].x[:, names.index("amount")], data.x[:, names.index("amount")]).all()


def test_subspaces_hide_the_other_columns_from_each_model() -> None:
    data = training(300)
    target = Subspaces(models=4, share=0.3).apply(Trainable.fitted(data), data, RNG)
    assert isinstance(target, Averaged)
    for member in target.members:
        assert len(member.columns) == 3
        hidden = np.setdiff1d(np.arange(11), member.columns)
        assert (member.seen(data.x)[:, hidden] == np.asarray(member.fill)[hidden]).all()
    with pytest.raises(TemperError):
        Subspaces(models=1)
