"""Keys that do not hold: counted by the gateway, kept in its ledger, and seen by the monitor window by window."""

import asyncio
from collections import Counter

import numpy as np
import pytest
from scipy.stats import nbinom

from small_gateway import asked, folder, models, written
from temper.core.schema import Schema
from temper.core.watch import REFUSED, Feed, Kind, Seen, Watch
from temper.gateway.tables.build import opened
from temper.gateway.tables.counted import Counted
from temper.gateway.tables.minutes import EVERY, Minutes
from temper.kernels.surge import surge_p
from temper.monitoring.from_ledger import arrived
from temper.monitoring.reference import Reference
from temper.monitoring.run import Monitor
from temper.store.control import Control
from temper.store.ledger.log import Log
from temper.store.ledger.record import COUNTS, Counts, Decided, counts, decode, packed
from temper.store.ledger.verify import records

__all__ = ["folder", "models"]
HOUR = 3_600.0
PER_WINDOW = 200


# --- the count of a window against those before


@pytest.mark.parametrize("dispersion", [0.01, 1.0])
@pytest.mark.parametrize(("mean", "earlier"), [(2.0, 5), (30.0, 40)])
def test_counts_that_vary_as_before_are_rarely_told(mean, earlier, dispersion):
    rng = np.random.Generator(np.random.Philox(key=[int(mean) * 100 + earlier, int(dispersion * 1_000)]))
    runs, level = 200, 0.01
    seen = rng.poisson(rng.gamma(1 / dispersion, mean * dispersion, (runs, earlier + 1)))
    alarms = sum(surge_p(int(one[-1]), one[:-1].tolist()) <= level for one in seen)
    assert alarms <= runs * level + 3 * np.sqrt(runs * level * (1 - level))


def test_a_surge_is_found_and_the_more_uneven_before_the_less_surely():
    rng = np.random.Generator(np.random.Philox(key=3))
    found = [surge_p(120, rng.poisson(30.0, 10).tolist()) < 1e-3 for _ in range(100)]
    assert sum(found) >= 95
    p = [surge_p(120, before) for before in ([30] * 10, [20, 45, 15, 38, 30] * 2, [3, 90, 0, 57, 0] * 2)]
    assert p == sorted(p)
    assert p[0] < 1e-6 < 0.01 < p[2]


def test_with_many_windows_before_it_is_the_negative_binomial_itself():
    rng = np.random.Generator(np.random.Philox(key=5))
    before = rng.poisson(rng.gamma(4.0, 12.5, 4_000))
    mean, variance = before.mean(), before.var()
    shape = mean**2 / (variance - mean)
    for many in (60, 100, 150):
        expected = nbinom.sf(many - 1, shape, shape / (shape + mean))
        assert surge_p(many, before.tolist()) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(("many", "before"), [(0, [1, 2]), (10**9, [0] * 5), (1, [10**9] * 5), (5, [])])
def test_whatever_was_counted_p_is_a_share(many, before):
    assert 0.0 <= surge_p(many, before) <= 1.0


# --- the gateway


class Kept:
    def __init__(self):
        self.bodies = []

    def put(self, kind, body):
        self.bodies.append((kind, body.statuses))


def test_a_minute_is_put_down_once_and_one_without_requests_not_at_all():
    counted, kept, now = Counted(help={}), Kept(), [0.0]
    minutes = Minutes(counted=counted, journal=kept, clock=lambda: now[0])
    counted.add("requests_total", (("status", "200"),), 5)
    counted.add("requests_total", (("status", "401"),), 2)
    counted.add("probes_total", (("status", "401"),))
    minutes.noted()
    assert kept.bodies == []
    for now[0] in (EVERY, 2 * EVERY, 3 * EVERY):
        minutes.noted()
        counted.add("requests_total", (("status", "401"),), int(now[0] == 2 * EVERY))
    assert kept.bodies == [(COUNTS, {"200": 5, "401": 3}), (COUNTS, {"401": 1})]


def test_a_gateway_keeps_what_it_refused_and_goes_on_after_a_restart(folder):
    written(folder, "guard:\n  deadline_ms: 2000\n")
    path = None
    for many in (3, 2):
        gateway = opened(folder / "temper.yaml")
        path = gateway.journal.path
        for _ in range(many):
            assert asyncio.run(asked(gateway))["status"] == 401
        asyncio.run(gateway.stop())
    kept = [record for record in map(decode, (data for _, data in records(path))) if record.kind == COUNTS]
    assert [counts(record).statuses for record in kept] == [{"401": 3}, {"401": 2}]


# --- the monitor


@pytest.fixture
def control(tmp_path):
    opened_ = Control.open(str(tmp_path / "control.db"))
    yield opened_
    opened_.close()


@pytest.fixture
def log(tmp_path):
    begun = Log(tmp_path / "audit", "n", "w", largest=10**7)
    begun.open()
    yield begun
    begun.close()


def hour(log, at, refused, rng, rows=PER_WINDOW):
    """An hour of decisions, and of requests without a key; None: by a Temper that did not count them."""
    shared = {"request": "r", "client": "c", "model": "m", "digest": "d", "policy": "p", "level": "ALLOW"}
    bodies = [("decision", Decided(**shared, scores=tuple(rng.normal(size=rows).tolist()), rows=rows))] if rows else []
    if refused is not None:
        halves = (refused // 2, refused - refused // 2)
        bodies += [(COUNTS, Counts(statuses={"200": rows, "401": many} if many else {"200": rows})) for many in halves]
    wall = int((at * HOUR + 60.0) * 1e9)
    log.write([(wall + place, 0, kind, packed(body), None) for place, (kind, body) in enumerate(bodies)])
    log.settle()


def monitor(tmp_path, control):
    known = Reference.fit(np.random.Generator(np.random.Philox(key=99)).normal(size=(4_000, 1)), Schema(), ("score",))
    watch = Watch(feed=str(tmp_path / "audit"), kind=Feed.LEDGER, time="", score="score", window=HOUR)
    return Monitor(watch=watch, schema=Schema(), reference=known, digest="r", windows=control.windows)


def refused(one):
    return [alarm.value for alarm in one.alarms if alarm.comparison == REFUSED]


def test_keys_that_are_guessed_are_an_attack_in_the_hour_it_happens_and_no_other(tmp_path, control, log):
    rng = np.random.Generator(np.random.Philox(key=1))
    many = [None, None, *rng.poisson(4.0, 12).tolist(), 300, 300, *rng.poisson(4.0, 4).tolist()]
    for at, n in enumerate(many):
        hour(log, at, n, rng)
    looked = monitor(tmp_path, control).look(len(many) * HOUR)
    assert [at for at, one in enumerate(looked.new) if refused(one)] == [14, 15]
    assert [dict(one.events).get(REFUSED) for one in looked.new] == many
    struck = looked.new[14]
    assert (struck.seen, struck.kind, looked.new[15].since) == (Seen.FAIL, Kind.ATTACK, struck.start)
    assert struck.why[0] == "300 requests came without a key that holds, more than the windows before promise"


def test_one_look_at_a_time_and_a_copy_of_the_ledger_say_the_same(tmp_path, control, log):
    rng = np.random.Generator(np.random.Philox(key=2))
    for at, n in enumerate([5, 3, 6, 4, 5, 4]):
        hour(log, at, n, rng)
        assert monitor(tmp_path, control).look((at + 1) * HOUR).new[0].events == ((REFUSED, n),)
    hour(log, 6, 200, rng, rows=0)
    for file in log.path.parent.glob("audit-n-w.db*"):
        file.with_name(file.name.replace("-n-", "-copy-")).write_bytes(file.read_bytes())
    (alone,) = monitor(tmp_path, control).look(7 * HOUR).new
    assert (alone.seen, alone.rows, refused(alone)) == (Seen.FAIL, 0, [200.0]), "nobody but the one who guesses came"
    assert control.windows.page(monitor(tmp_path, control).watch.feed)[0] == alone
    assert monitor(tmp_path, control).look(7 * HOUR).new == []


def test_without_windows_before_or_of_few_nothing_is_said(tmp_path, control, log):
    rng = np.random.Generator(np.random.Philox(key=4))
    for at, n in enumerate([900, 0, 0, 0, 0, 0, 9]):
        hour(log, at, n, rng)
    found = monitor(tmp_path, control).look(7 * HOUR).new
    assert not any(map(refused, found))
    assert [any(sign.comparison == REFUSED for sign in one.signs) for one in found] == [False] * 5 + [True] * 2
    parts = list(arrived(monitor(tmp_path, control).watch, 0.0))
    assert sum((Counter(one.events) for part in parts for one in part.counted), Counter()) == {REFUSED: 909}
