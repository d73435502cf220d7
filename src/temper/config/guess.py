"""What a table suggests about its columns; every guess is written down as one, for a person to check."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from temper.core.schema import Column, Mutability

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 200
"""Distinct texts above which a column is free text or an identifier, not a category."""

_SENSITIVE = re.compile(
    "sex|gender|age|race|ethnicity|ethnic|education|marriage|marital|religion|nationality|disability|pregnant|"
    "orientation|birthdate|dob|foreign"
)
_IN_THEIR_HANDS = re.compile(
    "amount|amt|price|value|hour|minute|weekday|merchant|terminal|category|device|channel|browser|email|phone|"
    "address|city|zip|postcode|country|ip|currency|purpose|quantity|items|message|text|subject|url|domain|"
    "agent|duration|income|occupation|job|employment|housing|savings"
)
_AGGREGATE = re.compile(
    "window|avg|average|mean|sum|count|nb|std|median|rolling|previous|prev|history|hist|lag|past|total|ratio|"
    "cumulative|risk|score|limit|balance|bill"
)
_TIME = re.compile("datetime|timestamp|date|time|seconds")
_IDENTIFIER = re.compile("id|uuid|guid|key|index|rowid")


def columns(frame: pd.DataFrame) -> tuple[Column, ...]:
    """One guessed `Column` per column: type, range, categories, missing, scale, one-hot group, attacker."""
    guessed = [column(str(name), frame[name]) for name in frame.columns]
    groups = one_hot_groups(frame, [c.name for c in guessed if c.type == "boolean"])
    return tuple(replace(c, group=groups.get(c.name, "")) for c in guessed)


def column(name: str, series: pd.Series) -> Column:
    """The guess for one column."""
    import pandas as pd

    guess = Column(
        name=name, missing=bool(series.isna().any()), sensitive=sensitive(name), attacker=_attacker(name), low=0, high=1
    )
    if pd.api.types.is_bool_dtype(series):
        return replace(guess, type="boolean")
    if not pd.api.types.is_numeric_dtype(series):
        texts = tuple(sorted({str(value) for value in series.dropna().unique()}))
        return replace(guess, type="category", categories=texts)
    values = _finite(series)
    if not len(values) or np.isin(values, (0.0, 1.0)).all():
        return replace(guess, type="boolean")
    kind = "integer" if (values == np.round(values)).all() else "number"
    return replace(guess, type=kind, low=float(values.min()), high=float(values.max()), scale=scale(values))


def scale(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """The unit of distance: interquartile range, else standard deviation, else 1; three digits, never 0.

    >>> scale(np.arange(101.0)), scale(np.array([0.0] * 9 + [10.0])), scale(np.zeros(5))
    (50.0, 3.0, 1.0)
    """
    if not len(values):
        return 1.0
    upper, lower = np.percentile(values, [75, 25])
    for found in (float(upper - lower), float(np.std(values))):
        rounded = float(f"{found:.3g}")
        if np.isfinite(rounded) and rounded > 0:
            return rounded
    return 1.0


def one_hot_groups(frame: pd.DataFrame, flags: Sequence[str]) -> dict[str, str]:
    """Column -> group, for 0/1 columns with a common prefix of which exactly one is set in every row."""
    prefixes: dict[str, list[str]] = {}
    for name in flags:
        for match in re.finditer(r"[_=.\-: ]", name):
            prefixes.setdefault(name[: match.start()], []).append(name)
    found: dict[str, str] = {}
    for prefix in sorted(prefixes, key=len):
        members = prefixes[prefix]
        fresh = prefix and len(members) > 1 and not any(name in found for name in members)
        if fresh and (frame[members].sum(axis=1, skipna=False) == 1).all():
            found |= dict.fromkeys(members, prefix)
    return found


def sensitive(name: str) -> bool:
    """Whether the name speaks of a group of people."""
    return speaks(name, _SENSITIVE)


def aggregate(name: str) -> bool:
    """Whether the name speaks of a figure computed from other rows or columns."""
    return speaks(name, _AGGREGATE)


def set_aside(name: str, series: pd.Series) -> str:
    """Why a column is probably no feature ("time", "identifier", "free text"), or "" when it may be one."""
    import pandas as pd

    text = not pd.api.types.is_numeric_dtype(series)
    if pd.api.types.is_datetime64_any_dtype(series) or (text and speaks(name, _TIME) and series.nunique() > 50):
        return "time"
    rows, distinct = len(series), series.nunique()
    if text and MOST_CATEGORIES < distinct < rows:
        return "free text"
    numbered = pd.api.types.is_integer_dtype(series) and speaks(name, _IDENTIFIER)
    unique = distinct == rows and (text or numbered)
    many = distinct > MOST_CATEGORIES and numbered and _IDENTIFIER.fullmatch(last_word(name))
    return "identifier" if unique or many else ""


def speaks(name: str, pattern: re.Pattern[str]) -> bool:
    """Whether one of the name's words is in the pattern."""
    return any(pattern.fullmatch(word) for word in words(name))


def words(name: str) -> frozenset[str]:
    """The words of a column name, in small letters: "TX_AmountUSD" gives tx, amount, usd."""
    return frozenset(_split(name))


def last_word(name: str) -> str:
    """The last word of a column name: "CUSTOMER_ID" gives id."""
    return (_split(name) or [""])[-1]


def _split(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_\d]+", spaced.lower()) if word]


def _attacker(name: str) -> Mutability:
    theirs = speaks(name, _IN_THEIR_HANDS) and not aggregate(name) and not sensitive(name)
    return Mutability.COSTLY if theirs else Mutability.IMMUTABLE


def _finite(series: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    kept: np.ndarray[tuple[int], np.dtype[np.float64]] = values[np.isfinite(values)]
    return kept
