"""Categories that are spelled otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.core.data import Array
from temper.core.errors import TemperError
from temper.core.schema import Schema
from temper.core.seed import Draws
from temper.stress._choice import Feature, features, level, only, table
from temper.stress._strike import follow, strikes

_SPELLINGS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "padded": lambda text: f"{text} ",
    "mojibake": lambda text: text.encode("utf-8").decode("latin-1"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorySpelling:
    """Categories arrive in capitals, in small letters, with a space behind them, or as UTF-8 read as Latin-1.

    Severity 1-5 hits 1, 5, 10, 25, 50 % of the values of each category and one-hot group; each column has one of the
    `spellings` that changes any of its texts, drawn once per seed. SIMULATED: a model is given codes, not texts, so the
    look-up is imitated. A text that is still in the list gets that code, any other becomes missing (pandas categories,
    ordinal encoders) or a one-hot group of zeros. The texts of a one-hot group are the names of its columns.
    Misleads for a pipeline that trims and folds case before it looks up: then this measures what nobody serves.
    Source: Schelter, Rukat & Biessmann, "JENGA: a framework to study the impact of data errors", 2021 (encodings).

    >>> from temper.core.schema import Column
    >>> schema = Schema(columns=(Column(name="size", type="category", categories=("xl", "XL", "7")),))
    >>> stressor = CategorySpelling(schema=schema, spellings=("upper",), shares=(1, 1, 1, 1, 1))
    >>> stressor.apply(np.array([[0.0], [1.0], [2.0]]), 1, Draws(0, "spelling")).ravel()
    array([1., 1., 2.])
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.25, 0.5)
    spellings: tuple[str, ...] = ("upper", "lower", "padded", "mojibake")
    columns: tuple[str, ...] = ()
    schema: Schema | None = None

    def __post_init__(self) -> None:
        for name in self.spellings:
            if name not in _SPELLINGS:
                raise TemperError(f"spelling {name!r} is unknown", fix=f"use {', '.join(_SPELLINGS)}")

    def apply(self, x: Array, severity: int, rng: Draws) -> Array:
        """A copy of `x` (n, d) with misspelt categories; `Unsupported` where no spelling changes any."""
        out, share = table(x), level(self.shares, severity)
        found = features(self.schema, out, self.columns)
        told = {feature.name: self._book(feature, rng) for feature in found if feature.texts}
        books = {name: book for name, book in told.items() if book}
        spelt = [feature for feature in found if feature.name in books]
        for feature, rows in strikes(rng, len(out), only(found, spelt, "category that is written in letters"), share):
            _look_up(out, rows, feature, books[feature.name])
        return follow(self.schema, out, x)

    def _book(self, feature: Feature, rng: Draws) -> list[int]:
        """The code of every text after misspelling, -1 where it is not in the list; empty where nothing changes."""
        known = {text: code for code, text in enumerate(feature.texts)}
        books = [[known.get(_SPELLINGS[name](text), -1) for text in known] for name in self.spellings]
        changing = [book for book in books if book != list(range(len(known)))]
        return changing[rng.child(feature.name).integer() % len(changing)] if changing else []


def _look_up(out: np.ndarray[Any, Any], rows: Any, feature: Feature, book: list[int]) -> None:
    """Give the hit rows, in place, the codes of their misspelt texts."""
    size = len(book)
    if feature.hot:
        to = np.vstack([np.eye(size), np.zeros(size)])[book]  # -1 is the last: no category at all
        out[np.ix_(rows, feature.where)] = out[np.ix_(rows, feature.where)] @ to
        return
    code = out[rows, feature.at[0]]
    valid = (code >= 0) & (code < size) & (code == np.floor(code))
    told = np.array(book)[code[valid].astype(np.int64)]
    out[rows[valid], feature.at[0]] = np.where(told < 0, np.nan, told)


PLUGIN = CategorySpelling
