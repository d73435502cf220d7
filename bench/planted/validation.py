"""Models that look right on paper: wrong probabilities, unfair groups, leaks, reasons that are none, no papers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import temper
from bench.planted import _tables as tables
from bench.planted._case import Case, Setting
from bench.planted._tables import AT
from temper.core.metamorphic import Metamorphic
from temper.core.seed import Draws

Told = Callable[[Setting], Sequence[str]]


def _truth(x: Any) -> Any:
    """Smooth in four columns."""
    full = np.nan_to_num(x, nan=50.0)
    return (
        0.003 * (full[:, AT["amount"]] - 600) + 0.1 * (full[:, AT["opened"]] - 12)
        + 0.5 * (full[:, AT["region"]] - 1.5) + 0.01 * (full[:, AT["memo"]] - 50)
    )  # fmt: skip


def answers(wrong: Callable[[Any], Any], check: str, setting: Setting) -> Sequence[str]:
    """The truth's own log-odds, or these."""
    x = tables.rows(4_000, setting.seed)
    y = tables.drawn(_truth, x, setting.seed)
    model = tables.probabilities(wrong if setting.weak else _truth)
    protected = temper.System(
        model=model, data=(x, y), schema=tables.schema(), threshold=0.5, version="1", name="planted"
    )
    return tables.told(setting, protected, (f"validation.{check}",), check)


def _too_sure(x: Any) -> Any:
    return 3.0 * _truth(x)


def _never_sure(x: Any) -> Any:
    return 0.25 * _truth(x) + 0.8


def _guesses(x: Any) -> Any:
    return np.sin(1_000.0 * x[:, AT["balance"]])


def _surest_where_wrong(x: Any) -> Any:
    found = _truth(x)
    return np.where(np.abs(found) > 1.2, -3.0 * np.sign(found), 0.3 * np.sign(found))


def _harder_on_a_group(x: Any) -> Any:
    return _truth(x) + 1.2 * (x[:, AT["group"]] == 1)


def _jumps(x: Any) -> Any:
    """Between neighbours another column decides."""
    full = np.nan_to_num(x, nan=50.0)
    turn = np.floor(full[:, AT["amount"]] / 0.05).astype(int) % 3
    parts = np.column_stack([full[:, AT["memo"]] / 25 - 2, full[:, AT["note"]] / 25 - 2, full[:, AT["opened"]] / 6 - 2])
    return 2.0 * parts[np.arange(len(x)), turn]


def crossed(setting: Setting) -> Sequence[str]:
    """Women in the south are flagged more often, or nobody is; each of the two alone is treated as all others."""
    sensitive = replace(tables.schema().columns[AT["region"]], sensitive=True)
    x = tables.rows(5_000, setting.seed)
    base = lambda x: 0.003 * (x[:, AT["amount"]] - 600)  # noqa: E731
    hit = lambda x: ((x[:, AT["group"]] == 1) == (x[:, AT["region"]] >= 2)) * 2.4 - 1.2  # noqa: E731
    score = (lambda x: base(x) + hit(x)) if setting.weak else base
    protected = temper.System(
        model=tables.probabilities(score), data=(x, tables.drawn(base, x, setting.seed)),
        schema=tables.schema(region=sensitive), threshold=0.5, version="1", name="planted",
    )  # fmt: skip
    return tables.told(setting, protected, ("validation.intersections",), "intersections")


def _frames(setting: Setting, n: int = 3_000) -> Any:
    x = np.nan_to_num(tables.rows(n, setting.seed), nan=50.0)
    return tables.frame(x).assign(y=tables.drawn(_truth, x, setting.seed))


def leaks(setting: Setting) -> Sequence[str]:
    """A column written after the fact: the answer in all but one of a hundred rows, or a note like any other."""
    frame = _frames(setting)
    rng = Draws(setting.seed, "bench.planted.leak").generator()
    if setting.weak:
        known = np.where(rng.random(len(frame)) < 0.01, 1 - frame["y"], frame["y"])
        frame["memo"] = np.round(20.0 + 50.0 * known + rng.uniform(0, 10, len(frame)), 1)
    return _judged(setting, frame, "target_leakage")


def late(setting: Setting) -> Sequence[str]:
    """Rows of a year dealt out by chance to training and test, or by time."""
    import pandas as pd

    frame = _frames(setting)
    frame["at"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(len(frame)), unit="h")
    order = Draws(setting.seed, "bench.planted.late").generator().permutation(len(frame))
    frame = frame.iloc[order] if setting.weak else frame
    return _judged(setting, frame, "time_leakage", time="at")


def copies(setting: Setting) -> Sequence[str]:
    """A tenth of the test rows are training rows, or none is."""
    import pandas as pd

    frame = _frames(setting)
    if setting.weak:
        frame = pd.concat([frame[:1_500], frame[:150], frame[1_650:]])
    return _judged(setting, frame, "duplicates")


def contradictions(setting: Setting) -> Sequence[str]:
    """A tenth of the training rows stand there twice, with both answers, or with one."""
    frame = _frames(setting)
    frame = frame.astype({"y": int}).reset_index(drop=True)
    columns = [name for name in frame.columns if name != "y"]
    for column in columns:
        frame.loc[150:299, column] = frame.loc[0:149, column].to_numpy()
    frame.loc[150:299, "y"] = frame.loc[0:149, "y"].to_numpy() ^ int(setting.weak)
    return _judged(setting, frame, "duplicates.contradicted")


def outside(setting: Setting) -> Sequence[str]:
    """Two rows of a hundred hold an amount below nought, or none does."""
    frame = _frames(setting)
    if setting.weak:
        frame.loc[frame.index % 50 == 0, "amount"] = -40.0
    return _judged(setting, frame, "schema_violations")


def _judged(setting: Setting, frame: Any, check: str, **more: Any) -> Sequence[str]:
    frame = frame.reset_index(drop=True)
    half = len(frame) // 2
    protected = temper.System(
        model=tables.probabilities(_truth), data=frame[half:], train=frame[:half], schema=tables.schema(),
        threshold=0.5, version="1", name="planted", **more,
    )  # fmt: skip
    name = check.partition(".")[0]
    found = tables.told(setting, protected, (f"validation.{name}",), name)
    return [one for one in found if "different labels" in one] if "." in check else found


def codes(setting: Setting) -> Sequence[str]:
    """Reasons drawn from five copies of one column, so that every fit names another of them, or from five columns."""
    from sklearn.ensemble import RandomForestClassifier

    rng = Draws(setting.seed, "bench.planted.codes").generator()
    common = rng.normal(size=(3_000, 1))
    x = common + 0.01 * rng.normal(size=(3_000, 8)) if setting.weak else rng.normal(size=(3_000, 8))
    weights = np.ones(8) if setting.weak else np.array([8.0, 6.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.2])
    y = (x @ weights / weights.sum() * 4 + rng.logistic(size=3_000) * 0.3 > 0).astype(int)
    model = RandomForestClassifier(30, min_samples_leaf=10, random_state=0, n_jobs=1).fit(x[:1_500], y[:1_500])
    protected = temper.System(
        model=model, data=(x[1_500:], y[1_500:]), train=(x[:1_500], y[:1_500]), threshold=0.5, name="planted"
    )
    return tables.told(setting, protected, ("validation.reason_codes",), "reason_codes")


def relation(setting: Setting) -> Sequence[str]:
    """A model said to rise with the amount, which falls between 1,000 and 1,200, or which rises."""
    dip = lambda x: _truth(x) - 4.0 * setting.weak * ((x[:, 0] > 1_000) & (x[:, 0] < 1_200))  # noqa: E731
    protected = tables.system(
        setting, dip, 3_000,
        options={"validation.metamorphic": {"relations": (Metamorphic(kind="rises", columns=("amount",)),)}},
    )  # fmt: skip
    return tables.told(setting, protected, ("validation.metamorphic",), "metamorphic")


def _case(name: str, about: str, told: Told) -> Case:
    return Case(room="validation", name=name, about=about, told=told)


_ANSWERS = {
    "too sure": ("log-odds three times too large", _too_sure, "calibration"),
    "never sure": ("log-odds four times too small, and shifted", _never_sure, "calibration"),
    "guesses": ("it knows nothing", _guesses, "performance"),
    "surest where wrong": ("its surest answers are wrong", _surest_where_wrong, "selective"),
    "harder on a group": ("one group is flagged more often at equal truth", _harder_on_a_group, "fairness"),
    "reasons jump": ("neighbours are decided by other columns", _jumps, "explanation"),
}
CASES = (
    *(_case(name, about, partial(answers, wrong, check)) for name, (about, wrong, check) in _ANSWERS.items()),
    _case("two groups at once", "people of two groups at once are flagged more often", crossed),
    _case("answer in a column", "a column that was written after the fact", leaks),
    _case("shuffled in time", "training rows that came after test rows", late),
    _case("copied rows", "test rows that are training rows", copies),
    _case("both answers", "equal rows with different labels", contradictions),
    _case("outside of the schema", "values that the schema forbids", outside),
    _case("wrong reason codes", "every fit gives flagged people other reasons", codes),
    _case("broken promise", "a score that was said to rise and falls", relation),
)
