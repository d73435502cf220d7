"""Chained techniques break a planted model that gives way, get nothing of one that does not, and all is charged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from temper.attacks._practice import lowest
from temper.attacks.technique._asking import Lessons, level, sent
from temper.attacks.technique.bunch import Bunch
from temper.attacks.technique.direct import Direct
from temper.attacks.technique.honest_rows import HonestRows
from temper.attacks.technique.member import Member
from temper.attacks.technique.poison_feedback import PoisonFeedback
from temper.attacks.technique.steal import Steal
from temper.attacks.technique.transfer import Transfer
from temper.core.attack import Scene
from temper.core.budget import Budget
from temper.core.campaign import DAY, Aim, Attacker, Objective
from temper.core.errors import TemperError
from temper.core.seed import Draws
from temper.core.stage import Level
from temper.engine.campaign.door import Told
from temper.engine.campaign.ground import Ground
from temper.testing.technique import EDGE, SCHEMA, Desk, score, toy_ground

ROWS = 10


@dataclass(slots=True, kw_only=True, eq=False)
class Stubborn(Desk):
    """Stops whatever nobody can change: the age alone decides."""

    def ask(self, row: Any, account: str, pace: float) -> Told:
        told = Desk.ask(self, row, account, pace)
        return replace(told, score=0.9, flagged=True)


@dataclass(slots=True, kw_only=True, eq=False)
class Suspicious(Desk):
    """Holds up every row it has not on its list."""

    known: set[bytes] = field(default_factory=set)

    def ask(self, row: Any, account: str, pace: float) -> Told:
        told = Desk.ask(self, row, account, pace)
        held = row.tobytes() not in self.known
        return replace(told, level=int(Level.REVIEW) if held else 0, flagged=told.flagged or held)


@dataclass(slots=True, kw_only=True, eq=False)
class Busy(Desk):
    """Turns away who comes a second time within a second."""

    free: float = 0.0

    def ask(self, row: Any, account: str, pace: float) -> Told:
        if self.now < self.free:
            return Told(at=self.now, status=429, after=self.free - self.now)
        self.free = self.now + 1.0
        return Desk.ask(self, row, account, pace)


@dataclass(slots=True, kw_only=True, eq=False)
class Gullible(Desk):
    """Is trained on the labels of others by the next day, row by row."""

    taught: set[bytes] = field(default_factory=set)

    def teach(self, x: Any, y: Any) -> int:
        self.taught |= {row.tobytes() for row in x}
        return len(x)

    def ask(self, row: Any, account: str, pace: float) -> Told:
        told = Desk.ask(self, row, account, pace)
        known = row.tobytes() in self.taught and self.now >= DAY
        return replace(told, flagged=told.flagged and not known)


class Remembers(Desk):
    """Is surer of every second suspect than the rows around it deserve."""

    __slots__ = ()

    def ask(self, row: Any, account: str, pace: float) -> Told:
        told = Desk.ask(self, row, account, pace)
        if row.tobytes() not in MEMBERS:
            return told
        line = np.log(told.score / (1.0 - told.score))
        return replace(told, score=float(1.0 / (1.0 + np.exp(-4.0 * line - np.sign(line)))))


MEMBERS: set[bytes] = set()


def field_of(door: Desk, aim: Aim = Aim.MOVE, left: int = 120, **attacker: Any) -> Ground:
    means: dict[str, Any] = {"queries": 500, "change": 5.0, "labels": 20, "pace": 0.0, **attacker}
    ground = toy_ground(aim, door, attacker=Attacker(**means))
    ground.begin(Objective(aim=aim, goal=1.0, amount="amount" if aim is Aim.MOVE else ""), "test", left)
    return ground


def play(ground: Ground, technique: Any, seed: int = 0) -> None:
    technique.play(ground, Draws(seed, "test"))


# -- a copy, and what it is good for ----------------------------------------------------------------------------------


def test_a_stolen_copy_takes_rows_past_the_model() -> None:
    ground = field_of(Desk())
    play(ground, Steal())
    assert ground.queries == 120
    assert abs(ground.kept["threshold"] - EDGE) < 0.05
    ground.begin(ground.objective, "transfer", 40)
    play(ground, Transfer())
    assert len(ground.got) >= 0.6 * ROWS
    assert all(SCHEMA.admits(one.x[None], ground.wanted.x[[one.row]]).all() and one.cost <= 5.0 for one in ground.got)


@pytest.mark.parametrize("technique", [Transfer(), Bunch(), Direct()])
def test_a_model_that_looks_at_what_is_fixed_lets_nothing_pass(technique: Any) -> None:
    ground = field_of(Stubborn())
    play(ground, Steal())
    ground.begin(ground.objective, "test", 60)
    ground.kept["threshold"] = EDGE
    play(ground, technique)
    assert ground.got == []


def test_answers_are_fed_back() -> None:
    ground = field_of(Desk(), left=20)
    play(ground, Steal())
    stolen = ground.kept["copy"]
    ground.begin(ground.objective, "transfer", 4)
    play(ground, Transfer(rounds=2, practice=20))
    tried = np.array([row for row, *_ in ground.told[20:]])
    off = [np.abs(copy.scores(tried) - score(tried)).mean() for copy in (stolen, ground.kept["copy"])]
    assert off[1] < off[0]


def test_rows_that_are_made_up_and_held_up_are_given_up_for_held_ones() -> None:
    door = Suspicious()
    ground = field_of(door)
    door.known |= {row.tobytes() for row in ground.known.x}
    ground.begin(ground.objective, "steal", 40)
    play(ground, Steal())
    assert ground.kept["natural"]
    asked = ground.queries
    ground.begin(ground.objective, "steal", 40)
    play(ground, Steal())
    assert {row.tobytes() for row, *_ in ground.told[asked:]} <= door.known


def test_a_turn_too_small_for_a_copy_keeps_none() -> None:
    ground = field_of(Desk(), left=4)
    play(ground, Steal())
    assert ground.queries == 4
    assert "copy" not in ground.kept


def test_small_changes_take_rows_past_the_model() -> None:
    ground = field_of(Desk())
    play(ground, Direct())
    assert len(ground.got) >= 0.5 * ROWS
    assert ground.queries <= 120


def test_honest_rows_show_the_threshold() -> None:
    ground = field_of(Desk())
    play(ground, HonestRows())
    assert abs(ground.kept["threshold"] - EDGE) < 0.1


def test_honest_rows_show_no_threshold_where_all_is_stopped() -> None:
    ground = field_of(Stubborn())
    play(ground, HonestRows())
    assert "threshold" not in ground.kept


# -- how they ask -----------------------------------------------------------------------------------------------------


def test_who_is_turned_away_comes_again_and_every_row_is_answered() -> None:
    ground = field_of(Busy(), left=60, accounts=("one",))
    reply = sent(ground, ground.known.x[:6])
    assert reply.answered.all()
    assert ground.clock >= 5.0


def test_the_threshold_lies_where_the_fewest_answers_contradict_it() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.7, 0.8, np.nan])
    assert level(scores, np.array([False, False, True, True, True, True])) == pytest.approx(0.25)
    assert level(scores, np.ones(6, dtype=bool)) == 0.5


def test_decisions_without_scores_are_lessons() -> None:
    ground = field_of(Desk(tells=False))
    lessons = Lessons.of(ground)
    lessons.learn(ground.known.x, sent(ground, ground.known.x), EDGE)
    copy = lessons.copy(ground)
    assert copy is not None
    flagged = score(ground.known.x) >= EDGE
    assert np.mean((np.asarray(copy.scores(ground.known.x)) >= EDGE) == flagged) > 0.9


def test_the_lowest_change_lies_within_the_price_and_below_what_chance_finds() -> None:
    ground = field_of(Desk())
    x = np.asarray(ground.wanted.x)
    scene = Scene(x=x, y=np.ones(ROWS), ids=np.arange(ROWS), schema=SCHEMA, budget=Budget(norm="cost", cost=2.0))
    few, many = (lowest(score, scene, np.arange(ROWS), Draws(0, "test"), tries) for tries in (2, 60))
    assert SCHEMA.admits(many[0], x).all()
    assert (SCHEMA.cost(many[0], x) <= 2.0 + 1e-9).all()
    assert many[1].mean() < few[1].mean() < score(x).mean()


# -- the others -------------------------------------------------------------------------------------------------------


def test_bunching_keeps_more_of_the_loot_than_the_lowest_amount() -> None:
    def loot(halvings: int) -> float:
        ground = field_of(Desk(), left=90)
        play(ground, Bunch(halvings=halvings))
        assert ground.got
        return float(np.mean([one.x[0] for one in ground.got]))

    assert loot(5) > loot(0) + 5.0


def test_labels_that_are_taken_let_the_wanted_rows_pass_as_they_are() -> None:
    ground = field_of(Gullible())
    play(ground, PoisonFeedback(spread=0.0))
    assert len(ground.got) == ROWS
    assert ground.taught == 20
    assert ground.queries == 20 + ROWS  # a label belongs to a request


def test_labels_that_change_nothing_win_nothing() -> None:
    ground = field_of(Desk())
    play(ground, PoisonFeedback())
    assert ground.got == []


def test_without_labels_nothing_is_asked() -> None:
    ground = field_of(Desk(), labels=0)
    play(ground, PoisonFeedback())
    assert ground.queries == 0
    assert ground.clock == 0.0


def guessed(door: Desk) -> float:
    """How much more often members are called members than others are."""
    ground = field_of(door, Aim.LEARN, left=40)
    inside = np.arange(len(ground.suspects)) % 2 == 0
    MEMBERS.clear()
    MEMBERS.update(row.tobytes() for row in ground.suspects[inside])
    play(ground, Member())
    said = np.array(ground.kept["members"])
    assert ground.queries == len(ground.suspects)
    return float(said[inside].mean() - said[~inside].mean())


def test_what_a_model_remembers_tells_who_was_there() -> None:
    assert guessed(Remembers()) > 0.4


def test_a_model_that_remembers_nobody_tells_nothing() -> None:
    assert abs(guessed(Desk())) < 0.3


def test_a_quota_smaller_than_the_suspects_goes_on_in_the_next_turn() -> None:
    ground = field_of(Desk(), Aim.LEARN, left=25)
    play(ground, Member())
    assert "members" not in ground.kept
    ground.begin(ground.objective, "member", 25)
    play(ground, Member())
    assert len(ground.kept["members"]) == len(ground.suspects)
    assert ground.queries == len(ground.suspects)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Steal(near=2.0),
        lambda: Transfer(tries=0),
        lambda: Bunch(margin=1.0),
        lambda: PoisonFeedback(days=0.0),
        lambda: Member(share=0.0),
    ],
)
def test_options_that_mean_nothing_are_refused(wrong: Any) -> None:
    with pytest.raises(TemperError, match="cannot be meant"):
        wrong()
