"""The pages on evasion and certification: their examples run and say what is printed beside them; commands exist."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("evasion", "certification", "hardening")
RUNNING = ("evasion", "certification")
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^temper (.+?)(?:\s+#.*)?$", re.MULTILINE)
MARK = "---"


def page(name):
    return (ROOT / "docs" / "lifecycle" / f"{name}.md").read_text(encoding="utf-8")


def shape(text):
    """The lines of an output with their numbers left out: figures may differ by a row on another processor."""
    return [re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "#", line)).strip() for line in text.strip().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNNING)
def test_every_example_of_the_page_runs_and_prints_what_the_page_shows(name, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("xgboost")
    blocks = BLOCK.findall(page(name))
    assert blocks
    script = tmp_path / "page.py"
    script.write_text(f"print('{MARK}')\n".join(code for code, _ in blocks), encoding="utf-8")
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True, text=True, check=False, timeout=300, env=settings, cwd=tmp_path, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.split(f"{MARK}\n")
    assert len(said) == len(blocks)
    for (code, shown), printed in zip(blocks, said, strict=True):
        assert shape(printed) == shape(shown), code


@pytest.mark.parametrize("name", PAGES)
def test_every_command_line_of_the_page_exists_with_its_options(name):
    import typer

    from temper.cli import app

    root = typer.main.get_command(app)
    told = [line.split() for line in COMMAND.findall(page(name))]
    assert told
    for words in told:
        assert words[0] in root.commands, words
        known = {option for param in root.commands[words[0]].params for option in (*param.opts, *param.secondary_opts)}
        unknown = [word for word in words[1:] if word.startswith("-") and word not in known]
        assert not unknown, (words, unknown)


@pytest.mark.parametrize("name", PAGES)
def test_every_plugin_the_page_names_by_its_full_name_exists(name):
    from temper.core.room import Room
    from temper.engine.together import BOUND, STRONGEST

    attacks = {*Room("temper.attacks").names(), BOUND, STRONGEST}
    named = set(re.findall(r"`(evasion\.\w+)`", page(name)))
    assert named <= attacks, named - attacks


def test_the_page_on_evasion_names_every_attack_once_at_least():
    from temper.core.room import Room

    words = set(re.findall(r"`(?:evasion\.)?(\w+)`", page("evasion")))
    code = " ".join(ast.unparse(ast.parse(block)) for block, _ in BLOCK.findall(page("evasion")))
    names = [name.partition(".")[2] for name in Room("temper.attacks").names() if name.startswith("evasion.")]
    missing = [name for name in names if name not in words and name not in code]
    assert not missing


def test_the_page_on_hardening_names_every_defence():
    from temper.core.room import Room

    words = set(re.findall(r"`(\w+)`", page("hardening")))
    assert [name for name in Room("temper.hardening").names() if name not in words] == []
