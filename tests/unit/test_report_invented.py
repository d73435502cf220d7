"""An invented but realistic run of a bank's fraud detector, shared by the report tests, and a hostile one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from temper.core.defence import Effect
from temper.core.finding import Example, Finding
from temper.core.measure import Better, Curve, Measurement, Point, Status
from temper.core.requirement import Judgement, Requirement, Verdict, Waiver
from temper.core.run import Record, Skipped
from temper.core.schema import Change
from temper.kernels.rate import measure_rate, wilson

HOSTILE = "<script>alert(1)</script>]]>&\x1b[31m\x1b]0;x\x07\x00\u202etxt.exe [red]bold[/red] {{7*7}} \ud800"


def broken_curve(name: str, axis: str, unit: str, top: float, end: int, n: int = 200) -> Curve:
    points = []
    for step in range(11):
        count = round(end * (step / 10) ** 0.6)
        low, high = wilson(count, n)
        points.append(Point(at=top * step / 10, value=count / n, low=low, high=high, n=n))
    return Curve(name=name, axis=axis, unit=unit, points=tuple(points))


def evasion() -> tuple[Measurement, ...]:
    noise = (("random moves, equal budget", 0.02),)
    search = measure_rate(
        "evasion.random_search",
        "success_rate",
        94,
        200,
        unit="share of rows",
        baseline=noise,
        queries=31_204,
        seconds=12.4,
        caveats=("power check: 48 of 50 breakable rows of a planted weak twin were broken",),
        curve=broken_curve("evasion.random_search", "cost to the attacker", "cost", 5.0, 94),
    )
    coordinate = measure_rate(
        "evasion.coordinate",
        "success_rate",
        71,
        200,
        undecided=22,
        unit="share of rows",
        baseline=noise,
        queries=38_110,
        seconds=15.0,
        curve=broken_curve("evasion.coordinate", "cost to the attacker", "cost", 5.0, 71),
    )
    noise_rate = measure_rate(
        "evasion.noise",
        "success_rate",
        4,
        200,
        unit="share of rows",
        queries=40_000,
        seconds=8.0,
        curve=broken_curve("evasion.noise", "cost to the attacker", "cost", 5.0, 4),
    )
    typical = Measurement(
        plugin="evasion.random_search", metric="queries_to_break", value=38.0, low=29.0, high=52.0, n=94, unit="queries"
    )
    return search, coordinate, noise_rate, replace(typical, slice="broken rows", method="order statistics")


def others() -> tuple[Measurement, ...]:
    doses = tuple(
        Point(at=at, value=value, low=value - 0.03, high=value + 0.04, n=412)
        for at, value in ((0.005, 0.01), (0.01, 0.03), (0.02, 0.07), (0.05, 0.18))
    )
    severities = tuple(
        Point(at=float(at), value=0.02 * at**1.4, low=0.02 * at**1.4 - 0.015, high=0.02 * at**1.4 + 0.02, n=5000)
        for at in range(1, 6)
    )
    return (
        Measurement(
            plugin="poisoning.label_flip_targeted",
            metric="recall_loss",
            value=0.18,
            low=0.15,
            high=0.22,
            n=412,
            unit="recall",
            better=Better.LOWER,
            baseline=(("refit noise", 0.011),),
            method="paired bootstrap",
            curve=Curve(name="recall loss", axis="share of training rows", unit="recall", points=doses),
            seconds=88.0,
        ),
        Measurement(
            plugin="stress.missing",
            metric="loss",
            value=severities[-1].value,
            low=severities[-1].low,
            high=severities[-1].high,
            n=5000,
            unit="AUC",
            better=Better.LOWER,
            curve=Curve(name="missing values", axis="severity", unit="AUC", points=severities),
        ),
        Measurement(
            plugin="stress.unit_error",
            metric="loss",
            value=0.31,
            low=0.28,
            high=0.34,
            n=5000,
            unit="AUC",
            better=Better.LOWER,
            curve=Curve(
                name="unit errors",
                axis="severity",
                unit="AUC",
                points=tuple(replace(p, value=p.value * 1.6, low=p.low * 1.6, high=p.high * 1.6) for p in severities),
            ),
        ),
        Measurement(
            plugin="performance",
            metric="auc",
            value=0.894,
            low=0.881,
            high=0.906,
            n=5000,
            better=Better.HIGHER,
            baseline=(("always negative", 0.5),),
            method="BCa",
        ),
        measure_rate("performance", "recall", 334, 412, better=Better.HIGHER, baseline=(("always negative", 0.0),)),
        Measurement(
            plugin="extraction.surrogate",
            metric="fidelity_f1",
            value=0.71,
            low=0.60,
            high=0.83,
            n=500,
            better=Better.LOWER,
            status=Status.INCONCLUSIVE,
            reason="the student was still improving at the last of 1,000 queries",
            baseline=(("always negative", 0.0), ("random labels", 0.08)),
        ),
        Measurement(
            plugin="inversion.membership",
            metric="tpr_at_1pct",
            value=None,
            status=Status.UNTRIED,
            reason="the target cannot be refitted: no parameters are known",
        ),
        measure_rate("artifact.scan", "unsafe_opcodes", 0, 59),
    )


def requirement(id: str, metric: str, **more: object) -> Requirement:
    return Requirement(id=id, metric=metric, **more)  # type: ignore[arg-type]


def judgements() -> tuple[Judgement, ...]:
    return (
        Judgement(
            requirement=requirement(
                "holds-against-search",
                "evasion.random_search.success_rate",
                at_most=0.20,
                severity="critical",
                reason="A fraudster with only scores and a few hundred tries must fail four times in five.",
                line=41,
            ),
            verdict=Verdict.FAIL,
            measured="evasion.random_search.success_rate",
            value=0.47,
            low=0.41,
            high=1.0,
            n=200,
            explanation="even the favourable end, 41.1 %, is above 20 %",
        ),
        Judgement(
            requirement=requirement(
                "holds-against-coordinate",
                "evasion.coordinate.success_rate",
                at_most=0.40,
                severity="high",
                reason="Moving one field at a time is what people do by hand.",
                line=46,
            ),
            verdict=Verdict.INCONCLUSIVE,
            measured="evasion.coordinate.success_rate",
            value=0.355,
            low=0.30,
            high=0.53,
            n=200,
            needed=2_870,
            explanation="22 rows are undecided; the limit lies inside the interval",
        ),
        Judgement(
            requirement=requirement("finds-the-positives", "performance.recall", at_least=0.75, line=51),
            verdict=Verdict.PASS,
            measured="performance.recall",
            value=334 / 412,
            low=0.776,
            high=1.0,
            n=412,
            explanation="the unfavourable end, 77.6 %, is above 75 %",
        ),
        Judgement(
            requirement=requirement("ranks-well", "performance.auc", at_least=0.85, line=55, reason="It must rank."),
            verdict=Verdict.PASS,
            measured="performance.auc",
            value=0.894,
            low=0.883,
            high=1.0,
            n=5000,
        ),
        Judgement(
            requirement=requirement(
                "survives-unit-errors",
                "stress.unit_error.loss",
                at_most=0.2,
                severity="medium",
                line=60,
                waiver=Waiver(by="R. Okafor", reason="the feed is replaced in March", until=date(2027, 4, 1)),
            ),
            verdict=Verdict.WAIVED,
            measured="stress.unit_error.loss",
            value=0.31,
            low=0.28,
            high=0.34,
            n=5000,
        ),
        Judgement(
            requirement=requirement(
                "keeps-members-private", "inversion.membership.tpr_at_1pct", at_most=0.05, severity="medium", line=66
            ),
            verdict=Verdict.ERROR,
            explanation="nothing was measured: the target cannot be refitted",
        ),
    )


def findings() -> tuple[Finding, ...]:
    first = Example(
        sample=1832,
        changes=(
            Change(column="amount", before="231.00", after="214.50", cost=0.8),
            Change(column="hour", before="2", after="11", cost=1.5),
            Change(column="night", before="yes", after="no", cost=0.0, derived=True),
        ),
        score_before=0.97,
        score_after=0.08,
        queries=38,
        cost=2.3,
    )
    second = Example(
        sample=20_417,
        changes=(Change(column="merchant_category", before="electronics", after="grocery", cost=2.0),),
        score_before=0.88,
        score_after=0.31,
        queries=12,
        cost=2.0,
    )
    return (
        Finding(
            id="F-7c1e",
            title="Evasion within 200 queries a row, cost 5: 94 of 200 correctly judged rows change sides",
            plugin="evasion.random_search",
            metric="success_rate",
            severity="critical",
            scenario="evasion-scores@fraudster",
            detail="Two columns the fraudster sets himself carry 83 % of the successful changes: hour and amount.",
            examples=(first, second),
            defences=("monotone", "augment"),
            references=("AML.T0015", "AML.T0043", "ML01"),
            line=41,
        ),
        Finding(
            id="F-19ad",
            title="Flipping 5 % of the training labels costs 18 points of recall",
            plugin="poisoning.label_flip_targeted",
            metric="recall_loss",
            severity="high",
            scenario="poisoning-labels@fraudster",
            defences=("regularise",),
            references=("AML.T0020", "ML02"),
        ),
    )


def fraud() -> Record:
    """A run that failed, with everything a report can show."""
    return Record(
        id="0001",
        system="card-fraud",
        suite="standard",
        seed=7,
        started="2026-07-30T09:12:44+00:00",
        seconds=212.4,
        state="finished",
        verdict=Verdict.FAIL,
        judgements=judgements(),
        measurements=(*evasion(), *others()),
        findings=findings(),
        scenarios=(
            "[critical] Evade the decision by probing the score, fraudster: a wrong decision on a chosen row",
            "[high] Corrupt labels that the next training run believes, fraudster: recall lost at the threshold",
            "[medium] Copy the model through its answers, competitor: a stolen copy to attack offline",
            "[low] Missing, mis-scaled or stale inputs: decisions degrade while nobody attacks",
        ),
        skipped=(
            Skipped(name="evasion.pgd", why="needs gradients, which trees do not have"),
            Skipped(name="membership", why="exposure.personal_data is no"),
        ),
        facts=(("attacked rows", "200"), ("held-out rows", "5,000"), ("answered from the store", "0 of 14 tasks")),
        digests=(("model", "9f2c" * 16), ("held-out data", "01ab" * 16), ("numpy", "2.4.0")),
        tasks=("a" * 64, "b" * 64),
        engine="processes",
        source="temper.yaml",
    )


def sturdy() -> Record:
    """The same system after hardening: it passes."""
    return replace(
        fraud(),
        id="0002",
        verdict=Verdict.PASS,
        judgements=tuple(j for j in judgements() if j.verdict is Verdict.PASS),
        findings=(),
        measurements=tuple(
            replace(m, value=m.value / 6, low=m.low / 8, high=m.high / 5, count=m.count // 6, undecided=0)
            if m.plugin.startswith("evasion") and m.count and m.value and m.low and m.high
            else m
            for m in fraud().measurements
        ),
    )


def effects() -> tuple[Effect, ...]:
    """What two defences did on the same rows."""
    return (
        Effect(
            defence="monotone",
            metric="evasion.random_search.success_rate",
            before=0.47,
            after=0.085,
            difference=-0.385,
            low=-0.46,
            high=-0.31,
            n=200,
            p_value=3e-18,
            verdict="better",
        ),
        Effect(
            defence="monotone",
            metric="performance.recall",
            before=0.811,
            after=0.799,
            difference=-0.012,
            low=-0.03,
            high=0.006,
            n=412,
            p_value=0.23,
            better="higher",
        ),
        Effect(
            defence="augment",
            metric="stress.missing.loss",
            before=0.19,
            after=0.21,
            difference=0.02,
            low=0.004,
            high=0.036,
            n=5000,
            verdict="worse",
        ),
    )


def hostile() -> Record:
    """Every text field of a run holds what would act on a terminal, a browser or an XML reader."""
    base = fraud()
    example = Example(
        sample=1,
        changes=(Change(column=HOSTILE, before=HOSTILE, after=HOSTILE, cost=1.0),),
        score_before=0.9,
        score_after=0.1,
        queries=3,
        cost=1.0,
    )
    finding = Finding(
        id=HOSTILE,
        title=HOSTILE,
        plugin=HOSTILE,
        metric=HOSTILE,
        severity="high",
        scenario=HOSTILE,
        detail=HOSTILE,
        examples=(example,),
        defences=(HOSTILE,),
        references=(HOSTILE,),
        line=3,
    )
    measured = measure_rate(
        HOSTILE,
        "rate",
        3,
        9,
        slice=HOSTILE,
        unit=f"share {HOSTILE}",
        baseline=((HOSTILE, 0.1),),
        caveats=(HOSTILE,),
        status=Status.INCONCLUSIVE,
        reason=HOSTILE,
        method=HOSTILE,
        curve=broken_curve(HOSTILE, HOSTILE, HOSTILE, 5.0, 20),
    )
    rule = requirement(HOSTILE, HOSTILE, at_most=0.1, reason=HOSTILE, line=2)
    return replace(
        base,
        id=HOSTILE,
        system=HOSTILE,
        suite=HOSTILE,
        started=HOSTILE,
        engine=HOSTILE,
        source=HOSTILE,
        judgements=tuple(
            Judgement(requirement=rule, verdict=v, measured=measured.name, value=1 / 3, n=9, explanation=HOSTILE)
            for v in Verdict
        ),
        measurements=(measured, *base.measurements),
        findings=(finding,),
        scenarios=(HOSTILE,),
        skipped=(Skipped(name=HOSTILE, why=HOSTILE),),
        facts=((HOSTILE, HOSTILE),),
        digests=((HOSTILE, HOSTILE),),
        tasks=(HOSTILE,),
    )


def test_the_invented_run_holds_every_verdict_and_status() -> None:
    assert {j.verdict for j in fraud().judgements} == set(Verdict)
    assert {Status.OK, Status.INCONCLUSIVE, Status.UNTRIED} <= {m.status for m in fraud().measurements}
