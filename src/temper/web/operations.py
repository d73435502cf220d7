"""What an operator sets by hand: breaker, kill switch, the way back to a model. Gateways follow the last records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temper.store.control.records import Record
from temper.web import moments, versions
from temper.web.refused import Refused
from temper.web.visit import Visit

if TYPE_CHECKING:
    from starlette.responses import Response

BREAKER = {
    "automatic": "Automatic: it opens by itself when the model fails",
    "open": "Forced open: the model is not asked, the fallback answers",
    "closed": "Forced closed: the model is asked whatever happens",
}
"""The values of a record of kind `breaker`."""
STATES = {"automatic": "automatic", "open": "forced open", "closed": "forced closed"}
WORDS = {True: "STOP", False: "START"}
"""What is typed to confirm a record of kind `kill`, whose value is true or false."""
SHOWN = 10
NAMES = {"breaker": "Breaker", "kill": "Kill switch", "model": "Model"}


def show(visit: Visit) -> Response:
    """The switches, how they stand and how they stood."""
    on = stopped(visit)
    return visit.page(
        "operations.html",
        switches=switches(visit),
        breaker=_breaker(visit.control.records.current("breaker")),
        choices=BREAKER,
        on=on,
        word=WORDS[not on],
        model=versions.shown(visit),
        history=_history(visit),
    )


def breaker(visit: Visit) -> Response:
    """Force the breaker, or let it go."""
    state = visit.text("state")
    if state not in BREAKER:
        raise Refused(422, "No such state", f"A breaker is {', '.join(BREAKER)}.")
    visit.control.records.put("breaker", state, visit.me.name, visit.text("reason"), visit.now)
    return visit.go("/operations", "breaker")


def kill(visit: Visit) -> Response:
    """Stop every answer of the model, or end that; the word typed says which, so a stale page does not do the other."""
    word = visit.text("word").upper()
    if word not in WORDS.values():
        raise Refused(422, "Not confirmed", f"Type {WORDS[True]} to stop, or {WORDS[False]} to start again.")
    on = word == WORDS[True]
    if on == stopped(visit):
        raise Refused(409, "It is so already", f"The kill switch is {'on' if on else 'off'}; nothing was changed.")
    visit.control.records.put("kill", on, visit.me.name, visit.text("reason"), visit.now)
    return visit.go("/operations", "kill")


def stopped(visit: Visit) -> bool:
    """Whether the kill switch is on."""
    record = visit.control.records.current("kill")
    return record is not None and bool(record.value)


def switches(visit: Visit) -> list[dict[str, Any]]:
    """How the switches stand, and by whose word."""
    state = _breaker(visit.control.records.current("breaker"))
    on = stopped(visit)
    return [
        _switch("Breaker", STATES[state], state != "automatic", visit.control.records.current("breaker")),
        _switch("Kill switch", "on" if on else "off", on, visit.control.records.current("kill")),
    ]


def _switch(name: str, state: str, alarm: bool, record: Record | None) -> dict[str, Any]:
    by = f"{record.by}, {moments.clock(record.at)}: {record.reason}" if record else "never touched"
    return {"name": name, "state": state, "alarm": alarm, "by": by}


def _breaker(record: Record | None) -> str:
    return str(record.value) if record is not None and record.value in set(BREAKER) else "automatic"


def _history(visit: Visit) -> list[dict[str, str]]:
    found = [record for kind in NAMES for record in visit.control.records.history(kind)]
    newest = sorted(found, key=lambda record: record.seq, reverse=True)[:SHOWN]
    return [_line(record) for record in newest]


def _line(record: Record) -> dict[str, str]:
    return {
        "at": moments.clock(record.at),
        "name": NAMES[record.kind],
        "state": _state(record),
        "by": record.by,
        "reason": record.reason,
    }


def _state(record: Record) -> str:
    if record.kind == "model":
        return versions.stood(record)
    return ("on" if record.value else "off") if record.kind == "kill" else STATES[_breaker(record)]
