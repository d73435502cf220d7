"""A tool's answer as a text, the way AgentDojo writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from temper.core.chat import Call

Told: TypeAlias = Callable[[dict[str, Any]], Any]


def told(tools: Mapping[str, Told], call: Call) -> str:
    """Lists as YAML, anything else as it prints, trouble as the error a tool would show."""
    import yaml

    try:
        found = tools[call.name](json.loads(call.arguments))
    except (KeyError, LookupError, ValueError, StopIteration) as error:
        return f"{type(error).__name__}: {error}"
    return yaml.safe_dump(found).strip() if isinstance(found, list) else str(found)
