"""Windows of many files are counted by workers, and are what one process would have counted, byte for byte."""

import numpy as np
import pandas as pd
import pytest

from temper.core.errors import TemperError, Unsupported
from temper.core.schema import Column, Mutability, Schema
from temper.core.watch import Feed, Seen, Streaming, Watch
from temper.detectors.stream.shift import Shift
from temper.engine.spread import spread
from temper.monitoring.coded import coded
from temper.monitoring.counted import Counting
from temper.monitoring.feed import files_of
from temper.monitoring.following import Following
from temper.monitoring.reference import Reference
from temper.monitoring.run import Monitor
from temper.store.control import Control

DAY = 86_400.0
SCHEMA = Schema(
    columns=(
        Column(name="amount"),
        Column(name="age", attacker=Mutability.IMMUTABLE),
        Column(name="kind", type="category", categories=("a", "b", "c")),
    )
)


def rows(n, seed, day, shift=0.0):
    rng = np.random.default_rng(seed)
    amount = rng.normal(shift, 1.0, n)
    return pd.DataFrame(
        {
            "amount": amount,
            "age": rng.integers(18, 90, n),
            "kind": rng.choice(["a", "b", "c"], n),
            "p": 1.0 / (1.0 + np.exp(-amount)),
            "at": (day + rng.uniform(0.0, 1.0, n)) * DAY,
            "request": [f"{day}-{at}" for at in range(n)],
            "account": rng.integers(0, 40, n),
        }
    )


def reference():
    frame = rows(3_000, 99, 0)
    x = np.column_stack([coded(frame, SCHEMA)[0], frame.p])
    return Reference.fit(x, SCHEMA, ("score",), threshold=0.9)


def following():
    frame = rows(3_000, 99, 0)
    plain = Schema(columns=(*SCHEMA.columns, Column(name="score")))
    shift = Shift(one_false_alarm_per=100_000)
    return Following(watch=shift, begins=lambda: shift.fit(np.column_stack([coded(frame, SCHEMA)[0], frame.p]), plain))


@pytest.fixture
def feed(tmp_path):
    """Three days in four files: unsorted, with rows of yesterday, ids in two files, a column gone, a shift."""
    folder = tmp_path / "predictions"
    folder.mkdir()
    days = [rows(300, day, day, 1.5 * (day == 1)) for day in range(3)]
    for day, frame in enumerate(days):
        more = [frame, *([days[day - 1][:50].assign(request=lambda f: "late" + f.request)] if day else [])]
        pd.concat(more).sample(frac=1.0, random_state=day).to_parquet(folder / f"{day}.parquet")
    again = pd.concat([days[1][50:250], days[0][:10], days[0][:10]]).assign(amount=5.0)
    again.drop(columns="kind").to_csv(folder / "0a.csv", index=False)
    return folder


def looked_at(feed, place, how, *, follows=False, now=2 * DAY):
    """What two looks say and keep, one of them at files that were changed and at rows that are too late."""
    control = Control.open(str(place))
    try:
        monitor = Monitor(
            watch=Watch(
                feed=str(feed),
                time="at",
                id="request",
                score="p",
                client="account",
                stream=Streaming() if follows else None,
            ),
            schema=SCHEMA,
            reference=reference(),
            digest="r",
            windows=control.windows,
            following=following() if follows else None,
            done=place.with_suffix(".json"),
            spread=how,
        )
        first, second = monitor.look(now), monitor.look(now + 1 * DAY)
        told = [(repr(one.new), repr(one.shapes), one.told) for one in (first, second)]
        return told, monitor.done.read_bytes(), first
    finally:
        control.close()


@pytest.mark.parametrize("follows", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_processes_say_what_one_process_says(feed, tmp_path, follows):
    alone, done, first = looked_at(feed, tmp_path / "alone.db", spread("serial"), follows=follows)
    workers = spread("processes", workers=2)
    assert looked_at(feed, tmp_path / "spread.db", workers, follows=follows)[:2] == (alone, done)
    assert [one.rows for one in first.new] == [350, 350]
    assert (first.twice, first.early) == (220, 300), "200 of one day and 20 of another, of which 10 in one file"
    assert first.new[1].seen is Seen.FAIL


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_says_what_one_process_says(feed, tmp_path):
    ray = pytest.importorskip("ray")
    alone = looked_at(feed, tmp_path / "alone.db", spread("serial"))[:2]
    try:
        assert looked_at(feed, tmp_path / "spread.db", spread("ray", workers=2))[:2] == alone
    finally:
        ray.shutdown()


def test_the_order_in_which_pieces_are_ready_makes_no_difference(feed, tmp_path):
    def backwards(function, items):
        found = {item: function(item) for item in [*items][::-1]}
        return [found[item] for item in sorted(found)]

    alone = looked_at(feed, tmp_path / "alone.db", spread("serial"))[:2]
    assert looked_at(feed, tmp_path / "spread.db", backwards)[:2] == alone


def test_a_large_file_is_counted_in_parts(feed, tmp_path, monkeypatch):
    alone = looked_at(feed, tmp_path / "alone.db", spread("serial"))[:2]
    monkeypatch.setattr("temper.config.table._VALUES", 300)  # 42 rows of seven columns
    assert looked_at(feed, tmp_path / "parts.db", spread("serial"))[:2] == alone


def test_rows_stay_where_they_were_counted(feed):
    watch = Watch(feed=str(feed), time="at", id="request", score="p")
    how = {"watch": watch, "schema": SCHEMA, "reference": reference(), "known": frozenset({0.0}), "now": 3 * DAY}
    piece = Counting(**how, keeps=False).file(files_of(watch)[2])
    assert (piece.parts, piece.rows, set(piece.held)) == ([], {0.0: 50, DAY: 300}, {DAY})
    assert piece.held[DAY].whole.tally.rows == 300


def test_a_file_that_cannot_be_read_stops_the_look_and_is_named(feed, tmp_path):
    (feed / "2.parquet").write_bytes(b"no table")
    with pytest.raises(TemperError, match=r"2\.parquet"):
        looked_at(feed, tmp_path / "spread.db", spread("processes", workers=2))


def test_feeds_without_files_are_not_spread(tmp_path):
    control = Control.open(str(tmp_path / "c.db"))
    watch = Watch(feed=str(tmp_path), time="at", kind=Feed.LEDGER)
    monitor = Monitor(
        watch=watch, schema=Schema(), reference=reference(), digest="r", windows=control.windows, spread=spread("ray")
    )
    with pytest.raises(Unsupported, match="only files"):
        monitor.look(DAY)
    control.close()


@pytest.mark.parametrize(
    ("frame", "code"), [(rows(1_500, 7, 3), 0), (rows(1_500, 8, 3, 1.0), 1), (rows(20, 9, 3), 3), (rows(0, 9, 3), 3)]
)
def test_a_file_is_checked_and_nothing_is_kept(tmp_path, frame, code):
    control = Control.open(str(tmp_path / "c.db"))
    watch = Watch(feed=str(tmp_path / "feed"), time="at", id="request", score="p")
    monitor = Monitor(watch=watch, schema=SCHEMA, reference=reference(), digest="r", windows=control.windows)
    frame.to_parquet(tmp_path / "new.parquet")
    looked = monitor.check(tmp_path / "new.parquet")
    assert (looked.code(lenient=False), looked.new[0].rows) == (code, len(frame))
    assert control.windows.page(watch.feed) == []
    control.close()
