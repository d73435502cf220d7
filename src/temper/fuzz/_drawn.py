"""Values that no list holds: hypothesis draws them, and makes what it finds small."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from temper.fuzz._case import Case, Change, Edge, Fate, Literal, quoted
from temper.fuzz._edges import HEAVY, Field, settled
from temper.fuzz._oracle import Outcome, judged
from temper.fuzz._search import Search

MISSING = "values beyond the list are not drawn: pip install temper-ml[fuzz]"
_CHANGES, _ROUND = 4, 100


def installed() -> bool:
    """Whether hypothesis is there."""
    return importlib.util.find_spec("hypothesis") is not None


def explore(search: Search, seed: int, *, wire: bool) -> None:
    """Draw cases until the budget is spent; every cause that is new is shrunk, kept, and passed over from then on."""
    import hypothesis
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.configuration import set_hypothesis_home_dir

    set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "temper-hypothesis")  # not into the user's folder
    cases = _cases(search, wire)
    turn = 0
    while search.bases and not search.spent():
        turn += 1
        chosen = settings(
            max_examples=_ROUND, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False,
        )  # fmt: skip
        given: Any = hypothesis.given(cases)
        asked: Any = hypothesis.seed(seed * 10_007 + turn)(chosen(given(_test(search))))
        try:
            asked()
        except _Shown as shown:
            search.found(shown.breach, [shown.case])
        except hypothesis.errors.Flaky:
            continue  # it did not show again while it was made smaller: order and company look for such things


class _Shown(Exception):
    """A law that a drawn case breaks and no known case does."""

    def __init__(self, breach: Any, case: Case) -> None:
        super().__init__(breach.law)
        self.breach, self.case = breach, case


def _test(search: Search) -> Any:
    def keeps_the_laws(case: Case) -> None:
        if search.spent():
            return
        search.cases += 1
        search.asked += 1
        reply = search.subject.ask([case])
        breach = judged(search.subject, case, reply)
        search.tried.update(("answers", "in_time"))
        search.tried["in_range"] += reply.outcome is Outcome.ANSWERED
        if breach is not None and (breach.law, breach.cause) not in search.known:
            raise _Shown(breach, case)

    return keeps_the_laws


def _cases(search: Search, wire: bool) -> Any:
    from hypothesis import strategies as st

    changes = st.lists(
        st.integers(0, len(search.fields) - 1).flatmap(lambda at: _change(search, search.fields[at], wire)),
        min_size=1, max_size=_CHANGES, unique_by=lambda change: change.field,
    )  # fmt: skip
    bases = st.sampled_from(search.bases)
    return st.builds(lambda base, found: settled(replace(base, changes=tuple(found)), search.schema), bases, changes)


def _change(search: Search, one: Field, wire: bool) -> Any:
    from hypothesis import strategies as st

    options = [st.sampled_from([edge for edge in one.edges if edge.family not in HEAVY])]
    if not one.places:
        return options[0].map(lambda edge: Change(field=one.name, places=(), edge=edge))
    if any(isinstance(edge.value, str) for edge in one.edges):
        options.append(st.text(max_size=60).map(_text))
    else:
        column = search.schema.columns[one.places[0]] if search.schema.columns else None
        if column is None or column.type in ("number", "integer"):
            low, high = (search.schema.low, search.schema.high) if column is None else (column.low, column.high)
            whole = column is not None and column.type == "integer"
            every = st.floats(allow_nan=False)  # NaN is a missing value, which the list holds
            options.append(every.map(lambda value: _number(value, low, high, whole)))
            if np.isfinite([low, high]).all():
                options.append(st.floats(low, high).map(lambda value: _number(value, low, high, whole)))
        if wire:
            options.append(st.text(max_size=20).map(lambda text: replace(_text(text), value=None, fate=Fate.REFUSE)
                                                   if not _known(column, text) else one.edges[0]))  # fmt: skip
    return st.one_of(*options).map(lambda edge: Change(field=one.name, places=one.places, edge=edge))


def _known(column: Any, text: str) -> bool:
    return column is not None and text in column.categories


def _number(value: float, low: float, high: float, whole: bool) -> Edge:
    fine = low <= value <= high and (not whole or value == round(value)) and np.isfinite(value)
    fate = Fate.REFUSE if not fine else Fate.ANSWER if np.isfinite([low, high]).all() else Fate.EITHER
    written = repr(value) if np.isfinite(value) else f"{'-' * (value < 0)}Infinity"
    family = "not finite" if not np.isfinite(value) else "an ordinary value" if fine else "out of the range"
    return Edge(label="a drawn number", family=family, fate=fate, value=value, literal=Literal.of(written))


def _text(text: str) -> Edge:
    fate = Fate.ANSWER if text.strip() and text.isprintable() else Fate.EITHER
    return Edge(label="a drawn text", family="text", fate=fate, value=text, literal=quoted(text))
