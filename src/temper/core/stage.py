"""One layer of a guard and what it decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol


class Action(IntEnum):
    """Ordered: the worst of all stages wins."""

    ALLOW = 0
    REVISE = 1
    REVIEW = 2
    BLOCK = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`action` by `stage` (its configured name) for `reason`; REVISE carries the replacement."""

    action: Action
    stage: str
    reason: str = ""
    replacement: Any = None


class Stage(Protocol):
    """A frozen keyword-only dataclass in one file of `guard/stages`."""

    def check(self, message: Any, context: Any) -> Decision:
        """Decide on one message; a crash becomes the stage's `on_error`."""
