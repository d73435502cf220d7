"""A made-up table of payments (SIMULATED) whose columns come in pairs: one that an attacker sets, one that nobody can.

A rule that reads the one is weak, the same rule reading the other is its sound twin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from typing import Any

import numpy as np

import temper
from bench.planted._case import Setting
from temper.core.requirement import Verdict
from temper.core.schema import Column, Mutability, Schema
from temper.core.seed import Draws

SET = Mutability.COSTLY
CHANNELS = ("chip", "online", "swipe", "cash")
REGIONS = ("north", "east", "south", "west")


def schema(**changed: Column) -> Schema:
    """Eight columns; the first four are the attacker's."""
    columns = (
        Column(name="amount", low=0.0, high=5_000.0, attacker=SET, scale=200.0),
        Column(name="hour", type="integer", low=0, high=23, attacker=SET, scale=4.0),
        Column(name="channel", type="category", categories=CHANNELS, attacker=SET),
        Column(name="note", low=0.0, high=100.0, missing=True, attacker=SET, scale=10.0),
        Column(name="balance", low=0.0, high=5_000.0),
        Column(name="opened", type="integer", low=0, high=23),
        Column(name="region", type="category", categories=REGIONS),
        Column(name="memo", low=0.0, high=100.0, missing=True),
        Column(name="group", type="boolean", sensitive=True),
    )
    return Schema(columns=tuple(changed.get(column.name, column) for column in columns))


AT = {name: at for at, name in enumerate(schema().names)}
TWIN = {"amount": "balance", "hour": "opened", "channel": "region", "note": "memo"}


def rows(n: int, seed: int) -> Any:
    """Rows (n, 9): both columns of a pair are drawn alike and apart from each other."""
    rng = Draws(seed, "bench.planted").generator()
    half = []
    for _ in range(2):
        amount = np.round(rng.gamma(2.0, 300.0, n).clip(0, 5_000), 2)
        note = np.where(rng.random(n) < 0.1, np.nan, np.round(rng.uniform(0, 100, n), 1))
        half += [amount, rng.integers(0, 24, n), rng.integers(0, 4, n), note]
    return np.column_stack([*half, rng.integers(0, 2, n)]).astype(float)


def frame(x: Any) -> Any:
    """The rows as a data frame, with words for codes."""
    import pandas as pd

    found = pd.DataFrame(x, columns=list(schema().names))
    for name, words in (("channel", CHANNELS), ("region", REGIONS)):
        found[name] = np.array(words)[found[name].astype(int)]
    return found.assign(group=found["group"].astype(bool))


def column(x: Any, name: str, weak: bool) -> Any:
    """The attacker's column of a pair, or the other."""
    return x[:, AT[name if weak else TWIN[name]]]


def probabilities(score: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A callable model (n, 2) of a log-odds function."""

    def model(x: Any) -> Any:
        p = 1.0 / (1.0 + np.exp(-np.clip(score(np.asarray(x, dtype=float)), -30.0, 30.0)))
        return np.column_stack([1.0 - p, p])

    return model


def drawn(score: Callable[[Any], Any], x: Any, seed: int) -> Any:
    """Truth (n,) as often 1 as the log-odds say."""
    odds = probabilities(score)(x)[:, 1]
    return (Draws(seed, "bench.planted.truth").generator().random(len(x)) < odds).astype(int)


def system(setting: Setting, score: Callable[[Any], Any], n: int = 2_000, **more: Any) -> Any:
    """A system whose model is the truth's own log-odds, so that nothing but the planted weakness is wrong with it."""
    x = rows(n, setting.seed)
    given: dict[str, Any] = {"data": (x, drawn(score, x, setting.seed)), "schema": schema(), "threshold": 0.5}
    return temper.System(model=probabilities(score), version="1", name="planted", **(given | more))


def told(setting: Setting, protected: Any, only: Sequence[str], *kinds: str) -> list[str]:
    """What a quick assessment says of these kinds: findings, and requirements of the policy that FAIL."""
    run = temper.assess(protected, "quick", only, setting.seed, "serial", store=setting.folder)
    found = [f"finding {one.plugin}: {one.title}" for one in run.findings if _of(one.plugin, kinds)]
    failed = [one for one in run.record.judgements if one.verdict is Verdict.FAIL]
    return found + [f"FAIL {one.requirement.id}" for one in failed if _of(one.requirement.metric, kinds)]


def _of(name: str, kinds: Sequence[str]) -> bool:
    return any(fnmatch(name, kind) or fnmatch(name, f"{kind}.*") for kind in kinds)
