"""A feed of files, watched in windows: what is said of each, once, whatever happens in between."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from temper.cli import app
from temper.config.monitor import watch_of
from temper.config.reading import parse
from temper.core.errors import ConfigError, StoreError
from temper.core.schema import Column, Schema
from temper.core.watch import Seen, Watch
from temper.monitoring import kept
from temper.monitoring.coded import coded
from temper.monitoring.judged import judged, rows_needed
from temper.monitoring.reference import Reference, Window
from temper.monitoring.run import Monitor
from temper.store.control import Control

DAY = 86_400.0
SCHEMA = Schema(
    columns=(
        Column(name="amount"),
        Column(name="night", type="boolean"),
        Column(name="kind", type="category", categories=("a", "b", "c")),
    )
)


def rows(n, seed=0, day=0, shift=0.0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": rng.normal(shift, 1.0, n),
            "night": rng.random(n) < 0.3,
            "kind": rng.choice(["a", "b", "c"], n),
            "at": (day + np.sort(rng.uniform(0.0, 1.0, n))) * DAY,
            "request": [f"{day}-{at}" for at in range(n)],
        }
    )


@pytest.fixture
def feed(tmp_path):
    folder = tmp_path / "predictions"
    folder.mkdir()
    return folder


@pytest.fixture
def control(tmp_path):
    opened = Control.open(str(tmp_path / "control.db"))
    yield opened
    opened.close()


@pytest.fixture
def monitor(feed, control):
    reference = Reference.fit(coded(rows(4_000, 99), SCHEMA)[0], SCHEMA)
    watch = Watch(feed=str(feed), time="at", id="request", window=DAY)
    return Monitor(watch=watch, schema=SCHEMA, reference=reference, digest="r", windows=control.windows)


def said(looked):
    return [one.seen for one in looked.new]


def test_every_window_is_judged_once(feed, monitor):
    for day, shift in enumerate((0.0, 1.0, 0.0)):
        rows(1_500, day, day, shift).to_parquet(feed / f"{day}.parquet")
    looked = monitor.look(3 * DAY)
    assert said(looked) == [Seen.PASS, Seen.FAIL, Seen.PASS]
    assert {alarm.column for alarm in looked.new[1].alarms} == {"amount", ""}
    assert (said(monitor.look(3 * DAY)), monitor.look(3 * DAY).code(lenient=False)) == ([], 0)
    rows(1_500, 3, 3).to_csv(feed / "3.csv", index=False)
    assert said(monitor.look(4 * DAY)) == [Seen.PASS]
    assert [one.start for one in monitor.windows.page(monitor.watch.feed)] == [3 * DAY, 2 * DAY, DAY, 0.0]


def test_days_in_one_file_and_hours_in_many_say_the_same(feed, monitor):
    whole = pd.concat([rows(1_200, day, day, 0.2 * day) for day in range(3)])
    whole.to_parquet(feed / "all.parquet")
    one = monitor.look(3 * DAY).new
    (feed / "all.parquet").unlink()
    for at in range(7):
        whole.iloc[at::7].to_parquet(feed / f"{at}.parquet")
    again = Monitor(
        watch=monitor.watch, schema=SCHEMA, reference=monitor.reference, digest="another", windows=monitor.windows
    )
    assert again.look(3 * DAY).new == one


def test_a_window_that_is_not_over_waits_and_rows_that_come_too_late_are_told(feed, monitor):
    rows(1_500, 0, 0).to_parquet(feed / "0.parquet")
    early = monitor.look(0.5 * DAY)
    assert (said(early), early.early) == ([], 1_500)
    monitor.look(DAY)
    rows(70, 5, 0).assign(request=lambda f: "late" + f.request).to_parquet(feed / "late.parquet")
    late = monitor.look(DAY)
    assert (said(late), late.late) == ([], 70)
    assert "70 rows came too late" in late.told


def test_a_row_that_comes_twice_counts_once(feed, monitor):
    for name in ("a", "b"):
        rows(1_500, 0, 0).to_parquet(feed / f"{name}.parquet")
    looked = monitor.look(DAY)
    assert (looked.new[0].rows, looked.twice) == (1_500, 1_500)


def test_rows_without_ids_are_told_apart_by_what_they_are(feed, monitor):
    watch = Watch(feed=str(feed), time="at", window=DAY)
    nameless = Monitor(watch=watch, schema=SCHEMA, reference=monitor.reference, digest="n", windows=monitor.windows)
    frame = rows(1_500, 0, 0).drop(columns="request")
    pd.concat([frame, frame[:20]]).to_parquet(feed / "a.parquet")
    looked = nameless.look(DAY)
    assert (looked.new[0].rows, looked.twice) == (1_500, 20)


def test_no_data_is_never_pass(feed, monitor):
    rows(1_500, 0, 0).to_parquet(feed / "0.parquet")
    rows(1_500, 2, 2).to_parquet(feed / "2.parquet")
    looked = monitor.look(4 * DAY)
    assert said(looked) == [Seen.PASS, Seen.NOTHING, Seen.PASS, Seen.NOTHING]
    assert looked.code(lenient=False) == 3
    silent = [len(monitor.look(day * DAY).new) for day in (5, 40, 1_000, 2_000)]
    assert silent == [1, 28, 0, 0], "a feed that ended long ago is no news"


@pytest.mark.parametrize("n", [1, 5])
def test_a_small_window_says_how_many_rows_it_takes(feed, monitor, n):
    rows(n, 0, 0).to_parquet(feed / "0.parquet")
    one = monitor.look(DAY).new[0]
    assert one.seen is Seen.INCONCLUSIVE
    assert 300 < one.needed < 3_000


def test_a_reference_that_is_too_small_says_so():
    small = Reference.fit(np.arange(40.0)[:, None], Schema())
    watch = Watch(feed="", time="at")
    assert rows_needed(40, 10, watch) is None
    found = judged(Window.of(small, np.arange(40.0)[:, None], np.arange(40)), watch, 0.0, 1.0)
    assert (found.seen, found.needed) == (Seen.INCONCLUSIVE, None)


def test_windows_without_drift_alarm_no_more_often_than_was_chosen(monitor):
    from scipy.stats import binom

    watch = Watch(feed="", time="at", false_alarms=0.2, smallest=0.01)
    alarms = 0
    for seed in range(30):
        x = coded(rows(1_000, 1_000 + seed), SCHEMA)[0]
        alarms += judged(Window.of(monitor.reference, x, np.arange(1_000)), watch, 0.0, 1.0).seen is Seen.FAIL
    assert binom.sf(alarms - 1, 30, 0.2) > 1e-4, f"{alarms} of 30"


def test_a_shift_too_small_to_matter_is_no_alarm(monitor):
    x = coded(rows(200_000, 5, shift=0.12), SCHEMA)[0]
    window = Window.of(monitor.reference, x, np.arange(len(x)))
    seen = [judged(window, Watch(feed="", time="at", smallest=least), 0.0, 1.0) for least in (0.005, 0.1)]
    assert [any(alarm.column == "amount" for alarm in one.alarms) for one in seen] == [True, False]


def test_columns_that_are_gone_renamed_or_of_another_type_are_trouble_and_one_value_is_none():
    frame = rows(50).rename(columns={"amount": "Amount"}).assign(night="maybe")
    x, troubles, notes = coded(frame, SCHEMA)
    assert troubles == (
        "column 'amount' is gone; is it 'Amount' now?",
        "50 values of 'night' are no numbers, the first is 'maybe'",
    )
    assert (np.isnan(x[:, :2]).all(), notes) == (True, ())
    frame = rows(50).astype({"amount": object})
    frame.loc[3, "amount"] = "12,5"
    assert coded(frame, SCHEMA)[1:] == ((), ("1 values of 'amount' are no numbers, the first is '12,5'",))
    times = rows(5).assign(amount=pd.Timestamp("2026-01-01"))
    assert coded(times, SCHEMA)[1] == ("column 'amount' holds times now, not numbers",)


def test_a_new_category_has_a_code_of_its_own():
    frame = rows(4).assign(kind=["a", None, "zebra", "c"], night=["yes", "No", "true", None])
    x, troubles, notes = coded(frame, SCHEMA)
    assert (troubles, notes) == ((), ())
    np.testing.assert_array_equal(x[:, 2], [0.0, np.nan, 3.0, 2.0])
    np.testing.assert_array_equal(x[:, 1], [1.0, 0.0, 1.0, np.nan])


def test_what_was_said_of_a_window_stays(control):
    from temper.core.watch import Watched

    one = Watched(start=0.0, ends=DAY, rows=9, seen=Seen.PASS, tests=3, needed=5, notes=("n",))
    other = Watched(start=0.0, ends=DAY, rows=8, seen=Seen.FAIL, tests=3, needed=5)
    assert [control.windows.keep("f", "r", [given], 1.0) for given in (one, other)] == [1, 0]
    assert control.windows.page("f") == [one]
    assert control.windows.known("f", "r", DAY) == {0.0: 9}
    assert control.windows.known("f", "another", DAY) == {}


def test_a_reference_is_read_as_it_was_kept_and_a_damaged_one_is_refused(tmp_path, monitor):
    path = tmp_path / "there" / "reference.npz"
    told = kept.keep(monitor.reference, path)
    read, digest = kept.read(path)
    assert (digest, read.names) == (told, SCHEMA.names)
    x = coded(rows(500, 3), SCHEMA)[0]
    first, second = (
        judged(Window.of(one, x, np.arange(500)), monitor.watch, 0, 1) for one in (monitor.reference, read)
    )
    assert first == second
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(StoreError, match=r"damaged|cannot be read"):
        kept.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("monitor: {time: at}", "feed"),
        ("monitor: {feed: f}", "time"),
        ("monitor: {feed: f, time: at, window: soon}", "'soon' is no time"),
        ("monitor: {feed: f, time: at, window: 0}", "above 0"),
        ("monitor: {feed: f, time: at, false_alarms: 1}", "between 0 and 1"),
        ("monitor: {feed: f, time: at, smallest: 0}", "between 0 and 1"),
        ("monitor: {feed: f, time: at, windows: 1d}", "did you mean 'window'"),
    ],
)
def test_what_cannot_be_watched_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        watch_of(parse(text, "temper.yaml"), tmp_path)


def test_the_shape_of_a_watch(tmp_path):
    assert watch_of(parse("model: {path: m}", "temper.yaml"), tmp_path) is None
    found = watch_of(parse("monitor: {feed: f, time: at, window: 15m, grace: 2h}", "temper.yaml"), tmp_path)
    assert (found.window, found.grace, found.feed) == (900.0, 7_200.0, str(tmp_path / "f"))


def test_a_new_user_watches_a_model(tmp_path, monkeypatch):
    import joblib
    from sklearn.linear_model import LogisticRegression

    monkeypatch.chdir(tmp_path)
    test = rows(3_000, 99).assign(
        kind=lambda f: f.kind.map({"a": 0, "b": 1, "c": 2}), night=lambda f: f.night.astype(int)
    )
    test = test.drop(columns=["at", "request"]).assign(y=(test.amount > 0).astype(int))
    model = LogisticRegression().fit(test[["amount", "night", "kind"]].to_numpy(), test.y)
    joblib.dump(model, "m.joblib")
    test.to_csv("test.csv", index=False)
    (tmp_path / "predictions").mkdir()
    for day in range(2):
        frame = rows(1_500, day, day, 0.8 * day).assign(kind=lambda f: f.kind.map({"a": 0, "b": 1, "c": 2}))
        frame["p"] = model.predict_proba(frame[["amount", "night", "kind"]].to_numpy(dtype=float))[:, 1]
        frame.to_csv(f"predictions/{day}.csv", index=False)
    (tmp_path / "temper.yaml").write_text(
        "model: {path: m.joblib, threshold: 0.5}\ndata: {test: test.csv, target: y}\n"
        "schema:\n  columns:\n    amount: {type: number}\n    night: {type: boolean}\n    kind: {type: integer}\n"
        "monitor: {feed: predictions, time: at, id: request, score: p}\n"
    )
    ran = CliRunner().invoke(app, ["monitor", "run", "--trust-pickle"])
    assert ran.exit_code == 1, ran.output
    assert "1970-01-01" in ran.output
    assert "PASS" in ran.output
    assert "amount: its distribution moved by" in ran.output
    assert "next: `temper assess` with newer rows" in ran.output
    again = CliRunner().invoke(app, ["monitor", "run", "--trust-pickle", "--json"])
    shown = CliRunner().invoke(app, ["monitor", "status", "--limit", "100"])
    assert "moved by" in shown.output
    assert again.exit_code in (0, 3), again.output
