"""When each key was last let in: remembered at every request, written down once a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from temper.store.control.keys import Keys

EVERY = 60.0


@dataclass(slots=True, kw_only=True, eq=False)
class KeyUse:
    """Requests wait for none of it: `seen` is one assignment, and what could not be written is tried again.

    >>> class Kept:
    ...     def used(self, times): print(times)
    >>> uses = KeyUse(keys=Kept(), clock=iter([0.0, 30.0, 61.0]).__next__)
    >>> uses.seen("k1", 5.0); uses.noted(); uses.seen("k1", 6.0); uses.noted(); uses.noted()
    {'k1': 5.0}
    {'k1': 6.0}
    """

    keys: Keys
    clock: Callable[[], float] = time.monotonic
    _times: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _written: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _next: float = field(default=0.0, init=False, repr=False)

    def seen(self, kid: str, at: float) -> None:
        """This key was let in, at this second since 1970."""
        self._times[kid] = at

    def noted(self) -> None:
        """Write down what is new, if it is time to."""
        now = self.clock()
        if now >= self._next:
            self.note()
            self._next = now + EVERY

    def note(self) -> None:
        """Write down what is new."""
        times = dict(self._times)  # in one step, while requests go on
        if new := {kid: at for kid, at in times.items() if self._written.get(kid) != at}:
            self.keys.used(new)
            self._written = times
