"""Attempts to inject instructions: what an assistant's guard objected to, from its ledger, window by window."""

import time

import numpy as np
import pytest
from typer.testing import CliRunner

from temper.cli import app
from temper.config.monitor import watch_of
from temper.config.reading import parse
from temper.core.errors import ConfigError
from temper.core.watch import ATTEMPTS, Feed, Kind, Seen
from temper.kernels.surge import surge_p
from temper.monitoring.making import monitor_of
from temper.report.watched import said
from temper.store.control import Control
from temper.store.ledger.exchange import EXCHANGE, Answered, Exchanged, Ruled
from temper.store.ledger.log import Log
from temper.store.ledger.record import packed

HOUR = 3_600.0
YAML = """system: {name: helper}
assistant: {callable: "answers.py:answer", version: "1"}
guard:
  stages: [rules, secrets]
  audit: {folder: audit}
monitor: {feed: ledger, window: 1h, incidents: {absent: 2}}
"""
ABOUT = {"request": "r", "client": "shop", "model": "m", "digest": "d", "policy": "p"}
LET = Exchanged(**ABOUT, level="ALLOW", rulings=(Ruled("rules", "ALLOW"),))
ASKED = Exchanged(**ABOUT, level="BLOCK", rulings=(Ruled("rules 2", "BLOCK"),))
READ = Exchanged(**ABOUT, level="REVISE", answers=(Answered(level="REVISE", rulings=(Ruled("egress", "REVISE"),)),))
MASKED = Exchanged(**ABOUT, level="REVISE", answers=(Answered(level="REVISE", rulings=(Ruled("secrets", "REVISE"),)),))


def test_twice_as_much_promises_twice_as_many():
    rng = np.random.Generator(np.random.Philox(key=8))
    level, runs, alarms = 0.01, 100, 0
    for _ in range(runs):
        much = rng.uniform(0.3, 3.0, 9)
        seen = rng.poisson(rng.gamma(4.0, 5.0 * much))
        alarms += surge_p(int(seen[-1]), seen[:-1].tolist(), (much[:-1] / much[-1]).tolist()) <= level
    assert alarms <= runs * level + 3 * np.sqrt(runs * level * (1 - level))
    before = [30, 28, 33, 29, 31, 27, 32, 30]
    assert surge_p(90, before) < 1e-4 < 0.1 < surge_p(90, before, [1 / 3] * 8)
    assert surge_p(60, before, [1.0] * 8) == pytest.approx(surge_p(60, before), rel=1e-9)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "temper.yaml").write_text(YAML)
    (tmp_path / "answers.py").write_text("def answer(request):\n    return 'yes'\n")
    return tmp_path


@pytest.fixture
def log(place):
    begun = Log(place / "audit", "node", "0", largest=10**7)
    begun.open()
    yield begun
    begun.close()


def hour(log, at, many, tried):
    """An hour of exchanges; some of those that nobody tried anything in had a card number masked."""
    bodies = [(ASKED, READ)[place % 2] for place in range(tried)] + [(LET, MASKED)[p % 5 == 0] for p in range(many)]
    wall = int((at * HOUR + 60.0) * 1e9)
    if bodies:
        log.write([(wall + place * 10**6, 0, EXCHANGE, packed(body), None) for place, body in enumerate(bodies)])
        log.settle()


def run(place, *more):
    where = ["--config", str(place / "temper.yaml"), "--store", str(place / "control.db")]
    return CliRunner().invoke(app, ["monitor", *more, *where])


def test_a_surge_of_attempts_is_an_attack_and_opens_an_incident_and_growth_is_none(place, log):
    control = Control.open(str(place / "control.db"))
    story = [(100, 3), (90, 0), (110, 4), (100, 2), (95, 3), (0, 0), (105, 1), (600, 16), (100, 60), (100, 2)]
    for at, (many, tried) in enumerate(story):
        hour(log, at, many, tried)
    look = monitor_of(place / "temper.yaml", control.windows, print).look
    found = look(len(story) * HOUR).new
    calm = [Seen.INCONCLUSIVE] * 5 + [Seen.NOTHING]
    assert [one.seen for one in found] == [*calm, Seen.PASS, Seen.PASS, Seen.FAIL, Seen.PASS]
    assert [dict(one.events).get(ATTEMPTS) for one in found] == [3, 0, 4, 2, 3, None, 1, 16, 60, 2]
    attack = found[8]
    assert (attack.kind, attack.rows, [one.comparison for one in attack.alarms]) == (Kind.ATTACK, 160, [ATTEMPTS])
    assert "the guard objected to 60 exchanges" in attack.why[0]
    assert (
        said(found[0]) == "the guard objected to 3 of 103 exchanges: too few windows came before to say what is usual"
    )
    assert said(found[7]) == "the guard objected to 16 of 616 exchanges: as before"
    assert look(len(story) * HOUR).new == []
    control.close()


def test_the_command_opens_the_incident_with_its_playbook_and_says_why(place, log):
    first = int(time.time() // HOUR) - 8
    for at, tried in enumerate([3, 0, 4, 2, 3, 1, 40, 1]):
        hour(log, first + at, 50, tried)
    ran = run(place, "run")
    assert ran.exit_code == 1, ran.output
    assert "opened incident 1" in ran.output
    assert "temper respond show injection" in " ".join(ran.output.split())
    control = Control.open(str(place / "control.db"))
    (incident,) = control.incidents.page(False, limit=5, timelines=True)
    assert (incident.title, incident.playbook) == ("audit: somebody tries to inject instructions", "injection")
    control.close()
    told = run(place, "status").output
    assert "attack-like" in told
    assert "evidence" not in told


def test_which_stages_tell_of_attempts_can_be_chosen(place, tmp_path):
    document = parse(YAML.replace("feed: ledger,", "feed: ledger, attempts: [secrets],"), "temper.yaml")
    watch = watch_of(document, tmp_path)
    assert (watch.kind, watch.attempts, watch.feed) == (Feed.EXCHANGES, ("secrets",), str(tmp_path / "audit"))


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        ("feed: ledger", "feed: rows/", "by the ledger of its gateway"),
        ("  audit: {folder: audit}\n", "", "by the ledger of its gateway"),
        ("feed: ledger", "feed: ledger, score: s", "score is for tables"),
        ("feed: ledger", "feed: ledger, burn: {errors: {budget: 0.001}}", "burn is for tables"),
    ],
)
def test_what_is_for_tables_is_refused(before, after, wrong, tmp_path):
    with pytest.raises(ConfigError, match=wrong):
        watch_of(parse(YAML.replace(before, after), "temper.yaml"), tmp_path)


def test_its_playbook_can_be_tried_on_an_assistant(place):
    where = ["--dry-run", "--config", str(place / "temper.yaml")]
    told = CliRunner().invoke(app, ["respond", "run", "injection", *where]).output
    assert "find out who, and through what" in told
