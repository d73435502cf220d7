"""What watches a running model without knowing the truth, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

Array = np.ndarray[Any, Any]
State = TypeVar("State")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One value per row, the stranger the higher; `alarms` are the rows over the detector's threshold, and `reason`
    says in a sentence what was seen there ("" without an alarm).
    """

    values: Array
    alarms: Array
    reason: str = ""


class Detector(Protocol[State]):
    """A frozen keyword-only dataclass whose state is a value: it can be stored, and resumed after a restart."""

    def step(self, state: State, batch: Array) -> tuple[State, Signal]:
        """The next state, and what it makes of these rows, (n, columns). It may use up the state passed in."""
