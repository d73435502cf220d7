"""What alarms open: the same windows show the same symptoms, one incident each, written once, worse when untaken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_store import peopled
from temper.config.alerting import opening_of
from temper.config.reading import parse
from temper.core.alert import Alerting, Opening, Receiver
from temper.core.course import course
from temper.core.errors import ConfigError, TemperError
from temper.core.incident import Kind as Line
from temper.core.incident import Phase, Severity
from temper.core.review import Conflict
from temper.core.watch import REFUSED, Alarm, Kind, Seen, Watch, Watched
from temper.monitoring.alerts import of_incidents
from temper.monitoring.opening import BY, Opener, symptoms
from temper.monitoring.telling import teller_of
from temper.store.control import Control

DAY = 86_400.0
FEED = "/data/predictions"
WATCH = Watch(feed=FEED, time="at")
KINDS = {"a": Kind.ATTACK, "n": Kind.NATURAL, "b": Kind.PIPELINE, "u": Kind.UNKNOWN}
ALARM = Alarm(comparison="ks", column="amount", value=0.4, p=1e-9)


@pytest.fixture
def control(place: str) -> Iterator[Control]:
    control = peopled(place)
    yield control
    control.close()


def days(word: str) -> list[Watched]:
    """A window for each letter: pass, attack, natural, broken, unknown, inconclusive, empty."""
    found, since = [], 0.0
    for at, letter in enumerate(word):
        start, kind = at * DAY, KINDS.get(letter)
        since = since if at and kind and KINDS.get(word[at - 1]) == kind else start
        seen = {"p": Seen.PASS, "i": Seen.INCONCLUSIVE, "e": Seen.NOTHING}.get(letter, Seen.FAIL)
        more = {"alarms": (ALARM,), "why": ("scores crowd",)} if kind else {}
        rows = 0 if letter == "e" else 900
        found.append(
            Watched(
                start=start, ends=start + DAY, rows=rows, seen=seen, tests=4, needed=700, kind=kind,
                since=since if kind else None, **more,
            )
        )  # fmt: skip
    return found


def opener(control: Control, **options: float) -> Opener:
    return Opener(opening=Opening(**options), watch=WATCH, digest="ref", control=control)


def looked(control: Control, word: str, now: float, **options: float) -> str:
    """What a look says that finds these windows, those of before among them."""
    control.windows.keep(FEED, "ref", days(word), now)
    return opener(control, **options).follow(now)


def opened(control: Control) -> list[tuple[str, str, list[str]]]:
    """(title, severity, kinds of lines) of each incident, the oldest first."""
    found = [control.incidents.get(one.id) for one in reversed(control.incidents.page())]
    return [
        (
            one.title.partition(": ")[2],
            one.severity.value,
            ["over" if e.detail.get("over") else e.kind.value for e in one.timeline],
        )
        for one in found
    ]


def test_each_kind_opens_its_own_incident_and_a_pass_says_that_all_are_over(control: Control) -> None:
    told = looked(control, "pnnaip", 6 * DAY)
    assert told.count("opened incident") == 2
    assert opened(control) == [
        ("rows have changed", "minor", ["opened", "signal", "over"]),
        ("looks like an attack", "major", ["opened", "over"]),
    ]
    natural, attack = (control.incidents.get(one) for one in (1, 2))
    assert (natural.playbook, attack.playbook) == ("drift", "evasion")
    assert "attack-like, amount: its distribution moved by 0.40" in attack.timeline[0].text
    assert natural.closed is None, "people close it"


def guessed(at: int, many: int, *more: str, kind: Kind = Kind.ATTACK) -> Watched:
    """A window in which so many keys were refused (300 are too many), with other alarms of these comparisons."""
    sign = Alarm(comparison=REFUSED, column="", value=float(many), p=1e-9 if many == 300 else 0.4)
    others = tuple(replace(ALARM, comparison=name) for name in more)
    alarms = (*((sign,) if many == 300 else ()), *others)
    start, told = at * DAY, ("keys are tried",) if alarms else ()
    return Watched(
        start=start, ends=start + DAY, rows=0, tests=2, needed=700, alarms=alarms, signs=(sign,), why=told,
        seen=Seen.FAIL if alarms else Seen.NOTHING, kind=kind if alarms else None, since=start if alarms else None,
    )  # fmt: skip


def test_keys_that_are_guessed_have_an_incident_and_a_playbook_of_their_own(control: Control) -> None:
    windows = [guessed(0, 4), guessed(1, 300), guessed(2, 300), guessed(3, 4), guessed(4, 4)]
    control.windows.keep(FEED, "ref", windows, 5 * DAY)
    opener(control, absent=9).follow(5 * DAY)
    assert opened(control) == [("keys that do not hold are tried", "major", ["opened", "signal", "over"])]
    found = control.incidents.get(1)
    assert (found.playbook, found.timeline[0].detail["since"]) == ("guessed-keys", DAY)


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (guessed(0, 300, "bunching"), ["keys", "attack"]),
        (guessed(0, 300, "ks"), ["keys", "unknown"]),
        (guessed(0, 300, "ks", kind=Kind.PIPELINE), ["keys", "pipeline"]),
        (guessed(0, 4, "ks", kind=Kind.NATURAL), ["natural"]),
    ],
)
def test_what_rows_show_beside_guessed_keys_is_another_incident(window: Watched, words: list[str]) -> None:
    found = [one for one in symptoms([window], 9, FEED) if not one.over]
    assert [one.source.rpartition(".")[2] for one in found] == words


def test_a_feed_that_falls_silent_opens_one_once_enough_windows_are_empty(control: Control) -> None:
    looked(control, "peepee", 6 * DAY, absent=2)
    assert opened(control) == [("no rows come", "major", ["opened", "over", "signal"])]
    assert control.incidents.get(1).timeline[0].detail["since"] == DAY


@pytest.mark.parametrize("cut", range(9))
def test_looks_that_are_cut_anywhere_and_made_twice_write_the_same(tmp_path: Path, cut: int) -> None:
    word, whole, parts = "pnaeepbup", Control.open(str(tmp_path / "a")), Control.open(str(tmp_path / "b"))
    looked(whole, word, 1.0)
    for end in (cut, cut, len(word), len(word)):
        looked(parts, word[:end], 1.0)
    assert [whole.incidents.get(at) for at in (1, 2, 3, 4, 5)] == [parts.incidents.get(at) for at in (1, 2, 3, 4, 5)]
    for one in (whole, parts):
        assert one.audit.verify() == []
        one.close()


def test_every_beginning_of_a_history_shows_the_same_symptoms() -> None:
    word = "pnaeepbupeeen"
    whole = list(symptoms(days(word), 2, FEED))
    for end in range(len(word)):
        some = list(symptoms(days(word[:end]), 2, FEED))
        assert some == whole[: len(some)]


def test_what_was_over_before_is_no_news_and_what_goes_on_after_a_close_is(control: Control) -> None:
    control.windows.keep(FEED, "ref", days("an"), DAY)
    opener(control).begin()
    assert opener(control).follow(2 * DAY) == ""
    assert control.incidents.counts() == (0, 0)
    looked(control, "ana", 3 * DAY)
    control.incidents.close(1, "all is well, I say", "ann", 3 * DAY)
    assert looked(control, "ana", 4 * DAY) == ""
    assert "opened incident 2" in looked(control, "anaa", 4 * DAY)


def test_two_feeds_of_one_name_open_two(control: Control) -> None:
    for feed in ("/a/predictions", "/b/predictions"):
        control.incidents.follow(feed, list(symptoms(days("a"), 2, feed)), DAY, BY, DAY)
    assert control.incidents.counts() == (2, 2)


def test_what_nobody_takes_becomes_critical_once_and_is_told_and_what_people_opened_does_not(control: Control) -> None:
    looked(control, "pn", 0.0)
    control.incidents.open("mine", "minor", "ann", 0.0)
    told = [looked(control, "pn", at, escalate=100.0) for at in (99.0, 100.0, 101.0)]
    assert told == ["", "incident 1 is critical now: nobody took it", ""]
    found = control.incidents.get(1)
    assert (found.severity, found.was) == (Severity.CRITICAL, Severity.MINOR)
    (alert,) = of_incidents([found, control.incidents.get(2)])
    assert alert.state == "worse"
    assert course(found).taken is None, "a program that gives up waiting is nobody"


def test_what_somebody_leads_does_not_become_worse_and_is_told_by_its_alert_alone(control: Control) -> None:
    looked(control, "pn", 0.0)
    control.incidents.assign(1, "scribe", "bob", "bob", 1.0)
    control.incidents.assign(1, "lead", "ann", "ann", 2.0)
    assert looked(control, "pn", 500.0, escalate=100.0) == ""
    assert of_incidents([control.incidents.get(1)]) == []


def test_a_receiver_hears_of_a_window_once_and_of_an_incident_that_nobody_took(
    control: Control, tmp_path: Path
) -> None:
    log = tmp_path / "alerts.jsonl"
    alerting = Alerting(receivers=(Receiver(name="log", kind="log", options={"path": str(log)}),))
    teller = teller_of(alerting, WATCH, "ref", control)
    for now in (0.0, 100.0):
        looked(control, "pn", now, escalate=100.0)
        teller.tell(lambda now=now: now)
    assert [line.count('"worse"') for line in log.read_text().splitlines()] == [0, 1]


# -- times ------------------------------------------------------------------------------------------------------------


def test_times_are_those_of_the_timeline(control: Control) -> None:
    looked(control, "paa", 3 * DAY)
    store = control.incidents
    store.assign(1, "lead", "ann", "ann", 3 * DAY + 60)
    store.reach(1, "contained", "the client is kept out", "ann", 3 * DAY + 600)
    store.reach(1, Phase.RECOVERED, "hardened and live", "ann", 3 * DAY + 7_200)
    store.close(1, "over", "ann", 3 * DAY + 8_000)
    found = course(store.get(1))
    assert (found.began, found.detect, found.taken) == (DAY, 2 * DAY, 3 * DAY + 60)
    assert (found.contain, found.recover) == (600, 7_200)
    assert found.eradicated == found.recovered, "whoever has recovered has been through it by then"


def test_a_window_that_fails_afterwards_says_that_it_was_not_contained(control: Control) -> None:
    looked(control, "pa", 2 * DAY)
    store = control.incidents
    store.reach(1, "contained", "so it seems", "ann", 2.5 * DAY)
    looked(control, "paa", 3 * DAY)
    assert course(store.get(1)).contain == 0.5 * DAY, "half of that window was before"
    looked(control, "paaa", 4 * DAY)
    assert course(store.get(1)).contain is None
    store.reach(1, "contained", "now it is", "ann", 4.5 * DAY)
    store.reach(1, "contained", "as I said", "ann", 4.6 * DAY)
    looked(control, "paaaap", 6 * DAY)
    assert course(store.get(1)).contain == 2.5 * DAY


def test_a_gateways_signal_counts_from_its_own_time(control: Control) -> None:
    def breaker(at: float) -> None:
        control.incidents.signal("breaker", "It is open", Severity.MAJOR, "why", "node-0", at)

    breaker(10.0)
    control.incidents.reach(1, "recovered", "restarted", "ann", 20.0)
    control.incidents.passed("breaker", "over after 11 s", "node-0", 21.0)
    assert course(control.incidents.get(1)).recover == 10.0
    breaker(30.0)
    assert course(control.incidents.get(1)).recover is None
    assert course(control.incidents.get(1)).detect == 0.0


def test_a_phase_that_is_none_and_one_of_a_closed_incident_are_refused(control: Control) -> None:
    number = control.incidents.open("It", "minor", "ann", 1.0)
    with pytest.raises(TemperError, match="is no phase"):
        control.incidents.reach(number, "fine", "x", "ann", 2.0)
    control.incidents.close(number, "over", "ann", 3.0)
    with pytest.raises(Conflict, match="is closed"):
        control.incidents.reach(number, "contained", "x", "ann", 4.0)
    assert [one.kind for one in control.incidents.get(number).timeline] == [Line.OPENED, Line.CLOSED]


# -- temper.yaml ------------------------------------------------------------------------------------------------------


def test_alarms_open_incidents_where_temper_yaml_says_so() -> None:
    assert opening_of(parse("monitor: {feed: x, time: at}\n", "temper.yaml")) is None
    assert opening_of(parse("monitor: {incidents: {}}\n", "temper.yaml")) == Opening()
    with pytest.raises(ConfigError, match="absent must be at least 1"):
        opening_of(parse("monitor: {incidents: {absent: 0}}\n", "temper.yaml"))
    with pytest.raises(ConfigError, match="unknown key 'escalat'"):
        opening_of(parse("monitor: {incidents: {escalat: 2h}}\n", "temper.yaml"))


def test_the_command_opens_once_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np
    import pandas as pd
    from typer.testing import CliRunner

    from temper.cli import app

    monkeypatch.chdir(tmp_path)
    rng = np.random.Generator(np.random.Philox(key=0))
    amount = rng.normal(size=2_000)
    pd.DataFrame({"amount": amount, "y": (amount > 0).astype(int)}).to_csv("test.csv", index=False)
    Path("model.py").write_text("import numpy as np\n\ndef score(x):\n    return np.c_[x <= 0, x > 0].astype(float)\n")
    for day, moved in enumerate((0.0, 2.0)):
        at = (20_000 + day + np.sort(rng.random(1_500))) * DAY
        frame = pd.DataFrame({"amount": rng.normal(moved, 1.0, 1_500), "at": at})
        Path("predictions").mkdir(exist_ok=True)
        frame.to_csv(f"predictions/{day}.csv", index=False)
    Path("temper.yaml").write_text(
        'model: {callable: "model.py:score", classes: 2, kind: probabilities, version: "1"}\n'
        "data: {test: test.csv, target: y}\nschema: {columns: {amount: {type: number}}}\n"
        "monitor: {feed: predictions, time: at, incidents: {}}\n"
    )

    def ran(*words: str) -> tuple[str, str]:
        done = CliRunner().invoke(app, list(words))
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout, done.stderr

    assert "opened incident 1: `temper incidents show 1`" in ran("monitor", "run")[1]
    assert "incident" not in ran("monitor", "run")[1]
    shown = ran("incidents", "show", "1")[0]
    assert "predictions: rows have changed" in shown
    assert "amount: its distribution moved" in shown
