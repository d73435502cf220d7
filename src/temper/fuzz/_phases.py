"""What is tried, in this order: every edge alone, all fields at once, mixtures, then company, order and callers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from temper.core.schema import Column
from temper.core.seed import Draws
from temper.fuzz._case import Case, Change, Edge, Fate, Literal
from temper.fuzz._edges import Field, whole_rows
from temper.fuzz._oracle import Outcome, Reply, alone, crowded, differ, out_of_range, preceded, repeats
from temper.fuzz._search import Hear, Search

_BATCHES = (2, 7, 33)
_CALLERS = 8
_STRIDE = 7  # fields begin at different edges, so that a first turn tries many kinds
_NUDGES = (1e-9, 1e-4, 4e-3, -4e-3, 0.04)
_UNTIL = {"singles": 0.5, "mixtures": 0.65, "company": 0.72, "callers": 0.8, "order": 0.9, "afresh": 1.0}
"""By which share of the time each phase ends: of a slow service every law gets some."""
_SAMPLE = 400  # answered cases that are asked again, in batches and in another order


def known_good(search: Search, rows: Sequence[Case], hear: Hear) -> None:
    """The rows as they were recorded: what is answered and in range may be changed. Some are asked at once before
    anything else: what a service fills at its first request, others may read half filled.

    Nothing is told before a row is answered: where none is, it is asked in the wrong way.
    """
    first = rows[:_CALLERS] if len(rows) > 1 and not search.subject.stochastic else ()
    early = [reply for (reply,) in search.subject.together(first, 1)] if first else []
    search.asked += len(first)
    _one_by_one(search, rows, hangs=bool(early) and all(reply.outcome is Outcome.HUNG for reply in early))
    if not search.bases:
        return
    search.hear = hear
    for defect in dict.fromkeys(search.known.values()):
        hear.defect(defect)
    search.tried["own_answer"] += len(first)
    for case, reply in zip(first, early, strict=True):
        known = search.clean(case)
        before = Reply(outcome=Outcome.ANSWERED if known is not None else Outcome.BUSY, scores=known)
        if breach := differ("own_answer", case, before, reply, f"as one of the first {len(first)} callers, at once"):
            search.found(breach, [case, *(other for other in first if other is not case)])


def _one_by_one(search: Search, rows: Sequence[Case], *, hangs: bool) -> None:
    """Every row; one alone where it `hangs`, unless that one is answered."""
    for row in rows:
        if search.over() or (hangs and search.asked > len(rows[:_CALLERS]) and not search.bases):
            return
        reply = search.try_alone(row)
        fine = reply is not None and reply.outcome is Outcome.ANSWERED
        if fine and reply is not None and not out_of_range(search.subject, reply.scores):
            search.bases.append(row)


def singles(search: Search, share: float) -> None:
    """Every edge of every field by itself, then every field at the same edge."""
    for base in search.bases[:3]:
        cases = (replace(base, changes=(change,)) for change in turn_about(search.fields))
        for case in chain(cases, whole_rows(search.fields, base)):
            if search.spent(share, _UNTIL["singles"]):
                return
            search.try_alone(case)


def turn_about(fields: Sequence[Field]) -> Iterator[Change]:
    """Every change of every field, one field after the other: a search that is cut off has seen something of all."""
    changes = [one.changes() for one in fields]
    for turn in range(max(map(len, changes), default=0)):
        for at, own in enumerate(changes):
            if turn < len(own):
                yield own[(turn + _STRIDE * at) % len(own)]


def mixtures(search: Search, rng: Draws, share: float) -> None:
    """Several fields at once: valid edges, values of the range, values close by; now and then one that is not valid."""
    step = 0
    while search.bases and not search.spent(share, _UNTIL["mixtures"]):
        step += 1
        search.try_alone(drawn(search, rng, step))


def drawn(search: Search, rng: Draws, step: int) -> Case:
    """One mixture: its base, fields and edges are functions of the seed and the step."""
    base = search.bases[int(rng.integers([0], 4 * step, len(search.bases))[0])]
    pick = rng.uniform([0], 4 * step + 1, (len(search.fields), 3))[0]
    share = (0.08, 0.3, 1.0)[step % 3]
    changes = []
    for one, (whether, which, what) in zip(search.fields, pick, strict=True):
        if whether < share and one.places:
            changes.append(_one_of(search, one.name, one.places, base, float(which), float(what)))
    valid = [change for change in changes if change is not None and change.edge.fate is not Fate.REFUSE]
    odd = [change for change in changes if change is not None and change.edge.fate is Fate.REFUSE]
    one_odd = odd[:1] if step % 4 == 0 or not valid else []
    return replace(base, changes=(*valid, *one_odd))


def _one_of(search: Search, name: str, places: tuple[int, ...], base: Case, which: float, what: float) -> Change | None:
    column = search.schema.columns[places[0]] if search.schema.columns else None
    if column is not None and column.type != "category" and which < 0.5:
        return Change(field=name, places=places, edge=inside(column, base.base[places[0]], which * 2, what))
    edges = next(one.edges for one in search.fields if one.name == name)
    return Change(field=name, places=places, edge=edges[int(what * len(edges))])


def inside(column: Column, now: Any, which: float, what: float) -> Edge:
    """A valid value of a column: close to the one that is there, or drawn from the range."""
    low = column.low if math.isfinite(column.low) else -1e6
    high = column.high if math.isfinite(column.high) else 1e6
    low, high = (0.0, 1.0) if column.type == "boolean" else (low, high)
    near = which < 0.5 and not math.isnan(float(now))
    scale = max(abs(float(now)), 1.0)
    value = float(now) + _NUDGES[int(what * len(_NUDGES))] * scale if near else low + (high - low) * what
    value = float(np.clip(round(value) if column.discrete else value, low, high))
    label, family = ("a value close by", "a close value") if near else ("a value of the range", "an ordinary value")
    written = ("true" if value else "false") if column.type == "boolean" else repr(value)
    return Edge(label=label, family=family, fate=Fate.ANSWER, value=value, literal=Literal.of(written))


# -- what shows only between requests -------------------------------------------------------------------------------


def order(search: Search, rng: Draws) -> None:
    """The answered cases once more in another order: neighbours swap places."""
    if search.subject.stochastic:
        return
    kept = [case for case, _ in search.answered if not case.changes][:3]
    search.tried["repeats"] += len(kept)
    if kept and (breach := repeats(search.subject, kept)):
        search.found(breach, kept)
    chosen = _spread(search)
    swapped = [pair for at in range(0, len(chosen), 2) for pair in reversed(chosen[at : at + 2])]
    before: list[Case] = []
    for case, scores in swapped:
        if search.over(_UNTIL["order"]):
            return
        reply = search.subject.ask([case])
        search.asked += 1
        search.tried["repeats"] += reply.outcome is not Outcome.BUSY
        first = replace(reply, outcome=Outcome.ANSWERED, scores=scores)
        breach = differ("repeats", case, first, reply, "asked again later")
        if breach is not None and (breach.law, breach.cause) not in search.known:
            shown = next((set_ for set_ in _disturbing(before, swapped) if repeats(search.subject, [case, *set_])), [])
            search.found(breach, [case, *shown])
        before.append(case)


def afresh(search: Search) -> None:
    """The answered cases once more, the last one first, of a subject that was asked nothing before them: what was left
    behind by a row as it was recorded is now left behind by its changes.
    """
    if search.subject.stochastic or not search.subject.fresh():
        return
    before: list[Case] = []
    for case, scores in reversed(_spread(search)):
        if search.over(_UNTIL["afresh"]):
            return
        reply = search.subject.ask([case])
        search.asked += 1
        search.tried["repeats"] += 1
        first = Reply(outcome=Outcome.ANSWERED, scores=scores)
        breach = differ("repeats", case, first, reply, "asked in another order")
        if breach is not None and (breach.law, breach.cause) not in search.known:
            search.found(breach, [case, *_to_blame(search, case, before)])
            return  # this subject has been asked other things by now
        before.append(case)


def _to_blame(search: Search, case: Case, before: Sequence[Case]) -> Sequence[Case]:
    """Few of the cases that change the answer to this one, of those before it now or at first: halved while one half
    does.
    """
    kept = [one for one, _ in search.answered]
    at_first = kept[max(0, kept.index(case) - _SAMPLE) : kept.index(case)]
    found = next((some for some in (before, at_first) if preceded(search.subject, [case, *some])), before[-1:])
    while len(found) > 1 and not search.over():
        middle = len(found) // 2
        halves = (found[middle:], found[:middle])
        half = next((one for one in halves if preceded(search.subject, [case, *one])), None)
        if half is None:
            break
        found = half
    return found


def _disturbing(before: Sequence[Case], every: Sequence[tuple[Case, Any]]) -> Iterator[list[Case]]:
    """What may have been left behind by: the request before, then some others."""
    yield from ([one] for one in before[-2:])
    yield from ([every[at][0]] for at in range(0, len(every), max(1, len(every) // 6)))
    yield list(before[-40:])


def company(search: Search, rng: Draws) -> None:
    """Answered cases in batches of several sizes, each against what it got alone."""
    if search.subject.stochastic:
        return
    chosen = _spread(search)
    mixed = [chosen[at] for at in rng.child("company").generator().permutation(len(chosen))]
    for size in _BATCHES:
        for at in range(0, len(mixed) - size + 1, size):
            if search.over(_UNTIL["company"]):
                return
            _batch(search, mixed[at : at + size])


def _batch(search: Search, asked: Sequence[tuple[Case, Any]]) -> None:
    cases = [case for case, _ in asked]
    reply = search.subject.ask(cases)
    search.asked += len(cases)
    if reply.outcome is Outcome.BUSY or (reply.outcome is Outcome.REFUSED and not search.subject.batches):
        return  # a service that takes no batches has none to mix
    search.tried["alone"] += len(cases)
    if reply.outcome is not Outcome.ANSWERED or len(reply.scores) != len(cases):
        if breach := alone(search.subject, cases):
            search.found(breach, cases)
        return
    for at, (case, scores) in enumerate(asked):
        part = replace(reply, scores=reply.scores[at : at + 1])
        before = replace(reply, scores=scores)
        if breach := differ("alone", case, before, part, f"in a batch of {len(cases)}"):
            search.found(breach, [case, *cases[:at], *cases[at + 1 :]])
            return


def callers(search: Search) -> None:
    """Different rows at the same time."""
    if search.subject.stochastic:
        return
    chosen = _spread(search)
    groups = [chosen[at :: max(1, len(chosen) // _CALLERS)][:_CALLERS] for at in range(3)]
    for group in groups:
        cases = [case for case, _ in group]
        if len(cases) < 2 or search.over(_UNTIL["callers"]):
            return
        search.tried["own_answer"] += len(cases)
        search.asked += len(cases)
        if breach := crowded(search.subject, cases):
            search.found(breach, cases)


def _spread(search: Search) -> list[tuple[Case, Any]]:
    """Some of the answered cases that go into a batch, in the order in which they were asked."""
    kept = [(case, scores) for case, scores in search.answered if all(_sits(change) for change in case.changes)]
    if len(kept) <= _SAMPLE:
        return list(kept)
    return [kept[int(at)] for at in np.linspace(0, len(kept) - 1, _SAMPLE)]


def _sits(change: Change) -> bool:
    """Whether a change leaves every field of the row where it was."""
    return bool(change.places) and not (change.edge.value is None and change.edge.literal is None)
