"""Reading documents of other tools: what is wrong is said with file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from temper.core.errors import ConfigError

LARGEST = 2 * 1024**3


def document(path: Path) -> Any:
    """The JSON document in this file."""
    if path.stat().st_size > LARGEST:
        wrong(path, 0, f"the file has {path.stat().st_size:,} bytes, more than {LARGEST:,}", "split it")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        wrong(path, error.lineno, f"this is no JSON ({error.msg})", "export the results again")
    except (UnicodeDecodeError, RecursionError) as error:
        wrong(path, 0, f"this is no JSON ({type(error).__name__})", "export the results again")


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a file that has one on each line, with the number of the line."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                wrong(path, number, "this line is no JSON", "a run that was cut off ends in half a line: delete it")
            if not isinstance(found, dict):
                wrong(path, number, f"expected an object, got {type(found).__name__}", "export the results again")
            yield number, found


def field(entry: Any, name: str, kind: type | tuple[type, ...], path: Path, at: int) -> Any:
    """A field that must be there with this type; `at` is a line or the number of an entry."""
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, kind):
        kinds = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        wrong(path, at, f"{name!r} is {type(value).__name__}, expected {kinds}", "is this the format you think it is?")
    return value


def wrong(path: Path, line: int, what: str, fix: str) -> NoReturn:
    """Say what is wrong and where."""
    raise ConfigError(f"{path}{f':{line}' if line else ''}: {what}", fix=fix)
