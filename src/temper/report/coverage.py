"""Concern by test by control by evidence: what tries each concern, what the last run measured, and what answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from temper.core.evidence import ATTACKS
from temper.core.measure import Measurement, Status
from temper.core.requirement import Judgement, Verdict
from temper.core.run import Record
from temper.core.threat_model import Answer, Concern, ThreatModel
from temper.report._figure import SEVERITIES, deciding, judged_as_rate, limit, plain_name, sentence

MEASURED, STALE, INCONCLUSIVE, UNTESTED = "measured", "stale", "inconclusive", "untested"
PARTLY = "partly"
STATES = (MEASURED, STALE, INCONCLUSIVE, UNTESTED)
_SPEAK_OF = {
    "model": "the model",
    "assistant": "the assistant",
    "held-out data": "the held-out rows",
    "training data": "the training rows",
}
"""What a figure is of, by the name of its digest in a run."""
_TOGETHER = "strongest"
"""The figure of a family that speaks of all its attacks together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One plugin that tries a concern: what is known of it, and why that is not more."""

    name: str
    state: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One concern of the matrix. `verdicts` are of the requirements that its figures decided, the worst first, `told`
    says the worst of them in words.
    """

    number: int
    concern: Concern
    tests: tuple[Test, ...]
    verdicts: tuple[Verdict, ...] = ()
    told: str = ""

    def count(self, state: str) -> int:
        """How many of its tests are in this state."""
        return sum(test.state == state for test in self.tests)

    @property
    def state(self) -> str:
        """One word for the whole: what all its tests are, else "partly"."""
        found = {test.state for test in self.tests}
        return found.pop() if len(found) == 1 else PARTLY

    @property
    def placed(self) -> tuple[Answer, ...]:
        """The controls that are in place."""
        return tuple(one for one in self.concern.answers if one.placed)

    @property
    def possible(self) -> tuple[Answer, ...]:
        """The controls that could be."""
        return tuple(one for one in self.concern.answers if not one.placed)


Old = Callable[[str], str]
"""Why figures of this plugin no longer count; "" where they do."""


def coverage(
    model: ThreatModel, record: Record | None, now: Mapping[str, str] | None = None, old: Old | None = None
) -> tuple[Line, ...]:
    """A line per concern. `now` are the digests of what is there, by the names a run gives them; figures of something
    else are stale, and those that are `old`. Without either the run speaks of itself.
    """
    stale = _older(changed(record, now or {}), old)
    return tuple(_line(number, concern, record, stale) for number, concern in enumerate(model.concerns, 1))


def _older(differs: Mapping[str, str], old: Old | None) -> Old:
    def why(name: str) -> str:
        attacks = name.partition(".")[0] in ATTACKS
        told = next((said for at, said in differs.items() if at != "attacks" or attacks), "")
        return told or (old(name) if old is not None else "")

    return why


def changed(record: Record | None, now: Mapping[str, str]) -> dict[str, str]:
    """What is another than the run measured, by the name of its digest, in words."""
    if record is None:
        return {}
    then = dict(record.digests)
    named = _SPEAK_OF | {"attacks": "the attacks"}
    return {
        name: f"{words} {'has' if words in ('the model', 'the assistant') else 'have'} changed since run {record.id}"
        for name, words in named.items()
        if name in now and name in then and now[name] != then[name]
    }


def _line(number: int, concern: Concern, record: Record | None, stale: Old) -> Line:
    tests = tuple(_test(name, concern, record, stale) for name in concern.plugins)
    if not tests:
        tests = (Test(name="–", state=UNTESTED, why="nothing in Temper tries it"),)
    if record is None:
        return Line(number=number, concern=concern, tests=tests)
    judged = list(_judged(concern, record))
    return Line(
        number=number,
        concern=concern,
        tests=tests,
        verdicts=tuple(verdict for verdict, _ in judged),
        told=judged[0][1] if judged else "",
    )


def _test(name: str, concern: Concern, record: Record | None, stale: Old) -> Test:
    if record is None:
        return Test(name=name, state=UNTESTED, why="no run yet")
    found = [m for _, m in figures(name, concern, record)]
    if any(m.status is Status.OK for m in found):
        return Test(name=name, state=STALE if (why := stale(name)) else MEASURED, why=why)
    undecided = [m.reason for m in found if m.status is Status.INCONCLUSIVE]
    if undecided:
        return Test(name=name, state=INCONCLUSIVE, why=undecided[0])
    reasons = [m.reason for m in found if m.reason] + [one.why for one in record.skipped if one.name == name]
    return Test(name=name, state=UNTESTED, why=reasons[0] if reasons else f"not in run {record.id}")


def _of(measurement: Measurement, name: str, concern: Concern, record: Record) -> bool:
    """Whether the figure is this test's, and of this concern's actor where figures are told apart by actors; where
    there is none of his, of another one with his budget: one budget is tried once.
    """
    if name.startswith("goal:"):
        return measurement.slice == f"goal: {name.removeprefix('goal:')}"
    own = name.removeprefix("validation.")
    if measurement.plugin != ("fuzz" if own.startswith("fuzz.") else own):
        return False
    who = concern.id.partition("@")[2]
    if not (who and measurement.slice.startswith("actor:")) or measurement.slice == f"actor:{who}":
        return True
    his = any((m.plugin, m.slice) == (measurement.plugin, f"actor:{who}") for m in record.measurements)
    return not his and measurement.slice.removeprefix("actor:") in concern.alike


def _judged(concern: Concern, record: Record) -> Iterator[tuple[Verdict, str]]:
    """Verdicts of the requirements that a figure of this concern decided, the worst first, each in words."""
    order = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.WAIVED, Verdict.PASS)
    found = []
    for at, verdict, figure in decided(concern, record):
        judgement = record.judgements[at]
        severity = SEVERITIES.index(judgement.requirement.severity)
        found.append((order.index(verdict), severity, verdict, in_words(judgement, figure)))
    for _, _, verdict, words in sorted(found, key=lambda one: one[:2]):
        yield verdict, words


def decided(concern: Concern, record: Record) -> Iterator[tuple[int, Verdict, Measurement]]:
    """The judgements of a run that speak of figures of this concern: their places in it, what they say, and of what."""
    for at, judgement in enumerate(record.judgements):
        for verdict, figure in _spoken(judgement, concern, record):
            yield at, verdict, figure
            break


def in_words(judgement: Judgement, figure: Measurement) -> str:
    """The figure that a judgement speaks of beside what was asked for."""
    wanted = limit(judgement.requirement, judged_as_rate(judgement, figure))
    return f"{plain_name(figure.name)} {sentence(figure)}, asked for {wanted}"


def figures(name: str, concern: Concern, record: Record) -> list[tuple[int, Measurement]]:
    """What a test measured of this concern, with the places in the run."""
    return [(at, m) for at, m in enumerate(record.measurements) if _of(m, name, concern, record)]


def _spoken(judgement: Judgement, concern: Concern, record: Record) -> Iterator[tuple[Verdict, Measurement]]:
    """What the requirement says of figures of this concern: the one that decided it, else a claim of another, such as
    of another actor. What is said of all attacks together is said of each concern that they try.
    """
    families = dict.fromkeys(name.partition(".")[0] for name in concern.plugins)
    names = [*concern.plugins, *(f"{family}.{_TOGETHER}" for family in families)]

    def mine(figure: Measurement) -> bool:
        return any(_of(figure, name, concern, record) for name in names)

    figure = deciding(judgement, record.measurements)
    if figure is not None and mine(figure):
        yield judgement.verdict, figure
    for claim in judgement.claims:
        for one in record.measurements:
            if one.name == claim.measured and one.slice == claim.slice and mine(one):
                yield Verdict.WAIVED if judgement.verdict is Verdict.WAIVED else claim.verdict, one


def evidence(line: Line) -> str:
    """The states of its tests in words: "21 of 24 measured, 1 inconclusive, 2 untested"."""
    parts = [f"{line.count(state)} {state}" for state in STATES if line.count(state)]
    parts[0] = parts[0].replace(" ", f" of {len(line.tests)} ", 1)
    return ", ".join(parts)


def gaps(lines: Sequence[Line]) -> list[tuple[str, tuple[str, ...]]]:
    """Why tests are not measured, each reason once with the tests it is of."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for test in line.tests:
            if test.why:
                found.setdefault(test.why, []).append(test.name if test.name != "–" else line.concern.title)
    return [(why, tuple(dict.fromkeys(names))) for why, names in found.items()]
