"""The pages of monitoring: what they say of feeds, drift, labels, signs of an attack and alerts, and never do."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from temper.core.alert import Alert, Burning, Receiver
from temper.core.incident import Severity
from temper.core.measure import Better, Measurement, Status
from temper.core.outcome import Outcome
from temper.core.requirement import Judgement, Requirement, Verdict
from temper.core.served import Minute, Objective, Promise
from temper.core.watch import Alarm, Kind, Seen, Shape, Watched
from temper.store.control.alerts import Found
from temper.web import feeds
from unit.test_web_cases import HOSTILE
from unit.test_web_figures import gateway
from unit.web_desk import NOW, World

HOUR = 3_600.0
FEED = "/srv/bank/payments"
PAGES = ("", "/drift", "/accuracy", "/security", "/alerts")
EVERY = [f"/monitoring{page}{part}" for page in PAGES for part in ("", "/now")]


@pytest.fixture
def world(place: str) -> Iterator[World]:
    with closing(World.at(place)) as found:
        yield found


def window(back: int, seen: Seen = Seen.PASS, **more: Any) -> Watched:
    """The window that ended so many hours before now."""
    usual: dict[str, Any] = {"rows": 0 if seen is Seen.NOTHING else 2_400, "tests": 40, "needed": 900}
    usual |= {"moved": (("amount", 0.02), ("country", 0.01), ("score", 0.03))}
    return Watched(start=NOW - (back + 1) * HOUR, ends=NOW - back * HOUR, seen=seen, **usual | more)


def drifted(back: int, since: int, column: str = "amount", **more: Any) -> Watched:
    alarms = tuple(Alarm(comparison=by, column=column, value=0.31, p=p) for by, p in (("ks", 3e-12), ("psi", 1e-9)))
    usual: dict[str, Any] = {"kind": Kind.NATURAL, "why": ("columns that no attacker sets have drifted",)}
    usual |= {"since": NOW - (since + 1) * HOUR, "moved": ((column, 0.31), ("country", 0.01))}
    return window(back, Seen.FAIL, **{"alarms": alarms} | usual | more)


def shape(column: str = "amount", **more: Any) -> Shape:
    usual: dict[str, Any] = {"before": (0, 10, 60, 25, 5), "now": (0, 5, 20, 45, 30), "edges": (0.0, 10.0, 20.0, 40.0)}
    return Shape(column=column, **usual | more)


def keep(world: World, *windows: Watched, shapes: tuple[Shape, ...] = (), feed: str = FEED) -> None:
    drawn = {one.start: shapes for one in windows if one.seen is Seen.FAIL}
    world.control.windows.keep(feed, "r", windows, NOW, shapes=drawn)


def figure(name: str, value: float | None, **more: Any) -> Measurement:
    plugin, _, metric = name.partition(".")
    ends = {} if value is None else {"low": value - 0.02, "high": value + 0.02}
    usual = ends | {"n": 900, "unit": "share", "better": Better.HIGHER, "anytime": plugin != "cbpe"}
    return Measurement(plugin=plugin, metric=metric, value=value, **usual | more)


BLIND = "blind to concept drift: it supposes that every stated probability is still true"
GUESS = figure("cbpe.accuracy", 0.94, status=Status.INCONCLUSIVE, reason=BLIND, caveats=(BLIND,))


def outcome(back: int, seen: Seen = Seen.FAIL, **more: Any) -> Outcome:
    wanted = Requirement(id="a", metric="performance.accuracy", at_least=0.9)
    verdict = Verdict.FAIL if seen is Seen.FAIL else Verdict.PASS
    value = 0.8 if seen is Seen.FAIL else 0.95
    said = Judgement(
        requirement=wanted,
        verdict=verdict,
        measured="performance.accuracy",
        value=value,
        low=value - 0.02,
        high=value + 0.02,
        n=900,
        explanation="even 0.82 breaks it",
    )
    usual: dict[str, Any] = {"rows": 1_000, "labelled": 900, "seen": seen, "judgements": (said,), "matures": NOW - 60.0}
    usual |= {"figures": (figure("performance.accuracy", value), GUESS), "told": ("900 of 1,000 have a label",)}
    return Outcome(start=NOW - (back + 1) * HOUR, ends=NOW - back * HOUR, **usual | more)


def alert(rule: str = "drift", since: int = 3, **more: Any) -> Alert:
    usual: dict[str, Any] = {"severity": Severity.MAJOR, "title": "payments: drift in amount", "text": "2 windows"}
    usual |= {"labels": (("feed", "payments"), ("rule", rule)), "columns": ("amount",), "starts": NOW - since * HOUR}
    return Alert(key=f"payments.ab12cd.{rule}", **usual | more)


def tell(world: World, *alerts: Alert, receivers: tuple[str, ...] = ("pager", "log")) -> None:
    to = tuple(Receiver(name=name, kind="log") for name in receivers)
    found = Found(feed=FEED, alerts=alerts, silenced=frozenset(), receivers=to, until=NOW)
    world.control.alerts.keep(found, NOW)


def at(one: Alert) -> str:
    return f"/monitoring/alert?{urlencode({'id': one.id})}"


def main(text: str) -> str:
    return text.partition("<main")[2].partition("</main>")[0]


def badges(text: str) -> list[tuple[str, str]]:
    return re.findall(r'class="badge ([\w-]+)">([^<]*)<', text)


# -- nothing, and no data ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", EVERY)
def test_of_an_empty_store_every_page_says_so_and_nothing_is_green(world: World, where: str) -> None:
    seen = world.browser("vera").get(where)
    assert seen.status == 200
    assert ("badge pass" in seen.text, 'class="pass"' in seen.text) == (False, False)
    assert "Nothing is watched" in seen.text or "None so far" in seen.text or "nothing is watched" in seen.text
    assert ("<!DOCTYPE html>" in seen.text) == (not where.endswith("/now"))


@pytest.mark.parametrize(
    ("windows", "told"),
    [
        ([window(1), window(0, Seen.NOTHING)], "no data"),
        ([window(1), window(0, Seen.INCONCLUSIVE, rows=12)], "inconclusive"),
        ([window(1), window(0, Seen.FAIL, troubles=("column 'kind' is gone",))], "fail"),
    ],
)
def test_what_does_not_pass_is_not_green(world: World, windows: list[Watched], told: str) -> None:
    keep(world, *windows)
    text = world.browser("vera").get("/monitoring").text
    assert ("pass", told) not in badges(text)
    assert told in [said for _, said in badges(text)]
    assert '<span class="many">0 of 1</span>' in text


def test_a_pass_that_is_old_is_no_pass_any_more(world: World) -> None:
    keep(world, window(1), window(0))
    fresh = world.browser("vera").get("/monitoring").text
    assert ("pass", "pass") in badges(fresh)
    assert '<li class="pass"><a href="/monitoring/drift"><span class="many">1 of 1' in fresh
    world.clock.now += 2.5 * HOUR
    old = world.browser("vera").get("/monitoring").text
    assert "pass" not in [tone for tone, _ in badges(old)]
    assert "not looked at since: pass" in old
    assert "Nobody has looked at this feed" in old
    assert '<span class="many">0 of 1' in old


# -- drift ------------------------------------------------------------------------------------------------------------


def test_drift_says_which_column_since_when_how_far_how_surely_and_shows_it(world: World) -> None:
    named = Shape(column="country", names=("NL", "Germany", ""), before=(70, 30, 0), now=(20, 60, 20), missing=(0, 5))
    keep(world, window(3), drifted(2, 2), drifted(1, 2), drifted(0, 2), shapes=(shape(), named))
    text = world.browser("vera").get("/monitoring/drift").text
    assert "its distribution moved by 0.31" in text
    assert "3e-12" in text
    assert "100 against 100" in text, "n of both sides"
    assert "2027-01-15 05:00-06:00" in text, "since the third hour back"
    assert "columns that no attacker sets have drifted" in text
    assert "2 comparisons agree" in text
    assert "amount: half of the values below 16.67 before, 31.11 now" in text
    assert "country: NL 70 % before, 20 % now" in text
    assert text.count("<svg") == 2
    assert len(re.findall(r"<td class=\"shade-\d+ alarm", text)) == 3


def test_a_window_is_looked_at_by_its_address_and_an_odd_address_shows_the_newest(world: World) -> None:
    keep(world, drifted(1, 1), window(0), shapes=(shape(),))
    newest = world.browser("vera").get("/monitoring/drift").text
    assert "Nothing moved further than chance explains" in newest
    back = re.findall(r'<li><a class="fail" href="([^"]+)"', newest)
    before = world.browser("vera").get(html.unescape(back[0])).text
    assert "its distribution moved by 0.31" in before
    key = feeds.key(FEED)
    for odd in ("feed=x&at=1", f"feed={key}&at=-1", f"feed={key}&at=99999999999999999999"):
        assert "Nothing moved further" in world.browser("vera").get(f"/monitoring/drift?{odd}").text


def test_two_feeds_are_chosen_by_their_names_and_paths_are_in_no_address(world: World) -> None:
    keep(world, window(0))
    keep(world, drifted(0, 0, "city"), feed="ledger", shapes=())
    page = world.browser("vera").get(f"/monitoring/drift?feed={feeds.key('ledger')}").text
    assert "<b>city</b>" in page
    links = re.findall(r'href="(/monitoring/drift\?feed=[^"&]+)"[^>]*>(payments|ledger)<', page)
    assert {name for _, name in links} == {"payments", "ledger"}
    assert "srv" not in page


# -- labels -----------------------------------------------------------------------------------------------------------


def test_accuracy_shows_what_labels_say_with_ends_what_was_expected_and_that_this_is_blind(world: World) -> None:
    keep(world, window(1), window(0))
    young = outcome(
        0, Seen.INCONCLUSIVE, labelled=0, judgements=(), figures=(GUESS,), matures=NOW + 2 * HOUR, told=("wait",)
    )
    world.control.windows.outcomes.keep(FEED, "labels#fraud", "r", [outcome(2), outcome(1, Seen.PASS), young], NOW)
    text = world.browser("vera").get("/monitoring/accuracy").text
    assert "0.8 (0.78 to 0.82) of 900" in text
    assert "at least 0.9" in text
    assert BLIND in text
    assert "accuracy 0.940" in text
    assert "1,800 of 2,000 matured rows" in text
    assert "not mature" in [said for _, said in badges(text)]
    assert ("pass", "not mature") not in badges(text)
    assert "labels count in 2 h" in text
    picture = text[text.index("<figure") : text.index("</figure>")]
    assert (picture.count('class="dot"'), picture.count('class="diamond"')) == (2, 3)
    assert picture.count('class="young"') == 1
    health = world.browser("vera").get("/monitoring").text
    assert "90 % of 2,000 matured rows have a label; 1 windows wait; the next matures in 2 h" in health


def test_what_is_known_of_a_window_changes_with_its_labels_and_is_shown_once(world: World) -> None:
    keep(world, window(0))
    for one in (outcome(0, Seen.INCONCLUSIVE, labelled=100), outcome(0)):
        world.control.windows.outcomes.keep(FEED, "l", "r", [one], NOW + one.labelled)
    assert world.control.windows.outcomes.page(FEED) == [outcome(0)]


def test_without_labels_the_page_says_that_nobody_knows(world: World) -> None:
    keep(world, window(0))
    assert "nobody knows here whether the model is right" in world.browser("vera").get("/monitoring/accuracy").text


# -- security ---------------------------------------------------------------------------------------------------------


def test_signs_of_an_attack_stand_window_by_window_and_what_was_not_measured_is_empty(world: World) -> None:
    sign = Alarm(comparison="bunching", column="score", value=3.4, p=2e-9)
    calm = Alarm(comparison="bunching", column="score", value=1.1, p=0.4)
    near = Shape(column="score", edges=(0.4, 0.45, 0.5, 0.6), before=(80, 5, 5, 5, 5), now=(70, 5, 15, 5, 5))
    struck = drifted(1, 1, "score", alarms=(sign,), signs=(sign,), kind=Kind.ATTACK, why=("scores crowd",))
    keep(world, window(2), struck, window(0, signs=(calm,)), shapes=(replace(near, part=True, threshold=0.5),))
    text = world.browser("vera").get("/monitoring/security").text
    assert "crowded just below the threshold, 3.4 times what its neighbours promise" in text
    assert ("fail", "attack-like") in badges(text)
    bunching = text[text.index('<th scope="row">Bunching') : text.index('<th scope="row">Trains')]
    assert re.findall(r'class="(shade-\w+(?: alarm)?)', bunching) == ["shade-none", "shade-8 alarm", "shade-0"]
    assert "score: 10 % at 0.5 or above before, 10 % now" in text
    assert "about the threshold" in text


def test_windows_without_a_score_say_that_nothing_was_measured(world: World) -> None:
    keep(world, window(0))
    text = world.browser("vera").get("/monitoring/security").text
    assert "Nothing of this was measured" in text


def test_what_the_guard_stopped_is_told_and_shadow_is_not_called_stopped(place: str) -> None:
    told = 'temper_stage_decisions_total{stage="bounds",level="BLOCK",mode="enforce"} 12\n'
    told += 'temper_stage_decisions_total{stage="anomaly",level="REVIEW",mode="shadow"} 7\ntemper_breaker 2\n'
    with gateway(200, told.encode()) as url, closing(World.at(place, gateway_metrics_url=url)) as world:
        text = world.browser("vera").get("/monitoring/security").text
        assert re.search(r"<b>bounds</b>.*?block</span>.*?enforce.*?>12<", text, re.DOTALL)
        assert re.search(r"<b>anomaly</b>.*?shadow <span class=\"note\">nothing came of it", text, re.DOTALL)
        health = world.browser("vera").get("/monitoring").text
        assert "checks fail: Breaker" in health


# -- alerts -----------------------------------------------------------------------------------------------------------


def test_alerts_are_taken_and_silenced_from_the_page_and_the_audit_knows(world: World) -> None:
    tell(world, alert(), alert("absent", 2, columns=()), alert("broken", 9, ends=NOW - HOUR))
    states = lambda: [said for _, said in badges(world.browser("vera").get("/monitoring/alerts").text)]  # noqa: E731
    assert sorted(states()) == ["major", "major", "major", "open", "open", "resolved"]
    ana, pia = world.browser("ana"), world.browser("pia")
    assert ana.send(at(alert()), "/monitoring/alert/take", id=alert().id).status == 303
    assert "taken by ana" in states()
    absent = alert("absent", 2)
    form = {"id": absent.id, "label": "rule", "lasts": "2h", "why": "the feed moves tonight"}
    assert pia.send(at(absent), "/monitoring/alert/silence", **form).status == 303
    assert "silenced" in states()
    (kept,) = world.control.alerts.silences(NOW)
    assert (kept.label, kept.value, kept.until, kept.by) == ("rule", "absent", NOW + 2 * HOUR, "pia")
    shown = world.browser("vera").get(at(absent)).text
    assert "the feed moves tonight" in shown
    assert "<form" not in main(shown)
    done = [row.action for row in world.control.audit.page() if row.action.startswith("alert")]
    assert done == ["alert.silence", "alert.take"]


@pytest.mark.parametrize(
    "form", [{"label": "column 9"}, {"label": "host"}, {"lasts": "99d"}, {"why": ""}, {"id": "none"}, {"id": ""}]
)
def test_a_silence_of_what_is_not_there_is_refused(world: World, form: dict[str, str]) -> None:
    tell(world, alert())
    good = {"id": alert().id, "label": "column 0", "lasts": "1d", "why": "a sale"}
    seen = world.browser("pia").send(at(alert()), "/monitoring/alert/silence", **good | form)
    assert seen.status in (404, 422)
    assert world.control.alerts.silences(NOW) == []


def test_an_analyst_takes_and_does_not_silence_and_nobody_takes_what_is_over(world: World) -> None:
    tell(world, alert(), alert("broken", 9, ends=NOW - HOUR))
    page = world.browser("ana").get(at(alert())).text
    assert ("/monitoring/alert/take" in page, "/monitoring/alert/silence" in page) == (True, False)
    over = alert("broken", 9)
    assert "<form" not in main(world.browser("pia").get(at(over)).text)
    assert world.browser("ana").send(at(over), "/monitoring/alert/take", id=over.id).status == 422


def test_deliveries_are_shown_with_what_went_wrong(world: World) -> None:
    tell(world, alert())
    first = world.control.alerts.claim("log", NOW)
    other = world.control.alerts.claim("pager", NOW)
    assert first is not None
    assert other is not None
    world.control.alerts.sent(first, NOW + 1)
    world.control.alerts.failed(other, "the receiver answers 503", NOW + 1)
    text = world.browser("vera").get(at(alert())).text
    assert re.search(r"<b>log</b>.*?✓", text, re.DOTALL)
    assert re.search(r"<b>pager</b>.*?tried again in.*?the receiver answers 503", text, re.DOTALL)
    assert re.search(r"<b>pager</b>: 1 wait.*?503", world.browser("vera").get("/monitoring/alerts").text, re.DOTALL)


# -- every page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_of_a_feed_acts(world: World, text: str) -> None:
    kept = text.encode("utf-8", "replace").decode().replace("\x00", "\x01")  # what a store takes at all
    spoken = (shape(kept), Shape(column=kept, names=(kept, ""), before=(5, 1), now=(1, 5)))
    one = drifted(1, 1, kept, why=(kept,), notes=(kept,), troubles=(kept,))
    keep(world, one, replace(one, start=one.ends, ends=NOW), shapes=spoken, feed=f"/{kept}")
    world.control.windows.outcomes.keep(f"/{kept}", "l", "r", [outcome(0, told=(kept,))], NOW)
    tell(world, alert(title=kept, text=kept, columns=(kept,), labels=(("feed", kept),)), receivers=("pager",))
    sent = world.control.alerts.claim("pager", NOW)
    assert sent is not None
    world.control.alerts.failed(sent, kept, NOW)
    for where in (*EVERY, at(alert())):
        seen = world.browser("ada").get(where)
        assert seen.status == 200, where
        body = main(seen.text) or seen.text
        for acting in ("<script>alert", "<img", "<svg onload", "54439", "\u202e", "\x1b", "\x01"):
            assert acting not in body, where
        assert 'onerror="' not in body


def test_health_says_where_promises_of_answers_stand(world: World) -> None:
    keep(world, drifted(0, 0))
    rule = Burning(budget=0.01, rate=10.0, long=3_600.0, short=300.0)
    errors = Objective(promise=Promise.ERRORS, budget=0.01, rules=(rule,))
    start = NOW // 60.0 * 60.0 - 120.0
    for counts, said in (
        ({"answered": 600, "failed": 200}, ("fail", "200 of 800 (25 %; 1 % may)")),
        ({"answered": 800, "failed": 0}, ("pass", "0 of 800 (0 %; 1 % may)")),
        ({}, ("no data", "none came; no request came in 5 min")),
    ):
        world.control.windows.served.keep(FEED, [errors], [Minute(start=start, counts=counts)], 0.0)
        text = world.browser("vera").get("/monitoring").text
        shown = text[text.index("Promises of answers") :]
        for word in ("errors", *said):
            assert word in shown[:600]


@contextmanager
def counted(world: World) -> Iterator[list[int]]:
    """How many transactions the store has seen."""
    database, seen = world.control._database, [0]
    real = database._transaction

    def transaction(writing: bool) -> Any:
        seen[0] += 1
        return real(writing)

    database._transaction = transaction  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        database._transaction = real  # type: ignore[method-assign]


@pytest.mark.parametrize(("page", "most"), [("", 7), ("/drift", 4), ("/accuracy", 4), ("/security", 4), ("/alerts", 4)])
def test_a_page_asks_the_store_little_however_much_there_is(world: World, page: str, most: int) -> None:
    keep(world, *(drifted(back, 40) for back in range(40, -1, -1)), shapes=(shape(),))
    world.control.windows.outcomes.keep(FEED, "l", "r", [outcome(back) for back in range(40, -1, -1)], NOW)
    tell(world, *(alert(f"r{at}") for at in range(20)))
    browser = world.browser("vera")
    with counted(world) as seen:
        assert browser.get(f"/monitoring{page}/now").status == 200
    assert seen[0] <= most, "one of them finds the session"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.sampled_from([*EVERY, "/monitoring/alert"]),
    query=st.dictionaries(st.sampled_from(["feed", "at", "id"]), st.text(max_size=40)),
)
def test_no_address_makes_a_page_fail(world: World, where: str, query: dict[str, str]) -> None:
    keep(world, drifted(0, 0), shapes=(shape(),))
    seen = world.browser("vera").get(f"{where}?{urlencode(query, errors='replace')}")
    assert seen.status == (404 if where == "/monitoring/alert" else 200)
