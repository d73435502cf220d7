"""The page on artifacts: its example prints what the page shows, its commands exist."""

import os
import subprocess
import sys

from scenarios.test_docs_examples import BLOCK, COMMAND, ROOT, page


def test_the_example_prints_what_the_page_shows(tmp_path):
    (code, shown), *rest = BLOCK.findall(page("artifacts"))
    assert not rest
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, env=settings, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, shown), done.stderr


def test_the_commands_of_the_page_exist():
    import typer

    from temper.cli import app

    commands = typer.main.get_command(app).commands
    for line in COMMAND.findall(page("artifacts")):
        name, *words = line.split()
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
