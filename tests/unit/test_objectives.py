"""What is promised of a gateway's answers: counted by the minute, kept in its ledger, held against budgets."""

import asyncio
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from small_gateway import asked, folder, gateway, models
from temper.cli import app
from temper.config.monitor import watch_of
from temper.config.objectives import objectives_of
from temper.config.reading import parse
from temper.core.alert import Alerting, Burning, Receiver
from temper.core.errors import ConfigError
from temper.core.schema import Schema
from temper.core.served import BUCKETS, LOOKED, RULES, Minute, Objective, Promise
from temper.core.watch import Feed, Seen, Watch
from temper.gateway.tables.counted import Counted
from temper.gateway.tables.minutes import Minutes
from temper.monitoring.alerts import of_minutes
from temper.monitoring.from_ledger import events_of
from temper.monitoring.objectives import Following, Heard, standings
from temper.monitoring.reference import Reference
from temper.monitoring.run import Monitor
from temper.monitoring.telling import Teller
from temper.store.control import Control
from temper.store.ledger.log import Log
from temper.store.ledger.record import COUNTS, Counts, packed

__all__ = ["folder", "gateway", "models"]
DAY = 86_400.0
RULE = Burning(budget=0.01, rate=10.0, long=3_600.0, short=300.0, least=50)
ERRORS = Objective(promise=Promise.ERRORS, budget=0.01, rules=(RULE,))
SLOW = Objective(promise=Promise.LATENCY, budget=0.01, within=0.05, rules=(RULE,))
FULL = Objective(promise=Promise.OVERLOAD, budget=0.01, rules=(RULE,))


def minute(at, good=100, failed=0, slow=0, overload=0):
    took = {"took 0.02": good - slow, "took 0.1": slow} if good else {}
    return Minute(start=60.0 * at, counts={"answered": good, "failed": failed, "overload": overload, **took})


def seen(objective, minutes, now):
    (one,) = standings([objective], minutes, now)
    return one


# --- the gateway


class Kept:
    def __init__(self):
        self.bodies = []

    def put(self, kind, body):
        self.bodies.append(body)


def test_a_minute_says_what_failed_what_was_too_much_and_how_long_answers_took():
    counted, kept, shed = Counted(help={}), Kept(), [4]
    minutes = Minutes(counted=counted, journal=kept, shed=lambda: shed[0])
    for status, many in (("200", 9), ("401", 2), ("500", 1), ("503", 3)):
        counted.add("requests_total", (("status", status),), many)
    counted.add("probes_total", (("status", "503"),), 50)
    for mode, many in (("enforce", 3), ("shadow", 70)):
        counted.add("stage_decisions_total", (("stage", "concurrency"), ("level", "BLOCK"), ("mode", mode)), many)
    for seconds in [0.003] * 8 + [9.0]:
        counted.answered.add(seconds)
    minutes.note()
    shed[0] = 5
    minutes.note()
    minutes.note()
    first, second = kept.bodies
    assert (first.took, first.failed, first.overload) == ({"0.005": 8, "+Inf": 1}, 8, 7)
    assert first.statuses == {"200": 9, "401": 2, "500": 1, "503": 57}
    assert (second.statuses, second.took, second.failed, second.overload) == ({"503": 1}, {}, 1, 1)


def test_only_what_was_answered_has_a_time_and_a_slow_sender_adds_nothing_to_it(gateway):
    async def slowly(*parts):
        events = [{"type": "http.request", "body": part, "more_body": True} for part in parts]

        async def receive():
            if events:
                await asyncio.sleep(0.06)
                return events.pop(0)
            return {"type": "http.request", "body": b"", "more_body": False}

        sent = []

        async def send(event):
            sent.append(event)

        scope = {"type": "http", "method": "POST", "path": "/v1/score", "headers": []}
        await gateway(scope, receive, send)
        return sent[0]["status"]

    async def story():
        await asked(gateway)
        assert await slowly(b'{"rows": [{"a": 1, "b": 0,', b' "c": 0}]}') == 200
        assert await slowly(b"[") == 400

    asyncio.run(story())
    assert (gateway.counted.answered.count, gateway.counted.seconds.count) == (2, 3)
    assert gateway.counted.seconds.total - gateway.counted.answered.total >= 0.12


def test_records_of_before_promise_nothing():
    assert events_of(Counts(statuses={"200": 7, "503": 2})) == {"refused": 0}
    assert events_of(Counts(statuses={"503": 2}, failed=2))["failed"] == 2


# --- what is said of minutes


@pytest.mark.parametrize(
    ("objective", "bad"), [(ERRORS, {"failed": 30}), (SLOW, {"slow": 30}), (FULL, {"failed": 30, "overload": 30})]
)
def test_a_budget_is_burnt_by_its_own_bad_events_in_both_whiles(objective, bad):
    calm = [minute(at) for at in range(60)]
    assert seen(objective, calm, 3_600.0).seen is Seen.PASS
    short = [*calm[:-5], *(minute(at, **bad) for at in range(55, 60))]
    one = seen(objective, short, 3_600.0)
    assert one.rates[0].short >= 20.0 > 10.0 > one.rates[0].long, "a moment is no trend"
    assert one.seen is Seen.PASS
    long = [*calm[:20], *(minute(at, **bad) for at in range(20, 60))]
    assert seen(objective, long, 3_600.0).seen is Seen.FAIL
    over = [*long[:55], *(minute(at) for at in range(55, 60))]
    assert seen(objective, over, 3_600.0).seen is Seen.PASS, "what is over is not told again"


def test_what_is_absent_or_little_is_no_pass():
    calm = [minute(at) for at in range(60)]
    assert seen(ERRORS, [], 3_600.0).seen is Seen.NOTHING
    assert seen(ERRORS, calm, 3_600.0 + 301.0).seen is Seen.NOTHING, "also after a time that was good"
    assert seen(ERRORS, [minute(59, good=49)], 3_600.0).seen is Seen.INCONCLUSIVE
    assert seen(SLOW, [minute(at, good=0, failed=100) for at in range(60)], 3_600.0).seen is Seen.NOTHING
    assert seen(ERRORS, [minute(59, good=0, failed=20)], 3_600.0).seen is Seen.INCONCLUSIVE, "few are no alarm either"


def test_what_clients_did_wrong_hides_no_failure():
    told = events_of(Counts(statuses={"401": 10**6, "400": 10**6, "500": 20, "200": 80}, took={"0.01": 80}, failed=20))
    assert ERRORS.events(told) == (100, 80)


def history(rng, many):
    """Minutes with a trouble every now and then, and gaps."""
    states = np.repeat(rng.random(many // 20) < 0.4, 20)
    return [minute(at, failed=int(30 * states[at])) for at in range(len(states)) if rng.random() < 0.9]


def test_every_beginning_of_a_history_tells_the_same_alerts():
    rng = np.random.Generator(np.random.Philox(key=4))
    minutes = history(rng, 600)
    whole = {one.id: one.ends for one in of_minutes(minutes, [ERRORS], "/srv/audit")}
    assert len(whole) >= 3
    for end in range(0, len(minutes), 7):
        for one in of_minutes(minutes[:end], [ERRORS], "/srv/audit"):
            assert one.ends in (None, whole[one.id])


def test_alerts_begin_and_end_when_the_rule_says_so():
    bad = [minute(at, failed=30 * (100 <= at < 130)) for at in range(200)]
    (one,) = of_minutes(bad, [ERRORS, SLOW], "/srv/audit")
    assert one.title == "audit: too many requests fail"
    assert one.key.endswith(".errors-10x")
    assert 100 * 60 < one.starts < 130 * 60 < one.ends <= 136 * 60
    assert of_minutes(bad[:129], [ERRORS], "/srv/audit")[0].ends is None
    assert of_minutes([*bad[:129], *bad[195:]], [ERRORS], "/srv/audit")[0].ends == bad[195].start, "a gap says nothing"


# --- the monitor


@pytest.fixture
def control(tmp_path):
    opened = Control.open(str(tmp_path / "control.db"))
    yield opened
    opened.close()


@pytest.fixture
def log(tmp_path):
    begun = Log(tmp_path / "audit", "n", "w", largest=10**7)
    begun.open()
    yield begun
    begun.close()


def put(log, minutes):
    bodies = [
        (int((60.0 * at + 30.0) * 1e9), Counts(statuses={"200": 100, "503": bad}, took={"0.02": 100}, failed=bad))
        for at, bad in minutes
    ]
    log.write([(wall, 0, COUNTS, packed(body), None) for wall, body in bodies])
    log.settle()


def monitor(folder, control, objectives=(ERRORS,)):
    known = Reference.fit(np.random.Generator(np.random.Philox(key=99)).normal(size=(500, 1)), Schema(), ("score",))
    watch = Watch(feed=str(folder), kind=Feed.LEDGER, time="", score="score", window=3_600.0)
    promised = Following(objectives=objectives, served=control.windows.served)
    return Monitor(
        watch=watch, schema=Schema(), reference=known, digest="r", windows=control.windows, promised=promised
    )


def kept(control, folder):
    return [(one.start / 60.0, one.counts["failed"]) for one in control.windows.served.minutes(str(folder))]


def test_each_minute_counts_once_however_often_one_looks_and_however_many_copies_there_are(tmp_path, control, log):
    audit = tmp_path / "audit"
    bad = [(at, 30 * (70 <= at < 110)) for at in range(150)]
    for end in (40, 75, 150):
        put(log, bad[: end if end == 40 else 0] or bad[{75: 40, 150: 75}[end] : end])
        looked = monitor(audit, control).look(60.0 * end)
    assert kept(control, audit) == bad
    assert looked.standings[0].seen is Seen.PASS
    shutil.copytree(audit, tmp_path / "audit" / "copy", ignore=shutil.ignore_patterns("copy"))
    monitor(audit, control).look(60.0 * 151)
    assert kept(control, audit) == bad, "the same record in two places is one"
    other = Control.open(str(tmp_path / "other.db"))
    monitor(audit, other).look(60.0 * 150)
    assert kept(other, audit) == bad, "one look or many"
    other.close()


def test_minutes_are_let_go_and_an_alert_that_outlasts_them_is_told_once(control):
    told = []
    receiver = type("Receiver", (), {"send": lambda self, alert: told.append((alert.state, alert.starts))})()
    watch = Watch(feed="/srv/audit", kind=Feed.LEDGER, time="", score="score")
    receivers = {"log": receiver}
    alerting = Alerting(receivers=(Receiver(name="log", kind="log"),))
    teller = Teller(alerting=alerting, watch=watch, digest="r", control=control, receivers=receivers)
    teller.begin(0.0)
    for day in range(12):
        counts = {
            one.start: Counter(one.counts)
            for one in (minute(at, failed=30 * (0 < day < 11)) for at in range(day * 1_440, (day + 1) * 1_440, 5))
        }
        promised = Following(objectives=(ERRORS,), served=control.windows.served)
        promised.follow(watch.feed, Heard(counts=counts), day * DAY)
        teller.tell(lambda day=day: (day + 1) * DAY)
    left = control.windows.served.minutes(watch.feed)
    assert left[0].start == left[-1].start - LOOKED - 3_600.0
    assert [state for state, _ in told] == ["begins", "over"]
    assert len({starts for _, starts in told}) == 1
    assert DAY < told[0][1] < 2 * DAY


def test_a_window_says_how_requests_were_answered_and_one_that_was_not_counted_says_so(tmp_path, control, log):
    put(log, [(at, 1) for at in range(60)])
    first = monitor(tmp_path / "audit", control).look(3_600.0).new[0]
    assert dict(first.events) == {"refused": 0, "answered": 6_000, "failed": 60, "overload": 0, "took 0.02": 6_000}
    from temper.report.watched import document

    assert document([first])[0]["service"]["failed_share"] == pytest.approx(60 / 6_060)
    assert document([replace(first, events=())])[0]["service"] is None


# --- temper.yaml and the command line


def promised(text, tmp_path):
    document = parse(f"monitor:\n  feed: {{ledger: audit}}\n{text}", "temper.yaml")
    return objectives_of(document, watch_of(document, tmp_path))


def test_promises_are_read(tmp_path):
    errors, latency = promised("  burn: {errors: {budget: 0.001}, latency: {within: 50ms}}\n", tmp_path)
    assert (errors.name, latency.name, latency.within, latency.budget) == ("errors", "latency 50ms", 0.05, 0.01)
    assert errors.rules == tuple(replace(rule, budget=0.001) for rule in RULES)
    (own,) = promised("  burn: {overload: {budget: 0.05, rules: [{rate: 4, long: 2h, short: 10m}]}}\n", tmp_path)
    assert [(rule.rate, rule.long, rule.short, rule.budget) for rule in own.rules] == [(4.0, 7_200.0, 600.0, 0.05)]
    for end in BUCKETS:
        assert promised(f"  burn: {{latency: {{within: {1000 * end:g}ms}}}}\n", tmp_path)[0].within == end
    assert promised("", tmp_path) == ()


@pytest.mark.parametrize(
    ("burn", "wrong"),
    [
        ("{latency: {budget: 0.01}}", "none of 0.5ms, 1ms"),
        ("{latency: {within: 30ms}}", "which gateways count by"),
        ("{errors: {within: 50ms}}", "within"),
        ("{errors: {budget: 0.1}}", "no share of requests is 14.4 times"),
        ("{errors: {budget: 0}}", "between 0 and 1"),
        ("{errors: {rules: [{rate: 4}, {rate: 4}]}}", "two of one rate"),
        ("{mistakes: {budget: 0.1}}", "mistakes"),
    ],
)
def test_promises_that_cannot_be_held_are_refused(burn, wrong, tmp_path):
    with pytest.raises(ConfigError, match=wrong):
        promised(f"  burn: {burn}\n", tmp_path)


def test_files_promise_nothing_of_requests(tmp_path):
    document = parse("monitor: {feed: rows/, time: at, burn: {errors: {budget: 0.001}}}", "temper.yaml")
    with pytest.raises(ConfigError, match="ledger alone"):
        objectives_of(document, watch_of(document, tmp_path))


def test_status_says_where_promises_stand(tmp_path):
    path, place = tmp_path / "temper.yaml", tmp_path / "control.db"
    path.write_text("system: {name: small}\nmonitor: {feed: {ledger: audit}, burn: {errors: {budget: 0.01}}}\n")
    control = Control.open(str(place))
    control.windows.served.keep(str(tmp_path / "audit"), [ERRORS], [minute(1, failed=30)], 0.0)
    control.close()
    ran = CliRunner().invoke(app, ["monitor", "status", "--config", str(path), "--store", str(place)])
    assert ran.exit_code == 0, ran.output
    assert "errors" in ran.output
    assert "NO DATA" in ran.output, "the minute is long ago"
    assert Counter(ran.output.split())["PASS"] == 0
