"""How a problem ends a command: one sentence, the fix, the exit code."""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path

from temper.core.errors import TemperError


def explain(error: Exception) -> int:
    """Say what went wrong on standard error and give the exit code; an unknown error keeps its details in a file."""
    if isinstance(error, TemperError):
        sys.stderr.write(f"error: {_inert(str(error))}\n")
        return error.exit_code
    if isinstance(error, OSError) and error.strerror:
        place = f"{_inert(str(error.filename))}: " if error.filename else ""
        sys.stderr.write(f"error: {place}{error.strerror}\n  fix: check the path, its permissions and the disk\n")
        return 4
    sys.stderr.write(
        f"error: {type(error).__name__}: {_inert(str(error))}\n  this is a bug in Temper; details: {_kept(error)}\n"
    )
    return 4


def _kept(error: Exception) -> str:
    """The file that holds the traceback, or why there is none."""
    try:
        path = Path(tempfile.mkstemp(prefix="temper-crash-", suffix=".txt")[1])
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError as full:
        return f"none, {full.strerror}"
    return str(path)


def _inert(text: str) -> str:
    """Messages quote hostile data: no control characters reach the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)
