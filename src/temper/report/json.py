"""The report as JSON: the whole record under a versioned schema, the same bytes for the same record."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib.resources import files
from typing import Any

from temper.core.defence import Effect
from temper.core.errors import TemperError
from temper.core.finding import Finding
from temper.core.run import Record
from temper.report._story import limits, sentences

FORMAT = "temper.report/1"


def render(record: Record, *, before: Record | None = None, effects: Sequence[Effect] = ()) -> str:
    """The record with its sentences and limits, sorted and ASCII only; a number that is not finite is a TemperError."""
    document = {
        "format": FORMAT,
        "record": _plain(record, "record"),
        "summary": list(sentences(record)),
        "limits": limits(record),
        "before": _plain(before, "before"),
        "effects": _plain(tuple(effects), "effects"),
    }
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that every document of this version satisfies."""
    text = files("temper.report").joinpath("schemas", "report-1.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _plain(value: Any, path: str) -> Any:
    """Dataclasses, enums, dates and NumPy numbers as what JSON has; anything else is refused with its path."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, str)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        found = {field.name: _plain(getattr(value, field.name), f"{path}.{field.name}") for field in fields(value)}
        return found | {"reproduce": value.reproduce} if isinstance(value, Finding) else found
    if isinstance(value, Mapping):
        return {str(key): _plain(part, f"{path}.{key}") for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(part, f"{path}[{at}]") for at, part in enumerate(value)]
    return _scalar(value, path)


def _scalar(value: Any, path: str) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise TemperError(
        f"{path} is {value!r}, which a report cannot hold",
        fix="give a finite number, or None with a reason",
    )
