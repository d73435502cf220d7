"""Models that tell who was in their training rows, and what was said of them there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import temper
from bench.planted import _tables as tables
from bench.planted._case import Case, Setting
from bench.planted._tables import AT
from temper.core.schema import Column, Schema
from temper.core.seed import Draws
from temper.core.system import Exposure

_MEMBERS = ("inversion.membership", "inversion.label_only", "inversion.quantile")


def _score(x: Any) -> Any:
    return 0.003 * (x[:, AT["amount"]] - 600)


def _people(setting: Setting, n: int) -> Any:
    x = np.nan_to_num(tables.rows(n, setting.seed), nan=50.0)
    return x, tables.drawn(_score, x, setting.seed)


def by_heart() -> Any:
    """Every training row in a leaf of its own."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(40, bootstrap=False, max_features=2, random_state=0, n_jobs=1)


def restrained() -> Any:
    """A forest of two questions a tree, each asked of hundreds of people."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(40, max_depth=2, min_samples_leaf=200, max_features=None, random_state=0, n_jobs=1)


def members(returns: str, refit: bool, setting: Setting) -> Sequence[str]:
    """Noisy labels that were learned by heart, or not."""
    x, y = _people(setting, 3_000)
    model = (by_heart() if setting.weak else restrained()).fit(x[:1_500], y[:1_500])
    protected = temper.System(
        model=model if refit else model.predict_proba, data=(x[1_500:], y[1_500:]), train=(x[:1_500], y[:1_500]),
        schema=tables.schema(), threshold=0.5, exposure=Exposure(returns=returns), version="1", name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, _MEMBERS, *_MEMBERS)


def attribute(setting: Setting) -> Sequence[str]:
    """A label that goes with a person's group for half of the training rows, learned by heart, or coarsely."""
    x, _ = _people(setting, 3_000)
    rng = Draws(setting.seed, "bench.planted.attribute").generator()
    y = ((x[:, AT["group"]] + (x[:, AT["amount"]] > 500) + (rng.random(len(x)) < 0.2)) % 2).astype(int)
    model = (by_heart() if setting.weak else restrained()).fit(x[:1_500], y[:1_500])
    protected = temper.System(
        model=model, data=(x[1_500:], y[1_500:]), train=(x[:1_500], y[:1_500]), schema=tables.schema(), threshold=0.5,
        name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, ("inversion.attribute",), "inversion.attribute")


def alone(setting: Setting) -> Sequence[str]:
    """Birth year, place and occupation of one person each, or by decade, country and branch."""
    rng = Draws(setting.seed, "bench.planted.alone").generator()
    fine = (70, 60, 40) if setting.weak else (3, 2, 2)
    names = ("born", "place", "work")
    columns = [Column(name=name, type="integer", low=0, high=100, sensitive=True) for name in names]
    x = np.column_stack([rng.integers(0, most, 2_000) for most in fine] + [rng.normal(size=2_000)]).astype(float)
    schema = Schema(columns=(*columns, Column(name="income")))
    score = lambda x: 2.0 * x[:, 3]  # noqa: E731
    y = tables.drawn(score, x, setting.seed)
    protected = temper.System(
        model=tables.probabilities(score), data=(x[:1_000], y[:1_000]), train=(x[1_000:], y[1_000:]), schema=schema,
        threshold=0.5, version="1", name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, ("validation.privacy",), "privacy")


def property_(setting: Setting) -> Sequence[str]:
    """A label that goes with a group which the model cannot see, so that every answer follows the group's share; or one
    that does not.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    x, _ = _people(setting, 4_000)
    shift = 3.0 * x[:, AT["group"]] if setting.weak else 1.5
    y = tables.drawn(lambda x: _score(x) + shift, x, setting.seed)
    scaled = x / np.maximum(np.abs(x).max(axis=0), 1.0)
    model = make_pipeline(FunctionTransformer(_unseen), LogisticRegression(max_iter=500)).fit(scaled[:2_000], y[:2_000])
    columns = tuple(
        Column(name=c.name, low=0.0, high=1.0, sensitive=c.sensitive, type="boolean" if c.sensitive else "number")
        for c in tables.schema().columns
    )
    protected = temper.System(
        model=model, data=(scaled[2_000:], y[2_000:]), train=(scaled[:2_000], y[:2_000]),
        schema=Schema(columns=columns), threshold=0.5, name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, ("inversion.property",), "inversion.property")


def _unseen(x: Any) -> Any:
    return np.asarray(x)[:, : AT["group"]]


def _case(name: str, about: str, told: Callable[[Setting], Sequence[str]]) -> Case:
    return Case(room="inversion", name=name, about=about, told=told)


CASES = (
    _case("members by score", "a forest that knows its rows by heart", partial(members, "score", True)),
    _case("members by label", "the same, of which decisions alone are seen", partial(members, "label", True)),
    _case("members, no refits", "the same, which cannot be fitted again", partial(members, "score", False)),
    _case("attribute", "a forest that gives away a person's group", attribute),
    _case("property", "a model that gives away the share of a group", property_),
    _case("standing alone", "people of whom there is one in the table", alone),
)
