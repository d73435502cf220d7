"""What a run means, in sentences computed from its data: for a manager, what next, and what it does not show."""

from __future__ import annotations

from collections.abc import Iterable

from temper.core.finding import Finding
from temper.core.measure import Measurement, Status
from temper.core.requirement import Judgement, Verdict
from temper.core.run import Record
from temper.core.waged import Waged
from temper.report._figure import (
    FAMILIES,
    SEVERITIES,
    deciding,
    family,
    finding_name,
    grouped,
    judged,
    judged_as_rate,
    limit,
    percent,
    sentence,
    show,
    to_decide,
)

_EXPECTED = ("evasion", "poisoning", "extraction", "inversion", "stress", "performance")
_OF_ASSISTANTS = ("injection", "assistant")
_ATTACKS = ("evasion", "poisoning", "extraction", "inversion", "injection")
_SOUGHT = {"move": "evasion", "steal": "extraction", "learn": "inversion"}
"""What a campaign with this aim measures something of."""


def sentences(record: Record) -> tuple[str, str, str]:
    """Three sentences: the verdict and its count, what weighs most, and what to do or to keep in mind."""
    return _verdict(record), _weight(record), next_step(record)


def of_verdict(record: Record, verdict: Verdict) -> list[Judgement]:
    """The judgements with this verdict, the most severe first."""
    chosen = [j for j in record.judgements if j.verdict is verdict]
    return sorted(chosen, key=lambda j: SEVERITIES.index(j.requirement.severity))


def worst_findings(record: Record) -> list[Finding]:
    """Findings, the most severe first; order is otherwise kept."""
    rank = {name: at for at, name in enumerate(SEVERITIES)}
    return sorted(record.findings, key=lambda finding: rank.get(finding.severity, len(rank)))


def next_step(record: Record) -> str:
    """The one thing to do now, with its command."""
    fixable = sorted(
        (finding for finding in worst_findings(record) if finding.defences),
        key=lambda finding: finding_name(finding) != _most_serious(record),
    )
    undecided = of_verdict(record, Verdict.INCONCLUSIVE)
    if record.state != "finished":
        command = "redteam" if _of_assistant(record) or record.campaign else "assess"
        command += " --campaign" * of_tools(record)
        return f"Next: run `temper {command} --resume` to finish what was stopped; nothing that was done is lost."
    if fixable:
        ways = ", ".join(fixable[0].defences)
        return (
            f"Next: `temper harden --for {fixable[0].id}` tries the defences that address the worst finding ({ways})."
        )
    if of_verdict(record, Verdict.ERROR):
        return "Next: repair what could not run (see the reasons below) and assess again; an error is not a pass."
    if undecided:
        if all(one.beyond for one in undecided):
            return (
                "Next: what is open lies beyond its limit as measured, so more rows can only show that it fails: "
                "`temper harden`, or decide what is asked for."
            )
        rows = max((j.needed or 0 for j in undecided if not j.beyond), default=0)
        need = f"with about {rows:,} rows" if rows else "with more rows or a larger budget"
        if _of_assistant(record):
            return _more_trials(undecided)
        if record.campaign is not None:
            return _more_means(record.campaign)
        return f"Next: assess again {need} to decide what is still open."
    if not record.judgements:
        return "Next: write requirements into the policy, so that the figures below are judged."
    return (
        "Next: keep this run as the baseline and assess again when the model, its data or its attackers change; "
        "the limits at the end say what it does not show."
    )


def _more_trials(undecided: list[Judgement]) -> str:
    """What decides what a red team left open."""
    if any(one.requirement.metric.startswith("injection.") for one in undecided):
        return "Next: `temper redteam --stop` adds trials until what the policy says of attacks is decided."
    most = max(undecided, key=lambda one: one.needed or 0)
    need = f"; about {most.needed:,} {most.counts} decide {most.requirement.id}" if most.needed else ""
    return f"Next: red team it with a larger --suite to decide what is still open{need}."


def of_tools(record: Record) -> bool:
    """Whether it was a campaign against an assistant."""
    return record.campaign is not None and record.campaign.asked == "conversations"


def _of_assistant(record: Record) -> bool:
    """Whether it was a red team's run."""
    return any(family(m.plugin) in _OF_ASSISTANTS for m in record.measurements)


def _most_serious(record: Record) -> str:
    """The figure behind the worst failed requirement, so that the next step speaks of what the verdict speaks of."""
    failed = of_verdict(record, Verdict.FAIL)
    measurement = deciding(failed[0], record.measurements) if failed else None
    return measurement.name if measurement is not None else ""


def limits(record: Record) -> list[str]:
    """What this run does not show, each as one sentence from its own data."""
    return [
        *_unfinished(record),
        *_simulated(record),
        *_bounds(record),
        *_not_ok(record),
        *_undecided_rows(record),
        *_absent(record),
        "Figures speak of this model and these rows only: retraining, new features or drifting data make them stale.",
    ]


def counts(record: Record) -> dict[Verdict, int]:
    """How many requirements got each verdict, those that did not occur included."""
    return {verdict: sum(j.verdict is verdict for j in record.judgements) for verdict in Verdict}


def _verdict(record: Record) -> str:
    many = counts(record)
    total = len(record.judgements)
    name = f"“{record.system}”"
    if record.state != "finished":
        why = dict(record.facts).get("ended early", "")
        because = f" ({why})" if why else ""
        return (
            f"The assessment of {name} {record.state} before it was complete{because}, so this is not a verdict on the "
            "whole."
        )
    if not total:
        return f"No requirement was set for {name}, so its figures were measured but not judged."
    rest = _listed(
        f"{many[v]} {word}"
        for v, word in (
            (Verdict.PASS, "passed"),
            (Verdict.INCONCLUSIVE, "could not be decided"),
            (Verdict.ERROR, "could not be measured"),
            (Verdict.WAIVED, "waived"),
        )
        if many[v]
    )
    if many[Verdict.FAIL]:
        tail = f"; {rest}" if rest else ""
        return f"{name} does not meet its policy: {many[Verdict.FAIL]} of {_requirements(total)} failed{tail}."
    if many[Verdict.PASS] == total:
        return f"{name} meets {_all(total)} of its policy, each at its stated confidence."
    if many[Verdict.INCONCLUSIVE] or many[Verdict.ERROR]:
        return f"{name} has not been shown to meet its policy: nothing failed, but of {_requirements(total)} {rest}."
    return f"{name} meets its policy only with accepted breaches: of {_requirements(total)} {rest}."


def _weight(record: Record) -> str:
    failed, undecided = of_verdict(record, Verdict.FAIL), of_verdict(record, Verdict.INCONCLUSIVE)
    if failed:
        worst = failed[0]
        return f"Most serious ({worst.requirement.severity}): {_against(worst, record)}{_example(worst, record)}."
    if undecided:
        rows = f"; {to_decide(undecided[0])}" if undecided[0].needed else ""
        return f"Still open ({undecided[0].requirement.severity}): {_against(undecided[0], record)}{rows}."
    passed = [j for j in record.judgements if j.verdict is Verdict.PASS and j.value is not None]
    if passed:
        nearest = min(passed, key=_room)
        return f"Closest to its limit: {_against(nearest, record)}."
    measured = sum(m.value is not None for m in record.measurements)
    return f"{measured} of {len(record.measurements)} figures were measured and {_findings(record)} reported."


def _against(judgement: Judgement, record: Record) -> str:
    measurement = deciding(judgement, record.measurements)
    name = _named(measurement.name) + _slice(measurement) if measurement else _named(judgement.requirement.metric)
    told = sentence(measurement) if measurement else judged(judgement, None)
    rate = judged_as_rate(judgement, measurement)
    words = f"{name} is {told} where the policy asks for {limit(judgement.requirement, rate)}"
    if measurement and measurement.baseline:
        beside, value = measurement.baseline[0]
        words += f" ({beside}: {show(value, rate)})"
    return words


def _example(judgement: Judgement, record: Record) -> str:
    """A decoded row behind a failed requirement, empty where no finding is about the same figure."""
    measurement = deciding(judgement, record.measurements)
    name = measurement.name if measurement is not None else judgement.requirement.metric
    found = [f for f in worst_findings(record) if finding_name(f) == name]
    own = [f for f in found if measurement is not None and f.title.endswith(measurement.slice)]
    for finding in own or found:
        for example in finding.examples:
            moved = [f"{c.column} {c.before} → {c.after}" for c in example.changes if not c.derived]
            if moved:
                return (
                    f"; for example, {_listed(moved[:3])} moved one score from {example.score_before:.2f} to "
                    f"{example.score_after:.2f} in {example.queries:,} queries"
                )
    return ""


def _named(name: str) -> str:
    """A metric in a sentence: "the success rate of evasion.random_search"."""
    plugin, _, metric = name.rpartition(".")
    return f"the {metric.replace('_', ' ')} of {plugin}" if plugin and "*" not in name else name


def _room(judgement: Judgement) -> float:
    """Distance of the unfavourable end to the limit, relative to the limit."""
    rule = judgement.requirement
    end = judgement.high if rule.at_most is not None else judgement.low
    end = judgement.value if end is None else end
    return abs((end or 0.0) - rule.limit) / max(abs(rule.limit), 1e-9)


def _unfinished(record: Record) -> list[str]:
    if record.state == "finished":
        return []
    return [f"The run {record.state} before it was complete: whatever is missing below was not tried."]


def _simulated(record: Record) -> list[str]:
    names = sorted({m.name for m in record.measurements if m.simulated})
    if record.simulated:
        return ["SIMULATED: the data come from a generator; no figure here speaks of a real system."]
    return [f"SIMULATED: these come from a stand-in or a generator: {', '.join(names)}."] if names else []


def _bounds(record: Record) -> list[str]:
    attacks = (m for m in record.measurements if family(m.plugin) in _ATTACKS and m.metric != "possible_success")
    tried = sorted({m.plugin for m in attacks if m.value is not None})
    if not tried:
        return []
    said = [
        f"Attack figures are lower bounds: {_listed(tried)} found this much within the tested budgets; "
        "a stronger or better funded attacker may find more."
    ]
    ends = {f"{c.axis} {_end(c.points[-1].at)}" for m in record.measurements if (c := m.curve) is not None and c.points}
    if ends:
        said.append(f"Curves end at the largest budget, dose or severity that was tested: {_listed(sorted(ends))}.")
    return said


def _end(value: float) -> str:
    return f"{value:,.6g}"


def _more_means(waged: Waged) -> str:
    """What a campaign lacks to decide; a model that gives nothing away gives way to nobody."""
    if all(one.aim == "learn" for one in waged.objectives):
        return (
            "Next: give the attackers more rows of their own (campaign: attacker: held: in temper.yaml), or let those "
            "tell who have the training rows: `temper assess --only inversion`."
        )
    alone = "an assistant without its guard" if waged.asked == "conversations" else "a model alone"
    return f"Next: give the attackers more (campaign: attacker: in temper.yaml), until {alone} gives way."


def _not_ok(record: Record) -> list[str]:
    words = {Status.INCONCLUSIVE: "INCONCLUSIVE", Status.UNTRIED: "UNTRIED", Status.ERROR: "ERROR"}
    return [
        f"{words[m.status]}: {m.name}{_slice(m)}: {m.reason.rstrip('.')}."
        for m in record.measurements
        if m.status is not Status.OK
    ]


def _undecided_rows(record: Record) -> list[str]:
    found = [m for m in record.measurements if m.undecided and m.status is Status.OK]
    return [
        f"Undecided rows: {m.undecided:,} of {m.n:,} in {m.name}{_slice(m)} "
        f"({percent(m.undecided / m.n)}); the gate counts them against the model."
        for m in found
        if m.n
    ]


def _absent(record: Record) -> list[str]:
    measured = {name for name, group in grouped(record.measurements).items() if any(m.value is not None for m in group)}
    measured |= {_SOUGHT.get(one.aim, "") for one in record.campaign.objectives} if record.campaign else set()
    expected = _OF_ASSISTANTS if _of_assistant(record) else _EXPECTED
    absent = [FAMILIES[name].split(":")[0].lower() for name in expected if name not in measured]
    said = [f"Nothing was measured about {_listed(absent)}."] if absent else []
    if record.skipped:
        many = len(record.skipped)
        left = "One attack, check or threat was" if many == 1 else f"{many} attacks, checks or threats were"
        said.append(f"{left} left out; the coverage says why.")
    return said


def _slice(measurement: Measurement) -> str:
    return "" if measurement.slice == "all" else f" [{measurement.slice}]"


def _requirements(total: int) -> str:
    return f"{total} requirement{'' if total == 1 else 's'}"


def _all(total: int) -> str:
    return "the one requirement" if total == 1 else f"all {total} requirements"


def _findings(record: Record) -> str:
    many = len(record.findings)
    return f"{many} finding{'' if many == 1 else 's'}" if many else "no finding"


def _listed(parts: Iterable[str]) -> str:
    """Words joined as in prose."""
    words = list(parts)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
