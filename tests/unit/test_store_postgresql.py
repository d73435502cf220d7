"""The store in PostgreSQL: what it promises in a file holds there, for several machines, and while no server is."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import os
import pickle
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from temper.config.portfolio import load_portfolio
from temper.core.errors import StoreError, Tampered, TemperError
from temper.core.evidence import Cause
from temper.core.outline import outlined
from temper.core.watch import Seen, Watched
from temper.monitoring.fleet.kept import fleet
from temper.store import place
from temper.store.control import Control
from temper.store.control.migrate import CONTROL
from temper.store.control.windows import Windows
from temper.store.database import Store
from temper.store.evidence import following, said, shared
from temper.store.evidence.following import governed
from temper.store.evidence.held import hold
from temper.store.evidence.shared import Shared
from temper.testing.records import record
from temper.testing.store import LAWS

psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.slow


@pytest.fixture
def url(cluster):
    return cluster.database()


@pytest.fixture
def store(url, tmp_path):
    yield Store.open(tmp_path / "one" / "temper.db", url)
    place.let_go()


def made(name="0001", state="finished", **more):
    return dataclasses.replace(record(state=state), id=name, **more)


def raw(store, sql, *values):
    """What somebody does who runs the database, without its triggers."""
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        return connection.execute(sql, values or None)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_laws_of_a_store_hold_on_postgresql(law, store):
    names = iter(range(1, 99))

    def there_and_back(one):
        kept = dataclasses.replace(one, id=f"{next(names):04d}")
        store.save_run(kept)
        return dataclasses.replace(store.run(kept.id), id=one.id)

    law(there_and_back)


def test_runs_are_found_kept_and_never_replaced(store):
    assert [store.next_run_id(), store.next_run_id()] == ["0001", "0002"]
    store.save_run(made("0012", "stopped"))
    store.save_run(made("0012"))
    with pytest.raises(StoreError, match="cannot be replaced"):
        store.save_run(made("0012"))
    assert store.next_run_id() == "0013"
    store.save_run(made("0002", system="b"))
    assert [store.run(name).id for name in ("12", "001", "last", "0002")] == ["0012", "0012", "0002", "0002"]
    with pytest.raises(TemperError, match="start of 2 runs"):
        store.run("00")
    assert store.outlines() == [outlined(store.run("0002")), outlined(store.run("0012"))]
    assert (store.words("system"), store.counted(system="b")) == ([record().system, "b"], 1)
    assert [one.run for one in store.latest()] == ["0012", "0002"]
    assert {one.run for one in store.measured("b", "")} == {"0002"}
    finding = store.run("0012").findings[0]
    assert store.finding(finding.id[:4]) == (finding, "0002")
    assert [run for run, _ in store.showing(finding.id)] == ["0002", "0012"]
    assert store.before("b", "another") == "0002"


@pytest.mark.parametrize("sql", [
    "UPDATE runs SET document = '{}'", "DELETE FROM runs", "DELETE FROM findings", "UPDATE findings SET task = 'x'",
    "INSERT INTO findings (id, run, task, document) VALUES ('F-9', '0001', '', '{}')", "DELETE FROM evidence",
])  # fmt: skip
def test_the_database_itself_refuses_to_change_what_is_finished(store, sql):
    store.save_run(made())
    with psycopg.connect(store.url, autocommit=True) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute(sql)


def test_runs_and_decisions_share_a_database_and_another_program_s_is_refused(url, store, cluster, tmp_path):
    Control.open(url).close()
    assert Store.open(tmp_path / "two.db", url).runs() == []
    other = cluster.database()
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute("CREATE TABLE theirs (a INTEGER)")
    with pytest.raises(StoreError, match="another program"):
        Store.open(tmp_path / "three.db", other)
    assert CONTROL.applied != place.TABLES.applied


def test_two_machines_tell_one_ledger_and_each_sees_what_is_changed_behind_it(store, url, tmp_path):
    other = pickle.loads(pickle.dumps(dataclasses.replace(store, path=tmp_path / "two" / "temper.db")))
    other.path.parent.mkdir()
    store.save_task("k1", "a", {"n": 1}, {"x": np.arange(3)})
    store.save_run(made("0001"))
    other.save_run(made("0002", state="stopped"))
    other.save_task("k1", "a", {"n": 2})
    store.save_run(made("0003"))
    one, two = hold(store), hold(other)
    assert (one.faults, one.notices, one.runs, one.tasks) == ([], [], 3, 1)
    assert (two.faults, two.runs, one.log.root) == ([], 3, two.log.root)
    raw(store, "UPDATE runs SET document = replace(document, '\"verdict\":\"fail\"', '\"verdict\":\"pass\"') "
               "WHERE id = '0001'")  # fmt: skip
    raw(store, "UPDATE evidence SET body = %s WHERE seq = 1", b"\x80")
    found = hold(other)
    assert any("run 0001 was changed" in one for one in found.faults)
    assert any("entry 1 of the shared ledger was changed" in one for one in found.faults)
    with pytest.raises(Tampered):
        other.save_run(made("0004"))


def changes(store):
    store.evidence.caught_up()
    found = [said.told_change(line) for _, line in store.evidence.records() if line.kind == said.CHANGE]
    return [(one.store, one.seq) for one in found]


def killed(work):
    if (process := os.fork()) == 0:
        try:
            work()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9


def test_what_people_do_is_told_once_by_whichever_machine_is_first_and_whoever_is_killed(store, tmp_path, monkeypatch):
    other = dataclasses.replace(store, path=tmp_path / "two" / "temper.db")
    store.save_run(made("0001"))
    controls = [Control.open(str(tmp_path / f"{name}.db")) for name in "ab"]
    for at, control in enumerate(controls):
        control.incidents.open("scores are wrong", "major", "ann", float(at))
    everything = [(one.audit.first().digest, each.seq) for one in controls for each in governed(one)]

    def until(where, name, act=lambda *given: None):
        real = getattr(where, name)
        setattr(where, name, lambda *given: (act(real, *given), os._exit(9)))
        following.follow(store.evidence, Control.open(str(tmp_path / "a.db")), 1)

    killed(lambda: until(shared, "append", lambda real, *given: real(*given)))
    assert changes(other) == [], "what was not committed was never told"
    killed(lambda: until(Shared, "put_changes", lambda real, *given: real(*given)))
    assert changes(other) == everything[: len(everything) // 2], "it was, and only this machine had not heard of it"
    assert following.follow(store.evidence, controls[0], 1) == 0
    stale = Shared.followed
    with monkeypatch.context() as racing:  # another machine told it between this one's look and its word
        racing.setattr(Shared, "followed", lambda self, digest: 0)
        assert following.follow(other.evidence, controls[0], 1) == 0
    assert following.follow(other.evidence, controls[1], 1) == len(everything) // 2
    assert (changes(store), changes(other), Shared.followed) == (everything, everything, stale)
    held = hold(store, controls[0])
    assert (held.faults, "other control stores were not held" in held.notices[-1]) == ([], True)
    for control in controls:
        control.close()


def test_a_fleet_on_a_server_is_read_by_one_query_for_all_of_it(url, store, tmp_path, monkeypatch):
    control, asked = Control.open(url), []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        guard = f"guard: {{control: '{url}'}}\nmonitor: {{feed: /{name}, time: at, window: 1h}}\n"
        (tmp_path / name / "temper.yaml").write_text(f"system: {{name: {name}}}\n{guard}")
        seen = Seen.FAIL if name == "a" else Seen.PASS
        window = Watched(start=0.0, ends=3_600.0, rows=9, seen=seen, tests=3, needed=None)
        control.windows.keep(f"/{name}", "", [window], 3_600.0)
        store.save_run(made(store.next_run_id(), system=name, started="1970-01-01T00:00:00+00:00"))
    control.close()
    (tmp_path / "portfolio.yaml").write_text("systems: [{path: a}, {path: b}]\n")
    since = Windows.since
    monkeypatch.setattr(Windows, "since", lambda self, wanted: asked.append(len(wanted)) or since(self, wanted))
    found = load_portfolio(tmp_path / "portfolio.yaml")
    a, b = fleet(tmp_path / "portfolio.yaml", found.entries, {}, 7_200.0, store)
    assert asked == [2]
    assert ("something since" in a.drift, b.drift, a.watched, b.watched) == (True, "", 3_600.0, 3_600.0)
    assert (a.run, b.run, a.trouble, b.trouble) == ("0001", "0002", "", "")
    assert any(one.cause is Cause.ALARM for one in b.stale) is False


def test_a_look_at_a_store_without_runs_leaves_its_first_run_to_be_told(store):
    with pytest.raises(TemperError, match="no evidence"):
        hold(store)
    store.save_run(made("0001"))
    assert (hold(store).faults, hold(store).runs) == ([], 1)


def test_a_ledger_cut_short_in_the_database_is_seen(store):
    store.save_run(made("0001"))
    store.save_run(made("0002"))
    raw(store, "DELETE FROM evidence WHERE seq > 0")
    assert "this machine followed 2" in hold(store).faults[0]


def work(url, folder, worker):
    store = Store.open(folder / f"{worker}.db", url)
    for at in range(4):
        store.save_run(made(store.next_run_id()))
        store.save_task(f"{worker}-{at}", "a", {"at": at})


def test_processes_write_at_once_and_lose_nothing(store, url, tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(url, tmp_path / str(n), n)) for n in range(3)]
    for n, worker in enumerate(workers):
        (tmp_path / str(n)).mkdir()
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert sorted(run.id for run in store.runs()) == [f"{at:04d}" for at in range(1, 13)]
    assert all(store.task(f"{worker}-{at}") for worker in range(3) for at in range(4))
    assert (held := hold(store)).faults == []
    assert held.runs == 12


def test_a_server_that_is_killed_is_waited_for_and_nothing_is_lost(cluster, store, monkeypatch, caplog):
    store.save_run(made("0001"))
    monkeypatch.setattr(place, "FIRST", 0.05)
    monkeypatch.setattr(place, "LONGEST", 0.1)
    waited, back = threading.Event(), threading.Event()
    monkeypatch.setattr(place.time, "sleep", lambda seconds: (waited.set(), back.wait(0.05)))
    cluster.stop(signal.SIGQUIT)
    with pytest.raises(StoreError, match="cannot be reached") as refused:
        dataclasses.replace(store, patience=0.0).runs()
    assert "host=" not in str(refused.value)
    with caplog.at_level(logging.WARNING):
        saving = threading.Thread(target=store.save_run, args=(made("0002"),))
        saving.start()
        assert waited.wait(30)
        cluster.start()
        back.set()
        saving.join(60)
    assert [run.id for run in store.runs()] == ["0001", "0002"]
    assert "cannot be reached" in caplog.text
    assert "trying again" in caplog.text
    assert store.url not in caplog.text


def test_an_answer_that_got_lost_is_made_good_by_asking_again(store, monkeypatch):
    """The commit arrives and the word of it does not: what is begun again finds that it is done."""
    lost, place_of = [1], place._database(store.url, place.os.getpid())
    write = type(place_of).write

    class Losing:
        def __enter__(self):
            self.inner = write(place_of)
            return self.inner.__enter__()

        def __exit__(self, *error):
            self.inner.__exit__(*error)
            if lost and error == (None, None, None):
                lost.pop()
                raise place.Unreachable("the server went away")

    monkeypatch.setattr(type(place_of), "write", lambda self: Losing())
    monkeypatch.setattr(place.time, "sleep", lambda seconds: None)
    store.save_run(made("0001"))
    assert not lost
    assert [run.id for run in store.runs()] == ["0001"]
    assert hold(store).runs == 1


def test_a_url_of_another_kind_is_refused_and_no_url_is_shown(tmp_path):
    with pytest.raises(StoreError, match="cannot be kept in 'mysql'"):
        Store.open(tmp_path / "a.db", "mysql://me:secret@host/db")
    assert "secret" not in repr(Store(Path("x"), "postgresql://me:secret@host/db", "s3://key:secret@b"))
