"""A feed as one stream: the same whatever the files, the looks and the stops; each row once, in order of time."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from temper.cli import app
from temper.config.monitor import watch_of
from temper.config.reading import parse
from temper.core.errors import ConfigError, SchemaError, StoreError
from temper.core.schema import Column, Schema
from temper.core.watch import Kind, Seen, Shifted, Streaming, Watch, Watched
from temper.detectors.stream.shift import Shift
from temper.monitoring.coded import coded
from temper.monitoring.following import Followed, Following
from temper.monitoring.reference import Reference
from temper.monitoring.run import Monitor
from temper.report.watched import said
from temper.store.control import Control
from temper.store.control.windows import Overtaken, Stream

DAY = 86_400.0
SCHEMA = Schema(columns=(Column(name="amount"), Column(name="kind", type="category", categories=("a", "b"))))
SHIFT = Shift(one_false_alarm_per=1_000_000)


def rows(n, day, shift=0.0):
    rng = np.random.default_rng(day)
    return pd.DataFrame(
        {
            "amount": rng.normal(shift, 1.0, n),
            "kind": rng.choice(["a", "b"], n),
            "at": (day + np.floor(rng.uniform(0.0, 200.0, n)) / 200.0) * DAY,
            "id": [f"{day}-{at}" for at in range(n)],
        }
    )


REFERENCE = coded(rows(4_000, 99), SCHEMA)[0]
COUNTED = Reference.fit(REFERENCE, SCHEMA)
DAYS = [rows(600, day, shift) for day, shift in enumerate((0.0, 0.0, 0.0, 0.3, 0.3))]


@pytest.fixture
def control(place):
    opened = Control.open(place)
    yield opened
    opened.close()


@pytest.fixture
def world(tmp_path):
    control = Control.open(str(tmp_path / "control.db"))
    yield World(tmp_path, control)
    control.close()


class World:
    """Feeds of their own, each with monitors that are made anew as after a restart."""

    def __init__(self, folder, control):
        self.folder, self.control, self.feeds = folder, control, 0

    def feed(self, *frames):
        self.feeds += 1
        place = self.folder / f"feed{self.feeds}"
        place.mkdir()
        for at, frame in enumerate(frames):
            frame.to_parquet(place / f"{at}.parquet")
        return place

    def look(self, place, day):
        following = Following(watch=SHIFT, begins=lambda: SHIFT.fit(REFERENCE, SCHEMA))
        watch = Watch(feed=str(place), time="at", id="id", window=DAY)
        monitor = Monitor(
            watch=watch,
            schema=SCHEMA,
            reference=COUNTED,
            digest="r",
            windows=self.control.windows,
            following=following,
        )
        return monitor.look(day * DAY)

    def said(self, place):
        return self.control.windows.page(str(place))[::-1]


# --- laws, each with a culprit that it finds


def law_looks_do_not_matter(world):
    """One look a day says what one look at the end says."""
    whole, daily = world.feed(*DAYS), world.feed(*DAYS)
    world.look(whole, 5)
    for day in (1, 2, 2, 3, 4, 4, 5):
        world.look(daily, day)
    assert world.said(daily) == world.said(whole)


def law_files_do_not_matter(world):
    """Rows are in order of time, however they lie in files."""
    every = pd.concat(DAYS)
    tidy, mixed = world.feed(every), world.feed(*(every.iloc[at::3].iloc[::-1] for at in (2, 0, 1)))
    for place in (tidy, mixed):
        world.look(place, 5)
    assert world.said(mixed) == world.said(tidy)


def law_every_row_counts_once(world):
    """Rows that come twice, in one look or in two, are one row of the stream."""
    place = world.feed(*DAYS[:2], DAYS[0])
    world.look(place, 2)
    pd.concat(DAYS[1:3]).to_parquet(place / "more.parquet")
    world.look(place, 3)
    assert [one.streamed for one in world.said(place)] == [600, 1_200, 1_800]


def law_time_goes_on(world):
    """A window that comes after later ones is not put into the stream, and says so."""
    place, tidy = world.feed(DAYS[1], DAYS[3]), world.feed(DAYS[1], DAYS[3], DAYS[4])
    world.look(place, 4)
    DAYS[0].to_parquet(place / "late.parquet")
    DAYS[4].to_parquet(place / "4.parquet")
    world.look(place, 5)
    world.look(tidy, 5)
    first, *others = [one for one in world.said(place) if one.rows]
    assert first.streamed is None
    assert any("not in the stream" in note for note in first.notes)
    assert [one.streamed for one in others] == [600, 1_200, 1_800]
    assert [one.shifts for one in others] == [one.shifts for one in world.said(tidy) if one.rows]


class Forgets(Followed):
    """Begins anew at every look."""

    def _stands(self):
        return self._standing or Followed(how=self.how, before=None)._stands()


class TakesThemAsTheyCome(Followed):
    """Does not put rows in order."""

    def add(self, one, new):
        said = super().add(one, replace(new, at=np.zeros(len(new.at)), ids=np.arange(len(new.ids))))
        return replace(said, shifts=tuple(replace(shift, times=()) for shift in said.shifts))


class GoesBack(Followed):
    """Puts rows of the past behind those of today."""

    def add(self, one, new):
        self.upto = -np.inf
        return super().add(one, new)


class CountsTwice(Followed):
    """Takes the rows of a look once more."""

    def add(self, one, new):
        return super().add(one, type(new).together([new, new]))


LAWS = {
    law_looks_do_not_matter: Forgets,
    law_files_do_not_matter: TakesThemAsTheyCome,
    law_every_row_counts_once: CountsTwice,
    law_time_goes_on: GoesBack,
}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_stream_keeps_the_law(world, law):
    law(world)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_finds_its_culprit(world, law, monkeypatch):
    monkeypatch.setattr("temper.monitoring.run.Followed", LAWS[law])
    with pytest.raises(AssertionError):
        law(world)


# --- what is said


def test_a_shift_that_no_window_shows_is_seen_with_its_column_and_its_time(world):
    place = world.feed(*DAYS[:3], *(rows(600, day, 0.15) for day in (3, 4, 5)))
    looked = world.look(place, 6)
    assert not any(alarm.column == "amount" for one in looked.new for alarm in one.alarms)
    before, found = looked.new[:3], [one for one in looked.new if one.shifts]
    assert [one.seen for one in before] == [Seen.INCONCLUSIVE] * 3
    assert (found[0].seen, found[0].kind, looked.code(lenient=True)) == (Seen.FAIL, Kind.NATURAL, 1)
    (one,) = found[0].shifts
    since, low, high, seen = one.times
    assert one.column == "amount"
    assert one.how.startswith("is ")
    assert low <= since <= high
    assert low <= 3.0 * DAY <= high or abs(since - 3.0 * DAY) < 0.5 * DAY
    assert 3.0 * DAY < seen < found[0].ends
    assert found[0].start / DAY <= one.seen / 600 < found[0].ends / DAY
    text = said(found[0])
    assert f"in the stream amount {one.how} since 1970-01-0" in text
    assert "drift in amount alone" not in " ".join(found[0].why)


def test_a_shift_that_began_in_an_earlier_window_is_dated_there(world):
    place = world.feed(*DAYS)
    for day in range(1, 6):
        world.look(place, day)
    found = next(one for one in world.said(place) if one.shifts)
    assert found.shifts[0].since < found.streamed - 600 or found.start == 3 * DAY
    assert found.shifts[0].times[0] >= 2 * DAY


def test_two_looks_at_once_count_each_row_once(world, monkeypatch):
    place = world.feed(*DAYS[:2])
    keep, others = world.control.windows.keep, []

    def slower(*given, **more):
        if not others:
            others.append(None)
            others[0] = world.look(place, 2)
        return keep(*given, **more)

    monkeypatch.setattr(world.control.windows, "keep", slower)
    mine = world.look(place, 2)
    assert (len(others[0].new), mine.new) == (2, [])
    DAYS[2].to_parquet(place / "2.parquet")
    assert [one.streamed for one in world.look(place, 3).new] == [1_800]


def test_a_stream_and_its_windows_are_kept_together_or_not_at_all(control):
    one = Watched(start=0.0, ends=DAY, rows=9, seen=Seen.PASS, tests=3, needed=5, streamed=9)
    shift = Shifted(column="a", how="is higher", since=3.5, low=0.0, high=7.0, seen=8, times=(1.0, 0.5, 2.0, 3.0))
    other = replace(one, start=DAY, ends=2 * DAY, seen=Seen.FAIL, shifts=(shift,), streamed=18)
    first, second = (Stream(options="o", upto=ends, state=bytes([at])) for at, ends in enumerate((DAY, 2 * DAY)))
    control.windows.keep("f", "r", [one], 1.0, first)
    with pytest.raises(Overtaken, match="meanwhile"):
        control.windows.keep("f", "r", [other], 1.0, second)
    assert control.windows.page("f") == [one]
    control.windows.keep("f", "r", [other], 1.0, second, first)
    assert control.windows.page("f") == [other, one]
    assert control.windows.stream("f", "r", DAY, "o") == second
    assert control.windows.stream("f", "r", DAY, "other") is None
    assert control.windows.stream("f", "r", 2 * DAY, "o") is None


def test_a_damaged_stream_is_refused(world):
    place = world.feed(*DAYS[:2])
    world.look(place, 1)
    windows, options = world.control.windows, Following(watch=SHIFT, begins=lambda: None).options
    before = windows.stream(str(place), "r", DAY, options)
    damaged = before.state[:200] + bytes([before.state[200] ^ 1]) + before.state[201:]
    again = Watched(start=-DAY, ends=0.0, rows=0, seen=Seen.NOTHING, tests=0, needed=None)
    windows.keep(str(place), "r", [again], 1.0, Stream(options=options, upto=DAY, state=damaged), before)
    with pytest.raises(StoreError, match="stream"):
        world.look(place, 2)
    assert [one.start for one in world.said(place) if one.start >= 0] == [0.0], "and nothing is said of the window"


# --- temper.yaml


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{one_false_alarm_per: 0}", "1 row or more"),
        ("{one_false_alarm_per: 1.5}", "whole number"),
        ("{tolerance: 1}", "from 0 up to 1"),
        ("{per: 3}", "unknown key 'per'"),
    ],
)
def test_a_stream_that_cannot_be_watched_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        watch_of(parse(f"monitor: {{feed: f, time: at, stream: {text}}}", "temper.yaml"), tmp_path)


def test_the_shape_of_a_stream(tmp_path):
    text = "monitor: {feed: f, time: at, stream: {one_false_alarm_per: 1e7, tolerance: 0.05, strata: [kind]}}"
    found = watch_of(parse(text, "temper.yaml"), tmp_path).stream
    assert found == Streaming(one_false_alarm_per=10_000_000, tolerance=0.05, strata=("kind",))
    assert watch_of(parse("monitor: {feed: f, time: at}", "temper.yaml"), tmp_path).stream is None


YAML = """model: {callable: "score.py:score", kind: probabilities, version: "1"}
data: {test: test.csv, target: y}
schema: {columns: {amount: {type: number}, kind: {type: category, categories: [a, b]}}}
monitor: {feed: feed, time: at, id: id, score: p, stream: {one_false_alarm_per: 1e6%s}%s}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test = rows(4_000, 99)
    test.assign(y=(test.amount > 0).astype(int))[["amount", "kind", "y"]].to_csv("test.csv", index=False)
    body = "p = 1 / (1 + np.exp(-x[:, 0].astype(float)))\n    return np.column_stack([1 - p, p])"
    (tmp_path / "score.py").write_text(f"import numpy as np\ndef score(x):\n    {body}\n")
    (tmp_path / "temper.yaml").write_text(YAML % ("", ""))
    (tmp_path / "feed").mkdir()
    for day, frame in enumerate(DAYS):
        frame.assign(p=1 / (1 + np.exp(-frame.amount))).to_csv(f"feed/{day}.csv", index=False)
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["monitor", *words])


def test_a_new_user_watches_a_stream(home):
    first = run("run")
    assert first.exit_code == 1, first.output
    assert "in the stream amount is higher since 1970-01-0" in " ".join(first.output.split())
    assert "score" in first.output
    assert "in the stream" in run("status", "--limit", "100").output
    assert run("run", "--allow-inconclusive").exit_code == 0


def test_a_stratum_that_is_no_column_is_refused(home):
    (home / "temper.yaml").write_text(YAML % (", strata: [kinds]", ""))
    found = run("run")
    assert isinstance(found.exception, SchemaError)
    assert "did you mean 'kind'" in str(found.exception)


def test_a_stream_beside_a_signed_reference_begins_with_the_rows_that_were_signed(home):
    from temper.config.system import load_system
    from temper.engine.monitored import monitored
    from temper.targets.signature import new_key, sign

    monitored(load_system(home / "temper.yaml"))
    key, _ = new_key(home / "ops")
    sign(home / ".temper" / "reference.npz", key)
    signed = ", manifest: .temper/reference.npz.manifest.json, public_key: ops.pub"
    (home / "temper.yaml").write_text(YAML % ("", signed))
    test = (home / "test.csv").read_text()
    pd.read_csv("test.csv").assign(amount=lambda f: f.amount + 1.0).to_csv("test.csv", index=False)
    refused = run("run")
    assert isinstance(refused.exception, ConfigError)
    assert "not those of the signed reference" in refused.exception.message
    (home / "test.csv").write_text(test)
    assert run("run").exit_code == 1


def test_a_stratum_of_another_feed_is_refused():
    with pytest.raises(SchemaError, match="no column 'hour'"):
        Shift(strata=("hour",)).fit(REFERENCE, SCHEMA)


# --- hours of the week


MONDAY = 1_767_571_200  # 2026-01-05, in seconds since 1970


def week(n, seed, weeks=1):
    """Rows with a rhythm of hours, in the weeks after a Monday."""
    rng = np.random.default_rng(seed)
    at = MONDAY + np.sort(rng.integers(weeks * 7 * 86_400, size=n))
    level = np.sin(at / DAY * 2 * np.pi)
    return pd.DataFrame(
        {
            "amount": rng.normal(level, 1.0),
            "kind": rng.choice(["a", "b"], n),
            "at": pd.to_datetime(at, unit="s"),
            "id": [f"{seed}-{row}" for row in range(n)],
        }
    )


@pytest.fixture
def hourly(home):
    """The same with a rhythm, and a feed of a week of it."""

    def written(test=None, data="data: {test: test.csv, target: y, time: at}", strata="[hour-of-week]"):
        frame = week(4_000, 1, 2) if test is None else test
        frame.assign(y=(frame.amount > 0).astype(int)).drop(columns="id").to_csv("test.csv", index=False)
        text = YAML.replace("data: {test: test.csv, target: y}", data) % (f", strata: {strata}", "")
        (home / "temper.yaml").write_text(text)

    for file in (home / "feed").iterdir():
        file.unlink()
    feed = week(3_000, 2)
    feed.assign(p=1 / (1 + np.exp(-feed.amount))).to_csv("feed/week.csv", index=False)
    return written


def told(*words):
    found = run("run", *words)
    assert found.exit_code in (0, 1, 3), found.output
    return " ".join(found.output.split())


def test_a_rhythm_is_an_alarm_of_a_stream(hourly):
    hourly(strata="[]")
    assert "in the stream amount is" in told()


def test_a_rhythm_is_no_alarm_by_the_hour_of_the_week(hourly):
    hourly()
    found = told("--json")
    assert "in the stream" not in run("status", "--limit", "100").output
    assert "the stream begins: 168 of 168 hours of the week have fewer than " in found
    assert "rows of reference, 0 of them none" in found


def test_the_hour_may_stand_beside_a_segment_and_a_change_is_seen(hourly):
    hourly(strata="[hour-of-week, kind]")
    feed = week(3_000, 2)
    feed["amount"] += np.where((feed.kind == "b") & (feed["at"] >= "2026-01-08"), 1.2, 0.0)
    feed.assign(p=1 / (1 + np.exp(-feed.amount))).to_csv("feed/week.csv", index=False)
    assert "in the stream amount is higher since 2026-01-08" in told()


@pytest.mark.parametrize(
    ("change", "message", "fix"),
    [
        ({"data": "data: {test: test.csv, target: y, drop: [at]}"}, "say no time", "data: {time"),
        ({"test": week(900, 1).assign(at=np.arange(900))}, "0 to 899, are not seconds since 1970", "2027-01-31"),
    ],
)
def test_hours_without_a_clock_are_refused(hourly, change, message, fix):
    hourly(**change)
    found = run("run").exception
    assert isinstance(found, ConfigError)
    assert message in found.message
    assert fix in found.fix


def test_times_may_be_seconds_since_1970(hourly):
    frame = week(4_000, 1, 2)
    hourly(test=frame.assign(at=frame["at"].astype("datetime64[s]").astype("int64")))
    assert "the stream begins: 168 of 168" in told("--json")


def test_hours_are_the_same_in_one_look_and_in_many_and_go_by_their_zone(world):
    shift = Shift(clock="hour-of-week")
    schema = Schema(columns=(*SCHEMA.columns, Column(name="hour-of-week")))
    times = np.floor(np.linspace(0.0, 7 * DAY, len(REFERENCE)))

    def look(place, day, zone="Europe/Rome"):
        following = Following(
            watch=shift, begins=lambda: shift.fit(following.rows(REFERENCE, times), schema), zone=zone
        )
        watch = Watch(feed=str(place), time="at", id="id", window=DAY)
        return Monitor(
            watch=watch,
            schema=SCHEMA,
            reference=COUNTED,
            digest="r",
            windows=world.control.windows,
            following=following,
        ).look(day * DAY)

    whole, daily = world.feed(*DAYS), world.feed(*DAYS)
    look(whole, 5)
    for day in range(1, 6):
        look(daily, day)
    assert world.said(daily) == world.said(whole)
    assert sum(bool(one.notes) for one in world.said(whole)) == 1, "the note stands where the stream begins"
    rome, utc = (Following(watch=shift, begins=lambda: None, zone=zone) for zone in ("Europe/Rome", "UTC"))
    assert rome.options != utc.options
    assert Following(watch=SHIFT, begins=lambda: None).options.endswith("strata=()"), "a stream without hours goes on"
    summer = np.array([1_783_000_800.0])  # 2026-07-02 14:00 UTC, a Thursday
    assert [one.rows(np.zeros((1, 1)), summer)[0, 1] for one in (rome, utc)] == [3 * 24 + 16, 3 * 24 + 14]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{strata: [kind], zone: Europe/Rome}", "needs strata: hour-of-week"),
        ("{strata: [hour-of-week], zone: Rome}", "'Rome' is no time zone"),
    ],
)
def test_a_zone_that_says_nothing_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        watch_of(parse(f"monitor: {{feed: f, time: at, stream: {text}}}", "temper.yaml"), tmp_path)
