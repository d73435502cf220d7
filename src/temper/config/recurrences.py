"""Rows of past incidents that temper.yaml wants to be asked again: files that `temper incidents test` has written.

assess:
  recurrences: [regressions/incident-3/cases.json]
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from temper.config.document import Section
from temper.core.errors import ConfigError
from temper.core.recurrence import Recurrence
from temper.core.schema import Schema

FORMAT = "temper.recurrences/1"


def recurrences_of(assess: Section, base: Path, schema: Schema | None) -> tuple[Recurrence, ...]:
    """Every row of the files under `assess: recurrences:`; a file that was changed by hand is refused."""
    found = [one for name in assess.texts("recurrences") for one in read(base / name, schema)]
    return tuple({one.id: one for one in found}.values())


def read(path: Path, schema: Schema | None) -> list[Recurrence]:
    """The rows in one file. Raises `ConfigError` where they are not of these columns, or not what was written."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise KeyError("format")
        names, cases = tuple(document["columns"]), document["cases"]
        told = [_case(one, str(document["incident"])) for one in cases]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ConfigError(f"{path} holds no cases of an incident: {fault}", fix="see `temper incidents test`") from None
    if digest(names, cases) != document.get("digest"):
        raise ConfigError(f"{path} is not what was written", fix="make it again with `temper incidents test`")
    if schema is None or names != schema.names:
        raise ConfigError(
            f"{path} is of the columns {', '.join(names[:8])}, and the schema is of others",
            fix="make it again for these columns, or leave it out",
        )
    return told


def digest(names: Iterable[str], cases: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 of the columns and the cases."""
    return hashlib.sha256(json.dumps([list(names), list(cases)], sort_keys=True).encode()).hexdigest()


def plain(one: Recurrence) -> dict[str, Any]:
    """A case as its file holds it: numbers to the bit, as text that Python reads back."""
    return {"id": one.id, "row": [value.hex() for value in one.row], "expected": one.expected, "origin": one.origin}


def _case(plain: Mapping[str, Any], incident: str) -> Recurrence:
    row = tuple(float.fromhex(value) for value in plain["row"])
    expected, origin = int(plain["expected"]), str(plain["origin"])
    return Recurrence(id=str(plain["id"]), row=row, expected=expected, origin=origin, incident=incident)
