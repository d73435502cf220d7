"""What Prometheus and Grafana are told of windows: every name that is used is exported, and holds what was found."""

import json
import re
from dataclasses import replace

import pytest
import yaml
from typer.testing import CliRunner

from temper.cli import app
from temper.core.alert import Burning
from temper.core.served import Objective, Promise, Rate, Standing
from temper.core.watch import Alarm, Seen, Watch, Watched
from temper.report.alerting import RULES, rules
from temper.report.exported import NAMES, text
from temper.report.grafana import dashboard
from temper.store.control import Control

LINE = re.compile(r'(temper_\w+)\{((?:\w+="(?:[^"\\]|\\.)*",?)+)\} (-?\d\S*)')
BOTH = ("long", "short")
USED = re.compile(r"temper_\w+")
FOUND = Watched(
    start=0.0,
    ends=3_600.0,
    rows=1_234,
    seen=Seen.FAIL,
    tests=9,
    needed=800,
    alarms=(
        Alarm(comparison="ks", column="amount", value=0.4, p=1e-9),
        Alarm(comparison="joint", column="", value=1, p=0),
    ),
    troubles=("column 'x' is gone",),
    moved=(("amount", 0.4), ('a "b"\n', 0.125)),
    events=(("answered", 3_564), ("failed", 36), ("overload", 9), ("took 0.05", 3_564)),
)
RULE = Burning(budget=0.001, rate=14.4, long=3_600.0, short=300.0)
ERRORS = Objective(promise=Promise.ERRORS, budget=0.001, rules=(RULE,))
STANDING = Standing(
    objective=ERRORS,
    seen=Seen.FAIL,
    rates=(Rate(rule=RULE, long=16.0, short=20.0, asked=500, burns=True),),
    asked=3_600,
    bad=36,
)
WATCH = Watch(feed="f", time="at", window=3_600.0, grace=60.0)


def values(found):
    """By name and the labels beside the system, as they stand."""
    lines = [LINE.fullmatch(line) for line in found.splitlines() if not line.startswith("#")]
    assert all(lines)
    return {(line[1], line[2].removeprefix('system="small"').lstrip(",")): float(line[3]) for line in lines}


def test_what_was_found_is_exported():
    found = values(text(FOUND, WATCH, "small"))
    assert found["temper_monitor_rows", ""] == 1_234
    assert [found["temper_monitor_seen", f'state="{one.value}"'] for one in Seen] == [0, 1, 0, 0]
    assert found["temper_monitor_distance", 'column="amount"'] == 0.4
    assert found["temper_monitor_distance", 'column="a \\"b\\"\\n"'] == 0.125
    assert found["temper_monitor_alarms", 'column="amount"'] == found["temper_monitor_alarms", 'column="(all)"'] == 1
    assert found["temper_monitor_alarms", 'column="a \\"b\\"\\n"'] == 0
    assert found["temper_monitor_troubles", ""] == 1
    assert (found["temper_monitor_window_end_seconds", ""], found["temper_monitor_due_seconds", ""]) == (3_600, 7_260)
    assert text(None, WATCH, "small") == ""


def test_promises_of_a_gateway_are_exported_also_without_a_window():
    found = values(text(FOUND, WATCH, "small", [STANDING]))
    assert [found["temper_monitor_promise", f'promise="errors",state="{one.value}"'] for one in Seen] == [0, 1, 0, 0]
    burn = {side: found["temper_monitor_burn", f'promise="errors",rule="14.4x",while="{side}"'] for side in BOTH}
    assert burn == {"long": 16.0, "short": 20.0}
    named = ("requests_per_second", "failed_share", "overload_share", "latency_p99_seconds")
    assert [found[f"temper_monitor_{name}", ""] for name in named] == [1.0, 0.01, 0.0025, 0.05]
    alone = values(text(None, WATCH, "small", [STANDING]))
    assert {name for name, _ in alone} == {"temper_monitor_promise", "temper_monitor_burn"}
    uncounted = values(text(replace(FOUND, events=(("refused", 3),)), WATCH, "small"))
    assert not {f"temper_monitor_{name}" for name in named} & {name for name, _ in uncounted}


def test_every_name_has_its_head():
    lines = text(FOUND, WATCH, "small", [STANDING]).splitlines()
    for name, about in NAMES.items():
        at = lines.index(f"# HELP temper_{name} {about}")
        assert lines[at + 1] == f"# TYPE temper_{name} gauge"
        assert lines[at + 2].startswith(f"temper_{name}{{")


def test_every_name_that_is_used_is_exported():
    exported = {f"temper_{name}" for name in NAMES}
    drawn, ruled = (set(USED.findall(json.dumps(one))) for one in (dashboard(), [rule.expr for rule in RULES]))
    assert drawn == exported, "and all of them are drawn"
    assert ruled <= exported
    states = set(re.findall(r'state="([^"]*)"', " ".join(rule.expr for rule in RULES)))
    assert states <= {one.value for one in Seen}


def test_a_dashboard_has_its_panels_side_by_side():
    panels = dashboard()["panels"]
    assert [one["id"] for one in panels] == [*range(1, len(panels) + 1)]
    cells = [
        (x, y)
        for place in (one["gridPos"] for one in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)
    assert all(one["targets"][0]["expr"].count("(") == one["targets"][0]["expr"].count(")") for one in panels)


def test_rules_are_what_prometheus_reads():
    (group,) = rules()["groups"]
    assert len({one["alert"] for one in group["rules"]}) == len(RULES)
    for one in group["rules"]:
        assert set(one) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smhd]", one["for"])
        assert one["labels"]["severity"] in ("critical", "warning", "info")
        assert set(one["annotations"]) == {"summary", "description"}


@pytest.fixture
def config(tmp_path):
    """A system that is watched, and one window of it."""
    path = tmp_path / "temper.yaml"
    path.write_text("system: {name: small}\nmonitor: {feed: f, time: at, window: 1h, grace: 60s}\n")
    control = Control.open(str(tmp_path / "control.db"))
    control.windows.keep(str(tmp_path / "f"), "r", [FOUND], 1.0)
    control.close()
    return path


def test_a_command_writes_each_of_them(config):
    where = ["--config", str(config), "--store", str(config.parent / "control.db")]
    ran = CliRunner().invoke(app, ["monitor", "export", "--prometheus", *where])
    assert (ran.exit_code, ran.output) == (0, text(FOUND, WATCH, "small"))
    to = config.parent / "rules.yaml"
    ran = CliRunner().invoke(app, ["monitor", "export", "--rules", "--to", str(to), *where])
    assert (ran.exit_code, yaml.safe_load(to.read_text())) == (0, rules())
    ran = CliRunner().invoke(app, ["monitor", "export", "--grafana", *where])
    assert json.loads(ran.output) == json.loads(json.dumps(dashboard()))
    for wrong in ([], ["--rules", "--grafana"]):
        assert CliRunner().invoke(app, ["monitor", "export", *wrong, *where]).exit_code != 0
