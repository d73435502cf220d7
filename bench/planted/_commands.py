"""The command line as a user calls it, in this process."""

from __future__ import annotations

import os
from pathlib import Path


def run(*words: str, at: Path | None = None, typed: str = "") -> tuple[int, str]:
    """The exit code of `temper WORDS` in a folder, and the last of what it said; an error is told as it is shown."""
    from typer.testing import CliRunner

    from temper.cli import app
    from temper.core.errors import TemperError

    before = Path.cwd()
    os.chdir(at or before)
    try:
        done = CliRunner().invoke(app, list(words), input=typed)
    finally:
        os.chdir(before)
    if isinstance(done.exception, TemperError):
        return 2, str(done.exception)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output.strip()
