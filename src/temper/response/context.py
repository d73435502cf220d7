"""What a response works on: the stores of a gateway, its figures, the clock, and whoever is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.config.serving import Serving
from temper.core.errors import StoreError
from temper.store.control import Control
from temper.store.control.records import APPROVED


@dataclass(slots=True, kw_only=True, eq=False)
class Context:
    """Everything a response may touch. `serving` is the guard of a temper.yaml and `parts` the names of its stages;
    `gateway` is the address of a gateway that can be asked. `dry` lets nothing be changed. `asked` puts a question to
    a person: None where nobody is there to answer. `run` names the run in every reason that is written,
    `incident` what it is run for. `config` is the temper.yaml, `feed` what its windows are of ("": none are watched)
    and `threshold` its model's. `tell` sends what is due to the receivers there and says how that went (None: there are
    none), and `hand` shows a person what is written nowhere.
    """

    serving: Serving
    parts: tuple[str, ...]
    by: str
    run: str
    clock: Callable[[], float]
    wait: Callable[[float], None]
    asked: Callable[[str], bool | None] = lambda question: None
    gateway: str = "http://127.0.0.1:8080"
    why: str = "a playbook"
    incident: int | None = None
    dry: bool = True
    config: str = ""
    feed: str = ""
    threshold: float | None = None
    tell: Callable[[], str] | None = None
    hand: Callable[[str], None] | None = None
    _control: Control | None = field(default=None, init=False, repr=False)

    @property
    def control(self) -> Control:
        """The control store, opened when it is first needed. A playbook makes none: that would hide that it is gone."""
        if self._control is None:
            place = self.serving.control
            if "://" not in place and not Path(place).exists():
                raise StoreError(f"there is no control store at {place}", fix="restore it, or correct guard.control")
            self._control = Control.open(place)
        return self._control

    @property
    def reason(self) -> str:
        """What is written with a change."""
        return f"{self.why} {mark(self.run)}"

    def put(self, kind: str, value: Any, reason: str) -> None:
        """Set what holds for every gateway on the store; a policy so set is shown as one that no second person saw."""
        if kind == APPROVED:
            self.control.policies.override(value, self.by, reason, self.clock())
        else:
            self.control.records.put(kind, value, self.by, reason, self.clock())

    def close(self) -> None:
        """Let the store go."""
        if self._control is not None:
            self._control.close()
            self._control = None


def mark(run: str) -> str:
    """How a reason names the run, so that what a run has set can be told from what came later.

    >>> mark("3f2a")
    '(run 3f2a)'
    """
    return f"(run {run})"
