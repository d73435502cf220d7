"""Laws of a gate: no bad news ever helps to pass.

A law is given the gate, called as `judge(policy, measurements, today)`, one judgement per requirement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from temper.core.measure import Better, Measurement, Status
from temper.core.requirement import Judgement, Policy, Requirement, Verdict, Waiver
from temper.kernels.rate import measure_rate
from temper.testing.law import require

Judge = Callable[[Policy, Sequence[Measurement], date], Sequence[Judgement]]
TODAY = date(2026, 1, 31)
_ROWS = (1, 20, 59, 200)
_LIMITS = (0.0, 0.05, 0.3)
_ORDER = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)


def law_more_broken_rows_never_help(judge: Judge) -> None:
    """Between no row broken and all of them the verdict only ever gets worse."""
    for n in _ROWS:
        for limit in _LIMITS:
            verdicts = [_verdict(judge, _rate(count, n), at_most=limit) for count in range(n + 1)]
            ranks = [_ORDER.index(verdict) for verdict in verdicts]
            require(ranks == sorted(ranks, reverse=True), f"passes more broken rows of {n} at {limit:g}: {verdicts}")


def law_undecided_rows_never_help(judge: Judge) -> None:
    """A row nobody tried, in place of one that held (or of a good one), never leads to a better verdict."""
    for n in _ROWS[1:]:
        for count in (0, n // 10, n // 2):
            for sides in ({"at_most": 0.3}, {"at_least": 0.3}):
                verdicts = [_verdict(judge, _rate(count, n, u), **sides) for u in range(0, n - count + 1, 3)]
                ranks = [_ORDER.index(verdict) for verdict in verdicts]
                passed = [rank for rank in ranks if rank == _ORDER.index(Verdict.PASS)]
                require(ranks[: len(passed)] == passed, f"passes for rows that were never tried: {verdicts}")


def law_what_was_not_measured_never_passes(judge: Judge) -> None:
    """Untried, in error, inconclusive, without interval or absent: none of them is a pass."""
    good = _rate(0, 1_000)
    for status in (Status.UNTRIED, Status.ERROR, Status.INCONCLUSIVE):
        lost = replace(good, status=status, reason="it could not be measured")
        require(_verdict(judge, lost, at_most=0.3) is not Verdict.PASS, f"passes what is {status.value}")
        hollow = replace(lost, value=None, low=None, high=None, count=None, n=0)
        require(
            _verdict(judge, hollow, at_most=0.3) is not Verdict.PASS, f"passes an empty figure that is {status.value}"
        )
    bare = replace(good, count=None, low=None, high=None)
    require(_verdict(judge, bare, at_most=0.3) is not Verdict.PASS, "passes a figure without an interval")
    judged = judge(_policy(at_most=0.3), (), TODAY)
    require(len(judged) == 1, "says nothing of a requirement that nothing was measured for")
    require(judged[0].verdict is not Verdict.PASS, "passes a requirement that nothing was measured for")


def law_fewer_rows_never_help(judge: Judge) -> None:
    """The same rate on fewer rows is known less well: it may stop deciding, and never starts to pass."""
    for share in (0.0, 0.1, 0.5):
        verdicts = [_verdict(judge, _rate(round(share * n), n), at_most=0.2) for n in (10, 50, 250, 1_250)]
        passing = [verdict is Verdict.PASS for verdict in verdicts]
        require(passing == sorted(passing), f"passes on few rows what it does not pass on more: {verdicts}")


def law_the_unfavourable_end_decides(judge: Judge) -> None:
    """An estimate on the good side of the limit is no pass while its interval reaches across."""
    for low, value, high, sides in (
        (0.10, 0.19, 0.35, {"at_most": 0.2}),
        (0.60, 0.82, 0.90, {"at_least": 0.8}),
    ):
        open_figure = Measurement(plugin="toy", metric="rate", value=value, low=low, high=high, n=100)
        require(_verdict(judge, open_figure, **sides) is Verdict.INCONCLUSIVE, f"decides [{low}, {high}] by its middle")


def law_worst_measurement_decides(judge: Judge) -> None:
    """Of several figures a requirement speaks of, the worst one decides, in whatever order they come."""
    good, bad = _rate(0, 500), replace(_rate(400, 500), plugin="other")
    policy = Policy(name="toy", requirements=(Requirement(id="r", metric="*.success_rate", at_most=0.1),))
    for measured in ((good, bad), (bad, good)):
        require(judge(policy, measured, TODAY)[0].verdict is Verdict.FAIL, "passes the better of two figures")


def law_states_rows_and_interval(judge: Judge) -> None:
    """A decided judgement says on how many rows it stands and between which ends the figure lies."""
    for count in (0, 150):
        judged = judge(_policy(at_most=0.3), (_rate(count, 200),), TODAY)[0]
        require(judged.n == 200, f"does not state its 200 rows but {judged.n}")
        require(judged.low is not None and judged.high is not None, "does not state an interval")
        require(bool(judged.explanation), "does not explain itself")


def law_a_waiver_never_reads_as_a_pass(judge: Judge) -> None:
    """An accepted breach is WAIVED until its day, and a breach again after it."""
    for until, wanted in ((date(2026, 2, 1), Verdict.WAIVED), (date(2026, 1, 30), Verdict.FAIL)):
        waiver = Waiver(by="somebody", reason="for a while", until=until)
        rule = Requirement(id="r", metric="toy.success_rate", at_most=0.1, waiver=waiver)
        verdict = judge(Policy(name="toy", requirements=(rule,)), (_rate(200, 200),), TODAY)[0].verdict
        require(verdict is wanted, f"gives {verdict.value} for a breach with a waiver until {until}")


def _policy(**sides: Any) -> Policy:
    return Policy(name="toy", requirements=(Requirement(id="r", metric="toy.success_rate", **sides),))


def _rate(count: int, n: int, undecided: int = 0) -> Measurement:
    return measure_rate("toy", "success_rate", count, n, undecided=undecided, better=Better.LOWER)


def _verdict(judge: Judge, m: Measurement, **sides: Any) -> Verdict:
    policy = Policy(name="toy", requirements=(Requirement(id="r", metric=m.name, **sides),))
    judged = judge(policy, (m,), TODAY)
    require(len(judged) == 1, f"gives {len(judged)} judgements for one requirement")
    return judged[0].verdict


LAWS = (
    law_more_broken_rows_never_help,
    law_undecided_rows_never_help,
    law_what_was_not_measured_never_passes,
    law_fewer_rows_never_help,
    law_the_unfavourable_end_decides,
    law_worst_measurement_decides,
    law_states_rows_and_interval,
    law_a_waiver_never_reads_as_a_pass,
)
