"""Alerts: the same windows give the same ones, and each is told at least once, in order, whatever ails the receiver."""

from dataclasses import replace
from pathlib import Path

import pytest

from temper.config.alerting import alerting_of
from temper.config.reading import parse
from temper.core.alert import Alert, Alerting, Burning, Receiver, Silence
from temper.core.errors import ConfigError, StoreError, TemperError
from temper.core.incident import Severity
from temper.core.job import Order
from temper.core.outcome import Outcome
from temper.core.requirement import Judgement, Requirement, Verdict
from temper.core.watch import Alarm, Feed, Kind, Seen, Shifted, Version, Watch, Watched
from temper.monitoring.alerts import alerts, of_jobs, of_outcomes, quiet
from temper.monitoring.telling import Teller, teller_of
from temper.store.control import Control
from temper.store.control.alerts import FIRST, LEASE, LONGEST, Found

DAY = 86_400.0
FEED = "/data/predictions"
TO = (Receiver(name="log", kind="log"), Receiver(name="pager", kind="pagerduty", least=Severity.CRITICAL))
ALERTING = Alerting(receivers=TO)
SEEN = {"p": Seen.PASS, "f": Seen.FAIL, "b": Seen.FAIL, "i": Seen.INCONCLUSIVE, "n": Seen.NOTHING}


def days(word, column="amount"):
    """A window for each letter: pass, fail by drift, broken, inconclusive, nothing."""
    return [
        Watched(
            start=at * DAY,
            ends=(at + 1) * DAY,
            rows=0 if letter == "n" else 900,
            seen=SEEN[letter],
            tests=4,
            needed=700,
            alarms=(Alarm(comparison="ks", column=column, value=0.4, p=1e-9),) if letter == "f" else (),
            troubles=("column 'kind' is gone",) if letter == "b" else (),
        )
        for at, letter in enumerate(word)
    ]


def spells(word, alerting=ALERTING):
    return [
        (one.key.rpartition(".")[2], one.starts / DAY, None if one.ends is None else one.ends / DAY)
        for one in alerts(days(word), alerting, FEED)
    ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("", []),
        ("pip", []),
        ("pffp", [("drift", 1, 3)]),
        ("pfifp", [("drift", 1, 4)]),
        ("pfn", [("drift", 1, None)]),
        ("pfpf", [("drift", 1, 2), ("drift", 3, None)]),
        ("pbbp", [("broken", 1, 3)]),
        ("pnp", []),
        ("pnnp", [("absent", 1, 3)]),
        ("pnnnn", [("absent", 1, None)]),
        ("pnninn", [("absent", 1, 3), ("absent", 4, None)]),
    ],
)
def test_what_is_wrong_lasts_until_a_window_says_otherwise(word, expected):
    assert spells(word) == expected


def test_signs_of_an_attack_are_not_called_drift_of_no_column():
    (one,) = days("f", column="")
    (told,) = alerts([replace(one, kind=Kind.ATTACK)], ALERTING, FEED)
    assert told.title == "predictions: signs of an attack"


def test_every_beginning_of_a_history_tells_the_same_story():
    word = "pffpnnpbfinnnpff"
    whole = {(rule, starts): ends for rule, starts, ends in spells(word)}
    for end in range(len(word)):
        for rule, starts, ends in spells(word[:end]):
            assert (rule, starts) in whole
            assert ends in (None, whole[rule, starts])


def test_a_budget_is_burnt_in_both_whiles_and_of_enough_windows():
    rule = Burning(budget=0.1, rate=4.0, long=10 * DAY, short=5 * DAY, least=4)
    burning = replace(ALERTING, burn=rule)
    burnt = [one for one in spells("pppppffppppppp", burning) if one[0] == "burn"]
    assert burnt == []  # 2 of 5, but 2 of 7 in the long while: 2.9 times as fast, not 4
    assert ("burn", 4, 7) in spells("pppfffppppp", burning)
    assert "burn" not in {one[0] for one in spells("fff", burning)}, "three windows are too few"
    assert "burn" not in {one[0] for one in spells("iiiifff", burning)}, "what cannot be judged is no event"


def stream(*alarmed, rows=1_000, took=300.0):
    """A window for each: the columns that alarmed in it, None where it is not in the stream."""
    seen = 0
    for at, columns in enumerate(alarmed):
        seen += rows * (columns is not None)
        since = seen - 1 - took
        shifts = tuple(
            Shifted(column=name, how="is higher", since=since, low=since, high=since, seen=seen - 1)
            for name in columns or ()
        )
        yield replace(
            days("p")[0],
            start=at * DAY,
            ends=(at + 1) * DAY,
            seen=Seen.FAIL if shifts else Seen.PASS,
            shifts=shifts,
            streamed=None if columns is None else seen,
        )


def streamed(windows):
    return [
        (one.columns, one.starts / DAY, None if one.ends is None else one.ends / DAY)
        for one in alerts(list(windows), ALERTING, FEED)
        if one.key.endswith(".stream")
    ]


def test_a_shift_of_a_stream_is_over_when_it_would_have_alarmed_again():
    assert streamed(stream((), ("a",), ("a", "b"), (), ())) == [(("a", "b"), 1, 3)]
    assert streamed(stream((), ("a",), (), (), ("a",), (), took=1_400)) == [(("a",), 1, None)]
    assert streamed(stream((), ("a",), (), (), (), ("a",), took=1_400)) == [(("a",), 1, 4), (("a",), 5, None)]
    assert streamed(stream(("a",), None, None)) == [(("a",), 0, None)], "what is not in the stream says nothing"
    anew = [*stream((), (), ("a",)), *(replace(one, start=one.start + 3 * DAY) for one in stream(()))]
    assert streamed(anew) == [(("a",), 2, 3)]
    assert "drift" not in {one.key.rpartition(".")[2] for one in alerts(list(stream((), ("a",))), ALERTING, FEED)}


OUTCOMES = {"p": Seen.PASS, "f": Seen.FAIL, "i": Seen.INCONCLUSIVE}


def outcomes(word):
    """An outcome for each letter: pass, fail, inconclusive; a space where none is known."""
    wanted = Requirement(id="a", metric="performance.recall", at_least=0.7)
    for at, letter in enumerate(word):
        if letter == " ":
            continue
        verdict = {"f": Verdict.FAIL, "p": Verdict.PASS, "i": Verdict.INCONCLUSIVE}[letter]
        judged = Judgement(
            requirement=wanted, verdict=verdict, measured="performance.recall", value=0.6, low=0.5, high=0.65, n=900
        )
        yield Outcome(
            start=at * DAY, ends=(at + 1) * DAY, rows=900, labelled=800, seen=OUTCOMES[letter], judgements=(judged,)
        )


def test_labels_that_break_a_promise_are_an_alert_until_they_keep_it():
    found = of_outcomes(list(outcomes("pffip")), FEED)
    assert [(one.starts / DAY, one.ends / DAY, one.severity) for one in found] == [(1, 4, Severity.MAJOR)]
    assert found[0].key.startswith("predictions.")
    assert "2 windows since 1970-01-02; the last, 1970-01-03: performance.recall 0.6 (0.5 ... 0.65)" in found[0].text
    assert of_outcomes(list(outcomes("ii")), FEED) == []


def of_labels(control, labels):
    watch = Watch(feed=FEED, time="at")
    return Teller(alerting=ALERTING, watch=watch, digest="r", control=control, receivers={}, labels=labels)


def test_labels_that_decide_late_are_told_all_the_same(control):
    told = of_labels(control, "l")
    told.begin(0.0)
    kept = control.windows.outcomes
    for now, word in enumerate(("p", "p p", "pfp"), 1):
        kept.keep(FEED, "l", "r", list(outcomes(word)), float(now))
        told.tell(lambda now=now: float(now))
    sent = [(one.alert.key.rpartition(".")[2], one.alert.starts / DAY, one.alert.ends) for one in control.alerts.page()]
    assert sent == [("labels", 1, 2 * DAY)]
    assert taken(control, "log", 9.0) == [("labels", "begins"), ("labels", "over")]
    again = of_labels(control, "m")
    kept.keep(FEED, "m", "r", list(outcomes("fp")), 4.0)
    again.begin(4.0)
    again.tell(lambda: 5.0)
    assert len(control.alerts.page()) == 1, "what was over before anybody asked is no news"


def served(*counts, width=300.0):
    """A window of five minutes for each: rows that the model answered, and rows that something else did."""
    for at, (own, instead) in enumerate(counts):
        versions = (Version(name="m", rows=own, since=at * width),) if own else ()
        one = days("p" if own + instead else "n")[0]
        yield replace(one, start=at * width, ends=(at + 1) * width, versions=versions, instead=instead)


def test_requests_that_something_else_answers_burn_a_budget():
    quick = Burning(budget=0.01, rate=14.4, long=3_600.0, short=300.0, least=100)
    slow = replace(quick, rate=6.0, long=21_600.0, short=1_800.0)
    rules = replace(ALERTING, requests=(quick, slow))

    def told(*counts):
        found = alerts(list(served(*counts)), rules, FEED)
        return {(one.key.partition(".requests-")[2], one.starts / 300, one.ends and one.ends / 300) for one in found}

    well, ill = (200, 0), (100, 100)
    assert told(*[well] * 20) == set()
    assert told(*[well] * 12, ill, ill, ill, ill, ill, *[well] * 12) == {
        ("14.4x", 15, 17),  # half of four windows among twelve: 16.7 times as fast
        ("6x", 13, 22),
    }
    assert ("14.4x", 1, None) in told(well, ill, (0, 0), (0, 0)), "silence is no recovery"
    assert told((0, 40), (0, 40)) == set(), "of 40 nothing is said"
    (one, *_) = alerts(list(served(well, ill)), rules, FEED)
    assert one.title == "predictions: too many rows are answered by something other than the model"
    assert "100 of 200 rows were not answered by the model" in one.text


def test_columns_of_a_drift_are_one_alert_and_told_harmlessly():
    both = [*days("f", "amount\x1b[31m"), *days("pf", "age")[1:]]
    (one,) = alerts(both, ALERTING, FEED)
    assert one.columns == ("age", "amount‹U+001B›[31m")
    assert one.title == "predictions: drift in age, amount‹U+001B›[31m"
    assert "2 windows since 1970-01-01; the last, 1970-01-02" in one.text
    assert alerts(both, ALERTING, "/other/predictions")[0].key != one.key, "feeds of one name are told apart"


def test_a_silence_is_by_label_or_by_every_column_and_ends():
    (one,) = alerts([*days("f", "amount"), *days("pf", "age")[1:]], ALERTING, FEED)

    def silent(*pairs, now=5.0):
        return quiet(one, [Silence(label=a, value=b, until=9.0, by="ana", why="w", at=0.0) for a, b in pairs], now)

    assert silent(("key", one.key))
    assert silent(("rule", "drift"))
    assert silent(("feed", "predictions"))
    assert silent(("column", "age"), ("column", "amount"))
    assert not silent(("column", "age"))
    assert not silent(("rule", "absent"))
    assert not silent(("rule", "drift"), now=9.0)


# -- the store ------------------------------------------------------------------------------------------------------


@pytest.fixture
def control(place):
    opened = Control.open(place)
    yield opened
    opened.close()


def keep(control, word, now, silenced=(), escalate=0.0, receivers=TO):
    windows = days(word)
    found = alerts(windows, ALERTING, FEED)
    quiet = frozenset(one.id for one in found if one.key.rpartition(".")[2] in silenced)
    until = windows[-1].ends if windows else 0.0
    control.alerts.keep(
        Found(feed=FEED, alerts=found, silenced=quiet, receivers=receivers, until=until, escalate=escalate), now
    )


def taken(control, receiver, now):
    """Everything this receiver is sent, and takes."""
    said = []
    while (one := control.alerts.claim(receiver, now)) is not None:
        said.append((one.alert.key.rpartition(".")[2], one.alert.state))
        control.alerts.sent(one, now)
    return said


def test_an_alert_is_told_once_when_it_begins_and_once_when_it_is_over(control):
    control.alerts.begin(FEED, 0.0)
    for word, expected in (("pf", ["begins"]), ("pff", []), ("pff", []), ("pffp", ["over"]), ("pffpf", ["begins"])):
        keep(control, word, 1.0)
        assert taken(control, "log", 1.0) == [("drift", state) for state in expected], word
    assert taken(control, "pager", 1.0) == [], "it is not critical"


def test_what_began_and_ended_between_two_looks_is_told(control):
    control.alerts.begin(FEED, 0.0)
    keep(control, "p", 1.0)
    keep(control, "pfpnnp", 2.0)
    assert taken(control, "log", 2.0) == [(rule, s) for rule in ("drift", "absent") for s in ("begins", "over")]


def test_what_was_over_before_anybody_asked_is_no_news(control):
    control.alerts.begin(FEED, 4 * DAY)
    keep(control, "pfpf", 1.0)
    assert taken(control, "log", 1.0) == [("drift", "begins")]
    assert [one.alert.starts for one in control.alerts.page()] == [3 * DAY]


def test_nothing_is_lost_or_told_out_of_order_while_a_receiver_is_down(control):
    keep(control, "pf", 0.0)
    waited, now = [], 0.0
    for _ in range(9):
        one = control.alerts.claim("log", now)
        assert (one.alert.state, control.alerts.claim("log", now)) == ("begins", None)
        control.alerts.failed(one, "down", now)
        (waiting,) = control.alerts.waiting()
        assert (waiting.receiver, waiting.fault) == ("log", "down")
        waited.append(waiting.due - now)
        assert control.alerts.claim("log", waiting.due - 0.1) is None
        now = waiting.due
    assert waited[:3] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert waited[-1] == LONGEST
    keep(control, "pfp", now - 1.0)
    assert taken(control, "log", now) == [("drift", "begins"), ("drift", "over")]
    assert control.alerts.waiting() == []


def test_who_is_killed_while_sending_sends_again_the_same(control):
    keep(control, "pf", 0.0)
    first = control.alerts.claim("log", 0.0)
    keep(control, "pff", 1.0)  # by then there is more to say, but this message stays as it was
    assert control.alerts.claim("log", LEASE - 0.1) is None, "another sender leaves it alone"
    again = control.alerts.claim("log", LEASE)
    assert (again.alert, again.seq, again.attempts) == (first.alert, first.seq, 2)
    control.alerts.sent(again, LEASE)
    control.alerts.failed(first, "late", LEASE)
    assert taken(control, "log", 10 * LONGEST) == []


def test_what_nobody_takes_becomes_critical_once_and_calls_others(control):
    keep(control, "pf", 0.0, escalate=100.0)
    keep(control, "pf", 99.0, escalate=100.0)
    assert taken(control, "pager", 99.0) == []
    for now in (100.0, 101.0):
        keep(control, "pff", now, escalate=100.0)
    assert taken(control, "pager", 101.0) == [("drift", "worse")]
    assert taken(control, "log", 101.0) == [("drift", "begins"), ("drift", "worse")]
    assert control.alerts.page()[0].alert.severity is Severity.CRITICAL
    keep(control, "pffp", 102.0, escalate=100.0)
    assert taken(control, "pager", 102.0) == [("drift", "over")]


def test_what_somebody_took_does_not_become_worse(control):
    keep(control, "pf", 0.0, escalate=100.0)
    key = control.alerts.page()[0].alert.key
    control.alerts.take(key, "ana", 50.0)
    keep(control, "pf", 200.0, escalate=100.0)
    assert (taken(control, "pager", 200.0), control.alerts.page()[0].taker) == ([], "ana")
    assert control.audit.page(1)[0].action == "alert.take"
    with pytest.raises(TemperError, match="no alert with the key 'x'"):
        control.alerts.take("x", "ana", 50.0)


def test_what_is_silenced_is_listed_and_not_sent_until_the_silence_ends(control):
    keep(control, "pf", 0.0, silenced=("drift",), escalate=1e9)
    assert (taken(control, "log", 0.0), len(control.alerts.page(open_only=True))) == ([], 1)
    keep(control, "pff", 1.0)
    assert taken(control, "log", 1.0) == [("drift", "begins")]
    keep(control, "pffp", 2.0, silenced=("drift",))
    assert taken(control, "log", 2.0) == [("drift", "over")], "who was told that it began is told its end"
    keep(control, "pffpfp", 3.0, silenced=("drift",))
    assert taken(control, "log", 3.0) == []


def test_a_silence_is_kept_with_its_reason_and_refused_without(control):
    one = Silence(label="key", value="k", until=9.0, by="ana", why="a new release", at=1.0)
    control.alerts.silence(one)
    assert (control.alerts.silences(8.9), control.alerts.silences(9.0)) == ([one], [])
    assert control.audit.page(1)[0].detail == {"label": "key", "until": 9.0, "why": "a new release"}
    for wrong in (replace(one, why=" "), replace(one, label="team"), replace(one, until=1.0), replace(one, value="")):
        with pytest.raises(TemperError):
            control.alerts.silence(wrong)
    assert len(control.alerts.silences(2.0)) == 1
    assert control.audit.verify() == []


def test_an_alert_whose_rule_is_no_more_is_over(control):
    keep(control, "pf", 0.0)
    control.alerts.keep(Found(feed=FEED, alerts=(), silenced=frozenset(), receivers=TO, until=3 * DAY), 7.0)
    assert taken(control, "log", 7.0) == [("drift", "begins"), ("drift", "over")]
    (one,) = control.alerts.page()
    assert one.alert.ends == 7.0


def test_an_alert_that_began_before_what_is_looked_back_at_is_the_same(control):
    keep(control, "pfff", 0.0)
    later = alerts(days("pffff")[3:], ALERTING, FEED)
    control.alerts.keep(Found(feed=FEED, alerts=later, silenced=frozenset(), receivers=TO, until=5 * DAY), 1.0)
    assert taken(control, "log", 1.0) == [("drift", "begins")]
    assert [one.alert.starts for one in control.alerts.page()] == [DAY]


# -- telling --------------------------------------------------------------------------------------------------------


class Flaky:
    """A receiver that is down for some messages."""

    def __init__(self, faults):
        self.faults, self.heard = list(faults), []

    def send(self, alert):
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        self.heard.append((alert.id, alert.state))


def test_one_receiver_that_is_down_holds_up_no_other(control):
    watch = Watch(feed=FEED, time="at", window=DAY)
    receivers = {"bug": Flaky([KeyError("x")] * 9), "down": Flaky([StoreError("h answered 503")]), "up": Flaky([])}
    to = tuple(Receiver(name=name, kind="log") for name in receivers)
    teller = Teller(alerting=Alerting(receivers=to), watch=watch, digest="r", control=control, receivers=receivers)
    teller.begin(0.0)
    control.windows.keep(FEED, "r", days("pfpb"), 0.0)
    told = teller.tell(lambda: 0.0)
    assert (told.sent, told.faults) == (3, {"bug": "KeyError", "down": "h answered 503"})
    assert "down has not taken its alerts (h answered 503); they are sent again" in told.text
    assert len(receivers["up"].heard) == 3
    assert teller.tell(lambda: FIRST).sent == 3
    assert receivers["down"].heard == receivers["up"].heard
    assert teller.tell(lambda: FIRST).sent == 0


def test_incidents_that_a_gateway_opened_are_alerts_until_they_are_closed(control):
    heard = Flaky([])
    to = Alerting(receivers=(Receiver(name="log", kind="log"),))
    teller = Teller(
        alerting=to, watch=Watch(feed=FEED, time="at"), digest="r", control=control, receivers={"log": heard}
    )
    teller.begin(50.0)
    control.incidents.signal("breaker", "The breaker is open", Severity.MAJOR, "it is open", "node-1", 60.0)
    control.incidents.open("I saw something", Severity.MINOR, "ana", 61.0)
    assert teller.tell(lambda: 70.0).sent == 1
    (one,) = control.alerts.page()
    assert (one.alert.title, one.alert.labels) == ("The breaker is open", (("rule", "breaker"),))
    control.incidents.close(int(one.alert.key.rpartition(".")[2]), "a fuse", "ana", 80.0)
    assert [teller.tell(lambda: 90.0).sent for _ in range(2)] == [1, 0]
    assert [state for _, state in heard.heard] == ["begins", "over"]


# -- temper.yaml ----------------------------------------------------------------------------------------------------


def alerting(text, base=Path()):
    return alerting_of(parse(f"monitor: {{feed: f, time: at, alerts: {text}}}", "temper.yaml"), base)


def test_the_shape_of_alerts(tmp_path):
    assert alerting_of(parse("monitor: {feed: f, time: at}", "temper.yaml"), tmp_path) is None
    found = alerting(
        "{absent: 3, escalate: 4h, burn: {long: 14d, short: 2d}, receivers: [{kind: log, path: a.jsonl}, "
        "{kind: webhook, name: ops, least: critical, url: 'https://h.example/x', secret_env: S}]}",
        tmp_path,
    )
    assert (found.absent, found.escalate, found.burn) == (3, 14_400.0, Burning(long=14 * DAY, short=2 * DAY))
    assert found.receivers[0] == Receiver(name="log", kind="log", options={"path": str(tmp_path / "a.jsonl")})
    assert (found.receivers[1].name, found.receivers[1].least) == ("ops", Severity.CRITICAL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{absent: 2}", "tells nobody"),
        ("{receivers: [{path: a}]}", "kind is missing"),
        ("{receivers: [{kind: log}, {kind: log}]}", "two receivers are called 'log'"),
        ("{receivers: [{kind: log, least: bad}]}", "'bad'"),
        ("{absent: 0, receivers: [{kind: log}]}", "at least 1 window"),
        ("{escalate: soon, receivers: [{kind: log}]}", "alerts.escalate 'soon' is no time"),
        ("{receiver: [{kind: log}]}", "did you mean 'receivers'"),
        ("{burn: {budget: 1}, receivers: [{kind: log}]}", "between 0 and 1"),
        ("{burn: {budget: 0.5, rate: 4}, receivers: [{kind: log}]}", "up to 2"),
        ("{burn: {long: 1d, short: 2d}, receivers: [{kind: log}]}", "not longer than long"),
        ("{burn: {least: 0}, receivers: [{kind: log}]}", "at least 1 window"),
    ],
)
def test_alerts_that_cannot_be_sent_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        alerting(text)


def test_a_receiver_that_does_not_exist_and_an_option_it_does_not_have_are_refused(control):
    watch = Watch(feed=FEED, time="at")
    for text, message in (
        ("{receivers: [{kind: slak}]}", "did you mean 'slack'"),
        ("{receivers: [{kind: slack, urll: x}]}", "did you mean 'url'"),
    ):
        with pytest.raises(ConfigError, match=message):
            teller_of(alerting(text), watch, "r", control)


def test_rules_of_requests(control):
    two = "requests: [{rate: 14.4}, {rate: 6, long: 6h, short: 30m}]"
    found = alerting(f"{{{two}, receivers: [{{kind: log, path: a}}]}}")
    assert [(rule.rate, rule.long) for rule in found.requests] == [(14.4, 3_600.0), (6.0, 21_600.0)]
    assert {(rule.budget, rule.least) for rule in found.requests} == {(0.01, 100)}
    files, ledger = Watch(feed="f", time="at"), Watch(feed="f", time="", kind=Feed.LEDGER, window=300.0)
    assert teller_of(found, ledger, "r", control).alerting is found
    with pytest.raises(ConfigError, match="of a ledger alone"):
        teller_of(found, files, "r", control)
    with pytest.raises(ConfigError, match="say nothing of a shorter while"):
        teller_of(found, replace(ledger, window=600.0), "r", control)
    with pytest.raises(ConfigError, match="no rate of their own"):
        alerting("{requests: [{rate: 6}, {rate: 6}], receivers: [{kind: log, path: a}]}")


def test_an_alert_knows_its_state():
    one = Alert(key="k", severity=Severity.MINOR, title="t", text="x", starts=5.0)
    assert (one.id, one.state, one.escalated.state, replace(one.escalated, ends=6.0).state) == (
        "k@5",
        "begins",
        "worse",
        "over",
    )
    assert one.escalated.escalated == one.escalated


# -- the commands ---------------------------------------------------------------------------------------------------


def test_a_new_user_is_told_and_silences_and_takes(tmp_path, monkeypatch):
    import numpy as np
    import pandas as pd
    from typer.testing import CliRunner

    from temper.cli import app

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    amount = rng.normal(size=2_000)
    pd.DataFrame({"amount": amount, "y": (amount > 0).astype(int)}).to_csv("test.csv", index=False)
    (tmp_path / "told.py").write_text(
        "import numpy as np\n\ndef score(x):\n    return np.c_[x <= 0, x > 0].astype(float)\n"
    )
    (tmp_path / "predictions").mkdir()
    for day, moved in enumerate((0.0, 2.0)):
        at = (20_000 + day + np.sort(rng.random(1_500))) * DAY
        frame = pd.DataFrame({"amount": rng.normal(moved, 1.0, 1_500), "at": at})
        frame.to_csv(f"predictions/{day}.csv", index=False)
    (tmp_path / "temper.yaml").write_text(
        'model: {callable: "told:score", classes: 2, kind: probabilities, version: "1"}\n'
        "data: {test: test.csv, target: y}\nschema: {columns: {amount: {type: number}}}\n"
        "monitor:\n  feed: predictions\n  time: at\n  alerts:\n    absent: 2\n    receivers:\n"
        "      - {kind: log, path: alerts.jsonl}\n"
        "      - {kind: webhook, url: 'http://127.0.0.1:1/x', secret_env: NOT_SET_HERE}\n"
    )

    def ran(*words, code=0):
        done = CliRunner().invoke(app, ["monitor", *words])
        assert done.exit_code == code, done.output
        return done

    first = ran("run", code=1)
    assert "webhook has not taken its alerts" in first.stderr
    assert "NOT_SET_HERE is not set" in first.stderr
    listed = ran("alerts").stdout.splitlines()
    key = next(line.split("\t")[0] for line in listed if line.split("\t")[0].endswith(".drift"))
    assert any("predictions: drift in amount" in line for line in listed)
    log = (tmp_path / "alerts.jsonl").read_text()
    assert f'"key":"{key}"' in log
    ran("run")
    assert (tmp_path / "alerts.jsonl").read_text() == log, "told once"
    ran("take", key)
    ran("silence", "column=amount", "--for", "2h", "--why", "a sale")
    assert "silenced\tcolumn\tamount" in ran("alerts").stdout
    assert key in ran("alerts", "--json").stdout
    ran("silence", key, "--for", "0", "--why", "it must last", code=1)


# -- jobs -----------------------------------------------------------------------------------------------------------


def order(key, only=()):
    return Order(key=key, why=f"because of {key}", config="c", only=only)


def test_a_job_that_is_given_up_is_told_until_it_is_made_again(control):
    control.jobs.put(order("k"), "monitor", 0.0)
    control.jobs.end(control.jobs.claim("w", 0.0), 2, {}, "lines\nerror: \x1bno model", 5.0)
    (one,) = of_jobs(control.jobs.page())
    assert (one.key, one.starts, one.ends) == ("job.1", 5.0, None)
    assert "because of k" in one.title
    assert "error: ‹U+001B›no model" in one.text
    control.jobs.again(1, "ana", 6.0)
    assert of_jobs(control.jobs.page()) == []


def test_an_assessment_that_fails_is_told_until_one_of_the_same_parts_passes(control):
    verdicts = [("a", (), 1), ("b", ("stress",), 0), ("c", (), 3), ("d", (), 0)]
    for at, (key, only, code) in enumerate(verdicts):
        control.jobs.put(order(key, only), "monitor", float(at))
        control.jobs.end(control.jobs.claim("w", float(at)), code, {"run": f"000{at}"}, "", float(at))
        (one,) = of_jobs(control.jobs.page())
        assert (one.key, one.ends) == ("verdict.1", 3.0 if key == "d" else None)
    assert "temper report 0000" in one.text
