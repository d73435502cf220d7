"""The Containerfile says what is so: what it copies is there, what it installs exists, who it runs as owns what it
writes, and what it starts and asks is understood.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from small_gateway import folder, gateway, models
from temper.gateway.tables.build import Gateway

__all__ = ["folder", "gateway", "models"]

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "examples" / "serving" / "Containerfile").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "guides" / "operations.md").read_text(encoding="utf-8")


def said(word: str, text: str = TEXT) -> list[str]:
    """What stands behind this instruction, line by line, with continued lines joined."""
    joined = re.sub(r" *\\\n *", " ", text)
    return re.findall(rf"^{word} (.+)$", joined, re.MULTILINE)


def option(name: str) -> str:
    """The value of this option of the command that makes the user."""
    found = re.search(rf"useradd .*?--{name} (\S+)", said("RUN")[-1])
    assert found
    return found[1]


def test_what_it_copies_is_there() -> None:
    copied = [line.split()[:-1] for line in said("COPY") if not line.startswith("--from")]
    assert [name for names in copied for name in names if not (ROOT / name).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["readme"] in copied[0]


@pytest.mark.parametrize("text", [TEXT, PAGE], ids=["Containerfile", "operations"])
def test_the_extras_it_installs_exist(text: str) -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = [name for names in re.findall(r"""["']\.\[([a-z,]+)\]["']""", text) for name in names.split(",")]
    assert named
    assert set(named) - set(known) == set()


def test_versions_are_pinned_and_python_is_new_enough() -> None:
    installs = re.findall(r"pip install ([^&]+)", said("RUN")[0])
    assert len(installs) == 2
    assert all("-c constraints.txt" in line for line in installs)
    bases = {line.split()[0] for line in said("FROM")}
    found = re.fullmatch(r"docker\.io/library/python:(\d+)\.(\d+)-slim", bases.pop())
    assert found
    assert bases == set()
    assert (int(found[1]), int(found[2])) >= (3, 11)


def test_it_runs_as_a_user_who_owns_what_it_writes_and_nothing_else() -> None:
    assert said("USER") == [f"{option('uid')}:{option('gid')}"] != ["0:0"]
    assert f"groupadd --gid {option('gid')} " in said("RUN")[-1]
    home = option("home-dir")
    assert re.search(rf"install -d -o temper -g temper -m 0700 {home}$", said("RUN")[-1])
    assert said("WORKDIR")[-1] == home == said("VOLUME")[0]
    assert TEXT.index("\nUSER ") > TEXT.index("COPY --from=build")


def test_every_line_of_its_own_environment_is_of_what_was_built() -> None:
    made = re.search(r"python -m venv (\S+)", said("RUN")[0])
    assert made
    assert said("COPY")[-1] == f"--from=build {made[1]} {made[1]}"
    variables = dict(pair.split("=", 1) for pair in said("ENV")[0].split())
    assert variables["PATH"] == f"{made[1]}/bin:$PATH"
    assert variables["NUMBA_CACHE_DIR"].startswith("/tmp/")  # all else but the volume is read-only
    assert "--read-only --tmpfs /tmp" in TEXT


def test_what_it_starts_is_a_command_with_these_options() -> None:
    import typer

    from temper.cli import app

    root: Any = typer.main.get_command(app)
    words = json.loads(said("ENTRYPOINT")[0])
    assert words[:2] == ["temper", "serve"]
    command = root.commands["serve"]
    with command.make_context("serve", words[2:]) as context:
        assert (context.params["host"], context.params["port"]) == ("0.0.0.0", int(said("EXPOSE")[0]))


def test_its_health_check_asks_what_the_gateway_answers(gateway: Gateway) -> None:
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", said("HEALTHCHECK")[0])
    assert asked
    assert asked[1] == said("EXPOSE")[0]
    assert ("GET", asked[2]) in gateway.live.app._routes
    assert "--format docker" in TEXT  # OCI images have no health check
