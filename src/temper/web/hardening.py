"""What each hardening bought and what it cost: models one after another, and for each what was tried on the way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from temper.core.comparison import Difference, compare
from temper.core.defence import Effect, Tried
from temper.core.outline import Outline, moment
from temper.core.run import Record
from temper.report._change import Change, changes
from temper.report._figure import plain_name
from temper.report._figure import show as amount
from temper.report.charts import Chart, numbered
from temper.report.tradeoff import course, tradeoff
from temper.web import assessed, moments
from temper.web.run import moved
from temper.web.threats import drawing
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

MODELS = 4
"""Changes of the model on a page: each is a document to be read."""
QUALITY = ("accuracy", "auc", "recall", "precision", "alert_rate", "tasks", "twins_stopped")
"""What honest users lose or gain; every other figure of a hardening is of an attack."""
TOGETHER = "strongest"
"""The figure of a family that speaks of all its attacks together."""


def show(visit: Visit) -> Response:
    """The whole page, the newest model first."""
    store, system, page = visit.assessed.store, visit.assessed.system, visit.number("page")
    firsts = _firsts(store.outlines(system=system, state="finished"))
    shown = firsts[MODELS * (page - 1) : MODELS * page]
    read = {run: visit.assessed.record(run) for run in dict.fromkeys(run for pair in shown for run in pair if run)}
    same = [read[run] for run in sorted(read) if read[run].state == "finished"]
    return visit.page(
        "hardening.html",
        tabs=assessed.TABS,
        tab="/hardening",
        changes=[_change(read[run], read.get(before), at) for at, (run, before) in enumerate(shown) if before],
        charts=_shown(_course(tuple(same)), 0),
        models=len(firsts),
        first=read[firsts[-1][0]] if len(firsts) == 1 else None,
        page=page,
        more=MODELS * page < len(firsts),
    )


def _firsts(outlines: Sequence[Outline]) -> list[tuple[str, str]]:
    """The first run of each model with the run before it, the newest model first. Runs that name no model (those of
    assistants) may each be of another.
    """
    seen: set[str] = set()
    found, before = [], ""
    for one in reversed(outlines):
        if not one.model or one.model not in seen:
            found.append((one.run, before))
        seen.add(one.model)
        before = one.run
    return found[::-1]


@lru_cache(maxsize=16)
def _course(records: tuple[Record, ...]) -> tuple[Chart, ...]:
    return tuple(course(records))


@lru_cache(maxsize=16)
def _tradeoff(tried: tuple[Effect, ...], chosen: str) -> tuple[Chart, ...]:
    return tuple(tradeoff(tried, chosen))


def _shown(charts: Sequence[Chart], at: int) -> list[tuple[str, str, Any]]:
    """Charts of one page, told apart by their ids."""
    return [(one.title, one.caption, drawing(numbered(one, at).svg)) for one in charts]


def _change(record: Record, before: Record | None, at: int) -> dict[str, Any]:
    """One model against the one before it: paired where a hardening measured both, else run against run."""
    told = {
        "run": record.id,
        "at": moments.clock(moment(record.started)),
        "verdict": assessed.badge(record.kind),
        "model": assessed.model(dict(record.digests).get("model", "")),
        "simulated": record.simulated,
    }
    if record.hardening is not None:
        return told | _hardened(record, record.hardening, at)
    figures = compare(before, record).figures if before else ()
    return told | {
        "before": before.id if before else "",
        "tried": None,
        "bought": [moved(one) for one in figures if _of_attack(one)],
        "cost": [moved(one) for one in figures if _of_quality(one)],
    }


def _hardened(record: Record, tried: Tried, at: int) -> dict[str, Any]:
    own = tuple(one for one in tried.effects if one.defence in tried.taken)
    rows = [(one.metric in QUALITY, _effect(one)) for one in changes(record, None, own)]
    return {
        "before": tried.before,
        "tried": tried,
        "taken": list(tried.taken),
        "bought": [row for quality, row in rows if not quality],
        "cost": [row for quality, row in rows if quality],
        "charts": _shown(_tradeoff(tried.effects, tried.taken[0] if tried.taken else ""), at + 1),
        "outcomes": [(name, words, name in tried.taken) for name, words in tried.outcomes],
    }


def _effect(one: Change) -> dict[str, Any]:
    return {
        "name": plain_name(one.metric),
        "slice": one.defence,
        "before": amount(one.before, one.rate),
        "after": amount(one.after, one.rate),
        "n": f"{one.n:,}",
        "change": one.difference,
        "ends": one.interval,
        "tone": one.direction,
        "why": "",
    }


def _of_attack(one: Difference) -> bool:
    return one.slice == "all" and f".{TOGETHER}." in one.name


def _of_quality(one: Difference) -> bool:
    return one.slice == "all" and one.name in {f"performance.{word}" for word in QUALITY}
