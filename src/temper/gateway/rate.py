"""How often a client may ask."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True, eq=False)
class Rate:
    """A bucket of `per_minute` questions for each client, filled again all the time; 0 is no limit.

    >>> rate = Rate(per_minute=2)
    >>> [rate.wait("shop", now) for now in (0.0, 0.0, 0.0, 30.0)]
    [0.0, 0.0, 30.0, 0.0]
    """

    per_minute: float = 0.0
    _left: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False)

    def wait(self, client: str, now: float) -> float:
        """Seconds until this client may ask, 0 where it may now, which counts as asking."""
        if not self.per_minute:
            return 0.0
        left, before = self._left.get(client, (self.per_minute, now))
        left = min(self.per_minute, left + (now - before) * self.per_minute / 60.0)
        allowed = left >= 1.0
        self._left[client] = (left - 1.0 if allowed else left, now)
        return 0.0 if allowed else (1.0 - left) * 60.0 / self.per_minute
