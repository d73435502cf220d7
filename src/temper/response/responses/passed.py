"""Whether the alarm has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.incident import Acted
from temper.core.watch import Seen
from temper.report.watched import said, span
from temper.response.context import Context

PAUSE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Looks whether the newest window of the feed says PASS, and began after the incident was opened; for `seconds` it
    is looked again. INCONCLUSIVE and no rows are no PASS.

    An attacker who waits passes too. Windows are judged by `temper monitor`, so nothing new is seen while it does not
    run.
    """

    risky: ClassVar[bool] = False
    seconds: float = 0.0

    def act(self, context: Context) -> Acted:
        ends = 0.0 if context.dry else self.seconds
        while True:
            found, well = self._newest(context)
            if well or ends <= 0:
                return Acted(found=found, well=well)
            context.wait(min(PAUSE, ends))
            ends -= PAUSE

    def _newest(self, context: Context) -> tuple[str, bool]:
        if not context.feed:
            return "no windows are watched: temper.yaml has no monitor:", False
        newest = next(iter(context.control.windows.page(context.feed, 1)), None)
        if newest is None:
            return "no window was judged yet", False
        told = f"the newest window, {span(newest)}, says {newest.seen.value.upper()}: {said(newest)}"
        if context.incident is not None:
            opened = context.control.incidents.get(context.incident).opened
            if newest.start < opened:
                return f"{told}; it began before incident {context.incident} was opened", False
        return told, newest.seen is Seen.PASS


PLUGIN = Passed
