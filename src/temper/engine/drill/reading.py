"""From what became of every request to what came of the drill."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.chaos.alert import alerts, compression
from temper.chaos.arithmetic import WIDTH, Buckets, Trace, availability, budget, time_to_fallback, time_to_recover
from temper.core.drill import Turn
from temper.engine.drill.catalogue import Drill
from temper.engine.drill.outcome import Drilled
from temper.engine.drill.reviewing import Reviewed
from temper.engine.drill.terms import Load
from temper.traffic.played import Played

Array = np.ndarray[Any, Any]
PRIMARY, OTHER, SILENT = 1, 2, 3
"""Who answered, in the two lowest bits of a mark: the model with its score, somebody else, the model without one."""
_MILLIONTHS = 1_000_000
_CLOSE = 2e-5
_SCORE = re.compile(rb'"score":(-?[0-9.eE+-]+)')


def mark_of(body: bytes) -> int:
    """Who gave this answer, and the score in it in millionths.

    >>> mark_of(b'{"results":[{"score":0.25}],"source":"primary"}') == (250_000 << 2) | PRIMARY
    True
    """
    if b'"source":"primary"' not in body:
        return OTHER
    found = _SCORE.search(body)
    if found is None:
        return SILENT
    return (round(max(-1e12, min(1e12, float(found[1]))) * _MILLIONTHS) << 2) | PRIMARY


def right(played: Played, expected: Array) -> Array:
    """Which answers have the score that the model gives to their row; one that tells none is not doubted."""
    told = (played.marks >> 2) / _MILLIONTHS
    meant = expected[np.arange(len(played.due)) % len(expected)]
    near = np.abs(told - meant) <= _CLOSE * np.maximum(1.0, np.abs(meant))
    found: Array = (played.marks & 3 == SILENT) | near
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """What is known of a drill besides what became of its requests; times in seconds from the start of its load."""

    drill: Drill
    words: str
    load: Load
    deadline: float
    began: float
    over: float
    met: int | None
    turns: Mapping[Turn, float]
    expected: Array
    reviewed: Reviewed | None = None


def outcome(played: Played, facts: Facts) -> Drilled:
    """Everything that is told of a drill."""
    load, began = facts.load, facts.began
    limit = facts.deadline + load.grace
    well = played.status == 200
    own = well & (played.marks & 3 != OTHER)
    other = well & ~own
    wrong = own & ~right(played, facts.expected)
    good = played.good(limit)
    trace = Trace(due=played.due, good=good, full=good & own & ~wrong)
    answered, full = (Buckets.of(trace.due, one) for one in (trace.good, trace.full))
    before = (played.done - played.due)[well & (played.due < began)]
    first = played.done[other & (played.done >= began)]
    response = played.response
    slots = [Buckets.of(trace.due, kind).good for kind in (trace.full, good & other, good & wrong, ~good)]
    return Drilled(
        name=facts.drill.name,
        fault=facts.words,
        rate=load.rate,
        seconds=max(load.seconds, float(played.due.max(initial=0.0))),
        slo=load.slo,
        deadline=facts.deadline,
        limit=limit,
        began=began,
        over=facts.over,
        steady=availability(good[played.due < began - limit]),  # those under way then are the fault's
        good=availability(good),
        full=availability(trace.full),
        failed=int((~well).sum()),
        late=int((well & ~good).sum()),
        degraded=int(other.sum()),
        wrong=int(wrong.sum()),
        first_other=float(first.min() - began) if len(first) else None,
        fallback=time_to_fallback(trace, began),
        answered_again=time_to_recover(answered, began, load.slo, load.hold),
        restored=time_to_recover(full, began, load.slo, load.hold),
        breaker=facts.turns[Turn.OPEN] - began if Turn.OPEN in facts.turns else None,
        alerts=alerts(answered, load.slo, compression(load.seconds), began),
        spent=budget(good, load.slo).spent,
        p99_steady=float(np.quantile(before, 0.99)) if len(before) else np.nan,
        p99=float(np.quantile(response, 0.99)) if len(response) else np.nan,
        worst=float(response.max(initial=0.0)),
        trusted=played.trusted(facts.deadline),
        met=facts.met,
        turns=dict(facts.turns),
        width=WIDTH,
        slots=np.array(slots),
        reviewed=facts.reviewed,
    )
