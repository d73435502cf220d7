"""Online detection without ground truth; state is a value that can be stored and resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """`score` in [0, 1], or None when the detector cannot tell (then `reason` says why)."""

    detector: str
    score: float | None
    alarm: bool = False
    reason: str = ""
    columns: tuple[str, ...] = ()


class Detector(Protocol):
    """Two pure values in, two out."""

    def step(self, state: Any, batch: Any) -> tuple[Any, Signal]:
        """The next state and the signal of this batch; the state passed in may be consumed."""
