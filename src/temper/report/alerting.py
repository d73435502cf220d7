"""Alert rules for Prometheus over what `temper monitor export` writes, one for each thing that needs somebody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An alert: when, after how long, how urgent, what happened and what to do."""

    alert: str
    expr: str
    wait: str = "0m"
    severity: str = "warning"
    summary: str
    description: str


RULES = (
    Rule(
        alert="TemperDrift",
        expr='temper_monitor_seen{state="fail"} == 1 and ignoring (state) temper_monitor_troubles == 0',
        summary="Rows of {{ $labels.system }} have moved",
        description="`temper monitor status` says which columns, and how far. Few of these are chance.",
    ),
    Rule(
        alert="TemperFeedBroken",
        expr="temper_monitor_troubles > 0",
        severity="critical",
        summary="{{ $value }} columns of {{ $labels.system }} are gone or of another type",
        description="The model is given other columns than it was made for: repair what fills the feed.",
    ),
    Rule(
        alert="TemperFeedSilent",
        expr='temper_monitor_seen{state="no data"} == 1',
        severity="critical",
        summary="No rows of {{ $labels.system }} came in a whole window",
        description="Nothing is asked of the model, or nothing of it reaches the feed.",
    ),
    Rule(
        alert="TemperPromiseBroken",
        expr='temper_monitor_promise{state="fail"} == 1',
        severity="critical",
        summary="The budget of {{ $labels.promise }} of {{ $labels.system }} burns too fast",
        description="`temper monitor status` says how fast, and of how many requests.",
    ),
    Rule(
        alert="TemperNothingServed",
        expr='temper_monitor_promise{state="no data"} == 1',
        wait="15m",
        summary="No request was counted for {{ $labels.promise }} of {{ $labels.system }}",
        description="Nobody asks, the gateway is gone, or nobody reads its ledger: none of these keeps a promise.",
    ),
    Rule(
        alert="TemperNotLooking",
        expr="time() - temper_monitor_due_seconds > temper_monitor_window_seconds",
        severity="critical",
        summary="No window of {{ $labels.system }} was judged when it was due",
        description="See that `temper monitor run` and `temper monitor export` still run, and how they end.",
    ),
    Rule(
        alert="TemperNotExported",
        expr="absent(temper_monitor_rows)",
        wait="15m",
        severity="critical",
        summary="Nothing is exported of any watched system",
        description="See that `temper monitor export --prometheus --to FILE` runs, and that its file is collected.",
    ),
    Rule(
        alert="TemperWindowsTooSmall",
        expr='temper_monitor_seen{state="inconclusive"} == 1',
        wait="1d",
        severity="info",
        summary="Windows of {{ $labels.system }} are too small to be judged",
        description="`temper monitor status` says how many rows would do; choose a longer `monitor: window:`.",
    ),
)


def rules() -> dict[str, Any]:
    """The document of a rule file."""
    return {"groups": [{"name": "temper-monitor", "rules": [_rule(one) for one in RULES]}]}


def _rule(one: Rule) -> dict[str, Any]:
    return {
        "alert": one.alert,
        "expr": one.expr,
        "for": one.wait,
        "labels": {"severity": one.severity},
        "annotations": {"summary": one.summary, "description": one.description},
    }
