"""The state of a gateway in a few words, read off its figures: what is well, who answers, and under which load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from temper.core.serving import Source
from temper.report._inert import inert
from temper.web import moments
from temper.web.sheet import shown

Series = tuple[str, Mapping[str, str], float]
_BREAKER = {0: ("closed", "pass"), 1: ("half open", "open"), 2: ("open: the fallback answers", "fail")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that is well or not: what it is, what is the matter, and how a badge shows it."""

    name: str
    state: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many rows a source has answered, and where its part of a bar of 100 begins and how long it is."""

    name: str
    many: str
    begin: float
    length: float

    @property
    def percent(self) -> str:
        """Its share in words; what is there is never 0 %."""
        return f"{self.length:.1f} %" if self.length >= 0.1 else "under .1 %"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a person looks at first."""

    checks: tuple[Check, ...]
    sources: tuple[Share, ...]
    load: tuple[tuple[str, str], ...]


def read(lines: Sequence[Series], now: float) -> State | None:
    """The state behind these figures; None where they are not a gateway's.

    >>> found = read([("temper_breaker", {}, 2.0), ("temper_rows_total", {"source": "rules"}, 3.0)], 0.0)
    >>> found.checks[0].state, found.sources[0].name
    ('open: the fallback answers', 'rules')
    """
    sums: dict[str, float] = {}
    for name, _, value in lines:
        sums[name.removeprefix("temper_")] = sums.get(name.removeprefix("temper_"), 0.0) + value
    if "breaker" not in sums:
        return None
    return State(
        checks=tuple(_checks(sums)),
        sources=tuple(_sources(lines)),
        load=tuple(_load(lines, sums, now)),
    )


def _checks(sums: Mapping[str, float]) -> Iterator[Check]:
    """Figures that a gateway does not have are left out: nothing is called well that nobody has looked at."""
    state, tone = _BREAKER.get(int(sums["breaker"]), ("unknown", "fail"))
    yield Check(name="Breaker", state=state, tone=tone)
    for figure, name, well, wrong in (
        ("stopped", "Kill switch", "off", "on: everybody gets the safe default"),
        ("golden_failed", "Known rows", "scored as ever", "scored otherwise"),
        ("audit_failing", "Ledger", "on the disk before each answer", "the disk takes no records"),
        ("checkpoints_failing", "Checkpoints", "written to the second place", "the second place refuses them"),
        ("control_failing", "Control store", "answers", "does not answer"),
        ("unready", "Readiness", "may be sent requests", "should be sent none"),
        ("name_disputed", "Name", "its own", "another gateway goes by it"),
        ("log_dropped", "Log", "complete", "lines are missing"),
    ):
        if figure == "checkpoints_failing" and sums.get("checkpoints_kept") == 0:
            yield Check(name=name, state="there is no second place", tone="open")
        elif figure in sums:
            ill = sums[figure] > 0
            yield Check(name=name, state=wrong if ill else well, tone="fail" if ill else "pass")


def _sources(lines: Sequence[Series]) -> Iterator[Share]:
    many = {source.value: 0.0 for source in Source}
    for name, labels, value in lines:
        if name == "temper_rows_total" and labels.get("source") in many:
            many[labels["source"]] += value
    whole, begin = sum(many.values()), 0.0
    for source, value in many.items():
        if value > 0:
            share = 100 * value / whole
            yield Share(name=source.replace("_", " "), many=shown(value), begin=begin, length=share)
            begin += share


def _load(lines: Sequence[Series], sums: Mapping[str, float], now: float) -> Iterator[tuple[str, str]]:
    if "running" in sums and "limit" in sums:
        yield "Under way", f"{shown(sums['running'])} of at most {sums['limit']:.0f} now"
    if "shed" in sums:
        yield "Turned away", shown(sums["shed"])
    status = {labels.get("status", ""): value for name, labels, value in lines if name == "temper_requests_total"}
    if status:
        told = sorted(status.items())
        yield "Answers", ", ".join(f"{inert(code, 8)}: {shown(value)}" for code, value in told)
    if "audit_records" in sums:
        yield "Ledger", f"{shown(sums['audit_records'])} records, {shown(sums.get('audit_at_risk', 0.0))} at risk"
    if "workers" in sums:
        yield "Workers", shown(sums["workers"])
    for name, labels, _ in lines:
        if name == "temper_live_info":
            yield "Policy", inert(labels.get("policy", ""), 40)
            yield "Model", inert(labels.get("model", ""), 40)
    if sums.get("policy_since", 0.0) > 0:
        yield "Since", f"{moments.clock(sums['policy_since'])} ({moments.span(now - sums['policy_since'])} ago)"
