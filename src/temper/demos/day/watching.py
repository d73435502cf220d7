"""The monitor beside the day: `temper monitor watch` by a compressed clock, and the incidents that it opens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from temper.config.alerting import opening_of
from temper.config.reading import read
from temper.core.errors import TemperError
from temper.core.incident import Incident
from temper.core.outcome import Outcome
from temper.core.watch import Watched
from temper.monitoring.making import monitor_of
from temper.monitoring.opening import OURS, Opener
from temper.monitoring.run import Monitor
from temper.store.control import Control


@dataclass(slots=True, kw_only=True, eq=False)
class Watcher:
    """Judges each hour at its end; `windows` and `outcomes` are what was said so far."""

    monitor: Monitor
    opener: Opener
    control: Control
    windows: list[Watched] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def look(self, now: float) -> Watched:
        """What is said of the hour that ends now; an alarm opens an incident, or is written into the open one."""
        looked = self.monitor.look(now)
        if len(looked.new) != 1:
            raise TemperError(f"{len(looked.new)} windows were over where one hour was", fix="begin in an empty folder")
        self.windows += looked.new
        self.outcomes += [one for one in looked.outcomes if one.decided]
        self.opener.follow(now)
        return looked.new[0]

    def incidents(self) -> list[Incident]:
        """Those that the monitor opened and that are open, the oldest first."""
        return self._open(lambda source: source.startswith(OURS))

    def gateways(self) -> list[Incident]:
        """Those that the gateway opened by itself."""
        return self._open(lambda source: bool(source) and not source.startswith(OURS))

    def every(self) -> list[Incident]:
        """All that were opened, with their timelines."""
        return self.control.incidents.page(timelines=True)

    def _open(self, wanted: Callable[[str], bool]) -> list[Incident]:
        found = [one for one in self.control.incidents.page(open_only=True) if wanted(one.source)]
        return [self.control.incidents.get(one.id) for one in reversed(found)]


def watcher(path: Path, control: Control, say: Callable[[str], None]) -> Watcher:
    """The monitor of this temper.yaml, before its first look."""
    monitor, opening = monitor_of(path, control.windows, say), opening_of(read(path))
    if opening is None:
        raise TemperError(f"{path} opens no incidents", fix="add `monitor: incidents:`")
    opener = Opener(opening=opening, watch=monitor.watch, digest=monitor.digest, control=control)
    opener.begin()
    return Watcher(monitor=monitor, opener=opener, control=control)
