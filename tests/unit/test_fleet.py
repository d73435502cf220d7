"""A fleet: whose turn is when, what is done about what fails, and that nothing finished is lost or repeated."""

import errno
import io
import os
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from temper.api import turn as api_turn
from temper.api.fleet import fleet_status
from temper.api.turn import turn
from temper.cli import app
from temper.core.errors import StoreError, TemperError
from temper.core.evidence import DAY, Cause, Evidence, Present, Triggers
from temper.core.finding import Finding
from temper.core.fleet import Attempt, Entry, Fleet, Level, Portfolio, Situation, Tier, Wanted
from temper.core.outline import Outline
from temper.core.requirement import Verdict
from temper.core.watch import Kind, Seen, Watched
from temper.engine.fleet.cluster import Cluster
from temper.engine.fleet.drive import TRIES, Course, drive
from temper.engine.fleet.hands import Threads
from temper.engine.fleet.order import chosen, cores, ranked, told_apart
from temper.engine.fleet.turn import Taken, take
from temper.engine.identity import finding_id, weakness
from temper.engine.run_task import conclude
from temper.engine.task import Part, Task
from temper.monitoring.evidence import lasting
from temper.monitoring.fleet.stands import Known, Window, situation
from temper.report.fleet import cells, sentences, steps
from temper.store import fleet as kept
from temper.store.control import Control
from unit.small_fleet import portfolio, system

NOW = 1_000 * DAY
RUN = Outline(
    run="0007", system="s", suite="quick", started="1972-09-26T00:00:00+00:00", seconds=3.0, state="finished",
    verdict=Verdict.PASS, simulated=True, judged=3, figures=9, findings=0, model="m", data="d", reference="",
    attacks="a", families=("stress",), first="1972-09-26T00:00:00+00:00",
)  # fmt: skip
OLD = Evidence(part="stress", run="0007", at=RUN.began, model="m", reference="", attacks="a", rows=RUN.began)
TURN = Attempt(fleet="f", entry="s", config="c", at=NOW - 5.0, seconds=3.0, code=0, run="0007", p90=9.0, rating="low")


def entry(name="s", level=Level.MEDIUM, priority=2.0, minutes=60.0):
    tier = Tier(priority=priority, minutes=minutes)
    return Entry(name=name, config=f"/{name}/temper.yaml", where="p:1", owner="ana", level=level, tier=tier)


def stands(name, seconds=30.0, verdict=Verdict.PASS, priority=2.0, **more):
    return Situation(entry=entry(name, priority=priority), seconds=seconds, verdict=verdict, **more)


# -- how a system stands -------------------------------------------------------------------------------------------


def test_a_system_stands_by_its_newest_run_what_is_stale_and_what_drifts():
    known = Known(system="s", newest=RUN, evidence={"stress": OLD}, seconds=8.0, turn=TURN)
    fresh = situation(entry(), known, RUN.began + DAY)
    assert (fresh.verdict, fresh.run, fresh.age, fresh.seconds) == (Verdict.PASS, "0007", DAY, 8.0)
    assert (fresh.stale, fresh.drift, fresh.trouble, fresh.urgent) == ((), "", "", False)
    assert (fresh.assessed, fresh.p90, fresh.rating) == ("0007", 9.0, "low")
    old = situation(entry(), replace(known, rules=Triggers(age=DAY)), RUN.began + 3 * DAY)
    assert [(one.part, one.cause) for one in old.stale] == [("stress", Cause.AGE)]
    other = lasting({"stress": OLD}, Present(now=0.0, model="other"), Triggers())
    moved = situation(entry(), replace(known, lasting=tuple(other)), RUN.began)
    assert [one.cause for one in moved.stale] == [Cause.MODEL]
    window = Watched(start=0.0, ends=DAY, rows=9, seen=Seen.FAIL, tests=3, needed=None, kind=Kind.NATURAL, since=0.0)
    adrift = situation(entry(), replace(known, window=Window.of(window)), NOW)
    assert adrift.drift.endswith("since 1970-01-01 00:00")
    assert adrift.watched == NOW - DAY
    calm = situation(entry(), replace(known, window=Window.of(replace(window, seen=Seen.PASS))), NOW)
    assert (calm.drift, cells(calm)[-1]) == ("", "no drift, as of 999 d ago")
    assert situation(entry(), Known(), NOW).stale[0].cause is Cause.NONE


def test_a_turn_that_could_not_finish_is_trouble_until_a_run_did():
    failed = replace(TURN, code=4, why="no such file", at=RUN.began + 10.0)
    assert situation(entry(), Known(newest=RUN, turn=failed), NOW).trouble == "no such file"
    later = replace(RUN, started="1972-09-27T00:00:00+00:00")
    assert situation(entry(), Known(newest=later, turn=failed), NOW).trouble == ""
    assert situation(entry(), Known(trouble="not YAML"), NOW).trouble == "not YAML"


# -- whose turn ----------------------------------------------------------------------------------------------------


def test_what_is_at_stake_goes_first_then_what_presses_then_the_longest():
    fleet = [
        stands("short", 5.0), stands("long", 50.0), stands("failed", 1.0, Verdict.FAIL), stands("vital", priority=3.0),
        stands("adrift", 2.0, drift="natural"), stands("never", 0.0, None),
    ]  # fmt: skip
    assert [one.entry.name for one in ranked(fleet)] == ["vital", "never", "adrift", "failed", "long", "short"]


def test_one_that_would_be_left_alone_at_the_end_is_spread_over_cores():
    long = stands("long", 300.0)
    assert cores(long, 90.0, 3, 2, 2) == 2
    assert cores(long, 900.0, 3, 2, 2) == 1
    assert cores(long, 0.0, 0, 4, 4) == 4, "nobody else is waiting"
    assert cores(stands("tiny", 3.0), 0.0, 0, 4, 4) == 1, "a start costs more than it gains"
    assert cores(long, 30.0, 1, 1, 8) == 1


def test_systems_are_chosen_by_tier_name_owner_and_tag():
    fleet = [
        stands("a/x"),
        stands("a/y"),
        replace(stands("b"), entry=replace(entry("b"), level=Level.HIGH, tags=("t",))),
    ]
    assert [one.entry.name for one in chosen(fleet, (), ("a/*",))] == ["a/x", "a/y"]
    assert [one.entry.name for one in chosen(fleet, ("high",), ())] == ["b"]
    assert len(chosen(fleet, (), ("ana",))) == 3
    assert len(chosen(fleet, (), ("t",))) == 1
    with pytest.raises(TemperError, match="no such tier"):
        chosen(fleet, ("higher",), ())
    with pytest.raises(TemperError, match="no system"):
        chosen(fleet, (), ("c",))


def test_two_systems_of_one_name_cannot_share_a_store():
    fleet = [replace(stands("a"), system="fraud"), replace(stands("b"), system="fraud"), stands("c")]
    apart, (twin,) = told_apart(fleet, shared=True)
    assert [one.entry.name for one in apart] == ["a", "c"]
    assert "system: name" in twin.why
    assert told_apart(fleet, shared=False) == (fleet, [])


# -- turns, one by one ---------------------------------------------------------------------------------------------

GOOD = {"run": "0001", "verdict": "pass", "state": "finished", "system": "s"}


class Scripted:
    """Hands that give back what a script says of each system, turn by turn."""

    def __init__(self, script=(), slots=2):
        self.script = {name: list(turns) for name, turns in dict(script).items()}
        self.slots = self.widest = slots
        self.asked, self.busy, self.most, self.closed = [], [], 0, False

    def begin(self, wanted):
        self.asked.append(wanted)
        self.busy.append(wanted)
        self.most = max(self.most, len(self.busy))

    def ended(self, seconds):
        wanted = self.busy.pop(0)
        turns = self.script.get(wanted.entry)
        found = turns.pop(0) if turns else {"result": GOOD, "code": 0}
        yield Taken(wanted=wanted, at=NOW, seconds=1.0, **{"code": 4, **found})

    def close(self):
        self.closed = True


def driven(tmp_path, fleet, hands, **more):
    said = []
    course = Course(fleet="f1", wanted=Wanted(store=more.pop("store", "")), listener=said.append, **more)
    with kept.writing(tmp_path / "portfolio.yaml") as (log, _):
        found = drive(fleet, course, hands, log)
    return found, [event.message for event in said if event.message]


def names(hands):
    return [one.entry for one in hands.asked]


FLEET = [stands("a"), stands("b"), stands("c")]


def test_one_system_that_fails_stops_no_other_and_every_turn_is_kept(tmp_path):
    hands = Scripted({"b": [{"code": 2, "result": {"why": "not YAML"}}]})
    found, said = driven(tmp_path, FLEET, hands)
    assert [(one.entry, one.code, one.why) for one in found.attempts] == [
        ("a", 0, ""),
        ("b", 2, "not YAML"),
        ("c", 0, ""),
    ]
    assert hands.closed
    assert hands.most == 2
    turns = kept.read(tmp_path / "portfolio.yaml")
    assert (set(turns.latest), turns.over) == ({"a", "b", "c"}, True)
    assert "PASS, run 0001" in said


@pytest.mark.parametrize(
    ("script", "tries", "code", "apart"),
    [
        ([{"signal": 9}, {"signal": 9}], 3, 0, False),
        ([{"signal": 9}] * 5, TRIES, 4, False),
        ([{"signal": 11}], 2, 0, True),
        ([{"signal": 11}] * 5, 2, 4, True),
        ([{"code": 4}] * 5, 2, 4, True),
        ([{"code": 4, "cut": True}] * 5, 1, 4, False),
        ([{"code": 4, "result": {"why": "the disk is full", "away": False}}] * 5, 1, 4, False),
    ],
    ids=["vanished twice", "always vanishes", "crashed once", "always crashes", "leaves", "too slow", "disk"],
)
def test_what_was_lost_is_taken_again_and_what_fails_by_itself_is_not(tmp_path, script, tries, code, apart):
    hands = Scripted({"b": script})
    found, _ = driven(tmp_path, FLEET, hands)
    mine = [one for one in hands.asked if one.entry == "b"]
    assert (len(mine), found.attempts[1].code) == (tries, code)
    assert mine[-1].apart is apart, "a model that ends its process is given one for each task"
    assert all(one.code == 0 for one in found.attempts if one.entry != "b")


def test_a_store_that_is_down_is_waited_for_and_costs_nobody_a_try(tmp_path):
    away, slept = ["refused"] * 3, []

    def reachable(place):
        assert place == "postgresql://x"
        return away.pop() if away else ""

    hands = Scripted({"a": [{"result": {"why": "gone", "away": True}}] * 2}, slots=1)
    found, said = driven(tmp_path, FLEET, hands, store="postgresql://x", away=reachable, sleep=slept.append)
    assert slept == [1.0, 2.0, 4.0]
    assert sum("cannot be reached (refused)" in line for line in said) == 3
    assert "the store answers again" in said
    assert [(one.entry, one.code) for one in found.attempts] == [("a", 0), ("b", 0), ("c", 0)]
    assert names(hands) == ["a", "a", "a", "b", "c"]


def test_what_the_budget_does_not_reach_is_named_and_resumed(tmp_path):
    class Slow(Scripted):
        def ended(self, seconds):
            clock[0] += 60.0
            return super().ended(seconds)

    clock = [time.monotonic()]
    hands = Slow(slots=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("temper.engine.fleet.drive.time.monotonic", lambda: clock[0])
        found, _ = driven(tmp_path, FLEET, hands, until=clock[0] + 90.0)
    assert ([one.entry for one in found.attempts], found.left) == (["a", "b"], ("c",))
    assert [round(one.minutes, 2) for one in hands.asked] == [1.5, 0.5], "no turn outlives the budget"
    turns = kept.read(tmp_path / "portfolio.yaml")
    assert not turns.over
    later = Scripted()
    found, said = driven(tmp_path, FLEET, later, done=turns.done())
    assert names(later) == ["c"]
    assert [one.entry for one in found.attempts] == ["a", "b", "c"]
    assert "2 systems had their turn before" in said


def test_a_disk_that_is_full_costs_the_log_and_not_the_fleet(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept.os, "fsync", lambda number: None)
    with kept.writing(tmp_path / "portfolio.yaml") as (log, _):
        monkeypatch.setattr(kept.os, "fsync", full)
        with pytest.raises(StoreError, match="disk is full"):
            log.put(TURN)
        assert kept.read(tmp_path / "portfolio.yaml").latest == {}, "no half of a line"
        said = []
        found = drive(FLEET, Course(fleet="f", wanted=Wanted(), listener=said.append), Scripted(), log)
    assert [one.code for one in found.attempts] == [0, 0, 0]
    assert any("is not kept" in event.message for event in said)


def test_the_log_outlives_a_kill_knows_one_driver_and_does_not_grow(tmp_path):
    path = tmp_path / "portfolio.yaml"
    assert kept.read(path) == kept.Turns(latest={})
    with kept.writing(path) as (log, _):
        log.begin("f")
        for _ in range(5):
            log.put(TURN)
        log.put(replace(TURN, entry="t", code=4))
        with pytest.raises(StoreError, match="another process"), kept.writing(path):
            pass
    with (tmp_path / kept.FILE).open("ab") as file:
        file.write(b'{"entry": "u", "co')
    turns = kept.read(path)
    assert turns.latest["s"] == TURN
    assert set(turns.done()) == {"s"}, "what failed is tried again, what was cut off never was"
    with kept.writing(path):
        assert len((tmp_path / kept.FILE).read_bytes().splitlines()) == 3


@pytest.mark.parametrize(
    ("codes", "left", "refused", "code"),
    [
        ((0, 0), (), 0, 0),
        ((0, 3), (), 0, 3),
        ((4, 3), (), 0, 4),
        ((4, 1), (), 0, 1),
        ((0,), ("x",), 0, 3),
        ((0,), (), 1, 4),
    ],
)
def test_the_exit_code_is_the_worst_there_is(codes, left, refused, code):
    fleet = Portfolio(source="p", name="p", entries=())
    attempts = tuple(replace(TURN, code=one) for one in codes)
    assert Fleet(portfolio=fleet, situations=(), attempts=attempts, left=left, refused=(None,) * refused).code == code


# -- the process of a turn -----------------------------------------------------------------------------------------

SAYS = "import json, os, signal, sys, time\nsay = lambda **told: print(json.dumps(told), flush=True)\n"
ENDS = f"say(progress='1 of 2 x'); say(result={GOOD})"


def taken(text, **more):
    said = []
    command = (sys.executable, "-S", "-c", SAYS + text)
    return take(Wanted(entry="s", **more), said.append, command=command), said


def test_a_turn_is_heard_and_its_end_is_told_apart():
    found, said = taken(f"{ENDS}; time.sleep(.1)")
    assert (found.code, found.attempt().verdict, said) == (0, "pass", ["1 of 2 x"])
    vanished, _ = taken("os.kill(os.getpid(), 9)")
    assert (vanished.lost, vanished.crashed, "SIGKILL" in vanished.attempt().why) == (True, False, True)
    crashed, _ = taken("os.kill(os.getpid(), 11)")
    assert (crashed.lost, crashed.crashed) == (False, True)
    left, _ = taken("print('last words', file=sys.stderr); os._exit(0)")
    assert (left.code, left.crashed, "last words" in left.attempt().why) == (4, True, True)


def test_a_turn_whose_minutes_are_over_is_ended_and_says_so():
    cut, _ = taken("say(progress='0 of 1'); time.sleep(60)", minutes=0.2 / 60)
    assert (cut.code, cut.cut, cut.lost) == (4, True, False)
    assert "minutes were over" in cut.attempt().why
    last = "\nsignal.signal(2, lambda *_: (say(result={'state': 'finished', 'verdict': 'pass'}), os._exit(0)))"
    just, _ = taken(f"{last}\nsay(progress='0 of 1')\ntime.sleep(60)", minutes=0.2 / 60)
    assert (just.code, just.cut) == (0, False), "it came to its end in time after all"


def test_a_process_that_cannot_be_started_is_a_failed_turn():
    def none(*_):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    hands = Threads(1, turn=none)
    hands.begin(Wanted(entry="s"))
    (found,) = hands.ended(60.0)
    assert (found.code, "could not be carried out" in found.attempt().why) == (4, True)
    hands.close()


# -- a turn from inside --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    first = system(folder / "a")
    twin = first.with_name("twin.yaml")
    twin.write_text(first.read_text().replace("name: a", "name: twin"))
    return folder, first, twin


def asked(config, **more):
    wanted = Wanted(entry="a", config=str(config), suite="quick", only=("stress.missing",), **more)
    return turn(wanted, io.StringIO())


def test_a_turn_measures_once_and_what_is_not_stale_not_again(bank):
    folder, first, twin = bank
    shared = str(folder / "shared" / "temper.db")
    code, told = asked(first, store=shared)
    assert (code, told["verdict"], told["tasks"], told["reused"], told["system"]) == (0, "pass", 1, 0, "a")
    assert told["rating"]
    assert told["annual"] > 0
    code, told = asked(twin, store=shared)
    assert (code, told["system"], told["reused"]) == (0, "twin", 1), "the same model and rows answer each other"
    code, again = asked(first, store=shared, stale=True)
    assert (again["state"], again["run"], again["verdict"]) == ("current", "0001", "pass")
    code, old = asked(first, store=shared, stale=True, age=1e-6)
    assert (old["state"], old["parts"], old["reused"] > 0) == ("finished", ["stress.missing"], True)


def test_a_turn_takes_the_model_that_was_deployed_wherever_temper_yaml_keeps_that(tmp_path, monkeypatch):
    config = system(tmp_path / "a", more="guard: {control: ../people.db}\n")
    monkeypatch.setattr(api_turn, "running", lambda order: "deployed")
    monkeypatch.setattr("temper.api.load", lambda *_, **__: "its own")
    wanted = Wanted(config=str(config))
    assert api_turn._answering(wanted) == "its own"
    Control.open(str(tmp_path / "people.db")).close()
    assert api_turn._answering(wanted) == "deployed"
    monkeypatch.setenv("TEMPER_CONTROL", str(tmp_path / "nowhere.db"))
    assert api_turn._answering(wanted) == "its own"


def test_an_answer_that_two_systems_share_names_the_findings_of_each():
    about = weakness("performance", "accuracy")
    finding = Finding(id=about, title="t", plugin="performance", metric="accuracy", severity="low")
    task, part = Task(room="validation", plugin="performance"), Part(findings=(finding,))
    ids = {}
    for name in ("a", "twin"):
        own = SimpleNamespace(name=name, target=SimpleNamespace(digest="d"))
        _, (found,) = conclude(task, [part], SimpleNamespace(system=own))
        assert found.id == finding_id(about, own)
        ids[name] = found.id
    assert ids["a"] != ids["twin"]


def test_whatever_is_wrong_inside_a_turn_is_its_result(tmp_path):
    assert asked(tmp_path / "gone" / "temper.yaml")[0] == 2
    quits = system(tmp_path / "quits", begin="import sys; sys.exit(0)")
    assert asked(quits)[0] in (2, 4)
    nan = system(tmp_path / "nan", inside="return np.full((len(x), 2), np.nan)")
    code, told = asked(nan)
    assert (code, bool(told["why"])) == (2, True)
    assert "SQLite" in asked(system(tmp_path / "good"), store=str(tmp_path / "good" / "rows.csv"))[1]["why"]
    code, told = asked(tmp_path / "good" / "temper.yaml", store="postgresql://nobody@127.0.0.1:1/x?connect_timeout=2")
    assert (code, told["away"]) == (4, True), "a server that is not there is waited for"


# -- from the command line -----------------------------------------------------------------------------------------


def test_the_command_assesses_shows_and_says_what_is_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    system(tmp_path / "good")
    portfolio(tmp_path, "{path: good, tier: low, only: [stress.missing]}", "{path: nowhere}")
    found = CliRunner().invoke(app, ["fleet", "assess", "--workers", "1"])
    assert found.exit_code == 4, found.output
    assert "1 system: 1 PASS" in found.output
    assert "portfolio.yaml:3: there is no nowhere" in found.output
    assert "next: mend 1 of the entries" in found.output
    assert (tmp_path / "good" / ".temper" / "temper.db").exists()
    now = fleet_status(tmp_path / "portfolio.yaml")
    assert [one.verdict for one in now.situations] == [Verdict.PASS]
    assert now.to_frame().loc[0, "system"] == "good"
    assert "PASS" in now._repr_markdown_()
    shown = CliRunner().invoke(app, ["fleet", "status", "--json"])
    assert '"rating":' in shown.output


def test_the_terminal_shows_hostile_names_as_text_and_names_what_presses():
    bad = replace(stands("\x1b[31m<b>", verdict=None), trouble="broke", stale=situation(entry(), Known(), NOW).stale)
    fleet = Fleet(
        portfolio=Portfolio(source="p.yaml", name="p", entries=()), situations=(stands("a"), bad), left=("x",)
    )
    assert "\x1b" not in "".join(cells(bad))
    assert (
        sentences(fleet)[0] == "2 systems: 1 PASS, 1 never assessed; 1 with stale evidence, 0 adrift now, 1 in trouble."
    )
    assert steps(fleet)[0].startswith("temper assess --config")
    assert any("--resume" in step for step in steps(fleet))


def test_a_process_that_vanishes_while_it_works_is_taken_again(tmp_path):
    """A real process, killed from outside while it runs."""
    tries = []

    def killed(wanted, say, going):
        tries.append(wanted.tries)
        text = ENDS if wanted.tries > 1 else "say(progress=str(os.getpid())); time.sleep(60)"

        def heard(words):
            if words.isdigit():
                os.kill(int(words), 9)
            else:
                say(words)

        return take(wanted, heard, going, (sys.executable, "-S", "-c", SAYS + text))

    found, said = driven(tmp_path, FLEET[:1], Threads(1, turn=killed))
    assert ([one.code for one in found.attempts], tries) == ([0], [1, 2])
    assert any("vanished" in line for line in said)


class FewCores:
    """What a turn asks of Ray: tasks that answer, that are lost with their machine, or that are never begun."""

    class exceptions:
        RayError = RuntimeError

    def __init__(self, answers):
        self.answers, self.cancelled, self.asked = answers, [], []

    def remote(self, **options):
        return lambda function: self

    def options(self, num_cpus):
        self.asked.append(num_cpus)
        return SimpleNamespace(remote=lambda wanted: wanted.entry)

    def nodes(self):
        return [
            {"Alive": True, "Resources": {"CPU": 4.0}},
            {"Alive": True, "Resources": {}},
            {"Alive": False, "Resources": {"CPU": 64.0}},
        ]

    def wait(self, references, num_returns, timeout):
        return [one for one in references if one in self.answers][:1], []

    def get(self, reference):
        if isinstance(self.answers[reference], Exception):
            raise self.answers[reference]
        return self.answers[reference]

    def cancel(self, reference, force):
        self.cancelled.append(reference)


def test_a_cluster_counts_machines_that_are_there_and_gives_up_what_no_machine_can_take(monkeypatch):
    fake = FewCores({"good": "taken", "lost": RuntimeError()})
    monkeypatch.setattr("temper.engine.fleet.cluster.joined", lambda address, workers: (fake, False))
    hands = Cluster()
    assert (hands.slots, hands.widest) == (4, 4)
    for name in ("good", "lost", "wide"):
        hands.begin(Wanted(entry=name, cores=3, minutes=1.0))
    assert list(hands.ended(0.0)) == ["taken"]
    (lost,) = hands.ended(0.0)
    assert ("lost it 4 times" in lost.attempt().why, lost.crashed) == (True, False)
    assert list(hands.ended(0.0)) == []
    monkeypatch.setattr("temper.engine.fleet.cluster.time.monotonic", lambda: time.time() * 2)
    (wide,) = hands.ended(0.0)
    assert (wide.lost, fake.cancelled) == (True, ["wide"])
    hands.begin(Wanted(entry="late", cores=3))
    hands.close()
    assert fake.cancelled == ["wide", "late"]
