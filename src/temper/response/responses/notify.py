"""The receivers of alerts are told of the incident."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from temper.core.incident import Acted
from temper.response.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Tells everybody under `monitor: alerts: receivers:` that there is this incident, once, and when it is closed.
    What a receiver does not take now is sent again by the next look of `temper monitor`.

    That somebody was sent a message does not say that it was read. It is about an incident, so a run without one tells
    nobody, and says so.
    """

    risky: ClassVar[bool] = False

    def act(self, context: Context) -> Acted:
        if context.incident is None:
            return Acted(found="nobody is told: no incident is named (--incident N)")
        if context.tell is None:
            return Acted(found="nobody is told: temper.yaml names no receivers under monitor: alerts:")
        incident = context.control.incidents.get(context.incident)
        if incident.noted:
            return Acted(found=f"the receivers are told of incident {incident.id} already")
        if context.dry:
            return Acted(found="the receivers are not told yet", does=f"they are told of incident {incident.id}")
        context.control.incidents.notice(incident.id, context.by, context.clock())
        told = context.tell() or "nothing was due to be sent"
        return Acted(found="the receivers were not told yet", does=told, lasting="what was sent stays sent")


PLUGIN = Notify
