"""Labels that attackers have told: a system that learns whatever comes back is taken, one that looks is not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from temper.attacks.technique.poison_feedback import PoisonFeedback
from temper.core.answering import Learning
from temper.core.campaign import Aim, Attacker, Campaign, Objective
from temper.core.data import Data
from temper.core.errors import TemperError
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws
from temper.core.system import Exposure, Protected
from temper.engine.campaign.door import Once
from temper.engine.campaign.ground import Ground
from temper.engine.campaign.inside import Inside
from temper.engine.campaign.kept import _of
from temper.engine.campaign.learning import Lessons
from temper.targets.load import open_target
from unit.test_campaign_purple import Forgotten

WANTED, LABELS = 6, 30
BOX = {"low": -9.0, "high": 9.0}
SCHEMA = Schema(columns=tuple(Column(name=name, attacker=Mutability.COSTLY, **BOX) for name in "ab"))


@pytest.fixture(scope="module")
def system() -> Protected:
    """A tree, which learns what it is told; frauds lie where a and b are large together."""
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.Generator(np.random.Philox(key=5))
    x = np.round(rng.normal(size=(1_200, 2)), 3)
    y = (x.sum(axis=1) > 1.0).astype(np.int64)
    model = DecisionTreeClassifier(min_samples_leaf=2, random_state=0).fit(x[:600], y[:600])
    return Protected(
        name="tree",
        target=open_target(model),
        data=Data(x=x[600:], y=y[600:]),
        train=Data(x=x[:600], y=y[:600]),
        schema=SCHEMA,
        threshold=0.5,
    )


def poisoned(system: Protected, how: Learning, accounts: int = 1, spread: float = 0.0) -> tuple[Ground, Inside]:
    door = Inside(system=system, once=Once(journal=Forgotten(), scope="test"), lessons=Lessons(how=how))  # type: ignore[arg-type]
    stopped = np.flatnonzero((np.asarray(system.data.y) == 1) & (system.target.scores(system.data.x)[:, 1] >= 0.5))
    names = tuple(f"account-{at}" for at in range(accounts))
    attacker = Attacker(queries=200, pace=1.0, change=1.0, labels=LABELS, accounts=names)
    ground = Ground(
        campaign=Campaign(objectives=(Objective(aim=Aim.MOVE, goal=WANTED),), attacker=attacker),
        door=door,
        known=system.data.take([0]),
        wanted=system.data.take(stopped[:WANTED]),
        suspects=np.empty((0, 2)),
        full=SCHEMA,
        seed=0,
    )
    ground.begin(ground.campaign.objectives[0], "poison_feedback", 200)
    PoisonFeedback(spread=spread).play(ground, Draws(0, "test"))
    door.close()
    return ground, door


def test_a_system_that_learns_blindly_is_taken(system: Protected) -> None:
    ground, door = poisoned(system, Learning())
    assert ground.taught == LABELS
    assert len(ground.got) == WANTED
    assert door.lessons.told == [f"day 1: {LABELS} labels came back; a new model answers"]


def test_who_has_told_every_label_asks_about_nothing_more(system: Protected) -> None:
    ground, _ = poisoned(system, Learning(contradicted=False))
    asked = ground.queries
    ground.begin(ground.campaign.objectives[0], "poison_feedback", 100)
    PoisonFeedback().play(ground, Draws(0, "test"))
    assert (len(ground.open) > 0, ground.labels, ground.queries) == (True, 0, asked)


def test_rows_that_are_expected_after_a_night_are_asked_of_the_new_model_alone(system: Protected) -> None:
    _, door = poisoned(system, Learning())
    assert door.asked == LABELS + WANTED  # Forgotten keeps nothing, and no row was asked of both


def test_a_request_that_was_stopped_before_the_model_learnt_did_not_pass(system: Protected) -> None:
    ground, _ = poisoned(system, Learning())
    (one, told, who, by), row = ground.told[-1], ground.aimed[-1]
    ground.told.insert(0, (one, replace(told, at=0.5, flagged=True), who, by))
    ground.aimed.insert(0, row)
    fought: Any = SimpleNamespace(ground=ground)
    kept = _of(0, fought)
    assert kept["passed"].sum() == len(ground.got) == WANTED
    assert not (kept["passed"] & kept["stopped"]).any()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (Learning(contradicted=False), "30 labels came back, 0 are learnt"),
        (Learning(per_account=1), "1 labels came back"),
    ],
)
def test_a_system_that_looks_at_labels_is_not(system: Protected, how: Learning, said: str) -> None:
    ground, door = poisoned(system, how)
    assert len(ground.got) <= 1
    assert said in door.lessons.told[0]


def test_accounts_that_nothing_links_give_as_many_labels_as_they_are(system: Protected) -> None:
    one, ten = (poisoned(system, Learning(per_account=3), accounts)[0] for accounts in (1, 10))
    assert (one.taught, ten.taught) == (3, LABELS)
    assert len(ten.got) > len(one.got)


def test_known_frauds_stop_a_model_that_lets_them_pass(system: Protected) -> None:
    ground, door = poisoned(system, Learning(golden=1.0), spread=1.0)
    assert "so the one before goes on" in door.lessons.told[0]
    assert door.system.target is system.target
    assert ground.got == []


def test_only_what_was_asked_about_is_labelled_once_each_time(system: Protected) -> None:
    lessons, row = Lessons(), np.array([1.0, 2.0])
    assert lessons.take(system, row[None], np.zeros(1)) == 0
    lessons.heard(row, "one")
    assert lessons.take(system, np.array([row, row]), np.zeros(2)) == 1
    assert lessons.learnt(system, 1) is not None
    assert lessons.learnt(system, 2) is None  # nothing new came


def test_a_system_that_is_never_trained_again_takes_no_label(system: Protected) -> None:
    still = replace(system, exposure=Exposure(retrained=False))
    ground, _ = poisoned(still, Learning())
    assert (ground.taught, ground.clock < 86_400.0) == (0, True)


def test_a_screen_that_cannot_be_used_leaves_the_model_as_it_is(system: Protected) -> None:
    lessons, row = Lessons(how=Learning(screen="cleaned")), np.array([1.0, 2.0])
    lessons.heard(row, "one")
    lessons.take(system, row[None], np.zeros(1))
    alike: Any = Data(x=system.data.x, y=np.zeros(len(system.data.y), dtype=np.int64))
    assert lessons.learnt(replace(system, train=alike), 1) is None
    assert "nothing was fitted" in lessons.told[0]


def test_what_means_nothing_is_refused() -> None:
    for wrong in ({"per_account": -1}, {"golden": 1.5}):
        with pytest.raises(TemperError, match="cannot be meant"):
            Learning(**wrong)
