"""People who answer a campaign: what they see and when, what their playbooks change, and what they leave alone."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_gateway import PROFILE, models
from temper import api
from temper.api import campaigns
from temper.config.campaign import campaign_of
from temper.config.reading import read
from temper.config.serving import Serving, serving_of
from temper.core.alert import Alerting
from temper.core.answering import Team
from temper.core.campaign import Aim, Campaign, Rules
from temper.core.errors import ConfigError
from temper.core.incident import Severity
from temper.core.stage import Level
from temper.core.waged import Answered, Turn
from temper.engine.campaign.door import Once, Told
from temper.engine.campaign.figures import Fought
from temper.engine.campaign.inside import Inside
from temper.engine.campaign.manned import Manned
from temper.engine.campaign.people import People, Seen
from temper.engine.campaign.purple import Side, attributed, figures, gaps, usual
from temper.engine.campaign.wage import Course
from temper.report.campaign import answers, side
from temper.store.control import Control
from temper.targets.served import served as served_model
from temper.testing.technique import Desk, toy_ground
from unit.test_campaign import written

__all__ = ["models"]
DAY = 86_400.0
SOON = Team(takes=600.0, step=60.0)
KILL = """title: Nobody answers but people
when: In a test.
severity: major
undone: The switch is turned off.
reaches: contained
steps: [{name: look, do: note, text: look at it}, {name: let nobody ask the model, do: kill}]
worked: [{name: the store answers, do: store}]
"""


@pytest.fixture
def config(models: Path, tmp_path: Path) -> Path:
    """The system of the other tests, with the profile that its guard has there."""
    for name, there in (("model.json",) * 2, ("test.csv",) * 2, (PROFILE, "profile.npz")):
        (tmp_path / there).write_bytes((models / name).read_bytes())
    return written(tmp_path)


class Forgotten:
    """A journal that keeps nothing."""

    def get(self, key: bytes) -> None:
        return None

    def put(self, key: bytes, value: Told) -> None:
        return None


def side_of(path: Path, door: Any, campaign: Campaign | None = None, **more: Any) -> tuple[Side, Manned]:
    system = api.load(path)
    model = served_model(system.target, system.data.x, system.threshold)
    found = Side(
        system=system,
        model=model,
        campaign=campaign or Campaign(team=SOON),
        serving=serving_of(read(path), path.parent),
        watch=usual(),
        alerting=Alerting(receivers=()),
        seed=0,
        run="0001",
        wall=lambda: 1_000.0,
        **more,
    )
    return found, found.manned(door)


def near(path: Path, many: int = 60) -> np.ndarray[Any, Any]:
    """Rows that crowd just below the threshold."""
    system = api.load(path)
    scores = served_model(system.target, system.data.x, system.threshold).score(system.data.x)
    return np.asarray(system.data.x[np.argsort(np.abs(scores - 0.45))[:many]])


def inside(path: Path) -> Inside:
    system = api.load(path)
    serving = serving_of(read(path), path.parent)
    return Inside(system=system, serving=serving, once=Once(journal=Forgotten(), scope="test"))  # type: ignore[arg-type]


def sends(manned: Manned, rows: np.ndarray[Any, Any]) -> Turn:
    """One turn in which these rows are sent, one a second."""
    begun = manned.now
    for row in rows:
        manned.ask(row, "one", 1.0)
    return Turn(technique="direct", tactic="attack", aim="move", begun=begun, ended=manned.now, asked=len(rows))


# -- seen ---------------------------------------------------------------------------------------------------------


def test_a_crowd_below_the_threshold_is_seen_and_honest_rows_are_not(config: Path) -> None:
    _, loud = side_of(config, Desk())
    with closing(loud):
        turn = sends(loud, np.repeat(near(config), 5, axis=0))
        loud.finish()
        (seen,) = attributed([turn], loud)
    assert seen.seen.startswith("monitor: ")
    assert "bunching" in seen.seen
    assert "playbook evasion" in seen.seen
    assert seen.detected == DAY
    assert seen.contained == DAY + 600.0 + 6 * 60.0  # somebody takes it, and the playbook has six steps
    assert list(loud.told) == ["campaign: drift in score"]  # as an alert is told
    found, quiet = side_of(config, Desk())
    with closing(quiet):
        turn = sends(quiet, api.load(config).data.x[:30])
        quiet.finish()
        assert attributed([turn], quiet)[0].detected is None
        told = gaps([turn], found.defended(quiet, toy_ground(Aim.MOVE, Desk()), None, lambda: inside(config)))
    assert any("direct (attack)" in gap for gap in told)


def test_a_trail_that_the_guard_watches_is_seen_at_once_and_each_client_is_seen_to_once(config: Path) -> None:
    @dataclass(slots=True, kw_only=True, eq=False)
    class Watchful(Desk):
        """Notices every request."""

        def ask(self, row: Any, account: str, pace: float) -> Told:
            return replace(Desk.ask(self, row, account, pace), why=("extraction (shadow)",))

    _, manned = side_of(config, Watchful())
    with closing(manned):
        turn = sends(manned, np.zeros((3, 3)))
        manned.finish()
        (seen,) = attributed([turn], manned)
        assert [one.playbook for one in manned.people.answered] == ["extraction"] * 3
    assert (seen.detected, seen.contained) == (1.0, 1.0 + 600.0 + 3 * 60.0)
    assert seen.seen == "guard: extraction (shadow); playbook extraction"


# -- answered ----------------------------------------------------------------------------------------------------


def test_a_playbook_changes_the_guard_while_the_campaign_goes_on(config: Path) -> None:
    door = inside(config)
    _, manned = side_of(config, door)
    calm = api.load(config).data.x[:1]
    with closing(manned):
        sends(manned, np.repeat(near(config), 5, axis=0))
        assert manned.ask(calm[0], "one", 1.0).level == Level.ALLOW
        manned.wait(DAY + 3_600.0)
        apart, other = manned.ask(calm[0], "one", 1.0), manned.ask(calm[0], "two", 1.0)
        assert (apart.level, apart.why, other.level) == (Level.REVIEW, ("quarantine",), Level.ALLOW)
        assert (door.system.threshold or 1.0) < 0.5
        changed = [one.step for one in manned.people.answered if one.changed]
        assert changed == ["keep the client apart", "let everybody ask less", "flag more"]
        assert manned.people.control.incidents.get(1).timeline[-1].detail.get("phase") == "contained"


def test_a_playbook_of_ones_own_can_turn_the_model_off(config: Path) -> None:
    book = config.parent / "kill.yaml"
    book.write_text(KILL, encoding="utf-8")
    team = replace(SOON, playbooks={"evasion": str(book)})
    found, manned = side_of(config, inside(config), Campaign(team=team))
    with closing(manned):
        sends(manned, np.repeat(near(config), 5, axis=0))
        manned.finish()
        told = manned.ask(api.load(config).data.x[0], "two", 1.0)
        defended = found.defended(manned, toy_ground(Aim.MOVE, Desk()), None, lambda: inside(config))
    assert (told.source, told.flagged) == ("human", True)
    assert defended.honest[2] == defended.honest[0] > defended.honest[1]  # what containing costs is told


def test_what_a_playbook_needs_and_nobody_knows_is_told(config: Path) -> None:
    book = config.parent / "more.yaml"
    book.write_text(KILL.replace("steps:", "settings: {place: {about: a place}}\nsteps:"), encoding="utf-8")
    team = replace(SOON, playbooks={"evasion": str(book)})
    _, manned = side_of(config, Desk(), Campaign(team=team))
    with closing(manned):
        sends(manned, np.repeat(near(config), 5, axis=0))
        manned.finish()
        (said,) = manned.people.answered
        assert "not run: playbook more needs a place" in said.text
        assert manned.people.through == {}


@pytest.mark.parametrize("contain", [False, True])
def test_a_gateway_is_changed_only_where_the_rules_say_so_and_put_back(config: Path, contain: bool) -> None:
    control = config.parent / "control.db"
    written(config.parent, guard="{anomaly: off, profile: profile.npz, control: control.db}")
    Control.open(str(control)).close()
    campaign = Campaign(team=SOON, rules=Rules(contain=contain))
    found, manned = side_of(config, Live(), campaign)
    with closing(manned):
        sends(manned, np.repeat(near(config), 5, axis=0))
        manned.finish()
        with closing(Control.open(str(control))) as store:
            record = store.records.current("policy")
            assert (record is not None and "quarantine" in record.value) is contain
        defended = found.defended(manned, toy_ground(Aim.MOVE, Desk()), None, lambda: inside(config))
        assert (bool(defended.beside), defended.contained is None) == (not contain, not contain)
    with closing(Control.open(str(control))) as store:
        record = store.records.current("policy")
        assert record is None or record.value is None


def people(folder: Path, control: Control) -> People:
    """Somebody who acts at once, on this store."""
    serving = replace(Serving(), control=str(folder / "control.db"), audit=str(folder / "audit"))
    return People(
        control=control,
        serving=serving,
        team=Team(takes=0.0, step=1.0),
        takes=0.0,
        threshold=0.5,
        run="0001-0",
        follow=lambda control: None,
        stricter=lambda turn: 0.5 / 2**turn,
    )


def alarms(team: People, source: str, client: str) -> list[Answered]:
    """What they do about an incident."""
    incident = team.control.incidents.signal(source, "t", Severity.MAJOR, "text", "test", 0.0, "evasion")
    team.take(Seen(start=0.0, end=0.0, at=0.0, name="n", source=source, playbook="evasion", client=client), incident)
    while np.isfinite(team.due):
        team.act()
    return team.answered


def test_all_that_several_runs_have_set_is_taken_back(tmp_path: Path) -> None:
    with closing(Control.open(str(tmp_path / "control.db"))) as control:
        team = people(tmp_path, control)
        for at in range(3):
            alarms(team, f"source-{at}", f"client-{at}")
        assert len(control.records.current("policy").value["quarantine"]["clients"]) == 3  # type: ignore[union-attr]
        team.take_back(9.0)
        assert control.records.current("policy").value is None  # type: ignore[union-attr]


def test_who_goes_on_after_a_kill_has_contained_what_was_contained(tmp_path: Path) -> None:
    with closing(Control.open(str(tmp_path / "control.db"))) as control:
        first = people(tmp_path, control)
        told = alarms(first, "source", "one")
        again = people(tmp_path, control)  # the process before was killed, and what it set holds
        assert alarms(again, "source", "one") == told
        assert again.through == first.through != {}
        again.take_back(9.0)
        assert control.records.current("policy").value is None  # type: ignore[union-attr]


def test_an_alarm_of_nobody_leaves_the_next_one_to_be_answered(tmp_path: Path) -> None:
    with closing(Control.open(str(tmp_path / "control.db"))) as control:
        team = people(tmp_path, control)
        apart = next(one for one in alarms(team, "source", "") if one.step == "keep the client apart")
        assert apart.text == "not done: no client is named"
        apart = [one for one in alarms(team, "source", "one") if one.step == "keep the client apart"][-1]
        assert apart.changed


def test_a_turn_is_seen_by_windows_of_its_rows_and_contained_no_sooner_than_seen(config: Path) -> None:
    _, manned = side_of(config, Desk())
    window = Seen(start=0.0, end=3_600.0, at=7_200.0, name="monitor: score", source="drift", playbook="evasion")
    manned.windowed.append(window)
    manned._incidents["drift"] = 1
    manned.people.through[1] = 600.0
    turn = Turn(technique="direct", tactic="attack", aim="move", begun=0.0, ended=3_000.0, asked=9)
    late = replace(turn, begun=3_700.0, ended=7_000.0)  # while rows of the window may still have come
    after = replace(turn, begun=700.0)
    with closing(manned):
        told = attributed([turn, late, after], manned)
    assert [(one.detected, one.contained) for one in told] == [(7_200.0, 7_200.0), (None, None), (7_200.0, 700.0)]
    course = Fought(seed=0, ground=toy_ground(Aim.MOVE, Desk()), course=Course(turns=list(told)), dealt=None, came=())  # type: ignore[arg-type]
    (took,) = [one for one in figures([course]) if one.metric == "time_to_contain"]
    assert (took.value, took.n) == (7_200.0, 1)  # who begins in a system that is contained waits for nobody


@dataclass(slots=True, kw_only=True, eq=False)
class Live(Desk):
    """A gateway, as far as people can tell."""

    simulated: bool = field(default=False)


# -- told --------------------------------------------------------------------------------------------------------


def test_a_campaign_is_told_beside_the_one_that_nobody_answers(config: Path) -> None:
    written(config.parent, guard="{anomaly: off, profile: profile.npz, extraction: {steps: {note: 0.5}}}")
    text = config.read_text(encoding="utf-8").replace("goal: 3", "goal: 8")
    config.write_text(text + "  team: {takes: 5s, step: 1s}\n", encoding="utf-8")
    record = campaigns.redteam(api.load(config), "quick", purple=True).record
    waged = record.campaign
    assert waged is not None
    assert waged.defended is not None
    assert waged.objectives[0].unanswered is not None
    assert waged.defended.honest[0] > 0
    shown = side(waged)
    assert shown is not None
    assert len(shown["answers"]) == len(answers(waged.defended))
    again = campaigns.redteam(api.load(config), "quick", purple=True).record
    assert again.campaign == waged
    names = {one.metric for one in record.measurements}
    assert {"detected", "false_alarms"} <= names


def test_attempts_are_counted_before_and_since(config: Path) -> None:
    ground, alone = (toy_ground(Aim.MOVE, Desk()) for _ in range(2))
    ground.attempts, alone.attempts = [("direct", 5.0), ("direct", 2_000.0)], [("direct", 3_000.0)]
    found, manned = side_of(config, Desk())
    manned.people.through[1] = 1_000.0
    with closing(manned):
        (one,) = found.defended(manned, ground, alone, lambda: inside(config)).attempts
    assert (one.before, one.since, one.alone) == ((1, 0), (1, 0), (0, 0, 1, 0))
    assert [m.metric for m in figures([])] == ["detected"]


def test_a_team_is_read_and_refused(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    config.write_text(text + "  team: {takes: 10m, playbooks: {drift: mine.yaml}}\n", encoding="utf-8")
    team = campaign_of(read(config), api.load(config))[0].team
    assert (team.takes, team.step) == (600.0, 300.0)
    assert team.playbooks == {"drift": str(config.parent / "mine.yaml")}
    config.write_text(text + "  team: {take: 10m}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="take"):
        campaign_of(read(config), api.load(config))
    with pytest.raises(ConfigError, match="before they know"):
        Team(step=-1.0)
