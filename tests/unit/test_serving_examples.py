"""What an SRE copies is true: units and alerts, and the options, series and commands of the pages."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from temper.config import serving
from temper.core.quota import QuotaConfig
from temper.guard.serving import parts
from temper.guard.serving.breaker import BreakerConfig
from temper.guard.serving.concurrency import LimiterConfig
from temper.guard.serving.stages.anomaly import Anomaly
from temper.guard.serving.stages.extraction import Extraction
from temper.guard.serving.stages.output import Output

ROOT = Path(__file__).parents[2]
FILES = ROOT / "examples" / "serving"
PAGE = (ROOT / "docs" / "guides" / "operations.md").read_text(encoding="utf-8")
UNITS = ("temper-gateway", "temper-console")
KINDS = {
    "quota": QuotaConfig,
    "concurrency": LimiterConfig,
    "breaker": BreakerConfig,
    "extraction": Extraction,
    "anomaly": Anomaly,
    "output": Output,
}
USUAL = {"concurrency": {"start": 128, "cap": 1_024}}
OTHERS = {"bounds": (), "golden": ("period", "many", "tolerance"), "decide": ("review",), "people": ("due", "eyes")}


def series() -> set[str]:
    """What a gateway tells, by its own source."""
    folder = ROOT / "src" / "temper" / "gateway" / "tables"
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("[!c]*.py")))
    named = re.findall(r"^        (\w+)=\(?$|^        (\w+)=\(\"", text, re.MULTILINE)
    counted = re.findall(r'"(\w+_total)"', text)
    return {f"temper_{one}" for one in (*(a or b for a, b in named), *counted, "live_info", "request_seconds")}


def row(name: str) -> str:
    """The line of the page's tables about this key."""
    return next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_page_has_every_option_of_a_stage_with_its_default(name: str) -> None:
    line = row(name)
    for one in fields(KINDS[name]):
        if one.name == "profile" or one.name.startswith("_"):
            continue
        assert f"`{one.name}`" in line
        usual = USUAL.get(name, {}).get(one.name, one.default)
        if isinstance(usual, int | float) and usual != float("inf"):
            assert re.search(rf"`{one.name}` (?:[a-z ]*){usual:g}\b", line.replace(",", "")), (one.name, usual)


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_the_page_has_every_option_of_the_other_parts(name: str) -> None:
    assert [one for one in OTHERS[name] if f"`{one}`" not in row(name)] == []


def test_the_page_names_every_key_of_the_guard_and_no_other() -> None:
    options = PAGE.partition("\n## Options\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", options, re.MULTILINE)) == {*serving._OWN, *parts.PARTS}


def test_the_page_has_every_option_of_the_command_with_its_default() -> None:
    import typer

    from temper.cli import app

    root: Any = typer.main.get_command(app)
    table = PAGE.partition("\n## Options\n")[2].partition("\n## ")[0]
    said: dict[str, str] = {}
    for names, defaults in re.findall(r"^\| (`--[^|]+) \| ([^|]*) \|", table, re.MULTILINE):
        options = re.findall(r"`(--[a-z-]+)`", names)
        said.update(zip(options, defaults.split(", ") if len(options) > 1 else [defaults.strip()], strict=True))
    params = {param.opts[0]: param for param in root.commands["serve"].params if param.name != "help"}
    assert said.keys() == params.keys()
    for name, param in params.items():
        if param.default not in ("", None, False):
            assert said[name] == str(param.default), name


def test_the_page_and_the_alerts_speak_of_series_there_are() -> None:
    known = series()
    assert "temper_breaker" in known
    alerts = (FILES / "alerts.yml").read_text(encoding="utf-8")
    said = set(re.findall(r"\btemper_[a-z_]+[a-z]\b", PAGE + alerts)) - {"temper_request_seconds_bucket"}
    assert said - known == set()


def test_alerts_and_scrape_are_what_prometheus_reads() -> None:
    scrape = yaml.safe_load((FILES / "prometheus.yml").read_text(encoding="utf-8"))
    assert scrape["rule_files"] == ["alerts.yml"]
    assert scrape["scrape_configs"][0]["metrics_path"] == "/metrics"
    (group,) = yaml.safe_load((FILES / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
    paging = {rule["alert"] for rule in group["rules"] if rule["labels"]["severity"] == "page"}
    sentence = PAGE.partition("These page: ")[2].partition(".")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == paging


@pytest.mark.parametrize("name", UNITS)
def test_units_are_hardened_and_systemd_takes_them(name: str) -> None:
    unit = FILES / f"{name}.service"
    text = unit.read_text(encoding="utf-8")
    for line in (
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "StateDirectory=temper",
        "User=temper",
        "PrivateTmp=yes",
    ):
        assert f"\n{line}\n" in text
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    faults = [line for line in done.stderr.splitlines() if name in line and "is not executable" not in line]
    assert faults == []


def commands(text: str) -> list[list[str]]:
    """Every `temper` command line of a page's blocks and tables, without what stands behind a `#`."""
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^temper (.+)$", blocks, re.MULTILINE) + re.findall(r"`temper ([a-z][^`]*)`", text)
    return [line.partition("#")[0].split() for line in lines]


def test_every_command_of_the_page_exists_with_its_options() -> None:
    import typer

    from temper.cli import app

    root: Any = typer.main.get_command(app)
    told = commands(PAGE) + commands("".join(path.read_text(encoding="utf-8") for path in FILES.glob("*.service")))
    assert len(told) > 20
    for words in told:
        command, left = root.commands[words[0]], words[1:]
        if hasattr(command, "commands") and left:
            command, left = command.commands[left[0]], left[1:]
        known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
        assert [word for word in left if word.startswith("--") and word not in known] == [], words
        needed = [param for param in command.params if param.required and param.param_type_name == "option"]
        assert not left or all({*param.opts} & {*left} for param in needed), words


def test_the_page_names_every_playbook_and_no_other() -> None:
    from temper.response.playbook import names

    down = PAGE.partition("\n## When something is down\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| .* \| `([a-z-]+)` \|$", down, re.MULTILINE)) == {*names()}
