"""What became of predictions, in the terminal: what was promised, what the labels say, and how old they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temper.core.measure import Measurement
from temper.core.outcome import Outcome
from temper.core.requirement import Judgement, Verdict
from temper.core.watch import Seen
from temper.report._figure import to_decide
from temper.report._inert import inert
from temper.report.watched import span

_COLOURS = {Seen.PASS: "green", Seen.FAIL: "red", Seen.INCONCLUSIVE: "yellow", Seen.NOTHING: "yellow"}
_EXPECTED = ("cbpe.accuracy", "cbpe.precision", "cbpe.recall")


def show(outcomes: Sequence[Outcome]) -> None:
    """A block a window, the oldest first."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    for one in outcomes:
        have = f"{one.labelled:,} of {one.rows:,} labels"
        console.print(f"labels of {span(one)}: [{_COLOURS[one.seen]}]{one.seen.value.upper()}[/] ({have})")
        for line in lines(one):
            console.print(f"  {line}", markup=False)


def lines(one: Outcome) -> list[str]:
    """What is said of it: every promise, what is expected without labels, and what a reader has to know."""
    found = [_promise(judgement) for judgement in one.judgements]
    early = [m for m in one.figures if m.name in _EXPECTED and m.value is not None]
    if early:
        said = ", ".join(f"{m.metric} {m.value:.3f}" for m in early)
        found.append(f"expected without labels: {said} ({early[0].reason})")
    return [*found, *(inert(text, 160) for text in one.told)]


def document(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "start": one.start,
            "ends": one.ends,
            "rows": one.rows,
            "labelled": one.labelled,
            "seen": one.seen.value,
            "judgements": [_judgement(j) for j in one.judgements],
            "figures": [_figure(m) for m in one.figures],
            "told": list(one.told),
        }
        for one in outcomes
    ]


def broken(one: Outcome) -> list[str]:
    """The promises that are broken, as they are told."""
    return [_promise(judgement) for judgement in one.judgements if judgement.verdict is Verdict.FAIL]


def _promise(one: Judgement) -> str:
    wanted = one.requirement
    limit = f"at most {wanted.at_most:g}" if wanted.at_most is not None else f"at least {wanted.at_least:g}"
    seen = f" {one.value:.4g} ({one.low:.4g} ... {one.high:.4g})" if None not in (one.value, one.low, one.high) else ""
    needed = f"; {to_decide(one)}" if one.needed else ""
    said = f"{one.verdict.value.upper()}, {inert(one.explanation, 120)}"
    return f"{inert(one.measured, 60)}{seen} of {one.n:,}, promised {limit}: {said}{needed}"


def _judgement(one: Judgement) -> dict[str, Any]:
    fields = ("measured", "value", "low", "high", "n", "needed", "explanation")
    return {
        "requirement": one.requirement.id,
        "verdict": one.verdict.value,
        **{name: getattr(one, name) for name in fields},
    }


def _figure(m: Measurement) -> dict[str, Any]:
    fields = ("name", "slice", "value", "low", "high", "confidence", "n", "unit", "reason", "caveats", "anytime")
    return {"status": m.status.value, **{name: getattr(m, name) for name in fields}}
