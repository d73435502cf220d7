"""What the store promises: runs are immutable, tasks come back equal, kills and full disks lose nothing."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from temper.core.errors import StoreError, TemperError
from temper.core.finding import Example, Finding
from temper.core.measure import Measurement
from temper.core.outline import outlined
from temper.core.requirement import Verdict
from temper.core.run import Record
from temper.core.schema import Change
from temper.store import migrate, place
from temper.store.codec import to_json, wrap
from temper.store.control.database import Connection
from temper.store.database import Store


def record(name: str = "0001", state: str = "finished", findings: tuple[Finding, ...] = ()) -> Record:
    return Record(
        id=name,
        system="fraud",
        suite="quick",
        seed=0,
        started="2026-01-02T03:04:05+00:00",
        seconds=1.5,
        state=state,
        verdict=Verdict.FAIL,
        measurements=(Measurement(plugin="performance", metric="auc", value=0.9, low=0.8, high=0.95, n=100),),
        findings=findings,
        tasks=("k1",),
    )


def finding(name: str = "F-7c1e") -> Finding:
    change = Change(column="amount", before="231.00", after="214.50", cost=1.0)
    example = Example(sample=7, changes=(change,), score_before=0.97, score_after=0.08, queries=38, cost=1.0)
    return Finding(
        id=name,
        title="t",
        plugin="evasion.search",
        metric="success_rate",
        severity="high",
        examples=(example,),
        task="k1",
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / ".temper" / "temper.db")


def test_a_run_comes_back_equal(store: Store) -> None:
    kept = record(findings=(finding(),))
    store.save_run(kept)
    assert store.run("0001") == kept
    assert store.runs() == [kept]


def test_a_folder_names_the_store_inside_it(tmp_path: Path) -> None:
    Store.open(tmp_path).save_run(record())
    assert Store.open(tmp_path / ".temper" / "temper.db").run("last").id == "0001"
    assert (tmp_path / ".temper" / ".gitignore").read_text() == "*\n"


def test_run_numbers_follow_each_other_and_those_saved_by_hand(store: Store) -> None:
    assert [store.next_run_id(), store.next_run_id()] == ["0001", "0002"]
    store.save_run(record("0041"))
    store.save_run(record("nightly-9999"))
    assert store.next_run_id() == "0042"


@pytest.mark.parametrize("name", ["0012", "12", "001", "last"])
def test_a_run_is_found_by_id_number_start_or_last(store: Store, name: str) -> None:
    store.save_run(record("0002"))
    store.save_run(record("0012"))
    assert store.run(name).id == "0012"


@pytest.mark.parametrize(("name", "says"), [("00", "start of 2 runs"), ("0099", "no run '0099'"), ("", "start of 2")])
def test_an_unclear_run_is_refused(store: Store, name: str, says: str) -> None:
    store.save_run(record("0001"))
    store.save_run(record("0012"))
    with pytest.raises(TemperError, match=says):
        store.run(name)


def test_an_empty_store_says_there_is_no_run(store: Store) -> None:
    assert store.runs() == []
    with pytest.raises(TemperError, match="no run 'last'"):
        store.run("last")


def test_a_finished_run_is_never_saved_again_and_a_stopped_one_is(store: Store) -> None:
    store.save_run(record("0001", "stopped", (finding("F-1"),)))
    store.save_run(record("0001", "finished", (finding("F-2"),)))
    with pytest.raises(StoreError, match="cannot be"):
        store.save_run(record("0001", "stopped"))
    assert store.run("0001").findings == (finding("F-2"),)
    with pytest.raises(TemperError, match="no finding 'F-1'"):
        store.finding("F-1")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET document = '{}'",
        "UPDATE runs SET state = 'stopped'",
        "DELETE FROM runs",
        "INSERT OR REPLACE INTO runs VALUES ('0001', 'now', 'stopped', '{}')",
        "UPDATE findings SET document = '{}'",
        "DELETE FROM findings",
        "INSERT INTO findings VALUES ('F-9', '0001', '', '{}')",
        "INSERT OR REPLACE INTO findings VALUES ('F-7c1e', '0001', '', '{}')",
    ],
)
def test_nothing_changes_a_finished_run_behind_our_back(store: Store, statement: str) -> None:
    store.save_run(record(findings=(finding(),)))
    with sqlite3.connect(store.path) as raw, pytest.raises(sqlite3.IntegrityError, match="finished run"):
        raw.execute(statement)
    raw.close()
    assert store.run("0001") == record(findings=(finding(),))


def test_a_finding_is_found_with_the_last_run_that_shows_it(store: Store) -> None:
    store.save_run(record("0001", findings=(finding(), finding("F-7d00"))))
    store.save_run(record("0002", findings=(finding(),)))
    assert store.finding("F-7c1e") == (finding(), "0002")
    assert store.finding("F-7c") == (finding(), "0002")
    with pytest.raises(TemperError, match="start of 2 findings"):
        store.finding("F-7")


def test_a_task_comes_back_equal_with_its_arrays(store: Store) -> None:
    arrays = {
        "x": np.array([[1.0, np.nan], [np.inf, -0.0]]),
        "verdicts": np.array(["broken", "held"]),
        "empty": np.empty((0, 3), np.float32),
        "scalar": np.array(7),
    }
    store.save_task("key", "evasion.search[0:50]", {"seconds": 1.5, "caveats": ["a"]}, arrays)
    document, back = store.task("key") or ({}, {})
    assert document == {"seconds": 1.5, "caveats": ["a"]}
    assert set(back) == set(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
    assert np.signbit(back["x"][1, 1])
    assert store.task("other") is None


def test_a_task_saved_again_replaces_the_first(store: Store) -> None:
    store.save_task("key", "a", {"n": 1}, {"x": np.zeros(3)})
    store.save_task("key", "a", {"n": 2})
    assert store.task("key") == ({"n": 2}, {})


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, {1: "a"}, np.zeros(2)])
def test_a_task_document_that_json_cannot_hold_is_refused(store: Store, value: object) -> None:
    with pytest.raises(StoreError, match="found"):
        store.save_task("key", "a", {"found": value})
    assert store.task("key") is None


def test_object_arrays_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="cannot be stored"):
        store.save_task("key", "a", {}, {"x": np.array([{}, []], dtype=object)})


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1] + b"!")])
def test_a_task_with_a_damaged_array_is_to_be_run_again_and_then_works(store: Store, damage: object) -> None:
    store.save_task("key", "a", {}, {"x": np.arange(5)})
    (blob,) = (path for path in (store.path.parent / "blobs").rglob("*") if path.is_file())
    damage(blob)  # type: ignore[operator]
    assert store.task("key") is None
    store.save_task("key", "a", {}, {"x": np.arange(5)})
    assert store.task("key") is not None


def test_equal_arrays_are_kept_once(store: Store) -> None:
    names = {store.blobs.put_array(np.arange(5)) for _ in range(3)}
    assert len(names) == 1
    assert sum(path.is_file() for path in (store.path.parent / "blobs").rglob("*")) == 1


def test_a_name_that_is_no_hash_reaches_no_file(store: Store) -> None:
    with pytest.raises(StoreError, match="no SHA-256"):
        store.blobs.get("../../../etc/passwd")


def test_a_newer_database_is_refused_with_the_way_out(store: Store) -> None:
    raw = sqlite3.connect(store.path)
    raw.execute(f"PRAGMA user_version = {migrate.latest() + 1}")
    raw.close()
    with pytest.raises(StoreError, match="newer Temper") as caught:
        Store.open(store.path)
    assert "temper-ml" in caught.value.fix


def test_an_older_database_is_migrated_with_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = migrate.migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: every[:2])
    store = Store.open(tmp_path)
    text = to_json(wrap("temper.run", record()))
    with sqlite3.connect(store.path) as raw:
        raw.execute("INSERT INTO runs VALUES ('0001', '2026-01-02T03:04:05+00:00', 'finished', ?)", (text,))
    raw.close()
    monkeypatch.setattr(migrate, "migrations", lambda: every)
    store = Store.open(tmp_path)
    store.save_task("key", "a", {})
    assert store.run("last") == record()
    assert store.outlines() == [outlined(record())]
    assert store.next_run_id() == "0002"


def test_a_migration_that_fails_leaves_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = migrate.migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: (*every, ("CREATE TABLE more (a)", "SELECT nonsense")))
    with pytest.raises(StoreError, match="nonsense"):
        Store.open(tmp_path)
    monkeypatch.setattr(migrate, "migrations", lambda: every)
    store = Store.open(tmp_path)
    raw = sqlite3.connect(store.path)
    assert raw.execute("SELECT count(*) FROM sqlite_master WHERE name = 'more'").fetchone() == (0,)
    raw.close()


def test_another_programs_database_and_a_text_file_are_left_alone(tmp_path: Path) -> None:
    other, text = tmp_path / "other.db", tmp_path / "notes.db"
    raw = sqlite3.connect(other)
    raw.execute("CREATE TABLE theirs (a)")
    raw.close()
    text.write_text("these are my notes, not a database " * 10)
    before = other.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store.open(other)
    with pytest.raises(StoreError, match="no SQLite database"):
        Store.open(text)
    assert other.read_bytes() == before


def test_a_full_disk_is_one_sentence_and_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save_run(record("0001"))
    store.save_task("kept", "a", {"n": 1}, {"x": np.arange(3)})
    connect = place._connect

    def tight(path: Path) -> Connection:
        connection = connect(path)
        (row,) = connection.all("PRAGMA page_count")
        connection.all(f"PRAGMA max_page_count = {row['page_count']}")
        return connection

    monkeypatch.setattr(place, "_connect", tight)
    with pytest.raises(StoreError, match="disk is full"):
        store.save_task("big", "a", {"text": "x" * 200_000})
    monkeypatch.setattr(os, "fsync", _no_space)
    with pytest.raises(StoreError, match="disk is full"):
        store.save_task("array", "a", {}, {"x": np.arange(100)})
    monkeypatch.undo()
    assert store.run("0001") == record("0001")
    assert (store.task("kept") or ({},))[0] == {"n": 1}
    assert store.task("big") is None
    assert store.task("array") is None
    assert not list(store.path.parent.rglob("tmp-*"))


def _no_space(handle: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_store_travels_to_threads_and_workers(store: Store) -> None:
    copy = pickle.loads(pickle.dumps(store))
    threads = [threading.Thread(target=copy.save_task, args=(f"k{i}", "a", {"i": i})) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(store.task(f"k{i}") or ({},))[0] for i in range(4)] == [{"i": i} for i in range(4)]


def _work(folder: Path, worker: int, results: multiprocessing.Queue[str]) -> None:
    store = Store.open(folder)
    for i in range(6):
        name = store.next_run_id()
        store.save_run(dataclasses.replace(record(name), findings=(finding(f"F-{worker}-{i}"),)))
        store.save_task(f"{worker}-{i}", "a", {"i": i}, {"x": np.arange(i + 1), "same": np.zeros(10)})
        results.put(name)


def test_processes_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    workers = [context.Process(target=_work, args=(tmp_path, worker, results)) for worker in range(3)]
    for worker in workers:
        worker.start()
    names = [results.get(timeout=60) for _ in range(18)]
    for worker in workers:
        worker.join(60)
    store = Store.open(tmp_path)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert sorted(names) == sorted(run.id for run in store.runs()) == [f"{i:04d}" for i in range(1, 19)]
    for key in (f"{worker}-{i}" for worker in range(3) for i in range(6)):
        assert store.task(key) is not None


_LOOP = """
import sys, itertools
import numpy as np
from temper.store.database import Store
store = Store.open(sys.argv[1])
print("ready", flush=True)
for i in itertools.count():
    store.save_task(f"k{i}", "a", {"i": i}, {"x": np.full(20_000, i)})
    print(i, flush=True)
"""


def test_a_kill_leaves_every_announced_task_whole(tmp_path: Path) -> None:
    announced = -1
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", _LOOP, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.15)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines()
        process.stdout.close()
        process.wait()
        announced = max([announced, *(int(line) for line in rest if line.isdigit())])
    store = Store.open(tmp_path)
    assert announced >= 0
    raw = sqlite3.connect(store.path)
    keys = [key for (key,) in raw.execute("SELECT key FROM tasks")]
    raw.close()
    assert len(keys) >= announced + 1
    assert all(store.task(key) is not None for key in keys)
