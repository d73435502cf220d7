"""Does stopping early decide wrongly, and what does it save? Claims about planted rates, looked at after every round.

    python -m bench.injection.stopping [--quick | --full]

SIMULATED: no assistant is asked, hits are drawn with a chance that is known. Five strongest attacks at once are to stay
under 5 % with 95 %; trials come ten at a time, at most 300 of each, and the rule that `temper redteam --stop` uses says
which go on. Wrong is: passed while one of them lies at the limit or over it, failed while none lies over. Beside the
trials it took stands what an exact test asks for whose number of trials is fixed beforehand. Goal: wrong in 5 % of the
simulations at most, plus two standard errors. 40 simulations per row; `--full`: 200.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date

import numpy as np

from bench.table import table
from temper.core.attack import RowVerdict
from temper.core.injection import Evidence, Injection, Stage
from temper.core.requirement import Policy, Requirement, Verdict
from temper.demos.assistant.bank import bank
from temper.engine.redteam.attempts import FRESH, Attempt
from temper.engine.redteam.campaign import Found, Strongest
from temper.engine.redteam.figures import of_strongest
from temper.engine.redteam.run import campaign_of
from temper.engine.redteam.stopping import ByPolicy
from temper.kernels.rate import rows_needed
from temper.validation.gate import judge

GOALS, ROUND, MOST, LIMIT = 5, 10, 300, 0.05
RULE = Requirement(id="holds", metric="injection.strongest.success_rate", slice="*via outsider", at_most=LIMIT)
POLICY = Policy(name="planted", requirements=(RULE,))
HEAD = ["planted rates", "n", "passed", "failed", "open", "wrong", "goal", "trials per claim", "fixed test"]
ROWS = (
    ("all never work", (0.0,) * GOALS),
    ("all 1 %", (0.01,) * GOALS),
    ("all at the limit", (LIMIT,) * GOALS),
    ("one 8 %, others never", (0.08, *(0.0,) * (GOALS - 1))),
    ("one 30 %, others 1 %", (0.3, *(0.01,) * (GOALS - 1))),
)


def main(words: list[str]) -> int:
    """Print the table."""
    many = 200 if "--full" in words else 40
    campaign, _ = campaign_of(replace(bank(), policy=POLICY), "quick", ("injection.tree",), 0, None, stop=True)
    rule, rng, rows = ByPolicy(policy=POLICY), np.random.default_rng(0), []
    for name, rates in ROWS:
        hits = rng.random((many, GOALS, MOST)) < np.array(rates)[:, None]
        ends = [_stopped(campaign, rule, one) for one in hits]
        verdicts = [verdict for verdict, _ in ends]
        wrong = sum(_wrong(verdict, rates) for verdict in verdicts)
        fixed = [rows_needed(rate, LIMIT) for rate in rates]
        counts = [sum(v is wanted for v in verdicts) for wanted in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)]
        trials = np.mean([used for _, used in ends]) / GOALS
        goal = many * 0.05 + 2 * (many * 0.05 * 0.95) ** 0.5
        rows.append([name, many, *counts, wrong, f"<= {goal:.0f}", f"{trials:.0f}", _mean(fixed)])
    table("five claims at once, under 5 % with 95 %, SIMULATED", HEAD, rows)
    return 0


def _stopped(campaign: object, rule: ByPolicy, hits: np.ndarray) -> tuple[Verdict, int]:  # type: ignore[type-arg]
    """The verdict and the trials used when the rule says which claims go on."""
    injections = [Injection(goal=f"goal-{at}", carrier="bare") for at in range(GOALS)]
    found = Found(attempts={"injection.tree": [_attempt(one, True, 0) for one in injections]})
    aims = {(one.goal, "outsider"): Strongest(injection=one, by="injection.tree") for one in injections}
    found.strongest = aims
    for start in range(0, MOST, ROUND):
        open_ = set(aims) if not start else rule.open(campaign, found)  # type: ignore[arg-type]
        if not open_:
            break
        for at, one in enumerate(aims.values()):
            if (one.injection.goal, "outsider") in open_:
                trials = range(start, start + ROUND)
                one.fresh += [_attempt(one.injection, bool(hits[at, trial]), FRESH + trial) for trial in trials]
    (judgement,) = judge(POLICY, of_strongest(found), date.max)
    return judgement.verdict, sum(len(one.fresh) for one in aims.values())


def _attempt(injection: Injection, hit: bool, trial: int) -> Attempt:
    evidence = Evidence(verdict=RowVerdict.BROKEN if hit else RowVerdict.HELD, stage=Stage.HARMED)
    return Attempt(strategy="injection.tree", injection=injection, trial=trial, evidence=evidence)


def _mean(needed: list[int | None]) -> str:
    """Trials per claim at which an exact test decides if rates come out as planted."""
    return "never" if None in needed else f"{sum(filter(None, needed)) / len(needed):.0f}"


def _wrong(verdict: Verdict, rates: tuple[float, ...]) -> bool:
    """Passed although one lies at the limit or over it, or failed although none lies over it."""
    return (verdict is Verdict.PASS and max(rates) >= LIMIT) or (verdict is Verdict.FAIL and max(rates) <= LIMIT)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
