"""Which tool wrote a file, and its results."""

from __future__ import annotations

import json
from pathlib import Path

from temper.core.errors import ConfigError
from temper.store.imported import agentdojo, garak, promptfoo, pyrit
from temper.store.imported._document import document, wrong
from temper.store.imported.table import Table

FORMATS = {"garak": garak.read, "pyrit": pyrit.read, "promptfoo": promptfoo.read, "agentdojo": agentdojo.read}
_PEEK = 65_536


def imported(path: str | Path, tool: str = "") -> Table:
    """The results in a file of garak, PyRIT, promptfoo or AgentDojo (or its folder), whichever of them wrote it."""
    path = Path(path)
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file", fix="give a report of garak, PyRIT, promptfoo or AgentDojo")
    if tool and tool not in FORMATS:
        raise ConfigError(f"tool {tool!r} is unknown", fix=f"use one of {', '.join(FORMATS)}")
    return FORMATS[tool or _tool(path)](path)


def _tool(path: Path) -> str:
    if path.is_dir():
        return "agentdojo"
    with path.open("rb") as file:
        start = file.read(_PEEK)
    if start.startswith(pyrit.MAGIC):
        return "pyrit"
    if _is_garak(start):
        return "garak"
    found = document(path)
    if isinstance(found, list):
        return "pyrit"
    if isinstance(found, dict) and "results" in found:
        return "promptfoo"
    if isinstance(found, dict) and "user_task_id" in found:
        return "agentdojo"
    wrong(path, 0, "no tool known here writes this", f"name the tool: {', '.join(FORMATS)}")


def _is_garak(start: bytes) -> bool:
    """Whether the first line is a JSON object with a kind of entry, or begins like one too long to look at."""
    line = start.lstrip(b"\xef\xbb\xbf \r\n").split(b"\n", 1)[0]
    try:
        return "entry_type" in json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return line.startswith(b'{"entry_type"')
