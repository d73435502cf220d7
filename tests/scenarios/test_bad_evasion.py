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


def table(relations: tuple[str, ...], attack: str = "evasion.random_search") -> Any:
    def answers(x: Any) -> Any:
        p = 1 / (1 + np.exp(-(x[:, 0] - x[:, 1] - 0.5)))
        return np.stack([1 - p, p], 1)

    x = np.array([[3.0, 3.0], [5.0, 4.0], [1.0, 9.0]])
    budget = temper.Budget(norm="linf", radius=2, queries=100)
    schema = Schema(columns=COLUMNS, relations=relations)
    return attacked(attack, x, answers(x).argmax(1), temper.target(answers, classes=2), schema=schema, budget=budget)


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


def test_a_relation_that_some_rows_break_is_not_refused() -> None:
    assert set(table(("a <= b",)).verdicts) <= {"broken", "held"}


def test_texts_without_a_word_that_may_change_are_untried_and_said() -> None:
    schema, budget = TextSchema(protected=r"\{[^}]*\}"), temper.Budget(norm="words", radius=2, queries=50)
    found = attacked(
        "evasion.word_bug", ["{0.5}", "", " "], np.array([1, 0, 0]), text_model(), schema=schema, budget=budget
    )
    assert found.verdicts.tolist() == ["untried"] * 3
    assert found.checks == ("the attack found nothing to ask",)


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
