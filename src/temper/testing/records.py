"""A toy record with every kind of entry, whose free text can be made hostile."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from temper.core.finding import Example, Finding
from temper.core.measure import Better, Measurement, Status
from temper.core.requirement import Judgement, Requirement, Verdict, Waiver
from temper.core.run import Record, Skipped
from temper.core.schema import Change
from temper.kernels.rate import measure_rate

TAME = "a plain word"
HOSTILE = (
    "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"' ]]><!--&\x1b[31m\x1b]0;x\x07\x00\x9b31m"
    "\u202etxt.exe\u2066 [red]x[/red] {{7*7}} {0} \ud800"
)


def record(words: str = TAME, *, verdict: str = "fail", state: str = "finished", empty: bool = False) -> Record:
    """A run of one attack, one check and one stressor, three requirements; `words` stand in every free text."""
    made = Record(
        id="0007",
        system=words,
        suite="quick",
        seed=1,
        started="2026-01-31T12:00:00+00:00",
        seconds=3.5,
        state=state,
        verdict=Verdict(verdict),
        facts=(("model", words),),
        digests=(("model", "ab" * 32),),
        engine="serial",
        source="temper.yaml",
    )
    if empty:
        return made
    return replace(
        made,
        judgements=_judgements(words, Verdict(verdict)),
        measurements=_measurements(words),
        findings=(_finding(words),),
        scenarios=(f"[high] {words}",),
        skipped=(Skipped(name="evasion.toy", why=words),),
    )


def _measurements(words: str) -> tuple[Measurement, ...]:
    rate = measure_rate(
        "evasion.noise", "success_rate", 3, 40, undecided=2, better=Better.LOWER, caveats=(words,), slice="all"
    )
    gap = Measurement(
        plugin="fairness",
        metric="tpr_gap",
        value=0.1,
        low=0.02,
        high=0.2,
        n=90,
        unit=words,
        slice=f"column:{words}",
        method=words,
        better=Better.LOWER,
        baseline=((words, 0.05),),
    )
    lost = Measurement(plugin="stress.missing", metric="loss", value=None, status=Status.ERROR, reason=words)
    return rate, gap, lost


def _judgements(words: str, verdict: Verdict) -> tuple[Judgement, ...]:
    waiver = Waiver(by=words, reason=words, until=date(2026, 3, 1))
    rules = (
        Requirement(id=f"r1 {words}", metric="evasion.noise.success_rate", at_most=0.3, reason=words, line=4),
        Requirement(id=f"r2 {words}", metric="stress.missing.loss", at_most=0.1, reason=words),
        Requirement(id=f"r3 {words}", metric="fairness.tpr_gap", at_most=0.01, slice="*", reason=words, waiver=waiver),
    )
    return (
        Judgement(
            requirement=rules[0],
            verdict=verdict,
            measured="evasion.noise.success_rate",
            value=0.075,
            low=0.02,
            high=0.2,
            n=40,
            explanation=words,
        ),
        Judgement(requirement=rules[1], verdict=Verdict.ERROR, measured="stress.missing.loss", explanation=words),
        Judgement(
            requirement=rules[2],
            verdict=Verdict.WAIVED,
            measured="fairness.tpr_gap",
            value=0.1,
            low=0.02,
            high=0.2,
            n=90,
            explanation=words,
        ),
    )


def _finding(words: str) -> Finding:
    changes = (
        Change(column=words, before="1", after=words, cost=1.0),
        Change(column="total", before="1", after="2", cost=0.0, derived=True),
    )
    example = Example(sample=4, changes=changes, score_before=0.9, score_after=0.4, queries=12, cost=1.0)
    return Finding(
        id="F-1234",
        title=words,
        plugin="evasion.noise",
        metric="success_rate",
        severity="high",
        scenario=words,
        detail=words,
        examples=(example,),
        defences=("monotone",),
        references=(words,),
        line=3,
    )
