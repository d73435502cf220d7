"""The model that answers and the one on trial, and the way back for whoever has to take it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.core.errors import ConfigError
from temper.store.control.deployed import BACK, Deployed, deployed, named
from temper.store.control.records import Record
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, ConfigError)
"""What a record raises that was not put by `temper deploy`."""


def back(visit: Visit) -> Response:
    """End the trial, or go back to the version before. The form names the record it is about, so that a second click
    or an old page goes back no further.
    """
    found = deployed(visit.control)
    if found.trial is None and found.live is None:
        raise Refused(409, "Nothing to go back to", "The model of temper.yaml answers, and none is on trial.")
    after = visit.whole("record")
    whose = {} if visit.desk.assessed is None else {"system": visit.desk.assessed.system}
    visit.control.records.put("model", {**BACK, **whose}, visit.me.name, visit.text("reason"), visit.now, after=after)
    return visit.go("/operations", "model")


def shown(visit: Visit) -> dict[str, Any]:
    """What answers, what is on trial and what going back would lead to; "" where there is nothing to go back from.
    Records that no gateway could follow are told as such: the other switches of the page are needed then.
    """
    record = visit.control.records.current("model")
    try:
        return _told(deployed(visit.control)) | {"record": 0 if record is None else record.seq}
    except UNREADABLE:
        return {"live": "not readable", "trial": "", "leads": "", "record": 0}


def _told(found: Deployed) -> dict[str, Any]:
    if found.trial is not None:
        leads = f"end the trial: {named(found.live)} answers everybody"
    else:
        leads = f"go back to {named(found.lives[-2])}" if len(found.lives) > 1 else ""
    return {"live": named(found.live), "trial": "" if found.trial is None else line(found.trial), "leads": leads}


def line(value: Any) -> str:
    """What a record of the model says."""
    if value.get("back"):
        return "back to the one before"
    share = f" for {value['share']:.0%} of the clients" if "share" in value else ""
    return f"{value['mode']}: {named(value)}{share}"


def stood(record: Record) -> str:
    """The same of any record, also one that no gateway could follow."""
    try:
        return line(record.value)
    except UNREADABLE:
        return "not readable"
