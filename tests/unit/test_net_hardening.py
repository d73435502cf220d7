"""What one may rely on in the defences of nets: robust accuracy rises, nothing else moves, and wrappers are honest."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temper.core.budget import Budget
from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.hardening._ball import field_of
from temper.hardening.detector import Detector
from temper.hardening.fast import Fast
from temper.hardening.madry import Madry
from temper.hardening.noise_training import NoiseTraining
from temper.hardening.squeezing import Squeezing
from temper.hardening.trades import Trades
from temper.kernels.trees import scores as tree_scores
from temper.targets.load import open_target
from temper.targets.save import save
from temper.targets.wrapped import squeezed
from temper.testing.scenes import schema as table_schema
from temper.testing.scenes import table, training
from temper.testing.toys import Trainable

torch = pytest.importorskip("torch")

RNG = Draws(0, "hardening.test")
BOX = Schema.box(0.0, 1.0)
RADIUS = 0.08
TOY = Trainable.fitted(training())
BUDGET = Budget(norm="linf", radius=RADIUS)


def planted(n=600, seed=0):
    """Pictures whose class one strong pixel tells at a distance no attacker bridges, and fifteen weak ones nearly tell.

    A net may lean on the weak pixels together, which the ball turns round; it need not.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    side = 2 * y - 1
    x = 0.5 + 0.05 * side[:, None] + 0.03 * rng.normal(size=(n, 16))
    x[:, 0] = 0.5 + 0.2 * side + 0.05 * rng.normal(size=n)
    return Data(x=np.clip(x, 0, 1).reshape(n, 1, 4, 4).astype(np.float32), y=y)


def net(batch_norm=False, seed=0, width=2):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        middle = [torch.nn.BatchNorm1d(24)] if batch_norm else []
        return torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(16, 24), *middle, torch.nn.ReLU(), torch.nn.Linear(24, width)
        )


def fitted(data, batch_norm=False):
    """A net that has never seen the strong pixel and leans on the weak ones."""
    model = net(batch_norm).train()
    adam = torch.optim.Adam(model.parameters(), lr=1e-2)
    x, y = torch.from_numpy(data.x.copy()), torch.from_numpy(data.y)
    x[:, 0, 0, 0] = 0.5
    for _ in range(40):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        adam.step()
    return model.eval()


@pytest.fixture(scope="module")
def data():
    return planted()


@pytest.fixture(scope="module")
def target(data):
    return open_target(fitted(data))


def robust(target, data, steps=20):
    """Share of rows still right after projected gradient ascent written apart from the code under test."""
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    point = x.clone()
    for _ in range(steps):
        point.requires_grad_(True)
        loss = torch.nn.functional.cross_entropy(target.model(point), y)
        (slope,) = torch.autograd.grad(loss, point)
        point = (point.detach() + 0.25 * RADIUS * slope.sign()).clamp(min=x - RADIUS, max=x + RADIUS).clamp(0, 1)
    with torch.no_grad():
        return float((target.model(point).argmax(1) == y).float().mean())


def clean(target, data):
    return float((np.asarray(target.scores(data.x)).argmax(1) == data.y).mean())


def weights(target):
    return torch.cat([w.detach().reshape(-1).double() for w in target.model.state_dict().values()])


COURSE = {"schema": BOX, "epochs": 15, "rate": 1e-2, "batch": 32}
NETS = {
    "madry": Madry(budget=BUDGET, steps=5, **COURSE),
    "trades": Trades(budget=BUDGET, steps=5, **COURSE),
    "fast": Fast(budget=BUDGET, **COURSE),
    "free": Fast(budget=BUDGET, replays=4, **COURSE),
}


@pytest.mark.parametrize("name", NETS)
def test_training_against_the_ball_raises_robust_accuracy_and_keeps_the_clean_one(target, data, name):
    fresh = planted(400, seed=1)
    before, after = robust(target, fresh), robust(hardened := NETS[name].apply(target, data, RNG), fresh)
    assert before < 0.4
    assert after > 0.85
    assert clean(hardened, fresh) > 0.95


def test_a_net_trained_from_nothing_in_l2_holds_in_l2(data):
    budget = Budget(norm="l2", radius=0.12)
    fresh = planted(400, seed=1)
    x, y = torch.from_numpy(fresh.x), torch.from_numpy(fresh.y)
    hardened = Madry(budget=budget, steps=5, **COURSE).apply(open_target(net().eval()), data, RNG)
    point = x.clone()
    for _ in range(20):
        point.requires_grad_(True)
        (slope,) = torch.autograd.grad(
            torch.nn.functional.cross_entropy(hardened.model(point), y, reduction="sum"), point
        )
        move = point.detach() + 0.03 * torch.nn.functional.normalize(slope.flatten(1)).reshape(x.shape) - x
        length = move.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
        point = x + move * (0.12 / length).clamp(max=1.0)
    assert float((hardened.model(point).argmax(1) == y).float().mean()) > 0.85


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_module_passed_in_is_as_before(data, batch_norm):
    target = open_target(fitted(data, batch_norm))
    before, modes = copy.deepcopy(target.model.state_dict()), [part.training for part in target.model.modules()]
    hardened = NETS["fast"].apply(target, data, RNG)
    assert all(torch.equal(value, before[name]) for name, value in target.model.state_dict().items())
    assert [part.training for part in target.model.modules()] == modes
    assert not any(part.training for part in hardened.model.modules())
    assert hardened.digest != target.digest


def test_batch_statistics_follow_the_training_and_not_the_making_of_examples(data):
    target = open_target(fitted(data, batch_norm=True))
    few, many = (replace(NETS["madry"], steps=steps, epochs=1).apply(target, data, RNG) for steps in (1, 9))
    assert few.model[2].num_batches_tracked == many.model[2].num_batches_tracked
    assert few.model[2].num_batches_tracked > target.model[2].num_batches_tracked


@pytest.mark.parametrize("name", [*NETS, "noise"])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(target, data, name):
    defence = replace(NETS.get(name, NoiseTraining(sigma=0.1, **COURSE)), epochs=1)
    one, two, other = (defence.apply(target, data, Draws(seed, "hardening.test")) for seed in (0, 0, 1))
    assert torch.equal(weights(one), weights(two))
    assert not torch.equal(weights(one), weights(other))


def test_training_leaves_the_random_state_of_torch_alone(target, data):
    before = torch.random.get_rng_state()
    replace(NETS["madry"], epochs=1, fresh=True).apply(target, data, RNG)
    assert torch.equal(before, torch.random.get_rng_state())


def test_fresh_forgets_the_weights_of_the_model(data):
    spoilt = net().eval()
    with torch.no_grad():
        for weight in spoilt.parameters():
            weight.fill_(50.0)
    hardened = replace(NETS["fast"], fresh=True).apply(open_target(spoilt), data, RNG)
    assert float(weights(hardened).abs().max()) < 5.0
    assert clean(hardened, data) > 0.9


def test_fresh_refuses_layers_it_has_no_rule_for(data):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LayerNorm(16), torch.nn.Linear(16, 2)).eval()
    with pytest.raises(Unsupported, match="LayerNorm"):
        replace(NETS["fast"], fresh=True).apply(open_target(model), data, RNG)


def test_training_with_noise_makes_the_net_surer_of_the_truth_under_noise(target, data):
    fresh = planted(400, seed=1)
    noise = 0.3 * np.random.default_rng(3).normal(size=fresh.x.shape).astype(np.float32)
    hardened = NoiseTraining(sigma=0.3, **COURSE).apply(target, data, RNG)
    x, y = torch.from_numpy(fresh.x + noise), torch.from_numpy(fresh.y)
    before, after = (torch.nn.functional.cross_entropy(t.model(x), y).item() for t in (target, hardened))
    assert after < 0.8 * before


@pytest.mark.parametrize("kind", [ScoreKind.MARGIN, ScoreKind.PROBABILITIES])
def test_margins_and_probabilities_are_trained_like_logits(data, kind):
    if kind is ScoreKind.MARGIN:
        model = net(width=1)
    else:
        model = torch.nn.Sequential(net(), torch.nn.Softmax(dim=1))
    target = open_target(model.eval(), kind=kind, classes=2)
    hardened = replace(NETS["madry"], share=0.3).apply(target, data, RNG)
    shown = hardened.scores(data.x)
    label = shown[:, 0] > 0 if kind is ScoreKind.MARGIN else shown[:, 1] > 0.5
    assert float((label == data.y).mean()) > 0.95


# -- programs without their class --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_net_is_hardened_saved_and_loaded_again(target, data, tmp_path):
    torch.jit.script(target.model).save(str(tmp_path / "model.pt"))
    stored = open_target(tmp_path / "model.pt", kind=ScoreKind.LOGITS, classes=2)
    before = stored.digest
    hardened = NETS["fast"].apply(stored, data, RNG)
    assert stored.digest == before == replace(stored).digest
    again = open_target(save(hardened, tmp_path / "out"), kind=ScoreKind.LOGITS, classes=2)
    np.testing.assert_array_equal(again.scores(data.x), hardened.scores(data.x))
    assert robust(again, data) > 0.85


def test_a_plain_module_is_saved_as_a_program_that_loads(target, data, tmp_path):
    hardened = replace(NETS["fast"], epochs=1).apply(target, data, RNG)
    again = open_target(save(hardened, tmp_path), kind=ScoreKind.LOGITS, classes=2)
    np.testing.assert_allclose(again.scores(data.x), hardened.scores(data.x), atol=1e-6)


def test_an_exported_program_is_refused_with_the_way_out(target, data):
    exported = replace(target, stored=b"PK archive_format")
    with pytest.raises(Unsupported) as refused:
        NETS["madry"].apply(exported, data, RNG)
    assert "TorchScript" in refused.value.fix


@pytest.mark.parametrize("name", NETS)
def test_without_a_ball_there_is_nothing_to_train_against(target, data, name):
    for budget in (None, Budget(norm="linf"), Budget(norm="cost", radius=3.0), Budget(norm="linf", radius=0.0)):
        with pytest.raises(Unsupported) as refused:
            replace(NETS[name], budget=budget).apply(target, data, RNG)
        assert refused.value.fix
    with pytest.raises(Unsupported, match="torch"):
        NETS[name].apply(Trainable.fitted(training()), training(), RNG)


def test_a_course_that_cannot_teach_is_refused(target, data):
    for wrong in ({"epochs": 0}, {"batch": 1}, {"rate": 0.0}):
        with pytest.raises(TemperError, match="does nothing"):
            replace(NETS["fast"], **wrong).apply(target, data, RNG)


def test_weights_that_run_away_are_refused(target, data):
    with pytest.raises(Unsupported, match="finite"):
        replace(NETS["fast"], rate=1e30).apply(target, data, RNG)


# -- the ball ----------------------------------------------------------------------------------------------------------

COLUMNS = Schema(
    columns=(
        Column(name="a", low=0, high=10, scale=2.0, attacker=Mutability.FREE),
        Column(name="b", low=-5, high=5, attacker=Mutability.FREE, direction="rise"),
        Column(name="kind", type="category", categories=("x", "y"), attacker=Mutability.FREE),
        Column(name="fixed", low=0, high=1),
    )
)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["linf", "l2"]), st.floats(0.01, 3.0), st.integers(0, 1000))
def test_every_point_of_training_lies_in_the_ball_and_the_schema(norm, radius, seed):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.uniform(0, 10, 6), rng.uniform(-5, 5, 6), rng.integers(0, 2, 6), rng.uniform(0, 1, 6)])
    ball = field_of(COLUMNS, Budget(norm=norm, radius=radius), 1.0, "test").around(torch.from_numpy(x), x)
    point = ball.start(torch.Generator().manual_seed(seed))
    point = ball.stepped(point, torch.from_numpy(rng.normal(size=x.shape)), 2 * radius).numpy()
    assert COLUMNS.admits(point, x).all()
    assert (COLUMNS.distance(point, x, norm) <= radius * (1 + 1e-6) + 1e-9).all()
    assert (point[:, 2:] == x[:, 2:]).all()


def test_a_step_has_its_length_in_the_units_of_the_columns():
    x = np.array([[5.0, 0.0, 0.0, 0.5]])
    slope = torch.tensor([[1.0, 0.5, 0.0, 0.0]], dtype=torch.float64)
    for norm, wanted in (("linf", [2.0, 1.0]), ("l2", [2.0 * 2.0 / 4.25**0.5, 0.5 / 4.25**0.5])):
        ball = field_of(COLUMNS, Budget(norm=norm, radius=9.0), 1.0, "test").around(torch.from_numpy(x), x)
        np.testing.assert_allclose((ball.stepped(ball.x, slope, 1.0) - ball.x)[0, :2], wanted)


# -- squeezing ---------------------------------------------------------------------------------------------------------


def test_the_gradient_of_a_squeezed_net_is_the_inner_one_at_the_coarse_point(target, data):
    wrapped = Squeezing(schema=BOX, levels=5, median=3).apply(target, data, RNG)
    for x in (data.x[:7], torch.from_numpy(data.x[:7])):
        scores, slope = wrapped.gradient(x, lambda s: s * 0 + 1.5)
        inner_scores, inner = target.gradient(wrapped.squeeze(x), lambda s: s * 0 + 1.5)
        assert type(scores) is type(x)
        np.testing.assert_array_equal(slope, inner)
        np.testing.assert_array_equal(scores, inner_scores)
    assert np.abs(np.asarray(slope)).max() > 0
    assert set(np.unique(np.round(np.asarray(wrapped.squeeze(data.x)) * 4, 5))) <= {0, 1, 2, 3, 4}
    assert wrapped.access == target.access
    assert wrapped.native(data.x).dtype == torch.float32


def test_the_median_of_pixels_is_that_of_scipy():
    from scipy.ndimage import median_filter

    x = np.random.default_rng(0).random((3, 1, 7, 5))
    wrapped = squeezed(TOY, BOX, width=1.0, levels=2**20 + 1, median=3)
    wanted = median_filter(wrapped.squeeze(np.zeros_like(x)) + x, size=(1, 1, 3, 3), mode="nearest")
    np.testing.assert_allclose(wrapped.squeeze(x), wanted, atol=1e-6)
    np.testing.assert_allclose(wrapped.squeeze(torch.from_numpy(x)), wanted, atol=1e-6)


def forest(rows):
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBClassifier(n_estimators=25, max_depth=5, random_state=0, n_jobs=1)
    return open_target(model.fit(rows.x, rows.y), schema=table_schema())


@pytest.mark.parametrize("width", [0.1, 0.25, 0.7, 1.0])
def test_pulled_back_trees_give_exactly_what_the_squeezed_model_gives(width):
    rows = training()
    target = forest(rows)
    wrapped = Squeezing(schema=table_schema(), width=width).apply(target, rows, RNG)
    assert Access.TREES in wrapped.access
    trees = wrapped.trees()
    x = np.concatenate([table(1_000, 5), on_edges(trees, table(1_000, 6)), on_edges(target.trees(), table(1_000, 7))])
    np.testing.assert_array_equal(tree_scores(trees, x), tree_scores(target.trees(), wrapped.squeeze(x)))
    np.testing.assert_allclose(tree_scores(trees, x), wrapped.scores(x), atol=1e-6)
    assert (tree_scores(trees, x) != tree_scores(target.trees(), x)).any()


def on_edges(trees, x):
    """Rows with one value on a cut of the trees, or just below it."""
    rng = np.random.default_rng(0)
    inner = np.flatnonzero((trees.feature >= 0) & np.isfinite(trees.threshold))
    at = rng.choice(inner, len(x))
    cut = trees.threshold[at]
    x[np.arange(len(x)), trees.feature[at]] = np.where(rng.random(len(x)) < 0.5, cut, np.nextafter(cut, -np.inf))
    return x


@settings(deadline=None, max_examples=40)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0.01, 20.0))
def test_squeezing_never_turns_two_values_round_and_stays_in_range(one, two, width):
    wrapped = squeezed(TOY, COLUMNS, width=width, levels=8, median=1)
    rows = np.array([[min(one, two), 0, 1, 0.2], [max(one, two), np.nan, 0, 0.2]])
    shown = wrapped.squeeze(rows)
    assert shown[0, 0] <= shown[1, 0]
    assert 0 <= shown[:, 0].min() <= shown[:, 0].max() <= 10
    assert np.isnan(shown[1, 1])
    np.testing.assert_array_equal(shown[:, 2], rows[:, 2])


def test_squeezing_refuses_what_it_cannot_round(target, data):
    whole = Schema(columns=(Column(name="n", type="integer", attacker=Mutability.FREE),))
    for schema in (None, whole, Schema()):
        with pytest.raises(Unsupported):
            Squeezing(schema=schema).apply(target, data, RNG)
    for wrong in ({"width": 0.0}, {"levels": 1}, {"median": 2}):
        with pytest.raises(TemperError, match="no rounding"):
            Squeezing(**wrong)


# -- the detector ------------------------------------------------------------------------------------------------------


def test_a_detector_refuses_its_share_of_the_training_rows_and_most_rows_from_elsewhere():
    rows = training(2_000)
    wrapped = Detector(schema=table_schema(), refused=0.02).apply(forest(rows), rows, RNG)
    assert float(wrapped.refuses(rows.x).mean()) == pytest.approx(0.02, abs=0.001)
    assert float(wrapped.refuses(table(2_000, 9)).mean()) < 0.05
    far = table(200, 9)
    far[:, 10] += 500
    assert wrapped.refuses(far).all()


@pytest.mark.parametrize("kind", [ScoreKind.PROBABILITIES, ScoreKind.MARGIN, ScoreKind.LOGITS])
def test_a_refused_row_scores_above_every_clean_row_and_higher_the_further_out(kind):
    from temper.targets.function import Function

    rows, toy = training(), Trainable.fitted(training())
    logit = toy.inner.logit
    shown = {
        ScoreKind.PROBABILITIES: toy.scores,
        ScoreKind.MARGIN: lambda x: logit(x)[:, None],
        ScoreKind.LOGITS: lambda x: np.stack([-logit(x) / 2, logit(x) / 2], axis=1),
    }
    target = Function(call=shown[kind], kind=kind, classes=2, version="1")
    wrapped = Detector(schema=table_schema()).apply(target, rows, RNG)
    far = np.repeat(table(1, 3), 3, axis=0)
    far[:, 10] += (400, 800, 1600)
    gap = {ScoreKind.MARGIN: lambda s: s[:, 0]}.get(kind, lambda s: s[:, 1] - s[:, 0])
    outside, inside = gap(wrapped.scores(far)), gap(target.scores(rows.x))
    assert (outside > inside.max()).all() or kind is ScoreKind.PROBABILITIES
    assert (outside >= gap(np.array([[0.001, 0.999]])) - 1e-9).all()
    assert (np.diff(outside) > 0).all() or (outside > 0.9999).all()


def test_the_gradient_through_a_detector_is_that_of_the_score_it_shows():
    rows = training(1_000)
    wrapped = Detector(schema=table_schema()).apply(Trainable.fitted(rows), rows, RNG)
    x = np.nan_to_num(table(8, 3))
    x[::2, 0] += 60  # an amount far beyond its total: no training row looks like this
    assert wrapped.refuses(x)[::2].all()
    _, found = wrapped.gradient(x, lambda s: np.stack([0 * s[:, 1], 1 + 0 * s[:, 1]], axis=1))
    step = 1e-4
    for at in (0, 1, 8, 10):
        up, down = x.copy(), x.copy()
        up[:, at] += step
        down[:, at] -= step
        slope = (wrapped.scores(up)[:, 1] - wrapped.scores(down)[:, 1]) / (2 * step)
        np.testing.assert_allclose(found[:, at], slope, rtol=1e-3, atol=1e-8)


def test_several_classes_have_no_refusal(data):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3)).eval()
    with pytest.raises(Unsupported, match="class 1"):
        Detector(schema=BOX).apply(open_target(model), data, RNG)
    with pytest.raises(TemperError, match="refuses a share"):
        Detector(refused=0.7)
