"""What contains an incident: tightened and never loosened, evidence that shows it was touched, runs that go on."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from small_gateway import asked, decisions, models  # noqa: F401
from temper.cli import app
from temper.core.alert import Alerting, Receiver
from temper.core.course import course
from temper.core.errors import ConfigError, StoreError, TemperError
from temper.core.incident import Phase
from temper.core.watch import Seen, Watched
from temper.gateway.tables.build import opened
from temper.monitoring.telling import teller_of
from temper.response.context import Context
from temper.response.playbook import playbook
from temper.response.responses.decide import Decide
from temper.response.responses.notify import Notify
from temper.response.responses.passed import Passed
from temper.response.responses.quality import Quality
from temper.response.responses.quarantine import Quarantine
from temper.response.responses.quota import Quota
from temper.response.responses.rotate import Rotate
from temper.response.responses.snapshot import Snapshot
from temper.response.responses.threshold import Threshold
from temper.response.run import Run, resumed, undo
from temper.targets.signature import verify
from unit.test_response import NOW, TWO, Desk, answered, desk, dumped, figures, policy, switches  # noqa: F401

TODAY = date(2026, 1, 1)


def real(desk: Desk, **options: Any) -> Context:  # noqa: F811
    context = desk.context(**options)
    context.dry = False
    return context


# -- tightened, never loosened ----------------------------------------------------------------------------------------


def test_a_gateway_keeps_a_client_apart_and_lets_it_in_again(desk: Desk) -> None:  # noqa: F811
    gateway = opened(desk.folder / "temper.yaml")
    context = real(desk)

    def stages() -> list[str]:
        """The stages that spoke of the next request."""
        assert gateway.reloading is not None
        asyncio.run(gateway.reloading.once())
        asyncio.run(asked(gateway, (0.1, 0.2, 0.3)))
        return [one["stage"] for one in decisions(gateway)[-1].get("rulings", ())]

    assert "quarantine" not in stages()
    client = decisions(gateway)[-1]["client"]
    undo = Quarantine(client=client, answer="block").act(context).undo
    assert "quarantine" in stages()
    assert decisions(gateway)[-1]["level"] == "BLOCK"
    assert undo is not None
    undo.act(context)
    assert "quarantine" not in stages()
    gateway.close()
    context.close()


def test_what_is_tighter_already_stays(desk: Desk) -> None:  # noqa: F811
    context = real(desk, threshold=0.5)
    assert Threshold(to=0.6).act(context).does == "", "that would be looser"
    assert policy(context.control) is None
    Threshold(to=0.4).act(context)
    assert Threshold(to=0.45).act(context).does == ""
    Quota(per_second=5.0, burst=3).act(context)
    assert Quota(per_second=9.0, burst=9).act(context).does == ""
    assert "2 a second and 3 at once" in Quota(per_second=2.0, burst=9).act(context).does
    Decide(low=0.3, high=0.6).act(context)
    assert Decide(low=0.4, high=0.5).act(context).does == ""
    assert "from 0.3 to 0.9" in Decide(low=0.5, high=0.9).act(context).does
    Quarantine(client="shop").act(context)
    Quarantine(client="till", answer="block").act(context)
    found = policy(context.control)
    assert (found["threshold"], found["quota"]["per_second"], found["decide"]["review"]) == (0.4, 2.0, [0.3, 0.9])
    assert found["quarantine"] == {"mode": "enforce", "clients": ["shop", "till"], "answer": "block"}
    context.close()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Quarantine(client="a", answer="revise"), "cannot get 'revise'"),
        (lambda: Decide(low=0.6, high=0.4), "no scores from 0.6 to 0.4"),
        (lambda: Quality(at_least=1.2), "a share up to 1"),
        (lambda: Snapshot(minutes=0.0), "above 0"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(wrong: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        wrong()


def test_what_is_not_named_is_asked_for(desk: Desk) -> None:  # noqa: F811
    context = real(desk)
    for one, says in ((Quarantine(), "no client"), (Threshold(), "no threshold"), (Quota(), "no limit")):
        with pytest.raises(ConfigError, match=says):
            one.act(context)
    context.close()


# -- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_is_replaced_once_and_shown_to_a_person_alone(desk: Desk) -> None:  # noqa: F811
    shown: list[str] = []
    context = desk.context(hand=shown.append)
    kid = context.control.keys.add("shop", "sam", NOW).partition(".")[0]
    assert Rotate(key=kid).act(context).does
    assert (shown, len(context.control.keys.all())) == ([], 1), "a dry run makes no key"
    context.dry = False
    Rotate(key=kid, hours=0.0).act(context)
    token = shown[0].rpartition(" ")[2]
    assert context.control.keys.snapshot().find(token, NOW + 1.0) is not None
    assert "already" in Rotate(key=kid).act(context).found
    assert len(context.control.keys.all()) == 2
    secret = token.partition(".")[2]
    assert not [line for line in dumped(desk.folder) if secret in line]
    context.hand = None
    other = next(one.kid for one in context.control.keys.all() if one.kid != kid)
    with pytest.raises(TemperError, match="nobody is there"):
        Rotate(key=other).act(context)
    context.close()


GUESSED = {"client": "shop", "per_second": "2", "hours": "4", "minutes": "1440"}


def test_guessed_keys_are_answered_with_a_new_key_and_what_was_tightened_is_taken_back(desk: Desk) -> None:  # noqa: F811
    import time

    shown: list[str] = []
    context = desk.context(hand=shown.append, clock=time.time, config=str(desk.folder / "temper.yaml"))
    kid = context.control.keys.add("shop", "sam", NOW).partition(".")[0]
    context.incident = context.control.incidents.open("Keys are tried", "major", "sam", 1.0)
    book, before = playbook("guessed-keys"), dumped(desk.folder)
    run = Run(playbook=book, context=context, say=desk.lines.append, settings=book.set({**GUESSED, "key": kid}))
    assert run.dry()
    assert (dumped(desk.folder), shown) == (before, [])
    assert run.real(), desk.said
    assert len(shown) == 1
    old, new = sorted(context.control.keys.all(), key=lambda one: one.kid != kid)
    assert (new.follows, old.revoked) == (kid, None)
    assert policy(context.control)["quarantine"]["clients"] == ["shop"]
    assert policy(context.control)["quota"]["per_second"] == 2.0
    assert course(context.control.incidents.get(context.incident)).contained is not None
    assert undo(context, desk.lines.append)
    assert not {"quarantine", "quota"} & set(policy(context.control) or {})
    assert len(context.control.keys.all()) == 2, "a key that was replaced stays so"
    context.close()


def test_who_finds_an_old_program_behind_guessed_keys_changes_nothing(desk: Desk) -> None:  # noqa: F811
    context = desk.context(hand=desk.lines.append)
    kid = context.control.keys.add("shop", "sam", NOW).partition(".")[0]
    book = playbook("guessed-keys")
    desk.answers = [False]
    run = Run(playbook=book, context=context, say=desk.lines.append, settings=book.set({**GUESSED, "key": kid}))
    assert not run.real()
    assert "Is it done?" in desk.questions[0]
    assert len(context.control.keys.all()) == 1
    assert policy(context.control) is None
    context.close()


# -- evidence ---------------------------------------------------------------------------------------------------------


def test_evidence_is_kept_once_signed_and_shows_that_it_was_touched(desk: Desk) -> None:  # noqa: F811
    import time

    context = desk.context(clock=time.time, config=str(desk.folder / "temper.yaml"), feed="f")
    number = context.control.incidents.open("It", "major", "sam", 1.0)
    context.incident = number
    before = dumped(desk.folder)
    assert Snapshot().act(context).does
    assert dumped(desk.folder) == before
    context.dry = False
    told = Snapshot().act(context)
    folder = Path(told.evidence.partition(" ")[0])
    assert {one.name for one in folder.iterdir()} == {
        *("incident.json", "records.json", "windows.json", "ledger.json", "temper.yaml", "temper.manifest.json")
    }
    ledger = json.loads((folder / "ledger.json").read_text())
    assert [one["body"]["client"] for one in ledger["records"] if one["kind"] == "decision"]
    assert ledger["left_out"] == 0
    manifest, key = folder / "temper.manifest.json", Path(context.serving.audit) / "ledger.pub"
    verify(manifest, key, TODAY)
    again = Snapshot().act(context)
    assert (again.does, again.evidence) == ("", told.evidence)
    (folder / "ledger.json").write_text("{}")
    with pytest.raises(TemperError, match=r"ledger\.json"):
        verify(manifest, key, TODAY)
    context.close()


def test_evidence_of_many_records_is_the_newest_and_says_how_many_are_missing(desk: Desk) -> None:  # noqa: F811
    import time

    context = real(desk, clock=time.time)
    told = Snapshot(most=1).act(context)
    ledger = json.loads((Path(told.evidence.partition(" ")[0]) / "ledger.json").read_text())
    assert (len(ledger["records"]), ledger["left_out"] > 0) == (1, True)
    assert ledger["records"][0]["seq"] == max(head["size"] for head in ledger["heads"].values()) - 1
    context.close()


def test_evidence_that_is_cut_off_is_not_taken_for_whole(
    desk: Desk,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(path: Any, key: Any) -> None:
        raise OSError(28, "No space left on device")

    context = real(desk)
    monkeypatch.setattr("temper.response.responses.snapshot.sign", full)
    with pytest.raises(StoreError, match="could not be kept"):
        Snapshot().act(context)
    monkeypatch.undo()
    assert "not kept yet" in Snapshot().act(context).found
    context.close()


# -- receivers --------------------------------------------------------------------------------------------------------


def test_receivers_are_told_of_an_incident_once_and_of_its_end(desk: Desk) -> None:  # noqa: F811
    log = desk.folder / "alerts.jsonl"
    alerting = Alerting(receivers=(Receiver(name="log", kind="log", options={"path": str(log)}),))
    context = desk.context()

    def tell() -> str:
        teller = teller_of(alerting, None, "", context.control)
        teller.begin(NOW)
        return teller.tell(lambda: NOW).text

    context.tell = tell
    assert "no incident is named" in Notify().act(context).found
    context.incident = context.control.incidents.open("Scores look wrong", "major", "sam", NOW)
    tell()
    assert not log.exists(), "people know of their own"
    assert Notify().act(context).does
    assert not log.exists()
    context.dry = False
    assert Notify().act(context).does == "1 alert messages were sent"
    assert "already" in Notify().act(context).found
    context.control.incidents.close(context.incident, "over", "sam", NOW + 1.0)
    tell()
    assert [json.loads(line)["state"] for line in log.read_text().splitlines()] == ["begins", "over"]
    context.close()


# -- over -------------------------------------------------------------------------------------------------------------


def window(start: float, seen: Seen) -> Watched:
    return Watched(start=start, ends=start + 60.0, rows=900, seen=seen, tests=4, needed=700)


def test_an_alarm_has_ended_when_a_window_that_began_afterwards_passes(desk: Desk) -> None:  # noqa: F811
    context = desk.context(feed="f")
    windows = context.control.windows
    assert "no window was judged" in Passed().act(context).found
    windows.keep("f", "r", [window(NOW, Seen.PASS)], NOW)
    assert Passed().act(context).well
    context.incident = context.control.incidents.open("It", "major", "sam", NOW + 30.0)
    assert "before incident 1 was opened" in Passed().act(context).found
    for at, seen in enumerate((Seen.FAIL, Seen.INCONCLUSIVE, Seen.NOTHING), start=1):
        windows.keep("f", "r", [window(NOW + 60.0 * at, seen)], NOW)
        assert not Passed().act(context).well
    windows.keep("f", "r", [window(NOW + 300.0, Seen.PASS)], NOW)
    assert Passed().act(context).well
    context.feed = ""
    assert "no windows are watched" in Passed().act(context).found
    context.close()


def test_quality_counts_what_the_model_said_itself_and_few_say_nothing(desk: Desk) -> None:  # noqa: F811
    import time

    context = desk.context(clock=time.time)
    assert "fewer than 20 say nothing" in Quality().act(context).found
    assert Quality(least=3).act(context).well
    gateway = opened(desk.folder / "temper.yaml")
    gateway.live.pipeline.breaker.force_open(0.0)
    asyncio.run(asked(gateway, (0.3, 0.1, 0.2)))
    gateway.close()
    told = Quality(least=3).act(context)
    assert (told.well, told.found.partition(" decisions")[0]) == (False, "3 of 4")
    context.close()


# -- a run that goes on -----------------------------------------------------------------------------------------------


def test_a_run_that_stopped_half_way_goes_on_and_its_undo_takes_back_all_of_it(desk: Desk) -> None:  # noqa: F811
    path = desk.folder / "two.yaml"
    path.write_text(TWO)
    found = playbook(str(path))
    desk.answers = [True, True, False, False]
    context = desk.context()
    assert not Run(playbook=found, context=context, say=desk.lines.append).real()
    assert "temper respond resume run1" in desk.said
    context.close()
    desk.answers, desk.questions = [], []
    later = desk.context()
    again = resumed(later, desk.lines.append)
    assert again.before == {"open it", "stop it"}
    assert again.real()
    assert [question.partition(":")[0] for question in desk.questions] == ["go there\n    Is it done?", "4 let go"]
    assert switches(later) == ["automatic", True]
    with pytest.raises(TemperError, match="has worked"):
        resumed(later, desk.lines.append)
    assert undo(later, desk.lines.append)
    assert switches(later) == ["automatic", False]
    with pytest.raises(TemperError, match="was taken back"):
        resumed(later, desk.lines.append)
    later.close()


def test_a_run_that_was_killed_in_a_step_does_it_again_and_one_of_another_playbook_does_not_go_on(
    desk: Desk,  # noqa: F811
) -> None:
    class Killed(BaseException):
        pass

    def asked(question: str) -> bool:
        if "2 stop it" in question:
            raise Killed
        return True

    path = desk.folder / "two.yaml"
    path.write_text(TWO)
    context = desk.context(asked=asked)
    with pytest.raises(Killed):
        Run(playbook=playbook(str(path)), context=context, say=desk.lines.append).real()
    context.close()
    later = desk.context()
    assert resumed(later, desk.lines.append).real()
    assert switches(later) == ["automatic", True]
    path.write_text(TWO.replace('to: "on"', 'to: "off"'))
    with pytest.raises(TemperError, match="has worked"):
        resumed(later, desk.lines.append)
    other = desk.context("run2")
    desk.answers = [False]
    Run(playbook=playbook(str(path)), context=other, say=desk.lines.append).real()
    path.write_text(TWO)
    with pytest.raises(TemperError, match="has changed since"):
        resumed(other, desk.lines.append)
    with pytest.raises(TemperError, match="there is no run 'nothing'"):
        resumed(desk.context("nothing"), desk.lines.append)
    later.close()
    other.close()


def test_a_playbook_that_worked_says_what_its_incident_has_reached(desk: Desk) -> None:  # noqa: F811
    path = desk.folder / "two.yaml"
    path.write_text(TWO.replace("undone:", "reaches: contained\nundone:"))
    context = desk.context()
    context.incident = context.control.incidents.open("It", "major", "sam", NOW)
    desk.waited = 600.0
    assert playbook(str(path)).reaches is Phase.CONTAINED
    desk.answers = [False]
    Run(playbook=playbook(str(path)), context=context, say=desk.lines.append).real()
    assert course(context.control.incidents.get(1)).contained is None
    other = desk.context("run2", incident=1)
    assert Run(playbook=playbook(str(path)), context=other, say=desk.lines.append).real()
    assert course(context.control.incidents.get(1)).contain == 600.0
    assert "incident 1 is contained" in desk.said
    context.close()
    other.close()


def test_two_steps_of_one_name_are_refused(desk: Desk) -> None:  # noqa: F811
    path = desk.folder / "two.yaml"
    path.write_text(TWO.replace("name: stop it", "name: open it"))
    with pytest.raises(ConfigError, match="two steps are called 'open it'"):
        playbook(str(path))


def test_a_run_that_stopped_goes_on_from_the_command_line(desk: Desk) -> None:  # noqa: F811
    def told(*words: str, typed: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(app, ["respond", *words], input=typed)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    path = desk.folder / "two.yaml"
    path.write_text(TWO)
    where = ("--config", str(desk.folder / "temper.yaml"), "--gateway", desk.url)
    code, said = told("run", str(path), *where, typed="y\nn\nn\n")
    assert code == 1
    run = said.partition("\nrun ")[2].partition(",")[0]
    code, said = told("resume", run, *where, typed="y\ny\ny\n")
    assert (code, said.splitlines()[-1]) == (0, "WORKED")
    assert "open it [breaker]: was done before" in said
