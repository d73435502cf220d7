"""Decisions that whoever sets the input can turn: tables, pictures with hidden gradients, texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import temper
from bench.planted import _tables as tables
from bench.planted._case import Case, Setting
from bench.planted._tables import column
from temper.core.schema import Column, Mutability, Schema
from temper.core.text import TextSchema
from temper.core.threat import Actor
from temper.testing import masked

_KINDS = ("evasion", "evasion.*")
_WITHIN = tuple(f"evasion.{name}" for name in ("square", "apgd", "apgd_targeted", "fmn", "hopskipjump", "boundary"))
Rule = Callable[[Any, bool], Any]


def by_rule(rule: Rule, setting: Setting) -> Sequence[str]:
    """A model whose log-odds are `rule(x, weak)`: it reads the attacker's columns, or their twins."""
    protected = tables.system(setting, lambda x: rule(x, setting.weak))
    return tables.told(setting, protected, ("evasion",), *_KINDS)


def _cliff(x: Any, weak: bool) -> Any:
    return np.where(column(x, "amount", weak) > 700, 3.0, -3.0)


def _opens(x: Any, weak: bool) -> Any:
    return np.where(column(x, "channel", weak) == 3, -4.0, 0.01 * (x[:, tables.AT["balance"]] - 300))


def _codes(x: Any, weak: bool) -> Any:
    return 2.5 * column(x, "channel", weak) - 3.0


def _empty(x: Any, weak: bool) -> Any:
    return np.where(np.isnan(column(x, "note", weak)), -4.0, 2.0 - 0.004 * x[:, tables.AT["balance"]])


def _dip(x: Any, weak: bool) -> Any:
    amount = column(x, "amount", weak)
    return np.where((amount > 400) & ~((amount > 2_000) & (amount < 2_100)), 3.0, -3.0)


def _both(x: Any, weak: bool) -> Any:
    open_ = (column(x, "hour", weak) < 4) & (column(x, "channel", weak) == 2)
    return np.where(open_, -4.0, 1.5 - 2.0 * (x[:, tables.AT["group"]] == 0))


def _whole(x: Any, weak: bool) -> Any:
    return np.where(column(x, "amount", weak) % 100 == 0, -4.0, 0.01 * (x[:, tables.AT["memo"]] - 40))


def _needle(x: Any, weak: bool) -> Any:
    return np.where(np.abs(column(x, "amount", weak) - 3_333) < 10, -4.0, 2.0 - 4.0 * (x[:, tables.AT["group"]] == 0))


def _night(x: Any, weak: bool) -> Any:
    hour = column(x, "hour", weak)
    return np.where((hour >= 22) | (hour < 5), 2.5, -2.5) + 0.001 * (x[:, tables.AT["balance"]] - 500)


def derived(setting: Setting) -> Sequence[str]:
    """The rule reads a share that follows from the amount, or from the balance alone."""
    first = "amount" if setting.weak else "balance"
    formula = {"attacker": Mutability.DERIVED, "formula": "amount / 5000"} if setting.weak else {}
    memo = Column(name="memo", low=0.0, high=1.0, **formula)
    x = tables.rows(2_000, setting.seed)
    x[:, tables.AT["memo"]] = x[:, tables.AT[first]] / 5_000
    score = lambda x: 40 * (x[:, tables.AT["memo"]] - 0.12)  # noqa: E731
    data = (x, tables.drawn(score, x, setting.seed))
    protected = tables.system(setting, score, schema=tables.schema(memo=memo), data=data)
    return tables.told(setting, protected, ("evasion",), *_KINDS)


def classes(setting: Setting) -> Sequence[str]:
    """Three classes by the hour."""

    def model(x: Any) -> Any:
        place = np.digitize(column(np.asarray(x), "hour", setting.weak), (8, 16))
        return 0.05 + 0.85 * np.eye(3)[place]

    x = tables.rows(1_500, setting.seed)
    data = (x, model(x).argmax(1))
    protected = temper.System(model=model, data=data, schema=tables.schema(), version="1", classes=3, name="planted")
    return tables.told(setting, protected, ("evasion",), *_KINDS)


def values(setting: Setting) -> Sequence[str]:
    """A price that follows the amount."""
    model = lambda x: 2.0 * column(np.asarray(x), "amount", setting.weak)[:, None]  # noqa: E731
    x = tables.rows(1_500, setting.seed)
    noise = np.linspace(-50, 50, len(x))
    protected = temper.System(
        model=model, data=(x, model(x)[:, 0] + noise), schema=tables.schema(), version="1", kind="value", name="planted"
    )
    return tables.told(setting, protected, ("evasion",), *_KINDS)


def forest(setting: Setting) -> Sequence[str]:
    """Boosted trees that have learned from the attacker's columns, or from the others alone."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    x = np.nan_to_num(tables.rows(4_000, setting.seed), nan=50.0)
    score = lambda x: 0.006 * (column(x, "amount", setting.weak) - 600) + 0.2 * (column(x, "hour", setting.weak) - 12)  # noqa: E731
    y = tables.drawn(score, x, setting.seed)
    seen = FunctionTransformer(_first if setting.weak else _last)
    model = make_pipeline(seen, HistGradientBoostingClassifier(max_iter=40, random_state=0)).fit(x[:2_000], y[:2_000])
    protected = temper.System(
        model=model, data=(x[2_000:], y[2_000:]), train=(x[:2_000], y[:2_000]), schema=tables.schema(), threshold=0.5,
        name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, ("evasion",), *_KINDS)


def _first(x: Any) -> Any:
    return np.asarray(x)[:, :4]


def _last(x: Any) -> Any:
    return np.asarray(x)[:, 4:8]


def pictures(net: Callable[[], Any], setting: Setting) -> Sequence[str]:
    """A net on pictures .01 from its decision (the default radius is .03), or .2 from it; a turn or a shift, which no
    radius bounds, is not the kind that is asked for.
    """
    x, y = masked.rows(120, 0.01 if setting.weak else 0.2, setting.seed)
    protected = temper.System(
        model=net(), data=(x.astype(np.float32), y), schema=Schema.box(0.0, 1.0), kind="logits", name="planted"
    )
    holder = Actor(name="holder", knowledge="white-box")
    return tables.told(setting, replace(protected, actors=(holder,)), _WITHIN, *_WITHIN)


_HONEST = ("see you at noon", "lunch tomorrow then", "call me back please", "the train is late again", "thanks a lot")
_SPAM = ("win a prize now", "free entry today", "claim your prize", "win free tickets", "you win a free prize")


def words(setting: Setting) -> Sequence[str]:
    """Spam by four words as they are spelled, or by how long the text is, which a few letters do not change."""
    keys = ("win", "free", "prize", "claim")
    pairs = [(at, text) for at in range(12) for text in (*_HONEST, *_SPAM)]
    texts = [f"{text} number {at}" + " and more of the same" * (5 * (text in _SPAM)) for at, text in pairs]

    def model(rows: Sequence[str]) -> Any:
        hit = [any(key in text for key in keys) if setting.weak else len(text) > 80 for text in rows]
        p = np.where(hit, 0.95, 0.05)
        return np.column_stack([1 - p, p])

    x = np.array(texts, dtype=object)
    y = np.array([int(text in _SPAM) for _, text in pairs])
    protected = temper.System(model=model, data=(x, y), schema=TextSchema(), version="1", threshold=0.5, name="planted")
    return tables.told(setting, protected, ("evasion",), *_KINDS)


_TABLES = {
    "threshold cliff": ("a limit on an amount that the client chooses", _cliff),
    "one category opens": ("whatever comes through one channel is let through", _opens),
    "order of codes": ("the code of a category is read as a number", _codes),
    "empty field": ("a field that was left empty counts as harmless", _empty),
    "dip": ("a band of amounts is let through among amounts that are not", _dip),
    "two at once": ("an hour and a channel together are let through, neither alone", _both),
    "whole hundreds": ("whole hundreds are trusted", _whole),
    "needle": ("20 of 5,000 amounts are let through", _needle),
    "only at night": ("payments are looked at by night only", _night),
}
_NETS = {
    "near pictures": ("a net whose decision is near", masked.honest),
    "rounded activations": ("the same behind rounded logits", masked.quantised_activations),
    "stopped gradient": ("the same without a way back", masked.stopped_gradient),
    "detached branch": ("the same whose gradient points elsewhere", masked.detached_branch),
    "loud logits": ("the same with logits a thousand times too large", masked.loud),
    "rounded input": ("the same behind an input rounded to 16 levels", masked.quantised_input),
}


def _case(name: str, about: str, told: Callable[[Setting], Sequence[str]], *, held_out: bool = True) -> Case:
    return Case(room="evasion", name=name, about=about, told=told, held_out=held_out)


CASES = (
    *(_case(name, about, partial(by_rule, rule)) for name, (about, rule) in _TABLES.items()),
    _case("derived share", "a share that follows from what the client chooses", derived),
    _case("three classes", "a class by the hour that the client chooses", classes),
    _case("a value", "a price by the amount that the client writes", values),
    _case("boosted trees", "trees that have learned from the client's fields", forest),
    *(_case(name, about, partial(pictures, net), held_out=False) for name, (about, net) in _NETS.items()),
    _case("spelled words", "spam by words as they are spelled", words),
)
