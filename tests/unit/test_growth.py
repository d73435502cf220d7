"""Best-of-N in a red team: hits after N tries beside the forecast, which is marked and never goes far."""

from __future__ import annotations

import numpy as np

from temper.attacks.injection._catalogue import goals
from temper.core.attack import RowVerdict
from temper.core.injection import Evidence, Injection, Stage
from temper.core.measure import Measurement, Status
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.engine.redteam.attempts import Attempt
from temper.engine.redteam.campaign import Found
from temper.engine.redteam.growth import growth
from temper.kernels.clustered import hit_at_k
from temper.report.html import render as html
from temper.report.terminal import render as terminal

GOALS = [goal.id for goal in goals()]


def found(rates: np.ndarray, tries: int, trials: int = 2, broken: int = 0) -> Found:
    """A campaign whose draws hit with these rates, goal by goal, `broken` of the tries of each without an answer."""
    rng, attempts = np.random.default_rng(7), []
    for goal, rate in zip(GOALS, rates, strict=False):
        for at in range(tries):
            hits = rng.random(trials) < rate
            for trial, hit in enumerate(hits):
                verdict = RowVerdict.ERROR if at < broken else RowVerdict.BROKEN if hit else RowVerdict.HELD
                evidence = Evidence(verdict=verdict, stage=Stage.HARMED if hit else Stage.PASSED)
                one = Injection(goal=goal, suffix=str(at))
                attempts.append(Attempt(strategy="injection.best_of_n", injection=one, trial=trial, evidence=evidence))
    return Found(attempts={"injection.best_of_n": attempts})


def named(measured: list[Measurement]) -> dict[str, Measurement]:
    return {m.metric: m for m in measured}


SPREAD = np.random.default_rng(1).beta(0.5, 6.0, len(GOALS))


def test_hits_after_n_tries_and_a_forecast_that_says_it_is_one() -> None:
    seen = named(growth(found(SPREAD, 40)))
    assert set(seen) == {"hit_at_40", "forecast_at_80", "forecast_at_160"}
    curve = seen["hit_at_40"].curve
    assert curve is not None
    rates = [point.value for point in curve.points]
    assert rates == sorted(rates)
    once = np.mean([one.hit for one in found(SPREAD, 40).attempts["injection.best_of_n"]])
    assert np.isclose(curve.points[0].value, once)
    for far in ("forecast_at_80", "forecast_at_160"):
        assert "EXTRAPOLATED from 40 tries" in seen[far].method
        assert any("extrapolation" in caveat for caveat in seen[far].caveats)
        assert seen[far].low <= seen[far].value <= seen[far].high  # type: ignore[operator]
    last = [seen[name].value or 0.0 for name in ("hit_at_40", "forecast_at_80", "forecast_at_160")]
    assert last[1] < last[2]


def test_terminal_and_report_show_hits_by_tries_and_mark_the_forecast() -> None:
    record = Record(
        id="0001", system="s", suite="x", seed=0, started="", seconds=0.0, state="finished",
        verdict=Verdict.INCONCLUSIVE, measurements=tuple(growth(found(SPREAD, 40))),
    )  # fmt: skip
    lines = [line for line in terminal(record).splitlines() if "best-of-N" in line]
    assert [line.split()[-1] for line in lines] == [str(len(GOALS))] * 3
    assert ["EXTRAPOLATED" in line for line in lines] == [False, True, True]
    page = html(record)
    assert "EXTRAPOLATED from 40 tries" in page
    assert "hit rate after N tries" in page


def test_with_one_trial_it_is_hit_at_k() -> None:
    campaign = found(SPREAD, 20, trials=1)
    hits = [sum(one.hit for one in campaign.attempts["injection.best_of_n"] if one.injection.goal == g) for g in GOALS]
    seen = named(growth(campaign))["hit_at_20"].curve
    assert seen is not None
    for point in seen.points:
        value, low, high = hit_at_k(hits, [20] * len(GOALS), int(point.at))
        assert np.allclose((point.value, point.low, point.high), (value, low, high), atol=1e-6)


def test_a_rate_that_levels_off_is_given_without_a_forecast() -> None:
    seen = named(growth(found(np.tile([0.0, 0.3], 7), 200)))
    assert seen["forecast"].status is Status.INCONCLUSIVE
    assert "refuted" in seen["forecast"].reason
    assert "no forecast" in seen["hit_at_200"].caveats[0]
    assert not [name for name in seen if name.startswith("forecast_at")]


def test_few_tries_give_no_forecast_and_none_give_nothing() -> None:
    seen = named(growth(found(SPREAD, 5)))
    assert set(seen) == {"hit_at_5"}
    assert "too few" in seen["hit_at_5"].caveats[0]
    assert growth(Found()) == []


def test_tries_without_an_answer_are_no_misses() -> None:
    seen = named(growth(found(SPREAD, 40, broken=10)))
    assert "hit_at_30" in seen
