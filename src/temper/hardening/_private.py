"""What the defences with a proof of privacy share: the budget, and what would break it unseen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from temper.core.data import Data
from temper.core.errors import TemperError, Unsupported
from temper.core.target import Recipe

_SHARE = 10.0
_MOST = 50.0


def positive_budget(epsilon: float, delta: float | None) -> None:
    """Raise a `TemperError` for a budget that says nothing."""
    if not 0 < epsilon <= _MOST or (delta is not None and not 0 < delta < 1):
        raise TemperError(
            f"a privacy budget of epsilon {epsilon!r} and delta {delta!r} cannot be meant",
            fix=f"an epsilon above 0 and up to {_MOST:g}, beyond which it promises nothing; a delta between 0 and 1",
        )


def delta_of(delta: float | None, n: int) -> float:
    """The delta as set, else a tenth of one row's share; one that lets whole rows out is refused.

    >>> delta_of(None, 10_000)
    1e-05
    """
    found = 1.0 / (_SHARE * n) if delta is None else delta
    if found * n >= 1.0:
        raise Unsupported(
            f"delta {found:g} allows a model of {n:,} rows to give away one of them whole",
            fix=f"set delta below {1.0 / n:.1g}, or leave it out",
        )
    return found


def one_row_each(data: Data, defence: str) -> None:
    """Raise `Unsupported` where a row comes twice: it would be protected half as well as is said."""
    twice = len(data) - len(np.unique(np.asarray(data.ids)))
    if twice:
        raise Unsupported(
            f"{defence} counts every row once, and {twice:,} of {len(data):,} rows are copies of others",
            fix="apply it to the rows themselves, not behind a defence that copies them",
        )


def asked_for_nothing_more(recipe: Recipe, defence: str) -> None:
    """Raise `Unsupported` for settings of another kind of model."""
    if recipe.regularise or any(recipe.monotone) or recipe.changes:
        raise Unsupported(
            f"a {defence} model is not fitted with other settings than its budget",
            fix="choose a smaller epsilon, which restrains it more",
        )


@contextmanager
def extra(package: str, defence: str) -> Iterator[None]:
    """Imports of an optional package; `Unsupported` says how to install it."""
    try:
        yield
    except ImportError as absent:
        if (absent.name or "").partition(".")[0] != package:
            raise
        raise Unsupported(
            f"{defence} needs {package}, which is not installed", fix="pip install 'temper-ml[private]'"
        ) from None
