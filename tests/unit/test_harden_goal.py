"""What one may rely on when defences against poisoning, extraction and inversion are tried."""

import builtins
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from temper.core.attack import Scene
from temper.core.data import Data
from temper.core.defence import Effect
from temper.core.errors import Unsupported
from temper.core.seed import Draws
from temper.core.target import Access, Recipe
from temper.engine.behind import behind, through
from temper.engine.effect import Tolerance
from temper.engine.harden_goal import _choose, _judge, besiege, harden_goal
from temper.engine.task import Sizes, World
from unit.payload_world import Boosted, rows, task, world

SIZES = Sizes(trained=2_000, held_out=2_000, replicates=200)


class Restrained(Boosted):
    """Memorises as told, and hears when it is asked to restrain itself."""

    def refit(self, data: Data, recipe: Recipe) -> Any:
        held = {"n_estimators": 15, "max_depth": 2, "learning_rate": 0.1} if recipe.regularise else {}
        fitted = Boosted.fitted(data, recipe.seed, **(dict(self.settings) | held))
        return Restrained(model=fitted.model, settings=self.settings, digest=f"{recipe.regularise}")


def remembering() -> World:
    """A model that knows its training rows by heart."""
    train, held_out = rows(2_000, 0), rows(2_000, 1)
    fitted = Boosted.fitted(train)
    return world(Restrained(model=fitted.model), train, held_out, SIZES)


def hardened(**more: Any) -> Any:
    siege = besiege(remembering(), [task("inversion.membership", SIZES)])
    return harden_goal(siege, ["regularise"], tolerance=Tolerance(recall=1.0, auc=1.0, alerts=10.0), **more)


def test_a_defence_that_helps_is_taken_and_confirmed_with_other_random_numbers() -> None:
    result = hardened()
    assert result.goal == "inversion"
    assert result.metric.startswith("inversion.membership.")
    assert result.chosen is not None
    gain = result.chosen.effects[0]
    assert gain.high < 0
    assert result.chosen.confirmed is not None
    assert result.chosen.confirmed.difference < 0
    assert "with other random numbers" in result.chosen.outcome
    assert result.system.target is result.chosen.target
    again = result.system.defend(rows(500, 3), Recipe(seed=1))
    assert again.model.n_estimators == 15, "whoever refits must meet the defence"


@pytest.mark.slow
def test_every_setting_of_the_ladder_is_tried_and_told_apart() -> None:
    names = [trial.defence for trial in hardened().trials]
    assert names == ["regularise", "regularise (strength 0.35)", "regularise (strength 1.0)"]


@pytest.mark.slow
def test_a_better_model_is_not_refused_for_the_alerts_its_forerunner_knew_by_heart() -> None:
    """On its training rows the remembering model alerts on every positive row, on others on far fewer."""
    chosen = hardened().chosen
    alerts = chosen.effect("alert_rate")
    assert abs(alerts.difference) < 0.01
    assert alerts.before < 0.9 * float(rows(2_000, 0).y.mean())


@pytest.mark.slow
def test_a_defence_whose_extra_is_not_installed_is_one_line_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = builtins.__import__

    def absent(name: str, *more: Any, **settings: Any) -> Any:
        if name.partition(".")[0] == "interpret":
            raise ModuleNotFoundError("No module named 'interpret'", name="interpret")
        return known(name, *more, **settings)

    for name in [name for name in sys.modules if name.partition(".")[0] == "interpret"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", absent)
    siege = besiege(remembering(), [task("inversion.membership", SIZES)])
    result = harden_goal(siege, ["dp_ebm", "regularise"], tolerance=Tolerance(recall=1.0, auc=1.0, alerts=10.0))
    assert [(skipped.name, skipped.why) for skipped in result.skipped] == [
        ("dp_ebm", "dp_ebm needs interpret, which is not installed; pip install 'temper-ml[private]'")
    ]
    assert result.chosen is not None


def test_masks_of_the_answers_leave_members_as_easy_to_find_as_before() -> None:
    siege = besiege(remembering(), [task("inversion.membership", SIZES)])
    result = harden_goal(siege, ["masked", "rounded"])
    first = {trial.defence: trial.effects[0] for trial in result.trials}
    assert result.chosen is None
    assert first.keys() >= {"masked", "rounded"}
    assert all(gain.after > 0.9 * gain.before > 0.1 for gain in first.values())


@pytest.mark.slow
def test_a_proof_that_costs_too_much_quality_is_priced_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("interpret")
    monkeypatch.setattr("temper.hardening.dp_ebm.DpEbm.ladder", ())
    sizes = replace(SIZES, references=2)
    siege = besiege(remembering(), [task("inversion.membership", sizes)])
    tight, wide = Tolerance(recall=0.0, auc=0.0, alerts=10.0), Tolerance(recall=1.0, auc=1.0, alerts=10.0)
    options = {"hardening.dp_ebm": {"epsilon": 0.05}}
    world = replace(siege.world, system=replace(siege.world.system, options=options))
    taken = harden_goal(replace(siege, world=world), ["dp_ebm"], tolerance=wide)
    (left,) = _judge(taken.trials, tight)
    assert _choose([left], tight) is None
    assert "costs more clean quality" in left.outcome
    assert left.effect("auc").high < -0.02
    assert taken.chosen is not None
    assert "differential privacy" in taken.system.target.remarks[0]
    again = taken.system.defend(rows(500, 3), Recipe(seed=1))
    assert again.delta == 1 / 5_000, "the reference models meet the same budget"


def test_a_defence_that_gives_back_what_was_won_before_is_left() -> None:
    def guard(target: object, threshold: float | None) -> Effect:
        shared = {"defence": "", "metric": "evasion.any.success_rate", "n": 100, "verdict": "worse"}
        return Effect(before=0.3, after=0.6, difference=0.3, low=0.2, high=0.4, **shared)

    result = hardened(guard=guard)
    assert result.chosen is None
    assert all("evasion.any.success_rate worse" in trial.outcome for trial in result.trials)


def test_a_price_beyond_what_is_tolerated_is_not_paid() -> None:
    siege = besiege(remembering(), [task("inversion.membership", SIZES)])
    result = harden_goal(siege, ["regularise"], tolerance=Tolerance(recall=0.0, auc=0.0, alerts=0.0))
    assert result.chosen is None or result.chosen.effect("auc").high >= 0
    assert result.system.target is (result.chosen.target if result.chosen else siege.world.target)


def test_nothing_to_compare_is_said() -> None:
    blind = remembering()
    blind = replace(blind, system=replace(blind.system, train=None))
    with pytest.raises(Unsupported, match="no training data"):
        besiege(blind, [task("inversion.membership", SIZES)])


class Doubled:
    """A defence that fits for itself, on every row twice."""

    needs = Access.RETRAIN

    def apply(self, target: Any, data: Data, rng: Draws) -> Any:
        twice = Data(x=np.concatenate([data.x, data.x]), y=np.concatenate([data.y, data.y]))
        return target.refit(twice, Recipe(seed=rng.integer()))


class Fronted:
    """A defence that stands before a model."""

    needs = Access.SCORES

    def apply(self, target: Any, data: Data, rng: Draws) -> Any:
        return ("front", target)


class Asked(Boosted):
    """Says how many rows it was fitted on."""

    def refit(self, data: Data, recipe: Recipe) -> Any:
        return ("fitted", len(data))


def test_defences_stack_in_the_order_they_were_taken() -> None:
    base: Any = Asked(model=None)
    data = rows(50, 0)
    first = behind(base, None, Doubled(), "doubled")
    assert first(data, Recipe()) == ("fitted", 100)
    second = behind(base, first, Fronted(), "fronted")
    assert second(data, Recipe()) == ("front", ("fitted", 100))
    third = behind(base, first, Doubled(), "doubled")
    assert third(data, Recipe()) == ("fitted", 200)
    assert through(base, None) is base
    assert through(base, first).refit(data, Recipe()) == ("fitted", 100)


def test_what_is_asked_of_a_fit_reaches_it_through_a_defence() -> None:
    seen: list[Recipe] = []

    class Heard(Boosted):
        def refit(self, data: Data, recipe: Recipe) -> Any:
            seen.append(recipe)
            return self

    base: Any = Heard(model=None)
    behind(base, None, Doubled(), "doubled")(rows(5, 0), Recipe(regularise=0.5, seed=8))
    assert [recipe.regularise for recipe in seen] == [0.5]


def test_a_defence_that_changes_nothing_is_said() -> None:
    here = remembering()

    class Same(Restrained):
        digest: str = "d1"

    held = Same(model=here.target.model)
    held.__dict__["refit"] = lambda data, recipe: held
    siege = besiege(remembering(), [task("inversion.membership", SIZES)])
    siege = replace(siege, world=replace(siege.world, system=replace(siege.world.system, target=held)))
    result = harden_goal(siege, ["regularise"])
    assert result.trials == ()
    assert "leaves the model as it is" in result.skipped[0].why


def test_a_refitted_target_answers_as_the_one_inside() -> None:
    here = remembering()
    around = through(here.target, here.target.refit)
    x = here.system.data.x[:20]
    np.testing.assert_array_equal(around.scores(x), here.target.scores(x))
    assert (around.name, around.access, around.digest) == (here.target.name, here.target.access, here.target.digest)
    assert isinstance(here.scene(task("inversion.membership", SIZES)), Scene)
