"""The bank's quarter (SIMULATED): money is conserved, truth is not read early, controls do their part."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from temper.core.errors import TemperError
from temper.core.incident import Incident, Severity
from temper.core.seed import Draws
from temper.core.serving import Scoring
from temper.core.stage import ALLOWED, Decision, Level
from temper.demos.bank import trials
from temper.demos.bank.bank import Bank, Said
from temper.demos.bank.book import Post
from temper.demos.bank.desk import Desk
from temper.demos.bank.guard import Limit, Seen, objections
from temper.demos.bank.ledger import Sums
from temper.demos.bank.page import document, render
from temper.demos.bank.plan import CONTROLS, Plan
from temper.demos.bank.quarter import Quarter, Run
from temper.demos.bank.rules import Rules
from temper.demos.bank.simulated import Simulated
from temper.demos.bank.story import Story, chapters, summary
from temper.demos.bank.trials import Trials, effect
from temper.demos.bank.watch import Playbook, surges
from temper.demos.bank.world import NEVER, Payments, Told

Array = np.ndarray[Any, Any]
CHEAP = frozenset({"model", "rules", "quota", "review", "output", "fallback", "retraining", "challenger"})
PLAN = Plan(days=10, per_day=150, history=14, controls=CHEAP)


def ran(plan: Plan, **options: Any) -> Quarter:
    world = Simulated(seed=plan.seed, per_day=plan.per_day, opens=plan.opens, breach=plan.breach)
    return Run(world=world, plan=plan, **options).run()


@pytest.fixture(scope="module")
def quarter() -> Quarter:
    return ran(PLAN)


# -- money ----------------------------------------------------------------------------------------------------------


def test_money_is_conserved(quarter: Quarter) -> None:
    total = quarter.ledger.total
    assert total.attempted > 0
    assert total.stopped + total.lost == pytest.approx(total.attempted)
    by = quarter.ledger.stopped_by()
    assert sum(map(sum, by.values())) == pytest.approx(total.attempted)
    assert sum(by["lost"]) == pytest.approx(total.lost)


def test_what_layers_say_is_what_became_of_it(quarter: Quarter) -> None:
    attempts = quarter.ledger.attempts()
    through = np.concatenate([~day.stopped for day in quarter.ledger.days])
    assert np.array_equal(attempts.passed(attempts.layers), through)
    fraud = ~attempts.honest
    assert attempts.worth[fraud & through].sum() == pytest.approx(quarter.ledger.total.lost)
    assert set(attempts.actor[fraud]).isdisjoint(attempts.actor[~fraud])
    assert attempts.layers == ("quota", "rules", "model", "output", "review")


def test_the_same_seed_makes_the_same_quarter(quarter: Quarter) -> None:
    assert ran(PLAN).ledger.sums == quarter.ledger.sums
    assert ran(replace(PLAN, seed=1, controls=frozenset())).ledger.sums != quarter.ledger.sums


# -- truth ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True, eq=False)
class Hidden:
    """A world in which nothing is reported once the quarter has begun, and, `turned`, honest and fraud are swapped."""

    turned: bool
    inner: Simulated = field(default_factory=lambda: Simulated(seed=0, per_day=150, adaptive=False))
    last: ClassVar[Payments | None] = None

    @property
    def schema(self) -> Any:
        return self.inner.schema

    def history(self, days: int) -> list[Payments]:
        return self.inner.history(days)

    def day(self, number: int, told: Array | None) -> Payments:
        made = self.inner.day(number, None)
        fraud = ~made.fraud if self.turned else made.fraud
        Hidden.last = replace(made, fraud=fraud, reported=np.full(len(made), NEVER))
        return Hidden.last


class Peeks(Bank):
    """A bank that declines what is fraud before anybody has said so."""

    def decide(self, number: int, seen: Seen) -> Said:
        said = Bank.decide(self, number, seen)
        assert Hidden.last is not None
        said.levels[Hidden.last.fraud, 0] = Level.BLOCK
        return said


def law_reads_no_truth(makes: Callable[..., Bank]) -> None:
    """What is fraud, and is told to nobody, changes no decision."""
    plan = Plan(days=9, per_day=150, history=14, controls=frozenset({"model", "rules", "quota", "retraining"}))
    first, second = (Run(world=Hidden(turned=turned), plan=plan, makes=makes).run() for turned in (False, True))
    for one, other in zip(first.ledger.days, second.ledger.days, strict=True):
        assert np.array_equal(one.stopped, other.stopped)


def test_the_bank_reads_no_truth_before_it_is_reported() -> None:
    law_reads_no_truth(Bank)


def test_a_bank_that_peeks_is_caught() -> None:
    with pytest.raises(AssertionError):
        law_reads_no_truth(Peeks)


def test_the_post_brings_nothing_early() -> None:
    payments = replace(Simulated(seed=0, per_day=150).day(0, None), reported=np.full(1, 3))
    n = len(payments.amount)
    payments = replace(payments, reported=np.where(np.arange(n) % 2, 3, NEVER), fraud=np.ones(n, dtype=bool))
    post = Post()
    post.send(5, payments, np.arange(n), now=5)
    assert [len(post.arrived(day)[0]) for day in range(5, 12)] == [0, 0, 0, n // 2, 0, 0, 0]


# -- fraudsters -----------------------------------------------------------------------------------------------------


def earned(seed: int, adaptive: bool) -> float:
    """What fraudsters make in forty days against a guard that never changes: large amounts on new devices fail."""
    world = Simulated(seed=seed, per_day=120, adaptive=adaptive, opens=999, breach=999)
    told, amount, device = None, world.schema.index("amount"), world.schema.index("device_age")
    for number in range(40):
        rows = world.day(number, told).rows
        refused = (rows[:, amount] > 60.0) & (rows[:, device] < 20.0)
        told = np.where(refused, Told.DECLINED, Told.PASSED)
    return float(world.fraudsters.money.sum())


def test_fraudsters_who_learn_earn_no_less() -> None:
    gains = [earned(seed, True) - earned(seed, False) for seed in range(2)]
    assert np.mean(gains) >= 0.0


def test_honest_payments_are_the_same_whatever_fraudsters_do() -> None:
    calm, learns = (Simulated(seed=3, per_day=150, adaptive=adaptive) for adaptive in (False, True))
    one, other = (world.day(1, np.zeros(len(world.day(0, None)), dtype=np.int64)) for world in (calm, learns))
    assert np.array_equal(one.amount[~one.fraud], other.amount[~other.fraud])


# -- controls -------------------------------------------------------------------------------------------------------


def test_without_a_fallback_the_outage_declines_or_lets_through() -> None:
    day = PLAN.outage[0]
    blocks, opens, stands = (
        ran(replace(PLAN, controls=frozenset(names))).ledger.sums[day]
        for names in (("model", "output"), ("model",), ("model", "output", "fallback"))
    )
    assert blocks.rate > 0.2 > stands.rate
    assert opens.rate < 0.2


def test_without_lessons_the_first_models_stay(quarter: Quarter) -> None:
    still = ran(replace(PLAN, controls=PLAN.without("retraining", "review")))
    assert len(quarter.lessons) > 1 == len(still.lessons)
    assert quarter.ledger.total.hours > 0 == still.ledger.total.hours


def test_without_any_control_everything_goes_through() -> None:
    total = ran(replace(PLAN, controls=frozenset())).ledger.total
    assert total.stopped == 0.0
    assert total.false_declines == 0
    assert total.lost == pytest.approx(total.attempted)


def test_watching_opens_an_incident_for_the_outage_and_the_playbook_is_taken_back(tmp_path: Path) -> None:
    book, one = Playbook(folder=tmp_path), incident()
    did = book.run(one, threshold=0.5, to=0.2, most=3)
    assert len(did) == 2
    assert book.policy()["threshold"] == 0.2
    assert book.policy()["quota"]["burst"] == 3
    book.undo(one)
    assert not book.policy()
    book.close()


def incident() -> Incident:
    return Incident(id=1, title="more", severity=Severity.MAJOR, source="reports", opened=86_400.0, by="monitor")


def test_monitoring_watches_with_the_real_room() -> None:
    plan = replace(PLAN, days=8, controls=frozenset({"model", "monitoring", "fallback"}))
    found = ran(plan)
    assert "outage" in {one.source for one in found.incidents}
    assert not ran(replace(plan, controls=frozenset({"model"}))).incidents


def test_a_quota_counts_each_account() -> None:
    account = np.array([1, 2, 1, 1, 2, 1])
    seen = Seen(rows=np.zeros((6, 1)), amount=np.ones(6), account=account)
    assert Limit(most=2).refused(seen, 0).tolist() == [False, False, False, True, False, True]


def test_rules_stop_reported_accounts_and_unusual_amounts() -> None:
    rules = Rules()
    usual = Seen(rows=np.zeros((40, 1)), amount=np.full(40, 10.0), account=np.repeat(np.arange(4), 10))
    rules.learn([usual])
    rules.large = 500.0
    rules.reported(0, np.array([3]))
    seen = Seen(rows=np.zeros((4, 1)), amount=np.array([10.0, 150.0, 600.0, 10.0]), account=np.arange(4))
    assert rules.object(1, seen).tolist() == [False, True, True, True]
    assert rules.object(9, seen).tolist() == [False, True, True, False]


def test_stages_are_asked_row_by_row_where_they_object() -> None:
    class Odd:
        def check(self, scoring: Scoring) -> Decision:
            return Decision(level=Level.REVIEW) if (scoring.rows % 2 == 1).any() else ALLOWED

    rows = np.array([[0.0], [1.0], [2.0], [4.0], [5.0]] + [[6.0]] * 200)
    assert np.flatnonzero(objections(Odd(), rows, None)).tolist() == [1, 4]


def test_people_have_little_time() -> None:
    desk = Desk(draws=Draws(0, "test"), most=2)
    none = np.zeros(0, dtype=bool)
    first = desk.work(0, np.ones(4, dtype=bool), np.array([1.0, 9.0, 5.0, 2.0]), np.array([True, False, True, True]))
    assert first.place.tolist() == [1, 2]
    assert first.fraud.tolist() == [False, True]
    assert first.waiting == 2
    second = desk.work(1, none, np.zeros(0), none)
    assert second.place.tolist() == [3, 0]
    assert second.waiting == 0
    desk.work(2, np.ones(5, dtype=bool), np.arange(5.0), np.ones(5, dtype=bool))
    late = desk.work(3, np.ones(2, dtype=bool), np.array([90.0, 91.0]), np.ones(2, dtype=bool))
    assert late.late_place.tolist() == [0, 1, 2]
    assert late.place.tolist() == [1, 0]


def test_more_reports_than_usual_are_told() -> None:
    calm = [20, 18, 23, 19, 21, 20, 22, 17] * 2
    assert surges([*calm, 90])
    assert not surges([*calm, 24])
    assert not surges([90])


def test_an_unknown_control_is_named() -> None:
    with pytest.raises(TemperError, match="no control 'firewall'"):
        Plan(controls=frozenset({"firewall"}))


# -- with and without -----------------------------------------------------------------------------------------------


def test_trials_go_on_where_they_were_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Plan] = []

    def one(world: str, plan: Plan) -> Sums:
        if len(asked) == 5:
            raise KeyboardInterrupt
        asked.append(plan)
        return Sums(lost=1_000.0 - 50.0 * len(plan.controls) + plan.seed)

    monkeypatch.setattr(trials, "_one", one)
    options = {"plan": PLAN, "seeds": (1, 2), "path": tmp_path / "trials.jsonl"}
    with pytest.raises(KeyboardInterrupt):
        Trials(**options).run(1)
    first = list(asked)
    asked.clear()
    monkeypatch.setattr(trials, "_one", lambda world, plan: asked.append(plan) or Sums(lost=1_000.0 + plan.seed))
    again = Trials(**options)
    again.run(1)
    assert not {(p.seed, p.controls) for p in first} & {(p.seed, p.controls) for p in asked}
    assert len(again.worths()) == len(CONTROLS)
    assert again.worths()[0].cost.n == 2


def test_a_part_of_a_small_quarter_is_not_kept_for_one(quarter: Quarter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "run", lambda self: replace(quarter, whole=False))
    with pytest.raises(KeyboardInterrupt):
        trials._one(trials.SIMULATED, PLAN)


def test_an_effect_has_the_interval_of_its_pairs() -> None:
    found = effect([0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0])
    assert found.mean == 2.5
    assert found.low == pytest.approx(0.446, abs=1e-3)
    assert found.n == 4


# -- the story ------------------------------------------------------------------------------------------------------


def test_what_the_keyboard_breaks_off_says_so() -> None:
    def stops(number: int, ledger: Any, bank: Any) -> None:
        if number == 2:
            raise KeyboardInterrupt

    part = ran(replace(PLAN, controls=frozenset({"rules"})), listener=stops)
    story = Story(quarter=part, bare=None, trials=None, worths=(), models="none")
    assert not part.whole
    assert "3 of 10 days" in story.missing
    assert json.loads(document(story))["missing"] == story.missing


def test_the_story_is_told_in_chapters_and_says_that_it_is_simulated(quarter: Quarter) -> None:
    story = Story(quarter=quarter, bare=quarter, trials=None, worths=(), models="trees")
    assert [one.key for one in chapters(story)] == ["calm", "learn", "outage", "models", "incidents"]
    assert len(list(summary(story))) == 3
    page = render(story)
    assert page.count("SIMULATED") >= 5
    assert "<script" not in page
    assert "https:" not in page
    told = json.loads(document(story))
    assert told["simulated"]
    assert told["total"]["lost"] == pytest.approx(quarter.ledger.total.lost)
