"""Models that a client copies through their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import temper
from bench.planted import _tables as tables
from bench.planted._case import Case, Setting
from bench.planted._tables import AT
from temper.core.system import Exposure


def _line(x: Any) -> Any:
    full = np.nan_to_num(x, nan=50.0)
    return 0.004 * (full[:, AT["amount"]] - 600) + 0.1 * (full[:, AT["hour"]] - 12) - 0.02 * (full[:, AT["memo"]] - 50)


def _one_field(x: Any) -> Any:
    return 0.01 * (x[:, AT["amount"]] - 700)


def _three_rules(x: Any) -> Any:
    found = (x[:, AT["amount"]] > 800).astype(float) + (x[:, AT["hour"]] > 18) + (x[:, AT["channel"]] == 1)
    return 3.0 * found - 2.0


def _texture(x: Any) -> Any:
    """Decided by digits that no neighbour shares."""
    full = np.nan_to_num(x, nan=50.0)
    return np.where(np.sin(997.0 * full[:, AT["amount"]] + 631.0 * full[:, AT["balance"]]) > 0.3, 3.0, -3.0)


def surrogate(score: Callable[[Any], Any], returns: str, setting: Setting) -> Sequence[str]:
    """A few rules, or a texture too fine for any number of rows a client may ask about."""
    protected = tables.system(setting, score if setting.weak else _texture, 4_000, exposure=Exposure(returns=returns))
    plugins = ("extraction.surrogate", "extraction.natural")
    return tables.told(setting, protected, plugins, "extraction.surrogate", "extraction.natural")


def solved(setting: Setting) -> Sequence[str]:
    """A line that answers with exact probabilities, or with tenths."""
    from temper.targets.load import open_target

    exact = tables.probabilities(_line)
    model = exact if setting.weak else lambda x: np.round(exact(x), 1)
    protected = tables.system(setting, _line, 4_000)
    protected = temper.System(
        model=open_target(model, classes=2, version="2"), data=(protected.data.x, protected.data.y),
        schema=tables.schema(), threshold=0.5, name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, ("extraction.equation_solving",), "extraction.equation_solving")


def walked(setting: Setting) -> Sequence[str]:
    """A tree whose leaves are told apart by their scores, or that says yes and no."""
    from sklearn.tree import DecisionTreeClassifier

    x = np.nan_to_num(tables.rows(6_000, setting.seed), nan=50.0)
    y = tables.drawn(_line, x, setting.seed)
    tree = DecisionTreeClassifier(max_leaf_nodes=12, min_samples_leaf=30, random_state=0).fit(x[:3_000], y[:3_000])
    digits = 15 if setting.weak else 0
    protected = temper.System(
        model=lambda rows: np.round(tree.predict_proba(rows), digits), data=(x[3_000:], y[3_000:]),
        schema=tables.schema(), threshold=0.5, version="1", name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, ("extraction.path_finding",), "extraction.path_finding")


def _case(name: str, about: str, told: Callable[[Setting], Sequence[str]]) -> Case:
    return Case(room="extraction", name=name, about=about, told=told)


CASES = (
    _case("one field", "a limit on one field, with scores", partial(surrogate, _one_field, "score")),
    _case("one field, labels", "the same with decisions alone", partial(surrogate, _one_field, "label")),
    _case("three rules", "three rules that add up", partial(surrogate, _three_rules, "score")),
    _case("exact line", "a line with exact probabilities", solved),
    _case("exact tree", "a tree whose leaves are told apart", walked),
)
