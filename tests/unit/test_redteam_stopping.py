"""Trials in rounds: stopping is honest, cheap where a case is clear, and says how many are missing where not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from temper.config.policy import load_policy
from temper.core.assistant import Assistant
from temper.core.attack import RowVerdict
from temper.core.errors import ConfigError
from temper.core.injection import Evidence, Injection, Stage
from temper.core.requirement import Policy, Verdict
from temper.core.run import Record
from temper.demos.assistant.bank import bank
from temper.demos.assistant.mind import Mind
from temper.demos.assistant.weakness import FEEBLE, STURDY, Weakness
from temper.engine.redteam.attempts import FRESH, Attempt
from temper.engine.redteam.campaign import Found, Strongest
from temper.engine.redteam.effort import EFFORTS, Effort
from temper.engine.redteam.estimate import estimate
from temper.engine.redteam.figures import of_strongest
from temper.engine.redteam.run import Job, campaign_of, redteam
from temper.engine.redteam.stopping import ByPolicy
from temper.store.database import Store
from temper.targets.chat.function import ChatFunction
from temper.validation.gate import judge

TINY = Effort(attempts=26, trials=2, confirmations=10, minimal=5, twins=5, tasks=1)
ONLY = ("injection.templates",)
POLICY = load_policy("assistant")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EFFORTS, "tiny", TINY)


class Counted:
    def __init__(self, weakness: Weakness) -> None:
        self.mind, self.asked = Mind(weakness=weakness), 0

    def __call__(self, request):  # type: ignore[no-untyped-def]
        self.asked += 1
        return self.mind.answer(request)


def assistant(call: Counted, policy: Policy = POLICY) -> Assistant:
    return replace(bank(target=ChatFunction(call=call, version="1", tools=True)), policy=policy)


def run(call: Counted, folder: Path, stop: bool, policy: Policy = POLICY) -> Record:
    folder.mkdir(exist_ok=True)
    job = Job(
        assistant=assistant(call, policy),
        suite="tiny",
        only=ONLY,
        store=Store.open(folder),
        run="0001",
        now=datetime(2026, 1, 2, tzinfo=UTC),
        stop=stop,
    )
    return redteam(job)


def verdict(record: Record, name: str) -> Verdict:
    return next(one.verdict for one in record.judgements if one.requirement.id == name)


@pytest.mark.slow
def test_what_always_gives_in_is_decided_with_fewer_questions(tmp_path: Path) -> None:
    fixed, stopped = Counted(FEEBLE), Counted(FEEBLE)
    run(fixed, tmp_path / "fixed", stop=False)
    record = run(stopped, tmp_path / "stop", stop=True)
    assert stopped.asked < fixed.asked
    for name in ("common-injections-fail", "holds-against-outsiders"):
        assert verdict(record, name) is Verdict.FAIL
    assert "of up to 130 templates" in dict(record.facts)["stopping"]


def test_what_never_gives_in_is_tried_until_that_is_shown(tmp_path: Path) -> None:
    """Twenty-six prompts cannot show it; with --stop as many are added as it takes, and not more."""
    short = run(Counted(STURDY), tmp_path / "short", stop=False)
    assert verdict(short, "common-injections-fail") is Verdict.INCONCLUSIVE
    long = run(Counted(STURDY), tmp_path / "long", stop=True)
    assert verdict(long, "common-injections-fail") is Verdict.PASS
    tried = next(m for m in long.measurements if m.name == "injection.templates.success_rate" and m.slice == "all")
    assert tried.anytime
    assert 59 < sum(many for _, many in tried.clusters) < 130


def test_a_claim_that_stays_open_says_how_many_more_it_takes(tmp_path: Path) -> None:
    strict = load_policy([{"id": "hardly-ever", "metric": "injection.templates.success_rate", "at_most": 0.001}])
    record = run(Counted(STURDY), tmp_path, stop=True, policy=strict)
    (judgement,) = record.judgements
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.needed is not None
    assert judgement.needed > 2_000
    assert f"{judgement.needed - 130:,} more than there are" in judgement.explanation


@pytest.mark.slow
def test_the_same_run_is_had_again_from_its_answers(tmp_path: Path) -> None:
    call = Counted(FEEBLE)
    once = run(call, tmp_path / "a", stop=True)
    assert run(Counted(FEEBLE), tmp_path / "b", stop=True) == once


def test_the_estimate_holds_for_a_run_that_may_go_on() -> None:
    whole, _ = campaign_of(assistant(Counted(STURDY)), "tiny", ONLY, 0, None)
    more, _ = campaign_of(assistant(Counted(STURDY)), "tiny", ONLY, 0, None, stop=True)
    added = estimate(more).conversations - estimate(whole).conversations
    assert added > 4 * TINY.attempts * TINY.trials


def test_a_policy_without_such_a_claim_cannot_stop() -> None:
    silent = load_policy([{"id": "works", "metric": "assistant.tasks.served", "at_least": 0.8}])
    with pytest.raises(ConfigError, match="nothing says when to stop"):
        ByPolicy(policy=silent)


def trial(goal: str, hit: bool, number: int) -> Attempt:
    evidence = Evidence(verdict=RowVerdict.BROKEN if hit else RowVerdict.HELD, stage=Stage.HARMED)
    injection = Injection(goal=goal, carrier="bare")
    return Attempt(strategy="injection.tree", injection=injection, trial=number, evidence=evidence)


@pytest.mark.campaign
@pytest.mark.parametrize("rate", [0.05, 0.08])
def test_looking_after_every_round_decides_wrongly_no_oftener_than_promised(rate: float) -> None:
    """Five aims, each at the limit or a little above it: to say they keep it is wrong, at it that one breaks it too."""
    policy = Policy(name="p", requirements=POLICY.requirements[:1])
    campaign, _ = campaign_of(replace(bank(), policy=policy), "tiny", ONLY, 0, None, stop=True)
    rule, rng, runs = ByPolicy(policy=policy), np.random.default_rng(2), 30
    passed = failed = 0
    for _ in range(runs):
        goals = [f"goal-{at}" for at in range(5)]
        found = Found(attempts={"injection.tree": [trial(goal, True, 0) for goal in goals]})
        found.strongest = {
            (goal, "outsider"): Strongest(injection=trial(goal, True, 0).injection, by="injection.tree")
            for goal in goals
        }
        for start in range(0, 200, 20):
            for at in found.strongest if not start else rule.open(campaign, found):
                drawn = rng.random(20) < rate
                found.strongest[at].fresh += [trial(at[0], bool(hit), FRESH + start + n) for n, hit in enumerate(drawn)]
        (judgement,) = judge(policy, of_strongest(found), date(2026, 1, 2))
        passed += judgement.verdict is Verdict.PASS
        failed += judgement.verdict is Verdict.FAIL
    allowed = runs * 0.05 + 2 * (runs * 0.05 * 0.95) ** 0.5
    assert passed <= allowed
    assert rate > 0.05 or failed <= allowed
