"""What the target tells whoever asks it, and which attacks that opens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.attack import Scene
from temper.core.errors import TemperError
from temper.core.measure import Better, Measurement
from temper.core.schema import Column
from temper.core.target import Access, Target
from temper.kernels.precision import decimals, opens
from temper.kernels.rate import measure_rate
from temper.targets._array import to_numpy
from temper.validation._certified import chosen
from temper.validation._measured import not_applicable
from temper.validation._service import profile, service_of

NAME = "access_profile"
Rows = np.ndarray[Any, Any]

_TOGETHER = 16
_INSIDE = {
    "a stack trace": re.compile(r"Traceback|\bFile \"[^\"]+\", line \d+|\bline \d+, in \w"),
    "a path": re.compile(r"(?:^|[\s\"'(])(?:/[\w.-]+){2,}|[A-Za-z]:\\\w+"),
    "a library or class": re.compile(
        r"\b(?:sklearn|scikit|xgboost|lightgbm|catboost|torch|tensorflow|keras|onnx\w*|numpy|pandas)\b"
        r"|\b[A-Z][a-z]+(?:[A-Z][a-z]+)*(?:Classifier|Regressor|Regression|Booster|Forest\w*|Encoder|Error|Exception)\b",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessProfile:
    """Decimals and distinct answers of the scores, what a row alone or an ill-formed row is answered, and what a
    refusal tells. Of a service behind a URL also its further fields and headers, its errors, and how much it answers.

    About two hundred rows are asked, of a service some sixty requests and up to `at_once` rows in one of them.
    Misleads for a model that is served otherwise than it is given here: rounding, checks of the input and the wording
    of errors are often the service's. Of a model in this process a refusal is its exception, which a service may hide.
    Source: Tramèr et al., "Stealing machine learning models via prediction APIs", 2016; OWASP AISVS C11.5.

    >>> AccessProfile(rows=50).rows
    50
    """

    rows: int = 200
    columns: int = 20
    at_once: int = 1_024
    seed: int = 0

    def measure(self, scene: Scene) -> tuple[Measurement, ...]:
        """`score_decimals`, `distinct_answers`, `batch_gap`; of tables also `gaps_answered`, `outside_answered` and,
        where a row was refused, `telling_refusals`; of services what `_service.profile` finds.
        """
        if scene.target is None or not len(scene.x):
            return not_applicable(NAME, "there is no row to ask about")
        x, few, one = (scene.x[chosen(scene, most, self.seed, NAME)] for most in (self.rows, _TOGETHER, 1))
        told = (*_answers(scene, to_numpy(scene.target.scores(x))), _company(scene.target, few))
        if getattr(scene.schema, "columns", ()):
            told += tuple(self._ill_formed(scene, one))
        service = service_of(scene.target)
        return (*told, *profile(NAME, service, scene, few, self.at_once, _INSIDE)) if service else told

    def _ill_formed(self, scene: Scene, x: Rows) -> Iterator[Measurement]:
        """Rows with a gap, rows outside the domain, and what their refusals say."""
        columns, service = scene.schema.columns, service_of(scene.target)
        named = bool(getattr(getattr(service, "schema", None), "columns", ()))  # an unknown code has no name to send
        able = [at for at, column in enumerate(columns) if not (named and column.type == "category")]
        refusals: list[str] = []
        for metric, places in (("gaps_answered", range(len(columns))), ("outside_answered", able)):
            if not len(places):
                continue
            asked = np.unique(np.array(places)[np.linspace(0, len(places) - 1, self.columns).astype(int)])
            ill = np.repeat(np.asarray(x, dtype=float), len(asked), axis=0)
            values = [np.nan if metric == "gaps_answered" else _outside(columns[at]) for at in asked]
            ill[np.arange(len(asked)), asked] = values
            said = _asked(scene.target, ill)
            refusals += [word for word in said if word]
            allowed = [at for at, word in zip(asked, said, strict=True) if not word and not columns[at].missing]
            listed = ", ".join(columns[at].name for at in allowed[:5]) + (", ..." if len(allowed) > 5 else "")
            yield measure_rate(
                NAME,
                metric,
                sum(not word for word in said),
                len(said),
                better=Better.NEITHER,
                queries=len(said),
                caveats=(f"one column at a time; answered although the schema has no such value: {listed}",)
                if allowed
                else ("one column at a time",),
            )
        if refusals:
            yield _telling(refusals)


def _answers(scene: Scene, scores: Rows) -> Iterator[Measurement]:
    """How fine the scores are, and how many different ones there are."""
    labels_only = Access.SCORES not in getattr(scene.target, "access", Access.NONE)
    carried, n = 0 if labels_only else decimals(scores), len(scores)
    opened = opens(scores, labels_only)
    yield Measurement(
        plugin=NAME,
        metric="score_decimals",
        value=float(carried),
        low=float(carried),
        high=float(carried),
        n=n,
        queries=n,
        better=Better.LOWER,
        method="fewest decimals that tell every score seen",
        baseline=(("single precision", 7.0),),
        caveats=(f"it answers with {opened}",),
    )
    distinct = len(np.unique(scores, axis=0))
    yield measure_rate(
        NAME,
        "distinct_answers",
        distinct,
        n,
        better=Better.NEITHER,
        caveats=(f"{distinct:,} answers to {n:,} rows: few of them are leaves, steps of a rounding, or decisions",),
    )


def _company(target: Target, x: Rows) -> Measurement:
    """How far an answer depends on the rows asked with it, beside what asking again changes."""
    scores = to_numpy(target.scores(x))
    alone = np.concatenate([to_numpy(target.scores(x[at : at + 1])) for at in range(len(x))])
    again = float(np.abs(to_numpy(target.scores(x)) - scores).max())
    gap = float(np.abs(alone - scores).max())
    return Measurement(
        plugin=NAME,
        metric="batch_gap",
        value=gap,
        low=gap,
        high=gap,
        n=len(x),
        queries=3 * len(x),
        better=Better.LOWER,
        method="largest change of a score between a row among others and alone",
        baseline=(("the same rows asked again", again),),
    )


def _outside(column: Column) -> float:
    """A value the column cannot have: a code nobody knows, half a unit, or far beyond its range."""
    if column.type == "category":
        return float(len(column.categories))
    if column.type in ("integer", "boolean"):
        return (column.low if np.isfinite(column.low) else 0.0) + 0.5
    ends = [end for end in (column.high, -column.low) if np.isfinite(end)]
    return 1e3 * (1.0 + max(map(abs, ends))) if ends else 1e12


def _asked(target: Any, x: Rows) -> list[str]:
    """Per row what its refusal says, "" where it is answered; together first, each alone where that is refused."""
    together = _refusal(target, x)
    if not together:
        return [""] * len(x)
    return [_refusal(target, x[at : at + 1]) for at in range(len(x))]


def _refusal(target: Any, x: Rows) -> str:
    try:
        scores = to_numpy(target.scores(x))
    except TemperError as refusal:
        return refusal.message or "refused"
    except (Exception, SystemExit) as crash:  # a model may raise anything: that is what is measured
        return f"{crash}" or "refused"
    return "" if np.isfinite(scores).all() else "a score that is not finite"


def _telling(refusals: list[str]) -> Measurement:
    """The share of refusals that name what is inside."""
    found = [[what for what, form in _INSIDE.items() if form.search(said)] for said in refusals]
    kinds = sorted({what for whats in found for what in whats})
    first = next((said for said, whats in zip(refusals, found, strict=True) if whats), "")
    shown = (f"they tell {', '.join(kinds)}: {' '.join(first.split())[:160]!r}",) if kinds else ()
    return measure_rate(
        NAME, "telling_refusals", sum(map(bool, found)), len(refusals), better=Better.LOWER, caveats=shown
    )


PLUGIN = AccessProfile
