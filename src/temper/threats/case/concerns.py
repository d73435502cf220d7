"""Concerns of the threat model as claims: what tries each, what was asked of it, and what is left of its risk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from temper.core.assurance import Cited, Defeater, Doubt, Kind
from temper.core.measure import Status
from temper.core.requirement import Judgement, Verdict
from temper.core.risk import Register, Risk, Standing
from temper.core.threat_model import Concern
from temper.report.coverage import Line, changed, coverage, decided, figures, gaps, in_words
from temper.threats.case.draft import Draft
from temper.threats.case.known import Known

_STATES = {"stale": Doubt.STALE, "inconclusive": Doubt.INCONCLUSIVE, "untested": Doubt.UNTESTED}
_STANDINGS = {
    Standing.UNTESTED: Doubt.UNTESTED,
    Standing.INCONCLUSIVE: Doubt.INCONCLUSIVE,
    Standing.STALE: Doubt.STALE,
}
_KINDS = {Verdict.FAIL: Doubt.FAILING, Verdict.ERROR: Doubt.UNTESTED, Verdict.INCONCLUSIVE: Doubt.INCONCLUSIVE}
_SHOWN = 4


def concerns(draft: Draft, known: Known) -> tuple[str, set[int]]:
    """The goal over all concerns, and the judgements that speak of one, by their place in the run."""
    model, spoken = known.record.threats, set[int]()
    goal = draft.goal("Everything that can go wrong is held within what is tolerated")
    strategy = draft.add(
        Kind.STRATEGY,
        "Argument over each concern of the threat model: what tries it, what was asked of it, what is left of its risk",
    )
    draft.join(goal, [strategy])
    for line in coverage(model, known.record, known.now) if model else ():
        draft.join(strategy, [_concern(draft, line, known, spoken)])
    return goal, spoken


def _concern(draft: Draft, line: Line, known: Known, spoken: set[int]) -> str:
    concern = line.concern
    asked = [*decided(concern, known.record)]
    spoken.update(at for at, _, _ in asked)
    unlimited = Defeater(
        doubt=Doubt.UNTESTED, text="no requirement says how much of it is tolerated", step="add one to the policy"
    )
    who = f", by {concern.id.partition('@')[2]}" if "@" in concern.id else ""
    goal = draft.goal(f"{concern.title}{who}", key=concern.id, defeaters=() if asked else (unlimited,))
    draft.join(goal, [_tests(draft, line, known)])
    for at, verdict, figure in asked:
        judgement = known.record.judgements[at]
        words = f"{judgement.requirement.id}: {verdict.name}, {in_words(judgement, figure)}"
        draft.join(goal, [requirement(draft, at, verdict, words, figure.plugin, known)])
    risks = _risks(concern, known.record.risk)
    if risks:
        draft.join(goal, [_residual(draft, concern, risks, known)])
    return goal


def _tests(draft: Draft, line: Line, known: Known) -> str:
    """What tries it, as one leaf: every test that was measured is cited, every other is a defeater."""
    cited: list[Cited | None] = []
    old: dict[str, Defeater] = {}
    for test in line.tests:
        mine = [(at, m) for at, m in figures(test.name, line.concern, known.record) if m.status is Status.OK]
        cited += [known.of_run(m.name, f"measurements.{at}") for at, m in mine[:1]]
        old |= {one.text: one for one in known.stale(test.name) if mine and test.state == "measured"}
    measured = line.count("measured")
    return draft.solution(
        f"{measured} of {len(line.tests)} tests measured in run {known.record.id}",
        cited,
        [*_untried(line, known), *old.values()],
        key=f"tests of {line.concern.id}",
    )


def _untried(line: Line, known: Known) -> Iterator[Defeater]:
    """Tests that measured nothing that counts, each reason once. Who accepted every risk that they try bears that."""
    states = {test.name: test.state for test in line.tests}
    for why, names in gaps([line]):
        state = states.get(names[0], "untested")
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        step = _remedy(names[0] if names[0] in states else "", state, why, known)
        text = f"{', '.join(names[:_SHOWN])}{more}: {why}"
        borne = _bearer(line.concern, names, known)
        yield Defeater(doubt=_STATES[state], text=text, step=step, accepted=borne)


def _remedy(name: str, state: str, why: str, known: Known) -> str:
    """What would let a test measure something that counts."""
    if state == "stale" or why.startswith("not in run"):
        return known.again(name)
    if state == "inconclusive":
        return f"{known.again(name)} --suite standard, or more rows"
    return (
        f"{'give it what it lacks' if name else 'try it by hand'}, or accept its risk in temper.yaml (risk: accepted:)"
    )


def _bearer(concern: Concern, names: Sequence[str], known: Known) -> str:
    """Who accepted all the risks of this concern that these tests try; "" where one of them is borne by nobody."""
    tried = {way.threat for way in concern.ways if set(names) & set(way.plugins)}
    risks = [one for one in _risks(concern, known.record.risk) if one.scenario.partition("@")[0] in tried]
    return risks[0].accepted if risks and all(_borne(one, known) for one in risks) else ""


def requirement(draft: Draft, at: int, verdict: Verdict, words: str, plugin: str, known: Known) -> str:
    """A requirement of the policy as a leaf: what the run says of it, as it stands today."""
    judgement = known.record.judgements[at]
    found = [*_against(judgement, verdict, known), *(known.stale(plugin) if plugin else ())]
    differs = [why for name, why in changed(known.record, known.now).items() if name != "attacks"]
    found += [Defeater(doubt=Doubt.STALE, text=why, step=known.again(plugin)) for why in differs[:1]]
    cited = known.of_run(judgement.requirement.id, f"judgements.{at}")
    return draft.solution(words, [cited], found, key=f"requirement {at}, {words}")


def _against(judgement: Judgement, verdict: Verdict, known: Known) -> Iterator[Defeater]:
    """That it did not pass; a waiver bears that until its last day."""
    if verdict is Verdict.PASS:
        return
    waiver, step = judgement.requirement.waiver, _step(judgement, known)
    if waiver is not None and known.today > waiver.until:
        text = f"its waiver by {waiver.by} lapsed on {waiver.until}: {waiver.reason}"
        yield Defeater(doubt=Doubt.EXPIRED, text=text, step=f"{step}, or waive it again in the policy")
        return
    borne = f"{waiver.by} until {waiver.until}: {waiver.reason}" if waiver and verdict is Verdict.WAIVED else ""
    yield Defeater(
        doubt=_KINDS.get(verdict, Doubt.FAILING), text=judgement.explanation or verdict.value, step=step, accepted=borne
    )


def _step(judgement: Judgement, known: Known) -> str:
    """What would make it pass: the hardening of a finding of the same figures, else more of the same."""
    plugin = judgement.measured.rpartition(".")[0]
    fixes = [one for one in known.record.findings if one.defences and one.plugin == plugin]
    if judgement.verdict in (Verdict.FAIL, Verdict.WAIVED) and fixes:
        return f"temper harden --for {fixes[0].id}"
    return known.again(plugin or judgement.requirement.metric)


def _risks(concern: Concern, register: Register | None) -> list[Risk]:
    who, threats = concern.id.partition("@")[2], {way.threat for way in concern.ways}
    return [
        risk
        for risk in (register.risks if register else ())
        if risk.scenario.partition("@")[0] in threats and (not who or risk.actor == who)
    ]


def _residual(draft: Draft, concern: Concern, risks: Sequence[Risk], known: Known) -> str:
    worst = max(risks, key=lambda one: one.annual.p90)
    was = f", was {worst.rating_before}" if worst.rating_before != worst.rating else ""
    many = f", the largest of {len(risks)}" if len(risks) > 1 else ""
    words = f"Residual risk {worst.rating}{was}: {worst.scenario}{many}"
    found = [*_accepted(risks, known), *_above(risks, known), *_believed(risks, known)]
    return draft.solution(words, [known.of_run("risk register", "risk")], found, key=f"risk of {concern.id}")


def _accepted(risks: Sequence[Risk], known: Known) -> Iterator[Defeater]:
    """Risks that somebody bears, and those whose acceptance has lapsed."""
    for risk in risks:
        lapsed = risk.lapsed or _lapsed(risk, known)
        if lapsed:
            yield Defeater(doubt=Doubt.EXPIRED, text=f"{risk.scenario}: {lapsed}", step="accept it again, or harden")
        elif risk.accepted:
            text = f"{risk.scenario} is {risk.rating}, and {risk.standing}"
            yield Defeater(doubt=Doubt.FAILING, text=text, accepted=risk.accepted)


def _above(risks: Sequence[Risk], known: Known) -> Iterator[Defeater]:
    """Risks above the appetite that nobody bears."""
    lapsed = [one for one in risks if one.lapsed or _lapsed(one, known)]
    names = [one.scenario for one in risks if one.rating == "critical" and not one.accepted and one not in lapsed]
    if names:
        text = f"{', '.join(names)}: may cost more than the appetite in one year of ten"
        step = "harden, or accept it in temper.yaml (risk: accepted:)"
        yield Defeater(doubt=Doubt.FAILING, text=text, step=step)


def _believed(risks: Sequence[Risk], known: Known) -> Iterator[Defeater]:
    """Risks that rest on a belief and that nobody bears, by what is missing."""
    for standing, doubt in _STANDINGS.items():
        mine = [one for one in risks if one.standing is standing and not _borne(one, known)]
        if mine:
            because = f" ({mine[0].because[0]})" if mine[0].because else ""
            text = f"{', '.join(one.scenario for one in mine)}: believed, not measured{because}"
            yield Defeater(doubt=doubt, text=text, step=mine[0].decides)


def _borne(risk: Risk, known: Known) -> bool:
    """Whether somebody has accepted it, and the acceptance holds."""
    return bool(risk.accepted) and not risk.lapsed and not _lapsed(risk, known)


def _lapsed(risk: Risk, known: Known) -> str:
    """What became since of an acceptance that held when the run ended."""
    if not risk.accepted or known.accepted is None:
        return ""
    threat, _, actor = risk.scenario.partition("@")
    mine = [one for one in known.accepted if fnmatchcase(threat, one.threat) and fnmatchcase(actor, one.actor)]
    if any(known.today <= one.until for one in mine):
        return ""
    last = max(mine, key=lambda one: one.until, default=None)
    return f"its acceptance by {last.by} lapsed on {last.until}" if last else "it is accepted no more"
