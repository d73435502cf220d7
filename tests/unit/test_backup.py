"""Backups are whole or not there, hold all that was acknowledged, and are refused where a byte of them was changed."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from random import Random

import numpy as np
import pytest
from typer.testing import CliRunner

from control_store import PASSWORD, opened
from scenarios.story import ENVIRONMENT
from small_gateway import asked, folder, models
from temper.cli import app
from temper.core.errors import StoreError
from temper.core.review import Role
from temper.engine import backup as engine
from temper.engine.drill.restore import rehearse
from temper.gateway.keys import key_in
from temper.gateway.tables.build import opened as opened_gateway
from temper.store.backup import copy, manifest
from temper.store.backup.make import make, rows
from temper.store.backup.restore import restore
from temper.store.database import Store
from temper.store.evidence.following import follow
from temper.store.evidence.held import hold
from temper.store.ledger.journal import Journal
from temper.store.ledger.personal import Personal
from unit.test_approvals import quietly, record

__all__ = ["folder", "models"]  # fixtures

YAML = """system: {name: small}
model: {path: model.json}
data: {test: test.csv, target: y}
guard:
  audit: {folder: .temper/audit, checkpoints: marks}
  fallback: {challenger: other.json}
"""


class Place:
    """A system with something in every store, whose ledger a test goes on writing."""

    def __init__(self, folder):
        self.folder, self.config, self.backups = folder / "live", folder / "live" / "temper.yaml", folder / "backups"
        self.audit = self.folder / ".temper" / "audit"
        self.folder.mkdir()
        self.config.write_text(YAML)
        for name in ("model.json", "other.json", "test.csv"):
            (self.folder / name).write_text(name)
        key = key_in(self.audit)
        with Personal(self.audit / "personal.db", key) as personal:
            personal.keep("request 1", b"rows")
        self.control = opened(self.folder / ".temper" / "control.db")
        self.control.people.add("ann", Role.ANALYST, PASSWORD, "root", 0.0)
        self.control.keys.add("shop", "root", 0.0)
        self.control.reviews.enqueue("r-1", {"amount": 5}, 1.0)
        self.write(50)

    def journal(self, **options):
        return Journal.open(
            self.audit,
            "node",
            "0",
            key=key_in(self.audit),
            wall=time.time_ns,
            checkpoints=self.folder / "marks",
            **options,
        )

    def write(self, many, **options):
        async def all_of_them(journal):
            for n in range(many):
                await journal.append("note", {"n": n})

        with self.journal(**options) as journal:
            asyncio.run(all_of_them(journal))

    def backup(self, now=1_800_000_000.0, **options):
        return make(engine.sources(self.config), self.backups, now, "0", **options)


@pytest.fixture
def place(tmp_path):
    found = Place(tmp_path)
    yield found
    found.control.close()


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_backup_is_restored_to_the_byte_and_holds(place, tmp_path):
    target, said = place.backup()
    assert target.name == "2027-01-15T08-00-00Z"
    found = restore(place.backups, tmp_path / "restored")
    assert (found.faults, found.backup) == ((), target)
    assert [one.size for one in found.ledger] == [51]
    assert found.ledger[0].signed == 51, "the checkpoints were restored too"
    assert said.rows["review"] == said.rows["access_key"] == 1
    for name in ("temper.yaml", "model.json", "other.json"):
        assert (tmp_path / "restored" / name).read_bytes() == (place.folder / name).read_bytes()
    control = opened(tmp_path / "restored" / ".temper" / "control.db")
    assert control.reviews.get(1).request == "r-1"
    control.close()
    with Personal(tmp_path / "restored" / ".temper" / "audit" / "personal.db", key_in(place.audit)) as personal:
        assert personal.erase("request 1") == 1


def test_secrets_stay_out_unless_they_are_asked_for(place):
    target, said = place.backup()
    names = {one.name for one in target.rglob("*")}
    assert not {"pepper", "ledger.key"} & names
    assert not said.secrets
    target, said = place.backup(now=1_800_000_001.0, secrets=True)
    assert {"pepper", "ledger.key"} <= {one.name for one in target.rglob("*")}
    assert all(one.stat().st_mode & 0o077 == 0 for one in (target, *target.rglob("*.*")))


def test_nothing_is_overwritten(place, tmp_path):
    target, _ = place.backup()
    with pytest.raises(StoreError, match="exists"):
        place.backup()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("kept")
    with pytest.raises(StoreError, match="not empty"):
        restore(target, tmp_path / "full")
    assert (tmp_path / "full" / "mine").read_text() == "kept"


def test_what_was_acknowledged_before_the_start_is_in_it_while_segments_are_put_aside(place, tmp_path):
    """A writer with tiny segments goes on while backups are made; each holds all that was there before it began."""
    acknowledged, stop = [0], threading.Event()

    async def writing(journal):
        while not stop.is_set():
            acknowledged[0] = max(await asyncio.gather(*(journal.append("note", {"n": n}) for n in range(1_000))))
            await asyncio.sleep(0.1)

    def work():
        with place.journal(largest=20_000) as journal:
            asyncio.run(writing(journal))

    writer = threading.Thread(target=work)
    writer.start()
    try:
        for n in range(5):
            before = acknowledged[0]
            target, said = place.backup(now=1_800_000_000.0 + n)
            assert said.logs["audit-node-0"] > before
            found = restore(target, tmp_path / f"restored-{n}")
            assert found.faults == ()
            time.sleep(0.1)
    finally:
        stop.set()
        writer.join()
    assert found.ledger[0].files > 2, "segments were put aside meanwhile"
    drill = rehearse(place.config, place.backups, None)
    assert drill.held
    assert drill.lost["records of the ledger"] >= 1


def test_a_log_whose_next_segment_is_not_begun_yet_is_waited_for(place):
    """Between a full segment put aside and the next one begun there is no file that is written."""
    active, full = place.audit / "audit-node-0.db", place.audit / "audit-node-0.000000000000.db"
    active.rename(full)
    later = threading.Timer(0.1, full.rename, [active])
    later.start()
    _, said = place.backup()
    later.join()
    assert said.logs == {"audit-node-0": 51}


def changed(target, name, edit):
    path = next(target.rglob(name))
    data = bytearray(path.read_bytes())
    edit(path, data)


def flipped(path, data):
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "name", ["audit-node-0.db", "control.db", "temper.yaml", "audit-node-0.checkpoints", "model.json"]
)
def test_a_backup_of_which_a_bit_was_changed_is_refused_and_leaves_nothing(place, tmp_path, name):
    target, _ = place.backup()
    changed(target, name, flipped)
    with pytest.raises(StoreError, match="not what was backed up"):
        restore(target, tmp_path / "restored")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backups", "live"]


def test_files_more_or_less_are_refused(place, tmp_path):
    target, _ = place.backup()
    (target / "system" / "more").write_text("more")
    with pytest.raises(StoreError, match="does not name"):
        restore(target, tmp_path / "restored")
    (target / "system" / "more").unlink()
    (target / "system" / "model.json").unlink()
    with pytest.raises(StoreError, match=r"lacks system/model\.json"):
        restore(target, tmp_path / "restored")
    (target / "system" / "model.json").symlink_to(place.folder / "model.json")
    with pytest.raises(StoreError, match="link"):
        restore(target, tmp_path / "restored")


@pytest.mark.parametrize("name", ["../outside", "system/../../outside", "/etc/outside"])
def test_a_manifest_that_names_places_outside_is_refused(place, tmp_path, name):
    target, _ = place.backup()
    document = json.loads((target / "manifest.json").read_text())
    document["files"][name] = document["files"]["system/model.json"]
    (target / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(StoreError, match="no place in a backup"):
        restore(target, tmp_path / "restored")


def test_a_ledger_rewritten_before_the_backup_fails_the_restore(place, tmp_path):
    with sqlite3.connect(place.audit / "audit-node-0.db") as raw:
        raw.execute("DROP TRIGGER batch_keeps_DELETE")
        raw.execute("DELETE FROM batch WHERE seq = (SELECT max(seq) FROM batch)")
    raw.close()
    target, _ = place.backup()
    found = restore(target, tmp_path / "restored")
    assert any("a checkpoint was signed for 51 records" in one for one in found.faults)
    done = run("restore", target, "--to", tmp_path / "again")
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, "FAIL")


def test_what_is_half_written_is_no_backup(place, monkeypatch):
    monkeypatch.setattr(copy, "database", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StoreError, match="disk is full") as caught:
        place.backup()
    assert caught.value.fix == "free space and try again"
    assert list(place.backups.iterdir()) == []
    monkeypatch.undo()
    draft = place.backups / ".2027-01-15T08-00-00Z.part"
    draft.mkdir()  # of a process that was killed
    (draft / "manifest.json").write_text("{}")
    with pytest.raises(StoreError, match="no backup in"):
        manifest.newest(place.backups)
    target, _ = place.backup()
    assert manifest.newest(place.backups) == target


def test_two_at_once_do_not_meet(place):
    place.backups.mkdir()
    with copy.alone(place.backups), pytest.raises(StoreError, match="another backup"):
        place.backup()


def test_the_commands_say_what_was_done_and_what_would_be_lost(place, tmp_path):
    done = run("backup", "--to", place.backups, "--config", place.config)
    assert "without the secrets" in done.output
    assert "1 cases" in done.output
    assert "51 records of the ledger" in done.output
    place.write(7)
    place.control.reviews.enqueue("r-2", {"amount": 6}, 1.0)
    done = run("drill", "restore", place.backups, "--config", place.config, "--scratch", tmp_path)
    assert done.exit_code == 0
    assert "would be lost now: 8 records of the ledger, 1 audit rows, 1 cases (" in done.output
    assert done.output.splitlines()[-1] == "PASS"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backups", "live"]


def test_a_drill_fails_where_the_backup_is_not_the_beginning_of_what_is_live(place):
    place.backup()
    for one in place.audit.glob("audit-node-0.db*"):
        one.unlink()
    for one in (place.folder / "marks").iterdir():
        one.unlink()
    place.write(60)
    drill = rehearse(place.config, place.backups, None)
    assert not drill.held
    assert drill.faults == ("audit-node-0: the backup is not the beginning of what is live",)


LOOP = """
import sys
from pathlib import Path
from temper.engine.backup import sources
from temper.store.backup.make import make

for n in range(10**6):
    make(sources(Path(sys.argv[1])), Path(sys.argv[2]), 1_800_000_000.0 + n, "0")
    print(n, flush=True)
"""


def test_kills_leave_only_whole_backups(place, tmp_path):
    moments, told = Random(6), 0
    for _ in range(6):
        shutil.rmtree(place.backups, ignore_errors=True)
        command = [sys.executable, "-c", LOOP, str(place.config), str(place.backups)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | ENVIRONMENT) as process:
            many = moments.randint(1, 3)
            assert [process.stdout.readline() for _ in range(many)] == [f"{n}\n" for n in range(many)]
            time.sleep(moments.uniform(0.0, 0.05))
            process.kill()
            many += process.stdout.read().count("\n")
        whole = sorted(place.backups.glob("[!.]*"))
        assert many <= len(whole) <= many + 1
        told += many
        assert restore(whole[-1], tmp_path / f"restored-{told}").faults == ()


def test_a_restored_gateway_answers_by_the_model_and_policy_of_before(folder, tmp_path_factory):
    before = opened_gateway(folder / "temper.yaml")
    answer = asyncio.run(asked(before))
    backups, to = tmp_path_factory.mktemp("backups"), tmp_path_factory.mktemp("restored") / "system"
    before.close()
    make(engine.sources(folder / "temper.yaml", data=True), backups, 1.0, "0", secrets=True)
    assert restore(backups, to).faults == ()
    after = opened_gateway(to / "temper.yaml")
    try:
        again = asyncio.run(asked(after))
        kept = ("status", "policy", "model", "results")
        assert {name: again.get(name) for name in kept} == {name: answer.get(name) for name in kept}
        assert after.journal.seq == 4, "the ledger goes on where it was: opened, decided, opened, decided"
    finally:
        after.close()


def test_a_store_of_an_older_temper_is_counted_as_far_as_it_goes(tmp_path):
    with closing(sqlite3.connect(tmp_path / "old.db")) as database:
        database.execute("CREATE TABLE person (name TEXT)")
        database.execute("INSERT INTO person VALUES ('ada')")
        database.commit()
    assert rows(tmp_path / "old.db") == {"person": 1}


# -- runs and their evidence -----------------------------------------------------------------------------------------


def evidenced(place):
    """Two runs with a task and its array, an incident, and a ledger that was told of all of them."""
    store = Store.open(place.folder)
    store.save_task("k" * 64, "evasion.noise", {"n": 1}, {"x_adv": np.arange(5)})
    for number in ("0001", "0002"):
        store.save_run(record(number))
    place.control.incidents.open("it slipped through", "major", "ann", 2.0)
    follow(store.evidence, place.control, 3 * 10**9)
    return store


def test_runs_and_their_evidence_are_in_a_backup_and_hold_where_it_is_restored(place, tmp_path):
    store = evidenced(place)
    target, said = place.backup()
    assert (said.runs, said.store) == (2, "system/.temper/temper.db")
    assert not [one for one in target.rglob("*") if one.name in ("ledger.key", "pepper") or one.suffix == ".pages"]
    found = restore(target, tmp_path / "restored")
    assert found.faults == ()
    there = Store.open(tmp_path / "restored")
    assert [text for _, text in there.documents()] == [text for _, text in store.documents()]
    assert there.evidence.head() == store.evidence.head()
    assert there.task("k" * 64)[1]["x_adv"].tolist() == [0, 1, 2, 3, 4], "what a finding is replayed with"
    assert "the evidence into" in "\n".join(engine.left_to_do(found))
    assert "2 runs" in "\n".join(engine.told(found, 1.0))
    shutil.copy(store.evidence.secret, there.evidence.secret)
    there.save_run(record("0003"))
    assert hold(there).holds, "it goes on where it was"


def test_a_run_that_was_changed_before_the_backup_is_told_when_it_is_restored(place, tmp_path):
    store = evidenced(place)
    quietly(store, "UPDATE runs SET document = replace(document, '0.95', '0.99') WHERE id = '0002'")
    target, _ = place.backup()
    (fault,) = restore(target, tmp_path / "restored").faults
    assert fault.startswith("run 0002 was changed: measurement performance.auc")


def test_a_control_store_without_what_the_ledger_was_told_is_a_fault(place, tmp_path):
    evidenced(place)
    with place.control._database.write() as tx:
        tx.all("UPDATE incident SET title = 'nothing'")
    target, _ = place.backup()
    assert any("the head of incident 1 was changed" in one for one in restore(target, tmp_path / "restored").faults)


def test_a_run_that_ends_while_a_backup_is_made_is_in_it_with_its_evidence_or_not_at_all(place, tmp_path):
    store, stop = evidenced(place), threading.Event()

    def assess():
        number = 3
        while not stop.is_set():
            store.save_run(record(f"{number:04d}"))
            number += 1

    worker = threading.Thread(target=assess)
    worker.start()
    try:
        targets = [place.backup(now=1_800_000_000.0 + at)[0] for at in range(3)]
    finally:
        stop.set()
        worker.join()
    for at, target in enumerate(targets):
        assert restore(target, tmp_path / str(at)).faults == ()


def test_what_was_assessed_and_never_served_is_backed_up_too(tmp_path):
    base = tmp_path / "live"
    base.mkdir()
    (base / "temper.yaml").write_text("system: {name: small}\nmodel: {path: model.json}\n")
    (base / "model.json").write_text("a model")
    Store.open(base).save_run(record())
    told = "\n".join(engine.backup(base / "temper.yaml", tmp_path / "backups", "0", secrets=False, data=False))
    assert "run store: 1 run," in told
    found = restore(tmp_path / "backups", tmp_path / "restored")
    assert found.faults == ()
    assert hold(Store.open(tmp_path / "restored")).holds
