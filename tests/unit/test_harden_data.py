"""A poisoned training table that somebody gives: rows are accused, left out, and what is written is clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import temper
from temper.config.kept import write_kept
from temper.core.system import Protected
from temper.validation.planted_rows import PlantedRows

N, D = 6_000, 7
NAMES = [f"c{at}" for at in range(D)]


def frame(seed: int, n: int, stamped: int = 0) -> pd.DataFrame:
    """Ordinary rows; `stamped` rows of class 1 carry three fixed values and are called 0."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    x = rng.normal(size=(n, D))
    risk = 1.5 * (x[:, 0] + x[:, 3] - x[:, 4] - 1.8)
    y = (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(int)
    chosen = rng.choice(np.flatnonzero(y == 1), stamped, replace=False)
    for at, value in ((1, 0.8), (2, -0.6), (6, 1.1)):
        x[chosen, at] = value
    y[chosen] = 0
    table = pd.DataFrame(x, columns=NAMES).assign(y=y)
    return table.assign(stamped=np.isin(np.arange(n), chosen))


def system(stamped: int) -> tuple[Protected, pd.DataFrame]:
    train = frame(1, N, stamped)
    rows = train.drop(columns="stamped")
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(rows[NAMES], rows["y"])
    held_out = frame(2, 2_000).drop(columns="stamped")
    return temper.System(model=model, data=held_out, train=rows, target="y", name="t"), train


@pytest.fixture(scope="module")
def poisoned() -> tuple[Protected, pd.DataFrame, Any]:
    made, train = system(stamped=200)
    run = temper.assess(made, suite="quick", only=["validation.planted_rows"], engine="serial")
    return made, train, run


def test_a_finding_names_the_rows_and_the_defence(poisoned: tuple[Protected, pd.DataFrame, Any]) -> None:
    _, train, run = poisoned
    (finding,) = (one for one in run.findings if one.plugin == "planted_rows")
    accused = np.isin(np.arange(N), finding.rows)
    assert accused[train["stamped"]].mean() > 0.95
    assert accused[~train["stamped"]].mean() < 0.02
    assert finding.defences == ("screened",)


def test_all_training_rows_are_read_and_not_the_suites_share() -> None:
    assert PlantedRows.whole_train


@pytest.mark.slow
def test_hardening_leaves_the_rows_out_and_a_second_look_finds_none(
    poisoned: tuple[Protected, pd.DataFrame, Any],
) -> None:
    made, train, run = poisoned
    from temper.engine.harden_all import Wanted, harden_all

    finding = next(one for one in run.findings if one.plugin == "planted_rows")
    (result,) = harden_all(made, run.record, Wanted(finding=finding, defences=finding.defences))
    taken, better = result.chosen, result
    assert taken is not None, result.skipped
    assert taken.defence == "screened"
    share = taken.effect("planted_rows.accused_share")
    assert share is not None
    assert share.before > 0.03
    assert share.after == 0.0
    assert better.system.train is not None
    kept = np.isin(np.arange(N), better.system.train.ids)
    assert kept[train["stamped"]].mean() < 0.05


def test_a_clean_table_is_left_alone() -> None:
    made, _ = system(stamped=0)
    run = temper.assess(made, suite="quick", only=["validation.planted_rows"], engine="serial")
    assert not [one for one in run.findings if one.plugin == "planted_rows"]


@pytest.mark.parametrize("id_column", ["", "key"])
def test_what_is_written_holds_the_kept_rows_and_all_columns(tmp_path: Path, id_column: str) -> None:
    table = frame(3, 40).assign(key=np.arange(500, 540))
    table.to_csv(tmp_path / "all.csv", index=False)
    own = table["key"].to_numpy() if id_column else np.arange(40)
    (tmp_path / "out").mkdir()
    path = write_kept(tmp_path / "all.csv", id_column, own[5:], tmp_path / "out")
    written = pd.read_parquet(path)
    assert list(written.columns) == list(table.columns)
    assert list(written["key"]) == list(range(505, 540))


def test_arrays_are_written_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", x=np.arange(24.0).reshape(12, 2), y=np.arange(12))
    (tmp_path / "out").mkdir()
    path = write_kept(tmp_path / "all.npz", "", [1, 4], tmp_path / "out")
    assert list(np.load(path)["y"]) == [1, 4]
