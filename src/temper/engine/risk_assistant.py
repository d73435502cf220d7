"""What red teams and incidents know of each scenario of an assistant, handed to the risk register."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from temper.core.assistant import Assistant
from temper.core.incident import Incident
from temper.core.measure import Measurement, Status
from temper.core.outline import moment
from temper.core.risk import Known, Register, Trials
from temper.core.run import Record
from temper.core.threat import Scenario
from temper.engine.identity import subject
from temper.engine.redteam.figures import STRONGEST
from temper.engine.risk import sightings
from temper.threats.assistants import KIND, USER, scenarios
from temper.threats.register import register

_GOAL, _OWN = "goal:", "own"
_ASKED = {
    "assistant": "the assistant",
    "instructions and tools": "what it is told or can do",
    "guard": "the guard",
}
"""What an attack's success hangs on, by the name of its digest in a run."""


def risk_of_assistant(
    assistant: Assistant, records: Sequence[Record], now: float, incidents: Sequence[Incident] = ()
) -> Register:
    """The register from these red teams (the first made first) and incidents."""
    wanted = scenarios(assistant)[0]
    finished = [one for one in reversed(records) if one.state == "finished"]
    found = {
        one.id: Known(trials=_trials(one, assistant, finished, now), sightings=sightings(one, incidents, now))
        for one in wanted
    }
    return register(wanted, assistant.stakes, found, datetime.fromtimestamp(now, UTC).date(), KIND)


def _trials(scenario: Scenario, assistant: Assistant, records: Sequence[Record], now: float) -> Trials | None:
    """The strongest attack of those that speak of the assistant as it is, whichever run found it; where there is none,
    the strongest of the latest run, which is stale. Confirmed on fresh trials, so the search flatters no figure.
    """
    slices = _slices(scenario, assistant)
    told = {one.id: _changed(assistant, one) for one in records}
    for those in ([one for one in records if not told[one.id]], *([one] for one in records)):
        tried = [each for one in those for each in _tried(one, slices, told[one.id], max(now - moment(one.started), 0))]
        if tried:
            # Of attacks that never worked, the one that was tried least is known least.
            return max(tried, key=lambda one: (one.successes + 0.5) / (one.successes + one.failures + 1))
    return None


def _slices(scenario: Scenario, assistant: Assistant) -> set[str]:
    """The aims of a scenario, as the slices of figures: what is wanted, and who speaks."""
    wanted = [name.removeprefix(_GOAL) for name in scenario.threat.plugins]
    goals = [id for name in wanted for id in ([one.id for one in assistant.goals] if name == _OWN else [name])]
    channel = "user" if scenario.actor == USER else "outsider"
    return {f"{goal} via {channel}" for goal in goals}


def _changed(assistant: Assistant, record: Record) -> str:
    """What is another than was attacked in this run, in words; a run from before guards were named has none."""
    was, now = dict(record.digests), dict(subject(assistant))
    words = [said for name, said in _ASKED.items() if _differ(name, was, now)]
    return f"{' and '.join(words)} changed since" if words else ""


def _differ(name: str, was: dict[str, str], now: dict[str, str]) -> bool:
    return (was.get(name, "") if name == "guard" else was.get(name, now.get(name, ""))) != now.get(name, "")


def _tried(record: Record, slices: set[str], stale: str, age: float) -> Iterator[Trials]:
    for one in record.measurements:
        if (one.plugin, one.metric) == (STRONGEST, "success_rate") and one.slice in slices and one.value is not None:
            yield _of(one, record, stale, age)


def _of(one: Measurement, record: Record, stale: str, age: float) -> Trials:
    """A figure as trials. Trials of one prompt belong together, so where prompts were tried, each of them is one."""
    decided = one.clusters or ((1.0, one.count or 0), (0.0, one.n - (one.count or 0) - one.undecided))
    hits = sum(share * many for share, many in decided)
    failures, unknown = sum(many for _, many in decided) - hits, float(one.undecided)
    doubt = one.reason if one.status is Status.INCONCLUSIVE else ""
    return Trials(
        plugin=f"{one.plugin}, {one.slice}",
        run=record.id,
        age=age,
        successes=hits,
        failures=0.0 if doubt else failures,
        unknown=unknown + (failures if doubt else 0.0),
        counts=one.counts,
        doubt=doubt,
        stale=stale,
        guarded="guard" in dict(record.digests),
    )
