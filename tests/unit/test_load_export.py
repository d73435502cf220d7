"""Scripts for other tools say what the plan says, and nothing that a body says acts in them."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from temper.cli import app
from temper.core.errors import TemperError
from temper.core.load import Limit
from temper.engine.load.order import LoadTest
from temper.traffic.arrivals import spike
from temper.traffic.export import Script

HOSTILE = '{"a": "\'; import os #\\n</script>`${1}` \u2028"}'
SCRIPT = Script(
    phases=spike(50.0, 4.0, 10.0),
    url="http://127.0.0.1:9/a'b",
    method="POST",
    headers=(("X-A", "it's"),),
    key_env="KEY",
    bodies=(HOSTILE, "{}"),
    limit=Limit(seconds=0.25),
)


def test_a_locustfile_holds_the_plan() -> None:
    tree = ast.parse(SCRIPT.locust())
    told = {
        target.id: ast.unparse(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name)
    }
    assert ast.literal_eval(told["PHASES"]) == [(4.0, 50.0, 50.0), (2.0, 200.0, 200.0), (4.0, 50.0, 50.0)]
    assert ast.literal_eval(told["BODIES"].removeprefix("itertools.cycle(").removesuffix(")")) == [HOSTILE, "{}"]
    assert ast.literal_eval(told["HEADERS"]) == {"X-A": "it's", "Content-Type": "application/json"}


def test_a_k6_script_holds_the_plan_and_the_limit() -> None:
    text = SCRIPT.k6()
    bodies, headers, stages = (
        json.loads(re.search(pattern, text).group(1))  # type: ignore[union-attr]
        for pattern in (r"BODIES = (.*);", r"HEADERS = (\{.*\});", r"stages: (.*),")
    )
    assert bodies == [HOSTILE, "{}"]
    assert headers["X-A"] == "it's"
    assert [one["target"] for one in stages] == [50, 50, 200, 200, 50, 50]
    assert "p(99)<250" in text
    assert text.count("{") == text.count("}")


def test_nothing_is_sent_for_a_script_and_no_key_is_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEY", "secret")
    monkeypatch.chdir(tmp_path)
    words = ["stress", "http://127.0.0.1:9/", "--method", "GET", "--key-env", "KEY", "--plan", "ramp:1-9"]
    done = CliRunner().invoke(app, [*words, "--script", "locust"])
    assert done.exit_code == 0, done.output
    assert "secret" not in done.output
    assert ast.parse(done.output)
    assert CliRunner().invoke(app, [*words, "--script", "jmeter"]).exit_code == 2
    with pytest.raises(TemperError, match="only a plan in words"):
        LoadTest(target="http://127.0.0.1:9/", method="GET").script("k6")
