"""A small fraud system on disk and the command line, for stories that read like the user's day."""

import os
import shutil
import subprocess
import sys
from unittest import mock

import pytest

from scenarios.story import ENVIRONMENT, Desk, Folder, Told, typed


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """A system of about 1,200 SIMULATED payments: model.ubj, train.parquet, test.parquet, temper.yaml."""
    import pandas as pd
    from xgboost import XGBClassifier

    from temper.demos import fraud

    folder = tmp_path_factory.mktemp("written")
    source = fraud.write(folder / "full", customers=300, days=40)
    payments = fraud.generate(customers=300, days=40)
    bad, honest = payments[payments[fraud.TARGET] == 1], payments[payments[fraud.TARGET] == 0]
    few = pd.concat([bad, honest.iloc[:: len(honest) // 900]]).sort_index()
    system = folder / "system"
    system.mkdir()
    columns = [*fraud.schema().names, fraud.TARGET]
    halves = {"train": few.iloc[::2].reset_index(drop=True), "test": few.iloc[1::2].reset_index(drop=True)}
    for name, half in halves.items():
        half[columns].to_parquet(system / f"{name}.parquet")
    learned = fraud.rows(halves["train"])
    model = XGBClassifier(n_estimators=25, max_depth=3, n_jobs=1).fit(learned.x, learned.y)
    model.save_model(system / "model.ubj")
    folder_of = Folder(system)
    folder_of.config.write_text(_without_history(source.read_text(encoding="utf-8")), encoding="utf-8")
    folder_of.threshold(0.5)
    return system


def _without_history(text):
    """Of the few payments there is no history; tests/unit/test_fraud.py holds that of the whole demo."""
    head, _, tail = text.partition("\nstress:")
    assert tail, "the demo's temper.yaml declares its history"
    return head.replace(", time: day, history: history.parquet", "") + tail[tail.index("\npolicy:") :]


@pytest.fixture
def system(written, tmp_path):
    """A copy of the small system that a story may change."""
    return Folder(shutil.copytree(written, tmp_path / "bank"))


@pytest.fixture(scope="session")
def sizes():
    """A few dozen rows: what is told is the same, and the stories stay short."""
    from temper.engine.task import Sizes

    return Sizes(
        attacked=16, held_out=400, trained=400, references=2, doses=(0.02, 0.05), repeats=2, students=200,
        replicates=100, shard=8,
    )  # fmt: skip


@pytest.fixture
def small(monkeypatch, sizes):
    """The quick suite in these sizes."""
    from temper.engine.task import SUITES

    monkeypatch.setitem(SUITES, "quick", sizes)


@pytest.fixture(scope="session")
def lost(written, sizes, tmp_path_factory):
    """The small system after an attack, as run 0001, that its policy does not forgive."""
    from temper.engine.task import SUITES

    bank = Folder(shutil.copytree(written, tmp_path_factory.mktemp("lost") / "bank"))
    bank.requires("id: holds, metric: evasion.coordinate.success_rate, at_most: 0.05, reason: a story")
    with mock.patch.dict(SUITES, quick=sizes):
        told = Desk(typed).assess(bank)
    assert told.code == 1, told.all
    return bank.path


@pytest.fixture
def failed(lost, tmp_path):
    """A copy of the system that was attacked and failed."""
    return Folder(shutil.copytree(lost, tmp_path / "failed"))


@pytest.fixture
def desk(tmp_path, monkeypatch, small):
    """The user's desk: commands run in this process, in an empty folder."""
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    monkeypatch.setenv("COLUMNS", "200")
    return Desk(typed)


@pytest.fixture
def terminal(tmp_path):
    """The same as a real process of its own, as from a shell."""
    return Desk(lambda words: _started(words, tmp_path))


def _started(words, folder):
    done = subprocess.run(
        [sys.executable, "-m", "temper", *words],
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    return Told(done.returncode, done.stdout, done.stderr)
