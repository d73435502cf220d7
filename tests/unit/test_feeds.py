"""Where predictions come from: files that are read once, the ledger of a gateway, a database, rows you have."""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from small_gateway import asked, folder, gateway, models
from temper.cli import app
from temper.config.feed import told
from temper.config.monitor import watch_of
from temper.config.reading import parse
from temper.core.errors import ConfigError, StoreError
from temper.core.schema import Column, Schema
from temper.core.watch import Feed, Seen, Version, Watch
from temper.monitoring import feed as feeds
from temper.monitoring.feed import arrived
from temper.monitoring.reference import Reference
from temper.monitoring.run import Monitor
from temper.store.control import Control
from temper.store.ledger.log import Log
from temper.store.ledger.record import Decided, packed

__all__ = ["folder", "gateway", "models"]
DAY = 86_400.0
SCHEMA = Schema(columns=(Column(name="amount"),))


def rows(n, day, shift=0.0):
    rng = np.random.default_rng(day)
    return pd.DataFrame(
        {"amount": rng.normal(shift, 1.0, n), "at": day * DAY + 60.0, "id": [f"{day}-{i}" for i in range(n)]}
    )


@pytest.fixture
def control(tmp_path):
    opened = Control.open(str(tmp_path / "control.db"))
    yield opened
    opened.close()


def monitor(watch, control, done=None, schema=SCHEMA, names=()):
    known = np.random.default_rng(99).normal(size=(4_000, 1))
    reference = Reference.fit(known, schema, names)
    return Monitor(watch=watch, schema=schema, reference=reference, digest="r", windows=control.windows, done=done)


def said(looked):
    return [one.seen for one in looked.new]


# --- files


@pytest.fixture
def reads(monkeypatch):
    """The names of files that were read, in order."""
    found, read = [], feeds.read_parts
    monkeypatch.setattr(feeds, "read_parts", lambda path, *more: found.append(path.name) or read(path, *more))
    return found


def test_files_that_are_done_are_not_read_again(tmp_path, control, reads):
    place, done = tmp_path / "predictions", tmp_path / "there" / "feed.json"
    place.mkdir()
    watch = Watch(feed=str(place), time="at", id="id")
    for day in range(3):
        rows(1_500, day).to_parquet(place / f"{day}.parquet")
    assert said(monitor(watch, control, done).look(2 * DAY)) == [Seen.PASS, Seen.PASS]
    assert said(monitor(watch, control, done).look(3 * DAY)) == [Seen.PASS]
    assert reads == ["0.parquet", "1.parquet", "2.parquet", "2.parquet"], "the last held a window that was not over"
    assert (said(monitor(watch, control, done).look(3 * DAY)), len(reads)) == ([], 4)
    rows(70, 9).assign(at=60.0).to_parquet(place / "late.parquet")
    late = monitor(watch, control, done).look(3 * DAY)
    assert (late.late, reads[4:]) == (70, ["late.parquet"])
    rows(1_501, 1).to_parquet(place / "1.parquet")
    assert (monitor(watch, control, done).look(3 * DAY).late, reads[5:]) == (71, ["1.parquet"])
    done.write_text("{")
    assert (monitor(watch, control, done).look(3 * DAY).late, len(reads)) == (71, 6 + 4)


def test_another_reference_or_width_reads_everything(tmp_path, control, reads):
    done, place = tmp_path / "feed.json", tmp_path / "0.parquet"
    rows(1_500, 0).to_parquet(place)
    for width in (DAY, DAY / 2):
        monitor(Watch(feed=str(place), time="at", id="id", window=width), control, done).look(DAY)
    other = monitor(Watch(feed=str(place), time="at", id="id", window=DAY / 2), control, done)
    found = Monitor(watch=other.watch, schema=SCHEMA, reference=other.reference, digest="s", windows=other.windows)
    assert len(found.look(DAY).new) == len(reads) - 1 == 2


# --- rows you have


def test_rows_that_are_given_are_judged_like_a_feed(tmp_path, control):
    known = monitor(Watch(feed="orders", time="at", id="id"), control)
    frame = pd.concat([rows(1_500, 0), rows(1_500, 1, 1.0), rows(10, 2)])
    looked = known.take(frame, 2 * DAY)
    assert (said(looked), looked.early) == ([Seen.PASS, Seen.FAIL], 10)
    again = known.take(frame, 2 * DAY)
    assert (said(again), again.late) == ([], 0)
    with pytest.raises(ConfigError, match="no column 'at'"):
        known.take(frame.drop(columns="at"), 2 * DAY)


# --- a ledger


def write(log, day, scores, source="primary", second=60.0, kind="decision", digest="d"):
    """One decision of several rows."""
    body = Decided(
        request="r",
        client="c",
        model="m",
        digest=digest,
        policy="p",
        level="ALLOW",
        source=source,
        scores=tuple(map(float, scores)),
        rows=max(len(scores), 1),
        who="somebody",
        commitment=b"x" * 32,
    )
    log.write([(int((day * DAY + second) * 1e9), 0, kind, packed(body), None)])
    log.settle()


@pytest.fixture
def log(tmp_path):
    opened = Log(tmp_path / "audit", "n", "w", largest=2_000)
    opened.open()
    yield opened
    opened.close()


def test_the_scores_of_a_ledger_are_a_feed_while_it_is_written(tmp_path, control, log):
    watch = Watch(feed=str(tmp_path / "audit"), kind=Feed.LEDGER, time="", score="score")
    known = monitor(watch, control, None, Schema(), ("score",))
    rng = np.random.default_rng(1)
    for day, shift in enumerate((0.0, 1.0)):
        for part in range(15):
            write(log, day, rng.normal(shift, 1.0, 100), second=part)
    write(log, 0, [], kind="opened")
    assert len(list((tmp_path / "audit").glob("audit-n-w.*.db"))) > 3, "segments were put aside"
    looked = known.look(2 * DAY)
    assert [(one.seen, one.rows) for one in looked.new] == [(Seen.PASS, 1_500), (Seen.FAIL, 1_500)]
    assert "score" in {alarm.column for alarm in looked.new[1].alarms}
    write(log, 2, rng.normal(size=1_500))
    assert said(known.look(3 * DAY)) == [Seen.PASS]
    assert (said(known.look(3 * DAY)), known.look(3 * DAY).late) == ([], 0)


def days(parts):
    return [at // DAY for part in parts for at in part.at]


def test_a_ledger_is_read_from_the_last_window_on(tmp_path, log):
    for day in range(40):
        write(log, day, [0.5])
    watch = Watch(feed=str(tmp_path / "audit"), kind=Feed.LEDGER, time="", score="score")
    assert days(arrived(watch, Schema(), 30 * DAY)) == [*range(29, 40)]
    assert days(arrived(watch, Schema())) == [*range(40)]
    assert days(arrived(watch, Schema(), 90 * DAY)) == []


def test_what_the_model_did_not_answer_has_no_score_and_what_it_never_saw_is_no_row(tmp_path, log):
    write(log, 0, [0.25, 0.75])
    write(log, 0, [0.1], source="rules")
    write(log, 0, [])
    part = [*arrived(Watch(feed=str(tmp_path / "audit"), kind=Feed.LEDGER, time="", score="score"), Schema())][-1]
    np.testing.assert_array_equal(part.x, [[0.25], [0.75], [np.nan]])
    assert len(set(part.ids.tolist())) == 3
    assert part.notes == (
        "1 rows were refused before the model saw them, and are no predictions",
        "1 rows were answered by something other than the model, and have no score of it",
    )


def ledger(tmp_path, control):
    watch = Watch(feed=str(tmp_path / "audit"), kind=Feed.LEDGER, time="", score="score")
    return monitor(watch, control, None, Schema(), ("score",))


def test_a_ledger_says_which_version_answered_and_a_change_of_it_is_named_as_the_cause(tmp_path, control, log):
    rng = np.random.default_rng(1)
    write(log, 0, rng.normal(size=1_500))
    write(log, 1, rng.normal(size=500))
    write(log, 1, rng.normal(3.0, 1.0, 900), digest="e" * 20, second=3_660.0)
    write(log, 1, [0.1] * 100, source="rules", second=3_700.0)
    write(log, 2, rng.normal(3.0, 1.0, 1_500), digest="e" * 20)
    first, second, third = ledger(tmp_path, control).look(3 * DAY).new
    new = Version(name=f"m {'e' * 12}", rows=900, since=DAY + 3_660.0)
    assert first.versions == (Version(name="m d", rows=1_500, since=60.0),)
    assert (second.versions, second.instead) == ((replace(first.versions[0], rows=500, since=DAY + 60.0), new), 100)
    assert second.why[0] == "another version of the model answers since 1970-01-02 01:01: m eeeeeeeeeeee, before it m d"
    assert third.versions == (replace(new, rows=1_500, since=2 * DAY + 60.0),)
    assert third.why == ("only scores have moved",)
    assert control.windows.page(str(tmp_path / "audit"))[1] == second


def test_a_version_that_took_over_between_two_windows_is_named_too(tmp_path, control, log):
    rng = np.random.default_rng(1)
    for day, digest in enumerate("de"):
        write(log, day, rng.normal(3.0 * day, 1.0, 1_500), digest=digest)
    assert "m e, before it m d" in ledger(tmp_path, control).look(2 * DAY).new[1].why[0]


def test_a_copy_of_a_ledger_adds_nothing_and_late_records_are_told(tmp_path, control, log):
    rng = np.random.default_rng(1)
    for day in range(3):
        write(log, day, rng.normal(size=1_500))
    known = ledger(tmp_path, control)
    assert [(one.rows, one.versions[0].rows) for one in known.look(3 * DAY).new] == [(1_500, 1_500)] * 3
    other = Log(tmp_path / "audit", "n2", "w", largest=2_000)
    other.open()
    for day in range(3):
        write(other, day, rng.normal(size=10))
    other.close()
    late = known.look(3 * DAY)
    assert (late.new, late.late) == ([], 30)


def test_what_is_said_of_a_ledger_holds_nothing_of_whom_it_is_about(tmp_path, log):
    write(log, 0, [0.25])
    part = [*arrived(Watch(feed=str(tmp_path / "audit"), kind=Feed.LEDGER, time="", score="score"), Schema())][-1]
    assert "somebody" not in repr(part)
    assert part.x.shape == (1, 1)


def test_a_guarded_system_is_watched_with_nothing_else_configured(folder, gateway, monkeypatch):
    monkeypatch.chdir(folder)
    for _ in range(3):
        assert asyncio.run(asked(gateway))["status"] == 200
    text = (folder / "temper.yaml").read_text()
    (folder / "temper.yaml").write_text(text + "monitor: {feed: ledger, window: 1s}\n")
    import time

    time.sleep(1.1)
    ran = CliRunner().invoke(app, ["monitor", "run", "--json"])
    assert ran.exit_code in (1, 3), ran.output
    found = json.loads(ran.output)
    assert sum(one["rows"] for one in found) == 3
    assert {one["seen"] for one in found} <= {"inconclusive", "no data", "fail"}


# --- a database


def database(place):
    with closing(sqlite3.connect(place)) as opened:
        opened.execute("CREATE TABLE scored (amount REAL, at REAL, id TEXT)")
        for day, shift in enumerate((0.0, 1.0, 0.0)):
            opened.executemany("INSERT INTO scored VALUES (?, ?, ?)", rows(1_500, day, shift).itertuples(index=False))
        opened.commit()


QUERY = "SELECT * FROM scored WHERE at >= :since"


def test_a_query_is_a_feed_and_is_asked_for_what_is_new(tmp_path, control):
    database(tmp_path / "history.db")
    document = parse(f"monitor: {{feed: {{sql: history.db, query: '{QUERY}'}}, time: at, id: id}}", "temper.yaml")
    watch = watch_of(document, tmp_path)
    known = monitor(watch, control)
    assert said(known.look(2 * DAY)) == [Seen.PASS, Seen.FAIL]
    assert [len(part.at) for part in arrived(watch, SCHEMA, 2 * DAY)] == [1_500]
    assert said(known.look(3 * DAY)) == [Seen.PASS]
    assert said(known.look(3 * DAY)) == []
    with closing(sqlite3.connect(tmp_path / "history.db")) as opened:
        late = [*rows(7, 1).assign(id=lambda f: "late" + f.id).itertuples(index=False)]
        opened.executemany("INSERT INTO scored VALUES (?, ?, ?)", late)
        opened.commit()
    again = known.look(3 * DAY)
    assert (again.new, again.late) == ([], 7)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DELETE FROM scored WHERE at >= :since RETURNING *", "readonly"),
        ("SELECT * FROM nowhere WHERE at >= :since", "no such table"),
    ],
)
def test_a_query_can_only_read(tmp_path, query, message):
    database(tmp_path / "history.db")
    watch = Watch(feed="f", kind=Feed.SQL, place=str(tmp_path / "history.db"), query=query, time="at")
    with pytest.raises(StoreError, match=message):
        list(arrived(watch, SCHEMA))
    with closing(sqlite3.connect(tmp_path / "history.db")) as opened:
        assert opened.execute("SELECT count(*) FROM scored").fetchone() == (4_500,)


def test_a_query_of_postgresql(cluster, control):
    import psycopg

    place = cluster.database()
    with psycopg.connect(place) as opened:
        opened.execute("CREATE TABLE scored (amount NUMERIC, at TIMESTAMPTZ, id TEXT)")
        with opened.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO scored VALUES (%s, to_timestamp(%s), %s)", [*rows(1_500, 1).itertuples(index=False)]
            )
    query = "SELECT *, 5 % 3 AS rest FROM scored WHERE at::timestamptz >= to_timestamp(:since)"
    watch = Watch(feed="f", kind=Feed.SQL, place=place, query=query, time="at", id="id")
    assert said(monitor(watch, control).look(2 * DAY)) == [Seen.PASS]
    assert list(arrived(watch, SCHEMA, 2 * DAY)) == []
    writing = Watch(feed="f", kind=Feed.SQL, place=place, query="DELETE FROM scored RETURNING 1", time="at")
    with pytest.raises(StoreError):
        list(arrived(writing, SCHEMA))


# --- temper.yaml


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{feed: ledger, time: at}", "no column to be named in monitor.time"),
        ("{feed: {ledger: a, sql: b}, time: at}", "one of ledger and sql"),
        ("{feed: {ledger: a, query: b}}", "takes no query"),
        ("{feed: {sql: b}, time: at}", "query is missing"),
        ("{feed: {sql: b, query: SELECT 1}, time: at}", ":since"),
        ("{feed: {sql: b, query: 'SELECT :since'}}", "time is missing"),
        ("{feed: {sequel: b}, time: at}", "did you mean 'sql'"),
    ],
)
def test_a_feed_that_cannot_be_read_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        watch_of(parse(f"monitor: {text}", "temper.yaml"), tmp_path)


def test_a_password_is_never_told(tmp_path):
    place = "postgresql://ada:secret@db/fraud?password=secret&x=1"
    text = f"monitor: {{feed: {{sql: '{place}', query: 'SELECT :since'}}, time: at}}"
    watch = watch_of(parse(text, "temper.yaml"), tmp_path)
    assert (watch.place, "secret" in repr(watch)) == (place, False)
    assert told(place) == "postgresql://ada@db/fraud?x=1"


def test_where_a_ledger_is(tmp_path):
    usual = watch_of(parse("monitor: {feed: ledger}", "temper.yaml"), tmp_path)
    assert (usual.kind, usual.feed, usual.score) == (Feed.LEDGER, str(tmp_path / ".temper/audit"), "score")
    text = "guard: {audit: {folder: a}}\nmonitor: {feed: ledger}"
    assert watch_of(parse(text, "temper.yaml"), tmp_path).feed == str(tmp_path / "a")
    assert watch_of(parse("monitor: {feed: {ledger: b}}", "temper.yaml"), tmp_path).feed == str(tmp_path / "b")
