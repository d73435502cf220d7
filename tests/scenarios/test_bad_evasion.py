"""Bad input to an attack: each case is one clear sentence or an honest answer, never a crash and never a false HELD."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import temper
from temper.config.reading import parse
from temper.config.system import _actor
from temper.core.attack import Scene
from temper.core.errors import ConfigError, ContractError, SchemaError, TemperError
from temper.core.measure import Status
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.target import Access, ScoreKind
from temper.core.text import TextSchema
from temper.engine.assess import vet
from temper.engine.one_attack import attack_rows
from temper.judges.misclassified import Misclassified
from temper.targets.contract import check
from temper.targets.oracle import Oracle
from temper.testing import masked
from temper.testing.scenes import picture_model, picture_scene, text_model

torch = pytest.importorskip("torch")

BOX = Schema.box(0, 1)
BALL = temper.Budget(norm="linf", radius=0.1, queries=200)
ATTACKS = ["evasion.pgd", "evasion.fmn", "evasion.square", "evasion.noise"]
COLUMNS = tuple(Column(name=name, low=0, high=10, attacker=Mutability.FREE) for name in "ab")


def attacked(attack: str, x: Any, y: Any, target: Any = None, **more: Any) -> Any:
    settings = {"budget": BALL, "schema": BOX} | more
    return temper.attack(target or temper.target(masked.honest()), attack, x, y, **settings)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_radius_of_nothing_gives_the_rows_back_bit_for_bit(attack: str) -> None:
    x, y = masked.rows(6)
    found = attacked(attack, x, y, budget=replace(BALL, radius=0.0))
    assert found.x_adv.tobytes() == x.astype(found.x_adv.dtype).tobytes()
    assert "broken" not in found.verdicts.tolist()
    assert not [said for said in found.checks if "gradient" in said]


@pytest.mark.parametrize("attack", ATTACKS)
def test_rows_outside_their_declared_range_are_left_alone_and_said(attack: str) -> None:
    x, y = masked.rows(6)
    x[::2] += 0.9
    found = attacked(attack, x, y)
    assert found.verdicts[::2].tolist() == ["untried"] * 3
    assert found.queries[::2].tolist() == [0] * 3
    assert "the row lies outside its declared range [0, 1]: not attacked" in found.checks
    assert set(found.verdicts[1::2]) <= {"broken", "held"}


def test_rounding_at_the_edge_of_the_range_is_not_outside() -> None:
    x, y = masked.rows(2)
    x[0, 0, 0, 0] = 1.0 + 1e-8
    assert "untried" not in attacked("evasion.pgd", x, y).verdicts.tolist()


@pytest.mark.parametrize("attack", ATTACKS)
def test_rows_of_one_class_are_attacked_like_any_others(attack: str) -> None:
    x, y = masked.rows(12)
    found = attacked(attack, x[y == 1], y[y == 1])
    assert set(found.verdicts) <= {"broken", "held"}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_rows_are_no_crash(attack: str) -> None:
    x, y = masked.rows(2)
    found = attacked(attack, x[:0], y[:0])
    assert found.success_rate.value is None


def conv() -> Any:
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 2)).eval()


def test_channels_last_to_a_net_that_wants_them_first_are_answered_with_the_fix() -> None:
    x = np.random.default_rng(0).random((4, 8, 8, 3))
    for ask in (
        lambda: attacked("evasion.pgd", x, np.zeros(4, int), temper.target(conv())),
        lambda: check(temper.target(conv()), x, BOX),
    ):
        with pytest.raises(ContractError, match=r"channels last; for channels first give np.moveaxis\(x, -1, 1\)"):
            ask()


def test_logits_declared_as_probabilities_are_refused_with_the_fix() -> None:
    target = temper.target(masked.honest(), kind=ScoreKind.PROBABILITIES)
    with pytest.raises(ContractError, match=r"are no probabilities\n  fix: declare kind=ScoreKind\.LOGITS"):
        attacked("evasion.pgd", *masked.rows(4), target)


@pytest.mark.parametrize(("build", "says"), [(masked.half, "float16"), (masked.dropping, "training mode")])
def test_half_precision_and_training_mode_are_handled_and_said(build: Any, says: str) -> None:
    target: Any = temper.target(build())
    assert says in " ".join(target.remarks)
    assert attacked("evasion.pgd", *masked.rows(6), target).success_rate.value == 1.0


TABLE = np.array([[3.0, 3.0], [5.0, 4.0], [1.0, 9.0]])
SEARCHES = ["evasion.random_search", "evasion.coordinate", "evasion.moeva", "evasion.noise"]
WORDS = ["evasion.word_bug", "evasion.word_swap", "evasion.punctuation", "evasion.text_hard_label"]


def table(relations: tuple[str, ...] = (), attack: str = "evasion.random_search", x: Any = TABLE, **more: Any) -> Any:
    def answers(x: Any) -> Any:
        p = 1 / (1 + np.exp(-(x[:, 0] - x[:, 1] - 0.5)))
        return np.stack([1 - p, p], 1)

    settings = {
        "budget": temper.Budget(norm="linf", radius=2, queries=100),
        "schema": Schema(columns=COLUMNS, relations=relations),
        "y": answers(x).argmax(1),
    } | more
    return attacked(attack, x, target=temper.target(answers, classes=2), **settings)


def written(attack: str, x: list[str], y: list[int], **more: Any) -> Any:
    settings = {"budget": temper.Budget(norm="words", radius=2, queries=50), "schema": TextSchema()} | more
    return attacked(attack, x, np.array(y), text_model(), **settings)


@pytest.mark.parametrize("relations", [("a <= b", "b <= a - 1"), ("a + b >= 100",)])
def test_relations_that_no_row_satisfies_are_refused_by_name(relations: tuple[str, ...]) -> None:
    with pytest.raises(SchemaError, match="not one of 3 rows satisfies the schema's relations") as told:
        table(relations)
    assert relations[-1] in str(told.value)


def test_an_assessment_refuses_such_relations_before_anything_is_spent() -> None:
    schema = Schema(columns=COLUMNS, relations=("a <= b", "b <= a - 1"))
    x = np.random.default_rng(0).uniform(1, 9, (20, 2))
    system = temper.System(model=lambda x: np.full((len(x), 2), 0.5), data=(x, np.arange(20) % 2), schema=schema)
    with pytest.raises(SchemaError, match="not one of 20 rows"):
        vet(system)


@pytest.mark.parametrize("attack", SEARCHES)
def test_contradictions_that_some_rows_break_bind_the_others_and_are_said(attack: str) -> None:
    x = np.array([[4.0, 4.0], [4.5, 3.9], [4.0, 9.0]])
    found = table(("a <= 4", "a >= 4"), attack, x)
    assert "1 of 3 rows break 'a <= 4' as they came: it binds them only as far as they keep it" in found.checks
    assert not any("'a >= 4'" in said for said in found.checks)
    assert found.verdicts.tolist() == ["broken", "broken", "held"]
    assert found.x_adv[[0, 2], 0].tolist() == [4.0, 4.0]
    assert 4.0 <= found.x_adv[1, 0] <= 4.5


@pytest.mark.parametrize("attack", SEARCHES)
def test_rows_of_a_table_outside_their_range_are_attacked_no_further_out_and_said(attack: str) -> None:
    x = np.array([[14.0, 4.0], [5.0, 4.0]])
    found = table((), attack, x)
    assert "1 of 2 rows lie outside a [0, 10] as they came: their own value is the limit" in found.checks
    assert found.x_adv[:, 0].max() <= 14.0


@pytest.mark.parametrize("attack", SEARCHES)
def test_a_radius_of_nothing_gives_a_table_back_bit_for_bit(attack: str) -> None:
    found = table((), attack, budget=temper.Budget(norm="linf", radius=0.0, queries=50))
    assert found.x_adv.tobytes() == TABLE.tobytes()
    assert set(found.verdicts) == {"held"}


@pytest.mark.parametrize("attack", SEARCHES)
def test_rows_of_a_table_of_one_class_are_attacked_like_any_others(attack: str) -> None:
    assert set(table((), attack, TABLE[:1].repeat(3, axis=0)).verdicts) == {"broken"}


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.array(["yes", "no", "no"]), "y holds 'yes', no class number"),
        (np.array([0.5, 1, 0]), r"y holds 0\.5, no class number"),
        (np.array([0, 1, 2]), "y holds classes 0 to 2, the target has 0 to 1"),
        (np.array([0, 1]), r"y has the shape \(2,\) for 3 rows"),
    ],
)
def test_a_truth_of_no_class_numbers_is_refused(y: Any, said: str) -> None:
    with pytest.raises(TemperError, match=said):
        table(y=y)


@pytest.mark.parametrize("attack", ["evasion.capgd", "evasion.caa"])
@pytest.mark.parametrize("fault", ["", "half", "dropout"])
def test_nets_on_tables_are_attacked_with_their_slopes_whatever_their_state(attack: str, fault: str) -> None:
    """A module's rows lie on its own device elsewhere; a table's rules are NumPy's."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.9 if fault == "dropout" else 0.0))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
        net[0].bias.zero_()
    target: Any = temper.target((net.half() if fault == "half" else net).train(fault == "dropout"))
    whole = (replace(COLUMNS[0], type="integer"), COLUMNS[1])
    x = np.array([[3.0, 3.5], [5.0, 4.0], [1.0, 9.0]])
    schema = Schema(columns=whole, relations=("b <= 9.5",))
    found = attacked(attack, x, np.array([0, 1, 0]), target, schema=schema, budget=replace(BALL, radius=1.0))
    assert found.verdicts.tolist() == ["broken", "broken", "held"]


@pytest.mark.parametrize("attack", WORDS)
def test_texts_without_a_word_that_may_change_are_untried_and_said(attack: str) -> None:
    found = written(attack, ["{0.5}", "", " "], [1, 0, 0], schema=TextSchema(protected=r"\{[^}]*\}"))
    assert found.verdicts.tolist() == ["untried"] * 3
    assert found.checks == ("the attack found nothing to ask",)


@pytest.mark.parametrize("attack", [*WORDS, "evasion.noise"])
def test_a_radius_of_nothing_gives_texts_back_as_they_are(attack: str) -> None:
    x = ["free prize\u200b", " love  story ", ""]
    found = written(attack, x, [1, 0, 0], budget=temper.Budget(norm="edits", radius=0.0, queries=50))
    assert found.x_adv.tolist() == x
    assert "broken" not in found.verdicts.tolist()


@pytest.mark.parametrize("attack", WORDS)
def test_texts_of_one_class_are_attacked_like_any_others(attack: str) -> None:
    assert written(attack, ["free cash", "win cash"], [1, 1]).verdicts.tolist() == ["broken", "broken"]


@pytest.mark.parametrize("norm", ["edits", "words"])
def test_norms_of_texts_are_refused_for_rows_of_numbers(norm: str) -> None:
    with pytest.raises(SchemaError, match=f"no distance in '{norm}'\n  fix: use linf, l2, l1, l0 or cost"):
        BOX.distance(np.zeros((1, 2)), np.zeros((1, 2)), norm)
    with pytest.raises(TemperError, match="these rows are measured in one of linf"):
        attacked("evasion.noise", *masked.rows(4), budget=replace(BALL, norm=norm))
    with pytest.raises(ConfigError, match=f"norm is {norm!r}, expected one of linf, l2, l1, l0, cost"):
        _actor(parse(f"{{name: x, norm: {norm}, radius: 1}}"))


def test_gradients_that_are_no_numbers_are_said() -> None:
    x, y = masked.rows(6, gap=0.16)
    found = attacked("evasion.pgd", x, y, temper.target(masked.broken_gradient()))
    assert found.success_rate.status is Status.INCONCLUSIVE
    assert any("not finite" in said for said in found.checks)


def test_random_moves_are_never_handed_a_tensor(monkeypatch: Any) -> None:
    from temper.attacks.evasion.noise import Noise

    seen, own = [], Noise.run
    monkeypatch.setattr(
        Noise, "run", lambda self, oracle, scene, rng: seen.append(scene.x) or own(self, oracle, scene, rng)
    )
    attacked("evasion.pgd", *masked.rows(4))
    assert [type(x) for x in seen] == [np.ndarray]


def opened(**more: Any) -> tuple[Oracle, Scene]:
    scene = replace(picture_scene(4), **more)
    return Oracle(picture_model(), scene, Misclassified(), Access.SCORES), scene


def test_out_of_time_nothing_is_held_whatever_the_attack_says() -> None:
    oracle, scene = opened(budget=temper.Budget(norm="linf", radius=0.2, seconds=0.0))
    oracle.scores(scene.x, np.arange(4))
    assert not len(oracle.active)
    oracle.done(np.arange(4))
    assert set(oracle.evidence().verdicts) == {"untried"}


def test_which_rows_are_broken_is_known_without_a_copy_of_the_best() -> None:
    oracle, scene = opened()
    rng = Draws(0, "test")
    for step in range(10):
        rows = oracle.active
        noise = rng.uniform(rows, step, scene.x.shape[1:], -0.2, 0.2)
        oracle.scores(np.clip(scene.x[rows] + noise, 0, 1), rows)
        np.testing.assert_array_equal(oracle.broken, np.isfinite(oracle.best[1]))


class Coin:
    """A model whose answer is wrong once in a while, whatever it is asked."""

    name, access, kind, classes, stochastic, digest = "coin", Access.SCORES, ScoreKind.PROBABILITIES, 2, True, ""

    def __init__(self, wrong: float) -> None:
        self.rng, self.wrong = np.random.default_rng(0), wrong

    def scores(self, x: Any) -> Any:
        p = np.where(self.rng.random(len(x)) < self.wrong, 0.9, 0.1)
        return np.stack([1 - p, p], 1)


@pytest.mark.parametrize(("wrong", "broken"), [(0.15, 0), (0.97, 8)])
def test_one_lucky_answer_of_a_random_model_ends_nothing(wrong: float, broken: int) -> None:
    scene = replace(picture_scene(8), y=np.zeros(8, int), budget=temper.Budget(norm="linf", radius=0.2))
    oracle = Oracle(Coin(wrong), scene, Misclassified(), Access.SCORES)  # type: ignore[arg-type]
    for _ in range(6):
        rows = oracle.active
        if len(rows):
            oracle.scores(scene.x[rows] + 0.01, rows)
    assert oracle.broken.sum() == broken
    oracle.done(np.arange(8))
    found = oracle.evidence()
    assert (found.verdicts == "broken").sum() == broken
    assert (found.queries > 6).any()  # asking again is charged


def test_the_budget_of_a_random_model_is_never_overdrawn() -> None:
    scene = replace(picture_scene(8), y=np.zeros(8, int), budget=temper.Budget(norm="linf", radius=0.2, queries=13))
    oracle = Oracle(Coin(0.5), scene, Misclassified(), Access.SCORES)  # type: ignore[arg-type]
    for _ in range(20):
        rows = np.repeat(oracle.active, 2)
        if len(rows):
            oracle.scores(scene.x[rows] + 0.01, rows)
    assert (oracle.evidence().queries <= 13).all()


def test_an_attack_through_the_public_door_does_not_ask_for_more_than_it_was_given() -> None:
    scene = picture_scene(6)
    outcome = attack_rows(picture_model(), "evasion.square", scene, 0, {"restarts": 3})
    assert (outcome.found.queries <= (scene.budget.queries or 0)).all()
