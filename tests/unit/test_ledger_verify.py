"""What verifying an audit ledger finds, and the signed checkpoints it is held against."""

import asyncio
import base64
import errno
import itertools
import json
import os
import sqlite3
import threading
from contextlib import closing

import msgspec
import pytest
from typer.testing import CliRunner

from temper.cli import app
from temper.core.errors import StoreError, TemperError
from temper.store.ledger import checkpoint as notes
from temper.store.ledger import record as lines
from temper.store.ledger import tree
from temper.store.ledger.journal import Journal
from temper.store.ledger.log import segments
from temper.store.ledger.verify import growth, proof, records, verify
from temper.targets.signature import new_key

NAME = "audit-n1-0.db"
KEY = bytes(range(32))


def written(folder, numbers, **more):
    async def story(journal):
        for n in numbers:
            await journal.append("decision", {"n": n})

    ticks = iter(range(10**9, 10**12, 1000))
    given = {"key": KEY, "wall": lambda: next(ticks), "checkpoints": folder / "far", **more}
    with Journal.open(folder, "n1", 0, **given) as journal:
        asyncio.run(story(journal))
    return folder / NAME


def changed(path, **edits):
    """Somebody with the rights to do so goes over the triggers: `r7=data` changes record 7, `r7=None` takes it out."""
    with closing(sqlite3.connect(path)) as base, base:
        for word in ("UPDATE", "DELETE"):
            base.execute(f"DROP TRIGGER IF EXISTS batch_keeps_{word}")
        for first, packed in base.execute("SELECT seq, records FROM batch").fetchall():
            held = msgspec.msgpack.decode(packed)
            edited = [edits.get(f"r{seq}", data) for seq, data in enumerate(held, start=first)]
            kept = msgspec.msgpack.encode([data for data in edited if data is not None])
            base.execute("UPDATE batch SET records = ? WHERE seq = ?", (kept, first))


def cut_off(path, size):
    changed(path, **{f"r{seq}": None for seq in range(size, 100)})


def rewritten(path, since):
    """A forger without the key: a record is changed and every hash after it put right."""
    kept = list(records(path))
    previous, edits = tree.leaf(kept[since - 1][1]), {}
    for seq, data in kept[since:]:
        one = lines.decode(data)
        body = lines.packed({"n": -1}) if seq == since else bytes(one.body)
        data = lines.encode(seq, previous, one.wall, one.monotonic, one.node, one.worker, one.kind, body)
        previous, edits[f"r{seq}"] = tree.leaf(data), data
    changed(path, **edits)


@pytest.fixture
def log(tmp_path):
    return written(tmp_path, range(40))


@pytest.fixture
def far(tmp_path):
    return tmp_path / "far" / "audit-n1-0.checkpoints"


def faults(path, *more):
    return " | ".join(verify(path, *more).faults)


def test_an_untouched_log_holds(log, far):
    found = verify(log, far, notes.public(KEY))
    assert found.holds
    assert (found.size, found.signed, found.openings, found.notices) == (41, 41, 1, [])


@pytest.mark.parametrize("seq", [0, 1, 20, 40])
def test_every_changed_byte_is_found(log, far, seq):
    data = bytearray(dict(records(log))[seq])
    data[-1] ^= 1
    changed(log, **{f"r{seq}": bytes(data)})
    assert not verify(log, far, notes.public(KEY)).holds
    if seq < 40:
        assert "was changed" in faults(log), "the chain alone finds it, but for the last record"


@pytest.mark.parametrize("seq", [0, 7, 39])
def test_a_missing_record_is_found_without_checkpoints(log, seq):
    changed(log, **{f"r{seq}": None})
    assert f"record {seq} is missing" in faults(log)


def test_a_cut_end_is_found_by_checkpoints_only(log, far):
    cut_off(log, 31)
    assert verify(log).holds
    assert "signed for 41 records, and there are 31" in faults(log, far, notes.public(KEY))


def test_two_records_that_changed_places(log):
    kept = dict(records(log))
    changed(log, r5=kept[6], r6=kept[5])
    assert "out of place" in faults(log)


def test_a_log_written_anew_from_some_record_is_found_by_checkpoints_only(log, far):
    rewritten(log, 12)
    assert verify(log).holds, "this is why checkpoints lie elsewhere"
    assert "are not those that were signed" in faults(log, far, notes.public(KEY))


def test_garbage_for_a_record(log):
    changed(log, r4=b"\xc1")
    assert "no record of an audit ledger" in faults(log)


def test_garbage_for_a_batch(log):
    with closing(sqlite3.connect(log)) as base, base:
        base.execute("DROP TRIGGER batch_keeps_UPDATE")
        base.execute("UPDATE batch SET records = x'c1' WHERE seq = 4")
    assert "what was written at record 4 cannot be read" in faults(log)


def test_a_record_of_a_newer_version(log):
    data = bytearray(dict(records(log))[4])
    data[1] = 99
    changed(log, r4=bytes(data))
    assert "version 99" in faults(log)


@pytest.mark.parametrize("page", range(3))
def test_a_damaged_page_is_found_or_holds_nothing(log, far, page):
    with closing(sqlite3.connect(log)) as base:
        pages = base.execute("PRAGMA page_count").fetchone()[0]
    assert pages == 3
    with log.open("r+b") as file:
        file.seek(4096 * page)
        file.write(os.urandom(4096))
    assert not verify(log, far, notes.public(KEY)).holds


def test_a_start_that_was_changed(log):
    with closing(sqlite3.connect(log)) as base, base:
        base.execute("DROP TRIGGER start_keeps_UPDATE")
        base.execute("UPDATE start SET peaks = x'00'")
    assert "does not start where" in faults(log)


def test_a_clock_set_back_is_a_notice(tmp_path):
    walls = iter([10**9, 5 * 10**9, 3 * 10**9, 6 * 10**9])
    found = verify(written(tmp_path, range(3), wall=lambda: next(walls)))
    assert found.holds
    assert found.notices == ["record 2: the clock was set back by 2.000 s"]


def test_a_missing_segment_is_found(tmp_path):
    log = written(tmp_path, range(5))
    for n in range(3):
        written(tmp_path, range(300 * n, 300 * n + 300), largest=5_000)
    files = segments(log)
    assert len(files) > 3
    assert verify(log).holds
    files[1].unlink()
    assert "missing" in faults(log)
    with pytest.raises(StoreError, match="is missing"):
        list(records(log))


def test_an_empty_file_is_no_log_that_holds(tmp_path):
    (tmp_path / NAME).touch()
    assert "is empty" in faults(tmp_path / NAME)


def test_a_segment_that_is_just_being_begun_is_no_fault(tmp_path):
    log = written(tmp_path, range(5))
    log.rename(tmp_path / "audit-n1-0.000000000000.db")
    assert verify(log).holds
    log.touch()
    assert verify(log).holds
    assert verify(log).size == 6


def test_a_log_shorter_than_its_checkpoint_is_not_written_on(log, tmp_path):
    cut_off(log, 31)
    with pytest.raises(StoreError, match="last checkpoint of 41 records"):
        written(tmp_path, [1])


def test_a_log_other_than_the_signed_one_is_not_written_on(log, tmp_path):
    rewritten(log, 12)
    with pytest.raises(StoreError, match="is not the log"):
        written(tmp_path, [1])


def test_checkpoints_follow_while_it_is_written(tmp_path, far, monkeypatch):
    monkeypatch.setattr(notes, "SECONDS", 0.05)

    async def story(journal):
        for n in range(1_500):
            journal.put("decision", {"n": n})
        await journal.append("decision", {"n": -1})
        for _ in range(200):
            if not journal.unsigned:
                return True
            await asyncio.sleep(0.02)
        return False

    with Journal.open(tmp_path, "n1", 0, key=KEY, wall=lambda: 1, checkpoints=far.parent) as journal:
        assert asyncio.run(story(journal))
    found, bad = notes.read(far, notes.public(KEY), "temper/audit-n1-0")
    assert bad == 0
    assert found[-1].size == 1_502
    leaves = [tree.leaf(data) for _, data in records(tmp_path / NAME)]
    for one, other in itertools.pairwise(found):
        steps = growth(tmp_path / NAME, one.size, other.size)
        assert steps == tree.consistency(leaves[: other.size], one.size)
        assert tree.consistent(one.size, other.size, steps, one.root, other.root)


def full(file):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_second_place_that_fails_stops_nothing_and_is_told(tmp_path, far, monkeypatch):
    monkeypatch.setattr(notes, "SECONDS", 0.05)
    monkeypatch.setattr(notes.os, "fdatasync", full)

    async def story(journal):
        assert await journal.append("decision", {"n": 1}) == 1
        for _ in range(200):
            if journal.unsigned_because is not None:
                break
            await asyncio.sleep(0.02)
        assert "disk is full" in str(journal.unsigned_because)
        assert far.read_bytes() == b"", "half a checkpoint is none"
        assert await journal.append("decision", {"n": 2}) == 2

    with Journal.open(tmp_path, "n1", 0, key=KEY, wall=lambda: 1, checkpoints=far.parent) as journal:
        asyncio.run(story(journal))
        assert journal.unsigned == 3


def test_a_second_place_that_hangs_holds_up_neither_decisions_nor_the_end(tmp_path, far, monkeypatch):
    monkeypatch.setattr(notes, "SECONDS", 0.05)
    monkeypatch.setattr(notes, "PATIENCE", 0.1)
    released = threading.Event()
    monkeypatch.setattr(notes.os, "fdatasync", lambda file: released.wait(10))

    async def story(journal):
        for n in range(50):
            await asyncio.wait_for(journal.append("decision", {"n": n}), 5)
            await asyncio.sleep(0.002)

    try:
        with Journal.open(tmp_path, "n1", 0, key=KEY, wall=lambda: 1, checkpoints=far.parent) as journal:
            asyncio.run(story(journal))
            assert journal.unsigned == 51
    finally:
        released.set()
    assert verify(tmp_path / NAME).size == 51


def test_a_torn_checkpoint_is_cut_off_when_writing_goes_on(tmp_path, far):
    written(tmp_path, range(3))
    with far.open("ab") as file:
        file.write(b"temper/audit-n1-0\n9\nAAAA")
    written(tmp_path, range(3))
    found, bad = notes.read(far, notes.public(KEY), "temper/audit-n1-0")
    assert ([one.size for one in found], bad) == ([4, 8], 0)
    assert verify(tmp_path / NAME, far, notes.public(KEY)).holds


def test_workers_sign_into_files_of_their_own(tmp_path, far):
    given = {"key": KEY, "wall": lambda: 1, "checkpoints": far.parent}
    with (
        Journal.open(tmp_path, "n1", 0, **given),
        Journal.open(tmp_path, "n1", 1, **given),
        pytest.raises(StoreError, match="another log"),
    ):
        Journal.open(tmp_path / "elsewhere", "n1", 0, **given)
    assert sorted(path.name for path in far.parent.iterdir()) == ["audit-n1-0.checkpoints", "audit-n1-1.checkpoints"]
    for worker in "01":
        assert verify(tmp_path / f"audit-n1-{worker}.db", far.parent, notes.public(KEY)).signed == 1


def test_the_last_checkpoint_is_found_behind_garbage(tmp_path, far):
    written(tmp_path, range(5))
    with far.open("ab") as file:
        file.write(b"x" * 100_000)
        file.write(notes.Checkpoint("temper/audit-n1-0", 99, bytes(32)).signed(bytes(32)).encode() + b"\n")
    assert notes.last_mark(far, "temper/audit-n1-0", KEY)[0] == 6


def test_verifying_what_is_being_written(tmp_path, far):
    async def story(journal, results):
        for n in range(60):
            await asyncio.gather(*(journal.append("decision", {"n": n}) for _ in range(20)))
            if n % 6 == 0:
                results.append(await asyncio.to_thread(verify, tmp_path / NAME, far, notes.public(KEY)))

    results = []
    with Journal.open(tmp_path, "n1", 0, key=KEY, wall=lambda: 1, checkpoints=far.parent, largest=20_000) as journal:
        asyncio.run(journal.append("decision", {"n": -1}))
        while not journal._checkpointer.size:
            asyncio.run(asyncio.sleep(0.01))
        asyncio.run(story(journal, results))
    assert [one.faults for one in results] == [[]] * 10
    assert results[-1].size > results[0].size


def test_a_log_that_was_not_closed_in_a_folder_that_is_read_only(log, monkeypatch):
    kept = sqlite3.connect

    def connect(address, **more):
        found = kept(address, **more)
        if "immutable" not in address:
            found.close()
            found = Unreadable()
        return found

    monkeypatch.setattr(sqlite3, "connect", connect)
    assert verify(log).holds
    log.with_name(f"{NAME}-wal").write_bytes(b"x")
    assert "was not closed" in faults(log)


class Unreadable:
    def execute(self, sql):
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    def close(self):
        pass


def test_a_note_of_the_go_implementation():
    # The example of golang.org/x/mod/sumdb/note.
    verifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    line = (
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    name, known, coded = verifier.split("+", 2)
    key = base64.b64decode(coded)[1:]
    assert notes.key_id(name, key).hex() == known
    assert notes.verified(text, line, name, key)
    assert not notes.verified(text + "x\n", line, name, key)
    assert not notes.verified(text, line, "Somebody", key)


@pytest.mark.parametrize("spoil", ["size", "root", "origin", "signature", "key"])
def test_a_forged_checkpoint_opens_nothing(spoil):
    note = notes.Checkpoint("temper/log", 12, bytes(range(32))).signed(KEY)
    forged = {
        "size": note.replace("\n12\n", "\n13\n"),
        "root": note.replace("\nAAEC", "\nAAED"),
        "origin": note.replace("temper/log\n12", "temper/lag\n12"),
        "signature": note[:-4] + "AA=\n",
        "key": notes.Checkpoint("temper/log", 12, bytes(range(32))).signed(bytes(32)),
    }[spoil]
    assert notes.opened(note, notes.public(KEY)) is not None
    assert notes.opened(forged, notes.public(KEY)) is None


@pytest.mark.parametrize("note", ["", "\n", "a\n1\nb\n\n— a b\n", "a\n01\n" + "A" * 43 + "=\n\n— a b\n", "x" * 10_000])
def test_what_is_no_checkpoint(note):
    assert notes.opened(note, notes.public(KEY)) is None


def test_a_proof_of_one_record(log):
    hashed, path, root = proof(log, 17, 41)
    assert tree.included(hashed, 17, 41, path, root)
    assert len(path) <= 6
    with pytest.raises(TemperError, match="no record 41"):
        proof(log, 41, 41)
    with pytest.raises(TemperError, match="no proof from 5 to 99"):
        growth(log, 5, 99)


# -- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture
def run():
    return lambda *words: CliRunner().invoke(app, ["ledger", *map(str, words)])


@pytest.fixture
def keys(tmp_path):
    return new_key(tmp_path / "signer")


def test_verify_passes_and_says_what_it_does_not_show(log, run):
    told = run("verify", log.parent)
    assert told.exit_code == 0, told.output
    assert "audit-n1-0: holds: 41 records" in told.output
    assert "not that it is the one that was written" in told.output


def test_verify_fails_with_one(log, run):
    changed(log, r7=None)
    told = run("verify", log)
    assert told.exit_code == 1
    assert "BROKEN" in told.output
    assert "record 7 is missing" in told.output


def test_sign_and_verify_with_a_pair_of_keys(tmp_path, keys, run):
    secret, public = keys
    marks = tmp_path / "marks"
    written(tmp_path, range(9), key=notes.private_key(secret))
    assert run("checkpoint", tmp_path, "--key", secret, "--to", marks).exit_code == 0
    told = run("verify", tmp_path, "--checkpoints", marks, "--key", public, "--record", 4)
    assert told.exit_code == 0, told.output
    assert "1 checkpoints, the last over 10; 0 after" in told.output
    assert "record 4 is in the first 10 under the last checkpoint" in told.output
    assert "holder of the signing key" in told.output
    before = (marks / "audit-n1-0.checkpoints").read_text()
    assert run("checkpoint", tmp_path, "--key", secret, "--to", marks).exit_code == 0
    assert (marks / "audit-n1-0.checkpoints").read_text() == before, "nothing has grown, nothing is signed"


def test_nothing_is_signed_that_does_not_hold(tmp_path, keys, run):
    secret, _ = keys
    written(tmp_path, range(9), key=notes.private_key(secret))
    marks = tmp_path / "marks"
    assert run("checkpoint", tmp_path, "--key", secret, "--to", marks).exit_code == 0
    rewritten(tmp_path / NAME, 4)
    told = run("checkpoint", tmp_path, "--key", secret, "--to", marks)
    assert isinstance(told.exception, TemperError)
    assert "does not hold" in str(told.exception)


def test_the_key_of_somebody_else(log, far, keys, run):
    told = run("verify", log, "--checkpoints", far, "--key", keys[1])
    assert told.exit_code == 1
    assert "has no checkpoint of temper/audit-n1-0 signed by this key" in told.output


def test_a_log_without_checkpoints_beside_one_that_has_them(tmp_path, far, keys, run):
    secret, public = keys
    key = notes.private_key(secret)
    written(tmp_path, range(3), key=key)
    Journal.open(tmp_path, "n1", 1, key=key, wall=lambda: 1).close()
    told = run("verify", tmp_path, "--checkpoints", far.parent, "--key", public)
    assert told.exit_code == 1
    assert "audit-n1-0: holds" in told.output
    assert "has no checkpoint of temper/audit-n1-1 signed by this key" in told.output
    missing = run("verify", tmp_path, "--checkpoints", tmp_path / "nowhere", "--key", public)
    assert "there is no" in str(missing.exception)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--checkpoints", "x"], "come together"),
        (["--record", "99"], "no record 99"),
    ],
)
def test_bad_usage(log, run, words, what):
    told = run("verify", log, *words)
    assert isinstance(told.exception, TemperError)
    assert what in str(told.exception)
    assert told.exception.exit_code == 2


def test_no_ledger_here(tmp_path, run):
    told = run("verify", tmp_path)
    assert "no audit ledger" in str(told.exception)


def test_a_private_key_is_no_public_one(log, far, keys, run):
    told = run("verify", log, "--checkpoints", far, "--key", keys[0])
    assert "no public Ed25519 key" in str(told.exception)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"\x81\xa1x\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", {"x": "nan"}),
        (b"\x81\x92\x01\x02\xd4\x05a", {"[1, 2]": "<Ext>"}),
        (b"\x81\xa1x\xa3\xc2\x9bA", {"x": "\x9bA"}),
    ],
)
def test_show_prints_whatever_a_body_holds_and_nothing_reaches_the_terminal(log, run, body, shown):
    one = lines.decode(dict(records(log))[5])
    changed(log, r5=lines.encode(5, one.previous, 1, 1, "n1", "0", "odd", body))
    told = run("show", log, "--record", 5).output
    assert json.loads(told)["body"] == shown
    assert told.rstrip("\n").isprintable()


def test_show_of_a_body_that_is_none(log, run):
    one = lines.decode(dict(records(log))[5])
    changed(log, r5=lines.encode(5, one.previous, 1, 1, "n1", "0", "odd", b"\xa1\xff"))
    assert "record 5" in str(run("show", log, "--record", 5).exception)


def test_show_prints_records(log, run):
    told = [json.loads(line) for line in run("show", log, "--last", 3).output.splitlines()]
    assert [one["body"]["n"] for one in told] == [37, 38, 39]
    one = json.loads(run("show", log, "--record", 5).output)
    assert (one["seq"], one["kind"], one["node"]) == (5, "decision", "n1")
    assert base64.b64decode(one["previous"]) == tree.leaf(dict(records(log))[4])
    assert one["at"].startswith("1970-01-01T00:00:01")
