"""The policy that holds, as the responses that change one read it."""

from __future__ import annotations

from typing import Any

from temper.core.serving import Mode
from temper.response.context import Context


def policy_of(context: Context) -> dict[str, Any]:
    """Every stage as a mapping: of the policy people have activated, or of temper.yaml."""
    record = context.control.records.current("policy")
    if record is None or record.value is None:
        return {name: {"mode": mode.value, **options} for name, mode, options in context.serving.stages}
    return {name: _options(value) for name, value in record.value.items()}


def _options(value: Any) -> Any:
    """A stage that is a mode alone, or switched off, written out."""
    if isinstance(value, bool):
        return {"mode": "enforce" if value else "off"}
    if isinstance(value, str) and value in {one.value for one in Mode}:
        return {"mode": value}
    return {"mode": "enforce", **value} if isinstance(value, dict) else value
