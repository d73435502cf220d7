"""The audit journal: what it keeps, in which order, what it says when it cannot, and how it goes on."""

import asyncio
import itertools
import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest

from temper.core.errors import StoreError
from temper.core.serving import Scoring, Source
from temper.core.stage import Decision, Level
from temper.store.ledger import journal as journals
from temper.store.ledger import segment
from temper.store.ledger.journal import Journal
from temper.store.ledger.log import segments
from temper.store.ledger.record import decided, decode, encode, packed
from temper.store.ledger.tree import leaf
from temper.store.ledger.verify import records, size, verify

KEY = bytes(range(32))
NAME = "audit-n1-0.db"


def opened(folder, **more):
    ticks = itertools.count(1_000, 1_000)
    return Journal.open(folder, "n1", 0, **{"key": KEY, "wall": lambda: next(ticks), **more})


def lines(folder):
    return [decode(data) for _, data in records(folder / NAME)]


def bodies(folder, kind="decision"):
    return [line.document()["body"]["n"] for line in lines(folder) if line.kind == kind]


async def appended(journal, numbers):
    return await asyncio.gather(*(journal.append("decision", {"n": n}) for n in numbers))


def test_what_is_appended_is_there_in_order_and_chained(tmp_path):
    with opened(tmp_path) as journal:
        assert asyncio.run(appended(journal, range(200))) == list(range(1, 201))
        assert bodies(tmp_path) == list(range(200)), "it is there before the journal is closed"
        assert journal.seq == 201
    found = lines(tmp_path)
    assert [line.seq for line in found] == list(range(201))
    assert found[0].kind == "opened"
    assert verify(tmp_path / NAME).holds


def test_what_is_put_is_at_risk_until_it_is_written(tmp_path):
    with opened(tmp_path, window=0.05) as journal:
        for n in range(10):
            journal.put("decision", {"n": n})
        assert journal.at_risk == 10
        assert asyncio.run(appended(journal, [10])) == [11], "whoever waits does not wait for the window"
        assert journal.at_risk == 0
    assert bodies(tmp_path) == list(range(11))


def test_closing_writes_what_was_put(tmp_path):
    with opened(tmp_path, window=5.0) as journal:
        for n in range(5_000):
            journal.put("decision", {"n": n})
    assert journal.at_risk == 0
    assert bodies(tmp_path) == list(range(5_000))
    journal.close()
    with pytest.raises(StoreError, match="is closed"):
        journal.put("decision", {})


def test_a_window_gathers_what_is_put(tmp_path, monkeypatch):
    batches = []
    kept = segment.append
    monkeypatch.setattr(segment, "append", lambda base, at, rows: (batches.append(len(rows)), kept(base, at, rows)))

    async def story(journal):
        for n in range(100):
            journal.put("decision", {"n": n})
            await asyncio.sleep(0.0002)

    with opened(tmp_path, window=0.2) as journal:
        asyncio.run(story(journal))
    assert sum(batches) == 101
    assert len(batches) < 30


def test_it_goes_on_after_being_opened_again(tmp_path):
    for n in range(3):
        with opened(tmp_path) as journal:
            asyncio.run(appended(journal, [n]))
    assert bodies(tmp_path) == [0, 1, 2]
    assert [line.kind for line in lines(tmp_path)] == ["opened", "decision"] * 3
    assert verify(tmp_path / NAME).openings == 3


def test_one_process_holds_it(tmp_path):
    with opened(tmp_path), pytest.raises(StoreError, match="written by another process"):
        opened(tmp_path)
    opened(tmp_path).close()


def test_workers_have_files_of_their_own(tmp_path):
    with opened(tmp_path) as one, Journal.open(tmp_path, "n1", 1, key=KEY, wall=lambda: 5) as two:
        asyncio.run(appended(one, [1]))
        asyncio.run(appended(two, [2]))
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["audit-n1-0.db", "audit-n1-1.db"]


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a b", "x" * 65, "a.b", "a\n"])
def test_names_that_are_no_names(tmp_path, name):
    with pytest.raises(StoreError, match="no name"):
        Journal.open(tmp_path, name, 0, key=KEY, wall=lambda: 0)
    with pytest.raises(StoreError, match="no name"):
        Journal.open(tmp_path, "n", name, key=KEY, wall=lambda: 0)


def test_a_short_key(tmp_path):
    with pytest.raises(StoreError, match="key of 3 bytes"):
        opened(tmp_path, key=b"abc")


def test_another_programs_database(tmp_path):
    with closing(sqlite3.connect(tmp_path / NAME)) as base:
        base.execute("CREATE TABLE t (a)")
    with pytest.raises(StoreError, match="no audit ledger"):
        opened(tmp_path)


def test_the_file_refuses_changes(tmp_path):
    opened(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / NAME)) as base:
        for sql in ("UPDATE batch SET records = x'00'", "DELETE FROM batch", "DELETE FROM start"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                base.execute(sql)


def test_a_queue_that_is_full_refuses(tmp_path):
    with opened(tmp_path, limit=3, window=5.0) as journal:
        for n in range(3):
            journal.put("decision", {"n": n})
        with pytest.raises(StoreError, match="3 records wait for the disk"):
            journal.put("decision", {"n": 3})
    assert bodies(tmp_path) == [0, 1, 2]


def test_a_cancelled_wait_takes_nothing_back_and_disturbs_nobody(tmp_path):
    async def story(journal):
        tasks = [asyncio.ensure_future(journal.append("decision", {"n": n})) for n in range(6)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    with opened(tmp_path) as journal:
        done = asyncio.run(story(journal))
    assert [isinstance(one, asyncio.CancelledError) for one in done] == [True, False] * 3
    assert bodies(tmp_path) == list(range(6))


def test_a_loop_that_is_gone_harms_nobody(tmp_path):
    async def leave(journal):
        asyncio.get_running_loop().create_task(journal.append("decision", {"n": 0}))
        await asyncio.sleep(0)

    with opened(tmp_path, window=0.2) as journal:
        asyncio.run(leave(journal))
        assert asyncio.run(appended(journal, [1])) == [2]
    assert bodies(tmp_path) == [0, 1]


def test_hostile_text_is_kept_as_far_as_it_can_be(tmp_path):
    with opened(tmp_path) as journal:
        asyncio.run(journal.append("decision", {"n": "a\ud800b", "deep": ["\udfff", {"\ud801": b"\xff"}]}))
    assert lines(tmp_path)[1].document()["body"] == {"n": "a?b", "deep": ["?", {"?": b"\xff"}]}


def test_equal_bodies_are_equal_bytes():
    assert packed({"a": 1, "b": {"c": 2, "d": 3}}) == packed({"b": {"d": 3, "c": 2}, "a": 1})


def test_a_decision_of_the_gateway(tmp_path):
    scoring = Scoring(
        rows=np.ones((1, 3), dtype=np.float32), client="till", request="r-1", at=0.0, deadline=1.0,
        scores=np.array([0.25]), source=Source.CHALLENGER,
        decisions=[Decision(level=Level.REVIEW, stage="anomaly", reason="far from all")],
    )  # fmt: skip
    with opened(tmp_path) as journal:
        bound = journal.commitment(scoring.rows.tobytes())
        body = decided(scoring, model="fraud", digest="d1", policy="p1", commitment=bound)
        asyncio.run(journal.append("decision", body))
    told = lines(tmp_path)[1].document()["body"]
    assert told == {
        "request": "r-1", "client": "till", "model": "fraud", "digest": "d1", "policy": "p1", "level": "REVIEW",
        "scores": [0.25], "source": "challenger", "commitment": bound,
        "rulings": [{"stage": "anomaly", "level": "REVIEW", "reason": "far from all"}],
    }  # fmt: skip
    assert len(bound) == 32


def test_a_commitment_binds_to_the_input_and_the_key(tmp_path):
    with opened(tmp_path) as one, Journal.open(tmp_path, "n2", 0, key=bytes(32), wall=lambda: 0) as two:
        assert one.commitment(b"a") == one.commitment(b"a")
        assert len({one.commitment(b"a"), one.commitment(b"b"), two.commitment(b"a")}) == 3


def test_full_segments_are_put_aside_and_the_chain_goes_through(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "UNSETTLED", 20)
    with opened(tmp_path, largest=2_000) as journal:
        for n in range(12):
            asyncio.run(appended(journal, range(n * 30, n * 30 + 30)))
    files = segments(tmp_path / NAME)
    assert len(files) >= 4
    assert all(file.stat().st_mode & 0o222 == 0 for file in files[:-1])
    assert bodies(tmp_path) == list(range(360))
    told = verify(tmp_path / NAME)
    assert told.holds
    assert (told.size, told.files) == (361, len(files))
    with opened(tmp_path) as journal:
        assert journal.seq == 362


@pytest.mark.parametrize("largest", [10**7, 1_500])
def test_records_are_read_from_any_of_them_on(tmp_path, monkeypatch, largest):
    monkeypatch.setattr(journals, "UNSETTLED", 10)
    with opened(tmp_path, largest=largest) as journal:
        for n in range(12):
            asyncio.run(appended(journal, range(n * 7, n * 7 + 7)))
        whole = list(records(tmp_path / NAME))
        assert size(tmp_path / NAME) == len(whole) == 85
        for since in range(87):
            assert list(records(tmp_path / NAME, since)) == whole[since:]
    assert (len(segments(tmp_path / NAME)) > 1) == (largest < 10**4)


@pytest.mark.parametrize("look", [lambda path: list(records(path)), size, lambda path: verify(path).faults])
def test_a_segment_that_is_put_aside_under_way_is_read_once_more(tmp_path, monkeypatch, look):
    with opened(tmp_path) as journal:
        asyncio.run(appended(journal, range(9)))
    whole, rows, left = look(tmp_path / NAME), segment.rows, [2]

    def going(database, since=0):
        if left[0]:
            left[0] -= 1
            error = sqlite3.OperationalError("attempt to write a readonly database")
            error.sqlite_errorcode = sqlite3.SQLITE_READONLY
            raise error
        return rows(database, since)

    monkeypatch.setattr(segment, "rows", going)
    assert look(tmp_path / NAME) == whole
    left[0] = 100
    with pytest.raises((StoreError, sqlite3.Error)):
        look(tmp_path / NAME)


def test_a_new_day_begins_a_new_segment(tmp_path):
    day = 86_400 * 10**9
    with opened(tmp_path, wall=lambda: 5 * day) as journal:
        asyncio.run(appended(journal, [1]))
    with opened(tmp_path, wall=lambda: 6 * day) as journal:
        asyncio.run(appended(journal, [2]))
        journal.close()
    assert [path.name for path in segments(tmp_path / NAME)] == ["audit-n1-0.000000000000.db", NAME]
    assert bodies(tmp_path) == [1, 2]


def test_a_kill_between_putting_a_segment_aside_and_the_next(tmp_path):
    with opened(tmp_path) as journal:
        asyncio.run(appended(journal, range(5)))
    (tmp_path / NAME).rename(tmp_path / "audit-n1-0.000000000000.db")
    with opened(tmp_path) as journal:
        assert asyncio.run(appended(journal, [5])) == [7]
    assert bodies(tmp_path) == list(range(6))
    assert verify(tmp_path / NAME).holds


def test_a_log_whose_end_was_changed_is_not_written_on(tmp_path):
    with opened(tmp_path) as journal:
        asyncio.run(appended(journal, range(5)))
        asyncio.run(appended(journal, range(5)))
    with closing(sqlite3.connect(tmp_path / NAME)) as base, base:
        base.execute("DROP TRIGGER batch_keeps_DELETE")
        base.execute("DELETE FROM batch WHERE seq = 1")
    with pytest.raises(StoreError, match="record 6 does not follow"):
        opened(tmp_path)


class Broken:
    """A connection to a disk that fails when told to."""

    def __init__(self, path, disk):
        self.base, self.disk = segment.connected(path), disk

    def execute(self, sql, values=()):
        if sql == "COMMIT":
            time.sleep(self.disk["hangs"])
        if self.disk["fails"] and sql == "COMMIT":
            if self.disk["written all the same"]:
                self.base.execute("COMMIT")
            raise sqlite3.OperationalError("disk I/O error")
        if self.disk["gone"]:
            raise sqlite3.OperationalError("unable to open database file")
        return self.base.execute(sql, values)

    def close(self):
        self.base.close()


@pytest.fixture
def disk():
    return {"fails": False, "written all the same": False, "gone": False, "hangs": 0.0}


async def soon(condition):
    for _ in range(1_000):
        if condition():
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.parametrize("gone", [False, True])
def test_a_disk_that_fails_is_told_at_once_and_gone_on_from(tmp_path, disk, gone):
    async def story(journal):
        await journal.append("decision", {"n": 0})
        disk.update({"fails": True, "gone": gone})
        journal.put("decision", {"n": 1})
        start = asyncio.get_running_loop().time()
        for n in (91, 92):
            with pytest.raises(StoreError, match=r"disk I/O error|unable to open") as told:
                await journal.append("decision", {"n": n})
            assert "goes on by itself" in told.value.fix
        assert asyncio.get_running_loop().time() - start < 1.0
        assert journal.fault is not None
        assert journal.at_risk == 1
        disk.update({"fails": False, "gone": False})
        assert await soon(lambda: journal.at_risk == 0), "what was put is written without anybody asking"
        assert await journal.append("decision", {"n": 2}) == 3
        assert journal.fault is None

    with opened(tmp_path, connect=lambda path: Broken(path, disk)) as journal:
        asyncio.run(story(journal))
    assert bodies(tmp_path) == [0, 1, 2]
    assert verify(tmp_path / NAME).holds


def test_a_disk_that_is_well_again_is_found_so_without_anybody_asking(tmp_path, disk):
    """Nobody asks a gateway that says it is not ready."""

    async def story(journal):
        await journal.append("decision", {"n": 0})
        disk["fails"] = True
        waiting = [asyncio.ensure_future(journal.append("decision", {"n": n})) for n in (91, 92)]
        assert all(isinstance(one, StoreError) for one in await asyncio.gather(*waiting, return_exceptions=True))
        assert journal.fault is not None
        assert journal.at_risk == 0
        await asyncio.sleep(3 * journals.RETRY)
        assert journal.fault is not None
        disk["fails"] = False
        assert await soon(lambda: journal.fault is None)
        journal.put("decision", {"n": 1})
        await journal.append("decision", {"n": 2})
        assert journal.at_risk == 0

    with opened(tmp_path, connect=lambda path: Broken(path, disk)) as journal:
        asyncio.run(story(journal))
    assert bodies(tmp_path) == [0, 1, 2]
    notes = [line.document()["body"] for line in lines(tmp_path) if line.kind == "interrupted"]
    assert notes == [{"refused": 2}]
    assert verify(tmp_path / NAME).holds


@pytest.mark.parametrize("kept", [False, True])
def test_a_disk_that_stays_broken_ends_with_what_was_put_alone(tmp_path, disk, kept):
    async def story(journal):
        disk["fails"] = True
        with pytest.raises(StoreError):
            await journal.append("decision", {"n": 91})
        if kept:
            journal.put("decision", {"n": 1})
            await asyncio.sleep(2 * journals.RETRY)

    journal = opened(tmp_path, connect=lambda path: Broken(path, disk))
    asyncio.run(story(journal))
    assert journal.at_risk == kept
    if kept:
        with pytest.raises(StoreError, match="1 records could not be written"):
            journal.close()
    else:
        journal.close()


def test_a_failed_commit_that_was_written_all_the_same_is_not_written_twice(tmp_path, disk):
    async def story(journal):
        disk.update({"fails": True, "written all the same": True})
        journal.put("decision", {"n": 0})
        with pytest.raises(StoreError):
            await journal.append("decision", {"n": 1})
        disk.update({"fails": False, "written all the same": False})
        await journal.append("decision", {"n": 2})

    with opened(tmp_path, connect=lambda path: Broken(path, disk)) as journal:
        asyncio.run(story(journal))
        assert journal.at_risk == 0
    assert bodies(tmp_path) == [0, 1, 2]
    assert verify(tmp_path / NAME).holds


def test_late_records_that_were_written_all_the_same_are_no_longer_at_risk(tmp_path, disk):
    async def story(journal):
        disk.update({"fails": True, "written all the same": True})
        journal.put("decision", {"n": 0})
        assert await soon(lambda: journal.fault is not None)
        disk.update({"fails": False, "written all the same": False})
        assert await soon(lambda: journal.at_risk == 0)
        assert journal.seq == 2

    with opened(tmp_path, connect=lambda path: Broken(path, disk)) as journal:
        asyncio.run(story(journal))
    assert bodies(tmp_path) == [0]


def test_records_put_after_a_commit_in_doubt_are_not_taken_for_part_of_it(tmp_path, disk):
    async def story(journal):
        disk.update({"fails": True, "written all the same": True})
        journal.put("decision", {"n": 0})
        assert await soon(lambda: journal.fault is not None)
        disk.update({"gone": True})
        journal.put("decision", {"n": 1})
        with pytest.raises(StoreError):
            await journal.append("decision", {"n": 9})
        disk.update({"fails": False, "gone": False})
        assert await journal.append("decision", {"n": 2}) == 3
        assert journal.at_risk == 0

    with opened(tmp_path, connect=lambda path: Broken(path, disk)) as journal:
        asyncio.run(story(journal))
    assert bodies(tmp_path) == [0, 1, 2]


def test_a_disk_that_fails_is_not_tried_all_the_time(tmp_path, disk):
    tries = []

    def connect(path):
        tries.append(path)
        return Broken(path, disk)

    async def story(journal):
        disk["fails"] = True
        for n in range(200):
            journal.put("decision", {"n": n})
            await asyncio.sleep(0.001)
        disk["fails"] = False
        assert await soon(lambda: journal.at_risk == 0)

    with opened(tmp_path, connect=connect) as journal:
        asyncio.run(story(journal))
    assert len(tries) < 50, "a window of 3 ms would have tried for nearly every record"
    assert bodies(tmp_path) == list(range(200))


def test_nobody_waits_for_a_writer_that_is_gone(tmp_path, monkeypatch):
    def mistake(*_):
        raise ZeroDivisionError("a mistake")

    async def story(journal):
        monkeypatch.setattr(journal, "_stored", mistake)
        lost = asyncio.ensure_future(journal.append("decision", {"n": 0}))
        assert await soon(lambda: journal.fault is not None)
        with pytest.raises(StoreError, match="its writer ended: ZeroDivisionError"):
            await asyncio.wait_for(journal.append("decision", {"n": 1}), 1)
        lost.cancel()

    with opened(tmp_path) as journal:
        asyncio.run(story(journal))


def test_a_record_that_is_too_large(tmp_path):
    with opened(tmp_path) as journal:
        with pytest.raises(StoreError, match=r"a record of 1,100,0\d\d bytes"):
            journal.put("decision", {"n": "x" * 1_100_000})
        assert journal.at_risk == 0


def test_a_segment_that_is_read_is_put_aside_later(tmp_path):
    with opened(tmp_path, largest=1_000) as journal:
        with closing(segment.reading(tmp_path / NAME)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM batch").fetchall()
            asyncio.run(appended(journal, range(100)))
            time.sleep(0.25)  # the writer has had its moment to put it aside
            assert asyncio.run(appended(journal, [100])) == [101], "nobody waits for the reader"
            assert len(segments(tmp_path / NAME)) == 1
        asyncio.run(appended(journal, [101]))
    assert len(segments(tmp_path / NAME)) > 1
    assert bodies(tmp_path) == list(range(102))
    assert verify(tmp_path / NAME).holds


def test_it_opens_while_somebody_reads_what_a_kill_left(tmp_path):
    with opened(tmp_path) as journal:
        asyncio.run(appended(journal, range(5)))
        for path in tmp_path.glob("audit*.db*"):
            (tmp_path / "killed").mkdir(exist_ok=True)
            (tmp_path / "killed" / path.name).write_bytes(path.read_bytes())
    with closing(segment.reading(tmp_path / "killed" / NAME)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM batch").fetchall()
        with opened(tmp_path / "killed") as journal:
            assert asyncio.run(appended(journal, [5])) == [7]


def test_only_its_owner_reads_it(tmp_path):
    with opened(tmp_path) as journal:
        asyncio.run(appended(journal, [1]))
        assert {
            path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir() if path.stat().st_mode & 0o077
        } == {}


def test_a_disk_that_hangs_holds_up_only_those_who_wait_for_it(tmp_path, disk):
    async def story(journal):
        disk["hangs"] = 1.0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await journal.append("decision", {"n": 0})
        start = time.monotonic()
        journal.put("decision", {"n": 1})
        await asyncio.sleep(0.01)
        assert time.monotonic() - start < 0.6, "the event loop goes on"
        disk["hangs"] = 0.0
        assert await journal.append("decision", {"n": 2}) == 3

    with opened(tmp_path, connect=lambda path: Broken(path, disk)) as journal:
        asyncio.run(story(journal))
    assert bodies(tmp_path) == [0, 1, 2], "who gave up waiting has not taken the record back"


def test_closing_says_what_could_not_be_kept(tmp_path, disk):
    journal = opened(tmp_path, connect=lambda path: Broken(path, disk))
    disk["fails"] = True
    journal.put("decision", {"n": 0})
    with pytest.raises(StoreError, match="1 records could not be written"):
        journal.close()
    opened(tmp_path).close()


GOLDEN = bytes.fromhex(
    "990107c420"
    + "11" * 32
    + "cf0de0b6b3a76400002aa26e31a130a6726576696577"  # version 1, seq 7, previous, clocks, who, kind
    "82a46361736509a776657264696374a46b656570"
)


def test_the_bytes_of_a_record_do_not_change():
    """Proofs and signatures are over these bytes: another form of them is another version."""
    data = encode(7, b"\x11" * 32, 10**18, 42, "n1", "0", "review", packed({"verdict": "keep", "case": 9}))
    assert data == GOLDEN
    assert leaf(GOLDEN).hex() == "9910525eaa789815daafce66d52c53f7a0855c9af6ccb3ea35403074669b37b2"
    assert decode(GOLDEN).document()["body"] == {"case": 9, "verdict": "keep"}
