"""Playbooks: tried without effect, run with a person's word, recorded before they act, taken back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from small_gateway import asked, models, written  # noqa: F401
from temper.cli import app
from temper.config.reading import parse
from temper.core.errors import ConfigError, TemperError
from temper.gateway.tables.build import opened
from temper.gateway.tables.deploy import deploy, guard
from temper.guard.serving.parts import PARTS
from temper.response.context import Context, mark
from temper.response.playbook import RESPONSES, _playbook, names, playbook
from temper.response.responses.breaker import Breaker
from temper.response.responses.decide import Decide
from temper.response.responses.kill import Kill
from temper.response.responses.quarantine import Quarantine
from temper.response.responses.quota import Quota
from temper.response.responses.review import Review
from temper.response.responses.revoke import Revoke
from temper.response.responses.rollback import Rollback
from temper.response.responses.stage import Stage
from temper.response.responses.threshold import Threshold
from temper.response.run import Run, built, document, undo
from temper.store.control import Control
from temper.store.control.deployed import deployed

NOW = 1_800_000_000.0
METRICS = {
    "temper_breaker": 0,
    "temper_golden_failed": 0,
    "temper_audit_failing": 0,
    "temper_control_failing": 0,
    'temper_stage_decisions_total{stage="extraction",level="note",mode="shadow"}': 3,
    'temper_stage_decisions_total{stage="anomaly",level="note",mode="shadow"}': 40,
}


@dataclass
class Desk:
    """A gateway's stores, a person who answers, and the lines that were said."""

    folder: Path
    url: str
    answers: list[bool | None] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    waited: float = 0.0

    def context(self, run: str = "run1", **options: Any) -> Context:
        usual: dict[str, Any] = {
            "serving": guard(self.folder / "temper.yaml"),
            "parts": PARTS,
            "by": "sam",
            "run": run,
            "clock": lambda: NOW + self.waited,
            "wait": self.wait,
            "asked": self.ask,
            "gateway": self.url,
        }
        return Context(**usual | options)

    def wait(self, seconds: float) -> None:
        self.waited += seconds

    def ask(self, question: str) -> bool | None:
        self.questions.append(question)
        return self.answers.pop(0) if self.answers else True

    def run(self, text: str, run: str = "run1", **settings: str) -> tuple[Run, Context]:
        found = _playbook(parse(text, "mine.yaml"), "mine")
        context = self.context(run)
        return Run(playbook=found, context=context, say=self.lines.append, settings=found.set(settings)), context

    @property
    def said(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def figures() -> Iterator[tuple[str, dict[str, float]]]:
    """A gateway that says what a test wants it to say."""
    told = dict(METRICS)

    class Says(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" or told.get("ready", 1) else 503)
            self.end_headers()
            self.wfile.write("".join(f"{name} {value}\n" for name, value in told.items()).encode())

        def log_message(self, *_: Any) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Says)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def answered(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The folder of a gateway that has answered three requests."""
    folder = tmp_path_factory.mktemp("answered")
    shutil.copytree(models, folder, dirs_exist_ok=True)
    written(folder)
    gateway = opened(folder / "temper.yaml")
    for at in range(3):
        asyncio.run(asked(gateway, (1.0, 0.1 * at, 0.0)))
    gateway.close()
    return folder


@pytest.fixture
def desk(answered: Path, tmp_path: Path, figures: tuple[str, Any]) -> Desk:
    """Stores of one's own."""
    shutil.copytree(answered, tmp_path, dirs_exist_ok=True)
    return Desk(tmp_path, figures[0])


def dumped(folder: Path) -> list[str]:
    """Everything in the control store, and what lies beside it."""
    with closing(sqlite3.connect(folder / ".temper" / "control.db")) as database:
        rows = list(database.iterdump())
    return rows + sorted(str(path) for path in folder.rglob("*") if not path.name.endswith(("-wal", "-shm")))


def policy(control: Control) -> Any:
    return getattr(control.records.current("policy"), "value", None)


CHANGES: dict[str, tuple[Any, Callable[[Control], Any]]] = {
    "breaker": (Breaker(to="open"), lambda control: getattr(control.records.current("breaker"), "value", "automatic")),
    "kill": (Kill(to="on"), lambda control: getattr(control.records.current("kill"), "value", False)),
    "stage": (Stage(stage="anomaly", mode="shadow"), policy),
    "quarantine": (Quarantine(client="shop", answer="block"), policy),
    "threshold": (Threshold(to=0.3), policy),
    "quota": (Quota(per_second=2.0), policy),
    "decide": (Decide(low=0.2), policy),
    "rollback": (Rollback(), lambda control: deployed(control).live),
    "review": (Review(minutes=60.0), lambda control: control.reviews.counts()),
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_dry_run_changes_nothing_and_twice_is_once_and_undo_goes_back(desk: Desk, name: str) -> None:
    response, state = CHANGES[name]
    if name == "rollback":
        deploy(desk.folder / "temper.yaml", desk.folder / "next.json", "live", 1.0, "sam", "new", NOW)
    context = desk.context(clock=time.time)
    before, start = dumped(desk.folder), state(context.control)
    planned = response.act(context)
    assert planned.does
    assert dumped(desk.folder) == before
    context.dry = False
    response.act(context)
    changed = state(context.control)
    assert changed != start
    again = response.act(context)
    assert state(context.control) == changed
    if name == "review":
        assert planned.undo is None
        assert planned.lasting
        return
    assert not again.does
    assert built(document(planned.undo)) == planned.undo  # type: ignore[arg-type]
    planned.undo.act(context)  # type: ignore[union-attr]
    assert state(context.control) == start
    planned.undo.act(context)  # type: ignore[union-attr]
    assert state(context.control) == start
    assert context.control.audit.verify() == []
    context.close()


def test_what_somebody_has_set_since_is_not_undone(desk: Desk) -> None:
    context = desk.context()
    planned = Breaker(to="open").act(context)
    context.dry = False
    Breaker(to="open").act(context)
    context.control.records.put("breaker", "closed", "ada", "I know better", NOW)
    assert planned.undo is not None
    assert "stays as it is" in planned.undo.act(context).found
    assert context.control.records.current("breaker").value == "closed"  # type: ignore[union-attr]
    context.close()


def test_a_revoked_key_stays_revoked_and_an_unknown_one_is_said(desk: Desk) -> None:
    context = desk.context()
    kid = context.control.keys.add("shop", "sam", NOW).partition(".")[0]
    assert "is revoked" in Revoke(key=kid).act(context).does
    assert context.control.keys.all()[0].revoked is None
    context.dry = False
    Revoke(key=kid).act(context)
    assert context.control.keys.all()[0].revoked is not None
    assert "already" in Revoke(key=kid).act(context).found
    with pytest.raises(TemperError, match="there is no key 'nobody'"):
        Revoke(key="nobody").act(context)
    context.close()


def test_decisions_become_cases_once_and_of_many_an_even_share(desk: Desk) -> None:
    context = desk.context(clock=time.time)
    assert "3 decisions" in Review().act(context).found
    assert Review(client="somebody").act(context).does == ""
    assert Review(source="rules").act(context).does == ""
    context.dry = False
    told = Review(most=2).act(context)
    assert "one in 2 becomes a case, 2 in all" in told.does
    cases = context.control.reviews.page(None)
    assert len(cases) == 2
    assert mark("run1") in cases[0].payload["reasons"][0]
    Review(most=2).act(context)
    assert len(context.control.reviews.page(None)) == 2
    context.close()


def test_a_stage_keeps_its_options_and_the_gateway_takes_the_policy(desk: Desk) -> None:
    gateway = opened(desk.folder / "temper.yaml")
    context = desk.context()
    context.control.policies.override({"anomaly": {"mode": "enforce", "answer": "note"}}, "ada", "ours", NOW)
    context.dry = False
    Stage(stage="anomaly", mode="shadow").act(context)
    assert context.control.records.current("policy").value == {  # type: ignore[union-attr]
        "anomaly": {"mode": "shadow", "answer": "note"}
    }
    assert gateway.reloading is not None
    assert asyncio.run(gateway.reloading.once())
    assert [mode.value for name, mode, _ in gateway.live.pipeline.before if name == "anomaly"] == ["shadow"]
    gateway.close()
    with pytest.raises(ConfigError, match="no stage 'nonsense'"):
        Stage(stage="nonsense").act(context)
    context.close()


@pytest.mark.parametrize("name", names())
def test_a_playbook_that_comes_with_temper_can_be_tried_and_changes_nothing(desk: Desk, name: str) -> None:
    context = desk.context()
    found = playbook(name)
    settings = found.set({one.name: "5" for one in found.settings if one.usual is None})
    before = dumped(desk.folder)
    Run(playbook=found, context=context, say=desk.lines.append, settings=settings).dry()
    context.close()
    assert dumped(desk.folder) == before
    assert desk.questions == []
    for step in (*found.checks, *found.steps, *found.worked):
        assert f"{step.name} [{step.do}]" in desk.said


TWO = """title: Two switches
when: now
severity: minor
undone: by undo
checks: [{name: up, do: probe, at_least: 1}]
steps:
  - {name: open it, do: breaker, to: open}
  - {name: stop it, do: kill, to: "on"}
  - {name: do something, do: note, text: go there}
  - {name: let go, do: breaker, to: automatic}
worked: [{name: breaker is closed, do: probe, figure: temper_breaker, at_most: 0, seconds: 3}]
"""


def switches(context: Context) -> list[Any]:
    return [getattr(context.control.records.current(kind), "value", None) for kind in ("breaker", "kill")]


def test_a_run_asks_before_what_is_risky_and_every_step_is_in_the_audit(desk: Desk) -> None:
    run, context = desk.run(TWO)
    assert run.real()
    assert switches(context) == ["automatic", True]
    assert [question.partition(":")[0] for question in desk.questions] == [
        "1 open it",
        "2 stop it",
        "go there\n    Is it done?",
        "4 let go",
    ]
    rows = context.control.runs.read("run1")
    steps = ("open it", "stop it", "do something", "let go", "breaker is closed")
    assert [(row["action"], row.get("step")) for row in rows] == [
        ("begin", None),
        ("check", "up"),
        *((action, step) for step in steps for action in ("step", "done")),
        ("end", None),
    ]
    assert context.control.audit.verify() == []
    context.close()


def test_no_stops_a_run_and_what_was_done_is_taken_back_on_a_yes(desk: Desk) -> None:
    desk.answers = [True, True, False, True]
    run, context = desk.run(TWO)
    assert not run.real()
    assert desk.questions[-1] == "Undo what was done (open it, stop it)?"
    assert switches(context) == ["automatic", False]
    context.close()


def test_a_run_that_does_not_work_waits_then_says_so_and_keeps_what_was_done_on_a_no(
    desk: Desk, figures: tuple[str, dict[str, float]]
) -> None:
    figures[1]["temper_breaker"] = 2
    desk.answers = [True] * 4 + [False]
    run, context = desk.run(TWO)
    assert not run.real()
    assert desk.waited >= 3.0
    assert "temper_breaker is 2, expected at most 0" in desk.said
    assert "temper respond undo run1" in desk.said
    assert switches(context) == ["automatic", True]
    context.close()


def test_checks_that_do_not_fit_stop_a_run_that_asks_nobody(desk: Desk, figures: tuple[str, dict[str, float]]) -> None:
    figures[1]["ready"] = 0
    run, context = desk.run(TWO)
    context.asked = lambda question: None
    assert not run.real()
    assert "the checks do not fit" in desk.said
    assert switches(context) == [None, None]
    context.close()


def test_a_run_that_is_killed_is_taken_back_by_its_name(desk: Desk) -> None:
    class Killed(BaseException):
        pass

    def asked(question: str) -> bool:
        if "go there" in question:
            raise Killed
        return True

    run, context = desk.run(TWO)
    context.asked = asked
    with pytest.raises(Killed):
        run.real()
    context.close()
    later = desk.context()
    assert switches(later) == ["open", True]
    assert undo(later, desk.lines.append)
    assert switches(later) == ["automatic", False]
    many = len(later.control.records.history("kill"))
    assert undo(later, desk.lines.append)
    assert len(later.control.records.history("kill")) == many
    with pytest.raises(TemperError, match="there is no run 'other'"):
        undo(desk.context("other"), desk.lines.append)
    later.close()


DOWN = """title: The store
when: it is down
severity: minor
undone: nothing to undo
checks: [{name: it is down, do: store, expect: down}]
steps: [{name: bring it back, do: note, text: restore it}]
worked: [{name: it is back, do: store, seconds: 5}]
"""


def test_a_run_while_the_store_is_down_is_written_once_it_is_back(desk: Desk) -> None:
    place = desk.folder / ".temper" / "control.db"
    aside = place.with_name("aside.db")
    place.rename(aside)

    def asked(question: str) -> bool:
        assert not place.exists()
        aside.rename(place)
        return True

    run, context = desk.run(DOWN)
    context.asked = asked
    assert run.real()
    rows = context.control.runs.read("run1")
    assert [row["action"] for row in rows][:3] == ["begin", "check", "step"]
    context.close()


def test_a_run_that_could_not_be_written_says_what_to_keep(desk: Desk) -> None:
    (desk.folder / ".temper" / "control.db").rename(desk.folder / "gone.db")
    run, _ = desk.run(DOWN)
    assert not run.real()
    assert "keep it:" in desk.said
    assert "sam begin: The store" in desk.said
    assert not (desk.folder / ".temper" / "control.db").exists()


HEAD = "title: t\nwhen: w\nseverity: minor\nundone: u\n"
WORKED = "worked: [{name: x, do: store}]\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + "steps: [{name: a, do: brake}]\n" + WORKED, "mine.yaml:5: no response is called 'brake'"),
        (HEAD + "steps: [{name: a, do: breaker, too: open}]\n" + WORKED, "mine.yaml:5: unknown key 'too'"),
        (HEAD + "steps: [{name: a, do: breaker, to: '{kid}'}]\n" + WORKED, "mine.yaml:5: {kid} is no setting"),
        (HEAD + "steps:\n  - name: a\n    do: breaker\n    to: ajar\n" + WORKED, "mine.yaml:7: step 'a': a breaker"),
        (HEAD + "steps: [{name: a, do: probe, at_least: many}]\n" + WORKED, "mine.yaml:5: "),
        (HEAD + WORKED, "a playbook without steps"),
        (HEAD + "steps: [{name: a, do: store}]\n", "a playbook without worked"),
        (HEAD + "stepps: []\n", "mine.yaml:5: unknown key 'stepps'; did you mean 'steps'"),
        ("title: [\n", "mine.yaml:2: not YAML"),
        (
            HEAD.replace("minor", "huge") + "steps: [{name: a, do: store}]\n" + WORKED,
            "is 'huge', expected one of minor, major, critical",
        ),
    ],
)
def test_a_playbook_that_cannot_be_is_one_sentence_with_its_line(desk: Desk, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as told:
        desk.run(text)[0].real()
    assert says in told.value.message
    assert "\n" not in told.value.message


def test_a_setting_is_one_value_whatever_is_set(desk: Desk) -> None:
    text = HEAD + "settings: {key: {about: the key}}\nsteps: [{name: a, do: revoke, key: '{key}'}]\n" + WORKED
    run, context = desk.run(text, key="x, do: kill, to: 'on'}")
    assert not run.real()
    assert "there is no key \"x, do: kill, to: 'on'}\"" in desk.said
    assert switches(context) == [None, None]
    with pytest.raises(ConfigError, match="needs the key"):
        desk.run(text)
    with pytest.raises(ConfigError, match="no setting 'kid'"):
        desk.run(text, kid="1", key="2")
    context.close()


def test_the_commands(desk: Desk) -> None:
    def told(*words: str, typed: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(app, ["respond", *words], input=typed)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    assert [line.split()[0] for line in told("list")[1].splitlines()] == list(names())
    assert "undone" in told("show", "stolen-key")[1]
    path = desk.folder / "mine.yaml"
    path.write_text(TWO)
    where = ("--config", str(desk.folder / "temper.yaml"))
    common = (str(path), *where, "--gateway", desk.url)
    before = dumped(desk.folder)
    code, said = told("run", *common, "--dry-run")
    assert code == 0
    assert "would: the breaker is set to open (asks first)" in said
    assert dumped(desk.folder) == before
    code, said = told("run", *common, typed="y\nn\ny\n")
    assert code == 1
    assert said.endswith("STOPPED\n")
    code, said = told("run", *common, "--yes")
    assert (code, said.splitlines()[-1]) == (0, "WORKED")
    assert "left to a person: nobody was asked" in said
    run = said.partition("\nrun ")[2].partition(",")[0]
    assert "the kill switch is what it was before" in " ".join(told("undo", run, *where)[1].split())
    with pytest.raises(ConfigError, match="there is no playbook 'nothing'"):
        told("run", "nothing", *where)


def test_every_response_is_used_by_a_playbook_or_by_undo() -> None:
    every = [playbook(name) for name in names()]
    used = {step.do for one in every for step in (*one.checks, *one.steps, *one.worked)}
    assert {*RESPONSES.names()} == used | {"again"}


def test_the_playbook_of_the_page_runs(desk: Desk) -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    text = page.partition("\n## Playbooks\n")[2].partition("```yaml\n")[2].partition("```")[0]
    run, context = desk.run(text, late="10")
    context.control.reviews.enqueue("r1", {}, NOW, due=NOW + 60.0)
    run.context.asked = lambda question: bool(context.control.reviews.expire(NOW + 61.0)) or True
    assert run.real()
    assert "late [queue]: 1 cases wait, 1 of them are due within 10 minutes" in desk.said
    assert context.control.records.current("policy").value["anomaly"]["mode"] == "shadow"  # type: ignore[union-attr]
    context.close()
