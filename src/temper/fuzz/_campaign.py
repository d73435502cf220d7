"""A whole search of one subject, from the rows that are known to be answered to the defects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.fuzz import _drawn, _phases
from temper.fuzz._case import Case
from temper.fuzz._edges import fields_of
from temper.fuzz._oracle import Subject
from temper.fuzz._search import SILENT, Hear, Search, Searched, result
from temper.fuzz._wire import message_fields

ROWS = 24  # recorded rows that are asked before anything is changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How far a search goes: `cases` asked alone, and `seconds` after which it stops and says so; `draws`: what is left
    of the cases after the list is drawn.
    """

    cases: int = 3_000
    seconds: float = 60.0
    draws: bool = True


def search(
    subject: Subject,
    schema: Schema,
    x: Any,
    effort: Effort,
    rng: Draws,
    *,
    wire: bool = False,
    hear: Hear = SILENT,
    endure: bool = False,
) -> Searched:
    """Search `subject` from the recorded rows `x`. `wire` adds what exists as text and as messages only.

    What is asked depends on the seed and on the answers, not on the machine, as long as the seconds suffice. `endure`:
    Ctrl-C ends the search, and what it found is told.
    """
    found = _unasked(subject, schema, x, effort, wire=wire)
    try:
        _phases.known_good(found, recorded(x), hear)
        if not found.bases:
            return result(found, "no recorded row was answered")
        _every_phase(found, rng, wire, effort.draws)
    except KeyboardInterrupt:
        if not endure:
            raise
        return result(found, "interrupted")
    late = f"its {effort.seconds:g} s were over, which a larger --suite gives more of" if found.over() else ""
    return result(found, getattr(subject, "gone", "") or late)


def _every_phase(found: Search, rng: Draws, wire: bool, draws: bool) -> None:
    _phases.singles(found, 0.6)
    draws = draws and _drawn.installed()
    _phases.mixtures(found, rng, 0.8 if draws else 1.0)
    _phases.company(found, rng)
    _phases.callers(found)
    _phases.order(found, rng)
    _phases.afresh(found)
    if draws:
        _drawn.explore(found, rng.integer() % 65_536, wire=wire)


def opened(subject: Subject, schema: Schema, x: Any, effort: Effort, *, wire: bool, hear: Hear = SILENT) -> Search:
    """A search that knows which of the recorded rows are answered, and has tried nothing else yet."""
    found = _unasked(subject, schema, x, effort, wire=wire)
    _phases.known_good(found, recorded(x), hear)
    return found


def _unasked(subject: Subject, schema: Schema, x: Any, effort: Effort, *, wire: bool) -> Search:
    began = time.monotonic()
    rows, more = recorded(x), message_fields(schema) if wire else ()

    def over(share: float = 1.0) -> bool:
        return time.monotonic() - began > share * effort.seconds or bool(getattr(subject, "gone", ""))

    return Search(
        subject=subject,
        schema=schema,
        fields=(*more, *fields_of(schema, len(rows[0].base) if rows else 0, wire=wire)),
        bases=[],
        most=effort.cases,
        over=over,
    )


def recorded(x: Any) -> Sequence[Case]:
    """Some rows of the data, spread over it, as cases without changes."""
    if not len(x):
        return ()
    rows = [x[int(at)] for at in np.unique(np.linspace(0, len(x) - 1, ROWS).astype(int))]
    return [Case(base=(row,) if isinstance(row, str) else tuple(np.ravel(row).tolist())) for row in rows]
