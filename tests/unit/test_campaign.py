"""A campaign keeps its rules, charges everything, asks nothing twice, and never calls what was not reached safe."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import temper
from small_gateway import models
from temper import api
from temper.api import campaigns
from temper.config.campaign import campaign_of
from temper.config.metrics import checked
from temper.config.reading import read
from temper.core.campaign import Aim, Attacker, Field, Objective, Rules, Tactic
from temper.core.errors import ConfigError, TemperError
from temper.core.measure import Status
from temper.core.requirement import Policy, Requirement, Verdict
from temper.core.seed import Draws
from temper.engine.campaign.door import Ended, Once, Told
from temper.engine.campaign.figures import USUAL, asked_of
from temper.engine.campaign.inside import Inside, Remembered
from temper.engine.campaign.outside import Outside, Place
from temper.engine.campaign.planner import Planner
from temper.engine.campaign.staged import TECHNIQUES
from temper.engine.campaign.wage import Course, wage
from temper.report.json import render, schema
from temper.store.journal import Frames
from temper.testing.technique import EDGE, SCHEMA, Desk, toy_ground

__all__ = ["models"]

YAML = """system: {{name: small, simulated: true}}
model: {{path: model.json, kind: probabilities, threshold: 0.5}}
data: {{test: test.csv, train: test.csv, target: y, positive: "1"}}
schema:
  columns:
    a: {{type: number, low: -9, high: 9, attacker: costly}}
    b: {{type: number, low: -9, high: 9, attacker: costly}}
    c: {{type: number, low: -9, high: 9}}
guard: {guard}
campaign:
  objectives: [{{aim: move, goal: 3}}]
  attacker: {{queries: {queries}, wanted: 8, held: 40, change: 3, accounts: [one, two]}}
  techniques: [honest_rows, direct]
  slice: 40
"""


@pytest.fixture
def config(models: Path, tmp_path: Path) -> Path:
    for name in ("model.json", "test.csv"):
        (tmp_path / name).write_bytes((models / name).read_bytes())
    return written(tmp_path)


def written(folder: Path, guard: str = "{anomaly: off, profile: profile.npz}", queries: int = 200) -> Path:
    path = folder / "temper.yaml"
    path.write_text(YAML.format(guard=guard, queries=queries), encoding="utf-8")
    return path


# -- rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "attacker", "objective", "said"),
    [
        (Rules(hours=(8, 8)), Attacker(), Objective(), "no time of the day"),
        (Rules(accounts=("shop",)), Attacker(), Objective(), "which rules.accounts leaves out"),
        (Rules(queries=10), Attacker(queries=20), Objective(), "attacker.queries is 20 and rules.queries lets 10"),
        (Rules(columns=("age",)), Attacker(), Objective(), "the schema lets no attacker move"),
        (Rules(), Attacker(), Objective(amount="loot"), "which is no column"),
        (Rules(loss=5), Attacker(), Objective(goal=9, amount="amount"), "rules.loss stops it at 5"),
        (Rules(successes=2), Attacker(), Objective(goal=9), "rules.successes stops it after 2"),
        (Rules(), Attacker(wanted=5), Objective(goal=9), "attacker.wanted is 5 rows and the objective is 9"),
        (Rules(), Attacker(patience=1), Objective(within=2), "cannot both hold"),
        (Rules(columns=("amount",), hours=(22, 4)), Attacker(), Objective(), ""),
    ],
)
def test_rules_that_contradict_name_both_sides(
    rules: Rules, attacker: Attacker, objective: Objective, said: str
) -> None:
    found = rules.refuses(attacker, (objective,), SCHEMA)
    assert said in found
    assert bool(found) == bool(said)


def test_a_document_is_refused_with_its_line(config: Path) -> None:
    text = config.read_text(encoding="utf-8").replace("  slice: 40", "  slice: 40\n  rules: {stop: {successes: 1}}")
    config.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"temper.yaml:\d+: rules.successes stops it after 1 and the objective is 3"):
        campaign_of(read(config), api.load(config))


def test_without_a_section_what_is_assumed_is_said(config: Path) -> None:
    head = config.read_text(encoding="utf-8").partition("campaign:")[0]
    config.write_text(head, encoding="utf-8")
    campaign, reached = campaign_of(read(config), api.load(config))
    assert not reached.url
    assert len(campaign.assumed) == 2
    assert "move 5 rows" in campaign.assumed[0]
    assert "queries 2,000" in campaign.assumed[1]


def test_what_is_out_of_scope_is_refused_before_anything_is_sent() -> None:
    desk = Desk()
    ground = toy_ground(Aim.MOVE, desk, Rules(columns=("amount",)))
    ground.begin(ground.campaign.objectives[0], "test", 10)
    moved = ground.wanted.x[:1].copy()
    moved[0, 1] = (moved[0, 1] + 1) % 24
    with pytest.raises(ConfigError, match="'hour' is out of scope"):
        ground.submit(moved, [0])
    with pytest.raises(ConfigError, match="account 'three' is out of scope"):
        ground.ask(moved, "three")
    assert desk.asked == 0
    assert ground.queries == 0


def test_the_kill_switch_ends_it_and_its_absence_lets_it_go_on(tmp_path: Path) -> None:
    desk, kill = Desk(), tmp_path / "STOP"
    ground = toy_ground(Aim.MOVE, desk, Rules(kill=str(kill)))
    ground.begin(ground.campaign.objectives[0], "test", 10)
    kill.touch()
    with pytest.raises(Ended, match="kill switch") as ended:
        ground.ask(ground.known.x[:3])
    assert ended.value.fix
    assert desk.asked == 0
    kill.unlink()
    ground.ask(ground.known.x[:3])
    assert desk.asked == 3


@pytest.mark.parametrize(
    ("rules", "said"),
    [(Rules(successes=1), "rules.stop.successes"), (Rules(loss=0.5), "rules.stop.loss"), (Rules(queries=3), "rules.q")],
)
def test_hard_stops_hold(rules: Rules, said: str) -> None:
    ground = toy_ground(Aim.MOVE, desk := Desk(), rules)
    ground.begin(ground.campaign.objectives[0], "test", 400)
    easy = eased(ground.wanted.x)
    with pytest.raises(Ended, match=said):
        ground.submit(easy, np.arange(len(easy)))
    assert 0 < desk.asked < len(easy)


def eased(x: Any) -> Any:
    """Rows as the toy lets most of them pass."""
    return np.column_stack([np.maximum(0.0, x[:, 0] - 50.0), np.zeros(len(x)), x[:, 2]])


def test_hours_are_waited_for_by_a_simulated_clock() -> None:
    desk = Desk()
    ground = toy_ground(Aim.MOVE, desk, Rules(hours=(8, 20)))
    ground.begin(ground.campaign.objectives[0], "test", 10)
    ground.ask(ground.known.x[:1])
    assert desk.now == 8 * 3_600.0 + 1.0


# -- charged and judged ---------------------------------------------------------------------------------------------


def test_everything_is_charged_and_only_what_is_admitted_counts() -> None:
    ground = toy_ground(Aim.MOVE, desk := Desk(), attacker=Attacker(queries=500, change=5.0, money=9.0))
    ground.begin(ground.campaign.objectives[0], "test", 100)
    clean = ground.wanted.x[[0, 1, 2, 3]]
    older, dear, fine = clean[[0]].copy(), clean[[1]].copy(), clean[[2]].copy()
    older[0, 2], older[0, 0] = 0.0, 0.0  # age is immutable
    dear[0, 0] = dear[0, 0] - 60.0  # costs 6 scales, 5 may be given
    fine[0, 0], fine[0, 1] = fine[0, 0] - 30.0, 0.0
    ground.submit(np.concatenate([older, dear, fine]), [0, 1, 2])
    assert desk.asked == ground.queries == 3
    assert ground.tally["submitted"] == 3
    passed = {one.row for one in ground.got}
    assert passed <= {2}
    assert set(ground.open.tolist()) == set(range(10)) - passed
    assert ground.paid == pytest.approx(float(SCHEMA.cost(np.concatenate([older, dear, fine]), clean[:3]).sum()))


def test_a_row_counts_once() -> None:
    ground = toy_ground(Aim.MOVE, Desk())
    ground.begin(ground.campaign.objectives[0], "test", 100)
    x = eased(ground.wanted.x)
    for _ in range(2):
        ground.submit(x, np.arange(len(x)))
    rows = [one.row for one in ground.got]
    assert rows
    assert len(rows) == len(set(rows))
    assert ground.queries == 2 * len(x)


@dataclass
class Quota(Desk):
    """Lets each account ask three times, then turns it away for a minute."""

    counts: dict[str, int] = field(default_factory=dict)

    def ask(self, row: Any, account: str, pace: float) -> Told:
        self.counts[account] = self.counts.get(account, 0) + 1
        if self.counts[account] % 4 == 0:
            self.asked, self.now = self.asked + 1, self.now + pace
            return Told(at=self.now, status=429, after=60.0)
        return super().ask(row, account, pace)


def test_whoever_is_turned_away_rests_and_the_other_account_asks() -> None:
    ground = toy_ground(Aim.MOVE, desk := Quota())
    ground.begin(ground.campaign.objectives[0], "test", 100)
    reply = ground.ask(ground.known.x[:20])
    assert reply.status == 429
    assert reply.after == 60.0
    assert reply.answered.sum() == 6
    assert desk.counts == {"one": 4, "two": 4}
    assert ground.accounts == ()
    assert ground.rested() > 0
    assert ground.pace == 4.0
    assert ground.queries == desk.asked == 8


# -- planner --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Barren:
    """Asks, and brings nothing."""

    tactic: ClassVar[Tactic] = Tactic.ATTACK
    aims: ClassVar[tuple[Aim, ...]] = (Aim.MOVE,)
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ()

    def play(self, field: Field, rng: Draws) -> None:
        field.ask(field.known.x[: field.left])


class Needy(Barren):
    """Needs what nobody gives."""

    needs: ClassVar[tuple[str, ...]] = ("copy",)


class Lazy(Barren):
    """Has nothing to do."""

    def play(self, field: Field, rng: Draws) -> None:
        return None


def test_the_planner_turns_to_what_pays_and_plays_nothing_it_cannot() -> None:
    planner = Planner(techniques={"good": Barren(), "bad": Barren(), "needy": Needy()}, rng=Draws(0, "test"))
    chosen = []
    for turn in range(60):
        arm = planner.chosen((Objective(),), [0], {}, turn)
        chosen.append(arm[1])
        planner.learn(arm, 2.0 if arm[1] == "good" else 0.0, 1.0, gave=())
    assert "needy" not in chosen
    assert "bad" in chosen
    assert chosen[20:].count("good") > 35


def test_whoever_has_nothing_to_do_ends_it_rather_than_going_round_for_ever() -> None:
    course = Course()
    wage(toy_ground(Aim.MOVE, Desk()), {"lazy": Lazy()}, Draws(0, "test"), course)
    assert course.ended == "no technique has anything left to do"
    assert len(course.turns) == 1
    assert not course.stopped


# -- a gateway ------------------------------------------------------------------------------------------------------


@dataclass
class Served:
    """A stub of a gateway: what it was asked, and after how many requests it is gone (503, then nothing)."""

    asked: list[bytes] = field(default_factory=list)
    most: int = 10**9
    url: str = ""


@contextmanager
def served(stub: Served) -> Iterator[Served]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if len(stub.asked) >= stub.most:
                self.send_response(500)
                self.end_headers()
                return
            stub.asked.append(body)
            score = 0.9 if json.loads(body)["rows"][0]["amount"] > 40 else 0.1
            label = "1" if score >= EDGE else "0"
            told = {"results": [{"decision": "allow", "label": label, "score": score}], "source": "primary"}
            content = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *said: Any) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}/v1/score"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def outside(stub: Served, journal: Frames[Told], rules: Rules = Rules(hosts=("127.0.0.1",))) -> Outside:
    system: Any = Named()
    return Outside(
        system=system, place=Place(url=stub.url), rules=rules, once=Once(journal=journal, scope="test"), sleep=nothing
    )


def nothing(seconds: float) -> None:
    """No test sleeps."""


@dataclass(frozen=True)
class Named:
    """As much of a system as a gateway is asked with."""

    schema: Any = SCHEMA
    classes: tuple[str, ...] = ("0", "1")


def test_a_host_out_of_scope_is_refused_before_a_byte_is_sent(tmp_path: Path) -> None:
    with served(Served()) as stub, Frames(tmp_path / "answers", Told) as journal:
        for hosts in ((), ("bank.example",)):
            with pytest.raises(ConfigError, match=r"'127.0.0.1' is out of scope"):
                outside(stub, journal, Rules(hosts=hosts))
        assert not stub.asked


def test_a_gateway_that_dies_stops_it_and_whoever_goes_on_asks_nothing_twice(tmp_path: Path) -> None:
    whole, rest = Served(most=25), Served()
    with served(whole) as stub, Frames(tmp_path / "answers", Told) as journal:
        course = _waged(outside(stub, journal))
        assert course.stopped
        assert "did not answer" in course.ended
        assert len(stub.asked) == 25
    with served(rest) as stub, Frames(tmp_path / "answers", Told) as journal:
        door = outside(stub, journal)
        course = _waged(door)
        assert not course.stopped
        assert door.reused == 25
        assert door.asked == len(stub.asked)
        assert course.turns[-1].ended >= 25  # its clock went on
    with served(Served()) as stub, Frames(tmp_path / "other", Told) as journal:
        _waged(outside(stub, journal))
        assert sorted(whole.asked + rest.asked) == sorted(stub.asked)  # as if nothing had happened


def _waged(door: Any) -> Course:
    ground = toy_ground(Aim.MOVE, door, attacker=Attacker(queries=60, change=5.0, pace=1.0))
    ground.campaign = replace(ground.campaign, objectives=(Objective(goal=1_000),), slice=20)
    course, techniques = Course(), {name: TECHNIQUES.build(name) for name in ("honest_rows", "direct")}
    wage(ground, techniques, Draws(0, "campaign"), course)
    return course


def test_outside_of_its_hours_nothing_is_sent(tmp_path: Path) -> None:
    import time

    hour = time.gmtime().tm_hour
    rules = Rules(hosts=("127.0.0.1",), hours=((hour + 2) % 24, (hour + 3) % 24))
    with served(Served()) as stub, Frames(tmp_path / "answers", Told) as journal:
        with pytest.raises(Ended, match=r"rules.hours"):
            outside(stub, journal, rules).ask(np.zeros(3), "one", 0.0)
        assert not stub.asked


# -- whole runs -----------------------------------------------------------------------------------------------------


def test_a_campaign_is_a_run_whose_rows_can_be_shown_again(config: Path) -> None:
    system = api.load(config)
    run = temper.redteam(system, "quick", purple=True)
    record, waged = run.record, run.record.campaign
    assert waged is not None
    assert record.state == "finished"
    assert record.verdict is Verdict.FAIL
    assert waged.objectives[0].reached
    assert waged.objectives[0].bare is not None
    assert sum(turn.asked for turn in waged.turns) == waged.queries <= 200
    finding = record.findings[0]
    assert finding.examples
    assert finding.examples[0].score_before >= 0.5 > finding.examples[0].score_after
    assert api.replay(system, finding.id).still_there
    _valid(json.loads(render(record)))


def test_the_same_seed_is_the_same_campaign() -> None:
    one, same, other = (_played(seed) for seed in (0, 0, 1))
    assert one == same
    assert one != other


def _played(seed: int) -> list[bytes]:
    desk = Desk()
    ground = toy_ground(Aim.MOVE, desk, attacker=Attacker(queries=80, change=5.0))
    techniques = {name: TECHNIQUES.build(name) for name in ("honest_rows", "direct")}
    wage(ground, techniques, Draws(seed, "campaign"), Course())
    return desk.rows


def _valid(document: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(document, schema())


def test_attackers_too_weak_to_tell_are_inconclusive_and_never_safe(config: Path) -> None:
    record = campaigns.redteam(api.load(written(config.parent, queries=2)), "quick").record
    share = next(m for m in record.measurements if m.metric == "share")
    assert share.status is Status.INCONCLUSIVE
    assert "too weak to tell" in share.reason
    assert record.verdict is Verdict.INCONCLUSIVE


def test_a_kill_in_the_middle_costs_no_question(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system, asked = api.load(config), []
    plain = Frames.put

    def counted(self: Any, key: bytes, answer: Any) -> None:
        if len(asked) == 30:
            asked.append(b"killed")
            raise KeyboardInterrupt
        asked.append(key)
        plain(self, key, answer)

    monkeypatch.setattr(Frames, "put", counted)
    with pytest.raises(TemperError, match="stopped by hand"):
        campaigns.redteam(system, "quick")
    run = campaigns.redteam(system, "quick", resume=True).record
    assert run.id == "0001"
    assert run.state == "finished"
    assert len(asked) == len(set(asked))  # no row was scored twice, before the kill or after


def test_the_model_is_asked_once_about_all_that_nobody_knows(tmp_path: Path) -> None:
    """Calls are counted: in a batch, over batches, and by the process that comes after."""
    calls: list[int] = []
    model = Counted(calls)
    x = np.arange(6.0)[:, None]

    def remembered(journal: Frames[Told], again: bool = False) -> Remembered:
        return Remembered(served=model, once=Once(journal=journal, scope="test"), again=again)  # type: ignore[arg-type]

    with Frames(tmp_path / "answers", Told) as journal:
        one = remembered(journal)
        assert one.score(x[[0, 1, 1, 2]]).tolist() == [0.0, 0.1, 0.1, 0.2]
        assert one.score(x[[2, 3, 0, 4]]).tolist() == [0.2, 0.3, 0.0, 0.4]
        assert one.score(x[:5]).tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]
        assert (calls, one.asked, one.reused) == ([3, 2], 5, 8)
    with Frames(tmp_path / "answers", Told) as journal:
        after = remembered(journal)
        assert after.score(x).tolist() == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
        assert (calls, after.asked, after.reused) == ([3, 2, 1], 1, 5)
    with Frames(tmp_path / "others", Told) as journal:  # one that answers by chance is asked as often as it is asked
        remembered(journal, again=True).score(x[[0, 0]])
        by_chance = remembered(journal, again=True)
        by_chance.expect(x)
        by_chance.score(x[[0, 0, 0]])
        assert calls == [3, 2, 1, 2, 1]


def test_what_is_expected_is_asked_at_once_and_not_again(tmp_path: Path) -> None:
    calls: list[int] = []
    x = np.arange(6.0)[:, None]
    with Frames(tmp_path / "answers", Told) as journal:
        one = Remembered(served=Counted(calls), once=Once(journal=journal, scope="test"))  # type: ignore[arg-type]
        one.expect(x[:4])
        assert [one.score(row[None]).tolist() for row in x[:5]] == [[0.0], [0.1], [0.2], [0.3], [0.4]]
        assert (calls, one.asked, one.reused) == ([4, 1], 5, 0)
        one.expect(x[:5])
        assert one.score(x[:1]).tolist() == [0.0]
        assert (calls, one.asked, one.reused) == ([4, 1], 5, 1)
        one.expect(np.array([[5.0], [np.nan]]))  # one row is too much for it: the other has its score in its turn
        assert one.score(x[5:]).tolist() == [0.5]
        assert (calls, one.asked) == ([4, 1, 2, 1], 6)


def test_a_step_of_a_campaign_is_one_call_of_the_model(config: Path, tmp_path: Path) -> None:
    system, calls = api.load(config), []
    with Frames(tmp_path / "answers", Told) as journal:
        door = Inside(system=system, once=Once(journal=journal, scope="test"))
        door._model.served = replace(door._model.served, score=Counted(calls, plain=door._model.served.score).score)
        known, wanted = (system.data.take(np.arange(at, at + 8)) for at in (0, 8))
        field = replace(toy_ground(Aim.MOVE, door), known=known, wanted=wanted, full=system.schema)
        field.begin(field.campaign.objectives[0], "test", 12)
        reply = field.ask(np.asarray(known.x, dtype=float))
        field.submit(np.asarray(wanted.x, dtype=float), np.arange(8))
    assert np.allclose(reply.scores, door._model.served.score(np.asarray(known.x, dtype=float)))
    assert calls == [8, 4, 8]
    assert (door.asked, field.queries) == (12, 12)


@dataclass
class Counted:
    """A served model that notes how many rows it is asked about at a time."""

    calls: list[int]
    digest: str = "d"
    plain: Any = lambda rows: rows[:, 0] / 10.0

    def score(self, rows: Any) -> Any:
        self.calls.append(len(rows))
        if np.isnan(rows).any():
            raise ValueError("a value is missing")
        return self.plain(rows)


def test_what_is_no_table_of_two_classes_is_refused(config: Path) -> None:
    system = replace(api.load(config), threshold=None)
    with pytest.raises(TemperError, match="from which score on"):
        campaigns.redteam(system, "quick")


def test_a_policy_judges_campaigns_by_what_it_names_and_else_by_the_usual() -> None:
    named = Requirement(id="few", metric="campaign.passed", at_most=0.05, slice="*")
    other = Requirement(id="auc", metric="performance.auc", at_least=0.9)
    assert asked_of(Policy(name="own", requirements=(named, other))).requirements == (named,)
    assert asked_of(Policy(name="own", requirements=(other,))).requirements == (USUAL,)
    for metric in ("reached", "share", "passed", "advantage", "detected", "time_to_detect", "passed_uncontained"):
        checked(Requirement(id=metric, metric=f"campaign.{metric}", at_most=0.5))  # a misspelt one is refused
