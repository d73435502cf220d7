"""The assurance case of a run: generated from what the ledger was told, never written by hand."""

from __future__ import annotations

from collections.abc import Iterator

from temper.core.assurance import Case, Defeater, Doubt, Kind
from temper.core.count import counted
from temper.report._figure import deciding, plain_name
from temper.report.coverage import in_words
from temper.threats.case.concerns import concerns, requirement
from temper.threats.case.draft import Draft
from temper.threats.case.known import Known, Old, Told
from temper.threats.case.people import answered, learnt

__all__ = ["Known", "Old", "Told", "case"]


def case(known: Known) -> Case:
    """What is claimed of the system of this run, and why that holds or does not. No goal is supported unless every leaf
    below it cites evidence in a ledger that verifies, and nothing speaks against any of it.
    """
    draft = Draft()
    top = draft.goal(_claim(known), defeaters=[*_whole(known)])
    strategy = draft.add(
        Kind.STRATEGY,
        "Argument over what can go wrong, how each of it is held, who answers for it, and whether the evidence is what "
        "it was",
    )
    draft.join(top, [strategy], [*_contexts(draft, known)])
    foreseen = _foreseen(draft, known)
    held, spoken = concerns(draft, known)
    goals = [foreseen, held, _worth(draft, known, spoken), learnt(draft, known)]
    goals += [answered(draft, known), _unchanged(draft, known)]
    draft.join(strategy, [goal for goal in goals if goal])
    return Case(
        system=known.record.system,
        run=known.record.id,
        made=known.today.isoformat(),
        ledger=known.told.root,
        nodes=tuple(draft.nodes.values()),
        uncovered=tuple(_uncovered(known)),
    )


def _claim(known: Known) -> str:
    model = known.record.threats
    purpose = f" for its purpose: {model.purpose}" if model and model.purpose else ""
    return f"{known.record.system} can be relied on{purpose}"


def _whole(known: Known) -> Iterator[Defeater]:
    """What speaks against everything at once."""
    run = known.record
    if run.state != "finished":
        yield Defeater(doubt=Doubt.UNTESTED, text=f"run {run.id} {run.state}", step="temper assess --resume")
    if run.simulated:
        text = "SIMULATED: the data come from a generator, and no figure speaks of a real system"
        yield Defeater(doubt=Doubt.SIMULATED, text=text, step="assess it on rows of the real system")


def _contexts(draft: Draft, known: Known) -> Iterator[str]:
    """What it is claimed of: model, policy, who is harmed; and that silence about incidents is no evidence."""
    run, digests = known.record, dict(known.record.digests)
    of = digests.get("model") or digests.get("assistant") or "not named"
    yield draft.add(Kind.CONTEXT, f"Run {run.id} of {run.started[:10]}, suite {run.suite}, of the model {of[:12]}")
    if run.threats is not None and run.threats.harmed:
        yield draft.add(Kind.CONTEXT, f"Harmed when it is wrong: {run.threats.harmed}")
    if not known.incidents:
        yield draft.add(Kind.ASSUMPTION, "Nothing has gone wrong in service: no incident is recorded")


def _foreseen(draft: Draft, known: Known) -> str:
    """The goal that the threat model is there, speaks of this system, and leaves no question open."""
    model = known.record.threats
    goal = draft.goal("What can go wrong is known")
    if model is None:
        return goal
    found = [Defeater(doubt=Doubt.STALE, text=words, step="temper threats") for words in known.warnings]
    was = dict(known.record.digests).get("description", "")
    if was and known.now.get("description", was) != was:
        text = f"the description has changed since run {known.record.id}"
        found.append(Defeater(doubt=Doubt.STALE, text=text, step="temper assess"))
    words = f"Threat model: {model.scenarios} scenarios in {len(model.concerns)} concerns"
    solution = draft.solution(words, [known.of_run("threat model", "threats")], found)
    draft.join(goal, [solution], [*_assumed(draft, known), *_left_out(draft, known)])
    return goal


def _assumed(draft: Draft, known: Known) -> Iterator[str]:
    for question in known.record.threats.questions if known.record.threats else ():
        unanswered = Defeater(
            doubt=Doubt.UNANSWERED,
            text=f"nobody has answered: {question.asks}",
            step=f"answer {question.at} in temper.yaml",
        )
        yield draft.add(
            Kind.ASSUMPTION, f"Assumed: {question.assumed} ({question.at})", key=question.at, defeaters=[unanswered]
        )


def _left_out(draft: Draft, known: Known) -> Iterator[str]:
    without = known.record.threats.without if known.record.threats else ()
    if without:
        many = sum(len(one.threats) for one in without)
        words = f"{counted(many, 'threat')} of the catalogue cannot happen to it, by {counted(len(without), 'answer')}"
        yield draft.add(Kind.JUSTIFICATION, words)


def _worth(draft: Draft, known: Known, spoken: set[int]) -> str:
    """The goal over the requirements that speak of no concern; "" where every one does."""
    rest = [at for at in range(len(known.record.judgements)) if at not in spoken]
    if not rest:
        return ""
    goal = draft.goal("What else was asked of it is kept")
    strategy = draft.add(Kind.STRATEGY, "Argument over each requirement of the policy that speaks of no concern")
    draft.join(goal, [strategy])
    for at in rest:
        judgement = known.record.judgements[at]
        figure = deciding(judgement, known.record.measurements)
        told = in_words(judgement, figure) if figure else plain_name(judgement.requirement.metric)
        words = f"{judgement.requirement.id}: {judgement.verdict.name}, {told}"
        plugin = figure.plugin if figure else ""
        draft.join(strategy, [requirement(draft, at, judgement.verdict, words, plugin, known)])
    return goal


def _unchanged(draft: Draft, known: Known) -> str:
    """The goal that run and ledger are what they were when the run ended."""
    told, run = known.told, known.record.id
    goal = draft.goal("The evidence is what it was when it was made")
    words = f"Ledger of {told.size:,} records, {told.signed:,} under signed checkpoints"
    cited = [known.of_run(f"run {run}", "id")] if told.run else [None]
    draft.join(goal, [draft.solution(words, cited, [*_doubted(known)], key="ledger")])
    return goal


def _doubted(known: Known) -> Iterator[Defeater]:
    told, run = known.told, known.record.id
    aside = "keep it aside for whoever looks into it, and restore a backup"
    yield from (Defeater(doubt=Doubt.TAMPERED, text=fault, step=aside) for fault in told.faults)
    if told.run is None:
        yield Defeater(doubt=Doubt.UNTOLD, text=f"the ledger was never told of run {run}", step="assess again")
        return
    record, one = told.run
    if one.late:
        text = f"the ledger was told of run {run} later than it ended"
        yield Defeater(doubt=Doubt.UNTOLD, text=text, step="assess again")
    if record >= told.signed:
        text = f"record {record}, of run {run}, is under no signed checkpoint"
        yield Defeater(doubt=Doubt.UNSIGNED, text=text, step="temper ledger verify")


def _uncovered(known: Known) -> Iterator[str]:
    """What nothing in the case speaks of."""
    run = known.record
    if run.threats is None:
        yield f"What can go wrong: run {run.id} keeps no threat model."
    elif run.risk is None:
        yield "What is left of each risk: the run keeps no register."
    for one in run.threats.without if run.threats else ():
        yield f"{counted(len(one.titles), 'threat')} left out because {one.why}: {'; '.join(one.titles)}."
    placed = {
        one.name for concern in (run.threats.concerns if run.threats else ()) for one in concern.answers if one.placed
    }
    if placed:
        yield f"That controls in place work, unless a figure names them: {', '.join(sorted(placed))}."
    if run.skipped:
        yield f"{len(run.skipped)} attacks, checks and threats that run {run.id} left out; its report says why."
    yield "What a stronger or better funded attacker would find: attack figures are lower bounds."
    yield "Whose the keys are that sign, and what was left out before the ledger was told."
