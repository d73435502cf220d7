"""Models that lose when their input is broken, odd, or later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import temper
from bench.planted import _tables as tables
from bench.planted._case import Case, Setting
from bench.planted._tables import AT
from temper.core.seed import Draws
from temper.core.text import TextSchema

Model = Callable[[Any], Any]


def _usual(x: Any) -> Any:
    """The truth's log-odds: of many columns; what is missing, or outside of its range, counts as a usual value."""
    full = np.where(np.isnan(x), np.array([500, 12, 1, 50, 500, 12, 1, 50, 0.5]), x)
    outside = (full < 0) | (full > np.array([5_000, 23, 3, 100, 5_000, 23, 3, 100, 1]))
    kept = np.where(outside, np.array([500, 12, 1, 50, 500, 12, 1, 50, 0.5]), full)
    return (kept - np.array([600, 12, 1.5, 50, 600, 12, 1.5, 50, 0.5])) @ _WEIGHTS


_WEIGHTS = np.array([0.0005, 0.04, 0.3, 0.01, 0.0005, 0.04, 0.3, 0.01, 0.8])


def asked(wrong: Model, truth: Model, only: Sequence[str], kinds: Sequence[str], setting: Setting) -> Sequence[str]:
    """A model that answers as `wrong(x)` says, or by the truth's own log-odds; rows and truth are the same."""
    x = tables.rows(3_000, setting.seed)
    y = tables.drawn(truth, x, setting.seed)
    score = wrong if setting.weak else truth
    protected = temper.System(
        model=tables.probabilities(score),
        data=(x, y),
        schema=tables.schema(),
        threshold=0.5,
        version="1",
        name="planted",
    )
    return tables.told(setting, protected, only, *kinds)


def _loses_missing(x: Any) -> Any:
    return np.where(np.isnan(x).sum(axis=1) > 1, -6.0, _usual(x))


def _believes_codes(x: Any) -> Any:
    """What is outside of a column's range is believed: -999 is a very small amount."""
    full = np.where(np.isnan(x), np.array([500, 12, 1, 50, 500, 12, 1, 50, 0.5]), x)
    return (full - np.array([600, 12, 1.5, 50, 600, 12, 1.5, 50, 0.5])) @ _WEIGHTS


def _cannot_read(x: Any) -> Any:
    """A word that it does not know reaches it as no word at all."""
    if np.isnan(x[:, AT["channel"]]).any():
        raise KeyError("a channel nobody knows")
    return _usual(x)


def _words(x: Any) -> Any:
    """The truth of columns that have no unit."""
    known = np.nan_to_num(x, nan=1.0)
    return 1.5 * (known[:, AT["channel"]] - 1.5) + 1.0 * (known[:, AT["region"]] - 1.5) + 0.8 * known[:, AT["group"]]


def _amounts_too(x: Any) -> Any:
    return _words(x) + 0.003 * (np.nan_to_num(x[:, AT["amount"]], nan=600.0) - 600)


def _ripples(x: Any) -> Any:
    """Between two cents of an amount lies another answer."""
    return np.where(np.sin(20.0 * np.nan_to_num(x[:, AT["amount"]])) > 0, 3.0, -3.0)


def _turned_in_the_south(x: Any) -> Any:
    corner = (x[:, AT["region"]] == 2) & (x[:, AT["opened"]] >= 12)
    return np.where(corner, -2.5 * _usual(x), _usual(x))


def _blind_for_cash(x: Any) -> Any:
    return np.where((x[:, AT["channel"]] == 3) & (x[:, AT["group"]] == 1), -3.0, _usual(x))


def segment(wrong: Model, setting: Setting) -> Sequence[str]:
    """Wrong in one corner of the table, or nowhere in particular."""
    only = ("validation.weak_slice", "validation.subpopulation")
    return asked(wrong, lambda x: 2.0 * _usual(x), only, ("weak_slice", "subpopulation"), setting)


def ages(setting: Setting) -> Sequence[str]:
    """Rows of a year, whose truth turns away from the model month by month, or stays."""
    import pandas as pd

    x = np.nan_to_num(tables.rows(6_000, setting.seed), nan=50.0)
    month = np.arange(len(x)) * 12 // len(x)
    swap = Draws(setting.seed, "bench.planted.ages").generator().random(len(x)) < 0.03 * month * setting.weak
    y = tables.drawn(lambda x: 2.5 * _usual(x), x, setting.seed)
    y = np.where(swap, 1 - y, y)
    frame = tables.frame(x).assign(y=y)
    frame["at"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(len(x)) * 87, unit="min")
    protected = temper.System(
        model=tables.probabilities(lambda x: 2.5 * _usual(x)), data=frame, time="at", schema=tables.schema(),
        threshold=0.5, version="1", name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, ("validation.periods",), "periods")


def pictures(setting: Setting) -> Sequence[str]:
    """Dark and bright pictures told by one pixel, or by all of them."""
    from temper.core.schema import Schema

    rng = Draws(setting.seed, "bench.planted.pixels").generator()
    y = rng.integers(0, 2, 400)
    x = np.clip(rng.normal(0.35 + 0.3 * y[:, None, None, None], 0.1, (400, 3, 12, 12)), 0, 1).astype(np.float32)

    def model(rows: Any) -> Any:
        seen = np.asarray(rows)[:, 0, 5, 5] if setting.weak else np.asarray(rows).mean(axis=(1, 2, 3))
        p = 1.0 / (1.0 + np.exp(-40 * (seen - 0.5)))
        return np.column_stack([1 - p, p])

    protected = temper.System(model=model, data=(x, y), schema=Schema.box(0.0, 1.0), version="1", name="planted")
    plugins = tuple(f"stress.image.{name}" for name in ("gaussian_noise", "impulse_noise", "shot_noise", "elastic"))
    return tables.told(setting, protected, plugins, *plugins)


def texts(setting: Setting) -> Sequence[str]:
    """Complaints told by words as they are spelled, in small letters, or by the letters of them in any case."""
    rng = Draws(setting.seed, "bench.planted.texts").generator()
    bad, rest = ("refund", "broken", "angry"), ("parcel", "monday", "thanks", "order", "please", "office", "number")
    y = rng.integers(0, 2, 400)
    x = [" ".join([*rng.choice(rest, 6), *(rng.choice(bad, 2) if label else rng.choice(rest, 2))]) for label in y]

    def model(rows: Sequence[str]) -> Any:
        known = [row if setting.weak else row.lower() for row in rows]
        p = np.array([0.95 if any(word in row for word in bad) else 0.05 for row in known])
        return np.column_stack([1 - p, p])

    protected = temper.System(
        model=model, data=(np.array(x, object), y), schema=TextSchema(), version="1", threshold=0.5, name="planted"
    )
    return tables.told(setting, protected, ("stress.text.casing",), "stress.text.casing")


def _case(name: str, about: str, told: Callable[[Setting], Sequence[str]]) -> Case:
    return Case(room="stress", name=name, about=about, told=told)


def _table(name: str, about: str, wrong: Model, plugin: str, truth: Model = _usual) -> Case:
    plugins = tuple(f"stress.{one}" for one in plugin.split())
    return _case(name, about, partial(asked, wrong, truth, plugins, plugins))


CASES = (
    _table("missing values", "two empty fields mean no", _loses_missing, "missing missing_at_random join_lost"),
    _table("sentinels", "-999 is believed", _believes_codes, "sentinel"),
    _table("unknown category", "it fails on a channel that it does not know", _cannot_read, "category_unseen"),
    _table("wrong unit", "the amount in cents is believed", _amounts_too, "unit_error", _words),
    _table("ripples", "answers change between two cents", _ripples, "noise"),
    _case("weak corner", "turned round in one region for late openers", partial(segment, _turned_in_the_south)),
    _case("blind corner", "one group's cash is never flagged", partial(segment, _blind_for_cash)),
    _case("ages", "wrong more often from month to month", ages),
    _case("one pixel", "pictures told by one pixel", pictures),
    _case("small letters", "words told as they are spelled", texts),
)
